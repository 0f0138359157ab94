"""Gateway roles pass from chassis to chassis, and whatever happens in whatever order, two never answer at once."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sdnapp.handovers import HEARING
from sdnapp.handovers import PATIENCE as WHILE
from sdnapp.outages import PATIENCE, SILENCE
from sdnapp.realization import IN_SYNC, SILENT, SYNCING
from tests.clouds import CHASSIS
from tests.sdnapp.handover_world import DATAPATHS, Trouble, World
from topology.gateway_values import (
    GETTING_READY,
    LETTING_GO,
    PASSING_ON,
    TAKING_OVER,
    Outage,
)
from topology.values import Chassis


def test_the_next_one_answers_when_the_former_has_let_go() -> None:
    world = World()
    (first,) = world.answering
    world.cut_off(first, lost=True)
    for name in set(CHASSIS) - {first}:
        world.controller.catch_up()
        world.obey(name)
    assert world.binding.former == first and world.answering == [first], "it has not said so"
    world.settle()
    assert world.answering == [world.binding.chassis_id] != [first] and world.binding.former is None


def handing_over() -> tuple[World, str]:
    """A gateway chassis that answers, and is decided to answer no more, which it has not heard."""
    world = World()
    (first,) = world.answering
    world.cut_off(first, lost=True)
    world.controller.catch_up()
    assert world.binding.former == first
    return world, first


def test_the_next_one_waits_for_the_former_though_others_write_meanwhile() -> None:
    """The former hears of both at once, by the number of the later one."""
    world, first = handing_over()
    world.write()
    for _ in range(3):
        world.controller.catch_up()
        for name in set(CHASSIS) - {first}:
            world.obey(name)
    assert world.answering == [first], "it has not said that it has let go"
    world.settle()
    assert world.answering == [world.binding.chassis_id] != [first]


def test_one_that_only_the_controller_has_lost_is_silenced_until_it_is_in_sync() -> None:
    world = World()
    (first,) = world.answering
    world.cut(first)
    world.tick(PATIENCE - 1)
    world.settle()
    assert world.answering == [first]
    world.tick()
    assert world.answering == [], "the former is silent before another speaks"
    world.settle()
    assert world.answering == [world.binding.chassis_id] != [first]
    world.connect(first)
    world.tick()
    assert world.store.get(Outage, first) is not None, "it has not confirmed its flows"
    world.settle()
    world.tick()
    world.settle()
    assert world.answering == [first] and world.store.get(Outage, first) is None


def test_one_that_does_not_answer_is_silenced_until_it_has_confirmed_what_it_was_told_meanwhile() -> None:
    world = World()
    (first,) = world.answering
    world.silent.add(first)
    world.tick(SILENCE - 1)
    world.settle()
    assert world.answering == [first] and world.state(first) == IN_SYNC, "it may only be busy"
    world.tick()
    assert world.answering == [] and world.state(first) == SILENT
    world.settle()
    assert world.answering == [world.binding.chassis_id] != [first]
    world.silent.remove(first)
    world.tick()
    assert world.state(first) == SYNCING and world.store.get(Outage, first) is not None, "it has not confirmed anything"
    world.settle()
    world.tick()
    world.settle()
    assert world.answering == [first] and world.store.get(Outage, first) is None


def test_where_nobody_answers_all_stays_as_it_is() -> None:
    world = World()
    (first,) = world.answering
    world.silent |= {*CHASSIS}
    world.tick(2 * SILENCE)
    world.settle()
    assert world.answering == [first] and list(world.store.ids(Outage)) == []
    assert {world.state(name) for name in CHASSIS} == {IN_SYNC}


def test_one_that_falls_silent_and_is_no_gateway_chassis_any_more_counts_again() -> None:
    world = World()
    (first,) = world.answering
    world.silent.add(first)
    world.tick(SILENCE)
    with world.store.transaction() as tx:
        row = tx.get(Chassis, first)
        assert row is not None
        tx.put(replace(row, gateway=False))
    world.silent.remove(first)
    world.settle()
    world.tick()
    world.settle()
    assert world.state(first) == IN_SYNC and world.store.get(Outage, first) is None


def test_where_nobody_is_reached_all_stays_as_it_is() -> None:
    world = World()
    before = world.binding
    for name in CHASSIS:
        world.cut(name)
        world.tick(PATIENCE + 1)
        world.settle()
    assert len(world.answering) == 1 and world.answering == [world.binding.chassis_id] and before.former is None


def test_a_new_controller_goes_on_where_the_former_stopped() -> None:
    world, first = handing_over()
    world.start_controller()
    for name in CHASSIS:
        world.connect(name)
    assert world.answering == [first]
    world.settle()
    assert world.answering == [world.binding.chassis_id] != [first]


def test_a_new_controller_lets_the_next_one_answer_where_the_former_has_let_go_already() -> None:
    world = World()
    (first,) = world.answering
    world.cut_off(first, lost=True)
    for _ in range(2):
        world.controller.catch_up()
    world.obey(first, is_heard=False)
    assert world.answering == [], "the controller died before it could tell the next one"
    world.start_controller()
    for name in CHASSIS:
        world.connect(name)
    world.settle()
    assert world.answering == [world.binding.chassis_id] != [first]


def handing_back() -> tuple[World, str, str]:
    """A gateway chassis that hears the upstream router again, and the one that is to hand over to it."""
    world = World()
    (preferred,) = world.answering
    world.cut_off(preferred, lost=True)
    world.settle()
    (former,) = world.answering
    world.cut_off(preferred, lost=False)
    return world, former, preferred


def test_a_gateway_chassis_hands_over_without_a_question_unanswered_or_answered_twice() -> None:
    world, former, successor = handing_back()
    world.settle()
    assert (world.binding.step, world.answering) == (PASSING_ON, [successor])
    assert not world.answering_late(successor), "it is passed on"
    world.tick(WHILE)
    world.catch_up()
    world.obey(former)
    assert (world.binding.step, world.answering) == (TAKING_OVER, [successor]), "it has not heard that it takes over"
    world.obey(successor)
    assert world.answering == [successor] and world.answering_late(successor)
    world.settle()
    assert world.answering == [successor] and world.binding.former is None
    assert not world.answering_late(former)


def test_the_former_answers_until_it_reaches_the_successor_by_tunnel() -> None:
    """A BFD session needs some seconds after a gateway chassis has started."""
    world, former, successor = handing_back()
    world.are_joined = False
    world.settle()
    world.tick(HEARING - 1)
    world.settle()
    assert (world.binding.step, world.answering) == (GETTING_READY, [former])
    world.are_joined = True
    world.tick()
    world.settle()
    assert (world.binding.step, world.answering) == (PASSING_ON, [successor])


@pytest.mark.parametrize("step", [GETTING_READY, PASSING_ON])
def test_the_former_falls_silent_first_where_no_tunnel_leads_to_the_successor(step: str) -> None:
    world, former, successor = handing_back()
    world.are_joined = step == PASSING_ON
    world.settle()
    assert world.binding.step == step
    world.are_joined = False
    world.tick(HEARING if step == GETTING_READY else 1)
    world.catch_up()
    world.obey(successor)
    assert world.binding.step == LETTING_GO and successor not in world.answering
    world.obey(former)
    assert world.answering == []
    world.settle()
    assert world.answering == [successor] and world.binding.former is None


def test_what_has_waited_at_the_successor_while_the_former_answered_it_is_not_answered_again() -> None:
    """Its switch is stopped, and what it was told meanwhile comes first when it goes on."""
    world, former, successor = handing_back()
    while world.binding.step != PASSING_ON:
        assert world.answering == [former], "the question is heard now, by both"
        for name in CHASSIS:
            world.obey(name)
        world.controller.catch_up()
    for _ in range(WHILE - 1):
        world.obey(former)
        world.tick()
        world.catch_up()
    while world.switches.waiting[DATAPATHS[successor]]:
        world.obey(successor)
    assert not world.answering_late(successor)


def test_a_handover_stays_where_the_controller_has_died_and_a_new_one_goes_on() -> None:
    for step in (GETTING_READY, PASSING_ON, TAKING_OVER):
        world, _, successor = handing_back()
        while world.binding.step != step:
            world.controller.catch_up()
            for name in CHASSIS:
                world.obey(name)
            world.tick()
        world.start_controller()
        assert len(world.answering) == 1, step
        for name in CHASSIS:
            world.connect(name)
        world.settle()
        assert len(world.answering) == 1, step
        world.tick(WHILE)
        world.settle()
        assert world.answering == [successor] and world.binding.former is None


def test_a_successor_that_is_lost_as_it_takes_over_is_silenced() -> None:
    """Nobody knows whether it has heard of that."""
    for has_heard in (True, False):
        world, _, successor = handing_back()
        world.settle()
        world.tick(WHILE)
        world.catch_up()
        assert world.binding.step == TAKING_OVER
        if has_heard:
            world.obey(successor, is_heard=False)
        world.cut(successor)
        world.tick(WHILE)
        world.settle()
        assert world.answering == [world.binding.chassis_id] != [successor]


class NobodyIsLost(RuleBasedStateMachine):
    """Gateway chassis come and go, and are well. The controller dies at any moment, switches are slow."""

    names = st.sampled_from(CHASSIS)

    @initialize()
    def start(self) -> None:
        self.world = World()

    @rule(name=names, gateway=st.booleans())
    def serve(self, name: str, gateway: bool) -> None:
        """Become a gateway chassis, or be none any more; one that stands for the router goes on with that."""
        row = self.world.store.get(Chassis, name)
        assert row is not None
        if gateway or name not in (self.world.binding.chassis_id, self.world.binding.former):
            with self.world.store.transaction() as tx:
                tx.put(replace(row, gateway=gateway))

    @rule()
    def restart(self) -> None:
        self.world.start_controller()

    @rule()
    def all_connect(self) -> None:
        for name in CHASSIS:
            self.world.connect(name)

    @rule(name=names, is_heard=st.booleans())
    def obey(self, name: str, is_heard: bool) -> None:
        self.world.controller.catch_up()
        self.world.obey(name, is_heard=is_heard)

    @rule()
    def tick(self) -> None:
        """Not one of those that say who is lost."""
        self.world.controller.tick()

    @rule()
    def settle(self) -> None:
        if len(self.world.controller._attachments.chassis()) == len(CHASSIS):
            self.world.settle()

    @invariant()
    def one_answers(self) -> None:
        assert len(self.world.answering) == 1


NobodyIsLost.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestNobodyIsLost = NobodyIsLost.TestCase


class AnyTrouble(Trouble):
    """Sessions end and begin, links break, switches are slow, their word is lost, the controller dies at any moment."""

    @initialize()
    def start(self) -> None:
        self.world = World()

    @rule(are_joined=st.booleans())
    def say(self, are_joined: bool) -> None:
        self.world.are_joined = are_joined

    @rule(name=Trouble.names, gateway=st.booleans())
    def serve(self, name: str, gateway: bool) -> None:
        """Become a gateway chassis, or be none any more unless it is the last one."""
        others = [row for row in self.world.store.all(Chassis) if row.gateway and row.id != name]
        row = self.world.store.get(Chassis, name)
        assert row is not None
        if gateway or others:
            with self.world.store.transaction() as tx:
                tx.put(replace(row, gateway=gateway))

    @rule()
    def write(self) -> None:
        self.world.write()

    @precondition(
        lambda self: len(self.world.controller._attachments.chassis()) == len(CHASSIS) and not self.world.silent
    )
    @rule()
    def settle(self) -> None:
        self.world.settle()
        self.world.are_joined = True
        for _ in range(2 * WHILE + 1):
            self.world.tick()
            self.world.settle()
        assert self.world.answering == [self.world.binding.chassis_id] and self.world.binding.former is None

    @invariant()
    def one_answers_at_most(self) -> None:
        assert len(self.world.answering) <= 1


AnyTrouble.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestAnyTrouble = AnyTrouble.TestCase
