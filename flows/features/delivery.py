"""To the port: out of its interface on its own chassis, by way of the core from everywhere else.

Forwarding has said which port it is and on which chassis. So what is between chassis is the same for all ports of all
overlay networks, and a chassis needs no flow here for a port that is elsewhere.
"""

from flows.actions import Goto, Move, Output
from flows.drops import drop
from flows.fields import parse_ipv4
from flows.flow import flow
from flows.pipeline import DELIVERY, LOCAL_OUTPUT
from flows.units import EVERYONE, Published, Unit, on_chassis, where_network_is_reached
from topology.facts import View, live_network, live_port, peer
from topology.values import Chassis, Network, Port


def to_port(view: View, port_id: str) -> Published:
    """A live port's interface, on its own chassis. A port that has no peer's address is known there by its number."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    here, owner = on_chassis(port.chassis_id), f"port/{port.id}"
    if peer(view, port) is None:
        yield here, flow(DELIVERY, "local", "delivery", owner, Goto("receiver"), to_port=port.key)
    yield here, flow(LOCAL_OUTPUT, "port", "delivery", owner, Output(port.ofport), to_port=port.key)


def to_peers(view: View) -> Published:
    """To the chassis where the port is, unless its tunnel address is not known."""
    owner, leave = "table/delivery", (Move("peer", "tun_dst"), Goto("core_output"))
    yield EVERYONE, flow(DELIVERY, "unplaced", "delivery", owner, *drop("not_here"), peer=0)
    yield EVERYONE, flow(DELIVERY, "remote", "delivery", owner, *leave, from_core=0)


def at_peer(view: View, chassis_id: str) -> Published:
    """What is for a chassis itself has arrived."""
    chassis = view.get(Chassis, chassis_id)
    if chassis is None or chassis.encap_ip is None:
        return
    arrived, own = Goto("receiver"), parse_ipv4(chassis.encap_ip)
    yield on_chassis(chassis_id), flow(DELIVERY, "here", "delivery", f"chassis/{chassis_id}", arrived, peer=own)


def to_physical_network(view: View, network_id: str) -> Published:
    """A physical network finds its ports by itself."""
    network = view.ask(live_network, network_id)
    if network is not None and not network.segment.is_overlay:
        leave, owner = Goto("core_output"), f"network/{network_id}"
        away = flow(DELIVERY, "physical", "delivery", owner, leave, network=network.key, from_core=0)
        yield where_network_is_reached(network_id), away


UNITS = (
    Unit(to_port, over=Port, together=True),
    Unit(to_peers),
    Unit(at_peer, over=Chassis),
    Unit(to_physical_network, over=Network),
)
