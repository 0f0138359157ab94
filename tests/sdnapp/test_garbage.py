"""Only young objects are looked at, until memory has doubled."""

import gc
from collections.abc import Iterator

import pytest

from sdnapp import garbage
from sdnapp.garbage import SLACK, Garbage


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_everything_is_looked_at_once_memory_has_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 100 << 20
    monkeypatch.setattr(garbage, "_size", lambda: size)
    collector = Garbage()
    collections = gc.get_stats()[2]["collections"]
    size = (200 << 20) + SLACK
    collector.tick()
    assert gc.get_stats()[2]["collections"] == collections
    size += 1
    collector.tick()
    assert gc.get_stats()[2]["collections"] == collections + 1
    collector.tick()
    assert gc.get_stats()[2]["collections"] == collections + 1, "it has that much now"


def test_many_new_objects_make_no_full_collection() -> None:
    Garbage()
    before = [each["collections"] for each in gc.get_stats()]
    kept = [[] for _ in range(300_000)]  # type: ignore[var-annotated]
    after = [each["collections"] for each in gc.get_stats()]
    assert len(kept) == 300_000
    assert after[0] > before[0] and after[1] > before[1] and after[2] == before[2]


def test_the_system_tells_how_large_we_are() -> None:
    assert garbage._size() > 1 << 20
