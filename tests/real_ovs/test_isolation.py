"""A sample of the isolation traffic as real Open vSwitch traces it: it agrees with the simulator, arrival by arrival.

What the simulator delivers has been judged (tests/isolation), so nothing forbidden arrives here either.
"""

from random import Random

import pytest

from tests.faults.__main__ import random_cloud
from tests.isolation.judge import Judge
from tests.isolation.traffic import all_traffic
from tests.real_ovs.ovs_dummy import missing
from tests.real_ovs.tracing import TracedCloud

pytestmark = pytest.mark.ovs
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
