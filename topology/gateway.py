"""Routers' gateways to external networks, and the chassis that have a way there. Facts as in ``topology.facts``."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from topology.facts import LiveNetwork, Relation, View, live_network
from topology.gateway_values import Alone, GatewayBinding, NoUpstream, Outage
from topology.values import Chassis, Network, Port, Router, Segment, Subnet


class Gateway(NamedTuple):
    """A router's port on an external network. ``upstream`` are the next hops of its default route."""

    port_id: str
    key: int
    router_id: str
    router_key: int
    network: LiveNetwork
    transit: Segment
    mac_address: str
    addresses: tuple[str, ...]
    prefixes: tuple[str, ...]
    upstream: tuple[str, ...]
    snat: bool


def gateway(view: View, router_id: str) -> Gateway | None:
    """Return a router's gateway if it has an address, and is up together with its router and network."""
    router, ids = view.get(Router, router_id), view.find_ids(Port, "gateway_of", router_id)
    port = view.get(Port, ids[0]) if ids else None
    if router is None or port is None or not router.admin_state_up or not port.admin_state_up:
        return None
    network, row = view.ask(live_network, port.network_id), view.get(Network, port.network_id)
    if network is None or row is None or row.transit is None:
        return None
    fixed = [each for each in port.fixed_ips if ":" not in each.ip_address]
    if not fixed:
        return None
    ids = tuple(dict.fromkeys(each.subnet_id for each in fixed))
    subnets = [subnet for subnet_id in ids if (subnet := view.get(Subnet, subnet_id)) is not None]
    return Gateway(
        port.id,
        port.key,
        router.id,
        router.key,
        network,
        row.transit,
        port.mac_address,
        tuple(each.ip_address for each in fixed),
        tuple(subnet.cidr for subnet in subnets),
        tuple(subnet.gateway_ip for subnet in subnets if subnet.gateway_ip is not None),
        router.enable_snat,
    )


def says_where_its_gateway_is(view: View, router_id: str) -> Iterable[tuple[Any, str]]:
    """Say of the external network of a router's gateway that the router is there."""
    own = view.ask(gateway, router_id)
    return ((("gateways", own.network.id), router_id),) if own is not None else ()


GATEWAYS = Relation(Router, says_where_its_gateway_is)
"""The routers with a gateway on each external network, which may be all that there are."""


def gateways_on(view: View, network_id: str) -> tuple[str, ...]:
    """Return the ids of the routers with a gateway on an external network, sorted."""
    return view.gather(GATEWAYS, ("gateways", network_id))


def is_door(view: View, chassis_id: str, network_id: str) -> bool:
    """Return whether a chassis has a way of its own to an external network."""
    chassis, network = view.get(Chassis, chassis_id), view.ask(live_network, network_id)
    return chassis is not None and network is not None and network.segment.physical_network in dict(chassis.patch_ports)


def in_order(what: str, chassis_ids: Iterable[str]) -> tuple[str, ...]:
    """Return chassis in the order in which they serve something, the preferred one first.

    The order differs by what they serve, so that the work is spread, and stays when others come or go (RFC 2992 speaks
    of such hashing; here the highest of the pairs' digests wins).
    """
    return tuple(sorted(chassis_ids, key=lambda chassis_id: _digest(what, chassis_id), reverse=True))


def preferred(view: View, able: tuple[str, ...], network_id: str) -> str | None:
    """Return the first of some chassis that can be reached, hears a witness, and reaches the network's upstream router.

    Where none can, it stays with the preferred one, which may well carry on by itself.
    """
    reached = [chassis_id for chassis_id in able if view.get(Outage, chassis_id) is None]
    leading = [chassis_id for chassis_id in reached if view.ask(is_well, chassis_id, network_id)]
    return next(iter(leading or reached or able), None)


def is_well(view: View, chassis_id: str, network_id: str) -> bool:
    """Return whether a chassis hears a network's upstream router, and is not alone (facts of who can be reached)."""
    return view.get(NoUpstream, f"{network_id}/{chassis_id}") is None and view.get(Alone, chassis_id) is None


def bound(view: View, owner: str, able: tuple[str, ...]) -> str | None:
    """Return the gateway chassis that stands for an owner (of a ``GatewayBinding``) and can, or None."""
    row = view.get(GatewayBinding, owner)
    return row.chassis_id if row is not None and row.chassis_id in able else None


def answers(view: View, owner: str, chassis_id: str) -> bool:
    """Return whether a chassis alone answers ARP for an owner: nobody hands over to it, and it is not silenced."""
    row = view.get(GatewayBinding, owner)
    is_bound = row is not None and row.chassis_id == chassis_id and row.former is None
    return is_bound and view.get(Outage, chassis_id) is None


def _digest(what: str, chassis_id: str) -> bytes:
    return blake2b(f"{what} {chassis_id}".encode(), digest_size=8).digest()
