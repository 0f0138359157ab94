"""Functions remembered with what they read, and run again only when something that they read has changed.

A *cell* is one function with its arguments, its value and its reads, in order. After a change of the store, cells that
read a changed row or index are suspect, and so are those that read them. ``refresh`` settles a suspect: its reads are
settled first, in the order in which they were made, and it runs again only if one of them really has another value.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from topology.store import KIND_OF, RowChange, Store
from topology.values import Row

R = TypeVar("R", bound=Row)
T = TypeVar("T")


class RowRead(NamedTuple):
    """A read of one row."""

    kind: type[Any]
    id: str


class IndexRead(NamedTuple):
    """A read of which rows stand under a key of an index."""

    kind: type[Any]
    name: str
    key: Any


class Call(NamedTuple):
    """A function and its arguments: the name of a cell."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


Read = RowRead | IndexRead | Call


class Cell:
    """A remembered value, and what it was made from."""

    __slots__ = ("reads", "value")

    def __init__(self, value: Any, reads: dict[Read, None]) -> None:
        self.value = value
        self.reads = reads


class Memo:
    """The cells, and who reads whom. Offers ``topology.facts.View`` to the functions it runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cells: dict[Call, Cell] = {}
        self._readers: dict[Read, set[Call]] = {}
        self._recording: list[dict[Read, None]] = []
        self._dirty: set[Read] = set()
        self._suspect: set[Call] = set()
        self._unread: set[Call] = set()
        self.runs: Counter[str] = Counter()
        """How often each function has run, by name: tests prove by it that a change touches only what it must."""

    def get(self, kind: type[R], row_id: str) -> R | None:
        """Return a row, or None; the read is recorded."""
        self._record(RowRead(kind, row_id))
        return self._store.get(kind, row_id)

    def find_ids(self, kind: type[Any], index: str, key: Any) -> tuple[str, ...]:
        """Return the ids under an index key; the read is recorded."""
        self._record(IndexRead(kind, index, key))
        return self._store.find_ids(kind, index, key)

    def ask(self, fact: Callable[..., T], *args: Any) -> T:
        """Return the value of a function, from memory where it stands; the read is recorded."""
        call = Call(fact, args)
        self._record(call)
        self.refresh(call)
        value: T = self._cells[call].value
        return value

    def begin(self, rows: Iterable[RowChange]) -> set[Call]:
        """Take note of changed rows; return every cell that may be concerned."""
        for row in rows:
            self._dirty.add(RowRead(row.kind, row.id))
            for name, keys_of in KIND_OF[row.kind].indexes.items():
                old = set(keys_of(row.before)) if row.before is not None else set()
                new = set(keys_of(row.after)) if row.after is not None else set()
                self._dirty.update(IndexRead(row.kind, name, key) for key in old ^ new)
        edge: list[Read] = list(self._dirty)
        while edge:
            for reader in self._readers.get(edge.pop(), ()):
                if reader not in self._suspect:
                    self._suspect.add(reader)
                    edge.append(reader)
        return set(self._suspect)

    def end(self) -> None:
        """Forget the cells that nobody reads any more; what was dirty is settled."""
        for call in self._suspect:
            # Not settled in this pass, so nobody alive asked for it.
            self._unread.add(call)
        while self._unread:
            call = self._unread.pop()
            if call in self._suspect or not self._readers.get(call):
                self._forget(call)
        self._suspect.clear()
        self._dirty.clear()

    def refresh(self, call: Call) -> bool:
        """Bring a cell up to date; return whether its value is another than before. Raises what the function raises."""
        cell = self._cells.get(call)
        if cell is None:
            self._run(call)
            return True
        if call not in self._suspect:
            return call in self._dirty
        for read in list(cell.reads):
            changed = self._settle(read) if isinstance(read, Call) else read in self._dirty
            if changed:
                self._run(call)
                return call in self._dirty
        self._suspect.discard(call)
        return False

    def value(self, call: Call) -> Any:
        """Return the remembered value of a cell. Raises KeyError if there is none."""
        return self._cells[call].value

    def drop(self, call: Call) -> None:
        """Forget a cell that was kept for its own sake, and what only it has read."""
        self._forget(call)

    def _settle(self, call: Call) -> bool:
        try:
            return self.refresh(call)
        except Exception:
            # The reader will meet the same error when it runs, if it still asks.
            return True

    def _run(self, call: Call) -> None:
        self.runs[call.function.__name__] += 1
        reads: dict[Read, None] = {}
        self._recording.append(reads)
        try:
            value = call.function(self, *call.args)
        except Exception:
            self._recording.pop()
            self._forget(call)
            for read in reads:
                # What failed is not remembered, so whoever asked depends on its reads.
                self._record(read)
            self._dirty.add(call)
            raise
        self._recording.pop()
        cell = self._cells.get(call)
        before = cell.reads if cell else {}
        if cell is None or cell.value != value:
            self._dirty.add(call)
        self._cells[call] = Cell(value, reads)
        self._suspect.discard(call)
        for read in reads:
            if read not in before:
                self._readers.setdefault(read, set()).add(call)
        for read in before:
            if read not in reads:
                self._unlink(read, call)

    def _record(self, read: Read) -> None:
        if self._recording:
            self._recording[-1][read] = None

    def _unlink(self, read: Read, reader: Call) -> None:
        readers = self._readers.get(read)
        if readers is None:
            return
        readers.discard(reader)
        if not readers:
            del self._readers[read]
            if isinstance(read, Call):
                self._unread.add(read)

    def _forget(self, call: Call) -> None:
        self._suspect.discard(call)
        cell = self._cells.pop(call, None)
        if cell is not None:
            for read in cell.reads:
                self._unlink(read, call)
