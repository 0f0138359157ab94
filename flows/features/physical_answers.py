"""ARP that physical networks ask for routers' and floating addresses: the answer, and who gives it.

A gateway chassis that hands over to another passes on what it is asked, by tunnel, as a frame for ``SERVICE_MAC``: no
physical network's frame with that address comes in by tunnel but to a chassis that translates, and those are no ARP.
See ``topology.handing_over``.

Who knows a router's MAC address asks it by unicast from time to time whether it is still there (RFC 1122, section
2.3.2.1). That comes to the one gateway chassis that sends with this address, also where BFD alone has chosen it.
"""

from collections.abc import Mapping

from flows.actions import NO_PORT_ALIVE, FirstAlive, Goto, SetField
from flows.features.arp_responder import turned
from flows.features.fences import unless_silent
from flows.features.routing import NO_PORT
from flows.fields import ARP_REQUEST, mac_to_int, parse_ipv4
from flows.flow import Flow, flow
from flows.pipeline import PHYSICAL_ANSWER, PHYSICAL_ARP, TUNNEL_PEERS
from flows.units import EVERYONE, Published, Unit, on_chassis
from topology.addressing import SERVICE_MAC
from topology.doors import gateway_chassis
from topology.facts import View, encap_ip
from topology.gateway import Gateway
from topology.handing_over import answering, stand_ins

FEATURE = "physical_answers"


def answer(feature: str, owner: str, network_key: int, mac: str, address: str, *, unless: Mapping[str, int]) -> Flow:
    """Return the flow by which a chassis answers ARP requests of a physical network for an address.

    ``unless`` is ``unless_silent`` where it answers in a role that others may have, and else empty.
    """
    asked: dict[str, int | str] = {"network": network_key, "arp_op": ARP_REQUEST, "arp_tpa": address, **unless}
    back = (*turned(mac, address), SetField("in_port", NO_PORT), Goto("physical_answer"))
    return flow(PHYSICAL_ARP, "answer", feature, owner, *back, **asked)


def answer_at_gateway(view: View, feature: str, owner: str, own: Gateway, *, mac: str, address: str) -> Published:
    """Answer for an address that is where a router's gateway is; let a chassis that hands over pass questions on."""
    found, unless = view.ask(answering, own.router_id), unless_silent(view.ask(gateway_chassis, own.router_id))
    asked: dict[str, int | str] = {"network": own.network.key, "arp_op": ARP_REQUEST, "arp_tpa": address}
    said = answer(feature, owner, own.network.key, mac, address, unless=unless)
    if found.answers is not None:
        yield on_chassis(found.answers), said
    if found.passing is not None:
        end, former = view.ask(encap_ip, found.passing.successor, own.transit.network_type), found.passing.former
        to_it = SetField("eth_dst", mac_to_int(SERVICE_MAC)), SetField("tun_dst", parse_ipv4(end or ""))
        passes = (*to_it, Goto("transit_output"))
        yield on_chassis(former), flow(PHYSICAL_ARP, "answer", feature, owner, *passes, **asked, **unless)
        yield on_chassis(former), flow(PHYSICAL_ANSWER, "passing", feature, owner, *passes, **asked)
    if found.heeding is not None:
        end = view.ask(encap_ip, found.heeding.former, own.transit.network_type)
        passed = {**asked, "eth_dst": SERVICE_MAC, "tun_src": end or ""}
        yield on_chassis(found.heeding.successor), flow(TUNNEL_PEERS, "passed", feature, owner, *said.actions, **passed)
    for each in view.ask(stand_ins, own.router_id):
        here, choose = on_chassis(each.chassis_id), (FirstAlive("door", each.before), Goto("physical_answer"))
        yield here, flow(PHYSICAL_ARP, "probe", feature, owner, *choose, eth_dst=mac, **asked, **unless)
        back = (*turned(mac, address), SetField("in_port", NO_PORT), Goto("core_output"))
        yield here, flow(PHYSICAL_ANSWER, "standing_in", feature, owner, *back, door=NO_PORT_ALIVE, **asked)


def not_asked(view: View) -> Published:
    """What another one answers is nobody's question here."""
    yield (
        EVERYONE,
        flow(PHYSICAL_ANSWER, "request", FEATURE, "table/physical_answer", Goto("routing"), arp_op=ARP_REQUEST),
    )


UNITS = (Unit(not_asked),)
