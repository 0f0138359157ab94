"""What chassis report about themselves, stored beside intent: chassis rows and port bindings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from topology.allocation import claim_in_turn, release
from topology.store import Store, Transaction
from topology.values import Chassis, PortBinding

ZONES = ((1, (1 << 16) - 1),)
"""Zone 0 is what Open vSwitch uses where none is named."""


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
        for port_id in sorted(standing.keys() - plugged.keys()):
            _unbind(tx, standing[port_id])
        # A binding of a version without zones has none: it needs one, or tenants would share zone 0.
        settled = {id_: Plugged(each.ofport, each.interface) for id_, each in standing.items() if each.zone}
        for port_id, (ofport, interface) in sorted(plugged.items() - settled.items()):
            known = standing.get(port_id)
            zone = known.zone if known and known.zone else claim_in_turn(tx, zones_of(chassis.id), ZONES, port_id)
            if known:
                binding = replace(known, ofport=ofport, interface=interface, zone=zone)
            else:
                binding_id = f"{port_id}@{chassis.id}"
                binding = PortBinding(binding_id, port_id, chassis.id, ofport, interface, tx.next_revision, zone)
            if tx.get(PortBinding, binding.id) != binding:
                tx.put(binding)


def forget(store: Store, chassis_id: str) -> None:
    """Remove a chassis and its bindings: it has left for good."""
    with store.transaction() as tx:
        for binding in tx.find(PortBinding, "chassis", chassis_id):
            _unbind(tx, binding)
        tx.delete(Chassis, chassis_id)


def _unbind(tx: Transaction, binding: PortBinding) -> None:
    release(tx, zones_of(binding.chassis_id), binding.zone)
    tx.delete(PortBinding, binding.id)


def zones_of(chassis_id: str) -> str:
    """Name the claim scope of a chassis's connection tracking zones, where connections may outlive a binding."""
    return f"zone:{chassis_id}"
