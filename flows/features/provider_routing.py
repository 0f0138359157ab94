"""Routers on physical networks: what comes from there to their interfaces, and goes to those who are no ports of ours.

One chassis stands for an interface on the physical network (``topology.provider``).
"""

from flows.actions import Goto, SetField
from flows.control_budget import to_controller
from flows.features.addresses import found
from flows.features.fences import unless_silent
from flows.features.physical_answers import answer
from flows.features.upstream import claims, told
from flows.fields import ETH_TYPE_IPV4, parse_ipv4
from flows.flow import flow
from flows.pipeline import CORE_OUTPUT, NEIGHBOURS, ROUTER_OUTPUT, ROUTING
from flows.units import Published, Unit, on_chassis, where_network_is_reached, where_router_is
from topology.doors import networks_detoured
from topology.facts import View, live_network
from topology.gateway_values import Neighbour
from topology.interfaces import interfaces, live_interface
from topology.presence import presence
from topology.provider import answering_door, detour, interface_doors, provider_interfaces
from topology.values import Chassis, Network, Router

FEATURE = "provider_routing"


def at_door(view: View, router_id: str, port_id: str) -> Published:
    """What the physical network has for an interface: packets, questions who it is, and answers to its own."""
    own, here = view.ask(presence, f"port/{port_id}"), view.ask(live_interface, port_id)
    if own is None or here is None:
        return
    door, network = on_chassis(own.chassis_id), own.network.key
    enter = (SetField("router", here.router_key), SetField("from_core", 0), Goto("routes"))
    sent: dict[str, int | str] = {"network": network, "eth_dst": own.mac_address, "eth_type": ETH_TYPE_IPV4}
    yield door, flow(ROUTING, "interface", FEATURE, own.owner, *enter, from_core=1, **sent)
    is_answering = view.ask(answering_door, port_id) is not None
    unless = unless_silent(view.ask(interface_doors, port_id))
    for address in own.addresses:
        if is_answering:
            yield door, answer(FEATURE, own.owner, network, own.mac_address, address, unless=unless)
        yield from claims(own, address, own.chassis_id)
    yield from told(own)
    unknown: dict[str, int | str] = {"router": here.router_key, "network": network}
    yield (
        where_router_is(router_id),
        flow(ROUTER_OUTPUT, "unknown", "upstream", own.owner, *to_controller(own.key), **unknown),
    )


def neighbour(view: View, neighbour_id: str) -> Published:
    """A neighbour whose MAC address is known."""
    row = view.get(Neighbour, neighbour_id)
    network = view.ask(live_network, row.network_id) if row is not None else None
    if row is None or network is None or not view.ask(provider_interfaces, network.id):
        return
    told = (*found(row.mac_address), Goto("router_output"))
    hop = {"network": network.key, "next_hop": parse_ipv4(row.address)}
    known = flow(NEIGHBOURS, "neighbour", FEATURE, f"neighbour/{neighbour_id}", *told, **hop)
    yield where_network_is_reached(network.id), known


def by_detour(view: View, chassis_id: str, network_id: str) -> Published:
    """A chassis that has no way of its own to a physical network sends by a door's."""
    network, row = view.ask(live_network, network_id), view.get(Network, network_id)
    if network is None or row is None or row.transit is None:
        return
    end = view.ask(detour, network_id, row.transit.network_type)
    if end is not None:
        way = (SetField("tun_dst", parse_ipv4(end)), Goto("transit_output"))
        owner = f"network/{network_id}"
        yield on_chassis(chassis_id), flow(CORE_OUTPUT, "encapsulate", FEATURE, owner, *way, network=network.key)


UNITS = (
    Unit(at_door, over=Router, each=interfaces),
    Unit(neighbour, over=Neighbour),
    Unit(by_detour, over=Chassis, each=networks_detoured),
)
