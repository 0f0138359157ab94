"""Routers, on the chassis where a packet comes from: one hop on the wire, however many networks are between.

A packet for the MAC address of a router's interface gets the router's number and goes from table to table: the longest
prefix says by which interface and to which next hop, the next hop's address says its MAC address. Where that is another
router, its routes follow in the same way, with one hop less to live, so that routers that send to one another in a
circle come to an end as they do elsewhere. Addresses in the Ethernet header change when the packet leaves the last
router, not before: until then it is told from its header who sent it.
"""

from ipaddress import IPv4Network

from flows.actions import Action, CheckLarger, DecrementTtl, Goto, Move, Resubmit, SetField, Spread
from flows.drops import drop
from flows.features.addresses import ASK
from flows.fields import ETH_TYPE_IPV4, ETHERNET_HEADER, mac_to_int, parse_ipv4
from flows.flow import flow
from flows.pipeline import NEIGHBOURS, PATHS, ROUTER_OUTPUT, ROUTES, ROUTING
from flows.units import EVERYONE, Published, Unit, where_network_is, where_router_is
from topology.facts import View
from topology.interfaces import LiveInterface, interfaces, live_interface
from topology.packet_size import largest_out
from topology.routing import NextHop, routes
from topology.values import Router

NOWHERE = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
"""What routers do not forward: this host, loopback, link-local (RFC 3927, section 2.7), multicast, and the reserved."""
NO_PORT = 0
"""Of a packet that came in by no port Open vSwitch knows, it sends a copy out of any."""


def interface(view: View, router_id: str, port_id: str) -> Published:
    """Into a router by one of its interfaces, out by it, and to it from another router."""
    here = view.ask(live_interface, port_id)
    if here is None:
        return
    owner, around = f"port/{port_id}", where_router_is(router_id)
    enter = (SetField("router", here.router_key), Goto("routes"))
    sent: dict[str, int | str] = {"network": here.network.key, "eth_dst": here.mac_address, "eth_type": ETH_TYPE_IPV4}
    yield where_network_is(here.network.id), flow(ROUTING, "interface", "routing", owner, *enter, from_core=0, **sent)
    leave = (SetField("eth_src", mac_to_int(here.mac_address)), SetField("in_port", NO_PORT), Goto("forwarding"))
    yield around, flow(ROUTER_OUTPUT, "interface", "routing", owner, *leave, interface=here.key, found=1)
    pass_on = (SetField("router", here.router_key), Resubmit("routes"))
    for address in here.addresses:
        hop = {"network": here.network.key, "next_hop": parse_ipv4(address)}
        yield around, flow(NEIGHBOURS, "router", "routing", owner, *pass_on, **hop)


def prefixes(view: View, router_id: str) -> Published:
    """The way of each prefix that a router knows."""
    router, around = view.get(Router, router_id), where_router_is(router_id)
    if router is None:
        return
    for known in view.ask(routes, router_id):
        length = ("prefix", IPv4Network(known.prefix).prefixlen)
        match: dict[str, int | str] = {"router": router.key, "ipv4_dst": known.prefix}
        towards = [_towards(view, router_id, hop) for hop in known.next_hops]
        if len(towards) == 1:
            actions: tuple[Action, ...] = (DecrementTtl(), *towards[0])
        else:
            actions = (DecrementTtl(), Spread("path", len(towards)), Goto("paths"))
            for path, each in enumerate(towards):
                yield around, flow(PATHS, length, "routing", f"router/{router_id}", *each, path=path, **match)
        yield around, flow(ROUTES, length, "routing", f"router/{router_id}", *actions, **match)


def neighbours(view: View) -> Published:
    """Ask for the MAC address of a next hop that is neither a router nor known otherwise."""
    ask = (*ASK, Goto("router_output"))
    yield EVERYONE, flow(NEIGHBOURS, "any", "routing", "table/neighbours", *ask)


def nowhere(view: View) -> Published:
    """What all routers drop without a word."""
    for prefix in NOWHERE:
        yield EVERYONE, flow(ROUTES, "nowhere", "routing", "table/routes", *drop("unroutable"), ipv4_dst=prefix)


def _towards(view: View, router_id: str, hop: NextHop) -> tuple[Action, ...]:
    leaving: LiveInterface = hop.interface
    largest = view.ask(largest_out, router_id, leaving.id)
    check = (CheckLarger("too_big", largest + ETHERNET_HEADER),) if largest is not None else ()
    address: Action = Move("ipv4_dst", "next_hop")
    if hop.address is not None:
        address = SetField("next_hop", parse_ipv4(hop.address))
    return (
        SetField("interface", leaving.key),
        SetField("network", leaving.network.key),
        address,
        *check,
        Goto("source_nat" if leaving.is_gateway else "neighbours"),
    )


UNITS = (
    Unit(interface, over=Router, each=interfaces),
    Unit(prefixes, over=Router),
    Unit(nowhere),
    Unit(neighbours),
)
