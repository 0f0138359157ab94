"""Gateways of routers: ports on external networks, set and taken away with ``external_gateway_info``."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any
from uuid import uuid4

from neutron_lib import exceptions
from neutron_lib.exceptions import l3 as errors

from sdnapp.api import sharing
from sdnapp.api.resource import Context, sees_network, stamp_new
from sdnapp.api.resources import mac_addresses, segments
from sdnapp.api.resources.addresses import Addressing
from sdnapp.api.resources.release import release_claims
from topology.allocation import PORT_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import ROUTER_GATEWAY, FloatingIP, Network, Port, Router, Subnet


def of_router(ctx: Context, router_id: str) -> Port | None:
    """Return the port that is a router's gateway, or None."""
    return next(iter(ctx.store.find(Port, "gateway_of", router_id)), None)


def show(ctx: Context, router: Router) -> dict[str, Any] | None:
    """Return ``external_gateway_info``."""
    port = of_router(ctx, router.id)
    if port is None:
        return None
    fixed_ips = [{"subnet_id": each.subnet_id, "ip_address": each.ip_address} for each in port.fixed_ips]
    return {"network_id": port.network_id, "enable_snat": router.enable_snat, "external_fixed_ips": fixed_ips}


def in_file(ctx: Context, router: Router) -> dict[str, Any] | None:
    """Return ``external_gateway_info`` as a file has it: its addresses without their subnets, as those of ports."""
    shown = show(ctx, router)
    if shown is None:
        return None
    fixed_ips = [{"ip_address": each["ip_address"]} for each in shown["external_fixed_ips"]]
    return canonical(shown | {"external_fixed_ips": fixed_ips})


def canonical(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one form of ``external_gateway_info`` in a file: translation goes without saying."""
    return {name: value for name, value in info.items() if name != "enable_snat" or value is False}


def change(ctx: Context, tx: Transaction, router: Router, info: Mapping[str, Any] | None) -> Router:
    """Set or take away a router's gateway as asked; return the router. What is left out of ``info`` is as by default.

    Raises BadRequest, NetworkNotFound, RouterExternalGatewayInUseByFloatingIp, and what addresses raise.
    """
    present = of_router(ctx, router.id)
    if not info:
        if present is not None:
            _check_not_needed(ctx, router, present)
            _remove(tx, present)
        return replace(router, enable_snat=True)
    network = _external_network(ctx, info["network_id"])
    wanted = info.get("external_fixed_ips") or []
    if present is not None and present.network_id != network.id:
        _check_not_needed(ctx, router, present)
        _remove(tx, present)
        present = None
    if present is None:
        _make(ctx, tx, router, network, wanted)
    elif wanted:
        addressing = Addressing(tx, network.id, present.id, ROUTER_GATEWAY)
        moved = replace(present, fixed_ips=addressing.change(present.fixed_ips, wanted))
        _check_apart(ctx, router, moved)
        tx.put(moved)
    return replace(router, enable_snat=info.get("enable_snat", True))


def remove(ctx: Context, tx: Transaction, router: Router) -> None:
    """Take the gateway of a router that goes. Raises RouterInUse while floating IPs need it."""
    if ctx.store.find_ids(FloatingIP, "router", router.id):
        raise errors.RouterInUse(router_id=router.id, reason="is still in use by floating IPs")
    present = of_router(ctx, router.id)
    if present is not None:
        _remove(tx, present)


def _external_network(ctx: Context, network_id: str) -> Network:
    network = ctx.store.get(Network, network_id)
    if network is None or not sees_network(ctx, network):
        raise exceptions.NetworkNotFound(net_id=network_id)
    if not (network.external or sharing.is_external(ctx.store, network, ctx.who.project_id)):
        raise _bad_request(f"Network {network_id} is not an external network")
    if network.segment.is_overlay:
        raise _bad_request(
            f"Network {network_id} is of type {network.segment.network_type}: it leads nowhere; external networks that "
            "routers have gateways to are of type flat or vlan"
        )
    return network


def _make(ctx: Context, tx: Transaction, router: Router, network: Network, wanted: list[dict[str, Any]]) -> None:
    segments.ensure_transit(tx, ctx.services.settings, network)
    port_id = str(uuid4())
    addressing = Addressing(tx, network.id, port_id, ROUTER_GATEWAY)
    port = Port(
        id=port_id,
        project_id="",
        network_id=network.id,
        key=next_number(tx, "port", PORT_KEY_BITS),
        mac_address=mac_addresses.take(ctx, tx, network.id, port_id, None),
        device_id=router.id,
        device_owner=ROUTER_GATEWAY,
        fixed_ips=addressing.take(wanted) if wanted else addressing.any(),
        port_security_enabled=False,
    )
    _check_apart(ctx, router, port)
    stamp_new(ctx, tx, port)


def _check_apart(ctx: Context, router: Router, port: Port) -> None:
    """Raise BadRequest where the gateway has a subnet's own gateway address, or prefixes of the router's interfaces."""
    outside = [subnet for each in port.fixed_ips if (subnet := ctx.store.get(Subnet, each.subnet_id)) is not None]
    for fixed, subnet in zip(port.fixed_ips, outside, strict=True):
        if fixed.ip_address == subnet.gateway_ip:
            raise _bad_request(f"External IP {fixed.ip_address} is the same as the gateway IP")
    ids = {each.subnet_id for other in ctx.store.find(Port, "interface_of", router.id) for each in other.fixed_ips}
    for inside in (ctx.store.get(Subnet, subnet_id) for subnet_id in sorted(ids)):
        for subnet in outside:
            if inside is not None and IPv4Network(inside.cidr).overlaps(IPv4Network(subnet.cidr)):
                raise _bad_request(
                    f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {inside.cidr} of subnet {inside.id}"
                )


def _check_not_needed(ctx: Context, router: Router, port: Port) -> None:
    if ctx.store.find_ids(FloatingIP, "router", router.id):
        raise errors.RouterExternalGatewayInUseByFloatingIp(router_id=router.id, net_id=port.network_id)


def _remove(tx: Transaction, port: Port) -> None:
    release_claims(tx, port.id)
    tx.delete(Port, port.id)


def _bad_request(message: str) -> exceptions.BadRequest:
    return exceptions.BadRequest(resource="router", msg=message)
