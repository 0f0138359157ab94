"""No packet goes where Neutron's rows do not let it, and every honest one that they let go arrives.

The judge is ``tests.permitted_paths``, which reads the rows and knows no flow. Faults planted in the tables show that
it would see one.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import cycle, islice
from typing import NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from flows.flow import Flow
from flows.packets import Packet
from flows.pipeline import TABLES
from flows.simulated_connections import Connections
from flows.simulator import Fabric
from tests.clouds import CHASSIS, SimulatedCloud
from tests.permitted_paths import is_honest, may_arrive
from tests.random_clouds import attacks, clouds, honest, instances
from topology.values import Chassis, Port

TRICKS_A_PAIR = 5
some_attacks = st.lists(attacks, min_size=37, max_size=37)


class Fault(NamedTuple):
    """Flows of a table and a priority that all lost their condition on a field."""

    table: str
    priority: str
    field: str


class NothingBegun(Connections):
    """Remembers no connection, so that each packet is judged by itself."""

    def commit(self, chassis_id: str, zone: int, packet: Packet) -> bool:
        return True


class Judge:
    """Sends packets in a cloud, its flows perhaps with a fault, and holds that each arrives only where it may."""

    def __init__(self, cloud: SimulatedCloud, fault: Fault | None = None) -> None:
        self._cloud, self.permitted, self.refused = cloud, 0, 0
        self._is_sound = fault is None
        flows = {name: _weakened(cloud.flows(name).values(), fault) for name in CHASSIS}
        self._fabric = Fabric(cloud.store.all(Chassis), flows, cloud._placements, NothingBegun())
        self._places = {place.partition("@")[0]: place for place in cloud._placements}

    def send(self, sender: Port, packet: Packet) -> set[str]:
        """Let a port send; return the ids of the others that it reached."""
        walk = self._fabric.inject(self._places[sender.id], packet)
        reached = {place.partition("@")[0] for place, _ in walk.deliveries} - {sender.id}
        for port_id in reached:
            receiver = self._cloud.store.get(Port, port_id)
            assert receiver is not None
            may = may_arrive(self._cloud.store, sender, receiver, packet)
            assert may, f"{packet}\nfrom {sender}\ncame to {receiver}"
        # Two flows of one priority for one packet, say: a planted fault shall be found by where packets come out.
        assert not (self._is_sound and walk.faults), walk.faults
        return reached

    def attack(self, drawn: list) -> None:
        """Each pair of ports says what is honest, and plays some of the tricks; the next pair plays the next ones."""
        turns = cycle(drawn)
        for sender, victim in _pairs(self._cloud):
            played = (build(self._cloud, sender, victim) for build in islice(turns, TRICKS_A_PAIR))
            for packet in (*played, *honest(self._cloud, sender, victim)):
                self.send(sender, packet)

    def converse(self) -> None:
        for sender, target in _pairs(self._cloud):
            for packet in honest(self._cloud, sender, target):
                assert is_honest(sender, packet)
                may = may_arrive(self._cloud.store, sender, target, packet)
                assert (target.id in self.send(sender, packet)) == may, f"{packet}\nfrom {sender}\nto {target}: {may}"
                self.permitted, self.refused = self.permitted + may, self.refused + (not may)


def _pairs(cloud: SimulatedCloud) -> list[tuple[Port, Port]]:
    ports = instances(cloud)
    return [(one, other) for one in ports for other in ports if one.id != other.id]


def _weakened(flows: Iterable[Flow], fault: Fault | None) -> list[Flow]:
    """Plant a fault. Of flows that are then alike, a switch holds one."""
    if fault is None:
        return list(flows)
    table, priority = TABLES[fault.table].number, TABLES[fault.table].priorities[fault.priority]
    held = {}
    for each in flows:
        if (each.table, each.priority) == (table, priority):
            each = replace(each, match=tuple(term for term in each.match if term.field != fault.field))
        held[each.key] = each
    return list(held.values())


@settings(max_examples=15, derandomize=True)
@given(cloud=clouds(), drawn=some_attacks)
def test_nothing_arrives_without_a_permitted_path(cloud, drawn):
    Judge(cloud).attack(drawn)


@settings(max_examples=15, derandomize=True)
@given(cloud=clouds())
def test_what_is_honest_arrives_if_and_only_if_it_is_permitted(cloud):
    Judge(cloud).converse()


def test_some_conversations_are_permitted_and_some_are_refused():
    seen = [0, 0]

    @settings(max_examples=3, derandomize=True, database=None, phases=[Phase.generate])
    @given(cloud=clouds())
    def talk(cloud):
        judge = Judge(cloud)
        judge.converse()
        seen[0] += judge.permitted
        seen[1] += judge.refused

    talk()
    assert min(seen) >= 30, seen


FAULTS = (
    Fault("port_security", "permit", "eth_src"),
    Fault("port_security", "permit", "ipv4_src"),
    Fault("classification", "origin", "tun_id"),
    Fault("forwarding", "known", "network"),
    Fault("remote_members", "member", "remote_group"),
    Fault("permissions", "rule", "security_group"),
    Fault("permissions", "rule", "ct_tp_dst"),
)


@pytest.mark.parametrize("fault", FAULTS, ids="-".join)
def test_a_planted_fault_is_found(fault):
    @settings(max_examples=20, derandomize=True, database=None, phases=[Phase.generate])
    @given(cloud=clouds(), drawn=some_attacks)
    def attacked(cloud, drawn):
        Judge(cloud, fault).attack(drawn)

    with pytest.raises(AssertionError, match="came to"):
        attacked()
