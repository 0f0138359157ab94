"""From external addresses to instances: at a door to the chassis that translates, there to the router.

A gateway holds no connections. It tells the chassis from the destination port, which is in that chassis's block, by one
masked match; for floating IPs and forwarded ports it knows it anyhow. ICMP names no port, so each chassis that
translates for the router gets a copy, and the one that knows the connection goes on with it.
"""

from collections.abc import Callable, Iterator

from flows.actions import Action, Goto, Move, Resubmit, SetField, Translate, Untrack
from flows.control_budget import REPORTED, to_controller
from flows.drops import drop
from flows.features.doors import for_mac
from flows.features.fences import unless_silent
from flows.features.icmp import ORIGINAL_TTL
from flows.features.physical_answers import answer, answer_at_gateway
from flows.features.routing import NO_PORT
from flows.fields import (
    ICMP_ECHO_REPLY,
    ICMP_ECHO_REQUEST,
    IP_PROTO_ICMP,
    IP_PROTO_TCP,
    IP_PROTO_UDP,
    mac_to_int,
    parse_ipv4,
)
from flows.flow import Flow, flow
from flows.pipeline import EXTERNAL_ADDRESSES, INBOUND_NAT, INBOUND_VERDICT
from flows.units import EVERYONE, Published, Unit, on_chassis
from topology.address_scopes import spared
from topology.addressing import SERVICE_MAC
from topology.doors import floating, forwarding, gateway_chassis, translation, translators
from topology.facts import View, encap_ip
from topology.gateway import Gateway, gateway
from topology.gateway_values import Translation
from topology.values import FloatingIP, PortForwarding, Router

FEATURE = "inbound_nat"


def to_router(view: View, router_id: str) -> Published:
    """What is for a router's own address, on each chassis that can be its gateway."""
    own = view.ask(gateway, router_id)
    if own is None:
        return
    owner, network = f"router/{router_id}", own.network.key
    translating, able = list(_blocks(view, own)), view.ask(gateway_chassis, router_id)
    for chassis_id in able:
        here = on_chassis(chassis_id)
        for address in own.addresses:
            for_it: dict[str, int | str] = {"network": network, "ipv4_dst": address}
            echo = {"icmp_type": ICMP_ECHO_REQUEST, "icmp_code": 0, **unless_silent(able)}
            reply = _echo_reply(own, address)
            yield here, flow(EXTERNAL_ADDRESSES, "echo", FEATURE, owner, *reply, **for_it, **echo)
        for address in own.addresses:
            yield from _back_to_translators(view, own, chassis_id, address, translating)
            for each in _refused(own, address):
                yield here, each
        routed = (SetField("router", own.router_key), SetField("from_core", 0), Resubmit("routes"))
        to_it: dict[str, int | str] = {"network": network, "eth_dst": own.mac_address}
        if not own.snat:
            yield here, flow(EXTERNAL_ADDRESSES, "routed", FEATURE, owner, *routed, **to_it)
            for address in own.addresses:
                # Routed, it would come back here: its way out leads to this router itself.
                ends = drop("not_translated")
                yield here, flow(EXTERNAL_ADDRESSES, "own", FEATURE, owner, *ends, ipv4_dst=address, **to_it)
        for prefix in view.ask(spared, router_id):
            yield here, flow(EXTERNAL_ADDRESSES, "routed", FEATURE, owner, *routed, ipv4_dst=prefix, **to_it)


def _back_to_translators(
    view: View, own: Gateway, chassis_id: str, address: str, translating: list[Translation]
) -> Published:
    """What is for one of a router's addresses, from a gateway chassis to those that have source ports of it."""
    here, owner, network = on_chassis(chassis_id), f"router/{own.router_id}", own.network.key
    copies: list[Action] = []
    # The copy for this chassis is the last: Open vSwitch translates the packet itself, not only what goes on with it.
    for taken in sorted(translating, key=lambda each: each.chassis_id == chassis_id):
        blocks = [block for block in taken.blocks if block.address == address]
        if blocks:
            copies += _hand(view, own, chassis_id, taken.chassis_id, Resubmit)
        hand = _hand(view, own, chassis_id, taken.chassis_id, Goto)
        for block in blocks if hand else ():
            ports = f"{block.first_port:#x}/{0xFFFF & ~(block.ports - 1):#x}"
            for field in ("tcp_dst", "udp_dst"):
                to_it: dict[str, int | str] = {"ipv4_dst": address, field: ports}
                yield here, flow(EXTERNAL_ADDRESSES, "block", FEATURE, owner, *hand, network=network, **to_it)
    if copies:
        quoting: dict[str, int | str] = {"ipv4_dst": address, "ip_proto": IP_PROTO_ICMP}
        yield here, flow(EXTERNAL_ADDRESSES, "icmp", FEATURE, owner, *copies, network=network, **quoting)


def by_block(view: View, router_id: str, chassis_id: str) -> Published:
    """Answers to what a chassis has translated for a router."""
    own, taken = view.ask(gateway, router_id), view.ask(translation, router_id, chassis_id)
    if own is not None and taken is not None:
        back: tuple[Action, ...] = (*_into(own, taken.zone), Translate("zone", "inbound_verdict"))
        owner = f"router/{router_id}"
        for address in dict.fromkeys((taken.subject, *(block.address for block in taken.further))):
            match: dict[str, int | str] = {"network": own.network.key, "ipv4_dst": address}
            yield on_chassis(chassis_id), flow(INBOUND_NAT, "router", FEATURE, owner, *back, **match)
            yield on_chassis(chassis_id), _unknown(owner, own, address)
            # All that translate for the router have a copy, and of most the connection is another's: nobody's fault.
            copied = {**match, "ip_proto": IP_PROTO_ICMP}
            yield on_chassis(chassis_id), flow(INBOUND_VERDICT, "copy", FEATURE, owner, *drop("icmp_copy"), **copied)


def to_floating(view: View, floatingip_id: str) -> Published:
    """What is for a floating IP: where the physical network has it, and on the instance's own chassis."""
    live = view.ask(floating, floatingip_id)
    taken = view.ask(translation, floatingip_id, live.holder) if live is not None else None
    if live is None or taken is None:
        return
    own, owner = live.gateway, f"floatingip/{floatingip_id}"
    to_it: dict[str, int | str] = {"network": own.network.key, "ipv4_dst": live.address}
    inwards = Translate("zone", "inbound_verdict", target=(parse_ipv4(live.fixed_ip), 0, 0))
    translate: tuple[Action, ...] = (*_into(own, taken.zone), inwards)
    yield on_chassis(live.holder), flow(INBOUND_NAT, "floating", FEATURE, owner, *translate, **to_it)
    yield on_chassis(live.holder), _unknown(owner, own, live.address)
    doors = {live.site} if live.site == live.holder else {*view.ask(gateway_chassis, own.router_id)}
    for chassis_id in sorted(doors):
        here, hand = on_chassis(chassis_id), _hand(view, own, chassis_id, live.holder, Goto)
        for each in for_mac(view, FEATURE, owner, own, live.mac_address):
            yield here, each
        yield here, flow(EXTERNAL_ADDRESSES, "floating", FEATURE, owner, *hand, **to_it)
    if live.site == live.holder:
        # At home it is nobody else's.
        said = answer(FEATURE, owner, own.network.key, live.mac_address, live.address, unless={})
        yield on_chassis(live.site), said
    else:
        yield from answer_at_gateway(view, FEATURE, owner, own, mac=live.mac_address, address=live.address)


def to_forwarded(view: View, forwarding_id: str) -> Published:
    """What is for forwarded ports of a floating IP, which is where the router is."""
    live = view.ask(forwarding, forwarding_id)
    taken = view.ask(translation, live.gateway.router_id, live.holder) if live is not None else None
    if live is None or taken is None:
        return
    own, owner, field = live.gateway, f"port_forwarding/{forwarding_id}", f"{live.protocol}_dst"
    doors = view.ask(gateway_chassis, own.router_id)
    # Several forwardings of one address have what is about that in common.
    about = f"address/{live.address}"
    for chassis_id in doors:
        for each in (*for_mac(view, FEATURE, about, own, live.mac_address), *_refused(own, live.address)):
            yield on_chassis(chassis_id), each
    yield from answer_at_gateway(view, FEATURE, about, own, mac=live.mac_address, address=live.address)
    yield on_chassis(live.holder), _unknown(about, own, live.address)
    first, last = live.external
    for port in range(first, last + 1):
        to_it: dict[str, int | str] = {"network": own.network.key, "ipv4_dst": live.address, field: port}
        for chassis_id in doors:
            hand = _hand(view, own, chassis_id, live.holder, Goto)
            yield on_chassis(chassis_id), flow(EXTERNAL_ADDRESSES, "forwarding", FEATURE, owner, *hand, **to_it)
        inside = min(live.internal[0] + port - first, live.internal[1])
        inwards = Translate("zone", "inbound_verdict", target=(parse_ipv4(live.fixed_ip), inside, inside))
        translate: tuple[Action, ...] = (*_into(own, taken.zone), inwards)
        yield on_chassis(live.holder), flow(INBOUND_NAT, "forwarding", FEATURE, owner, *translate, **to_it)


def translated(view: View) -> Published:
    """Whose destination is external no more belongs to a connection, or has begun one that is let in."""
    owner, known = "table/inbound_verdict", Resubmit("routes")
    yield EVERYONE, flow(INBOUND_VERDICT, "known", FEATURE, owner, known, ct_state="+trk-inv")


def _refused(own: Gateway, address: str) -> Iterator[Flow]:
    """Report that a port of an address of the router's is nobody's (RFC 1122, section 4.1.3.1)."""
    report, about = to_controller(own.key, REPORTED), f"router/{own.router_id}"
    for protocol in (IP_PROTO_TCP, IP_PROTO_UDP):
        to_it: dict[str, int | str] = {"network": own.network.key, "ipv4_dst": address, "ip_proto": protocol}
        yield flow(EXTERNAL_ADDRESSES, "refused", "icmp", about, *report, **to_it)


def _blocks(view: View, own: Gateway) -> Iterator[Translation]:
    for chassis_id in view.ask(translators, own.router_id) if own.snat else ():
        taken = view.ask(translation, own.router_id, chassis_id)
        if taken is not None and taken.ports:
            yield taken


def _hand(
    view: View, own: Gateway, from_chassis: str, to_chassis: str, go: Callable[[str], Action]
) -> tuple[Action, ...]:
    """Return the actions that let one chassis hand a packet to the one that translates it; none where it cannot."""
    if from_chassis == to_chassis:
        return (go("inbound_nat"),)
    address = view.ask(encap_ip, to_chassis, own.transit.network_type)
    if address is None:
        return ()
    mac = mac_to_int(SERVICE_MAC)
    towards = SetField("tun_dst", parse_ipv4(address))
    turn = SetField("in_port", NO_PORT)
    return (SetField("eth_dst", mac), towards, turn, go("transit_output"))


def _into(own: Gateway, zone: int) -> tuple[Action, ...]:
    # From one floating IP to another, it was translated before: Open vSwitch would look up what it was.
    return SetField("router", own.router_key), SetField("from_core", 0), SetField("zone", zone), Untrack()


def _unknown(owner: str, own: Gateway, address: str) -> Flow:
    """Return the flow that ends what is for an external address still, after the translation."""
    match: dict[str, int | str] = {"network": own.network.key, "ipv4_dst": address}
    return flow(INBOUND_VERDICT, "unknown", FEATURE, owner, *drop("not_translated"), **match)


def _echo_reply(own: Gateway, address: str) -> tuple[Action, ...]:
    return (
        Move("ipv4_src", "ipv4_dst"),
        SetField("ipv4_src", parse_ipv4(address)),
        SetField("icmp_type", ICMP_ECHO_REPLY),
        SetField("ip_ttl", ORIGINAL_TTL),
        Move("eth_src", "eth_dst"),
        SetField("eth_src", mac_to_int(own.mac_address)),
        SetField("in_port", NO_PORT),
        SetField("from_core", 0),
        Resubmit("forwarding"),
    )


UNITS = (
    Unit(to_router, over=Router),
    Unit(by_block, over=Router, each=translators),
    Unit(to_floating, over=FloatingIP),
    Unit(to_forwarded, over=PortForwarding),
    Unit(translated),
)
