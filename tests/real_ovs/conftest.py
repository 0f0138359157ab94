"""Fixtures of the tests on real Open vSwitch."""

from collections.abc import Iterator

import pytest

from tests.real_ovs.ovs_dummy import OvsDummy, missing


@pytest.fixture
def ovs() -> Iterator[OvsDummy]:
    """A fresh private Open vSwitch; the test fails if ``ovs-vswitchd`` ended under it."""
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with OvsDummy() as switch:
        yield switch
        assert switch.died() is None, switch.died()
