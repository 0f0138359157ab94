"""The flows of one chassis, by key: which of several is chosen, and what a pass changes."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import delta
from flows.actions import Output
from flows.delta import Delta, DesiredTable
from flows.flow import Flow, flow
from flows.pipeline import DELIVERY, RECEIVER


def rival(number: int, place: int = 1) -> Flow:
    """A flow that differs from others of its place in everything but the key."""
    return flow(DELIVERY, "local", "delivery", f"port/{number}", Output(number), to_port=place)


RIVALS = [rival(number) for number in range(5)]


@given(st.permutations(RIVALS), st.permutations(RIVALS[1:]))
def test_the_order_of_arrival_and_departure_does_not_matter(coming: list[Flow], going: list[Flow]) -> None:
    table = DesiredTable()
    for position, each in enumerate(coming):
        table.count(each, 1)
        assert list(table.values()) == [min(coming[: position + 1], key=lambda one: one.cookie)]
    left = set(coming)
    for each in going:
        table.count(each, -1)
        left.discard(each)
        assert list(table.values()) == [min(left, key=lambda one: one.cookie)]


def test_many_rivals_are_not_all_looked_at_for_each_that_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def lowest(asked: dict[Flow, int], key: Callable[[Flow], int]) -> Flow:
        looked_at.append(len(asked))
        return min(asked, key=key)

    monkeypatch.setattr(delta, "min", lowest, raising=False)
    table, rivals = DesiredTable(), [rival(number) for number in range(400)]
    for times in (1, -1):
        for each in rivals:
            table.count(each, times)
    assert sum(looked_at) < 20 * len(rivals)


def test_others_have_their_turn_while_a_difference_is_found_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    table, turns = DesiredTable(), list[int]()
    for number in range(20):
        table.count(rival(number, number), 1)
    assert len(table.take_delta(lambda: turns.append(1)).added) == 20 and len(turns) >= 2 * 20


def test_a_flow_stays_for_as_long_as_somebody_asks_for_it() -> None:
    table = DesiredTable()
    table.count(rival(1), 2)
    table.count(rival(1), -1)
    assert table.take_delta() == Delta((rival(1),), ())
    table.count(rival(1), -1)
    assert table.take_delta() == Delta((), (rival(1),))
    assert len(table) == 0 and table.take_delta() == Delta((), ())


def test_a_pass_tells_only_where_it_ended() -> None:
    first, second = sorted(RIVALS, key=lambda each: each.cookie)[:2]
    table = DesiredTable()
    table.count(second, 1)
    table.count(rival(9, place=9), 1)
    table.take_delta()
    table.count(first, 1)
    table.count(rival(9, place=9), -1)
    table.count(rival(9, place=9), 1)
    table.count(rival(8, place=8), 1)
    table.count(rival(8, place=8), -1)
    assert table.take_delta() == Delta((first,), (second,))


def test_the_flows_of_one_table_are_found_without_the_others() -> None:
    here, there = rival(1), flow(RECEIVER, "filtered", "delivery", "port/1", to_port=1)
    table = DesiredTable()
    for each in (here, there, rival(2, place=2)):
        table.count(each, 1)
    assert set(table.in_table(here.table)) == {here, rival(2, place=2)} and table.in_table(there.table) == [there]
    table.count(there, -1)
    assert table.in_table(there.table) == []
