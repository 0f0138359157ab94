"""``/v2.0/floatingips/{id}/port_forwardings``: ports of a floating IP that lead to instances, each to another one."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib import exceptions
from neutron_lib.api.definitions import fip_pf_description, fip_pf_port_range
from neutron_lib.api.definitions import floating_ip_port_forwarding as definition
from neutron_lib.exceptions import l3 as errors
from webob import Request, Response, exc

from sdnapp.api import audit, bodies, listing
from sdnapp.api.attributes import AttributeMap, is_set
from sdnapp.api.controller import check_revision, find
from sdnapp.api.errors import json_response
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Getter, ReadOnlyResource, stamp_changed, stamp_new
from sdnapp.api.resources.floatingips import (
    FloatingIPs,
    already_associated,
    forget_forwarding,
    forwarding_values,
    router_between,
)
from sdnapp.turns import Turns
from topology.draft import drafted
from topology.index import spans_of
from topology.store import Transaction
from topology.values import FixedIP, FloatingIP, Port, PortForwarding, Router

ONE, MANY = "port_forwarding", "port_forwardings"
_PROTOCOLS = ("tcp", "udp")
MAX_PORT = 65535


class PortForwardingNotFound(exceptions.NotFound):  # type: ignore[misc]
    """The floating IP has no such port forwarding."""

    message = "Port Forwarding %(id)s could not be found."


class PortHasBindingFloatingIP(exceptions.InUse):  # type: ignore[misc]
    """All ports of the address belong to another floating IP."""

    message = (
        "Cannot create port forwarding to floating IP %(floating_ip_address)s (%(fip_id)s) with port %(port_id)s using "
        "fixed IP %(fixed_ip)s, as that port already has a binding floating IP."
    )


def _specs() -> dict[str, dict[str, Any]]:
    specs: dict[str, dict[str, Any]] = {}
    for each in (definition, fip_pf_description, fip_pf_port_range):
        parameters = each.SUB_RESOURCE_ATTRIBUTE_MAP[definition.COLLECTION_NAME]["parameters"]
        specs |= {name: dict(spec) for name, spec in parameters.items()}
    return specs | {"protocol": specs["protocol"] | {"validate": {"type:values": _PROTOCOLS}}}


def _getter(name: str) -> Getter:
    return lambda ctx, forwarding: show(forwarding)[name]


_SHOWN = ("id", "description", "protocol", "internal_port_id", "internal_ip_address")
_PORTS = ("internal_port", "internal_port_range", "external_port", "external_port_range")


class _Beneath(ReadOnlyResource[PortForwarding]):
    """What lists need to know of port forwardings. Whoever sees the floating IP sees them."""

    name = ONE
    collection = MANY
    row = PortForwarding
    attributes = AttributeMap(MANY, (), _specs())
    view: ClassVar = {name: _getter(name) for name in (*_SHOWN, *_PORTS)}
    rules: ClassVar = {}

    def not_found(self, row_id: str) -> PortForwardingNotFound:
        """Return PortForwardingNotFound."""
        return PortForwardingNotFound(id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """None but those of the floating IP that is asked about."""
        return []

    def target(self, ctx: Context, row: PortForwarding, values: Mapping[str, Any]) -> Target:
        """Nobody's: there is no policy for port forwardings alone."""
        return Target("")

    def may_see(self, ctx: Context, row: PortForwarding) -> bool:
        """Yes: the floating IP was found."""
        return True


class PortForwardings:
    """The actions on the port forwardings of one floating IP."""

    def __init__(self) -> None:
        self.resource, self._beneath = FloatingIPs(), _Beneath()
        self.attributes = _Beneath.attributes

    def index(self, ctx: Context, request: Request, row_id: str) -> Response:
        """List a floating IP's port forwardings."""
        ids = ctx.store.find_ids(PortForwarding, "floatingip", self._floatingip(ctx, row_id).id)
        return json_response(listing.answer(ctx, self._beneath, request, among=ids))

    def show(self, ctx: Context, request: Request, row_id: str, forwarding_id: str) -> Response:
        """Show a port forwarding."""
        forwarding = self._found(ctx, self._floatingip(ctx, row_id), forwarding_id)
        fields = listing.asked_fields(request)
        return json_response({ONE: listing.show(ctx, self._beneath, forwarding, fields, frozenset())})

    def create(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Forward a port, or a range of ports, or several in one transaction.

        Raises BadRequest, PortNotFound, PortHasBindingFloatingIP, FloatingIPPortAlreadyAssociated.
        """
        body = bodies.read_json(request, ctx.services.settings.max_body)
        if body is None:
            raise exc.HTTPBadRequest("Resource body required")
        given, is_bulk = bodies.objects(body, ONE, MANY)
        turns = Turns()
        wanted = [self.attributes.for_create(ctx.who, each) for each in turns.between(given)]
        # Written aside, as others must not see half of it, nor wait for it.
        with drafted(ctx.store, turns.give_way) as (draft, tx):
            within = replace(ctx, store=draft)
            check_revision(request, self._floatingip(within, row_id, "update_floatingip"))
            made = [self._made(within, tx, row_id, values) for values in turns.between(wanted)]
        audit.add(request, created=[each.id for each in made])
        return json_response({MANY: map(show, made)} if is_bulk else {ONE: show(made[0])}, 201)

    def _made(self, ctx: Context, tx: Transaction, row_id: str, values: Mapping[str, Any]) -> PortForwarding:
        row: FloatingIP = find(ctx, self.resource, row_id)  # The forwarding before may have changed it.
        blank = PortForwarding(str(uuid4()), row.id, "tcp", 0, 0, "", "", 0, 0)
        return stamp_new(ctx, tx, self._checked(ctx, tx, row, blank, values))

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
        _check_apart(ctx, row, forwarding)
        port, fixed = _target(ctx, row, present, forwarding)
        if "internal_port_id" in values:
            _check_stands_for_none(ctx, row, port, fixed)
        router = _router(ctx, row, port, fixed)
        if row.router_id is None:
            stamp_changed(ctx, tx, replace(row, router_id=router.id))
        return forwarding


def show(forwarding: PortForwarding) -> dict[str, Any]:
    """Return a port forwarding as its own requests show it."""
    return {"description": forwarding.description} | forwarding_values(forwarding)


def _with_ports(present: PortForwarding, values: Mapping[str, Any]) -> PortForwarding:
    """Return a forwarding with other ports. Raises BadRequest."""
    external = _range("external", values, (present.external_first, present.external_last))
    internal = _range("internal", values, (present.internal_first, present.internal_last))
    if internal[1] - internal[0] not in (0, external[1] - external[0]):
        raise _bad_request(
            "Invalid ranges of internal and/or external ports. The relation between internal and external ports must "
            "be N-N or 1-N"
        )
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


def _target(ctx: Context, row: FloatingIP, present: PortForwarding, forwarding: PortForwarding) -> tuple[Port, FixedIP]:
    """Return the port and its address that a forwarding is for. Raises PortNotFound, BadRequest."""
    port = ctx.store.get(Port, forwarding.port_id)
    if port is None or not (ctx.who.is_admin or port.project_id == ctx.who.project_id):
        raise exceptions.PortNotFound(port_id=forwarding.port_id)
    if port.project_id != row.project_id:
        raise _bad_request(f"Port {port.id} and floating IP {row.id} are of different projects")
    for fixed in port.fixed_ips:
        if fixed.ip_address == forwarding.internal_ip_address:
            return port, fixed
    addresses = [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in port.fixed_ips]
    if present.port_id:
        raise _bad_request(
            f"The internal IP does not correspond to an address on the internal port, which has fixed_ips {addresses}"
        )
    raise _bad_request(
        f"Requested internal IP address {forwarding.internal_ip_address} is not suitable for internal neutron port "
        f"{port.id}, as its fixed_ips are {addresses}"
    )


def _check_stands_for_none(ctx: Context, row: FloatingIP, port: Port, fixed: FixedIP) -> None:
    """Raise PortHasBindingFloatingIP, FloatingIPPortAlreadyAssociated: a floating IP stands for a port, or forwards."""
    for other in ctx.store.find(FloatingIP, "port", port.id):
        raise PortHasBindingFloatingIP(
            floating_ip_address=other.address, fip_id=other.id, port_id=port.id, fixed_ip=fixed.ip_address
        )
    if row.port_id is not None:
        raise already_associated(row, port, fixed)


def _router(ctx: Context, row: FloatingIP, port: Port, fixed: FixedIP) -> Router:
    """Return the router by which a port is reached from outside. Raises BadRequest."""
    try:
        router = router_between(ctx, port, fixed, row.network_id)
    except errors.ExternalGatewayForFloatingIPNotFound:
        raise _bad_request(
            f"External network {row.network_id} is not reachable from subnet {fixed.subnet_id}. Cannot set Port "
            f"forwarding for port {port.id} with Floating IP {row.id}"
        ) from None
    if row.router_id not in (None, router.id):
        raise _bad_request(
            f"The Floating IP {row.id} had been set on router {row.router_id}, the internal Neutron port {port.id} can "
            "not reach it"
        )
    return router


def _check_apart(ctx: Context, row: FloatingIP, wanted: PortForwarding) -> None:
    """Raise BadRequest where other forwardings have the same ports, inside or outside."""
    ports = (wanted.internal_first, wanted.internal_last)
    for each in _near(ctx, wanted, "inside", spans_of(wanted.port_id, wanted.protocol, *ports)):
        if each.internal_ip_address == wanted.internal_ip_address:
            _check_ranges("internal_port_range", (each.internal_first, each.internal_last), ports)
    ports = (wanted.external_first, wanted.external_last)
    for each in _near(ctx, wanted, "outside", spans_of(row.id, wanted.protocol, *ports)):
        _check_ranges("external_port_range", (each.external_first, each.external_last), ports)


def _near(ctx: Context, wanted: PortForwarding, index: str, keys: Iterable[Hashable]) -> Iterator[PortForwarding]:
    """Yield other forwardings under some keys of an index; one that is under several, several times."""
    return (each for key in keys for each in ctx.store.find(PortForwarding, index, key) if each.id != wanted.id)


def _check_ranges(name: str, one: tuple[int, int], other: tuple[int, int]) -> None:
    if one[0] <= other[1] and other[0] <= one[1]:
        shown = [f"{first}:{last}" for first, last in (one, other)]
        message = f"There is a port collision with the {name}. The following ranges collide: {' and '.join(shown)}"
        raise _bad_request(message)


def _bad_request(message: str) -> exceptions.BadRequest:
    return exceptions.BadRequest(resource=ONE, msg=message)
