"""The stories, in the simulator, and what must hold of any traffic."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.clouds import SimulatedCloud
from tests.packet_stories import STORIES
from tests.random_traffic import injections, whole_cloud
from tests.security_stories import no_instance_is_a_dhcp_server_in_fragments_either


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story(story):
    story(SimulatedCloud())


def test_no_instance_is_a_dhcp_server_in_fragments_either() -> None:
    no_instance_is_a_dhcp_server_in_fragments_either(SimulatedCloud())


@pytest.fixture(scope="module")
def cloud() -> SimulatedCloud:
    cloud = SimulatedCloud()
    whole_cloud(cloud)
    return cloud


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inject=injections)
def test_no_traffic_whatever_crosses_between_tenants_or_returns_to_the_core(cloud, inject):
    inject(cloud)
