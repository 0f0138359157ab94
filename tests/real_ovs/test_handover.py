"""A gateway chassis that has confirmed that it answers no more does not, whatever its datapath has cached.

Open vSwitch answers a barrier when its tables have changed, and looks at what it has cached later. But ARP answers are
made by actions that its datapaths have not got: only that such packets go to the slow path is cached, where each is
looked up in the tables of that moment. So a barrier is proof enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flows.fields import ARP_REPLY
from flows.flow import Flow
from flows.packets import arp_request
from flows.pipeline import PHYSICAL_ARP
from tests.clouds import UPSTREAM, UPSTREAM_MAC, SimulatedCloud
from tests.gateway_stories import FLAT, OUTSIDE, outward
from tests.real_ovs.frames import from_bytes, to_bytes
from tests.real_ovs.ovs_dummy import missing
from tests.real_ovs.real_cloud import RealChassis, real_chassis

pytestmark = pytest.mark.ovs

QUESTION = to_bytes(arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE))


@pytest.fixture(scope="module")
def gateway() -> Iterator[RealChassis]:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with real_chassis() as chassis:
        yield chassis["hv3"]


@pytest.fixture
def answer(gateway: RealChassis) -> Iterator[Flow]:
    """The flow by which it answers for the router; it has that and all others."""
    cloud = SimulatedCloud()
    outward(cloud)
    flows = cloud.held("hv3")
    (found,) = (each for each in flows if each.table == PHYSICAL_ARP.number and each.feature == "doors")
    gateway.install(flows)
    yield found
    gateway.install(())


@contextmanager
def cache_left_alone(gateway: RealChassis) -> Iterator[None]:
    """Let nobody look at what the datapath has cached."""
    gateway.ovs.appctl("revalidator/pause")
    yield
    # It does not come back from a second one.
    gateway.ovs.appctl("revalidator/resume")


def is_answered(gateway: RealChassis) -> bool:
    left, _ = gateway.send(FLAT, QUESTION)
    return [from_bytes(frame)["arp_op"] for place, frame in left if place == FLAT] == [ARP_REPLY]


def cached(gateway: RealChassis) -> list[str]:
    """What the datapath does with the question by itself."""
    lines = gateway.ovs.appctl("dpctl/dump-flows").splitlines()
    return [line.partition("actions:")[2] for line in lines if f"tip={OUTSIDE}" in line]


def test_who_has_confirmed_that_he_answers_no_more_does_not(gateway: RealChassis, answer: Flow) -> None:
    assert [is_answered(gateway) for _ in range(3)] == [True] * 3
    (kept,) = cached(gateway)
    assert kept.endswith("slow_path(action))")
    with cache_left_alone(gateway):
        gateway.client.change([], [answer])
        assert not is_answered(gateway)
        assert cached(gateway) == [kept]
        gateway.client.change([answer], [])
        assert is_answered(gateway)


def test_who_is_told_to_answer_is_late_by_what_is_cached(gateway: RealChassis, answer: Flow) -> None:
    gateway.client.change([], [answer])
    gateway.ovs.appctl("revalidator/purge")
    assert not is_answered(gateway)
    with cache_left_alone(gateway):
        gateway.client.change([answer], [])
        assert not is_answered(gateway), "so what is cached does outlast a barrier"
    gateway.ovs.appctl("revalidator/purge")
    assert is_answered(gateway)
