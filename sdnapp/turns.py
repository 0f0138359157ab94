"""How long work gives others their turn: after some milliseconds, by the clock."""

import time
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import Any, TypeVar

from os_ken.lib import hub

from sdnapp import garbage

T = TypeVar("T")

SLICE = 0.002
"""Seconds of work between two turns of others, each of which costs some 40 us."""
_SORTED_AT_ONCE = 500
"""A millisecond or two."""


def let_others() -> None:
    """Let others have their turn, where work that makes much has gone on for long enough for certain."""
    hub.sleep(0)
    garbage.look()


class Turns:
    """One for each green thread, or for work that one lock keeps together."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def give_way(self) -> None:
        """Let others have their turn if this has gone on for long enough."""
        now = time.monotonic()
        if now - self._since >= SLICE:
            hub.sleep(0)
            self._since = time.monotonic()
            garbage.look()

    def between(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and let others have their turn in between."""
        for item in items:
            yield item
            self.give_way()

    def in_order(self, items: Iterable[T], key: Callable[[T], Any]) -> Iterator[T]:
        """Yield items by a key that is asked for twice, those of the same key as they came; others have their turn."""
        runs, left = [], iter(items)
        while run := sorted(islice(left, _SORTED_AT_ONCE), key=key):
            runs.append(run)
            self.give_way()
        return self.between(merge(*runs, key=key))
