"""Functions remembered with what they read, and run again only when something that they read has changed.

A *cell* is one function with its arguments, its value and what it read, in order. What can be read are rows, index
keys, keys of relations, and other cells: all *nodes*, which know their readers. After a change of the store, cells that
read a changed node are suspect, and so are those that read them. ``settled`` settles a suspect: its reads are settled
first, in the order in which they were made, and it runs again only if one of them really has another value.

There are some twenty cells for each port, so they are small: no name of their own, and one tuple of arguments for all
cells of a row.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

from flows.gatherings import Gathering, Turned
from topology.facts import At, Each, Relation
from topology.kinds import KIND_OF
from topology.steady import Rows
from topology.store import RowChange
from topology.turns import GiveWay, by_turns, let_go, nobody_waits
from topology.values import Row

R = TypeVar("R", bound=Row)
T = TypeVar("T")
Function = Callable[..., Any]
SOME = 32
"""Readers that are kept in a tuple; more are a set, where one is found at once."""


class Node:
    """Something that is read. Few have many readers, so a single one is kept as it is, and some in a tuple."""

    __slots__ = ("readers",)

    def __init__(self) -> None:
        self.readers: Cell | tuple[Cell, ...] | set[Cell] | None = None

    def every_reader(self) -> Iterable["Cell"]:
        """Return the cells that read it."""
        if self.readers is None:
            return ()
        return (self.readers,) if isinstance(self.readers, Cell) else self.readers

    def add_reader(self, reader: "Cell") -> None:
        """Take note of one that reads it, and did not before."""
        if self.readers is None:
            self.readers = reader
        elif isinstance(self.readers, Cell):
            self.readers = (self.readers, reader)
        elif isinstance(self.readers, set):
            self.readers.add(reader)
        elif len(self.readers) < SOME:
            self.readers = (*self.readers, reader)
        else:
            self.readers = {*self.readers, reader}

    def remove_reader(self, reader: "Cell") -> bool:
        """Take note of one that reads it no more; return whether it was the last."""
        if self.readers is reader:
            self.readers = None
        elif isinstance(self.readers, set):
            self.readers.remove(reader)
            if not self.readers:
                self.readers = None
        elif isinstance(self.readers, tuple):
            others = tuple([each for each in self.readers if each is not reader])
            self.readers = others[0] if len(others) == 1 else others or None
        return self.readers is None


class Source(Node):
    """What is read and no cell. ``home`` are all sources of its kind that are read, by key."""

    __slots__ = ("home", "key")

    def __init__(self, home: dict[Any, "Source"], key: Any) -> None:
        super().__init__()
        self.home = home
        self.key = key


class Cell(Node):
    """A function and its arguments, a remembered value, and what it was made from."""

    __slots__ = ("args", "function", "reads", "suspect", "value")

    def __init__(self, function: Function, args: tuple[Any, ...]) -> None:
        super().__init__()
        self.function = function
        self.args = args
        self.value: Any = None
        self.reads: Node | tuple[Node, ...] = ()
        self.suspect = False

    def every_read(self) -> tuple[Node, ...]:
        """Return what it has read, in order; what is alone is kept as it is."""
        return (self.reads,) if isinstance(self.reads, Node) else self.reads


class Memo:
    """The cells, and who reads whom. Offers ``topology.facts.View`` to the functions it runs."""

    def __init__(
        self, store: Rows, give_way: GiveWay = nobody_waits, asked_by_thousands: frozenset[Function] = frozenset()
    ) -> None:
        """``asked_by_thousands``: functions of which others ask so many at once that they are settled before that."""
        self._store = store
        self._asked_by_thousands = asked_by_thousands
        self._give_way = give_way
        self._cells: dict[Function, dict[tuple[Any, ...], Cell]] = {}
        self._sources: dict[Any, dict[Any, Source]] = {}
        """By kind of row and id, by (kind, index) and key, by relation and key."""
        self._gatherings: dict[Relation, Gathering] = {}
        """In the order in which they depend on one another."""
        self._recording: list[dict[Node, None]] = []
        self._changed: set[Node] = set()
        """What has another value than before, in the present pass."""
        self._suspects: list[Cell] = []
        self._unread: set[Node] = set()
        """What had no reader left at some time of the present pass; it may have found another since."""
        self.runs: Counter[str] = Counter()
        """How often each function has run, by name: tests prove by it that a change touches only what it must."""

    # What functions read by

    def get(self, kind: type[R], row_id: str) -> R | None:
        """Return a row, or None; the read is recorded."""
        self._record_source(kind, row_id)
        return self._store.get(kind, row_id)

    def find_ids(self, kind: type[Any], index: str, key: Any) -> tuple[str, ...]:
        """Return the ids under an index key; the read is recorded."""
        self._record_source((kind, index), key)
        return self._store.find_ids(kind, index, key)

    def ask(self, fact: Callable[..., T], *args: Any) -> T:
        """Return the value of a function, from memory where it stands; the read is recorded."""
        cell = self.settled(fact, args)
        if self._recording:
            self._recording[-1][cell] = None
        value: T = cell.value
        return value

    def gather(self, relation: Relation, key: Any) -> tuple[str, ...]:
        """Return what all rows say under a key, sorted; the read is recorded."""
        self._record_source(relation, key)
        return self._gathering(relation).found(key)

    # What the engine does

    def begin(self, rows: Iterable[RowChange]) -> list[Cell]:
        """Take note of changed rows; return every cell that may be concerned.

        All of them are suspect, but for those that relations have asked for and that have another value now.
        """
        by_kind: dict[type[Any], list[str]] = {}
        edge: list[Node] = []
        for row in by_turns(rows, self._give_way):
            by_kind.setdefault(row.kind, []).append(row.id)
            edge += self._turned(row.kind, row.id)
            for name, keys_of in KIND_OF[row.kind].indexes.items():
                old = set(keys_of(row.before)) if row.before is not None else set()
                new = set(keys_of(row.after)) if row.after is not None else set()
                for key in old ^ new:
                    edge += self._turned((row.kind, name), key)
        self._suspect_readers(edge)
        for cell in by_turns(self._suspects, self._give_way):
            if cell.suspect and cell.function in self._asked_by_thousands:
                self._settle_if_it_can_be(cell)
        for relation, gathering in self._gatherings.items():
            edge = []
            of = relation.kind
            changed: Iterable[Any] = self._turned_of(of) if isinstance(of, Each) else by_kind.get(of, ())
            for row_id in gathering.concerned(changed):
                self._give_way()
                for key in self._follow(relation, gathering, row_id):
                    edge += self._turned(relation, key)
            self._suspect_readers(edge)
        every = by_turns(self._suspects, self._give_way)
        return [cell for cell in every if cell.suspect or cell in self._changed]

    def end(self) -> None:
        """Forget what nobody reads any more; what has changed is settled."""
        for cell in by_turns(self._suspects, self._give_way):
            if cell.suspect:
                # Not settled in this pass, so nobody alive asked for it.
                self._unread.add(cell)
        while self._unread:
            self._give_way()
            node = self._unread.pop()
            if isinstance(node, Cell):
                if node.suspect or node.readers is None:
                    self._forget(node)
            elif isinstance(node, Source) and node.readers is None:
                del node.home[node.key]
        for gathering in self._gatherings.values():
            gathering.turned.clear()
        suspects, changed = self._suspects, self._changed
        self._suspects, self._changed = [], set()
        let_go(suspects, self._give_way)
        let_go(changed, self._give_way)

    def settled(self, function: Function, args: tuple[Any, ...]) -> Cell:
        """Return the cell of a function with arguments, up to date. Raises what the function raises."""
        cell = self.find(function, args)
        if cell is None:
            cell = Cell(function, _kept(args))
            self._run(cell, is_new=True)
            self._cells.setdefault(function, {})[cell.args] = cell
        elif cell.suspect:
            self._settle(cell)
        return cell

    def find(self, function: Function, args: tuple[Any, ...]) -> Cell | None:
        """Return a cell as it is, or None."""
        cells = self._cells.get(function)
        return cells.get(args) if cells is not None else None

    def is_changed(self, cell: Cell) -> bool:
        """Return whether a cell has another value than before, in the present pass."""
        return cell in self._changed

    def drop(self, function: Function, args: tuple[Any, ...]) -> None:
        """Forget a cell that was kept for its own sake, and what only it has read."""
        if (cell := self.find(function, args)) is not None:
            self._forget(cell)

    def pause(self) -> None:
        """Give way in the midst of a function that nobody but the engine asks for: others ask, and it reads none of it.

        They would run a fact once more that is about to be known, so a fact does not pause.
        """
        recording, self._recording = self._recording, []
        try:
            self._give_way()
        finally:
            self._recording = recording

    # Inner parts

    def _suspect_readers(self, edge: list[Node]) -> None:
        """Suspect all that depends on some nodes."""
        while edge:
            self._give_way()
            for reader in edge.pop().every_reader():
                if not reader.suspect:
                    reader.suspect = True
                    self._suspects.append(reader)
                    edge.append(reader)
                    relation = getattr(reader.function, "relation", None)
                    if relation is not None:
                        self._gatherings[relation].suspects.append(reader.args[0])

    def _turned(self, kind: Any, key: Any) -> Iterator[Node]:
        """Yield a source as one that has changed, if anybody reads it."""
        sources = self._sources.get(kind)
        node = sources.get(key) if sources is not None else None
        if node is not None and node not in self._changed:
            self._changed.add(node)
            yield node

    def ask_ahead(self, function: Function, *args: Any) -> None:
        """Settle what others will ask in the next pass; it is forgotten if none does."""
        self._unread.add(self.settled(function, args))

    def introduce(self, relation: Relation) -> None:
        """Gather what all rows of a relation say, in slices; else that is done at once when it is first asked for."""
        self._gathering(relation)

    def _gathering(self, relation: Relation) -> Gathering:
        gathering = self._gatherings.get(relation)
        return gathering if gathering is not None else self._introduce(relation)

    def turned(self) -> Iterator[Turned]:
        """Yield what has come to chassis, or has gone from them, in the present pass, for each relation in order."""
        for gathering in self._gatherings.values():
            yield from gathering.turned

    def _introduce(self, relation: Relation) -> Gathering:
        gathering = Gathering(relation)
        for row_id in self._every_row(relation.kind):
            if not self._recording:
                self._give_way()
            self._follow(relation, gathering, row_id)
        # After those that it depends on, which its rows have introduced.
        self._gatherings[relation] = gathering
        return gathering

    def _every_row(self, kind: type[Any] | Each) -> Iterable[Any]:
        return self._gathering(kind.relation).there(kind.what) if isinstance(kind, Each) else self._store.ids(kind)

    def _is_there(self, kind: type[Any] | Each, row_id: Any) -> bool:
        if isinstance(kind, Each):
            chassis_id, value = row_id
            return self._gathering(kind.relation).is_said(At(kind.what, chassis_id), value)
        return self._store.get(kind, row_id) is not None

    def _turned_of(self, kind: Each) -> list[tuple[str, str]]:
        turned = self._gathering(kind.relation).turned
        return [(at.chassis_id, value) for at, value, _ in turned if at.what == kind.what]

    def _follow(self, relation: Relation, gathering: Gathering, row_id: Any) -> set[Any]:
        """Bring what a row says up to date; return the keys under which another set of values is said now."""
        if not self._is_there(relation.kind, row_id):
            self.drop(gathering.says, (row_id,))
            return gathering.replace(row_id, ())
        return gathering.replace(row_id, self.settled(gathering.says, (row_id,)).value)

    def _settle(self, cell: Cell) -> None:
        for read in cell.every_read():
            if isinstance(read, Cell) and read.suspect:
                self._settle_if_it_can_be(read)
            if read in self._changed:
                self._run(cell)
                return
        cell.suspect = False

    def _settle_if_it_can_be(self, cell: Cell) -> None:
        try:
            self._settle(cell)
        except Exception:
            # The reader will meet the same error when it runs, if it still asks.
            self._changed.add(cell)

    def _run(self, cell: Cell, *, is_new: bool = False) -> None:
        self.runs[cell.function.__name__] += 1
        reads: dict[Node, None] = {}
        self._recording.append(reads)
        try:
            value = cell.function(self, *cell.args)
        except Exception:
            self._recording.pop()
            self._forget(cell)
            if self._recording:
                # What failed is not remembered, so whoever asked depends on its reads.
                self._recording[-1].update(reads)
            self._changed.add(cell)
            raise
        self._recording.pop()
        if is_new or cell.value != value:
            cell.value = value
            self._changed.add(cell)
        cell.suspect = False
        before, now = cell.every_read(), tuple(reads)
        if before == now:
            return
        cell.reads = now[0] if len(now) == 1 else now
        former = dict.fromkeys(before)
        for read in reads:
            if read not in former:
                read.add_reader(cell)
        for read in before:
            if read not in reads:
                self._unlink(read, cell)

    def _record_source(self, kind: Any, key: Any) -> None:
        if self._recording:
            home = self._sources.get(kind)
            if home is None:
                home = self._sources[kind] = {}
            node = home.get(key)
            if node is None:
                node = home[key] = Source(home, key)
            self._recording[-1][node] = None

    def _unlink(self, read: Node, reader: Cell) -> None:
        if read.remove_reader(reader):
            self._unread.add(read)

    def _forget(self, cell: Cell) -> None:
        cell.suspect = False
        cells = self._cells.get(cell.function, {})
        if cells.get(cell.args) is cell:
            del cells[cell.args]
        for read in cell.every_read():
            self._unlink(read, cell)
        cell.reads = ()


@lru_cache(maxsize=1 << 10)
def _kept(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments as those that were met before, if they were not long ago."""
    return args
