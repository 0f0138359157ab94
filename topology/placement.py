"""What chassis report about themselves, stored beside intent: chassis rows and port bindings."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from topology.allocation import claim_in_turn, release
from topology.store import Store, Transaction
from topology.turns import GiveWay, nobody_waits
from topology.values import Chassis, PortBinding

AT_ONCE = 100
"""Claims recorded in one transaction: some milliseconds."""
ZONES = ((1, (1 << 16) - 1),)
"""Zone 0 is what Open vSwitch uses where none is named."""


class Plugged(NamedTuple):
    """An interface on an integration bridge that claims a port."""

    ofport: int
    interface: str


def observe(store: Store, chassis: Chassis, plugged: Mapping[str, Plugged], give_way: GiveWay = nobody_waits) -> None:
    """Record what one chassis holds now; ``plugged`` maps port ids to interfaces and is complete.

    A claim keeps its sequence while it stands, also under a new port number. A new claim gets the highest sequence, so
    that the last binding wins when two chassis claim one port (live migration). Writes nothing when nothing differs.
    Many claims are recorded some at a time; ``give_way`` lets others have their turn in between.
    """
    with store.transaction() as tx:
        standing = {binding.port_id: binding for binding in tx.find(PortBinding, "chassis", chassis.id)}
        # A binding of a version without zones has none: it needs one, or tenants would share zone 0.
        settled = {id_: Plugged(each.ofport, each.interface) for id_, each in standing.items() if each.zone}
        wanted = sorted(plugged.items() - settled.items())
        if tx.get(Chassis, chassis.id) != chassis:
            tx.put(chassis)
        for port_id in sorted(standing.keys() - plugged.keys()):
            _unbind(tx, standing[port_id])
        _bind(tx, chassis.id, wanted[:AT_ONCE])
    for start in range(AT_ONCE, len(wanted), AT_ONCE):
        give_way()
        with store.transaction() as tx:
            if tx.get(Chassis, chassis.id) is None:
                # It has been forgotten meanwhile.
                return
            _bind(tx, chassis.id, wanted[start : start + AT_ONCE])


def _bind(tx: Transaction, chassis_id: str, wanted: Iterable[tuple[str, Plugged]]) -> None:
    for port_id, (ofport, interface) in wanted:
        binding_id = f"{port_id}@{chassis_id}"
        known = tx.get(PortBinding, binding_id)
        zone = known.zone if known and known.zone else claim_in_turn(tx, zones_of(chassis_id), ZONES, port_id)
        if known:
            binding = replace(known, ofport=ofport, interface=interface, zone=zone)
        else:
            binding = PortBinding(binding_id, port_id, chassis_id, ofport, interface, tx.next_revision, zone)
        if known != binding:
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
