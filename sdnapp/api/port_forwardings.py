"""``/v2.0/floatingips/{id}/port_forwardings``: ports of a floating IP that lead to instances, each to another one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from neutron_lib import exceptions
from neutron_lib.api.definitions import fip_pf_description, fip_pf_port_range
from neutron_lib.api.definitions import floating_ip_port_forwarding as definition
from neutron_lib.exceptions import l3 as errors
from webob import Request, Response

from sdnapp.api import bodies, listing
from sdnapp.api.attributes import AttributeMap, is_set
from sdnapp.api.controller import check_revision, find
from sdnapp.api.errors import json_response
from sdnapp.api.resource import Context, stamp_changed, stamp_new
from sdnapp.api.resources.floatingips import FloatingIPs, forget_forwarding, forwarding_values, router_between
from topology.store import Transaction
from topology.values import FixedIP, FloatingIP, Port, PortForwarding

ONE, MANY = "port_forwarding", "port_forwardings"
_PROTOCOLS = ("tcp", "udp")
MAX_PORT = 65535
_DESCRIPTION = {
    "allow_post": True,
    "allow_put": True,
    "validate": {"type:string": 255},
    "is_visible": True,
    "default": "",
    "is_filter": True,
}


class PortForwardingNotFound(exceptions.NotFound):  # type: ignore[misc]
    """The floating IP has no such port forwarding."""

    message = "Port Forwarding %(id)s could not be found."


class PortHasBindingFloatingIP(exceptions.InUse):  # type: ignore[misc]
    """All ports of the address belong to another floating IP."""

    message = (
        "Cannot create port forwarding to floating IP %(floating_ip_address)s (%(fip_id)s) with port %(port_id)s using "
        "fixed IP %(fixed_ip)s, as that port already has a binding floating IP."
    )


class PortForwardings:
    """The actions on the port forwardings of one floating IP."""

    def __init__(self) -> None:
        specs: dict[str, dict[str, Any]] = {}
        for each in (definition, fip_pf_description, fip_pf_port_range):
            parameters = each.SUB_RESOURCE_ATTRIBUTE_MAP[definition.COLLECTION_NAME]["parameters"]
            specs |= {name: dict(spec) for name, spec in parameters.items()}
        specs["description"] = _DESCRIPTION
        specs["protocol"] = specs["protocol"] | {"validate": {"type:values": _PROTOCOLS}}
        self.attributes = AttributeMap(MANY, (), specs)
        self.resource = FloatingIPs()

    def index(self, ctx: Context, request: Request, row_id: str) -> Response:
        """List a floating IP's port forwardings, by external port."""
        row = self._floatingip(ctx, row_id)
        wanted = listing.asked_filters(request, frozenset(self.attributes.filters()))
        fields = listing.asked_fields(request)
        shown = [
            {name: value for name, value in each.items() if not fields or name in fields}
            for each in map(show, _of(ctx, row))
            if all(str(each.get(name)) in values for name, values in wanted.items())
        ]
        return json_response({MANY: shown})

    def show(self, ctx: Context, request: Request, row_id: str, forwarding_id: str) -> Response:
        """Show a port forwarding."""
        return json_response({ONE: show(self._found(ctx, self._floatingip(ctx, row_id), forwarding_id))})

    def create(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Forward a port, or a range of ports.

        Raises BadRequest, PortNotFound, ExternalGatewayForFloatingIPNotFound, PortHasBindingFloatingIP,
        FloatingIPPortAlreadyAssociated.
        """
        values = self.attributes.for_create(ctx.who, self._body(ctx, request))
        with ctx.store.transaction() as tx:
            row = self._floatingip(ctx, row_id, "update_floatingip")
            check_revision(request, row)
            if row.port_id is not None:
                raise errors.FloatingIPPortAlreadyAssociated(
                    port_id=values["internal_port_id"],
                    fip_id=row.id,
                    floating_ip_address=row.address,
                    fixed_ip=values["internal_ip_address"],
                    net_id=row.network_id,
                )
            blank = PortForwarding(str(uuid4()), row.id, "tcp", 0, 0, "", "", 0, 0)
            forwarding = self._checked(ctx, tx, row, blank, values)
            forwarding = stamp_new(ctx, tx, forwarding)
        return json_response({ONE: show(forwarding)}, 201)

    def update(self, ctx: Context, request: Request, row_id: str, forwarding_id: str) -> Response:
        """Change a port forwarding. Raises as ``create``."""
        values = self.attributes.for_update(ctx.who, self._body(ctx, request))
        with ctx.store.transaction() as tx:
            row = self._floatingip(ctx, row_id, "update_floatingip")
            check_revision(request, row)
            present = self._found(ctx, row, forwarding_id)
            forwarding = stamp_changed(ctx, tx, self._checked(ctx, tx, row, present, values))
        return json_response({ONE: show(forwarding)})

    def delete(self, ctx: Context, request: Request, row_id: str, forwarding_id: str) -> Response:
        """Forward a port no more."""
        with ctx.store.transaction() as tx:
            row = self._floatingip(ctx, row_id, "update_floatingip")
            check_revision(request, row)
            forget_forwarding(ctx, tx, self._found(ctx, row, forwarding_id))
        return Response(status=204)

    def _body(self, ctx: Context, request: Request) -> dict[str, Any]:
        body = bodies.read_json(request, ctx.services.settings.max_body)
        return bodies.one_object(body, ONE, MANY)

    def _floatingip(self, ctx: Context, row_id: str, action: str = "get_floatingip") -> FloatingIP:
        row: FloatingIP = find(ctx, self.resource, row_id)
        ctx.policy.enforce(ctx.who, action, self.resource.target(ctx, row, {}))
        return row

    def _found(self, ctx: Context, row: FloatingIP, forwarding_id: str) -> PortForwarding:
        forwarding = ctx.store.get(PortForwarding, forwarding_id)
        if forwarding is None or forwarding.floatingip_id != row.id:
            raise PortForwardingNotFound(id=forwarding_id)
        return forwarding

    def _checked(
        self, ctx: Context, tx: Transaction, row: FloatingIP, present: PortForwarding, values: Mapping[str, Any]
    ) -> PortForwarding:
        """Return a forwarding with new values, and let the floating IP be at the router that leads to its instance."""
        forwarding = replace(
            _with_ports(present, values),
            protocol=values.get("protocol", present.protocol),
            description=values.get("description", present.description),
            port_id=values.get("internal_port_id", present.port_id),
            internal_ip_address=values.get("internal_ip_address", present.internal_ip_address),
        )
        port, fixed = _target(ctx, row, forwarding)
        router = router_between(ctx, port, fixed, row.network_id)
        if row.router_id not in (None, router.id):
            raise _bad_request(f"Floating IP {row.id} is at router {row.router_id}; port {port.id} is behind another")
        for other in ctx.store.find(FloatingIP, "port", port.id):
            if other.fixed_ip_address == fixed.ip_address:
                raise PortHasBindingFloatingIP(
                    floating_ip_address=row.address, fip_id=row.id, port_id=port.id, fixed_ip=fixed.ip_address
                )
        for beside in (each for each in _of(ctx, row) if each.id != forwarding.id):
            if _has_same_target(beside, forwarding):
                raise _bad_request(
                    "A duplicate port forwarding entry with same attributes already exists: "
                    f"{beside.protocol} {beside.internal_first}:{beside.internal_last} of "
                    f"{beside.internal_ip_address} is the target of {beside.id}"
                )
            if _overlap(beside, forwarding):
                raise _bad_request(
                    "A duplicate port forwarding entry with same attributes already exists: "
                    f"{beside.protocol} {beside.external_first}:{beside.external_last} of {row.address} is {beside.id}"
                )
        if row.router_id is None:
            stamp_changed(ctx, tx, replace(row, router_id=router.id))
        return forwarding


def show(forwarding: PortForwarding) -> dict[str, Any]:
    """Return a port forwarding as its own requests show it."""
    return {"description": forwarding.description} | forwarding_values(forwarding)


def _of(ctx: Context, row: FloatingIP) -> list[PortForwarding]:
    found = ctx.store.find(PortForwarding, "floatingip", row.id)
    return sorted(found, key=lambda each: (each.protocol, each.external_first))


def _with_ports(present: PortForwarding, values: Mapping[str, Any]) -> PortForwarding:
    """Return a forwarding with other ports. Raises BadRequest."""
    external = _range("external", values, (present.external_first, present.external_last))
    internal = _range("internal", values, (present.internal_first, present.internal_last))
    if internal[1] - internal[0] not in (0, external[1] - external[0]):
        raise _bad_request("Port ranges must be of one size, or the internal one a single port")
    return replace(
        present,
        external_first=external[0],
        external_last=external[1],
        internal_first=internal[0],
        internal_last=internal[1],
    )


def _range(side: str, values: Mapping[str, Any], present: tuple[int, int]) -> tuple[int, int]:
    single, several = values.get(f"{side}_port"), values.get(f"{side}_port_range")
    if is_set(single) and is_set(several):
        raise _bad_request(f"The params {side}_port and {side}_port_range cannot be present simultaneously")
    first, last = present
    if is_set(single):
        first = last = int(str(single))
    elif is_set(several):
        low, _, high = str(several).partition(":")
        first, last = int(low), int(high or low)
    if not 1 <= first <= last <= MAX_PORT:
        raise _bad_request(f"{side}_port or {side}_port_range is needed: a port, or two as in 80:90")
    return first, last


def _target(ctx: Context, row: FloatingIP, forwarding: PortForwarding) -> tuple[Port, FixedIP]:
    """Return the port and its address that a forwarding is for. Raises PortNotFound, BadRequest."""
    port = ctx.store.get(Port, forwarding.port_id)
    if port is None or not (ctx.who.is_admin or port.project_id == ctx.who.project_id):
        raise exceptions.PortNotFound(port_id=forwarding.port_id)
    if port.project_id != row.project_id:
        raise _bad_request(f"Port {port.id} and floating IP {row.id} are of different projects")
    for fixed in port.fixed_ips:
        if fixed.ip_address == forwarding.internal_ip_address:
            return port, fixed
    raise _bad_request(
        f"Requested internal IP address '{forwarding.internal_ip_address}' is not one of internal port {port.id}"
    )


def _overlap(one: PortForwarding, other: PortForwarding) -> bool:
    same = one.protocol == other.protocol
    return same and one.external_first <= other.external_last and other.external_first <= one.external_last


def _has_same_target(one: PortForwarding, other: PortForwarding) -> bool:
    same = (one.protocol, one.port_id, one.internal_ip_address)
    return (
        same == (other.protocol, other.port_id, other.internal_ip_address)
        and one.internal_first <= other.internal_last
        and other.internal_first <= one.internal_last
    )


def _bad_request(message: str) -> exceptions.BadRequest:
    return exceptions.BadRequest(resource=ONE, msg=message)
