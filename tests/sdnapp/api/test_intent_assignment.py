"""As many pairs as there can be, checked against all ways to pair."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from sdnapp.api.intent.assignment import assign

few = st.integers(0, 5)


def most(items: int, rows: int, edges: set[tuple[int, int]]) -> int:
    """Try every order of the rows, with some that are nobody's."""
    ways = permutations([*range(rows), *[-1] * items], items)
    return max(sum((item, row) in edges for item, row in enumerate(way)) for way in set(ways))


@given(st.integers(0, 4), st.integers(0, 4), st.sets(st.tuples(few, few)))
def test_no_way_to_pair_has_more_pairs(items: int, rows: int, edges: set[tuple[int, int]]) -> None:
    pairs = assign(items, rows, lambda item, row: (item, row) in edges)
    assert set(pairs.items()) <= edges
    assert all(item < items and row < rows for item, row in pairs.items())
    assert len(set(pairs.values())) == len(pairs) == most(items, rows, edges)


@given(st.integers(0, 4), st.integers(0, 4), st.sets(st.tuples(few, few)), st.sets(st.tuples(few, few)))
def test_who_has_a_row_keeps_one(items: int, rows: int, good: set[tuple[int, int]], fair: set[tuple[int, int]]) -> None:
    first = assign(items, rows, lambda item, row: (item, row) in good)
    pairs = assign(items, rows, lambda item, row: (item, row) in good | fair, first)
    assert first.keys() <= pairs.keys()
    assert len(set(pairs.values())) == len(pairs) == most(items, rows, good | fair)


def test_who_comes_first_has_the_first() -> None:
    assert assign(3, 3, lambda item, row: True) == {0: 0, 1: 1, 2: 2}


def test_who_can_take_another_moves_on() -> None:
    assert assign(2, 2, lambda item, row: item == 0 or row == 0) == {0: 1, 1: 0}
