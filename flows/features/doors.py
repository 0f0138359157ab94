"""Ways between a router and its external network: the network's own on a gateway chassis, a tunnel to it elsewhere.

Frames of an external network travel between chassis as they are on the network itself, under a VNI of their own. Those
that a gateway hands to the chassis that translates are for ``SERVICE_MAC``, so that they can only go inwards.
"""

from collections.abc import Iterator

from flows.actions import Action, CheckLarger, FirstAlive, Goto, Output, SetField
from flows.control_budget import REPORTED, to_controller
from flows.features.fences import ask_fence
from flows.features.physical_answers import answer_at_gateway
from flows.features.routing import NO_PORT
from flows.fields import ETHERNET_HEADER, parse_ipv4
from flows.flow import Flow, flow
from flows.pipeline import (
    CLASSIFICATION,
    DOOR_CHOICE,
    DOORS,
    EXTERNAL_ADDRESSES,
    FORWARDING,
    TRANSIT_OUTPUT,
)
from flows.units import Published, Unit, on_chassis
from topology.addressing import SERVICE_MAC
from topology.doors import gateway_chassis, networks_in_transit, translators, watch_ports, ways_out
from topology.facts import View, encap_ip, live_network
from topology.gateway import Gateway, gateway, gateways_on
from topology.packet_size import largest_in
from topology.values import Chassis, Network, Router

FEATURE = "doors"


def transit(view: View, chassis_id: str, network_id: str) -> Published:
    """A physical network's frames on their way between chassis."""
    chassis, network = view.get(Chassis, chassis_id), view.ask(live_network, network_id)
    row = view.get(Network, network_id)
    if chassis is None or network is None or row is None or row.transit is None:
        return
    ofport, vni = dict(chassis.tunnel_ports).get(row.transit.network_type), row.transit.segmentation_id or 0
    if ofport is None:
        return
    here, owner = on_chassis(chassis_id), f"network/{network_id}"
    arrived = (SetField("network", network.key), Goto("tunnel_peers"))
    yield here, flow(CLASSIFICATION, "origin", FEATURE, owner, *arrived, in_port=ofport, tun_id=vni)
    to_holder: dict[str, int | str] = {"network": network.key, "from_core": 0, "eth_dst": SERVICE_MAC}
    if view.ask(gateways_on, network_id):
        yield here, flow(FORWARDING, "held", FEATURE, owner, Goto("inbound_nat"), **to_holder)
    leave = (SetField("tun_id", vni), Output(ofport))
    yield here, flow(TRANSIT_OUTPUT, "encapsulate", FEATURE, owner, *leave, network=network.key)


def way_out(view: View, router_id: str, chassis_id: str) -> Published:
    """By the gateway chassis that serves a router or, as soon as it fails, by the next one that lives.

    A chassis notices that by itself, with BFD. Where it has only one way, there is nothing to choose.
    """
    own, chassis = view.ask(gateway, router_id), view.get(Chassis, chassis_id)
    ways = view.ask(ways_out, router_id, chassis_id)
    if own is None or chassis is None or not ways:
        return
    here, owner = on_chassis(chassis_id), f"router/{router_id}"
    leaving: dict[str, int | str] = {"interface": own.key}
    if ways[0] == chassis_id:
        yield from _by_itself(view, own, chassis)
        return
    roads = {each: road for each in ways if (road := _road(view, own, chassis_id, each))}
    watching = watch_ports(view, chassis_id, ways, own)
    alive = [each for each in ways if watching[each] and each in roads]
    last = roads.get(chassis_id) or roads.get(ways[0])
    if last is None:
        return
    if len(ways) == 1 or not alive:
        yield here, flow(DOORS, "elsewhere", FEATURE, owner, *last, **leaving)
        return
    # A fenced one comes last, as in ``_by_itself``.
    asking = ask_fence(view, chassis_id) if chassis_id in roads else ()
    choose = (*asking, FirstAlive("door", tuple(watching[each] for each in alive)), Goto("door_choice"))
    yield here, flow(DOORS, "elsewhere", FEATURE, owner, *choose, **leaving)
    for each in alive:
        yield here, flow(DOOR_CHOICE, "alive", FEATURE, owner, *roads[each], door=watching[each], **leaving)
    if asking:
        yield here, flow(DOOR_CHOICE, "fenced", FEATURE, owner, *roads[alive[0]], fenced=1, **leaving)
    yield here, flow(DOOR_CHOICE, "none", FEATURE, owner, *last, **leaving)


def _by_itself(view: View, own: Gateway, chassis: Chassis) -> Published:
    """A gateway chassis sends by itself; if it is fenced, by another one that lives.

    It may hear by BFD of none that does, though one silences it: its witnesses have withdrawn. So then it takes one all
    the same.
    """
    here, owner = on_chassis(chassis.id), f"router/{own.router_id}"
    leaving: dict[str, int | str] = {"interface": own.key}
    road, asking = _road(view, own, chassis.id, chassis.id), ask_fence(view, chassis.id)
    others = [each for each in view.ask(gateway_chassis, own.router_id) if each != chassis.id]
    watching = watch_ports(view, chassis.id, others, own)
    others = [each for each in others if watching[each]]
    if not asking or not others:
        yield here, flow(DOORS, "here", FEATURE, owner, *road, **leaving)
        return
    choose = (*asking, FirstAlive("door", tuple(watching[each] for each in others)), Goto("door_choice"))
    yield here, flow(DOORS, "here", FEATURE, owner, *choose, **leaving)
    yield here, flow(DOOR_CHOICE, "here", FEATURE, owner, *road, fenced=0, **leaving)
    roads = {each: _road(view, own, chassis.id, each) for each in others}
    for each in others:
        yield here, flow(DOOR_CHOICE, "alive", FEATURE, owner, *roads[each], door=watching[each], **leaving)
    yield here, flow(DOOR_CHOICE, "fenced", FEATURE, owner, *roads[others[0]], fenced=1, **leaving)


def _road(view: View, own: Gateway, chassis_id: str, door: str) -> tuple[Action, ...]:
    """Return the actions that bring a packet from a chassis to a door; none where it has no tunnel address."""
    turn = SetField("in_port", NO_PORT)
    if door == chassis_id:
        return (turn, Goto("forwarding"))
    address = view.ask(encap_ip, door, own.transit.network_type)
    return (turn, SetField("tun_dst", parse_ipv4(address)), Goto("transit_output")) if address is not None else ()


def own_mac(view: View, router_id: str) -> Published:
    """What is for a router's MAC address, on each chassis that can serve it, and its ARP on the one that does.

    The others take frames as well: where a gateway has failed, the physical network learns from the first packet of
    another where the MAC address is now.
    """
    own = view.ask(gateway, router_id)
    if own is None:
        return
    owner = f"router/{router_id}"
    for chassis_id in view.ask(gateway_chassis, router_id):
        for each in for_mac(view, FEATURE, owner, own, own.mac_address):
            yield on_chassis(chassis_id), each
    for address in own.addresses:
        yield from answer_at_gateway(view, FEATURE, owner, own, mac=own.mac_address, address=address)


def for_mac(view: View, feature: str, owner: str, own: Gateway, mac: str) -> Iterator[Flow]:
    """Take what is for a MAC address of a router's on its external network, unless the router must report about it.

    That is here, before any translation: whoever is told finds his packet again, and hears of no address inside.
    """
    match: dict[str, int | str] = {"network": own.network.key, "eth_dst": mac}
    largest = view.ask(largest_in, own.router_id) or 0
    check, found = CheckLarger("too_big", largest + ETHERNET_HEADER), Goto("external_addresses")
    yield flow(FORWARDING, "external", feature, owner, check, found, **match)
    # The controller finds the router by the owner.
    report, about = to_controller(own.key, REPORTED), f"router/{own.router_id}"
    yield flow(EXTERNAL_ADDRESSES, "too_big", "icmp", about, *report, too_big=1, **match)
    for left in (0, 1):
        yield flow(EXTERNAL_ADDRESSES, "expired", "icmp", about, *report, ip_ttl=left, **match)


UNITS = (
    Unit(transit, over=Chassis, each=networks_in_transit),
    Unit(way_out, over=Router, each=translators),
    Unit(own_mac, over=Router),
)
