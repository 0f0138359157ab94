"""Addresses that move between ports, as routers find them: at the port that has said so last.

Who has one needs no word to stay; what another port that may have it says in ARP goes to the controller, which moves it
(``sdnapp/virtual_addresses.py``). So nothing comes there but changes. Where nobody has said so yet, a packet for the
address makes the controller ask.
"""

from flows.actions import Goto
from flows.control_budget import to_controller
from flows.features.addresses import found
from flows.fields import parse_ipv4
from flows.flow import flow
from flows.pipeline import ARP_GUARD, NEIGHBOURS
from flows.units import Published, Unit, on_chassis, where_network_is_reached
from topology.facts import View, live_port
from topology.values import Port
from topology.virtual_addresses import asking_interface, holder, sharers, virtual_addresses

FEATURE = "virtual_addresses"


def shared_address(view: View, port_id: str, address: str) -> Published:
    """To the port that has an address; or what it says if it claims it, and who asks for an unknown one."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    able, having = view.ask(sharers, port.network.id, address), view.ask(holder, port.network.id, address)
    around, hop = (
        where_network_is_reached(port.network.id),
        {"network": port.network.key, "next_hop": parse_ipv4(address)},
    )
    owner = f"port/{port_id}"
    if having == port_id:
        told = (*found(port.mac_address), Goto("router_output"))
        yield around, flow(NEIGHBOURS, "port", FEATURE, owner, *told, **hop)
        return
    if port not in able:
        return
    claim: dict[str, int | str] = {"from_port": port.key, "arp_spa": address}
    tell = (*to_controller(port.key), Goto("arp_responder"))
    yield on_chassis(port.chassis_id), flow(ARP_GUARD, "claim", FEATURE, owner, *tell, **claim)
    asking = view.ask(asking_interface, port.network.id)
    if having is None and port == able[0] and asking is not None:
        # The controller finds the address in the match.
        ask = to_controller(asking.key)
        yield around, flow(NEIGHBOURS, "port", FEATURE, f"port/{asking.id}", *ask, **hop)


UNITS = (Unit(shared_address, over=Port, each=virtual_addresses),)
