"""From an address of a network to its MAC address: one flow for each, which ARP requests and routers ask alike.

An address that is also another port's allowed pair may have moved there (VRRP). So ARP does not tell whose it is, and
whoever has it answers for himself; routers go by whose own address it is.
"""

from flows.actions import Action, Goto, Resubmit, SetField
from flows.fields import mac_to_int, parse_ipv4
from flows.flow import flow
from flows.pipeline import ADDRESSES, NEIGHBOURS
from flows.units import Published, Unit, where_network_is_reached
from topology.facts import View, is_allowed_to_another, live_port
from topology.interfaces import routers_on
from topology.values import Port

ASK: tuple[Action, ...] = (SetField("found", 0), Resubmit("addresses"))
"""What finds the MAC address of ``next_hop`` on a packet's network: ``eth_dst`` is that, if ``found`` is 1 then."""


def found(mac: str) -> tuple[SetField, SetField]:
    """Return the actions that tell a MAC address to who asks."""
    return SetField("eth_dst", mac_to_int(mac)), SetField("found", 1)


def addresses(view: View, port_id: str) -> Published:
    """A live port's own addresses."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    around, owner, told = where_network_is_reached(port.network.id), f"port/{port.id}", found(port.mac_address)
    for fixed in port.fixed_ips:
        if ":" in fixed.ip_address:
            continue
        hop = {"network": port.network.key, "next_hop": parse_ipv4(fixed.ip_address)}
        if not view.ask(is_allowed_to_another, port.network.id, fixed.ip_address, port.id):
            yield around, flow(ADDRESSES, "port", "addresses", owner, *told, **hop)
        elif view.ask(routers_on, port.network.id):
            yield around, flow(NEIGHBOURS, "port", "addresses", owner, *told, Goto("router_output"), **hop)


UNITS = (Unit(addresses, over=Port),)
