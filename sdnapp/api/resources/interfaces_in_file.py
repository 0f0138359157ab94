"""Interfaces of routers as a project's file has them: ``interfaces: [{subnet: front-v4}]``, below their router.

The API knows no such objects: it joins routers to subnets, and the interfaces are ports. Here each step is what a
client would do by requests: it joins a router to a subnet by the gateway address, or makes a port of the address that
is named and lets the router have it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from neutron_lib.db import constants as sizes
from neutron_lib.exceptions import l3 as errors

from sdnapp.api import controller, policy, quotas
from sdnapp.api.attributes import AttributeMap, Specs
from sdnapp.api.intent.declaration import InFile, Reference, Values
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Resource, column, stamp_changed
from sdnapp.api.resources.extra_routes import routes_beyond
from sdnapp.api.resources.router_interfaces import RouterInterfaces
from topology.store import Transaction
from topology.values import Port, Router, Subnet

_MEMBERS = policy.any_of(policy.admin, policy.project_member)
_SET_ONCE = {"allow_post": True, "allow_put": False, "is_visible": True}
_ATTRIBUTES: Specs = {
    # Documents say for all at once whose objects they hold.
    "tenant_id": _SET_ONCE | {"validate": {"type:string": sizes.PROJECT_ID_FIELD_SIZE}},
    "router_id": _SET_ONCE | {"validate": {"type:uuid": None}},
    "subnet_id": _SET_ONCE | {"validate": {"type:uuid": None}},
    "ip_address": _SET_ONCE | {"validate": {"type:ip_address_or_none": None}, "default": None},
}


def _gateway_address(ctx: Context, port: Port, values: Values) -> str | None:
    subnet = ctx.store.get(Subnet, values["subnet_id"])
    return subnet.gateway_ip if subnet is not None else None


def _of_project(ctx: Context, project_id: str) -> list[Port]:
    """Return the interfaces of a project's routers, whoever made them."""
    router_ids = ctx.store.find_ids(Router, "project", project_id)
    return [port for router_id in router_ids for port in ctx.store.find(Port, "interface_of", router_id)]


class InterfacesInFile(Resource[Port]):
    """What joins routers to subnets, one by one. ``interfaces`` are the API's actions that do it."""

    name = "router_interface"
    collection = "interfaces"
    row = Port
    methods = frozenset({"POST", "DELETE"})
    attributes = AttributeMap("interfaces", (), _ATTRIBUTES)
    view: ClassVar = {
        "router_id": column("device_id"),
        "subnet_id": lambda ctx, port: port.fixed_ips[0].subnet_id,
        "ip_address": lambda ctx, port: port.fixed_ips[0].ip_address,
    }
    rules: ClassVar = {
        "get_router_interface": policy.any_of(policy.admin, policy.project_reader),
        "create_router_interface": _MEMBERS,
        "delete_router_interface": _MEMBERS,
    }
    in_file = InFile(
        parent="router_id",
        references={"router_id": Reference(("router",)), "subnet_id": Reference(("subnet",))},
        keys=("subnet_id",),
        defaults={"ip_address": _gateway_address},
        found=_of_project,
        why_not=lambda port: "" if len(port.fixed_ips) == 1 else "an interface in a file has one address",
    )

    def __init__(self, interfaces: RouterInterfaces) -> None:
        self._interfaces = interfaces

    def not_found(self, row_id: str) -> errors.RouterInterfaceNotFound:
        """Return RouterInterfaceNotFound."""
        return errors.RouterInterfaceNotFound(router_id="", port_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """None: interfaces are listed as ports."""
        return []

    def target(self, ctx: Context, row: Port, values: Mapping[str, Any]) -> Target:
        """Return the router, which changes when its interfaces do."""
        return Target(_router(ctx, row.device_id).project_id)

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the router."""
        return Target(_router(ctx, values["router_id"]).project_id)

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> Port:
        """Join a router to a subnet. Raises what ``add_router_interface`` raises, and what making a port does."""
        interfaces, router = self._interfaces, _router(ctx, values["router_id"])
        subnet: Subnet = controller.find(ctx, interfaces.subnets, values["subnet_id"])
        if values["ip_address"] in (None, subnet.gateway_ip):
            port = interfaces.make(ctx, tx, router, subnet.id)
        else:
            port = interfaces.take_over(ctx, tx, router, self._own_port(ctx, tx, router, subnet, values).id)
        stamp_changed(ctx, tx, router)
        return port

    def _own_port(
        self, ctx: Context, tx: Transaction, router: Router, subnet: Subnet, values: Mapping[str, Any]
    ) -> Port:
        """Make a port for a router, with an address that is not the gateway's."""
        ports = self._interfaces.ports
        quotas.check(ctx, ports, [router.project_id])
        body = {
            "project_id": router.project_id,
            "network_id": subnet.network_id,
            "fixed_ips": [{"subnet_id": subnet.id, "ip_address": values["ip_address"]}],
            "security_groups": [],
        }
        port: Port = controller.create(ctx, tx, ports, ports.attributes.for_create(ctx.who, body))
        return port

    def update(self, ctx: Context, tx: Transaction, row: Port, values: dict[str, Any]) -> Port:
        """Not served: another address makes another interface."""
        raise NotImplementedError

    def delete(self, ctx: Context, tx: Transaction, row: Port) -> None:
        """Part a router from a subnet, and take the routes along that lead through it: those that stay come back."""
        router = _router(ctx, row.device_id)
        for fixed in row.fixed_ips:
            subnet = ctx.store.get(Subnet, fixed.subnet_id)
            if subnet is not None:
                router = replace(router, routes=routes_beyond(router, subnet.cidr))
        self._interfaces.part(ctx, tx, router, row)


def _router(ctx: Context, router_id: str) -> Router:
    """Return a router. Raises RouterNotFound."""
    router = ctx.store.get(Router, router_id)
    if router is None:
        raise errors.RouterNotFound(router_id=router_id)
    return router
