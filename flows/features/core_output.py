"""The network's own way out of a chassis: a tunnel with its VNI, or a patch port with its VLAN tag."""

from flows.actions import Action, Output, PushVlan, SetField
from flows.fields import VLAN_PRESENT
from flows.flow import flow
from flows.pipeline import CORE_OUTPUT
from flows.units import Published, Unit, on_chassis
from topology.doors import networks_sent_to
from topology.facts import View, live_network
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
    owner = f"network/{network.id}"
    yield (
        on_chassis(chassis_id),
        flow(CORE_OUTPUT, "encapsulate", "core_output", owner, *tag, Output(ofport), network=network.key),
    )


UNITS = (Unit(encapsulate, over=Chassis, each=networks_sent_to),)
