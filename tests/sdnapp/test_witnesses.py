"""Witnesses: whatever is cut off from whatever, of two gateway chassis that answer, one has never had any."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from flows.packets import arp_request
from flows.simulator import Fabric
from sdnapp.handovers import PATIENCE as WHILE
from sdnapp.outages import PATIENCE as OUT
from sdnapp.witnesses import NOTICED_EARLY, PATIENCE
from tests.clouds import CHASSIS, ENCAP_IPS, UPSTREAM, UPSTREAM_MAC, WATCH_PORTS
from tests.gateway_stories import FLAT, OUTSIDE
from tests.real_ovs.frames import from_bytes
from tests.sdnapp.handover_world import DATAPATHS, Trouble, World, answers
from topology.doors import watched
from topology.gateway_values import Alone, Fence, Outage
from topology.values import Chassis
from topology.witnesses import Hearing, chosen, withdrawals

Pair = tuple[str, str]
"""A chassis, and another one that it watches."""
PAIRS = [(one, other) for one in CHASSIS for other in CHASSIS if one != other]


class Parted(World):
    """A world with tunnels and an external network that can be parted, and databases that tell of BFD.

    Chassis notice what has become of others only as time passes; what databases tell is true at once.
    """

    def __init__(self) -> None:
        self.broken: set[frozenset[str]] = set()
        """Chassis between which no tunnel leads."""
        self.withdrawn: set[Pair] = set()
        self.deaf: set[Pair] = set()
        """Who counts whom as dead."""
        self.mute: set[str] = set()
        """Whose databases the controller does not reach."""
        self.elsewhere: set[str] = set()
        """Who is in the other part of the external network."""
        super().__init__()
        self.settle_down()

    def told(self) -> dict[str, Hearing]:
        return {name: self._hearing(name) for name in CHASSIS if name not in self.mute}

    def _hearing(self, name: str) -> Hearing:
        up = {other for other in CHASSIS if other != name and frozenset((name, other)) not in self.broken}
        ends = [up, {other for other in up if (other, name) not in self.withdrawn}]
        ends.append({other for one, other in self.withdrawn if one == name})
        return Hearing(*(frozenset(ENCAP_IPS[each] for each in each_kind) for each_kind in ends))

    def dead_ports(self) -> frozenset[tuple[str, int]]:
        return frozenset((name, WATCH_PORTS[other]) for name, other in self.deaf)

    def answers(self, fabric: Fabric) -> list[str]:
        """Return who answers a broadcast. Who is asked by unicast counts as dead whom it does not hear."""
        return answers(fabric, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE))

    def notice(self) -> None:
        """Let each chassis know by BFD what has become of the others."""
        hearing = {name: self._hearing(name).heard for name in CHASSIS}
        self.deaf = {(name, other) for name, other in PAIRS if ENCAP_IPS[other] not in hearing[name]}

    def obey_database(self, name: str) -> None:
        """Let a switch do what is wanted of its watch ports, if the controller reaches its database."""
        if name not in self.mute:
            wanted = withdrawals(self.store).get(name, frozenset())
            others = {pair for pair in self.withdrawn if pair[0] != name}
            self.withdrawn = others | {(name, other) for other in CHASSIS if ENCAP_IPS[other] in wanted}

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.notice()
            super().tick()

    def show(self, chassis: str, physical_network: str, frame: bytes) -> bool:
        if self.controller.datapath_of(chassis) is None or chassis in self.silent:
            return False
        there = [name for name in CHASSIS if (name in self.elsewhere) == (chassis in self.elsewhere)]
        self.fabric.inject_physical(FLAT, from_bytes(frame), to=there)
        return True

    def part(self, *names: str) -> None:
        """Let nobody else reach some by tunnel."""
        self.broken |= {frozenset(pair) for pair in PAIRS if (pair[0] in names) != (pair[1] in names)}

    def fence(self, name: str) -> Fence:
        row = self.store.get(Fence, name)
        assert row is not None
        return row

    def settle_down(self) -> None:
        """Let time pass until nothing changes any more."""
        for _ in range(2 * (WHILE + PATIENCE) + 2):
            for name in CHASSIS:
                self.obey_database(name)
            self.tick()
            self.settle()

    def is_guarded(self, name: str) -> bool:
        """Return whether a switch has flows by which it falls silent if it hears no witness."""
        return any(
            field == "witness" for flow in self.switches.tables[DATAPATHS[name]].values() for field, *_ in flow.match
        )


def lose(world: Parted, name: str) -> None:
    world.cut(name)
    world.mute.add(name)
    world.tick(OUT)
    world.settle()


def cut_off() -> tuple[Parted, str]:
    """The one that answers is cut off from all but its half of the external network, and the controller knows."""
    world = Parted()
    (former,) = world.answering
    assert {*world.fence(former).witnesses} == {*CHASSIS} - {former} and world.is_guarded(former)
    world.part(former)
    world.elsewhere = {former}
    lose(world, former)
    return world, former


def test_another_answers_when_the_witnesses_of_the_former_have_withdrawn_and_never_both() -> None:
    world, former = cut_off()
    assert world.answering == [], "it has noticed that it is alone"
    for name in world.fence(former).witnesses:
        assert world.store.get(Outage, former) is not None and not world.witnesses.is_silent(former)
        world.obey_database(name)
    world.tick()
    world.settle()
    (successor,) = world.answering
    assert successor == world.binding.chassis_id != former
    world.broken, world.elsewhere = set(), set()
    world.notice()
    assert world.answering == [successor], "the parts are joined, and nobody has shown a secret"


def test_who_is_cut_off_from_the_controller_alone_goes_on_until_each_witness_has_withdrawn() -> None:
    world = Parted()
    (former,) = world.answering
    lose(world, former)
    first, second = world.fence(former).witnesses
    for mute in ({first}, {first, second}):
        world.mute = {former} | mute
        for name in {first, second} - mute:
            world.obey_database(name)
        world.tick(2 * PATIENCE)
        world.settle()
        assert world.answering == [former], "nobody shows it its secret before another may take its place"
    world.mute = {former}
    for name in (first, second):
        world.obey_database(name)
    world.notice()
    assert world.answering == []
    world.tick(int(NOTICED_EARLY) + 1)
    world.settle()
    assert world.answering == [world.binding.chassis_id] != [former]


def test_a_controller_that_dies_changes_nothing_about_who_has_withdrawn() -> None:
    world, former = cut_off()
    for name in CHASSIS:
        world.obey_database(name)
    world.start_controller()
    world.broken, world.elsewhere = set(), set()
    world.notice()
    assert world.answering == []
    for name in {*CHASSIS} - {former}:
        world.connect(name)
    world.settle()
    assert world.answering == [], "the new one has not seen since when they are silent"
    world.tick(int(NOTICED_EARLY) + 1)
    world.settle()
    assert world.answering == [world.binding.chassis_id] != [former]


def test_who_returns_serves_again_when_a_witness_is_heard() -> None:
    world, former = cut_off()
    world.settle_down()
    (successor,) = world.answering
    world.mute, world.elsewhere = set(), set()
    world.connect(former)
    world.settle_down()
    assert world.answering == [successor] and world.store.get(Alone, former) is not None
    assert world.store.get(Outage, former) is None and world.withdrawn == set()
    world.broken = set()
    world.settle_down()
    assert world.answering == [former] and world.store.get(Alone, former) is None


def test_who_hears_no_witness_though_the_controller_reaches_it_gives_its_roles_to_one_that_does() -> None:
    world = Parted()
    (former,) = world.answering
    world.part(former)
    world.tick(PATIENCE - 1)
    world.settle()
    assert world.binding.chassis_id == former and world.answering == []
    world.settle_down()
    assert world.answering == [world.binding.chassis_id] != [former]


def test_where_nobody_hears_anybody_it_is_as_without_witnesses() -> None:
    world = Parted()
    (former,) = world.answering
    world.part(former)
    world.broken = {frozenset(pair) for pair in PAIRS}
    world.settle_down()
    assert world.answering == [former] and {world.fence(name).witnesses for name in CHASSIS} == {()}


def test_former_witnesses_count_until_their_chassis_has_confirmed_that_it_has_others() -> None:
    world = Parted()
    (former,) = world.answering
    before = world.fence(former).witnesses
    world.broken = {frozenset(pair) for pair in PAIRS}
    world.tick(PATIENCE)
    assert world.fence(former) == replace(world.fence(former), witnesses=(), leaving=before)
    lose(world, former)
    outage = world.store.get(Outage, former)
    assert outage is not None and {*outage.witnesses} == {*before}


def test_who_was_deleted_and_returns_without_flows_of_ours_is_heard_by_nobody() -> None:
    world, former = cut_off()
    world.settle_down()
    row = world.store.get(Chassis, former)
    assert row is not None
    with world.store.transaction() as tx:
        tx.delete(Chassis, former)
    world.tick()
    world.settle()
    with world.store.transaction() as tx:
        tx.put(row)
    world.settle()
    world.tick(OUT + 1)
    other = next(name for name in CHASSIS if name != former)
    ends = world.controller.engine.ask(watched, other)
    assert world.store.get(Fence, former) is None and ENCAP_IPS[former] not in ends
    world.mute.clear()
    world.connect(former)
    world.settle()
    world.tick()
    world.settle()
    assert ENCAP_IPS[former] in world.controller.engine.ask(watched, other)


@pytest.mark.parametrize(
    ("current", "lost", "candidates", "expected"),
    [
        ("", "", "", ""),
        ("", "", "a", ""),
        ("", "", "cab", "ca"),
        ("ab", "", "", "ab"),
        ("ab", "", "cd", "ab"),
        ("ab", "a", "", ""),
        ("ab", "a", "bcd", "bc"),
        ("ab", "ab", "", "ab"),
        ("ab", "ab", "c", ""),
        ("ab", "ab", "cd", "cd"),
        ("a", "", "", ""),
        ("a", "a", "", ""),
        ("a", "", "ab", "ab"),
    ],
)
def test_witnesses_are_two_or_none_and_change_as_little_as_can_be(
    current: str, lost: str, candidates: str, expected: str
) -> None:
    assert chosen(tuple(current), lost, candidates) == tuple(expected)


class AnyPartition(Trouble):
    """Sessions, tunnels, databases and the external network break and are mended, and the controller dies."""

    world: Parted

    @initialize()
    def start(self) -> None:
        self.world = Parted()

    @rule(name=Trouble.names)
    def cut_off(self, name: str) -> None:
        self.world.part(name)
        self.world.elsewhere = {name}
        lose(self.world, name)

    @rule()
    def all_connect(self) -> None:
        for name in CHASSIS:
            self.world.connect(name)
        self.world.mute.clear()

    @rule(name=Trouble.names)
    def obey_database(self, name: str) -> None:
        self.world.obey_database(name)
        self.world.witnesses.look()

    @rule(name=Trouble.names, is_mute=st.booleans())
    def speak(self, name: str, is_mute: bool) -> None:
        (self.world.mute.add if is_mute else self.world.mute.discard)(name)

    @rule(pair=st.sampled_from(PAIRS))
    def break_tunnel(self, pair: Pair) -> None:
        self.world.broken.add(frozenset(pair))

    @rule(name=Trouble.names)
    def mend(self, name: str) -> None:
        self.world.broken = {pair for pair in self.world.broken if name not in pair}

    @rule(names=st.sets(Trouble.names))
    def part_outside(self, names: set[str]) -> None:
        self.world.elsewhere = names

    @rule()
    def notice(self) -> None:
        self.world.notice()

    @precondition(lambda self: len(self.world.controller._attachments.chassis()) == len(CHASSIS))
    @rule()
    def settle(self) -> None:
        self.world.silent.clear()
        self.world.mute.clear()
        self.world.broken.clear()
        self.world.settle_down()
        assert self.world.answering == [self.world.binding.chassis_id] and self.world.binding.former is None

    @invariant()
    def of_two_that_answer_one_never_had_witnesses(self) -> None:
        answering = self.world.answering
        lost = [name for name in answering if self.world.store.get(Outage, name) is not None]
        assert len(answering) <= 1 or (self.world.elsewhere and not any(map(self.world.is_guarded, lost)))


AnyPartition.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestAnyPartition = AnyPartition.TestCase
