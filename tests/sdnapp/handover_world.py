"""A controller and switches without sockets, in which gateway roles pass from chassis to chassis step by step."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from flows.fields import ARP_REPLY
from flows.flow import Flow
from flows.packets import Packet, arp_request
from flows.simulator import Fabric
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.outages import SILENCE, Outages
from sdnapp.responders import Responders
from sdnapp.witnesses import Witnesses
from tests.clouds import CHASSIS, UPSTREAM, UPSTREAM_MAC, SimulatedCloud
from tests.gateway_stories import FLAT, OUTSIDE, outward
from tests.real_ovs.frames import from_bytes
from tests.stand_in_stories import probe
from topology.gateway_values import (
    GatewayBinding,
    NoUpstream,
)
from topology.values import Chassis, Router
from topology.witnesses import Hearing

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

    def update(
        self,
        datapath_id: str,
        added: Iterable[Flow],
        removed: Iterable[Flow],
        revision: int,
        *,
        may_wait: bool = False,
    ) -> None:
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
        self.mac = outward(cloud, CHASSIS, CHASSIS).out.mac_address
        self.store, self.switches = cloud.store, SlowSwitches()
        self.learnt: dict[str, dict[Flow, None]] = {}
        with self.store.transaction() as tx:
            for name, datapath_id in DATAPATHS.items():
                row = tx.get(Chassis, name)
                assert row is not None
                tx.put(replace(row, datapath_id=datapath_id))
        self.are_joined = True
        """Whether chassis say that they reach one another by tunnel."""
        self.clock = 0.0
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
        self.controller = Controller(
            *(self.store, self.switches, responders, self.woken.set),
            are_joined=lambda one, other: self.are_joined,
            is_silent=lambda name: self.witnesses.is_silent(name),
        )
        progress = self.controller.realization.progress
        self.witnesses = Witnesses(self.store, self.told, progress, clock=lambda: self.clock)
        self.outages = Outages(
            *(self.store, lambda: self.controller.engine.view, self.state, self.show),
            is_silent=self.witnesses.is_silent,
            answers=lambda name: name not in self.silent,
            heard=lambda name, *, is_heard: self.controller.heard(name, is_heard=is_heard),
        )
        for waiting in self.switches.waiting.values():
            waiting.clear()

    def told(self) -> dict[str, Hearing]:
        """Return what databases tell of BFD: here nothing, so that there are no witnesses."""
        return {}

    def state(self, name: str) -> str:
        return self.controller.realization.progress(name).state

    def show(self, chassis: str, physical_network: str, frame: bytes) -> bool:
        if self.controller.datapath_of(chassis) is None or chassis in self.silent:
            return False
        self.fabric.inject_physical(physical_network, from_bytes(frame))
        return True

    @property
    def fabric(self) -> Fabric:
        return self.fabric_of(*CHASSIS)

    def fabric_of(self, *names: str) -> Fabric:
        flows = {name: list(self.switches.tables[DATAPATHS[name]].values()) for name in names}
        return Fabric(self.store.all(Chassis), flows, {}, dead=self.dead_ports(), learnt=self.learnt)

    def dead_ports(self) -> frozenset[tuple[str, int]]:
        """Return the watch ports, by chassis, that their switches count as dead."""
        return frozenset()

    @property
    def answering(self) -> list[str]:
        return self.answers(self.fabric)

    def answering_late(self, name: str) -> bool:
        """Return whether a chassis answers by itself what has waited until now, and others have heard before."""
        return self.answers(self.fabric_of(name)) == [name]

    def answers(self, fabric: Fabric) -> list[str]:
        """Return who answers, whether it is asked by broadcast or by unicast that the network floods."""
        found = answers(fabric, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE))
        assert answers(fabric, probe(self.mac)) == found, "all who could answer live"
        return found

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

    def catch_up(self) -> None:
        """Let the controller tell all that it has to."""
        self.controller.catch_up()
        while self.woken.is_set():
            self.woken.clear()
            self.controller.catch_up()

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
            self.clock += 1
            self.outages.tick()
            if self.witnesses.tick():
                self.outages.silence()
            self.controller.tick()

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


def answers(fabric: Fabric, question: Packet) -> list[str]:
    walk = fabric.inject_physical(FLAT, question)
    return [frame.chassis_id for frame in walk.on_physical if frame.packet["arp_op"] == ARP_REPLY]


class Trouble(RuleBasedStateMachine):
    """Sessions end and begin, links break, switches are slow, their word is lost, the controller dies at any moment.

    ``start`` of those that make use of it makes the ``world``.
    """

    names = st.sampled_from(CHASSIS)
    world: World

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

    @rule()
    def catch_up(self) -> None:
        self.world.controller.catch_up()

    @rule(times=st.integers(1, SILENCE))
    def tick(self, times: int) -> None:
        self.world.tick(times)
