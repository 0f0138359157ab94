"""Routers on provider networks (flat, VLAN): where the physical network finds them. Facts as in ``topology.facts``.

Instances are routed on their own chassis, there as elsewhere. For what is out on the physical network, one gateway
chassis stands for a router's interface: the door. It answers ARP, takes what is for the interface's MAC address, and
alone sends by it; other chassis send what they have routed with a MAC address of their own.
"""

from topology.facts import View, encap_ip, live_network
from topology.gateway import answers, bound, in_order, is_door
from topology.interfaces import live_interface
from topology.values import Chassis, Network, Port


def provider_interfaces(view: View, network_id: str) -> tuple[str, ...]:
    """Return the ids of routers' live interfaces on a physical network, sorted; none on an overlay."""
    network = view.ask(live_network, network_id)
    if network is None or network.segment.is_overlay:
        return ()
    ids = view.find_ids(Port, "interface_on", network_id)
    return tuple(port_id for port_id in ids if view.ask(live_interface, port_id) is not None)


def interface_doors(view: View, port_id: str) -> tuple[str, ...]:
    """Return the gateway chassis that can be the door of a router's interface, the preferred one first."""
    interface = view.ask(live_interface, port_id)
    if interface is None or interface.network.segment.is_overlay:
        return ()
    every = (view.get(Chassis, chassis_id) for chassis_id in view.find_ids(Chassis, "every", True))
    able = (each.id for each in every if each is not None and each.gateway)
    return in_order(port_id, (each for each in able if view.ask(is_door, each, interface.network.id)))


def interface_door(view: View, port_id: str) -> str | None:
    """Return the door of a router's interface, or None."""
    return bound(view, f"port/{port_id}", view.ask(interface_doors, port_id))


def answering_door(view: View, port_id: str) -> str | None:
    """Return the chassis that answers for an interface's addresses; None while one hands over to another."""
    door = view.ask(interface_door, port_id)
    return door if door is not None and answers(view, f"port/{port_id}", door) else None


def networks_entering(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the provider networks that a chassis is a door of, sorted."""
    return tuple(
        network_id
        for network_id in view.find_ids(Network, "transit", True)
        if any(view.ask(interface_door, port_id) == chassis_id for port_id in view.ask(provider_interfaces, network_id))
    )


def detour(view: View, network_id: str, encapsulation: str) -> str | None:
    """Return the tunnel address by which those send to a provider network that have no way there of their own."""
    doors = (view.ask(interface_door, port_id) for port_id in view.ask(provider_interfaces, network_id))
    ends = (view.ask(encap_ip, door, encapsulation) for door in doors if door is not None)
    return next((end for end in ends if end is not None), None)
