"""The incremental engine: from changes of the store to what each chassis should hold.

Start-up and update are one code path: the first update treats every row as new. The engine's result depends on
the store's rows alone, never on the order in which they came (*incremental equals from scratch*).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from flows.delta import Delta, DesiredTable
from flows.features import UNITS
from flows.flow import Flow
from flows.memo import Cell, Function, Memo
from flows.units import AUDIENCES_AT, Audience, Unit, audiences
from topology.doors import FORWARDED
from topology.facts import PLACES, View
from topology.gateway import GATEWAYS
from topology.interfaces import live_interface, routers_on
from topology.kinds import KINDS
from topology.presence import PRESENT
from topology.routing import REACHING
from topology.security import ASKING, GROUPS
from topology.speaking import FREE_SPEAKERS
from topology.steady import Rows
from topology.store import Change, RowChange
from topology.turns import GiveWay, by_steps, by_turns, let_go, nobody_waits
from topology.values import ROUTER_INTERFACE, Chassis, Port

T = TypeVar("T")


RELATIONS = (PLACES, GROUPS, GATEWAYS, *REACHING, ASKING, FREE_SPEAKERS, PRESENT, FORWARDED)
"""Those of most rows, each after those that it depends on."""


ASKED_BY_THOUSANDS = frozenset({live_interface, routers_on})
"""Of interfaces, a router may have a thousand, and what packets reach by it asks for all of them."""


Call = tuple[Function, tuple[Any, ...]]


class Failure(NamedTuple):
    """A unit raised: its flows are missing until something that it reads changes."""

    unit: str
    args: tuple[Any, ...]
    error: str


class Broken(NamedTuple):
    """What a unit yields that raises: its name, and why it does."""

    unit: str
    error: str


Yielded = tuple[Audience | Flow | Broken, ...]
"""What units have published: each audience, followed by the flows for it."""


class Engine:
    """Keeps the desired flows of every chassis in step with a store."""

    def __init__(
        self,
        store: Rows,
        units: Iterable[Unit] = UNITS,
        followed: Iterable[tuple[type[Any], Callable[..., Any]]] = (),
        give_way: GiveWay = nobody_waits,
        *,
        filled: bool = True,
    ) -> None:
        """``followed``: kinds of rows, and facts of such a row's id; ``take_moved`` tells whose have moved.

        ``give_way``: see ``topology.turns``; the store must stay as it is meanwhile. Where the engine is not to be
        ``filled`` yet, ``fill`` comes before the first ``update``.
        """
        self._store = store
        self._followed = tuple(followed)
        self._moved: dict[Function, set[str]] = {fact: set() for _, fact in self._followed}
        self._give_way = give_way
        self._memo = Memo(store, give_way, ASKED_BY_THOUSANDS)
        self._publishing: dict[type[Any] | None, list[_Units]] = {}
        """What runs for each row of a kind; of None, what runs once."""
        self._items: dict[type[Any], list[_Items]] = {}
        """What runs for several things in each row of a kind."""
        self._arrange(units)
        self._publishers: dict[Audience, dict[Cell, None]] = {}
        """Cells of units that yield flows for an audience; the flows are in their values."""
        self._subscribed: dict[str, dict[Audience, int]] = {}
        """The audiences of each chassis, and for how many reasons it belongs to each."""
        self._served: dict[str, frozenset[Audience]] = {}
        """Those of them that the fact ``audiences`` names."""
        self._subscribers: dict[Audience, dict[str, DesiredTable]] = {}
        self._touched: dict[str, DesiredTable] = {}
        """Tables of chassis that may differ from before, in the present pass."""
        self._tables: dict[str, DesiredTable] = {}
        self._facts: set[Call] = set()
        self.failures: dict[tuple[str, tuple[Any, ...]], Failure] = {}
        """By unit and arguments."""
        self.revision = 0
        if filled:
            self.fill()

    @property
    def runs(self) -> Counter[str]:
        """How often each unit and fact has run, by name."""
        return self._memo.runs

    def desired(self, chassis_id: str) -> DesiredTable:
        """Return what a chassis should hold now, by (table, priority, match); empty for an unknown chassis."""
        return self._tables.get(chassis_id, DesiredTable())

    def take_moved(self, *facts: Callable[..., Any]) -> set[str]:
        """Return the ids of the rows of which one of some followed facts is another than when it was asked last.

        With them are those that are gone. Raises KeyError for a fact that is not followed.
        """
        moved: set[str] = set()
        for fact in facts:
            moved |= self._moved[fact]
            self._moved[fact] = set()
        return moved

    @property
    def view(self) -> View:
        """The model as of the last update, for who asks it much."""
        return self._memo

    def ask(self, fact: Callable[..., T], *args: Any) -> T:
        """Return a fact as of the last update, from memory where it stands."""
        return self._memo.ask(fact, *args)

    def fill(self) -> None:
        """Take in all rows of the store, as a change that makes everything."""
        for port in by_turns(self._store.all(Port), self._give_way):
            if port.device_owner == ROUTER_INTERFACE:
                self._memo.ask_ahead(live_interface, port.id)
                self._memo.ask_ahead(routers_on, port.network_id)
        for relation in RELATIONS:
            self._memo.introduce(relation)
        self._run_once()
        every = Change(self._store.revision, tuple(by_turns(_every_row(self._store), self._give_way)))
        for table in self._follow([every]).values():
            table.forget_before(self._give_way)

    def update(self, changes: Iterable[Change]) -> dict[str, Delta]:
        """Follow changes of the store; return the difference for each chassis that has one."""
        touched = self._follow(changes)
        deltas = {chassis_id: table.take_delta(self._give_way) for chassis_id, table in touched.items()}
        return {chassis_id: delta for chassis_id, delta in deltas.items() if delta.added or delta.removed}

    def _follow(self, changes: Iterable[Change]) -> dict[str, DesiredTable]:
        """Follow changes of the store; return the tables of chassis that may differ from before."""
        rows: list[RowChange] = []
        for change in changes:
            rows.extend(change.rows)
            self.revision = max(self.revision, change.revision)
        suspects = self._memo.begin(rows)
        for row in by_turns(rows, self._give_way):
            self._follow_row(row.kind, row.id)
            self._follow_fact(row.kind, row.id)
        for at, value, is_there in by_turns(self._memo.turned(), self._give_way):
            if at.chassis_id in self._subscribed and (audience_of := AUDIENCES_AT.get(at.what)) is not None:
                self._join(at.chassis_id, audience_of(value), 1 if is_there else -1)
        for cell in by_turns(suspects, self._give_way):
            if (cell.function, cell.args) in self._facts:
                self._look_at(cell.function, cell.args)
            elif cell.suspect and isinstance(cell.function, _Items):
                self._follow_items(cell.function, cell.args)
        for cell in by_turns(suspects, self._give_way):
            if cell.suspect and isinstance(cell.function, _Units):
                self._publish(cell.function, cell.args)
        for cell in by_turns(suspects, self._give_way):
            if cell.function is audiences and cell.args[0] in self._served:
                self._subscribe(cell.args[0])
        self._memo.end()
        # What has gone with the change goes from memory, too, and not all at once.
        let_go(suspects, self._give_way)
        touched, self._touched = self._touched, {}
        return touched

    def _arrange(self, units: Iterable[Unit]) -> None:
        """Group units by when they run; those that are ``together`` are one."""
        together: dict[type[Any] | None, list[Unit]] = {}
        for unit in units:
            if unit.over is not None and unit.each is not None:
                items = _Items(unit.each, _Units(self._memo, unit))
                self._items.setdefault(unit.over, []).append(items)
            elif unit.together:
                together.setdefault(unit.over, []).append(unit)
            else:
                self._publishing.setdefault(unit.over, []).append(_Units(self._memo, unit))
        for kind, several in together.items():
            self._publishing.setdefault(kind, []).append(_Units(self._memo, *several))

    def _run_once(self) -> None:
        for units in self._publishing.get(None, ()):
            self._publish(units, ())

    def _follow_row(self, kind: type[Any], row_id: str) -> None:
        """Start or end what runs for a row."""
        present = self._store.get(kind, row_id) is not None
        for units in self._publishing.get(kind, ()):
            if present:
                self._publish(units, (row_id,))
            else:
                self._withdraw(units, (row_id,))
        for items in self._items.get(kind, ()):
            if present:
                self._follow_items(items, (row_id,))
            elif (cell := self._memo.find(items, (row_id,))) is not None:
                self._set_items(items, cell.args, cell.value, ())
                self._memo.drop(items, cell.args)
        if kind is Chassis:
            if present:
                self._tables.setdefault(row_id, DesiredTable())
                self._subscribed.setdefault(row_id, {})
                self._subscribe(row_id)
            elif row_id in self._tables:
                for audience in self._subscribed.pop(row_id):
                    self._leave(row_id, audience)
                del self._tables[row_id], self._served[row_id]
                self._touched.pop(row_id, None)
                self._memo.drop(audiences, (row_id,))

    def _follow_fact(self, kind: type[Any], row_id: str) -> None:
        """Start or end to follow a fact of a row."""
        present = self._store.get(kind, row_id) is not None
        for over, fact in self._followed:
            call = (fact, (row_id,))
            if over is kind and present and call not in self._facts:
                self._facts.add(call)
                self._look_at(*call)
            elif over is kind and not present and call in self._facts:
                self._facts.remove(call)
                self._moved[fact].add(row_id)
                self._memo.drop(*call)

    def _look_at(self, fact: Function, args: tuple[Any, ...]) -> None:
        if self._memo.is_changed(self._memo.settled(fact, args)):
            self._moved[fact].add(args[0])

    def _follow_items(self, items: "_Items", args: tuple[Any, ...]) -> None:
        """Bring the list of items of a row up to date."""
        cell = self._memo.find(items, args)
        before = cell.value if cell is not None else ()
        self._set_items(items, args, before, self._memo.settled(items, args).value)

    def _set_items(self, items: "_Items", args: tuple[Any, ...], before: tuple[str, ...], now: tuple[str, ...]) -> None:
        if now == before:
            return
        for item in set(before) - set(now):
            self._withdraw(items.units, (*args, item))
        for item in set(now) - set(before):
            self._publish(items.units, (*args, item))

    def _publish(self, units: "_Units", args: tuple[Any, ...]) -> None:
        """Run units if they must, and publish the difference."""
        self._give_way()
        known = self._memo.find(units, args)
        before: Yielded = known.value if known is not None else ()
        cell = self._memo.settled(units, args)
        if cell.value is not before:
            self._difference(cell, before, cell.value)

    def _withdraw(self, units: "_Units", args: tuple[Any, ...]) -> None:
        """Take back what units have published, if they did."""
        self._give_way()
        if (cell := self._memo.find(units, args)) is not None:
            self._difference(cell, cell.value, ())
            self._memo.drop(units, cell.args)

    def _difference(self, cell: Cell, before: Yielded, now: Yielded) -> None:
        for broken in _broken(before):
            del self.failures[broken.unit, cell.args]
        for broken in _broken(now):
            self.failures[broken.unit, cell.args] = Failure(broken.unit, cell.args, broken.error)
        difference: dict[tuple[Audience, Flow], int] = {}
        for pair in by_turns(_pairs(now), self._give_way):
            difference[pair] = difference.get(pair, 0) + 1
        for pair in by_turns(_pairs(before), self._give_way):
            difference[pair] = difference.get(pair, 0) - 1
        for (audience, flow), times in by_steps(difference.items(), self._give_way, self._tables_of):
            if not times:
                continue
            for chassis_id, table in self._subscribers.get(audience, {}).items():
                self._touched[chassis_id] = table
                table.count(flow, times)
        former, present = _audiences_of(before), _audiences_of(now)
        for audience in present - former:
            self._publishers.setdefault(audience, {})[cell] = None
        for audience in former - present:
            publishers = self._publishers[audience]
            del publishers[cell]
            if not publishers:
                del self._publishers[audience]

    def _tables_of(self, difference: tuple[tuple[Audience, Flow], int]) -> int:
        """Return how many tables a difference is written to, at least one."""
        (audience, _), _ = difference
        return len(self._subscribers.get(audience, ())) or 1

    def _subscribe(self, chassis_id: str) -> None:
        """Bring those audiences of a chassis up to date that a fact names."""
        now: frozenset[Audience] = self._memo.settled(audiences, (chassis_id,)).value
        before = self._served.get(chassis_id, frozenset())
        self._served[chassis_id] = now
        for audience in before - now:
            self._join(chassis_id, audience, -1)
        for audience in now - before:
            self._join(chassis_id, audience, 1)

    def _join(self, chassis_id: str, audience: Audience, times: int) -> None:
        """Let a chassis belong to an audience for one reason more (1) or less (-1)."""
        reasons = self._subscribed[chassis_id]
        before = reasons.get(audience, 0)
        reasons[audience] = before + times
        if before and reasons[audience]:
            return
        table = self._touched[chassis_id] = self._tables[chassis_id]
        if times > 0:
            self._subscribers.setdefault(audience, {})[chassis_id] = table
        else:
            del reasons[audience]
            self._leave(chassis_id, audience)
        self._count(table, audience, times)

    def _count(self, table: DesiredTable, audience: Audience, times: int) -> None:
        """Ask a table for all that is published for an audience, once more (1) or once less (-1)."""
        published = (pair for cell in self._publishers.get(audience, ()) for pair in _pairs(cell.value))
        for each, flow in by_turns(published, self._give_way):
            if each == audience:
                table.count(flow, times)

    def _leave(self, chassis_id: str, audience: Audience) -> None:
        subscribers = self._subscribers[audience]
        del subscribers[chassis_id]
        if not subscribers:
            del self._subscribers[audience]


class _Units:
    """Units that run as one function, which never raises: one bad row costs that row's flows, not the pass.

    Others have their turn between what they yield.
    """

    def __init__(self, memo: Memo, *units: Unit) -> None:
        self._units = units
        self._runs = memo.runs
        self._pause = memo.pause
        self.__name__ = units[0].name if len(units) == 1 else "together"

    def __call__(self, view: View, *args: Any) -> Yielded:
        """Return what all of them yield, each audience named once where its flows stand together."""
        found: list[Audience | Flow | Broken] = []
        last: Audience | None = None
        for unit in self._units:
            if len(self._units) > 1:
                self._runs[unit.name] += 1
            try:
                published = tuple(by_steps(unit.function(view, *args), self._pause, _steps))
            except Exception as error:
                found.append(Broken(unit.name, f"{type(error).__name__}: {error}"))
                continue
            for audience, flow in published:
                if audience != last:
                    found.append(audience)
                    last = audience
                found.append(flow)
        return tuple(found)


class _Items:
    """The fact that lists what units run for within a row."""

    def __init__(self, each: Callable[..., tuple[str, ...]], units: _Units) -> None:
        self.units = units
        self._each = each
        self.__name__ = f"{units.__name__}.each"

    def __call__(self, view: View, row_id: str) -> tuple[str, ...]:
        # Not asked for: there would be two cells for each row.
        return self._each(view, row_id)


def _steps(published: tuple[Audience, Flow]) -> int:
    """Return how many small steps a flow takes: to flood a large network takes very many actions."""
    return 1 + len(published[1].actions)


def _pairs(yielded: Yielded) -> Iterator[tuple[Audience, Flow]]:
    """Yield each flow with its audience."""
    audience = None
    for each in yielded:
        if isinstance(each, Audience):
            audience = each
        elif isinstance(each, Flow) and audience is not None:
            yield audience, each


def _audiences_of(yielded: Yielded) -> set[Audience]:
    return {each for each in yielded if isinstance(each, Audience)}


def _broken(yielded: Yielded) -> Iterator[Broken]:
    return (each for each in yielded if isinstance(each, Broken))


def _every_row(store: Rows) -> Iterable[RowChange]:
    for kind in KINDS:
        for row in store.all(kind.row):
            yield RowChange(kind.row, row.id, None, row)
