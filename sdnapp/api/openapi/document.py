"""The document as a whole.

Every handler must have a description here, every attribute a schema: without, there is no document and a test fails.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from webob import Request, Response

from sdnapp.api import discovery, fixed_lists, operator, quotas
from sdnapp.api.bindings import Bindings
from sdnapp.api.controller import Controller
from sdnapp.api.errors import json_response
from sdnapp.api.intent import handlers as intent
from sdnapp.api.openapi import bindings, others, port_forwardings, resources, routers
from sdnapp.api.openapi.operations import ERROR, ERRORS, Operation, as_json
from sdnapp.api.port_forwardings import PortForwardings
from sdnapp.api.quotas import Quotas
from sdnapp.api.resource import Context
from sdnapp.api.resources.extra_routes import ExtraRoutes
from sdnapp.api.resources.router_interfaces import RouterInterfaces
from sdnapp.api.schemas import NoSchemaError, Schema
from sdnapp.api.tagging import Tagging

Routes = Mapping[str, Mapping[str, Callable[..., Response]]]

_ABOUT = (
    "The Neutron v2.0 API of this network, and the views for its operator. Values may be given in the other forms that "
    "Neutron takes as well, such as numbers and booleans as text. Where Keystone is asked, each request needs a token, "
    "or the answer is 401; otherwise the caller is who the headers say, or an administrator if they say nothing."
)
_SECURITY = {
    "project": {"type": "apiKey", "in": "header", "name": "X-Project-Id", "description": "The caller's project"},
    "roles": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Roles",
        "description": "The caller's roles in it, separated by commas: admin, manager, member or reader",
    },
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "A token of Keystone"},
    "basic": {"type": "http", "scheme": "basic", "description": "A member of the project that the user is named after"},
}


class Document:
    """The document of an application's routes: by path, the handlers of each method."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    def show(self, ctx: Context, request: Request) -> Response:
        """``GET /openapi.json``, open to all."""
        return json_response(self.content)

    @cached_property
    def content(self) -> dict[str, Any]:
        """The document. Raises NoSchemaError for what is not described."""
        paths = {
            _named(path, handlers): _path(_named(path, handlers), handlers)
            for path, handlers in self._routes.items()
            if not self._is_alias(path)
        }
        operations = [each for path in paths.values() for each in path.values() if "operationId" in each]
        return {
            "openapi": "3.1.0",
            "info": {"title": "sdnapp", "version": "2.0", "description": _ABOUT},
            "servers": [{"url": "/"}],
            "security": [{}, {"project": [], "roles": []}, {"token": []}, {"basic": []}],
            "tags": [{"name": name} for name in dict.fromkeys(each["tags"][0] for each in operations)],
            "paths": paths,
            "components": {
                "schemas": self._schemas(),
                "responses": {name: _error(status, text) for status, (name, text) in ERRORS.items()},
                "securitySchemes": _SECURITY,
            },
        }

    def _is_alias(self, path: str) -> bool:
        return path.endswith(".json") and path.removesuffix(".json") in self._routes

    def _schemas(self) -> dict[str, Schema]:
        found = {"Error": ERROR}
        for handlers in self._routes.values():
            for handler in handlers.values():
                if isinstance(controller := _owner(handler), Controller):
                    found |= resources.components(controller.resource)
        return found


DESCRIPTIONS: Mapping[Any, Callable[..., Operation]] = {
    Document.show: others.document,
    Controller.index: resources.list_objects,
    Controller.show: resources.show,
    Controller.create: resources.create,
    Controller.update: resources.update,
    Controller.delete: resources.delete,
    Controller.act: resources.act,
    Tagging.index: resources.list_tags,
    Tagging.show: resources.show_tag,
    Tagging.create: resources.add_tags,
    Tagging.put_all: resources.replace_tags,
    Tagging.add: resources.add_tag,
    Tagging.clear: resources.remove_tags,
    Tagging.remove: resources.remove_tag,
    Bindings.index: bindings.list_bindings,
    Bindings.show: bindings.show_binding,
    Bindings.create: bindings.create_binding,
    Bindings.update: bindings.update_binding,
    Bindings.delete: bindings.delete_binding,
    Bindings.activate: bindings.activate_binding,
    PortForwardings.index: port_forwardings.list_forwardings,
    PortForwardings.show: port_forwardings.show_forwarding,
    PortForwardings.create: port_forwardings.create_forwarding,
    PortForwardings.update: port_forwardings.update_forwarding,
    PortForwardings.delete: port_forwardings.delete_forwarding,
    RouterInterfaces.add: routers.add_interface,
    RouterInterfaces.remove: routers.remove_interface,
    ExtraRoutes.add: routers.add_routes,
    ExtraRoutes.remove: routers.remove_routes,
    Quotas.index: others.list_quotas,
    Quotas.create: others.refuse_quota,
    Quotas.show: others.show_quota,
    Quotas.default: others.default_quota,
    Quotas.details: others.quota_details,
    Quotas.update: others.update_quota,
    Quotas.delete: others.delete_quota,
    quotas.own_project: others.own_project,
    fixed_lists.fixed_list: others.fixed_list,
    discovery.versions: others.versions,
    discovery.resources: others.resources,
    discovery.extensions: others.extensions,
    discovery.extension: others.extension,
    intent.exporting: others.export,
    intent.applying: others.apply,
    operator.health: others.health,
    operator.metrics: others.metrics,
    operator.realized: others.realized,
    operator.status: others.status,
    operator.trace: others.trace,
    operator.chassis_list: others.chassis_list,
    operator.chassis: others.chassis,
    operator.flows: others.flows,
    operator.drops: others.drops,
    operator.gateways: others.gateways,
    operator.restarts: others.restarts,
    operator.holds: others.holds,
}
"""By the function that serves it, what describes an operation: called with what is bound to the function."""


def _error(status: int, text: str) -> dict[str, Any]:
    """Return an answer; to a URL that it cannot read, the web server has nothing to say."""
    content = {} if status == 414 else {"content": as_json({"$ref": "#/components/schemas/Error"})}
    return {"description": text} | content


def _named(path: str, handlers: Mapping[str, Callable[..., Response]]) -> str:
    """Return a path that tells what the id in it is of."""
    resource = getattr(_owner(next(iter(handlers.values()))), "resource", None)
    return path.replace("{row_id}", f"{{{resource.name}_id}}") if resource is not None else path


def _owner(handler: Any) -> Any:
    """Return the object whose method serves, or None."""
    return getattr(handler.func if isinstance(handler, partial) else handler, "__self__", None)


def _path(path: str, handlers: Mapping[str, Callable[..., Response]]) -> dict[str, Any]:
    item: dict[str, Any] = {method.lower(): _operation(path, handler) for method, handler in handlers.items()}
    if names := [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in names
        ]
    return item


def _operation(path: str, handler: Any) -> Operation:
    called: Any = handler.func if isinstance(handler, partial) else handler
    arguments = handler.args if isinstance(handler, partial) else ()
    function = getattr(called, "__func__", called)
    bound = arguments if function is called else (called.__self__, *arguments)
    if function not in DESCRIPTIONS:
        raise NoSchemaError(f"{path}: describe {function.__qualname__} in sdnapp/api/openapi/document.py")
    return DESCRIPTIONS[function](*bound)
