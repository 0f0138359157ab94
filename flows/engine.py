"""The incremental engine: from changes of the store to what each chassis should hold.

Start-up and update are one code path: the first update treats every row as new. The engine's result depends on
the store's rows alone, never on the order in which they came (*incremental equals from scratch*).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from flows.delta import Delta, DesiredTable
from flows.features import UNITS
from flows.flow import Flow
from flows.memo import Call, Memo
from flows.turns import GiveWay, by_turns, nobody_waits
from flows.units import Audience, Unit, audiences
from topology.facts import PLACES, View
from topology.routing import REACHING
from topology.security import GROUPS
from topology.store import KINDS, Change, RowChange, Store
from topology.values import Chassis

T = TypeVar("T")


RELATIONS = (PLACES, GROUPS, REACHING)
"""Those of most rows, each after those that it depends on."""


class Failure(NamedTuple):
    """A unit raised: its flows are missing until something that it reads changes."""

    unit: str
    args: tuple[Any, ...]
    error: str


class Yielded(NamedTuple):
    """What a unit published, or why it could not."""

    flows: tuple[tuple[Audience, Flow], ...]
    error: str | None = None


class Engine:
    """Keeps the desired flows of every chassis in step with a store."""

    def __init__(
        self,
        store: Store,
        units: Iterable[Unit] = UNITS,
        followed: Iterable[tuple[type[Any], Callable[..., Any]]] = (),
        give_way: GiveWay = nobody_waits,
        *,
        filled: bool = True,
    ) -> None:
        """``followed``: kinds of rows, and for each a fact of such a row's id; ``take_moved`` tells whose has moved.

        ``give_way``: see ``flows.turns``; the store must stay as it is meanwhile. Where the engine is not to be
        ``filled`` yet, ``fill`` comes before the first ``update``.
        """
        self._store = store
        self._followed = tuple(followed)
        self._moved: set[str] = set()
        self._give_way = give_way
        self._memo = Memo(store, give_way)
        self._units = tuple(units)
        self._units_over: dict[type[Any] | None, list[Unit]] = {}
        for unit in self._units:
            self._units_over.setdefault(unit.over, []).append(unit)
        self._functions = {unit: _guarded(unit) for unit in self._units}
        self._published: dict[Audience, Counter[Flow]] = {}
        self._subscribed: dict[str, frozenset[Audience]] = {}
        self._subscribers: dict[Audience, dict[str, DesiredTable]] = {}
        self._touched: dict[str, DesiredTable] = {}
        """Tables of chassis that may differ from before, in the present pass."""
        self._tables: dict[str, DesiredTable] = {}
        self._yielded: dict[Call, Yielded] = {}
        self._items: dict[Call, tuple[str, ...]] = {}
        self._facts: set[Call] = set()
        self.failures: dict[Call, Failure] = {}
        self.revision = 0
        if filled:
            self.fill()

    @property
    def runs(self) -> Counter[str]:
        """How often each unit and fact has run, by name."""
        return self._memo.runs

    def desired(self, chassis_id: str) -> Mapping[Any, Flow]:
        """Return what a chassis should hold now, by (table, priority, match); empty for an unknown chassis."""
        return self._tables.get(chassis_id, {})

    def take_moved(self) -> set[str]:
        """Return the ids of the rows whose followed fact is another than when this was asked last, or that are gone."""
        moved, self._moved = self._moved, set()
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
        for relation in RELATIONS:
            self._memo.introduce(relation)
        self._run_once()
        self.update([Change(self._store.revision, tuple(_every_row(self._store)))])

    def update(self, changes: Iterable[Change]) -> dict[str, Delta]:
        """Follow changes of the store; return the difference for each chassis that has one."""
        rows: list[RowChange] = []
        for change in changes:
            rows.extend(change.rows)
            self.revision = max(self.revision, change.revision)
        suspects = self._memo.begin(rows)
        for row in rows:
            self._follow_row(row.kind, row.id)
            self._follow_fact(row.kind, row.id)
        for call in suspects:
            if call in self._facts:
                self._look_at(call)
            if call in self._items:
                self._follow_items(call)
        for call in suspects:
            if call in self._yielded:
                self._publish(call)
        for call in suspects:
            if call.function is audiences and call.args[0] in self._subscribed:
                self._subscribe(call.args[0])
        self._memo.end()
        touched, self._touched = self._touched, {}
        deltas = {chassis_id: table.take_delta(self._give_way) for chassis_id, table in touched.items()}
        return {chassis_id: delta for chassis_id, delta in deltas.items() if delta.added or delta.removed}

    def _run_once(self) -> None:
        for unit in self._units_over.get(None, ()):
            self._publish(Call(self._functions[unit], ()))

    def _follow_row(self, kind: type[Any], row_id: str) -> None:
        """Start or end what runs for a row."""
        present = self._store.get(kind, row_id) is not None
        for unit in self._units_over.get(kind, ()):
            if unit.each is not None:
                items = Call(_items_of(unit), (row_id,))
                if present:
                    self._items.setdefault(items, ())
                    self._follow_items(items)
                elif items in self._items:
                    self._set_items(items, ())
                    del self._items[items]
                    self._memo.drop(items)
                continue
            call = Call(self._functions[unit], (row_id,))
            if present:
                self._publish(call)
            elif call in self._yielded:
                self._withdraw(call)
        if kind is Chassis:
            if present:
                self._tables.setdefault(row_id, DesiredTable())
                self._subscribe(row_id)
            elif row_id in self._tables:
                self._leave(row_id, self._subscribed.pop(row_id))
                del self._tables[row_id]
                self._touched.pop(row_id, None)
                self._memo.drop(Call(audiences, (row_id,)))

    def _follow_fact(self, kind: type[Any], row_id: str) -> None:
        """Start or end to follow a fact of a row."""
        present = self._store.get(kind, row_id) is not None
        for over, fact in self._followed:
            call = Call(fact, (row_id,))
            if over is kind and present and call not in self._facts:
                self._facts.add(call)
                self._look_at(call)
            elif over is kind and not present and call in self._facts:
                self._facts.remove(call)
                self._moved.add(row_id)
                self._memo.drop(call)

    def _look_at(self, call: Call) -> None:
        if self._memo.refresh(call):
            self._moved.add(call.args[0])

    def _follow_items(self, items: Call) -> None:
        """Bring the list of items of a row up to date."""
        self._memo.refresh(items)
        self._set_items(items, self._memo.value(items))

    def _set_items(self, items: Call, now: tuple[str, ...]) -> None:
        before = self._items[items]
        if now == before:
            return
        self._items[items] = now
        unit = items.function.unit  # type: ignore[attr-defined]
        for item in set(before) - set(now):
            self._withdraw(Call(self._functions[unit], (*items.args, item)))
        for item in set(now) - set(before):
            self._publish(Call(self._functions[unit], (*items.args, item)))

    def _publish(self, call: Call) -> None:
        """Run a unit if it must, and publish the difference."""
        self._give_way()
        self._memo.refresh(call)
        yielded: Yielded = self._memo.value(call)
        before = self._yielded.get(call)
        if yielded is before:
            return
        self._yielded[call] = yielded
        if yielded.error is None:
            self.failures.pop(call, None)
        else:
            self.failures[call] = Failure(call.function.__name__, call.args, yielded.error)
        self._difference(before.flows if before else (), yielded.flows)

    def _withdraw(self, call: Call) -> None:
        self._difference(self._yielded.pop(call).flows, ())
        self.failures.pop(call, None)
        self._memo.drop(call)

    def _difference(self, before: tuple[tuple[Audience, Flow], ...], now: tuple[tuple[Audience, Flow], ...]) -> None:
        if not before and not now:
            # What most units yield for a port that is not plugged in anywhere.
            return
        difference = Counter(now)
        difference.subtract(before)
        for (audience, flow), times in difference.items():
            if not times:
                continue
            flows = self._published.setdefault(audience, Counter())
            flows[flow] += times
            if not flows[flow]:
                del flows[flow]
                if not flows:
                    del self._published[audience]
            for chassis_id, table in self._subscribers.get(audience, {}).items():
                self._touched[chassis_id] = table
                table.count(flow, times)

    def _subscribe(self, chassis_id: str) -> None:
        """Bring the audiences of a chassis up to date."""
        call = Call(audiences, (chassis_id,))
        self._memo.refresh(call)
        now: frozenset[Audience] = self._memo.value(call)
        before = self._subscribed.get(chassis_id, frozenset())
        self._subscribed[chassis_id] = now
        table = self._touched[chassis_id] = self._tables[chassis_id]
        self._leave(chassis_id, before - now)
        for audience in before - now:
            for flow, times in by_turns(self._published.get(audience, {}).items(), self._give_way):
                table.count(flow, -times)
        for audience in now - before:
            self._subscribers.setdefault(audience, {})[chassis_id] = table
            for flow, times in by_turns(self._published.get(audience, {}).items(), self._give_way):
                table.count(flow, times)

    def _leave(self, chassis_id: str, audiences: Iterable[Audience]) -> None:
        for audience in audiences:
            subscribers = self._subscribers[audience]
            del subscribers[chassis_id]
            if not subscribers:
                del self._subscribers[audience]


def _guarded(unit: Unit) -> Callable[..., Yielded]:
    """Return the unit as a function that never raises: one bad row costs that row's flows, not the pass."""

    def run(view: View, *args: Any) -> Yielded:
        try:
            return Yielded(tuple(unit.function(view, *args)))
        except Exception as error:
            return Yielded((), f"{type(error).__name__}: {error}")

    run.__name__ = unit.name
    return run


class _Items:
    """The fact that lists what a unit runs for within a row; equal for equal units."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.__name__ = f"{unit.name}.each"

    def __call__(self, view: View, row_id: str) -> tuple[str, ...]:
        assert self.unit.each is not None
        return view.ask(self.unit.each, row_id)

    def __hash__(self) -> int:
        return hash(self.unit)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Items) and self.unit == other.unit


def _items_of(unit: Unit) -> _Items:
    return _Items(unit)


def _every_row(store: Store) -> Iterable[RowChange]:
    for kind in KINDS:
        for row in store.all(kind.row):
            yield RowChange(kind.row, row.id, None, row)
