"""Nothing is amiss in a sound cloud, and faults are told by what they lead to."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from flows.flow import Flow
from flows.pipeline import TABLES
from tests.clouds import CHASSIS, SimulatedCloud
from tests.faults.__main__ import plant_many, told
from tests.faults.planting import Fault, Outcome, judge, traffic
from tests.random_clouds import attacks, clouds

some_attacks = st.lists(attacks, min_size=37, max_size=37)


@settings(max_examples=2, derandomize=True, database=None, phases=[Phase.generate])
@given(cloud=clouds(), drawn=some_attacks)
def test_nothing_is_amiss_without_a_fault(cloud, drawn):
    assert judge(cloud, list(traffic(cloud, drawn)), None) is Outcome.UNMET


def outcomes(change: Callable[[Flow], Flow], table: str) -> set[Outcome]:
    """What becomes of a change to all flows of a table of a chassis."""
    found: set[Outcome] = set()

    @settings(max_examples=15, derandomize=True, database=None, phases=[Phase.generate])
    @given(cloud=clouds(), drawn=some_attacks)
    def in_a_cloud(cloud: SimulatedCloud, drawn: list) -> None:
        if {Outcome.FORBIDDEN, Outcome.LOST} & found:
            return
        sent = list(traffic(cloud, drawn))
        for name in CHASSIS:
            flows = cloud.flows(name).values()
            held = [change(flow) if flow.table == TABLES[table].number else flow for flow in flows]
            fault = Fault(name, held[0], "", list({flow.key: flow for flow in held}.values()))
            found.add(judge(cloud, sent, fault))

    in_a_cloud()
    return found


def unmatched(field: str) -> Callable[[Flow], Flow]:
    return lambda flow: replace(flow, match=tuple(term for term in flow.match if term.field != field))


@pytest.mark.parametrize(("table", "field"), [("permissions", "security_group"), ("port_security", "ipv4_src")])
def test_what_permits_too_much_is_noticed(table, field):
    assert {Outcome.FORBIDDEN, Outcome.LOST} & outcomes(unmatched(field), table)


def test_what_stops_honest_packets_is_noticed_by_their_loss():
    assert Outcome.LOST in outcomes(lambda flow: replace(flow, actions=()), "ingress_verdict")


def test_the_report_counts_every_fault_once_in_each_table():
    found = plant_many(1, 1)
    assert found.total() == 10
    assert "of 10 faults were noticed" in told(found)
