"""The store: typed rows over a storage engine, with indexes, transactions and watchers.

All rows live in memory as frozen values; the engine makes them durable. A transaction's body is plain code that
neither sleeps nor does I/O: it sees its own writes, and either all of them commit or none. A transaction within a
transaction is part of it; where the inner one raises and the outer goes on, only the inner writes are undone. Watchers
are told of each commit as a ``Change``, in order.

    with store.transaction() as tx:
        tx.put(replace(tx.get(Port, port_id), name="web"))
"""

import logging
import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

from topology.documents import from_document, to_document
from topology.index import Index
from topology.kinds import KIND_NAMED, KIND_OF, KINDS
from topology.storage import MemoryStorage, Storage
from topology.turns import GiveWay, by_turns, let_go, nobody_waits
from topology.values import Claim, Row

LOG = logging.getLogger(__name__)
R = TypeVar("R", bound=Row)


class RowChange(NamedTuple):
    """One row before and after a commit; None where it did not exist."""

    kind: type[Any]
    id: str
    before: Any
    after: Any


class Change(NamedTuple):
    """What one commit changed, each row at most once, and the revision that it made."""

    revision: int
    rows: tuple[RowChange, ...]


class Keeper(Protocol):
    """Keeps what writes replace: a ``topology.steady.Steady``."""

    def keep_row(self, kind: type[Any], row_id: str, before: Any) -> None:
        """Keep a row that is about to be replaced; None where there was none."""
        ...

    def keep_ids(self, kind: type[Any], name: str, key: Any, index: Index) -> None:
        """Keep the ids under a key of an index that are about to change."""
        ...


class Store:
    """The rows, their indexes, and who watches them."""

    def __init__(self, storage: Storage | None = None) -> None:
        self._storage: Storage = storage or MemoryStorage()
        self._rows: dict[type[Any], dict[str, Any]] = {kind.row: {} for kind in KINDS}
        self._indexes = {(kind.row, name): Index() for kind in KINDS for name in kind.indexes}
        self._claimed: dict[str, list[int]] = {}
        self._revisions: dict[type[Any], dict[str, int]] = {kind.row: {} for kind in KINDS}
        self._watchers: list[Callable[[Change], None]] = []
        self._untold: deque[Change] = deque()
        self._telling = False
        self._lock = threading.RLock()
        self._open: Transaction | None = None
        self._open_in = 0
        """The thread of the open transaction."""
        self._drafted_in = 0
        """The thread that writes a draft (``topology.draft``); no other can write meanwhile."""
        self._keeper: Keeper | None = None
        self.revision, documents = self._storage.load()
        for key, revision, text in documents:
            self._load(key, revision, text)

    def get(self, kind: type[R], row_id: str) -> R | None:
        """Return the row, or None."""
        row: R | None = self._rows[kind].get(row_id)
        return row

    def ids(self, kind: type[Any]) -> list[str]:
        """Return the ids of all rows of a kind, in no particular order."""
        return list(self._rows[kind])

    def all(self, kind: type[R]) -> list[R]:
        """Return all rows of a kind, in no particular order."""
        return list(self._rows[kind].values())

    def find_ids(self, kind: type[Any], index: str, key: Any) -> tuple[str, ...]:
        """Return the ids of the rows under a key of an index, sorted. Raises KeyError for an unknown index."""
        return self._indexes[kind, index].find(key)

    def count(self, kind: type[Any], index: str, key: Any) -> int:
        """Return how many rows are under a key of an index, at no cost. Raises KeyError for an unknown index."""
        return self._indexes[kind, index].count(key)

    def find(self, kind: type[R], index: str, key: Any) -> list[R]:
        """Return the rows under a key of an index, sorted by id. Raises KeyError for an unknown index."""
        rows = self._rows[kind]
        return [rows[row_id] for row_id in self._indexes[kind, index].find(key)]

    def claimed(self, scope: str) -> list[int]:
        """Return the numbers claimed in a scope, sorted: the store's own list, to be read only."""
        return self._claimed.get(scope, [])

    def watch(self, watcher: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``watcher`` after each commit; return a function that ends it.

        A watcher may commit: its change follows when all have heard of the one before. What it raises is logged.
        """
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Open a transaction; it commits at the end of the block, or undoes everything if the block raises.

        Raises ConflictError if another controller committed to one of the same keys first, StorageError if the engine
        cannot write, TypeError if a row holds a value of another type than declared.
        """
        with self._lock:
            if self._drafted_in:
                raise RuntimeError("what is written while a draft is open belongs into the draft")
            if self._open is not None:
                with self._open.part():
                    yield self._open
                return
            tx = self._open = Transaction(self)
            self._open_in = threading.get_ident()
            try:
                with tx.part():
                    yield tx
                    change = tx.commit()
                    if change is not None:
                        for row in change.rows:
                            self._revise(row, change.revision)
            finally:
                self._open = None
            if change:
                self._untold.append(change)
                self._tell()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Hold off transactions of others for as long as the block takes."""
        with self._lock:
            yield

    @property
    def is_being_written(self) -> bool:
        """Whether whoever asks is within a transaction: what he has written so far is nobody else's yet."""
        own = threading.get_ident()
        return self._drafted_in == own or (self._open is not None and self._open_in == own)

    def keep_for(self, keeper: Keeper | None) -> None:
        """Have a keeper told what writes replace from now on; None ends that. Raises RuntimeError in a transaction."""
        with self._lock:
            if self._open is not None or (keeper is not None and self._keeper is not None):
                raise RuntimeError("a moment of the store is held already, or is none")
            self._keeper = keeper

    def flush(self) -> None:
        """Return when all that has been committed is durable; free of cost where it is. Raises StorageError.

        Until then the loss of power may undo it: whoever tells somebody outside of it waits first.
        """
        self._storage.flush()

    def close(self) -> None:
        """Close the storage engine."""
        self._storage.close()

    def _load(self, key: str, revision: int, text: str) -> None:
        """Take in a document. One that cannot be read costs its row, and stays as it is: a write to it conflicts."""
        name, _, row_id = key.partition("/")
        if name not in KIND_NAMED:
            return
        try:
            row = from_document(KIND_NAMED[name].row, text)
            if row.id != row_id:
                raise ValueError(f"it says id {row.id!r}")
        except (TypeError, ValueError) as error:
            LOG.error("stored document %s cannot be read and is left out: %s", key, error)
            return
        self._revisions[type(row)][row.id] = revision
        self._place(type(row), row.id, row)

    def _tell(self) -> None:
        """Tell the watchers what they have not heard. Under the lock, so that threads cannot change the order."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._untold:
                change = self._untold.popleft()
                for watcher in list(self._watchers):
                    try:
                        watcher(change)
                    except Exception:
                        LOG.exception("watcher %r failed at revision %d", watcher, change.revision)
        finally:
            self._telling = False

    def _revise(self, row: RowChange, revision: int) -> None:
        """Remember which commit wrote a row last."""
        if row.after is None:
            del self._revisions[row.kind][row.id]
        else:
            self._revisions[row.kind][row.id] = revision

    def _place(self, kind: type[Any], row_id: str, after: Any) -> Any:
        """Put a row (None removes it) into memory and its indexes; return what was there."""
        rows = self._rows[kind]
        before = rows.get(row_id)
        keeper = self._keeper
        if keeper is not None:
            keeper.keep_row(kind, row_id, before)
        if after is None:
            rows.pop(row_id, None)
        else:
            rows[row_id] = after
        for name, keys_of in KIND_OF[kind].indexes.items():
            old = keys_of(before) if before is not None else ()
            new = keys_of(after) if after is not None else ()
            if old == new:
                continue
            index = self._indexes[kind, name]
            for key in old:
                if keeper is not None:
                    keeper.keep_ids(kind, name, key, index)
                index.remove(key, row_id)
            for key in new:
                if keeper is not None:
                    keeper.keep_ids(kind, name, key, index)
                index.add(key, row_id)
        if kind is Claim:
            self._place_claim(before, after)
        return before

    def _place_claim(self, before: Claim | None, after: Claim | None) -> None:
        if before is not None:
            values = self._claimed[before.scope]
            del values[bisect_left(values, before.value)]
            if not values:
                del self._claimed[before.scope]
        if after is not None:
            insort(self._claimed.setdefault(after.scope, []), after.value)


class Transaction:
    """Reads and writes of one commit. Has the store's reading methods; sees its own writes.

    It is to ``give_way`` with each write where nobody else sees these yet: what one row takes along may be thousands.
    """

    def __init__(self, store: Store, give_way: GiveWay = nobody_waits) -> None:
        self._store, self._give_way = store, give_way
        self._undo: list[tuple[type[Any], str, Any, str | None]] = []
        self._documents: dict[tuple[type[Any], str], str | None] = {}
        self.get = store.get
        self.ids = store.ids
        self.all = store.all
        self.find = store.find
        self.find_ids = store.find_ids
        self.count = store.count
        self.claimed = store.claimed

    @property
    def next_revision(self) -> int:
        """The revision that this commit will have, if no other controller comes between."""
        return self._store.revision + 1

    def put(self, row: Row) -> None:
        """Create or replace a row. Raises TypeError if it holds a value of another type than declared."""
        self._write(type(row), row.id, row, to_document(row))

    def delete(self, kind: type[Any], row_id: str) -> None:
        """Remove a row, if it is there."""
        if self._store.get(kind, row_id) is not None:
            self._write(kind, row_id, None, None)

    def _write(self, kind: type[Any], row_id: str, after: Any, document: str | None) -> None:
        if self._store._open is not self:
            raise RuntimeError("this transaction has ended")
        self._give_way()
        before = self._store._place(kind, row_id, after)
        self._undo.append((kind, row_id, before, self._documents.get((kind, row_id))))
        self._documents[kind, row_id] = document

    @contextmanager
    def part(self) -> Iterator[None]:
        """Undo what the block wrote, and only that, if it raises."""
        start = len(self._undo)
        try:
            yield
        except BaseException:
            while len(self._undo) > start:
                kind, row_id, before, document = self._undo.pop()
                self._store._place(kind, row_id, before)
                self._documents[kind, row_id] = document
            raise

    def commit(self, give_way: GiveWay = nobody_waits) -> Change | None:
        """Hand the difference to the storage engine; return it, or None if nothing differs.

        ``give_way`` lets others have their turn until the engine has committed. None of them writes.
        """
        store = self._store
        first: dict[tuple[type[Any], str], Any] = {}
        for kind, row_id, before, _ in by_turns(self._undo, give_way):
            first.setdefault((kind, row_id), before)
        rows = tuple(
            RowChange(kind, row_id, before, after)
            for (kind, row_id), before in by_turns(first.items(), give_way)
            if (after := store.get(kind, row_id)) != before
        )
        if not rows:
            return None
        expected, writes = {}, {}
        for row in by_turns(rows, give_way):
            key = f"{KIND_OF[row.kind].name}/{row.id}"
            expected[key], writes[key] = store._revisions[row.kind].get(row.id, 0), self._documents[row.kind, row.id]
        store.revision = store._storage.commit(expected, writes, give_way)
        return Change(store.revision, rows)

    def let_go(self, give_way: GiveWay) -> None:
        """Forget, at the end, what was written; much is better forgotten in slices."""
        let_go(self._undo, give_way)
        let_go(self._documents, give_way)
