"""Addresses of what leaves routers by their gateways, translated on the chassis that it comes from.

A floating IP's chassis sends to the external network itself where it has a way there, and else by the router's gateway.
What was to be translated and was not, because no port is left, is tried with the chassis's next ports
(``source_ports``), and else dropped: whoever may send from any address would leave with somebody's floating IP.
"""

from flows.actions import Goto, SetField, Translate
from flows.drops import drop
from flows.features.routing import NO_PORT
from flows.features.source_ports import ranges_of
from flows.fields import ETH_TYPE_IPV4, IP_PROTO_TCP, IP_PROTO_UDP, mac_to_int, parse_ipv4
from flows.flow import flow
from flows.pipeline import EXTERNAL_SOURCE, SOURCE_NAT
from flows.units import EVERYONE, Published, Unit, on_chassis, where_router_is
from topology.doors import Floating, Forwarding, floating, forwarding, translation, translators
from topology.facts import View
from topology.gateway import gateway
from topology.translation import used_up
from topology.values import FloatingIP, PortForwarding, Router

FEATURE = "source_nat"


def of_router(view: View, router_id: str) -> Published:
    """With a router's own address, or as it is."""
    own = view.ask(gateway, router_id)
    if own is None or not own.addresses:
        return
    around, owner = where_router_is(router_id), f"router/{router_id}"
    leaving: dict[str, int | str] = {"network": own.network.key, "interface": own.key}
    named = (SetField("eth_src", mac_to_int(own.mac_address)), Goto("doors"))
    if not own.snat:
        yield around, flow(SOURCE_NAT, "router", FEATURE, owner, Goto("upstream"), router=own.router_key)
        yield around, flow(EXTERNAL_SOURCE, "router", FEATURE, owner, *named, **leaving)
        return
    for address in own.addresses:
        yield around, flow(EXTERNAL_SOURCE, "translated", FEATURE, owner, *named, ipv4_src=address, **leaving)


def by_block(view: View, router_id: str, chassis_id: str) -> Published:
    """A chassis translates for a router with source ports of its own, and one that came too late for any drops.

    What has no ports is tried once: more of them would not help.
    """
    own, taken = view.ask(gateway, router_id), view.ask(translation, router_id, chassis_id)
    if own is None:
        return
    here, owner = on_chassis(chassis_id), f"router/{router_id}"
    leaving: dict[str, int | str] = {"router": own.router_key, "eth_type": ETH_TYPE_IPV4}
    if taken is None and own.snat and view.ask(used_up, router_id):
        yield here, flow(SOURCE_NAT, "router", FEATURE, owner, *drop("no_source_port"), **leaving)
    ranges = ranges_of(own, taken) if taken is not None else ()
    if taken is None or not ranges:
        return
    zone, translate = SetField("zone", taken.zone), Translate("zone", "upstream", source=ranges[0])
    mark = SetField("translating", 1)
    yield here, flow(SOURCE_NAT, "router", FEATURE, owner, zone, mark, translate, **leaving)
    for protocol in (IP_PROTO_TCP, IP_PROTO_UDP):
        sent, first = {"router": own.router_key, "ip_proto": protocol}, SetField("attempt", 1)
        yield here, flow(SOURCE_NAT, "ported", FEATURE, owner, zone, mark, first, translate, **sent)


def to_floating(view: View, floatingip_id: str) -> Published:
    """What an instance with a floating IP sends has that address."""
    live = view.ask(floating, floatingip_id)
    taken = view.ask(translation, floatingip_id, live.holder) if live is not None else None
    if live is None or taken is None:
        return
    here, owner = on_chassis(live.holder), f"floatingip/{floatingip_id}"
    translate = Translate("zone", "upstream", source=(parse_ipv4(live.address), 0, 0))
    sent: dict[str, int | str] = {"router": live.gateway.router_key, "ipv4_src": live.fixed_ip}
    zone, mark = SetField("zone", taken.zone), SetField("translating", 0)
    yield here, flow(SOURCE_NAT, "floating", FEATURE, owner, zone, mark, translate, **sent)
    named = SetField("eth_src", mac_to_int(live.mac_address))
    leave = (SetField("in_port", NO_PORT), Goto("forwarding")) if live.site == live.holder else (Goto("doors"),)
    seen = _leaving(live)
    yield here, flow(EXTERNAL_SOURCE, "floating", FEATURE, owner, named, *leave, **seen)


def from_forwarded(view: View, forwarding_id: str) -> Published:
    """Answers of forwarded ports have the floating IP already: their connection is in the router's zone."""
    live = view.ask(forwarding, forwarding_id)
    if live is not None:
        named = (SetField("eth_src", mac_to_int(live.mac_address)), Goto("doors"))
        seen = _leaving(live)
        owner = f"address/{live.address}"
        yield on_chassis(live.holder), flow(EXTERNAL_SOURCE, "floating", FEATURE, owner, *named, **seen)


def untranslated(view: View) -> Published:
    """Only answers of forwarded ports have another address than the router's by now."""
    owner, drops = "table/external_source", drop("not_translated")
    asked: dict[str, int | str] = {"translating": 1, "eth_type": ETH_TYPE_IPV4, "ct_state": "+trk-rpl"}
    yield EVERYONE, flow(EXTERNAL_SOURCE, "untranslated", FEATURE, owner, *drops, **asked)


def _leaving(live: Floating | Forwarding) -> dict[str, int | str]:
    return {"network": live.gateway.network.key, "interface": live.gateway.key, "ipv4_src": live.address}


UNITS = (
    Unit(untranslated),
    Unit(of_router, over=Router),
    Unit(by_block, over=Router, each=translators),
    Unit(to_floating, over=FloatingIP),
    Unit(from_forwarded, over=PortForwarding),
)
