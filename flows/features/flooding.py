"""Broadcast and multicast: a copy to each local port, and one to each other chassis (or to the physical network).

Where copies go on an overlay is one flow, the same on all chassis of the network, which only changes when a chassis
comes to the network or leaves it. So it names the chassis itself, too, to which nothing goes (``core_output``).
"""

from flows.actions import Action, Resubmit, SetField
from flows.fields import parse_ipv4
from flows.flow import flow
from flows.pipeline import FLOODING, REMOTE_COPIES
from flows.units import Published, Unit, on_chassis, where_network_is
from topology.facts import View, encap_ip, hosts, key_of, live_network, local_ports, networks_at
from topology.values import Chassis, Network


def copies(view: View, chassis_id: str, network_id: str) -> Published:
    """The copies that one chassis makes. Open vSwitch leaves out the port that a packet came in by.

    Each receiver filters its own copy.
    """
    network = view.ask(live_network, network_id)
    if network is None:
        return
    keys = (view.ask(key_of, port_id) for port_id in view.ask(local_ports, chassis_id, network_id))
    local: list[Action] = []
    for key in sorted(key for key in keys if key is not None):
        local += [SetField("to_port", key), Resubmit("receiver")]
    audience, owner = on_chassis(chassis_id), f"network/{network.id}"
    away = Resubmit("remote_copies" if network.segment.is_overlay else "core_output")
    yield audience, flow(FLOODING, "from_here", "flooding", owner, *local, away, network=network.key, from_core=0)
    yield audience, flow(FLOODING, "from_core", "flooding", owner, *local, network=network.key, from_core=1)


def remote_copies(view: View, network_id: str) -> Published:
    """The copies that leave by tunnel, one for each tunnel address of the network's chassis.

    By address: a machine that was installed anew may have left the row of its former self behind.
    """
    network = view.ask(live_network, network_id)
    if network is None or not network.segment.is_overlay:
        return
    encapsulation = network.segment.network_type
    ends = {view.ask(encap_ip, chassis_id, encapsulation) for chassis_id in view.ask(hosts, network_id)}
    away: list[Action] = []
    for address in sorted(end for end in ends if end is not None):
        away += [SetField("tun_dst", parse_ipv4(address)), Resubmit("core_output")]
    owner = f"network/{network.id}"
    yield (
        where_network_is(network.id),
        flow(REMOTE_COPIES, "copies", "flooding", owner, *away, network=network.key),
    )


UNITS = (Unit(copies, over=Chassis, each=networks_at), Unit(remote_copies, over=Network))
