"""Only young objects are looked at, and what has come since once, each time that memory has grown."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from sdnapp import garbage
from sdnapp.garbage import STEP, Garbage


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_has_come_is_looked_at_once_and_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 100 << 20
    monkeypatch.setattr(garbage, "_size", lambda: size)
    collector = Garbage()
    collections, aside = gc.get_stats()[2]["collections"], gc.get_freeze_count()
    kept: list[Any] = [[] for _ in range(1000)]
    size += STEP
    collector.tick()
    assert gc.get_stats()[2]["collections"] == collections
    size += 1
    collector.tick()
    assert gc.get_stats()[2]["collections"] == collections + 1
    assert gc.get_freeze_count() >= aside + len(kept)
    collector.tick()
    assert gc.get_stats()[2]["collections"] == collections + 1, "it has that much now"


def test_what_nobody_can_reach_goes_when_memory_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 100 << 20
    monkeypatch.setattr(garbage, "_size", lambda: size)
    collector = Garbage()

    class Ring:
        itself: "Ring"

    ring = Ring()
    ring.itself, gone = ring, weakref.ref(ring)
    del ring
    size += STEP + 1
    collector.tick()
    assert gone() is None


def test_many_new_objects_make_no_full_collection() -> None:
    Garbage()
    before = [each["collections"] for each in gc.get_stats()]
    kept = [[] for _ in range(300_000)]  # type: ignore[var-annotated]
    after = [each["collections"] for each in gc.get_stats()]
    assert len(kept) == 300_000
    assert after[0] > before[0] and after[1] > before[1] and after[2] == before[2]


def test_the_system_tells_how_large_we_are() -> None:
    assert garbage._size() > 1 << 20
