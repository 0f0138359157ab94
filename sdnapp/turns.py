"""How long work gives others their turn: after some milliseconds, by the clock."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from os_ken.lib import hub

T = TypeVar("T")

SLICE = 0.002
"""Seconds of work between two turns of others, each of which costs some 40 us."""


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

    def between(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and let others have their turn in between."""
        for item in items:
            yield item
            self.give_way()
