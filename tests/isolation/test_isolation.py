"""No packet goes where Neutron's rows do not let it, and every honest one that they let go arrives.

The judge is ``tests.isolation.reference``, which reads the rows and knows no flow. Faults planted in the tables show
that it would see one (and ``./run faults`` how many of them).
"""

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from flows.flow import Flow
from flows.pipeline import TABLES
from tests.clouds import CHASSIS
from tests.isolation.clouds import clouds
from tests.isolation.judge import ForbiddenError, Judge
from tests.isolation.traffic import answered, plain, traffic

numbers = st.integers(0, 1 << 32)
some_clouds = settings(max_examples=4, derandomize=True, phases=[Phase.generate])
"""A cloud that fails is told by the packet, and takes minutes to become a little smaller."""


class Fault(NamedTuple):
    """Flows of a table and a priority that all lost their condition on a field."""

    table: str
    priority: str
    field: str


def _weakened(flows: Iterable[Flow], fault: Fault) -> list[Flow]:
    """Plant a fault. Of flows that are then alike, a switch holds one."""
    table, priority = TABLES[fault.table].number, TABLES[fault.table].priorities[fault.priority]
    held = {}
    for each in flows:
        if (each.table, each.priority) == (table, priority):
            each = replace(each, match=tuple(term for term in each.match if term.field != fault.field))
        held[each.key] = each
    return list(held.values())


@some_clouds
@given(cloud=clouds(), number=numbers)
def test_nothing_arrives_without_a_permitted_path(cloud, number):
    judge = Judge(cloud)
    for case in traffic(cloud, judge, Random(number)):
        judge.play(case)


@some_clouds
@given(cloud=clouds(), number=numbers)
def test_what_is_honest_arrives_if_and_only_if_it_is_permitted(cloud, number):
    judge = Judge(cloud)
    for case in (*plain(cloud), *answered(cloud, judge, Random(number))):
        last = judge.play(case)[-1]
        # To itself, by its router: begun by one rule and, in the same zone, received by another.
        itself = {case[-1].sender.id}
        assert last.reached - itself == last.may_reach - itself, case


def test_some_conversations_are_permitted_and_some_are_refused():
    seen = {True: 0, False: 0}

    @settings(max_examples=3, derandomize=True, database=None, phases=[Phase.generate])
    @given(cloud=clouds())
    def talk(cloud):
        judge = Judge(cloud)
        for case in plain(cloud):
            seen[bool(judge.play(case)[-1].may_reach)] += 1

    talk()
    assert min(seen.values()) >= 30, seen


FAULTS = (
    Fault("port_security", "permit", "eth_src"),
    Fault("port_security", "permit", "ipv4_src"),
    Fault("classification", "origin", "tun_id"),
    Fault("forwarding", "known", "network"),
    Fault("permissions", "rule", "security_group"),
    Fault("ingress_filter", "group", "ct_state"),
)


@pytest.mark.parametrize("fault", FAULTS, ids="-".join)
def test_a_planted_fault_is_found(fault):
    @settings(max_examples=15, derandomize=True, database=None, phases=[Phase.generate])
    @given(cloud=clouds(), number=numbers)
    def attacked(cloud, number):
        judge = Judge(cloud, {name: _weakened(cloud.flows(name).values(), fault) for name in CHASSIS})
        for case in traffic(cloud, Judge(cloud), Random(number)):
            judge.play(case)

    with pytest.raises(ForbiddenError):
        attacked()
