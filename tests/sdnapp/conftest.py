"""What tests of the whole controller share."""

from collections.abc import Iterable

import pytest

from flows.engine import Engine
from tests.sdnapp.controlled_world import World


@pytest.fixture
def world() -> Iterable[World]:
    world = World()
    yield world
    world.controller.catch_up()
    for datapath_id, held in world.switches.tables.items():
        chassis_id = world.controller.chassis_of(datapath_id)
        if chassis_id is not None:
            scratch = dict(Engine(world.store).desired(chassis_id))
            assert held == scratch, "switches hold what a fresh start would give them"
