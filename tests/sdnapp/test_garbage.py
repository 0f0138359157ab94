"""Each object is looked at while it is young, and what is left is set aside, in steps that fit the machine."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from sdnapp.garbage import AIM, FIRST, LARGE, LEAST, MOST, Garbage, look, set_aside


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    thresholds, callbacks = gc.get_threshold(), list(gc.callbacks)
    yield
    gc.set_threshold(*thresholds)
    gc.callbacks[:] = callbacks
    gc.unfreeze()
    Garbage.present = None


def full_collections() -> int:
    return int(gc.get_stats()[2]["collections"])


def test_what_has_come_is_set_aside_step_by_step() -> None:
    Garbage()
    before, aside = full_collections(), gc.get_freeze_count()
    kept: list[Any] = [[] for _ in range(300_000)]
    assert full_collections() > before
    assert gc.get_freeze_count() - aside > 200_000
    left = sum(len(gc.get_objects(generation)) for generation in range(3))
    assert left <= 13 * MOST, "no collection ever has more than a step to look at"
    assert len(kept) == 300_000


def test_what_nobody_can_reach_goes_as_others_come() -> None:
    Garbage()

    class Ring:
        itself: "Ring"

    ring = Ring()
    ring.itself, gone = ring, weakref.ref(ring)
    kept = [[] for _ in range(2_000)]  # type: ignore[var-annotated]
    del ring
    kept += [[] for _ in range(13 * MOST)]
    assert gone() is None


def test_a_long_look_makes_the_next_ones_shorter_and_short_ones_make_them_longer() -> None:
    garbage = Garbage()
    garbage.took(2 * AIM)
    assert garbage.young == gc.get_threshold()[0] == FIRST // 2
    garbage.took(AIM * 0.75)
    assert garbage.young == FIRST // 2, "that is as it should be"
    garbage.took(1000 * AIM)
    assert garbage.young == LEAST
    for _ in range(100):
        garbage.took(0.0)
    assert garbage.young == gc.get_threshold()[0] == MOST


def test_a_second_one_takes_the_place_of_the_first() -> None:
    Garbage()
    before = len(gc.callbacks)
    Garbage()
    assert len(gc.callbacks) == before


def test_a_dictionary_that_is_set_aside_with_its_first_entry_is_looked_at_no_more() -> None:
    aside: dict[int, list[int]] = {0: [0]}
    set_aside()
    later: dict[int, list[int]] = {0: [0]}
    for number in range(10):
        aside[number] = later[number] = [number]
    looked_at = [id(each) for each in gc.get_objects()]
    assert id(aside) not in looked_at and id(later) in looked_at


def test_what_is_young_after_a_turn_is_looked_at_however_much_has_gone_meanwhile() -> None:
    Garbage()
    going: list[Any] = [[] for _ in range(20_000)]
    gc.collect()
    kept: list[Any] = []
    for turn in range(4):
        for _ in range(5_000):
            # Python counts how many more have come than gone, and is none the wiser.
            kept.append([])
            going.pop()
        if turn == 2:
            assert len(gc.get_objects(0)) > 10_000
            look()
        assert turn < 2 or len(gc.get_objects(0)) <= 5_000 + MOST
    assert len(kept) == 20_000


def test_a_table_that_has_grown_large_by_the_end_of_a_turn_is_set_aside() -> None:
    Garbage()
    rows = [[number] for number in range(5 * LARGE)]
    gc.collect()
    small, large = rows[:LARGE], rows[: LARGE + 1]
    look()
    looked_at = [id(each) for each in gc.get_objects()]
    assert id(large) not in looked_at
    small = rows[:LARGE]
    look()
    assert id(small) in [id(each) for each in gc.get_objects()], "which costs no more than the others"
    assert len(small) < len(large)


def test_nobody_looks_where_nobody_has_begun() -> None:
    kept = [[]]  # type: ignore[var-annotated]
    look()
    assert id(kept) in [id(each) for each in gc.get_objects(0)]
