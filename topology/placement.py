"""What chassis report about themselves, stored beside intent: chassis rows and port bindings."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from topology.allocation import claim_in_turn, release
from topology.store import Store, Transaction
from topology.turns import GiveWay, by_turns, nobody_waits
from topology.values import Chassis, PortBinding

AT_ONCE = 100
"""Claims recorded in one transaction: some milliseconds."""
ZONES = ((1, (1 << 16) - 1),)
"""Zone 0 is what Open vSwitch uses where none is named."""


class Plugged(NamedTuple):
    """An interface on an integration bridge that claims a port."""

    ofport: int
    interface: str


def observe(
    store: Store,
    chassis: Chassis,
    plugged: Mapping[str, Plugged],
    give_way: GiveWay = nobody_waits,
    changed: Collection[str] | None = None,
) -> None:
    """Record what one chassis holds now; ``plugged`` maps port ids to interfaces and is complete.

    A claim keeps its sequence while it stands, also under a new port number. A new claim gets the highest sequence, so
    that the last binding wins when two chassis claim one port (live migration). Writes nothing when nothing differs.
    Many claims are recorded and forgotten some at a time; ``give_way`` lets others have their turn in between.
    ``changed`` are the ids of the ports of which something else was recorded by the last report; None where that is not
    known.
    """
    known = store.get(Chassis, chassis.id)
    # One that has been forgotten since then has lost all that the last report recorded.
    wanted, gone = _difference(store, chassis.id, plugged, changed if known is not None else None, give_way)
    with store.transaction() as tx:
        before = tx.get(Chassis, chassis.id)
        if known is None or before is not None:
            if before != chassis:
                tx.put(chassis)
            _unbind(tx, gone[:AT_ONCE])
            _bind(tx, chassis.id, wanted[:AT_ONCE])
            del wanted[:AT_ONCE], gone[:AT_ONCE]
    if known is not None and before is None:
        # It has been forgotten meanwhile, and is there again.
        observe(store, chassis, plugged, give_way)
        return
    for start in range(0, len(gone), AT_ONCE):
        give_way()
        with store.transaction() as tx:
            _unbind(tx, gone[start : start + AT_ONCE])
    for start in range(0, len(wanted), AT_ONCE):
        give_way()
        with store.transaction() as tx:
            if tx.get(Chassis, chassis.id) is None:
                # It has been forgotten meanwhile.
                return
            _bind(tx, chassis.id, wanted[start : start + AT_ONCE])


def _difference(
    store: Store, chassis_id: str, plugged: Mapping[str, Plugged], changed: Collection[str] | None, give_way: GiveWay
) -> tuple[list[tuple[str, Plugged]], list[str]]:
    """Return what a chassis has that is not recorded so, and the ids of bindings of what it has not.

    That is of all ports, or of those that have ``changed``.
    """
    wanted, gone = [], []
    for port_id in by_turns(sorted(plugged.keys() if changed is None else plugged.keys() & changed), give_way):
        binding = store.get(PortBinding, _binding_id(port_id, chassis_id))
        ofport, interface = plugged[port_id]
        # A binding of a version without zones has none: it needs one, or tenants would share zone 0.
        if binding is None or not binding.zone or (binding.ofport, binding.interface) != (ofport, interface):
            wanted.append((port_id, plugged[port_id]))
    recorded: Iterable[str] = store.find_ids(PortBinding, "chassis", chassis_id)
    if changed is not None:
        recorded = sorted(_binding_id(port_id, chassis_id) for port_id in changed)
    for binding_id in by_turns(recorded, give_way):
        binding = store.get(PortBinding, binding_id)
        if binding is not None and binding.port_id not in plugged:
            gone.append(binding_id)
    return wanted, gone


def _bind(tx: Transaction, chassis_id: str, wanted: Iterable[tuple[str, Plugged]]) -> None:
    for port_id, (ofport, interface) in wanted:
        binding_id = _binding_id(port_id, chassis_id)
        known = tx.get(PortBinding, binding_id)
        zone = known.zone if known and known.zone else claim_in_turn(tx, zones_of(chassis_id), ZONES, port_id)
        if known:
            binding = replace(known, ofport=ofport, interface=interface, zone=zone)
        else:
            binding = PortBinding(binding_id, port_id, chassis_id, ofport, interface, tx.next_revision, zone)
        if known != binding:
            tx.put(binding)


def _binding_id(port_id: str, chassis_id: str) -> str:
    return f"{port_id}@{chassis_id}"


def forget(store: Store, chassis_id: str) -> None:
    """Remove a chassis and its bindings: it has left for good."""
    with store.transaction() as tx:
        _unbind(tx, tx.find_ids(PortBinding, "chassis", chassis_id))
        tx.delete(Chassis, chassis_id)


def _unbind(tx: Transaction, binding_ids: Iterable[str]) -> None:
    for binding_id in binding_ids:
        # The chassis, and all that it held, may have been forgotten meanwhile.
        if (binding := tx.get(PortBinding, binding_id)) is not None:
            release(tx, zones_of(binding.chassis_id), binding.zone)
            tx.delete(PortBinding, binding_id)


def zones_of(chassis_id: str) -> str:
    """Name the claim scope of a chassis's connection tracking zones, where connections may outlive a binding."""
    return f"zone:{chassis_id}"
