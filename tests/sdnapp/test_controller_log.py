"""What the controller's log tells an operator of a chassis that comes and goes."""

import logging

import pytest

from tests.sdnapp.controlled_world import World


def test_a_chassis_comes_is_in_sync_once_and_goes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sdnapp")
    world = World()
    world.controller.observed(world.chassis("a", hostname="one"), {})
    world.connect("a")
    flows = len(world.switches.tables["a" * 16])
    world.confirm("a")
    world.report("a", "p1")
    world.confirm("a")
    world.controller.switch_disconnected("a" * 16)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"chassis a is datapath {'a' * 16}, on host one"),
        ("INFO", f"chassis a is in sync, with {flows} flows"),
        ("WARNING", "chassis a has lost its OpenFlow session; it goes on forwarding with the flows that it has"),
    ]
