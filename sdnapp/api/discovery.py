"""What clients ask first: versions, resources, extensions."""

from collections.abc import Iterable
from typing import Any

from webob import Request, Response, exc

from sdnapp.api.errors import json_response
from sdnapp.api.extensions import EXTENSIONS
from sdnapp.api.resource import Context, Resource


def versions(ctx: Context, request: Request) -> Response:
    """``GET /``: the one version that is served."""
    link = {"rel": "self", "href": f"{request.application_url}/v2.0/"}
    return json_response({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})


def resources(served: Iterable[Resource[Any]], ctx: Context, request: Request) -> Response:
    """``GET /v2.0/``: the resources and where they are."""
    return json_response(
        {
            "resources": [
                {
                    "name": resource.name,
                    "collection": resource.collection,
                    "links": [{"rel": "self", "href": f"{request.application_url}/v2.0/{resource.path}"}],
                }
                for resource in served
            ]
        }
    )


def extensions(ctx: Context, request: Request) -> Response:
    """``GET /v2.0/extensions``."""
    return json_response({"extensions": list(EXTENSIONS.values())})


def extension(ctx: Context, request: Request, alias: str) -> Response:
    """``GET /v2.0/extensions/{alias}``."""
    if alias not in EXTENSIONS:
        raise exc.HTTPNotFound(f"Extension with alias {alias} does not exist")
    return json_response({"extension": EXTENSIONS[alias]})
