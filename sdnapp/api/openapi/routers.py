"""Operations on the interfaces and the extra routes of a router."""

from sdnapp.api.openapi.operations import IF_MATCH, WRITING, Operation, describe
from sdnapp.api.resources.extra_routes import ExtraRoutes
from sdnapp.api.resources.router_interfaces import RouterInterfaces
from sdnapp.api.schemas import STRING, UUID, Schema, list_of, nullable, of_request, of_spec, record

_BY_SUBNET, _BY_PORT = record({"subnet_id": UUID}, ["subnet_id"]), record({"port_id": UUID}, ["port_id"])
_SHOWN: dict[str, Schema] = {
    "id": STRING,
    "project_id": STRING,
    "port_id": UUID,
    "network_id": UUID,
    "subnet_id": nullable(UUID),
    "subnet_ids": list_of(UUID),
}
_INTERFACE = record(_SHOWN, _SHOWN)


def add_interface(_: RouterInterfaces) -> Operation:
    """Describe a router being joined to a subnet."""
    body: Schema = {"oneOf": [_BY_SUBNET, _BY_PORT]}
    return describe("add_router_interface", "Join a router to a subnet", "routers", _INTERFACE, WRITING, body=body)


def remove_interface(_: RouterInterfaces) -> Operation:
    """Describe a router being parted from a subnet."""
    body: Schema = {"anyOf": [_BY_SUBNET, _BY_PORT]}
    summary = "Part a router from a subnet"
    return describe("remove_router_interface", summary, "routers", _INTERFACE, WRITING, body=body)


def add_routes(routes: ExtraRoutes) -> Operation:
    """Describe extra routes being added."""
    return _change(routes, "add", "Add extra routes to a router")


def remove_routes(routes: ExtraRoutes) -> Operation:
    """Describe extra routes being taken away."""
    return _change(routes, "remove", "Take extra routes off a router")


def _change(routes: ExtraRoutes, verb: str, summary: str) -> Operation:
    given = record({"routes": of_request(of_spec("routes", routes.resource.attributes.specs["routes"]))}, ["routes"])
    return describe(
        f"{verb}_router_extraroutes",
        summary,
        "routers",
        record({"router": {"$ref": "#/components/schemas/Router"}}, ["router"]),
        (*WRITING, 412),
        body=record({"router": given}, ["router"], additionalProperties=False),
        parameters=[IF_MATCH],
    )
