"""Ways between a router and its external network: the network's own on a gateway chassis, a tunnel to it elsewhere.

Frames of an external network travel between chassis as they are on the network itself, under a VNI of their own. Those
that a gateway hands to the chassis that translates are for ``SERVICE_MAC``, so that they can only go inwards.
"""

from flows.actions import Goto, Output, SetField
from flows.features.arp_responder import turned
from flows.fields import ARP_REQUEST, parse_ipv4
from flows.flow import Flow, flow
from flows.pipeline import CLASSIFICATION, DOORS, EXTERNAL_ARP, FORWARDING, TRANSIT_OUTPUT
from flows.units import Published, Unit, on_chassis, where_router_is
from topology.addressing import SERVICE_MAC
from topology.doors import active_gateway, externals_at, gateway_chassis
from topology.facts import View, encap_ip, live_network
from topology.gateway import gateway
from topology.values import Chassis, Network, Router

FEATURE = "doors"
NO_PORT = 0
"""See ``features/routing.py``: a packet may leave by the port that it came in by."""


def transit(view: View, chassis_id: str, network_id: str) -> Published:
    """An external network's frames on their way between chassis."""
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
    yield here, flow(FORWARDING, "held", FEATURE, owner, Goto("inbound_nat"), **to_holder)
    leave = (SetField("tun_id", vni), Output(ofport))
    yield here, flow(TRANSIT_OUTPUT, "encapsulate", FEATURE, owner, *leave, network=network.key)


def way_out(view: View, router_id: str) -> Published:
    """By the gateway chassis that serves a router."""
    own, active = view.ask(gateway, router_id), view.ask(active_gateway, router_id)
    if own is None or active is None:
        return
    owner, leaving, turn = f"router/{router_id}", {"interface": own.key}, SetField("in_port", NO_PORT)
    yield on_chassis(active), flow(DOORS, "here", FEATURE, owner, turn, Goto("forwarding"), **leaving)
    address = view.ask(encap_ip, active, own.transit.network_type)
    if address is not None:
        towards = (turn, SetField("tun_dst", parse_ipv4(address)), Goto("transit_output"))
        yield where_router_is(router_id), flow(DOORS, "elsewhere", FEATURE, owner, *towards, **leaving)


def own_mac(view: View, router_id: str) -> Published:
    """What is for a router's MAC address, on each chassis that can serve it, and its ARP on the one that does.

    The others take frames as well: where a gateway has failed, the physical network learns from the first packet of
    another where the MAC address is now.
    """
    own = view.ask(gateway, router_id)
    if own is None:
        return
    owner, found = f"router/{router_id}", Goto("external_addresses")
    for chassis_id in view.ask(gateway_chassis, router_id):
        asked: dict[str, int | str] = {"network": own.network.key, "eth_dst": own.mac_address}
        yield on_chassis(chassis_id), flow(FORWARDING, "external", FEATURE, owner, found, **asked)
    active = view.ask(active_gateway, router_id)
    for address in own.addresses if active is not None else ():
        yield on_chassis(active or ""), answer(FEATURE, owner, own.network.key, own.mac_address, address)


def answer(feature: str, owner: str, network_key: int, mac: str, address: str) -> Flow:
    """Return the flow by which a door answers ARP requests of its external network for an address."""
    asked: dict[str, int | str] = {"network": network_key, "arp_op": ARP_REQUEST, "arp_tpa": address}
    back = (*turned(mac, address), SetField("in_port", NO_PORT), Goto("core_output"))
    return flow(EXTERNAL_ARP, "answer", feature, owner, *back, **asked)


UNITS = (Unit(transit, over=Chassis, each=externals_at), Unit(way_out, over=Router), Unit(own_mac, over=Router))
