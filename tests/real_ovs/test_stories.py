"""The stories, on real Open vSwitch with real tunnels; the simulator is held to each outcome."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from tests.packet_stories import STORIES
from tests.random_traffic import injections, whole_cloud
from tests.real_ovs.ovs_dummy import missing
from tests.real_ovs.real_cloud import RealChassis, RealCloud, real_chassis

pytestmark = pytest.mark.ovs


@pytest.fixture(scope="module")
def chassis() -> Iterator[dict[str, RealChassis]]:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with real_chassis() as chassis:
        yield chassis


@pytest.fixture
def cloud(chassis: dict[str, RealChassis]) -> Iterator[RealCloud]:
    cloud = RealCloud(chassis)
    yield cloud
    cloud.clear()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story(cloud, story):
    story(cloud)


@pytest.fixture(scope="module")
def everything(chassis: dict[str, RealChassis]) -> Iterator[RealCloud]:
    cloud = RealCloud(chassis)
    whole_cloud(cloud)
    yield cloud
    cloud.clear()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inject=injections)
def test_any_traffic_fares_as_in_the_simulator(everything, inject):
    inject(everything)
