"""What follows from the rows: where ports are, which chassis host a network, who are its peers.

A fact is a total pure function of a view and hashable arguments: for anything missing its answer permits nothing.
Facts ask one another through ``view.ask``, so that whoever computes them can remember answers and what they depend on.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from topology.values import Chassis, Network, Port, PortBinding, Row

R = TypeVar("R", bound=Row)
T = TypeVar("T")


class View(Protocol):
    """How pure functions read the model."""

    def get(self, kind: type[R], row_id: str) -> R | None:
        """Return a row, or None."""
        ...

    def find_ids(self, kind: type[Any], index: str, key: Any) -> tuple[str, ...]:
        """Return the sorted ids of the rows under a key of an index."""
        ...

    def ask(self, fact: Callable[..., T], *args: Any) -> T:
        """Return ``fact(view, *args)``, perhaps from memory."""
        ...


def binding_in_force(view: View, port_id: str) -> PortBinding | None:
    """Return the port's latest binding to a known chassis, or None."""
    bindings = [view.get(PortBinding, binding_id) for binding_id in view.find_ids(PortBinding, "port", port_id)]
    known = [b for b in bindings if b is not None and view.get(Chassis, b.chassis_id) is not None]
    return max(known, key=lambda binding: binding.sequence, default=None)


def live_port(view: View, port_id: str) -> Port | None:
    """Return the port if it carries traffic: plugged somewhere, and up together with its network."""
    port = view.get(Port, port_id)
    if port is None or not port.admin_state_up:
        return None
    network = view.get(Network, port.network_id)
    if network is None or not network.admin_state_up:
        return None
    return port if view.ask(binding_in_force, port_id) is not None else None


def ports_by_network(view: View, chassis_id: str) -> dict[str, tuple[str, ...]]:
    """Return the live ports on a chassis, as network id to sorted port ids."""
    found: dict[str, list[str]] = {}
    for binding_id in view.find_ids(PortBinding, "chassis", chassis_id):
        binding = view.get(PortBinding, binding_id)
        if binding is None or view.ask(binding_in_force, binding.port_id) != binding:
            continue
        port = view.ask(live_port, binding.port_id)
        if port is not None:
            found.setdefault(port.network_id, []).append(port.id)
    return {network_id: tuple(sorted(port_ids)) for network_id, port_ids in sorted(found.items())}


def networks_at(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the ids of the networks that have a live port on a chassis."""
    return tuple(view.ask(ports_by_network, chassis_id))


def local_ports(view: View, chassis_id: str, network_id: str) -> tuple[str, ...]:
    """Return the ids of a network's live ports on a chassis."""
    return view.ask(ports_by_network, chassis_id).get(network_id, ())


def hosts(view: View, network_id: str) -> tuple[str, ...]:
    """Return the ids of the chassis that have a live port of the network, sorted."""
    found = set()
    for port_id in view.find_ids(Port, "network", network_id):
        binding = view.ask(binding_in_force, port_id)
        if binding is not None and view.ask(live_port, port_id) is not None:
            found.add(binding.chassis_id)
    return tuple(sorted(found))


def encap_ip(view: View, chassis_id: str, encapsulation: str) -> str | None:
    """Return the tunnel address of a chassis for an encapsulation, or None where it offers none."""
    chassis = view.get(Chassis, chassis_id)
    return chassis.encap_ip if chassis is not None and encapsulation in chassis.encap_types else None
