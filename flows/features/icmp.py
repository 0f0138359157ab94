"""What routers say of themselves by ICMP (RFC 792): echo replies by flows, errors by the controller.

An error quotes the packet that it is about, which no flow can do. The controller finds the router by the flow's cookie,
and what is wrong by the table and the priority.
"""

from collections.abc import Iterator

from flows.actions import Action, Controller, Meter, Move, OutputInPort, Resubmit, SetField
from flows.control_budget import to_controller
from flows.fields import ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, mac_to_int, parse_ipv4
from flows.flow import Flow, flow
from flows.pipeline import NEIGHBOURS, ROUTER_OUTPUT, ROUTES, SOURCE_NAT
from flows.units import Published, Unit, where_router_is
from topology.facts import View
from topology.gateway import gateway
from topology.interfaces import interfaces, live_interface
from topology.packet_size import largest_out
from topology.presence import presence
from topology.values import Router

ORIGINAL_TTL = 64
"""Of what a router sends by itself."""
ECHO: dict[str, int | str] = {"icmp_type": ICMP_ECHO_REQUEST, "icmp_code": 0}


def own_address(view: View, router_id: str, port_id: str) -> Published:
    """A router's address answers to echo requests and refuses all else.

    The answer goes back to the port that asked, past its security groups: it is an answer in a connection that they
    let the port begin.
    """
    here = view.ask(live_interface, port_id)
    if here is None:
        return
    around, owner = where_router_is(router_id), f"router/{router_id}"
    report = _report(view, router_id)
    if view.ask(presence, f"port/{port_id}") is None:
        to_nobody = {"router": here.router_key, "network": here.network.key}
        yield around, flow(ROUTER_OUTPUT, "unknown", "icmp", owner, *report, **to_nobody)
    for address in here.addresses:
        to_itself: dict[str, int | str] = {"router": here.router_key, "ipv4_dst": address}
        for each in _echo_replies(owner, here.mac_address, to_itself):
            yield around, each
        yield around, flow(ROUTES, "own", "icmp", owner, *report, **to_itself)


def external_address(view: View, router_id: str) -> Published:
    """A router's address outside answers those inside as well, without going there."""
    own = view.ask(gateway, router_id)
    if own is None:
        return
    for address in own.addresses:
        to_it: dict[str, int | str] = {"router": own.router_key, "ipv4_dst": address}
        for each in _echo_replies(f"router/{router_id}", own.mac_address, to_it):
            yield where_router_is(router_id), each


def no_way_on(view: View, router_id: str) -> Published:
    """A packet that may go no further, or that no prefix of the router's matches."""
    router = view.get(Router, router_id)
    if router is None or not view.ask(interfaces, router_id):
        return
    report = _report(view, router_id)
    around, owner = where_router_is(router_id), f"router/{router_id}"
    for left in (0, 1):
        yield around, flow(ROUTES, "expired", "icmp", owner, *report, router=router.key, ip_ttl=left)
    yield around, flow(ROUTES, "no_route", "icmp", owner, *report, router=router.key)


def too_big(view: View, router_id: str, port_id: str) -> Published:
    """What is larger than its next network takes."""
    here = view.ask(live_interface, port_id)
    if here is not None and view.ask(largest_out, router_id, port_id) is not None:
        report = _report(view, router_id)
        larger = {"interface": here.key, "too_big": 1}
        yield where_router_is(router_id), flow(NEIGHBOURS, "too_big", "icmp", f"router/{router_id}", *report, **larger)


def too_big_outside(view: View, router_id: str) -> Published:
    """What is larger than the way to the external network, or from there, takes."""
    own = view.ask(gateway, router_id)
    if own is None:
        return
    report, owner = to_controller(own.key), f"router/{router_id}"
    if view.ask(largest_out, router_id, own.port_id) is not None:
        larger = {"interface": own.key, "too_big": 1}
        yield where_router_is(router_id), flow(SOURCE_NAT, "too_big", "icmp", owner, *report, **larger)


def _echo_replies(owner: str, mac: str, to_it: dict[str, int | str]) -> Iterator[Flow]:
    """Yield what a router's address answers: to a port by the way it came, to others by the router's way to them.

    A packet of others may have come by several routers, and on a VLAN.
    """
    address, asked = str(to_it["ipv4_dst"]), to_it | ECHO
    yield flow(ROUTES, "echo", "icmp", owner, *_echo_reply(mac, address), **asked)
    yield flow(ROUTES, "echo_outside", "icmp", owner, *_routed_echo_reply(address), from_port=0, **asked)


def _turned(address: str, ttl: int) -> tuple[Action, ...]:
    return (
        Move("ipv4_src", "ipv4_dst"),
        SetField("ipv4_src", parse_ipv4(address)),
        SetField("icmp_type", ICMP_ECHO_REPLY),
        SetField("ip_ttl", ttl),
    )


def _routed_echo_reply(address: str) -> tuple[Action, ...]:
    """Return the actions for who asked from no port of ours: the answer takes the router's way to him."""
    return (*_turned(address, ORIGINAL_TTL + 1), Resubmit("routes"))


def _echo_reply(mac: str, address: str) -> tuple[Action, ...]:
    return (
        *_turned(address, ORIGINAL_TTL),
        Move("eth_src", "eth_dst"),
        SetField("eth_src", mac_to_int(mac)),
        OutputInPort(),
    )


def _report(view: View, router_id: str) -> tuple[Meter, Controller]:
    """Return the actions that send a packet to the controller on account of a router: of its first interface."""
    first = view.ask(live_interface, view.ask(interfaces, router_id)[0])
    assert first is not None
    return to_controller(first.key)


UNITS = (
    Unit(own_address, over=Router, each=interfaces),
    Unit(external_address, over=Router),
    Unit(no_way_on, over=Router),
    Unit(too_big, over=Router, each=interfaces),
    Unit(too_big_outside, over=Router),
)
