"""Floating IPs: addresses of external networks that stand for those of instances."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib import exceptions
from neutron_lib.api.definitions import expose_port_forwarding_in_fip, fip_port_details, l3
from neutron_lib.exceptions import l3 as errors

from sdnapp.api import policy, sharing, tags
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap, is_set
from sdnapp.api.policy import Target
from sdnapp.api.resource import (
    STANDARD_SCHEMAS,
    STANDARD_VIEW,
    Context,
    Resource,
    column,
    sees_network,
    stamp_changed,
    stamp_new,
)
from sdnapp.api.resources import mac_addresses, router_gateways
from sdnapp.api.resources.addresses import Addressing
from sdnapp.api.resources.release import release_claims
from sdnapp.api.schemas import ANY_OBJECT, list_of, nullable, one_of
from topology.allocation import PORT_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import FLOATING_IP, FixedIP, FloatingIP, Network, Port, PortForwarding, Router, Subnet

_MEMBERS = policy.any_of(policy.admin, policy.project_member)
_FORWARDINGS = "port_forwardings"
AT_ONCE = 100
"""Port forwardings that are shown in one piece."""
_DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "device_id", "device_owner")


class FipInUseByPortForwarding(exceptions.InUse):  # type: ignore[misc]
    """Its port forwardings must go first."""

    message = "Floating IP %(id)s in use by Port Forwarding resources."


class FloatingIPs(Resource[FloatingIP]):
    """Addresses of external networks that stand for those of instances."""

    name = "floatingip"
    collection = "floatingips"
    row = FloatingIP
    has_quota = True
    takes_others_along = True
    first_revision = 0
    attributes = AttributeMap(
        "floatingips",
        (l3, fip_port_details, expose_port_forwarding_in_fip),
        STANDARD_ATTRIBUTES | tags.TAG_ATTRIBUTES,
    )
    view = {name: getter for name, getter in STANDARD_VIEW.items() if name != "name"} | {
        "tags": tags.show,
        "floating_network_id": column("network_id"),
        "floating_ip_address": column("address"),
        "fixed_ip_address": column("fixed_ip_address"),
        "port_id": column("port_id"),
        "router_id": column("router_id"),
        "status": lambda ctx, row: ctx.services.floatingip_status(row.id),
        fip_port_details.PORT_DETAILS: lambda ctx, row: _port_details(ctx, row),
        _FORWARDINGS: lambda ctx, row: _forwardings(ctx, row),
    }
    indexes: ClassVar = {
        "project_id": "project",
        "tenant_id": "project",
        "floating_network_id": "network",
        "floating_ip_address": "address",
        "port_id": "port",
        "router_id": "router",
    }
    schemas: ClassVar = STANDARD_SCHEMAS | {
        "status": one_of(("ACTIVE", "DOWN")),
        fip_port_details.PORT_DETAILS: nullable(ANY_OBJECT),
        _FORWARDINGS: list_of(ANY_OBJECT),
    }
    rules: ClassVar = {
        "get_floatingip": policy.any_of(policy.admin, policy.project_reader),
        "create_floatingip": _MEMBERS,
        "create_floatingip:floating_ip_address": policy.any_of(policy.admin, policy.project_manager),
        "update_floatingip": _MEMBERS,
        "delete_floatingip": _MEMBERS,
    }

    def not_found(self, row_id: str) -> errors.FloatingIPNotFound:
        """Return FloatingIPNotFound."""
        return errors.FloatingIPNotFound(floatingip_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own floating IPs."""
        return [ctx.store.find_ids(FloatingIP, "project", ctx.who.project_id)]

    def target(self, ctx: Context, row: FloatingIP, values: Mapping[str, Any]) -> Target:
        """Return the owner."""
        return Target(row.project_id)

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be."""
        return Target(values["project_id"])

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> FloatingIP:
        """Take an address, and associate it if asked.

        Raises BadRequest, NetworkNotFound, and what addresses and association raise.
        """
        network = _external_network(ctx, values["floating_network_id"])
        row_id, port_id = str(uuid4()), str(uuid4())
        fixed_ip = _take_address(tx, network, port_id, values)
        holds = Port(
            id=port_id,
            project_id="",
            network_id=network.id,
            key=next_number(tx, "port", PORT_KEY_BITS),
            mac_address=mac_addresses.take(ctx, tx, network.id, port_id, None),
            device_id=row_id,
            device_owner=FLOATING_IP,
            fixed_ips=(fixed_ip,),
            port_security_enabled=False,
        )
        stamp_new(ctx, tx, holds)
        row = FloatingIP(
            row_id, values["project_id"], network.id, fixed_ip.ip_address, port_id, description=values["description"]
        )
        return self._associated(ctx, row, values)

    def update(self, ctx: Context, tx: Transaction, row: FloatingIP, values: dict[str, Any]) -> FloatingIP:
        """Associate, disassociate, describe. Raises what association raises."""
        row = replace(row, description=values.get("description", row.description))
        if not values:
            # Before there was a description, no attributes meant no association, and clients may still say it so.
            return self._associated(ctx, row, {"port_id": None})
        if "port_id" not in values and "fixed_ip_address" not in values:
            return row
        if is_set(values.get("port_id")):
            _check_not_forwarding(ctx, row)
        if "port_id" not in values and is_set(values.get("fixed_ip_address")):
            raise _bad_request("fixed_ip_address cannot be specified without a port_id")
        return self._associated(ctx, row, {"port_id": row.port_id, **values})

    def delete(self, ctx: Context, tx: Transaction, row: FloatingIP) -> None:
        """Give back the address. Raises FipInUseByPortForwarding."""
        _check_not_forwarding(ctx, row)
        _forget(tx, row)

    def _associated(self, ctx: Context, row: FloatingIP, values: Mapping[str, Any]) -> FloatingIP:
        """Return the floating IP as it stands for what ``values`` name.

        Raises BadRequest, PortNotFound, ExternalGatewayForFloatingIPNotFound, FloatingIPPortAlreadyAssociated.
        """
        if not is_set(values.get("port_id")):
            if is_set(values.get("fixed_ip_address")):
                raise _bad_request("fixed_ip_address cannot be specified without a port_id")
            forwarded = ctx.store.find_ids(PortForwarding, "floatingip", row.id)
            return replace(row, port_id=None, fixed_ip_address=None, router_id=row.router_id if forwarded else None)
        port = _instance_port(ctx, values["port_id"])
        fixed = _fixed_ip(port, values.get("fixed_ip_address"))
        router = router_between(ctx, port, fixed, row.network_id)
        for other in ctx.store.find(FloatingIP, "port", port.id):
            if (other.fixed_ip_address, other.network_id) == (fixed.ip_address, row.network_id) and other.id != row.id:
                raise already_associated(row, port, fixed)
        return replace(row, port_id=port.id, fixed_ip_address=fixed.ip_address, router_id=router.id)


def already_associated(row: FloatingIP, port: Port, fixed: FixedIP) -> errors.FloatingIPPortAlreadyAssociated:
    """Return what says that a floating IP and a port's address cannot come together, as one of them has another."""
    return errors.FloatingIPPortAlreadyAssociated(
        port_id=port.id,
        fip_id=row.id,
        floating_ip_address=row.address,
        fixed_ip=fixed.ip_address,
        net_id=row.network_id,
    )


def router_between(ctx: Context, port: Port, fixed: FixedIP, network_id: str) -> Router:
    """Return the router that leads from a port's address to an external network, the one at the gateway address first.

    Raises ExternalGatewayForFloatingIPNotFound.
    """
    subnet = ctx.store.get(Subnet, fixed.subnet_id)
    found: list[tuple[bool, str]] = []
    for interface in ctx.store.find(Port, "interface_on", port.network_id):
        address = next((each for each in interface.fixed_ips if each.subnet_id == fixed.subnet_id), None)
        gateway = router_gateways.of_router(ctx, interface.device_id)
        if address is not None and gateway is not None and gateway.network_id == network_id:
            found.append((subnet is None or address.ip_address != subnet.gateway_ip, interface.device_id))
    for _, router_id in sorted(found):
        router = ctx.store.get(Router, router_id)
        if router is not None:
            return router
    raise errors.ExternalGatewayForFloatingIPNotFound(
        subnet_id=fixed.subnet_id, external_network_id=network_id, port_id=port.id
    )


def check_stand_for_nothing_else(ctx: Context, port_id: str, wanted: Sequence[FixedIP]) -> None:
    """Raise BadRequest where a port is to lose an address that a floating IP stands for."""
    addresses = {fixed.ip_address for fixed in wanted}
    if any(row.fixed_ip_address not in addresses for row in ctx.store.find(FloatingIP, "port", port_id)):
        raise exceptions.BadRequest(
            resource="port",
            msg=f"Cannot update the fixed_ips of the port {port_id}, because its original fixed_ip has been associated "
            "to a floating ip",
        )


def disassociate(ctx: Context, tx: Transaction, port_id: str, present: Sequence[FixedIP] = ()) -> None:
    """Let floating IPs and forwardings stand for nobody whose address on a port is not ``present`` any more."""
    addresses = {fixed.ip_address for fixed in present}
    for row in ctx.store.find(FloatingIP, "port", port_id):
        if row.fixed_ip_address not in addresses:
            stamp_changed(ctx, tx, replace(row, port_id=None, fixed_ip_address=None, router_id=None))
    for forwarding in ctx.store.find(PortForwarding, "port", port_id):
        if forwarding.internal_ip_address not in addresses:
            forget_forwarding(ctx, tx, forwarding)


def forget_forwarding(ctx: Context, tx: Transaction, forwarding: PortForwarding) -> None:
    """Delete a port forwarding; its floating IP leaves the router with the last."""
    tx.delete(PortForwarding, forwarding.id)
    row = ctx.store.get(FloatingIP, forwarding.floatingip_id)
    if row is not None and not ctx.store.count(PortForwarding, "floatingip", row.id):
        stamp_changed(ctx, tx, replace(row, router_id=None))


def forget_unused(ctx: Context, tx: Transaction, network_id: str) -> None:
    """Delete the floating IPs of a network that goes, as far as they stand for nobody."""
    for row in ctx.store.find(FloatingIP, "network", network_id):
        if row.router_id is None:
            _forget(tx, row)


def _forget(tx: Transaction, row: FloatingIP) -> None:
    release_claims(tx, row.floating_port_id)
    tx.delete(Port, row.floating_port_id)
    tx.delete(FloatingIP, row.id)


def _check_not_forwarding(ctx: Context, row: FloatingIP) -> None:
    if ctx.store.find_ids(PortForwarding, "floatingip", row.id):
        raise FipInUseByPortForwarding(id=row.id)


def needed_by(ctx: Context, router_id: str, subnet_id: str) -> bool:
    """Return whether floating IPs of a router stand for addresses of a subnet."""
    for row in ctx.store.find(FloatingIP, "router", router_id):
        forwarded = ctx.store.find(PortForwarding, "floatingip", row.id)
        ids = {row.port_id, *(each.port_id for each in forwarded)} - {None}
        ports = (ctx.store.get(Port, port_id) for port_id in ids if port_id is not None)
        if any(fixed.subnet_id == subnet_id for port in ports if port is not None for fixed in port.fixed_ips):
            return True
    return False


def _external_network(ctx: Context, network_id: str) -> Network:
    network = ctx.store.get(Network, network_id)
    if network is None or not sees_network(ctx, network):
        raise exceptions.NetworkNotFound(net_id=network_id)
    if not (network.external or sharing.is_external(ctx.store, network, ctx.who.project_id)):
        raise _bad_request(f"Network {network_id} is not a valid external network")
    return network


def _take_address(tx: Transaction, network: Network, port_id: str, values: Mapping[str, Any]) -> FixedIP:
    wanted: dict[str, Any] = {}
    if is_set(values.get("floating_ip_address")):
        wanted["ip_address"] = values["floating_ip_address"]
    if is_set(values.get("subnet_id")):
        wanted["subnet_id"] = values["subnet_id"]
    addressing = Addressing(tx, network.id, port_id, FLOATING_IP)
    if not tx.find_ids(Subnet, "network", network.id):
        raise _bad_request(f"Network {network.id} does not contain any IPv4 subnet")
    return (addressing.take([wanted]) if wanted else addressing.any())[0]


def _instance_port(ctx: Context, port_id: str) -> Port:
    """Return the port to associate: one of the caller's own, any for an administrator. Raises PortNotFound."""
    port = ctx.store.get(Port, port_id)
    if port is None or not (ctx.who.is_admin or port.project_id == ctx.who.project_id):
        raise exceptions.PortNotFound(port_id=port_id)
    return port


def _fixed_ip(port: Port, wanted: str | None) -> FixedIP:
    """Return the address of a port that is meant. Raises BadRequest."""
    addresses = [fixed for fixed in port.fixed_ips if ":" not in fixed.ip_address]
    if is_set(wanted):
        for fixed in addresses:
            if fixed.ip_address == wanted:
                return fixed
        raise _bad_request(f"Port {port.id} does not have fixed ip {wanted}")
    if not addresses:
        raise _bad_request(f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses")
    if len(addresses) > 1:
        raise _bad_request(
            f"Port {port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a "
            "floating IP"
        )
    return addresses[0]


def _port_details(ctx: Context, row: FloatingIP) -> dict[str, Any] | None:
    port = ctx.store.get(Port, row.port_id) if row.port_id is not None else None
    if port is None:
        return None
    return {name: getattr(port, name) for name in _DETAILS} | {"status": ctx.services.port_status(port.id)}


def _forwardings(ctx: Context, row: FloatingIP) -> list[dict[str, Any]] | Iterator[dict[str, Any]]:
    """Return what a floating IP forwards; to be read once where that is much, as an address has 131,070 ports."""
    rows = ctx.store.find(PortForwarding, "floatingip", row.id)
    return map(show_forwarding, rows) if len(rows) > AT_ONCE else [show_forwarding(each) for each in rows]


def show_forwarding(each: PortForwarding) -> dict[str, Any]:
    """Return a port forwarding as a floating IP shows it: ranges only where they are more than one port."""
    shown = forwarding_values(each)
    several = each.external_first != each.external_last
    return {name: value for name, value in shown.items() if several or not name.endswith("_range")}


def forwarding_values(each: PortForwarding) -> dict[str, Any]:
    """Return a port forwarding as the API shows it; a single port as a number, too."""
    external, internal = (each.external_first, each.external_last), (each.internal_first, each.internal_last)
    return {
        "id": each.id,
        "protocol": each.protocol,
        "internal_port_id": each.port_id,
        "internal_ip_address": each.internal_ip_address,
        "internal_port": internal[0] if internal[0] == internal[1] else None,
        "internal_port_range": f"{internal[0]}:{internal[1]}",
        "external_port": external[0] if external[0] == external[1] else None,
        "external_port_range": f"{external[0]}:{external[1]}",
    }


def _bad_request(message: str) -> exceptions.BadRequest:
    return exceptions.BadRequest(resource="floatingip", msg=message)
