"""Work in small steps gives way, and does what it would have done at once."""

import weakref

import pytest

from topology.turns import STRIDE, by_steps, by_turns, let_go


class Row:
    pass


def test_items_come_with_a_seam_now_and_then() -> None:
    seams: list[int] = []
    found: list[int] = []
    for item in by_turns(range(3 * STRIDE), lambda: seams.append(len(found))):
        found.append(item)
    assert found == list(range(3 * STRIDE)) and seams == [STRIDE, 2 * STRIDE, 3 * STRIDE]


def test_items_of_several_steps_have_a_seam_between_them_as_soon_as_these_are_many() -> None:
    seams: list[int] = []
    found: list[int] = []
    items = [STRIDE, 1, STRIDE - 1, 1, 3 * STRIDE, 1]
    for item in by_steps(items, lambda: seams.append(len(found)), lambda item: item):
        found.append(item)
    assert found == items and seams == [1, 3, 5]


@pytest.mark.parametrize("make", [list, set, lambda rows: dict.fromkeys(rows)])
def test_what_is_let_go_goes_little_by_little(make) -> None:
    held = make([Row() for _ in range(3 * STRIDE)])
    left = weakref.WeakSet(held)
    seams: list[int] = []
    let_go(held, lambda: seams.append(len(left)))
    assert len(held) == len(left) == 0
    assert seams == [2 * STRIDE, STRIDE, 0]
