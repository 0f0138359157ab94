"""Who gets more source ports, who gets none, and what is said of it."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from flows.features.source_ports import further
from sdnapp import gateways
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.responders import Responders
from sdnapp.source_ports import MEMORY, SourcePorts
from sdnapp.status import NO_PORTS
from tests.clouds import CHASSIS, SimulatedCloud
from tests.gateway_stories import OUTSIDE, outward
from tests.sdnapp.controlled_world import FakeSwitches
from topology.gateway_values import Translation
from topology.port_blocks import SHARE
from topology.values import Chassis, Port


class Counting:
    """A cloud with the router ``hub`` whose switches count what the test says."""

    def __init__(self, ports: int = 1024) -> None:
        cloud = SimulatedCloud()
        self.net, self.store, self.switches = outward(cloud), cloud.store, FakeSwitches()
        with self.store.transaction() as tx:
            for row in self.store.all(Translation):
                tx.delete(Translation, row.id)
            for row in self.store.all(Chassis):
                tx.put(replace(row, datapath_id=row.id * 4))
        self.controller = Controller(
            self.store, self.switches, Responders(self.store, DhcpSettings()), snat_ports=ports
        )
        self.counted: dict[str, dict[int, int]] = {}
        self.asked: list[list[str]] = []
        self.source_ports = SourcePorts(self.controller, self.ask)
        for name in CHASSIS:
            self.controller.switch_connected(name * 4)
        for _ in range(3):
            self.controller.catch_up()

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
    world = Counting(ports=1 << 15)
    for name in CHASSIS:
        world.controller.confirmed(name * 4, world.controller.engine.revision)
    (row,) = gateways.told(world.store, world.controller.engine.view)
    assert len(row["without_block"]) == 1
    (lacking,) = row["without_block"]
    assert world.controller.router_status("hub") == "DOWN"
    out = world.store.get(Port, world.net.out.id)
    assert out is not None
    assert world.controller.why_down(out) == f"{lacking}: {NO_PORTS}"
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 1 and OUTSIDE in errors[0] and lacking in errors[0]
    fresh = Counting()
    for name in CHASSIS:
        fresh.controller.confirmed(name * 4, fresh.controller.engine.revision)
    assert fresh.controller.router_status("hub") == "ACTIVE"
