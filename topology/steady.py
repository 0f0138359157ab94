"""A store as it was at one moment, for whoever reads long, while others go on to write.

What a write replaces is kept, the first time: a row, or the ids under a key of an index. Everything else is read from
the store itself. So it costs nothing to hold a moment, and little to write meanwhile.
"""

from typing import Any, Protocol, TypeVar

from topology.index import Index
from topology.store import Store
from topology.turns import GiveWay, let_go, nobody_waits
from topology.values import Row

R = TypeVar("R", bound=Row)
_NOT_KEPT = object()


class Rows(Protocol):
    """What can be read of a store, or of a moment of it."""

    @property
    def revision(self) -> int:
        """The revision that the rows have."""
        ...

    def get(self, kind: type[R], row_id: str) -> R | None:
        """Return the row, or None."""
        ...

    def ids(self, kind: type[Any]) -> list[str]:
        """Return the ids of all rows of a kind, in no particular order."""
        ...

    def all(self, kind: type[R]) -> list[R]:
        """Return all rows of a kind, in no particular order."""
        ...

    def find_ids(self, kind: type[Any], index: str, key: Any) -> tuple[str, ...]:
        """Return the ids of the rows under a key of an index, sorted. Raises KeyError for an unknown index."""
        ...


class Steady:
    """Reads a store as it is, or from ``hold`` to ``let_go`` as it was then. Only one at a time may hold a moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[tuple[type[Any], str], Any] = {}
        self._ids: dict[tuple[type[Any], str, Any], tuple[str, ...]] = {}
        self._revision: int | None = None

    def hold(self) -> None:
        """Stay at the present moment. Raises RuntimeError within a transaction, and where a moment is held already."""
        self._store.keep_for(self)
        self._revision = self._store.revision

    def let_go(self, give_way: GiveWay = nobody_waits) -> None:
        """Read the store as it is, again, and then forget what was kept."""
        self._store.keep_for(None)
        self._revision = None
        (rows, self._rows), (ids, self._ids) = (self._rows, {}), (self._ids, {})
        let_go(rows, give_way)
        let_go(ids, give_way)

    @property
    def revision(self) -> int:
        """The revision that the rows have."""
        return self._store.revision if self._revision is None else self._revision

    def get(self, kind: type[R], row_id: str) -> R | None:
        """Return the row, or None."""
        if self._rows:
            kept = self._rows.get((kind, row_id), _NOT_KEPT)
            if kept is not _NOT_KEPT:
                row: R | None = kept
                return row
        return self._store.get(kind, row_id)

    def ids(self, kind: type[Any]) -> list[str]:
        """Return the ids of all rows of a kind, in no particular order."""
        kept = {row_id: row for (of, row_id), row in self._rows.items() if of is kind}
        others = [row_id for row_id in self._store.ids(kind) if row_id not in kept] if kept else self._store.ids(kind)
        return others + [row_id for row_id, row in kept.items() if row is not None]

    def all(self, kind: type[R]) -> list[R]:
        """Return all rows of a kind, in no particular order."""
        if not self._rows:
            return self._store.all(kind)
        rows = (self.get(kind, row_id) for row_id in self.ids(kind))
        return [row for row in rows if row is not None]

    def find_ids(self, kind: type[Any], index: str, key: Any) -> tuple[str, ...]:
        """Return the ids of the rows under a key of an index, sorted. Raises KeyError for an unknown index."""
        if self._ids:
            kept = self._ids.get((kind, index, key))
            if kept is not None:
                return kept
        return self._store.find_ids(kind, index, key)

    def keep_row(self, kind: type[Any], row_id: str, before: Any) -> None:
        """Keep a row that the store is about to replace."""
        self._rows.setdefault((kind, row_id), before)

    def keep_ids(self, kind: type[Any], name: str, key: Any, index: Index) -> None:
        """Keep the ids under a key of an index that are about to change."""
        if (kind, name, key) not in self._ids:
            self._ids[kind, name, key] = index.find(key)
