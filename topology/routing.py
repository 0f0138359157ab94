"""What follows from routers: their interfaces and routes, and what can be reached through them from where.

Facts as in ``topology.facts``. A packet is routed on the chassis that it comes from, so a chassis needs to know the
routers that its own ports' packets can come to, and the networks to which these may lead.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from topology.facts import PLACES, PLACES_KEPT, At, Each, Relation, View, hosts, live_port
from topology.gateway import Gateway, gateway
from topology.interfaces import LiveInterface, interface_at, interfaces, live_interface, routers_on
from topology.provider import networks_entering
from topology.values import Chassis, Port, Router

DEFAULT = "0.0.0.0/0"


class NextHop(NamedTuple):
    """Where a route leads: an interface of the router, and a neighbour there (None: the destination itself)."""

    interface: LiveInterface
    address: str | None


class RoutesTo(NamedTuple):
    """All that a router knows about one prefix. Several next hops share the traffic."""

    prefix: str
    next_hops: tuple[NextHop, ...]


class Reach(NamedTuple):
    """What packets can come to: ids of routers, of networks (their own included), and of external networks."""

    routers: frozenset[str]
    networks: frozenset[str]
    externals: frozenset[str]


def networks_of(view: View, router_id: str) -> tuple[str, ...]:
    """Return the ids of the networks that a router joins, sorted."""
    return tuple(sorted({interface.network.id for interface in _interfaces(view, router_id)}))


def is_neighbour(view: View, network_id: str, address: str) -> bool:
    """Return whether somebody who carries traffic has an address on a network."""
    if view.ask(interface_at, network_id, address) is not None:
        return True
    ports = (view.ask(live_port, port_id) for port_id in view.find_ids(Port, "address", address))
    return any(port is not None and port.network.id == network_id for port in ports)


def routes(view: View, router_id: str) -> tuple[RoutesTo, ...]:
    """Return what a router knows of where to send packets, sorted by prefix; of equal prefixes its own network wins.

    A next hop that no interface leads to is left out, and so is one that nobody has while another is there. Who is
    there on a physical network is not known. What nothing else leads to goes upstream, by the gateway.
    """
    joined = _interfaces(view, router_id)
    outside = view.ask(gateway, router_id)
    if outside is not None:
        joined.append(_as_interface(outside))
    found = {prefix: RoutesTo(prefix, (NextHop(each, None),)) for each in reversed(joined) for prefix in each.prefixes}
    router = view.get(Router, router_id)
    wanted = [
        route
        for route in (router.routes if router is not None else ())
        if route.destination not in found and ":" not in route.destination and ":" not in route.nexthop
    ]
    ways = _ways(joined) if wanted else []
    extra: dict[str, list[NextHop]] = {}
    for route in wanted:
        hop = int(IPv4Address(route.nexthop))
        leading = (each for first, mask, each in ways if hop & mask == first and route.nexthop not in each.addresses)
        if (interface := next(leading, None)) is not None:
            extra.setdefault(route.destination, []).append(NextHop(interface, route.nexthop))
    for prefix, hops in extra.items():
        there = [
            hop
            for hop in hops
            if not hop.interface.network.segment.is_overlay
            or view.ask(is_neighbour, hop.interface.network.id, hop.address)
        ]
        ordered = sorted(there or hops, key=lambda hop: int(IPv4Address(hop.address or 0)))
        found[prefix] = RoutesTo(prefix, tuple(ordered))
    if outside is not None and outside.upstream and DEFAULT not in found:
        found[DEFAULT] = RoutesTo(DEFAULT, tuple(NextHop(joined[-1], address) for address in outside.upstream[:1]))
    return tuple(sorted(found.values(), key=lambda known: known.prefix))


def routers_behind(view: View, router_id: str) -> tuple[str, ...]:
    """Return the ids of the routers that are next hops of a router, sorted."""
    behind = set()
    for known in view.ask(routes, router_id):
        for interface, address in known.next_hops:
            port_id = view.ask(interface_at, interface.network.id, address) if address is not None else None
            other = view.ask(live_interface, port_id) if port_id is not None else None
            if other is not None:
                behind.add(other.router_id)
    return tuple(sorted(behind))


def reach_from(view: View, network_id: str) -> Reach:
    """Return what packets that come from a network can come to, on whatever chassis."""
    router_ids = view.ask(routers_on, network_id)
    if not router_ids:
        return Reach(frozenset(), frozenset((network_id,)), frozenset())
    # From all networks of a router it is the same, and that is there once.
    within = view.ask(reach_by, router_ids)
    return within if network_id in within.networks else within._replace(networks=within.networks | {network_id})


def reach_by(view: View, router_ids: tuple[str, ...]) -> Reach:
    """Return what packets can come to that come to routers of one network.

    Routers answer on all networks next to those that packets are routed by, and their answers take their own ways
    back; so there are more routers than such as lead to further networks.
    """
    passed = with_all_behind(view, {*router_ids})
    networks = _networks_of_all(view, passed)
    answering = with_all_behind(view, passed | _routers_on_any(view, networks))
    gateways = (view.ask(gateway, router_id) for router_id in answering)
    externals = {own.network.id for own in gateways if own is not None}
    return Reach(frozenset(answering), frozenset(networks), frozenset(externals))


def says_from_its_ports(view: View, network_at: tuple[str, str]) -> Iterable[tuple[Any, str]]:
    """Say from a chassis with a live port of a network to what packets of that network come there."""
    chassis_id, network_id = network_at
    return _sayings(view.ask(reach_from, network_id), chassis_id)


def says_from_outside(view: View, chassis_id: str) -> Iterator[tuple[Any, str]]:
    """Say from a chassis to what the packets come that it routes for physical networks."""
    for network_id in view.ask(networks_entering, chassis_id):
        yield from _sayings(view.ask(reach_from, network_id), chassis_id)


REACHING = (Relation(Each(PLACES, "network"), says_from_its_ports), Relation(Chassis, says_from_outside))
"""To which networks and routers packets come from each chassis: from its own ports, and from physical networks."""


def networks_reached(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the ids of the networks that packets which enter at a chassis can come to, sorted."""
    return _said(view, At("network reached", chassis_id))


def externals_reached(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the external networks that packets which enter at a chassis can come to, sorted."""
    return _said(view, At("external network reached", chassis_id))


def reaching_network(view: View, network_id: str) -> tuple[str, ...]:
    """Return the ids of the chassis from which packets come to a network, sorted."""
    if not view.ask(routers_on, network_id):
        return view.ask(hosts, network_id)
    return _said(view, ("network", network_id))


def reaching_router(view: View, router_id: str) -> tuple[str, ...]:
    """Return the ids of the chassis from which packets come to a router, sorted."""
    return _said(view, ("router", router_id))


def address_towards(view: View, router_id: str, destination: str) -> str | None:
    """Return a router's own address on its way to a destination: what ICMP errors come from (RFC 1812, 4.3.2.4)."""
    address = IPv4Address(destination)
    known = [each for each in view.ask(routes, router_id) if address in IPv4Network(each.prefix)]
    if known:
        best = max(known, key=lambda each: IPv4Network(each.prefix).prefixlen)
        return next(iter(best.next_hops[0].interface.addresses), None)
    return next((address for each in _interfaces(view, router_id) for address in each.addresses), None)


@lru_cache(maxsize=PLACES_KEPT)
def _sayings(within: Reach, chassis_id: str) -> tuple[tuple[Any, str], ...]:
    """Return what a chassis says of what packets come to from there: from all networks of a router, the same."""
    networks, routers = At("network reached", chassis_id), At("router reached", chassis_id)
    externals = At("external network reached", chassis_id)
    return (
        *((networks, network_id) for network_id in within.networks),
        *((("network", network_id), chassis_id) for network_id in within.networks),
        *((routers, router_id) for router_id in within.routers),
        *((("router", router_id), chassis_id) for router_id in within.routers),
        *((externals, network_id) for network_id in within.externals),
    )


def _said(view: View, key: Any) -> tuple[str, ...]:
    """Return what is said under a key of what packets come to, whoever says it, sorted."""
    from_ports, from_outside = (view.gather(relation, key) for relation in REACHING)
    return tuple(sorted({*from_ports, *from_outside})) if from_outside else from_ports


def _interfaces(view: View, router_id: str) -> list[LiveInterface]:
    found = (view.ask(live_interface, port_id) for port_id in view.ask(interfaces, router_id))
    return [interface for interface in found if interface is not None]


def _as_interface(outside: Gateway) -> LiveInterface:
    return LiveInterface(
        outside.port_id,
        outside.key,
        outside.router_id,
        outside.router_key,
        outside.network,
        outside.mac_address,
        outside.addresses,
        outside.prefixes,
        is_gateway=True,
    )


def _ways(interfaces: Iterable[LiveInterface]) -> list[tuple[int, int, LiveInterface]]:
    """Return first address and mask of each prefix that an interface leads to; each next hop is compared with all."""
    prefixes = ((IPv4Network(prefix), each) for each in interfaces for prefix in each.prefixes)
    return [(int(prefix.network_address), int(prefix.netmask), each) for prefix, each in prefixes]


def _routers_on_any(view: View, network_ids: Iterable[str]) -> set[str]:
    return {router_id for network_id in network_ids for router_id in view.ask(routers_on, network_id)}


def _networks_of_all(view: View, router_ids: Iterable[str]) -> set[str]:
    return {network_id for router_id in router_ids for network_id in view.ask(networks_of, router_id)}


def with_all_behind(view: View, router_ids: set[str]) -> set[str]:
    """Return routers, and those to which their packets may come, as next hops of one another."""
    found, edge = set(router_ids), list(router_ids)
    while edge:
        for router_id in view.ask(routers_behind, edge.pop()):
            if router_id not in found:
                found.add(router_id)
                edge.append(router_id)
    return found
