"""What all rows of a kind say together, kept up to date row by row: see ``topology.facts.Relation``.

Without it, a question such as "which networks are on this chassis" would look at all ports there after each change.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, NamedTuple

from topology.facts import At, Relation, View, is_at

Saying = tuple[Any, str]
MANY = 32
"""Values under a key that are kept in order, as sorting them each time would take long."""


class Turned(NamedTuple):
    """Something has come to a chassis, or has gone."""

    at: At
    value: str
    is_there: bool


class Says:
    """What one row of a relation says, as a function that never raises; equal for equal relations."""

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self.__name__ = relation.says.__name__

    def __call__(self, view: View, row_id: Any) -> tuple[Saying, ...]:
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
        self.suspects: list[Any] = []
        """Ids of rows that may say something else than before."""
        self.turned: list[Turned] = []
        """What is at a chassis now that was not, or the other way round, in the order in which it came about; to be
        cleared by whoever has heard of it."""
        self._said: dict[Any, tuple[Saying, ...]] = {}
        self._found: dict[Any, dict[str, int]] = {}
        self._sorted: dict[Any, tuple[str, ...]] = {}
        """What is under a key, sorted, where that is much and has been asked for."""

    def found(self, key: Any) -> tuple[str, ...]:
        """Return the values under a key, sorted, each once."""
        known = self._sorted.get(key)
        if known is None:
            known = tuple(sorted(self._found.get(key, ())))
            if len(known) >= MANY:
                self._sorted[key] = known
        return known

    def is_said(self, key: Any, value: str) -> bool:
        """Return whether any row says a value under a key."""
        return value in self._found.get(key, ())

    def there(self, what: str) -> list[tuple[str, str]]:
        """Return all that is said of a sort to be at chassis, as pairs of chassis and value."""
        return [(key.chassis_id, value) for key, values in self._found.items() if is_at(key, what) for value in values]

    def concerned(self, changed: Iterable[Any]) -> Iterable[Any]:
        """Return the rows to look at, of those that have changed and those that are suspect; these are none then."""
        suspects, self.suspects = self.suspects, []
        return dict.fromkeys((*changed, *suspects))

    def replace(self, row_id: Any, now: tuple[Saying, ...]) -> set[Any]:
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
                self._turn(key, value, is_there=True)
            values[value] = values.get(value, 0) + 1
        for key, value in before:
            values = self._found[key]
            values[value] -= 1
            if not values[value]:
                del values[value]
                other.add(key)
                self._turn(key, value, is_there=False)
                if not values:
                    del self._found[key]
        return other

    def _turn(self, key: Any, value: str, *, is_there: bool) -> None:
        if isinstance(key, At):
            self.turned.append(Turned(key, value, is_there))
        known = self._sorted.get(key)
        if known is not None:
            place = bisect_left(known, value)
            if is_there:
                self._sorted[key] = (*known[:place], value, *known[place:])
            elif len(known) > MANY:
                self._sorted[key] = (*known[:place], *known[place + 1 :])
            else:
                del self._sorted[key]
