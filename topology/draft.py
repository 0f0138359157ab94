"""A transaction of much: written aside, in slices between which others have their turn, and put in place at once.

A *draft* is a store over another one: it shows what the other has, with what was written to it. Commits of others wait,
so that the other stays as it is; readers go on, and see nothing of it until all of it is there. Index keys that it
touches it copies, so that putting it in place replaces whole lists, and takes some microseconds a row.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from topology.index import Index
from topology.storage import GiveWay, Storage
from topology.store import Store, Transaction

_ABSENT = object()
K = TypeVar("K")
V = TypeVar("V")


class Draft(Store):
    """What a store would be with some writes. Made by ``drafted``."""

    def __init__(self, store: Store, give_way: GiveWay) -> None:
        # Deliberately not the base's: nothing is loaded, what there is lies beneath.
        self._beneath = store
        self._over_rows: _WhereAsked[type[Any], _Over] = _WhereAsked(lambda kind: _Over(store._rows[kind]))
        self._over_indexes: _WhereAsked[tuple[type[Any], str], _IndexOver] = _WhereAsked(
            lambda name: _IndexOver(store._indexes[name])
        )
        self._over_claimed = _ListsOver(store._claimed)
        self._rows = cast(Any, self._over_rows)
        self._indexes = cast(Any, self._over_indexes)
        self._claimed = cast(Any, self._over_claimed)
        self._revisions = store._revisions
        self._storage = cast(Storage, _InSlices(store._storage, give_way))
        self._lock = threading.RLock()
        self._watchers, self._untold, self._telling = [], deque(), False
        self._keeper = None
        self._drafted_in = 0
        self.revision = store.revision
        self._open: Transaction | None = Transaction(self)
        self._open_in = threading.get_ident()

    def put_in_place(self) -> None:
        """Make the store beneath what this one is. Nobody else runs meanwhile."""
        keeper = self._beneath._keeper
        for kind, rows in self._over_rows.items():
            if keeper is not None:
                for row_id in rows.own:
                    keeper.keep_row(kind, row_id, rows.beneath.get(row_id))
            rows.put_in_place()
        for (kind, name), index in self._over_indexes.items():
            if keeper is not None:
                for key in index.over.own:
                    keeper.keep_ids(kind, name, key, index.beneath)
            index.over.put_in_place()
        self._over_claimed.put_in_place()
        self._beneath.revision = self.revision


@contextmanager
def drafted(store: Store, give_way: GiveWay) -> Iterator[tuple[Draft, Transaction]]:
    """Open a transaction on a draft of the store, where all reading and writing of the block goes.

    The block, and the commit at its end, ``give_way`` now and then. Raises as ``Store.transaction`` does, and
    RuntimeError within another transaction.
    """
    with store._lock:
        if store.is_being_written:
            raise RuntimeError("a transaction is open already")
        draft = Draft(store, give_way)
        tx = draft._open
        assert tx is not None
        store._drafted_in = threading.get_ident()
        try:
            yield draft, tx
            change = tx.commit()
            if change is not None:
                draft.put_in_place()
        finally:
            draft._open = None
            store._drafted_in = 0
        if change is not None:
            store._untold.append(change)
            store._tell()


class _WhereAsked(dict[K, V]):
    """Makes what is asked for: a draft of a few rows touches few of the kinds and indexes."""

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> V:
        value = self[key] = self._make(key)
        return value


class _Over:
    """A dictionary over another one, which stays as it is: what was set (None: deleted), and else what is beneath."""

    def __init__(self, beneath: dict[Any, Any]) -> None:
        self.beneath = beneath
        self.own: dict[Any, Any] = {}

    def get(self, key: Any, default: Any = None) -> Any:
        own = self.own.get(key, _ABSENT)
        if own is _ABSENT:
            return self.beneath.get(key, default)
        return default if own is None else own

    def __getitem__(self, key: Any) -> Any:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        self.own[key] = value

    def __delitem__(self, key: Any) -> None:
        self.own[key] = None

    def pop(self, key: Any, default: Any = None) -> Any:
        value = self.get(key, default)
        self.own[key] = None
        return value

    def __iter__(self) -> Iterator[Any]:
        yield from (key for key in self.beneath if key not in self.own)
        yield from (key for key, value in self.own.items() if value is not None)

    def values(self) -> Iterator[Any]:
        return (self[key] for key in self)

    def put_in_place(self) -> None:
        for key, value in self.own.items():
            if value is None:
                self.beneath.pop(key, None)
            else:
                self.beneath[key] = value


class _IndexOver(Index):
    """An index over another one: ids are copied before they change."""

    def __init__(self, beneath: Index) -> None:
        self.beneath = beneath
        self.over = _Over(beneath._ids)
        self._ids = cast(Any, self.over)

    def add(self, key: Any, row_id: str) -> None:
        self._copy(key)
        super().add(key, row_id)

    def remove(self, key: Any, row_id: str) -> None:
        self._copy(key)
        super().remove(key, row_id)

    def _copy(self, key: Any) -> None:
        if key not in self.over.own and isinstance(ids := self.over.beneath.get(key), list):
            self.over.own[key] = list(ids)


class _ListsOver(_Over):
    """Sorted lists over others. ``get`` is for reading; what is asked for otherwise is about to change, and copied."""

    def __getitem__(self, key: Any) -> list[Any]:
        if key not in self.own:
            self.own[key] = list(self.beneath[key])
        found: list[Any] = super().__getitem__(key)
        return found

    def setdefault(self, key: Any, default: list[Any]) -> list[Any]:
        if key not in self.own:
            self.own[key] = list(self.beneath.get(key, default))
        elif self.own[key] is None:
            self.own[key] = default
        found: list[Any] = self.own[key]
        return found


class _InSlices:
    """A storage engine whose commits give way to others. Nobody else commits to it meanwhile."""

    def __init__(self, storage: Storage, give_way: GiveWay) -> None:
        self._storage, self._give_way = storage, give_way

    def commit(self, expected: Mapping[str, int], writes: Mapping[str, str | None]) -> int:
        return self._storage.commit(expected, writes, self._give_way)
