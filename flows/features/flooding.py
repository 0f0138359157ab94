"""Broadcast and multicast: a copy to each local port, and one to each other chassis (or to the physical network)."""

from flows.actions import Action, Resubmit, SetField
from flows.fields import parse_ipv4
from flows.flow import flow
from flows.pipeline import FLOODING
from flows.units import Published, Unit, on_chassis
from topology.facts import LiveNetwork, View, encap_ip, hosts, key_of, live_network, local_ports, networks_at
from topology.values import Chassis


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
        local += [SetField("to_port", key), Resubmit("ingress_stateless")]
    audience, owner = on_chassis(chassis_id), f"network/{network.id}"
    away = _away(view, chassis_id, network)
    yield audience, flow(FLOODING, "from_here", "flooding", owner, *local, *away, network=network.key, from_core=0)
    yield audience, flow(FLOODING, "from_core", "flooding", owner, *local, network=network.key, from_core=1)


def _away(view: View, chassis_id: str, network: LiveNetwork) -> tuple[Action, ...]:
    if not network.segment.is_overlay:
        return (Resubmit("core_output"),)
    # By address: a machine that was installed anew may have left the row of its former self behind.
    own = view.ask(encap_ip, chassis_id, network.segment.network_type)
    ends = view.ask(tunnel_ends, network.id, network.segment.network_type)
    return tuple(action for address, copy in ends if address != own for action in copy)


def tunnel_ends(view: View, network_id: str, encapsulation: str) -> tuple[tuple[str, tuple[Action, ...]], ...]:
    """Return the tunnel addresses of the chassis that host a network, and how a copy is sent to each (a fact)."""
    found = {view.ask(encap_ip, host_id, encapsulation) for host_id in view.ask(hosts, network_id)}
    return tuple(
        (address, (SetField("tun_dst", parse_ipv4(address)), Resubmit("core_output")))
        for address in sorted(end for end in found if end is not None)
    )


UNITS = (Unit(copies, over=Chassis, each=networks_at),)
