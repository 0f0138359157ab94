"""Interfaces of routers that are up. Facts as in ``topology.facts``."""

from typing import NamedTuple

from topology.facts import LiveNetwork, View, live_network
from topology.values import ROUTER_INTERFACE, Port, Router, Subnet


class LiveInterface(NamedTuple):
    """A router's interface, or its gateway, that is up together with its router and network."""

    id: str
    key: int
    router_id: str
    router_key: int
    network: LiveNetwork
    mac_address: str
    addresses: tuple[str, ...]
    prefixes: tuple[str, ...]
    is_gateway: bool = False


def live_interface(view: View, port_id: str) -> LiveInterface | None:
    """Return the interface if its router routes by it."""
    port = view.get(Port, port_id)
    if port is None or not port.admin_state_up or port.device_owner != ROUTER_INTERFACE:
        return None
    router, network = view.get(Router, port.device_id), view.ask(live_network, port.network_id)
    if router is None or not router.admin_state_up or network is None:
        return None
    fixed = [each for each in port.fixed_ips if ":" not in each.ip_address]
    subnets = (view.get(Subnet, subnet_id) for subnet_id in dict.fromkeys(each.subnet_id for each in fixed))
    return LiveInterface(
        port.id,
        port.key,
        router.id,
        router.key,
        network,
        port.mac_address,
        tuple(each.ip_address for each in fixed),
        tuple(subnet.cidr for subnet in subnets if subnet is not None and subnet.ip_version == 4),
    )


def interfaces(view: View, router_id: str) -> tuple[str, ...]:
    """Return the ids of a router's live interfaces, sorted."""
    ids = view.find_ids(Port, "interface_of", router_id)
    return tuple(port_id for port_id in ids if view.ask(live_interface, port_id) is not None)


def routers_on(view: View, network_id: str) -> tuple[str, ...]:
    """Return the ids of the routers that have a live interface on a network, sorted."""
    found = (view.ask(live_interface, port_id) for port_id in view.find_ids(Port, "interface_on", network_id))
    return tuple(sorted({interface.router_id for interface in found if interface is not None}))


def interface_at(view: View, network_id: str, address: str) -> str | None:
    """Return the id of the live interface that has an address on a network, or None."""
    for port_id in view.find_ids(Port, "address", address):
        interface = view.ask(live_interface, port_id)
        if interface is not None and interface.network.id == network_id:
            return port_id
    return None
