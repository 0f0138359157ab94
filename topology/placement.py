"""What chassis report about themselves, stored beside intent: chassis rows and port bindings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from topology.store import Store
from topology.values import Chassis, PortBinding


class Plugged(NamedTuple):
    """An interface on an integration bridge that claims a port."""

    ofport: int
    interface: str


def observe(store: Store, chassis: Chassis, plugged: Mapping[str, Plugged]) -> None:
    """Record what one chassis holds now; ``plugged`` maps port ids to interfaces and is complete.

    A claim keeps its sequence while it stands, also under a new port number. A new claim gets the highest sequence, so
    that the last binding wins when two chassis claim one port (live migration). Writes nothing when nothing differs.
    """
    with store.transaction() as tx:
        if tx.get(Chassis, chassis.id) != chassis:
            tx.put(chassis)
        standing = {binding.port_id: binding for binding in tx.find(PortBinding, "chassis", chassis.id)}
        for port_id, binding in standing.items():
            if port_id not in plugged:
                tx.delete(PortBinding, binding.id)
        for port_id, (ofport, interface) in plugged.items():
            if port_id in standing:
                binding = replace(standing[port_id], ofport=ofport, interface=interface)
            else:
                binding_id = f"{port_id}@{chassis.id}"
                binding = PortBinding(binding_id, port_id, chassis.id, ofport, interface, tx.next_revision)
            if tx.get(PortBinding, binding.id) != binding:
                tx.put(binding)


def forget(store: Store, chassis_id: str) -> None:
    """Remove a chassis and its bindings: it has left for good."""
    with store.transaction() as tx:
        for binding in tx.find(PortBinding, "chassis", chassis_id):
            tx.delete(PortBinding, binding.id)
        tx.delete(Chassis, chassis_id)
