"""Addresses that several ports may use, such as the one that keepalived moves: which of them has it.

The ports' allowed address pairs say who may. Where one port alone may and is there, it has it; of several, the one that
has said so last by ARP, which the controller stores. Only pairs with the port's own MAC address count: another one may
be anywhere on the network. Facts as in ``topology.facts``.
"""

from topology.facts import LivePort, View, live_port
from topology.gateway_values import VirtualAddress
from topology.interfaces import LiveInterface, live_interface
from topology.routing import is_neighbour
from topology.values import Port


def virtual_addresses(view: View, port_id: str) -> tuple[str, ...]:
    """Return the addresses that a live port may share with others, on a network that routers are on."""
    port = view.ask(live_port, port_id)
    if port is None or view.ask(asking_interface, port.network.id) is None:
        return ()
    own = {fixed.ip_address for fixed in port.fixed_ips}
    pairs = {pair.ip_address for pair in port.allowed_address_pairs if pair.mac_address == port.mac_address}
    single = {address.removesuffix("/32") for address in pairs if ":" not in address}
    return tuple(sorted(address for address in single - own if "/" not in address))


def sharers(view: View, network_id: str, address: str) -> tuple[LivePort, ...]:
    """Return the live ports of a network that may use an address that is no live port's own, by id."""
    if view.ask(is_neighbour, network_id, address):
        return ()
    found = (view.ask(live_port, port_id) for port_id in view.find_ids(Port, "pair_address", address))
    there = (port for port in found if port is not None and port.network.id == network_id)
    return tuple(port for port in there if address in view.ask(virtual_addresses, port.id))


def holder(view: View, network_id: str, address: str) -> str | None:
    """Return the id of the port that has an address, or None where that is not known."""
    able = [port.id for port in view.ask(sharers, network_id, address)]
    if len(able) == 1:
        return able[0]
    said = view.get(VirtualAddress, f"{network_id}/{address}")
    return said.port_id if said is not None and said.port_id in able else None


def chassis_of(view: View, port_id: str, address: str) -> str | None:
    """Return where an address of a port is: at the port or, where that is not there, at whoever holds the address."""
    live, port = view.ask(live_port, port_id), view.get(Port, port_id)
    if live is None and port is not None and port.admin_state_up:
        other = view.ask(holder, port.network_id, address)
        live = view.ask(live_port, other) if other is not None else None
    return live.chassis_id if live is not None else None


def asking_interface(view: View, network_id: str) -> LiveInterface | None:
    """Return the router's interface that asks for addresses on a network: the first one there."""
    found = (view.ask(live_interface, port_id) for port_id in view.find_ids(Port, "interface_on", network_id))
    return next((interface for interface in found if interface is not None and interface.addresses), None)
