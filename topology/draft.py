"""A transaction of much: written aside, in slices between which others have their turn, and shown at once.

A *draft* is a store over another one: it shows what the other has, with what was written to it. Commits of others wait,
so that the other stays as it is; readers go on, and see nothing of it until all of it is there. Index keys that it
touches it copies, so that putting it in place replaces whole lists.

Putting it in place goes in slices, too. Meanwhile readers are shown what was there before, laid over what changes
beneath; taking that away, which takes no time, shows them everything at once.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from topology.index import Index
from topology.store import Change, Store, Transaction
from topology.turns import GiveWay, by_turns, let_go

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
        self._storage = store._storage
        self._lock = threading.RLock()
        self._watchers, self._untold, self._telling = [], deque(), False
        self._keeper = None
        self._drafted_in = 0
        self.revision = store.revision
        self._open: Transaction | None = Transaction(self, give_way)
        self._open_in = threading.get_ident()
        self._before: list[_Over] = []
        """What readers are shown meanwhile, where it differs."""

    def commit(self, tx: Transaction, give_way: GiveWay) -> None:
        """Commit what was written, and make the store beneath what this one is. Raises as a transaction's end does.

        However ``give_way`` ends: once the engine has committed, the store is what the engine holds.
        """
        self._tell_keeper(give_way)
        beneath = self._beneath
        before, present = self._as_before(give_way), (beneath._rows, beneath._indexes, beneath._claimed)
        beneath._rows, beneath._indexes, beneath._claimed = before
        steps: Iterator[None] = iter(())
        try:
            change = tx.commit(give_way)
            if change is not None:
                beneath._untold.append(change)
                steps = self._put_in_place(change)
                for _ in by_turns(steps, give_way):
                    pass
        finally:
            for _ in steps:
                pass
            beneath._rows, beneath._indexes, beneath._claimed = present
            beneath.revision = self.revision

    def _tell_keeper(self, give_way: GiveWay) -> None:
        """Have what will be replaced kept, by who keeps it. Who does not yet cannot begin before all is in place."""
        keeper = self._beneath._keeper
        if keeper is None:
            return
        for kind, rows in self._over_rows.items():
            for row_id in by_turns(rows.own, give_way):
                keeper.keep_row(kind, row_id, rows.beneath.get(row_id))
        for (kind, name), index in self._over_indexes.items():
            for key in by_turns(index.over.own, give_way):
                keeper.keep_ids(kind, name, key, index.beneath)

    def _as_before(self, give_way: GiveWay) -> tuple[Any, Any, Any]:
        """Return rows, indexes and claims as the store beneath has them, whatever is written to those it has."""
        rows: dict[type[Any], Any] = dict(self._beneath._rows)
        indexes = dict(self._beneath._indexes)
        for kind, over in self._over_rows.items():
            rows[kind] = self._laid_over(over, give_way)
        for name, index in self._over_indexes.items():
            indexes[name] = Index(cast(Any, self._laid_over(index.over, give_way)))
        return rows, indexes, self._laid_over(self._over_claimed, give_way)

    def _laid_over(self, over: "_Over", give_way: GiveWay) -> "_Over":
        """Return what is beneath another one now, as it stays whatever that one puts in place."""
        before = _Over(over.beneath)
        self._before.append(before)
        for key in by_turns(over.own, give_way):
            before.own[key] = over.beneath.get(key)
        return before

    def _put_in_place(self, change: Change) -> Iterator[None]:
        """Write all of it to the store beneath, in small steps."""
        for row in change.rows:
            self._revise(row, change.revision)
            yield
        for over in self._overs():
            yield from over.put_in_place()

    def _overs(self) -> "list[_Over]":
        return [*self._over_rows.values(), *(index.over for index in self._over_indexes.values()), self._over_claimed]

    def let_go(self, tx: Transaction, give_way: GiveWay) -> None:
        """Forget all that was written, which nobody reads here any more."""
        tx.let_go(give_way)
        for over in (*self._overs(), *self._before):
            let_go(over.own, give_way)


@contextmanager
def drafted(store: Store, give_way: GiveWay) -> Iterator[tuple[Draft, Transaction]]:
    """Open a transaction on a draft of the store, where all reading and writing of the block goes.

    Each write, and the commit at its end, ``give_way`` now and then. Raises as ``Store.transaction`` does, and
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
            draft.commit(tx, give_way)
        finally:
            draft._open = None
            store._drafted_in = 0
            store._tell()
    draft.let_go(tx, give_way)


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

    def put_in_place(self) -> Iterator[None]:
        """Write what was set to what is beneath, in small steps."""
        for key, value in self.own.items():
            if value is None:
                self.beneath.pop(key, None)
            else:
                self.beneath[key] = value
            yield


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
