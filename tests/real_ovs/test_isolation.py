"""A sample of the isolation traffic on real Open vSwitch: it agrees with the simulator.

What the simulator delivers has been judged (tests/isolation), so nothing forbidden arrives here either. Single packets
are traced, arrival by arrival; conversations, and what is translated, are sent as frames.
"""

from random import Random

import pytest

from flows.simulator import Walk
from tests.faults.__main__ import random_cloud
from tests.isolation.judge import Judge, Outsider, Sent, framed
from tests.isolation.traffic import all_traffic, traffic
from tests.real_ovs.ovs_dummy import missing
from tests.real_ovs.real_cloud import RealCloud, real_chassis
from tests.real_ovs.tracing import TracedCloud

pytestmark = pytest.mark.ovs
OUTWARD, CONVERSATIONS = 5, 60
"""A cloud with gateways, and how many of its conversations are sent."""
CASES = 250
"""Of a cloud. Each may come to several switches."""


def test_real_switches_would_do_with_packets_what_simulated_ones_do(request):
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    compared = delivered = 0
    for number in range(request.config.getoption("--traced-clouds")):
        cloud, random = random_cloud(number), Random(number)
        judge = Judge(cloud)
        cases = [case for case in all_traffic(cloud, judge, random) if len(case) == 1]
        with TracedCloud(cloud, judge) as traced:
            for case in random.sample(cases, min(CASES, len(cases))):
                judge.play(case)
                for arrival in traced.arrivals(case[0]):
                    left = traced.traced(arrival)
                    assert left == traced.simulated(arrival), (arrival, case)
                    compared, delivered = compared + 1, delivered + bool(left)
    assert delivered > 20 and compared > 2 * delivered


def test_conversations_take_the_same_way_on_real_switches():
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    random, delivered = Random(OUTWARD), 0
    with real_chassis() as chassis:
        cloud = random_cloud(OUTWARD, lambda: RealCloud(chassis))
        judge = Judge(cloud)
        cases = [case for case in traffic(cloud, judge, random) if len(case) > 1]
        arriving = [case for case in cases if judge.play(case)[-1].reached]
        for case in (*random.sample(arriving, CONVERSATIONS // 2), *random.sample(cases, CONVERSATIONS // 2)):
            cloud.forget()
            for sent in case:
                # The cloud holds that both have the same outcome.
                delivered += bool(send(cloud, sent).deliveries)
    assert delivered >= CONVERSATIONS / 2


def send(cloud: RealCloud, sent: Sent) -> Walk:
    """Send a packet on real switches, and in the simulator beside them.

    A wire that has learnt nothing brings a frame to every gateway chassis, so that it may arrive more than once: what
    stories hold of every packet is not held here.
    """
    if isinstance(sent.sender, Outsider):
        wire, frame = framed(cloud.store, sent)
        return cloud._inject_physical(wire, frame)
    (place,) = (place for place in cloud.placements if place.startswith(f"{sent.sender.id}@"))
    return cloud._inject(place, sent.packet)
