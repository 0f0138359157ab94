"""As much of Keystone as the ``openstack`` command needs to be somebody in a project: every name is right.

The id of a project is its name. What the API under test makes of the token is its own affair (noauth: nothing).
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from webob import Request, Response

PREFIX = "/identity"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def beside(app: Wsgi) -> Wsgi:
    """Return an application that is Keystone below ``/identity`` and ``app`` everywhere else."""

    def both(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        if not request.path_info.startswith(PREFIX):
            return app(environ, start_response)
        answer: Iterable[bytes] = _answer(request)(environ, start_response)
        return answer

    return both


def _answer(request: Request) -> Response:
    path = request.path_info.removeprefix(PREFIX).rstrip("/")
    url = f"{request.host_url}{PREFIX}/v3"
    version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": url}], "media-types": []}
    if path == "/v3/auth/tokens" and request.method == "POST":
        return _json({"token": _token(request)}, 201, {"X-Subject-Token": "any"})
    if path == "/v3":
        return _json({"version": version})
    if path == "":
        return _json({"versions": {"values": [version]}}, 300)
    if path == "/v3/projects":
        return _json({"projects": [_project(request.GET["name"])] if "name" in request.GET else []})
    if path.startswith("/v3/projects/"):
        return _json({"project": _project(path.rpartition("/")[2])})
    return _json({"error": {"code": 404, "title": "Not Found", "message": path}}, 404)


def _token(request: Request) -> dict[str, Any]:
    auth = request.json["auth"]
    project = auth["scope"]["project"]
    name = project.get("id") or project["name"]
    kinds = {"identity": f"{request.host_url}{PREFIX}/v3", "network": request.host_url}
    return {
        "methods": ["password"],
        "user": {"id": "somebody", "name": "somebody", "domain": {"id": "default", "name": "Default"}},
        "project": _project(name),
        "roles": [{"id": "admin", "name": "admin"}],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2126-01-01T00:00:00.000000Z",
        "catalog": [
            {
                "id": kind,
                "type": kind,
                "name": kind,
                "endpoints": [{"id": kind, "interface": "public", "region": "one", "region_id": "one", "url": url}],
            }
            for kind, url in kinds.items()
        ],
    }


def _project(name: str) -> dict[str, Any]:
    return {"id": name, "name": name, "enabled": True, "domain": {"id": "default"}, "domain_id": "default"}


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    response = Response(json.dumps(body).encode(), status=status, content_type="application/json", charset="UTF-8")
    response.headers.update(headers or {})
    return response
