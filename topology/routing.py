"""What follows from routers: their interfaces and routes, and what can be reached through them from where.

Facts as in ``topology.facts``. A packet is routed on the chassis that it comes from, so a chassis needs to know the
routers that its own ports' packets can come to, and the networks to which these may lead.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from topology.facts import LiveNetwork, View, hosts, live_network, live_port, networks_at
from topology.gateway import Gateway, gateway
from topology.values import ROUTER_INTERFACE, Chassis, Port, Router, Subnet

DEFAULT = "0.0.0.0/0"


class LiveInterface(NamedTuple):
    """A router's interface that is up together with its router and network: on an overlay, or its gateway."""

    id: str
    key: int
    router_id: str
    router_key: int
    network: LiveNetwork
    mac_address: str
    addresses: tuple[str, ...]
    prefixes: tuple[str, ...]
    is_gateway: bool = False


class NextHop(NamedTuple):
    """Where a route leads: an interface of the router, and a neighbour there (None: the destination itself)."""

    interface: LiveInterface
    address: str | None


class RoutesTo(NamedTuple):
    """All that a router knows about one prefix. Several next hops share the traffic."""

    prefix: str
    next_hops: tuple[NextHop, ...]


class Reach(NamedTuple):
    """What packets of a chassis's own ports can come to: ids of routers, and of networks (its own included)."""

    routers: frozenset[str]
    networks: frozenset[str]


def live_interface(view: View, port_id: str) -> LiveInterface | None:
    """Return the interface if its router routes by it."""
    port = view.get(Port, port_id)
    if port is None or not port.admin_state_up or port.device_owner != ROUTER_INTERFACE:
        return None
    router, network = view.get(Router, port.device_id), view.ask(live_network, port.network_id)
    if router is None or not router.admin_state_up or network is None or not network.segment.is_overlay:
        return None
    fixed = [each for each in port.fixed_ips if ":" not in each.ip_address]
    subnets = (view.get(Subnet, subnet_id) for subnet_id in dict.fromkeys(each.subnet_id for each in fixed))
    return LiveInterface(
        port.id,
        port.key,
        router.id,
        router.key,
        network,
        port.mac_address,
        tuple(each.ip_address for each in fixed),
        tuple(subnet.cidr for subnet in subnets if subnet is not None and subnet.ip_version == 4),
    )


def interfaces(view: View, router_id: str) -> tuple[str, ...]:
    """Return the ids of a router's live interfaces, sorted."""
    ids = view.find_ids(Port, "interface_of", router_id)
    return tuple(port_id for port_id in ids if view.ask(live_interface, port_id) is not None)


def routers_on(view: View, network_id: str) -> tuple[str, ...]:
    """Return the ids of the routers that have a live interface on a network, sorted."""
    found = (view.ask(live_interface, port_id) for port_id in view.find_ids(Port, "interface_on", network_id))
    return tuple(sorted({interface.router_id for interface in found if interface is not None}))


def networks_of(view: View, router_id: str) -> tuple[str, ...]:
    """Return the ids of the networks that a router joins, sorted."""
    return tuple(sorted({interface.network.id for interface in _interfaces(view, router_id)}))


def interface_at(view: View, network_id: str, address: str) -> str | None:
    """Return the id of the live interface that has an address on a network, or None."""
    for port_id in view.find_ids(Port, "address", address):
        interface = view.ask(live_interface, port_id)
        if interface is not None and interface.network.id == network_id:
            return port_id
    return None


def is_neighbour(view: View, network_id: str, address: str) -> bool:
    """Return whether somebody who carries traffic has an address on a network."""
    if view.ask(interface_at, network_id, address) is not None:
        return True
    ports = (view.ask(live_port, port_id) for port_id in view.find_ids(Port, "address", address))
    return any(port is not None and port.network.id == network_id for port in ports)


def routes(view: View, router_id: str) -> tuple[RoutesTo, ...]:
    """Return what a router knows of where to send packets, sorted by prefix; of equal prefixes its own network wins.

    A next hop that no interface leads to is left out, and so is one that nobody has while another is there. Who is
    there on an external network is not known. What nothing else leads to goes upstream, by the gateway.
    """
    joined = _interfaces(view, router_id)
    outside = view.ask(gateway, router_id)
    if outside is not None:
        joined.append(_as_interface(outside))
    found = {prefix: RoutesTo(prefix, (NextHop(each, None),)) for each in reversed(joined) for prefix in each.prefixes}
    router = view.get(Router, router_id)
    extra: dict[str, list[NextHop]] = {}
    for route in router.routes if router is not None else ():
        if route.destination in found or ":" in route.destination:
            continue
        leading = next((each for each in joined if _leads(each, route.nexthop)), None)
        if leading is not None:
            extra.setdefault(route.destination, []).append(NextHop(leading, route.nexthop))
    for prefix, hops in extra.items():
        there = [
            hop
            for hop in hops
            if hop.interface.is_gateway or view.ask(is_neighbour, hop.interface.network.id, hop.address)
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


def reach(view: View, chassis_id: str) -> Reach:
    """Return what packets of a chassis's own ports can come to.

    Routers answer on all networks next to those that packets are routed by, and their answers take their own ways
    back; so there are more routers than such as lead to further networks.
    """
    own = view.ask(networks_at, chassis_id)
    passed = with_all_behind(view, _routers_on_any(view, own))
    networks = {*own, *_networks_of_all(view, passed)}
    answering = with_all_behind(view, passed | _routers_on_any(view, networks))
    return Reach(frozenset(answering), frozenset(networks))


def networks_reached(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the ids of the networks that packets of a chassis's own ports can come to, sorted."""
    return tuple(sorted(view.ask(reach, chassis_id).networks))


def reaching_network(view: View, network_id: str) -> tuple[str, ...]:
    """Return the ids of the chassis whose ports can send to a network, sorted."""
    if not view.ask(routers_on, network_id):
        return view.ask(hosts, network_id)
    every = view.find_ids(Chassis, "every", True)
    return tuple(chassis_id for chassis_id in every if network_id in view.ask(reach, chassis_id).networks)


def reaching_router(view: View, router_id: str) -> tuple[str, ...]:
    """Return the ids of the chassis whose ports can send to a router, sorted."""
    every = view.find_ids(Chassis, "every", True)
    return tuple(chassis_id for chassis_id in every if router_id in view.ask(reach, chassis_id).routers)


def address_towards(view: View, router_id: str, destination: str) -> str | None:
    """Return a router's own address on its way to a destination: what ICMP errors come from (RFC 1812, 4.3.2.4)."""
    address = IPv4Address(destination)
    known = [each for each in view.ask(routes, router_id) if address in IPv4Network(each.prefix)]
    if known:
        best = max(known, key=lambda each: IPv4Network(each.prefix).prefixlen)
        return next(iter(best.next_hops[0].interface.addresses), None)
    return next((address for each in _interfaces(view, router_id) for address in each.addresses), None)


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


def _leads(interface: LiveInterface, address: str) -> bool:
    if ":" in address or address in interface.addresses:
        return False
    return any(IPv4Address(address) in IPv4Network(prefix) for prefix in interface.prefixes)


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
