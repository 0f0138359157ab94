"""Gateway roles pass from chassis to chassis, and whatever happens in whatever order, two never answer at once."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flows.fields import ARP_REPLY
from flows.flow import Flow
from flows.packets import arp_request
from flows.simulator import Fabric
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.outages import PATIENCE, SILENCE, Outages
from sdnapp.realization import IN_SYNC, SILENT, SYNCING
from sdnapp.responders import Responders
from tests.clouds import CHASSIS, UPSTREAM, UPSTREAM_MAC, SimulatedCloud
from tests.gateway_stories import FLAT, OUTSIDE, outward
from tests.real_ovs.frames import from_bytes
from topology.gateway_values import GatewayBinding, NoUpstream, Outage
from topology.values import Chassis, Router

DATAPATHS = {name: f"{number:016x}" for number, name in enumerate(CHASSIS, 1)}


class SlowSwitches:
    """Switches that do what they are told when the test lets them."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Any, Flow]] = {at: {} for at in DATAPATHS.values()}
        self.waiting: dict[str, list[tuple[int, dict[Any, Flow]]]] = {at: [] for at in DATAPATHS.values()}
        self._told: dict[str, dict[Any, Flow]] = {}

    def assign(self, datapath_id: str, flows: Iterable[Flow], revision: int) -> None:
        self._told[datapath_id] = {flow.key: flow for flow in flows}
        self.waiting[datapath_id].append((revision, self._told[datapath_id]))

    def update(self, datapath_id: str, added: Iterable[Flow], removed: Iterable[Flow], revision: int) -> None:
        gone = {flow.key for flow in removed}
        kept = {key: flow for key, flow in self._told[datapath_id].items() if key not in gone}
        self._told[datapath_id] = kept | {flow.key: flow for flow in added}
        self.waiting[datapath_id].append((revision, self._told[datapath_id]))

    def refuse(self, datapath_id: str, reason: str) -> None:
        raise AssertionError(reason)


class World:
    """A cloud with three gateway chassis, a controller, and the physical network between them."""

    def __init__(self) -> None:
        cloud = SimulatedCloud()
        outward(cloud, CHASSIS, CHASSIS)
        self.store, self.switches = cloud.store, SlowSwitches()
        self.learnt: dict[str, dict[Flow, None]] = {}
        with self.store.transaction() as tx:
            for name, datapath_id in DATAPATHS.items():
                row = tx.get(Chassis, name)
                assert row is not None
                tx.put(replace(row, datapath_id=datapath_id))
        self.silent: set[str] = set()
        """Whose links to the controller are cut without a word: what they are told waits."""
        self.start_controller()
        for name in CHASSIS:
            self.connect(name)
        self.settle()

    def start_controller(self) -> None:
        """Start one to which nobody is connected; what a former one has told, and switches have not done, is lost."""
        self.woken = threading.Event()
        responders = Responders(self.store, DhcpSettings())
        self.controller = Controller(self.store, self.switches, responders, self.woken.set)
        self.outages = Outages(
            *(self.store, lambda: self.controller.engine.view, self.state, self.show),
            answers=lambda name: name not in self.silent,
            heard=lambda name, *, is_heard: self.controller.heard(name, is_heard=is_heard),
        )
        for waiting in self.switches.waiting.values():
            waiting.clear()

    def state(self, name: str) -> str:
        return self.controller.realization.progress(name).state

    def show(self, chassis: str, physical_network: str, frame: bytes) -> bool:
        if self.controller.datapath_of(chassis) is None or chassis in self.silent:
            return False
        self.fabric.inject_physical(physical_network, from_bytes(frame))
        return True

    @property
    def fabric(self) -> Fabric:
        flows = {name: list(self.switches.tables[at].values()) for name, at in DATAPATHS.items()}
        return Fabric(self.store.all(Chassis), flows, {}, learnt=self.learnt)

    @property
    def answering(self) -> list[str]:
        walk = self.fabric.inject_physical(FLAT, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE))
        return [frame.chassis_id for frame in walk.on_physical if frame.packet["arp_op"] == ARP_REPLY]

    @property
    def binding(self) -> GatewayBinding:
        row = self.store.get(GatewayBinding, "router/hub")
        assert row is not None
        return row

    def connect(self, name: str) -> None:
        self.silent.discard(name)
        self.controller.switch_connected(DATAPATHS[name])

    def cut(self, name: str) -> None:
        self.switches.waiting[DATAPATHS[name]].clear()
        self.controller.switch_disconnected(DATAPATHS[name])

    def obey(self, name: str, *, is_heard: bool = True) -> None:
        """Let a switch do the next thing that it was told, and say so."""
        datapath_id = DATAPATHS[name]
        if name not in self.silent and self.switches.waiting[datapath_id]:
            revision, self.switches.tables[datapath_id] = self.switches.waiting[datapath_id].pop(0)
            if is_heard:
                self.controller.confirmed(datapath_id, revision)

    def settle(self) -> None:
        """Let everybody do all that there is to do."""
        self.controller.catch_up()
        while self.woken.is_set() or any(self.switches.waiting[DATAPATHS[name]] for name in {*CHASSIS} - self.silent):
            self.woken.clear()
            for name in CHASSIS:
                self.obey(name)
            self.controller.catch_up()

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.outages.tick()

    def cut_off(self, name: str, *, lost: bool) -> None:
        with self.store.transaction() as tx:
            if lost:
                tx.put(NoUpstream(f"world/{name}"))
            else:
                tx.delete(NoUpstream, f"world/{name}")

    def write(self) -> None:
        """Let somebody write what concerns no gateway."""
        with self.store.transaction() as tx:
            row = tx.get(Router, "hub")
            assert row is not None
            tx.put(replace(row, description=f"{row.description}."))


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
    world.cut_off(first, lost=False)
    world.settle()
    assert world.answering == [first]


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


class AnyTrouble(RuleBasedStateMachine):
    """Sessions end and begin, links break, switches are slow, their word is lost, the controller dies at any moment."""

    names = st.sampled_from(CHASSIS)

    @initialize()
    def start(self) -> None:
        self.world = World()

    @rule(name=names)
    def cut(self, name: str) -> None:
        self.world.cut(name)

    @rule(name=names)
    def connect(self, name: str) -> None:
        self.world.connect(name)

    @rule()
    def restart(self) -> None:
        self.world.start_controller()

    @rule(name=names)
    def fall_silent(self, name: str) -> None:
        self.world.silent.add(name)

    @rule(name=names)
    def speak_again(self, name: str) -> None:
        self.world.silent.discard(name)

    @rule()
    def all_connect(self) -> None:
        for name in CHASSIS:
            self.world.connect(name)

    @rule(name=names)
    def work_off(self, name: str) -> None:
        self.world.controller.catch_up()
        for _ in range(3):
            self.world.obey(name)

    @rule(name=names, is_heard=st.sampled_from((True, True, False)))
    def obey(self, name: str, is_heard: bool) -> None:
        self.world.obey(name, is_heard=is_heard)
        if not is_heard:
            self.world.cut(name)

    @rule(name=names, lost=st.booleans())
    def link(self, name: str, lost: bool) -> None:
        self.world.cut_off(name, lost=lost)

    @rule(name=names, gateway=st.booleans())
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

    @rule()
    def catch_up(self) -> None:
        self.world.controller.catch_up()

    @rule(times=st.integers(1, SILENCE))
    def tick(self, times: int) -> None:
        self.world.tick(times)

    @precondition(
        lambda self: len(self.world.controller._attachments.chassis()) == len(CHASSIS) and not self.world.silent
    )
    @rule()
    def settle(self) -> None:
        self.world.settle()
        for _ in range(2):
            self.world.tick()
            self.world.settle()
        assert self.world.answering == [self.world.binding.chassis_id]

    @invariant()
    def one_answers_at_most(self) -> None:
        assert len(self.world.answering) <= 1


AnyTrouble.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestAnyTrouble = AnyTrouble.TestCase
