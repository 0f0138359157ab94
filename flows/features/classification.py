"""Where a packet comes from: an instance's port, a tunnel, or a physical network."""

from flows.actions import Action, Goto, PopVlan, SetField
from flows.features.fences import ask_fence, ask_witnesses
from flows.features.port_filter import how_filtered
from flows.fields import VLAN_PRESENT
from flows.flow import flow
from flows.pipeline import CLASSIFICATION
from flows.units import Published, Unit, on_chassis
from topology.doors import networks_heard
from topology.facts import View, live_network, live_port
from topology.gateway import gateways_on
from topology.provider import provider_interfaces
from topology.values import Chassis, Port


def from_port(view: View, port_id: str) -> Published:
    """Packets of an instance, by the number of its port."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    audience, owner = on_chassis(port.chassis_id), f"port/{port.id}"
    origin = SetField("network", port.network.key), SetField("from_port", port.key), *how_filtered(view, port)
    go_on = Goto("port_security")
    yield audience, flow(CLASSIFICATION, "origin", "classification", owner, *origin, go_on, in_port=port.ofport)


def from_core(view: View, chassis_id: str, network_id: str) -> Published:
    """Packets of a network that come by tunnel or by patch port, by VNI or VLAN tag."""
    chassis, network = view.get(Chassis, chassis_id), view.ask(live_network, network_id)
    if chassis is None or network is None:
        return
    segment = network.segment
    arrived: tuple[Action, ...] = (SetField("network", network.key), SetField("from_core", 1))
    if segment.is_overlay:
        ofport = dict(chassis.tunnel_ports).get(segment.network_type)
        tag = {"tun_id": segment.segmentation_id or 0}
        arrived += (Goto("tunnel_peers"),)
    else:
        ofport = dict(chassis.patch_ports).get(segment.physical_network or "")
        tag = {"vlan_vid": VLAN_PRESENT | segment.segmentation_id if segment.segmentation_id else 0}
        has_routers = view.ask(gateways_on, network_id) or view.ask(provider_interfaces, network_id)
        asking = (*ask_witnesses(view, chassis_id), *ask_fence(view, chassis_id))
        arrived += (*asking, Goto("physical_arp")) if has_routers else (Goto("forwarding"),)
    if ofport is None:
        return
    actions = (PopVlan(), *arrived) if segment.network_type == "vlan" else arrived
    owner = f"network/{network.id}"
    yield (
        on_chassis(chassis_id),
        flow(CLASSIFICATION, "origin", "classification", owner, *actions, in_port=ofport, **tag),
    )


UNITS = (Unit(from_port, over=Port, together=True), Unit(from_core, over=Chassis, each=networks_heard))
