"""Work of a green thread in turn with others."""

from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnapp import turns
from sdnapp.turns import Turns


@given(st.lists(st.tuples(st.integers(0, 3), st.integers())))
def test_items_are_put_in_order_as_by_sorting_all_at_once(items: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "_SORTED_AT_ONCE", 3)
        assert list(Turns().in_order(iter(items), itemgetter(0))) == sorted(items, key=itemgetter(0))


def test_others_have_their_turn_while_items_are_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    given_way: list[float] = []
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr(turns.hub, "sleep", given_way.append)
    monkeypatch.setattr(turns, "_SORTED_AT_ONCE", 10)
    in_order = Turns().in_order(range(100, 0, -1), lambda number: number)
    assert len(given_way) == 10
    assert list(in_order) == list(range(1, 101)) and len(given_way) == 110


def test_the_youngest_objects_are_looked_at_in_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(turns.hub, "sleep", lambda seconds: looked.append("others"))
    monkeypatch.setattr(turns.garbage, "look", lambda: looked.append("garbage"))
    turn = Turns()
    turn.give_way()
    assert not looked
    monkeypatch.setattr(turns, "SLICE", 0.0)
    turn.give_way()
    turns.let_others()
    assert looked == ["others", "garbage"] * 2
