"""Fixtures of the tests on real Open vSwitch; odd frames are made by the emulated cloud's ``mininet/frames.py``."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_ovs.ovs_dummy import OvsDummy, missing

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "mininet"))


@pytest.fixture
def ovs() -> Iterator[OvsDummy]:
    """A fresh private Open vSwitch; the test fails if ``ovs-vswitchd`` ended under it."""
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with OvsDummy() as switch:
        yield switch
        assert switch.died() is None, switch.died()
