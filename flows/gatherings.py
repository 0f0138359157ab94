"""What all rows of a kind say together, kept up to date row by row: see ``topology.facts.Relation``.

Without it, a question such as "which networks are on this chassis" would look at all ports there after each change.
"""

from collections.abc import Iterable
from typing import Any

from topology.facts import Relation, View

Saying = tuple[Any, str]


class Says:
    """What one row of a relation says, as a function that never raises; equal for equal relations."""

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self.__name__ = relation.says.__name__

    def __call__(self, view: View, row_id: str) -> tuple[Saying, ...]:
        """Return what the row says."""
        try:
            return tuple(self.relation.says(view, row_id))
        except Exception:
            # The units that ask the same of this row report it. Here it says nothing, which permits nothing.
            return ()


class Gathering:
    """The values under each key, and how many rows say each."""

    def __init__(self, relation: Relation) -> None:
        self.says = Says(relation)
        self.suspects: list[str] = []
        """Ids of rows that may say something else than before."""
        self._said: dict[str, tuple[Saying, ...]] = {}
        self._found: dict[Any, dict[str, int]] = {}

    def found(self, key: Any) -> tuple[str, ...]:
        """Return the values under a key, sorted, each once."""
        return tuple(sorted(self._found.get(key, ())))

    def concerned(self, changed: Iterable[str]) -> Iterable[str]:
        """Return the rows to look at, of those that have changed and those that are suspect; these are none then."""
        suspects, self.suspects = self.suspects, []
        return dict.fromkeys((*changed, *suspects))

    def replace(self, row_id: str, now: tuple[Saying, ...]) -> set[Any]:
        """Let a row say something else; return the keys under which there is another set of values."""
        before = self._said.get(row_id, ())
        if now == before:
            return set()
        if now:
            self._said[row_id] = now
        else:
            del self._said[row_id]
        other: set[Any] = set()
        for key, value in now:
            values = self._found.setdefault(key, {})
            if value not in values:
                other.add(key)
            values[value] = values.get(value, 0) + 1
        for key, value in before:
            values = self._found[key]
            values[value] -= 1
            if not values[value]:
                del values[value]
                other.add(key)
                if not values:
                    del self._found[key]
        return other
