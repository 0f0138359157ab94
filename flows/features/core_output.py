"""The network's own way out of a chassis: a tunnel with its VNI, or a patch port with its VLAN tag.

To a physical network, what a router has sent goes with the chassis's own MAC address, except at the router's door.
"""

from flows.actions import Action, Goto, Output, PushVlan, SetField
from flows.features.fences import ask_fence, unless_silent
from flows.fields import VLAN_PRESENT, mac_to_int
from flows.flow import flow
from flows.pipeline import CORE_OUTPUT, DOOR_OUTPUT
from flows.units import Published, Unit, on_chassis
from topology.addressing import chassis_mac
from topology.doors import networks_sent_to
from topology.facts import View, live_network
from topology.interfaces import live_interface
from topology.provider import interface_door, interface_doors, provider_interfaces
from topology.values import Chassis


def encapsulate(view: View, chassis_id: str, network_id: str) -> Published:
    """Leave one chassis. On overlays the tunnel's far end has been set before."""
    chassis, network = view.get(Chassis, chassis_id), view.ask(live_network, network_id)
    if chassis is None or network is None:
        return
    segment = network.segment
    tag: tuple[Action, ...] = ()
    if segment.is_overlay:
        ofport = dict(chassis.tunnel_ports).get(segment.network_type)
        tag = (SetField("tun_id", segment.segmentation_id or 0),)
    else:
        ofport = dict(chassis.patch_ports).get(segment.physical_network or "")
        if segment.segmentation_id:
            tag = (PushVlan(), SetField("vlan_vid", VLAN_PRESENT | segment.segmentation_id))
    if ofport is None:
        return
    here, leave = on_chassis(chassis_id), (*tag, Output(ofport))
    match: dict[str, int | str] = {"network": network.key}
    yield here, flow(CORE_OUTPUT, "encapsulate", "core_output", f"network/{network.id}", *leave, **match)
    if segment.is_overlay and chassis.encap_ip is not None:
        # Its own copies it has already. What came by tunnel was sent there, too: it never leaves on an overlay.
        itself = {"tun_dst": chassis.encap_ip, **match}
        yield here, flow(CORE_OUTPUT, "own", "core_output", f"network/{network.id}", **itself)
    own = SetField("eth_src", mac_to_int(chassis_mac(chassis_id)))
    for port_id in view.ask(provider_interfaces, network_id):
        interface = view.ask(live_interface, port_id)
        if interface is None:
            continue
        owner, routed = f"port/{port_id}", {"eth_src": interface.mac_address, **match}
        if view.ask(interface_door, port_id) != chassis_id:
            yield here, flow(CORE_OUTPUT, "routed", "core_output", owner, own, *leave, **routed)
        elif (asking := ask_fence(view, chassis_id)) and unless_silent(view.ask(interface_doors, port_id)):
            yield here, flow(CORE_OUTPUT, "routed", "core_output", owner, *asking, Goto("door_output"), **routed)
            yield here, flow(DOOR_OUTPUT, "fenced", "core_output", owner, own, *leave, fenced=1, **routed)
            yield here, flow(DOOR_OUTPUT, "encapsulate", "core_output", owner, *leave, **routed)


UNITS = (Unit(encapsulate, over=Chassis, each=networks_sent_to),)
