"""What chassis report about themselves, stored beside intent: chassis rows and port bindings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    with store.transaction() as tx:
        known = tx.get(Chassis, chassis.id)
        # One that has been forgotten since then has lost all that the last report recorded.
        standing = _standing(tx, chassis.id, changed if known is not None else None)
        ids = plugged.keys() if changed is None or known is None else plugged.keys() & changed
        # A binding of a version without zones has none: it needs one, or tenants would share zone 0.
        settled = {id_: Plugged(each.ofport, each.interface) for id_, each in standing.items() if each.zone}
        wanted = sorted((id_, plugged[id_]) for id_ in ids if settled.get(id_) != plugged[id_])
        if known != chassis:
            tx.put(chassis)
        gone = sorted(id_ for id_ in standing if id_ not in plugged)
        for port_id in gone[:AT_ONCE]:
            _unbind(tx, standing[port_id])
        _bind(tx, chassis.id, wanted[:AT_ONCE])
    _unbind_some_at_a_time(store, [standing[port_id].id for port_id in gone[AT_ONCE:]], give_way)
    for start in range(AT_ONCE, len(wanted), AT_ONCE):
        give_way()
        with store.transaction() as tx:
            if tx.get(Chassis, chassis.id) is None:
                # It has been forgotten meanwhile.
                return
            _bind(tx, chassis.id, wanted[start : start + AT_ONCE])


def _unbind_some_at_a_time(store: Store, binding_ids: Sequence[str], give_way: GiveWay) -> None:
    for start in range(0, len(binding_ids), AT_ONCE):
        give_way()
        with store.transaction() as tx:
            for binding_id in binding_ids[start : start + AT_ONCE]:
                # The chassis, and all that it held, may have been forgotten meanwhile.
                if (binding := tx.get(PortBinding, binding_id)) is not None:
                    _unbind(tx, binding)


def _standing(tx: Transaction, chassis_id: str, port_ids: Collection[str] | None) -> dict[str, PortBinding]:
    """Return the bindings of a chassis by port: those of some ports, or all."""
    if port_ids is None:
        return {binding.port_id: binding for binding in tx.find(PortBinding, "chassis", chassis_id)}
    found = {port_id: tx.get(PortBinding, _binding_id(port_id, chassis_id)) for port_id in port_ids}
    return {port_id: binding for port_id, binding in found.items() if binding is not None}


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
        for binding in tx.find(PortBinding, "chassis", chassis_id):
            _unbind(tx, binding)
        tx.delete(Chassis, chassis_id)


def _unbind(tx: Transaction, binding: PortBinding) -> None:
    release(tx, zones_of(binding.chassis_id), binding.zone)
    tx.delete(PortBinding, binding.id)


def zones_of(chassis_id: str) -> str:
    """Name the claim scope of a chassis's connection tracking zones, where connections may outlive a binding."""
    return f"zone:{chassis_id}"
