"""An index of rows: their ids by key, sorted."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any

SPAN = 256
"""Ports of TCP or UDP that are found together: a range of them all is under as many keys."""


def spans_of(whose: str, protocol: str, first: int, last: int) -> tuple[tuple[str, str, int], ...]:
    """Return the keys under which ranges of somebody's ports are found that may have one in common with a range."""
    return tuple((whose, protocol, span) for span in range(first // SPAN, last // SPAN + 1))


class Index:
    """Ids by key. Under most keys of most indexes there is one row, whose id is kept as it is and not as a list."""

    def __init__(self, ids: dict[Any, str | list[str]] | None = None) -> None:
        """``ids``: those that there are, as this class keeps them."""
        self._ids: dict[Any, str | list[str]] = {} if ids is None else ids

    def find(self, key: Any) -> tuple[str, ...]:
        """Return the ids under a key, sorted."""
        ids = self._ids.get(key, ())
        return (ids,) if isinstance(ids, str) else tuple(ids)

    def count(self, key: Any) -> int:
        """Return how many ids are under a key."""
        ids = self._ids.get(key, ())
        return 1 if isinstance(ids, str) else len(ids)

    def add(self, key: Any, row_id: str) -> None:
        """Put an id under a key, where it is not yet."""
        ids = self._ids.get(key)
        if ids is None:
            self._ids[key] = row_id
        elif isinstance(ids, str):
            self._ids[key] = sorted((ids, row_id))
        else:
            insort(ids, row_id)

    def remove(self, key: Any, row_id: str) -> None:
        """Take away an id from under a key, where it is."""
        ids = self._ids[key]
        if isinstance(ids, str):
            del self._ids[key]
            return
        del ids[bisect_left(ids, row_id)]
        if len(ids) == 1:
            self._ids[key] = ids[0]

    def items(self) -> Iterator[tuple[Any, tuple[str, ...]]]:
        """Yield each key that there is, with the ids under it."""
        return ((key, self.find(key)) for key in self._ids)
