"""Who gets more source ports, who gets none, and what is said of it."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from flows.features.source_ports import further
from sdnapp import gateways
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.idle_blocks import HOLD, IdleBlocks
from sdnapp.responders import Responders
from sdnapp.source_ports import MEMORY, SourcePorts
from sdnapp.status import NO_PORTS
from tests.clouds import CHASSIS, SimulatedCloud
from tests.gateway_stories import OUTSIDE, floating, outward
from tests.sdnapp.controlled_world import FakeSwitches
from topology.gateway_values import Translation
from topology.placement import Plugged, forget, observe
from topology.port_blocks import SHARE
from topology.values import Chassis, Port


class Counting:
    """A cloud with the router ``hub`` whose switches count what the test says."""

    def __init__(self, ports: int = 1024) -> None:
        self.cloud = cloud = SimulatedCloud()
        self.net, self.store, self.switches = outward(cloud), cloud.store, FakeSwitches()
        with self.store.transaction() as tx:
            for row in self.store.all(Translation):
                tx.delete(Translation, row.id)
            for row in self.store.all(Chassis):
                tx.put(replace(row, datapath_id=row.id * 4))
        self.counted: dict[str, dict[int, int]] = {}
        self.asked: list[list[str]] = []
        self.start(ports)

    def start(self, ports: int) -> None:
        """Let a controller start, with first blocks of so many ports."""
        responders = Responders(self.store, DhcpSettings())
        self.controller = Controller(self.store, self.switches, responders, snat_block_size=ports)
        self.source_ports = SourcePorts(self.controller, self.ask)
        for name in CHASSIS:
            self.controller.switch_connected(name * 4)
        self.catch_up()

    def arrive(self, chassis: str) -> None:
        """Let one more chassis report an instance on the router's network."""
        number = 1000 + len(self.store.ids(Port))
        mac_address = f"fa:16:3e:01:00:{number & 255:02x}"
        port = replace(self.net.one, id=f"port of {chassis}", key=number, mac_address=mac_address)
        with self.store.transaction() as tx:
            tx.put(port)
        datapath = self.datapath(chassis)
        observe(self.store, Chassis(chassis, datapath_id=datapath), {port.id: Plugged(1, "tap1")})
        self.controller.switch_connected(datapath)
        self.catch_up()

    def leave(self, chassis: str) -> None:
        """Let it report none."""
        observe(self.store, Chassis(chassis, datapath_id=self.datapath(chassis)), {})
        self.catch_up()

    def datapath(self, chassis: str) -> str:
        return chassis * 4 if chassis in CHASSIS else f"{chassis:->16}"

    def catch_up(self) -> None:
        for _ in range(3):
            self.controller.catch_up()

    def confirm(self) -> None:
        for name in self.store.ids(Chassis):
            self.controller.confirmed(self.datapath(name), self.controller.engine.revision)

    def ask(self, datapaths: Iterable[str], table: int, feature: int) -> Mapping[str, Mapping[int, int]]:
        self.asked.append(list(datapaths))
        self.controller.catch_up()
        told = {name: dict.fromkeys(self.flows(name), 0) | self.counted.get(name, {}) for name in ("hv1", "hv2")}
        return {name * 4: packets for name, packets in told.items()}

    def flows(self, name: str) -> list[int]:
        return [flow.cookie for flow in further(self.controller.engine.view, "hub", name)]

    def count(self, name: str, *, reserve: int = 0, refused: int = 0) -> None:
        flows = self.flows(name)
        self.counted[name] = {flows[-2]: reserve, flows[-1]: refused}

    def ports(self, name: str) -> int:
        row = self.store.get(Translation, f"hub@{name}")
        assert row is not None
        return sum(block.ports for block in row.blocks)


def test_who_uses_the_reserve_gets_more_and_the_others_do_not() -> None:
    world = Counting()
    world.count("hv1", reserve=7)
    world.source_ports.tick()
    assert (world.ports("hv1"), world.ports("hv2")) == (1024, 1024), "who knows when that was"
    world.count("hv1", reserve=8)
    world.source_ports.tick()
    assert (world.ports("hv1"), world.ports("hv2")) == (2048, 1024)
    world.source_ports.tick()
    world.source_ports.tick()
    assert world.ports("hv1") == 2048, "nothing was counted since"
    assert world.asked[0] == ["hv1hv1hv1hv1", "hv2hv2hv2hv2"], "nobody else has flows to ask about"
    assert not world.source_ports.is_short(("hub", "hv1"))


def test_a_switch_that_has_not_got_the_flows_yet_has_counted_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Counting()
    world.count("hv1", reserve=7)
    world.source_ports.tick()
    with monkeypatch.context() as patch:
        patch.setattr(world.source_ports, "_ask", lambda *_: {"hv1" * 4: {}})
        world.source_ports.tick()
    world.count("hv1", reserve=9)
    world.source_ports.tick()
    assert world.ports("hv1") == 1024, "nor is it known what came while it had none"
    world.count("hv1", reserve=10)
    world.source_ports.tick()
    assert world.ports("hv1") == 2048


def test_refused_connections_are_counted_from_the_first_look_on() -> None:
    world = Counting()
    for refused, told in ((3, 0), (8, 5)):
        world.count("hv1", refused=refused)
        world.source_ports.tick()
        assert world.source_ports.refused["hub", "hv1"] == told
    world.count("hv1", refused=9)
    world.source_ports.tick()
    assert world.source_ports.refused["hub", "hv1"] == 5, "with more ports it has other flows"
    world.count("hv1", refused=10)
    world.source_ports.tick()
    assert world.source_ports.refused["hub", "hv1"] == 6
    with world.store.transaction() as tx:
        tx.delete(Translation, "hub@hv1")
    world.source_ports.tick()
    assert ("hub", "hv1") not in world.source_ports.refused, "it translates for that router no more"


def test_whose_share_is_used_up_is_told_once_and_remembered_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    world = Counting()
    for number in range(1, 40):
        world.count("hv1", reserve=number, refused=number)
        world.source_ports.tick()
    assert world.ports("hv1") <= SHARE and world.source_ports.is_short(("hub", "hv1"))
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 1 and all(text in errors[0] for text in ("hv1", "hub", "openstack router set"))
    (row,) = gateways.told(world.store, world.controller.engine.view, world.source_ports.is_short)
    assert row["short"] == ["hv1"] and row["without_block"] == []
    metrics = "\n".join(world.source_ports.metrics())
    assert 'sdnapp_source_ports_short{router="hub",chassis="hv1"} 1' in metrics
    assert 'sdnapp_source_ports_short{router="hub",chassis="hv2"} 0' in metrics
    assert f'sdnapp_source_ports{{router="hub",chassis="hv1"}} {world.ports("hv1")}' in metrics
    refused = world.source_ports.refused["hub", "hv1"]
    assert 0 < refused < 40 and f'refused_total{{router="hub",chassis="hv1"}} {refused}' in metrics
    for _ in range(MEMORY):
        world.source_ports.tick()
    assert not world.source_ports.is_short(("hub", "hv1"))


def test_a_silent_switch_and_flows_that_are_not_there_yet_want_nothing() -> None:
    world = Counting()
    quiet = SourcePorts(world.controller, lambda datapaths, table, feature: {"hv1hv1hv1hv1": {1: 5}})
    for _ in range(3):
        quiet.tick()
    assert world.ports("hv1") == 1024 and not quiet.refused


def test_a_router_is_down_while_a_chassis_cannot_translate_for_it(caplog: pytest.LogCaptureFixture) -> None:
    world = used_up()
    public = floating(world.cloud, world.net, 20, world.net.one)
    world.catch_up()
    world.confirm()
    assert world.controller.floatingip_status(public.id) == "ACTIVE", "it has an address of its own"
    assert world.controller.port_status(world.net.to_red.id) == "ACTIVE", "and networks are routed as before"
    (row,) = gateways.told(world.store, world.controller.engine.view)
    assert (row["without_block"], row["blocks_left"], row["ports_left"]) == ([lacking := "late"], 0, 0)
    assert world.controller.router_status("hub") == "DOWN"
    out = world.store.get(Port, world.net.out.id)
    assert out is not None
    assert world.controller.why_down(out) == f"{lacking}: {NO_PORTS}"
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 1 and all(text in errors[0] for text in (OUTSIDE, lacking, "openstack router set"))
    metrics = world.source_ports.metrics()
    for line in (
        f'sdnapp_source_ports_left{{router="hub",address="{OUTSIDE}"}} 0',
        'sdnapp_source_ports{router="hub",chassis="late"} 0',
        'sdnapp_source_ports_short{router="hub",chassis="late"} 1',
    ):
        assert line in metrics
    fresh = Counting()
    fresh.confirm()
    assert fresh.controller.router_status("hub") == "ACTIVE"
    (row,) = gateways.told(fresh.store, fresh.controller.engine.view, block_size=1 << 14)
    ports_left = 65536 - 1024 - 2 * 1024
    # Of the four quarters, one is whole, two lack a kibiport, so that they give 5 smaller blocks each, the first 4.
    assert (row["blocks_left"], row["ports_left"]) == (1 + 2 * 4 + 4, ports_left)
    assert f'sdnapp_source_ports_left{{router="hub",address="{OUTSIDE}"}} {ports_left}' in fresh.source_ports.metrics()


def used_up() -> Counting:
    """A world whose chassis have all source ports of the router's address, but for ``late``, which came last."""
    world = Counting(ports=1 << 15)
    for name in ("early", "middle", "low", "lowest", "late"):
        world.arrive(name)
    return world


class Looking:
    """Looks at idle blocks so many seconds later, and returns who has which then."""

    def __init__(self, world: Counting) -> None:
        self._world, self._now = world, 1000.0
        self.anew()

    def anew(self) -> None:
        """Begin again, as a controller does that starts."""
        self._looks = IdleBlocks(self._world.controller, lambda: self._now)

    def __call__(self, later: float) -> dict[str, Translation]:
        self._now += later
        self._looks.tick()
        self._world.controller.catch_up()
        return {row.chassis_id: row for row in self._world.store.all(Translation) if row.ports}


def test_what_is_idle_is_handed_on_after_its_hold_time_and_to_nobody_before(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = used_up()
    look = Looking(world)
    before = look(HOLD + 1)
    assert "late" not in before and look(HOLD + 1) == before, "all are in use, however long"
    world.leave("early")
    assert look(10) == before and look(HOLD - 1) == before, "its connections may live"
    world.arrive("early")
    assert look(10) == before, "its instances have returned, and its connections with them"
    world.leave("early")
    world.leave("low")
    look(1)
    look.anew()
    assert look(HOLD - 1) == before and look(HOLD - 1) == before, "a controller that starts has seen nothing"
    after = look(1)
    assert set(before) - set(after) == {"early"}, "no more than is needed"
    assert (after["late"].first_port, after["late"].ports) == (before["early"].first_port, before["early"].ports)
    assert {name: row for name, row in before.items() if name in after} == {
        name: row for name, row in after.items() if name in before
    }
    assert any("free for others" in text and "early" in text for text in caplog.messages)
    assert "every chassis that translates for hub has what it needs again" in caplog.messages
    world.confirm()
    assert world.controller.router_status("hub") == "ACTIVE"
    assert look(2 * HOLD) == after, "nobody lacks any"


def test_what_a_deleted_chassis_had_rests_for_its_hold_time() -> None:
    """It may have been cut off from the controller alone, and return."""
    world = used_up()
    look = Looking(world)

    def forgotten(chassis: str) -> None:
        forget(world.store, chassis)
        world.controller.catch_up()

    before = look(1)
    forgotten("early")
    assert look(1) == before and look(HOLD - 1) == before, "though another one finds none"
    world.arrive("early")
    assert look(1) == before, "it has what it had, its zone as well"
    forgotten("early")
    assert look(1) == before and "late" not in before
    (row,) = gateways.told(world.store, world.controller.engine.view)
    assert {each["chassis"] for each in row["blocks"] if each["deleted"]} == {"early"}
    after = look(HOLD)
    assert set(before) ^ set(after) == {"early", "late"}
    forgotten("middle")
    assert look(1) == after
    assert set(after) - set(look(HOLD)) == {"middle"}, "though nobody lacks any: it will not return"


def test_blocks_of_another_size_stay_as_they_are_when_the_controller_starts_with_a_new_one() -> None:
    world = Counting()
    before = {row.id: row for row in world.store.all(Translation)}
    assert {row.ports for row in before.values()} == {1024}
    flows = {name: world.controller.engine.desired(name) for name in CHASSIS}
    for size in (1 << 15, 64):
        world.start(size)
        assert {row.id: row for row in world.store.all(Translation)} == before
        assert {name: world.controller.engine.desired(name) for name in CHASSIS} == flows, "no flow differs"
    world.arrive("small")
    world.start(1 << 13)
    world.arrive("large")
    sizes = {row.chassis_id: row.ports for row in world.store.all(Translation)}
    assert sizes == {"hv1": 1024, "hv2": 1024, "small": 64, "large": 1 << 13}
    world.count("hv1", reserve=1)
    world.source_ports.tick()
    world.count("hv1", reserve=2)
    world.source_ports.tick()
    assert world.ports("hv1") == 2048, "and grow as ever"
    spans = sorted((row.first_port, row.ports) for row in world.store.all(Translation))
    assert all(first + ports <= after for (first, ports), (after, _) in pairwise(spans))


def test_looks_at_many_places_give_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    world, turns = Counting(), list[float]()
    monkeypatch.setattr("sdnapp.turns.SLICE", 0)
    monkeypatch.setattr("sdnapp.turns.hub.sleep", turns.append)
    for look in (world.source_ports, IdleBlocks(world.controller)):
        turns.clear()
        look.tick()
        assert len(turns) == 2, "one for each place"
