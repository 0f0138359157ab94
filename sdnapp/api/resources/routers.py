"""Routers: what joins networks. Their interfaces and extra routes are changed by requests of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib.api.definitions import (
    availability_zone,
    dvr,
    extraroute,
    l3,
    l3_ext_gw_mode,
    l3_ext_ha_mode,
    router_availability_zone,
)
from neutron_lib.exceptions import BadRequest
from neutron_lib.exceptions import l3 as errors

from sdnapp.api import policy, tags, zones
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap
from sdnapp.api.intent.declaration import InFile, Reference
from sdnapp.api.policy import Target
from sdnapp.api.resource import STANDARD_SCHEMAS, STANDARD_VIEW, Context, Resource, column, constant
from sdnapp.api.resources import router_gateways
from sdnapp.api.resources.extra_routes import canonical_routes, checked_routes, show_routes
from sdnapp.api.schemas import STRING, list_of, one_of
from topology.allocation import ROUTER_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import Port, Router

_MEMBERS = policy.any_of(policy.admin, policy.project_member)
_HINTS = availability_zone.AZ_HINTS
_GATEWAY = l3.EXTERNAL_GW_INFO
_NATURE = {
    "distributed": "it is on the chassis of its instances, and no chassis is its centre",
    "ha": "every gateway chassis serves it when another has failed",
}
"""What every router is, and why it cannot be otherwise."""
_PLAIN = ("name", "description", "admin_state_up")


class Routers(Resource[Router]):
    """What joins networks."""

    name = "router"
    collection = "routers"
    row = Router
    has_quota = True
    attributes = AttributeMap(
        "routers",
        (l3, l3_ext_gw_mode, extraroute, router_availability_zone, dvr, l3_ext_ha_mode),
        STANDARD_ATTRIBUTES | tags.TAG_ATTRIBUTES,
    )
    view = STANDARD_VIEW | {
        "tags": tags.show,
        "admin_state_up": column("admin_state_up"),
        "status": lambda ctx, router: ctx.services.router_status(router.id),
        _GATEWAY: router_gateways.show,
        "routes": lambda ctx, router: show_routes(router.routes),
        # Routers are on every chassis that needs them, so in the one zone that there is.
        "availability_zones": constant([zones.ZONE]),
        _HINTS: lambda ctx, router: list(router.availability_zone_hints),
        **dict.fromkeys(_NATURE, constant(True)),
    }
    in_file = InFile(
        shown={_GATEWAY: router_gateways.in_file},
        canonical={"routes": canonical_routes, _GATEWAY: router_gateways.canonical},
        references={
            f"{_GATEWAY}.network_id": Reference(("network",)),
            f"{_GATEWAY}.external_fixed_ips.subnet_id": Reference(("subnet",)),
        },
        # A file that says nothing of it leaves it: its floating IPs are in no file.
        chosen=frozenset({_GATEWAY, f"{_GATEWAY}.external_fixed_ips", *_NATURE}),
        late=frozenset({"routes"}),
    )
    schemas: ClassVar = STANDARD_SCHEMAS | {
        "status": one_of(("ACTIVE", "DOWN")),
        "availability_zones": list_of(STRING),
    }
    rules: ClassVar = {
        "get_router": policy.any_of(policy.admin, policy.project_reader),
        "create_router": _MEMBERS,
        f"create_router:{_GATEWAY}": _MEMBERS,
        f"create_router:{_GATEWAY}:enable_snat": policy.admin,
        f"create_router:{_GATEWAY}:external_fixed_ips": policy.admin,
        "update_router": _MEMBERS,
        **{f"{action}_router:{name}": policy.admin for action in ("get", "create", "update") for name in _NATURE},
        f"update_router:{_GATEWAY}": _MEMBERS,
        f"update_router:{_GATEWAY}:enable_snat": policy.admin,
        f"update_router:{_GATEWAY}:external_fixed_ips": policy.admin,
        "delete_router": _MEMBERS,
        "add_router_interface": _MEMBERS,
        "remove_router_interface": _MEMBERS,
        "add_extraroutes": _MEMBERS,
        "remove_extraroutes": _MEMBERS,
    }

    def not_found(self, row_id: str) -> errors.RouterNotFound:
        """Return RouterNotFound."""
        return errors.RouterNotFound(router_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own routers."""
        return [ctx.store.find_ids(Router, "project", ctx.who.project_id)]

    def target(self, ctx: Context, row: Router, values: Mapping[str, Any]) -> Target:
        """Return the owner."""
        return Target(row.project_id)

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be."""
        return Target(values["project_id"])

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> Router:
        """Take a key. Raises AvailabilityZoneNotFound, BadRequest, and what a gateway raises."""
        _check_nature(values)
        zones.check_hints(values[_HINTS])
        router = Router(
            id=str(uuid4()),
            project_id=values["project_id"],
            key=next_number(tx, "router", ROUTER_KEY_BITS),
            availability_zone_hints=tuple(values[_HINTS]),
            **{name: values[name] for name in _PLAIN},
        )
        return router_gateways.change(ctx, tx, router, values[_GATEWAY]) if values[_GATEWAY] else router

    def update(self, ctx: Context, tx: Transaction, row: Router, values: dict[str, Any]) -> Router:
        """Apply what is given; routes take the place of those that are there. Raises BadRequest."""
        _check_nature(values)
        changes = {name: values[name] for name in _PLAIN if name in values}
        if "routes" in values:
            changes["routes"] = checked_routes(ctx, row, values["routes"])
        changed = replace(row, **changes)
        return router_gateways.change(ctx, tx, changed, values[_GATEWAY]) if _GATEWAY in values else changed

    def delete(self, ctx: Context, tx: Transaction, row: Router) -> None:
        """Refuse while it has interfaces. Raises RouterInUse."""
        if ports := ctx.store.find_ids(Port, "interface_of", row.id):
            raise errors.RouterInUse(router_id=row.id, reason=f"has ports still attached: {', '.join(ports)}")
        router_gateways.remove(ctx, tx, row)
        tx.delete(Router, row.id)


def _check_nature(values: Mapping[str, Any]) -> None:
    """Refuse a router that is not as all are. Raises BadRequest."""
    for name, reason in _NATURE.items():
        if values.get(name) is False:
            raise BadRequest(resource="router", msg=f"{name} must be true or left out: {reason}")
