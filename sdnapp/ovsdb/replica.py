"""A copy of the monitored part of one switch's database, kept by the updates that the switch sends. Pure.

``update`` notifications (RFC 7047 section 4.1.6) carry whole rows, ``update2`` notifications differences
(ovsdb-server(7) section 4.1.14).
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from sdnapp.ovsdb.rows import TABLES, MalformedRow, Uuid, columns
from topology.turns import GiveWay, by_turns, nobody_waits

R = TypeVar("R")


class Replica:
    """The rows of one switch, by table class and ``_uuid``. Taking in many, it is to ``give_way`` now and then."""

    def __init__(self, give_way: GiveWay = nobody_waits) -> None:
        self._give_way = give_way
        self.limits_connections = True
        """Whether the switch's database can say how many connections each zone may have."""
        self._rows: dict[type[Any], dict[Uuid, Any]] = {kind: {} for kind in TABLES.values()}
        self._changed: dict[type[Any], set[Uuid]] = {}

    def take_changes(self) -> Mapping[type[Any], set[Uuid]]:
        """Return the rows that have come, changed or gone since this was asked last, by table class."""
        changed, self._changed = self._changed, {}
        return changed

    def rows(self, kind: type[R]) -> Mapping[Uuid, R]:
        """Return all rows of a table, by ``_uuid``: the replica's own, to be read only."""
        return self._rows[kind]

    def get(self, kind: type[R], uuid: Uuid) -> R | None:
        """Return the row, or None."""
        row: R | None = self._rows[kind].get(uuid)
        return row

    def apply(self, updates: Any) -> None:
        """Apply the ``<table-updates>`` of a ``monitor`` reply or an ``update``. Raises MalformedRow."""
        for kind, uuid, update in self._each(updates):
            new = update.get("new")
            if new is None:
                self._rows[kind].pop(uuid, None)
            else:
                self._rows[kind][uuid] = _whole(kind, new)

    def apply_differences(self, updates: Any) -> None:
        """Apply the ``<table-updates2>`` of a ``monitor_cond`` reply or an ``update2``. Raises MalformedRow."""
        for kind, uuid, update in self._each(updates):
            if "delete" in update:
                self._rows[kind].pop(uuid, None)
            elif "modify" in update:
                old = self._rows[kind].get(uuid)
                if old is None:
                    raise MalformedRow(f"{kind.TABLE} {uuid} is modified but was never there")
                patches = _known(kind, update["modify"])
                self._rows[kind][uuid] = replace(
                    old,
                    **{name: columns(kind)[name].patch(getattr(old, name), value) for name, value in patches.items()},
                )
            else:
                self._rows[kind][uuid] = _whole(kind, update.get("initial", update.get("insert")))

    def _each(self, updates: Any) -> Iterator[tuple[type[Any], Uuid, dict[str, Any]]]:
        for table, rows in _object(updates, "table updates").items():
            kind = TABLES.get(table)
            if kind is None:
                raise MalformedRow(f"table {table[:60]!r} was not asked for")
            changed = self._changed.setdefault(kind, set())
            for uuid, update in by_turns(_object(rows, table).items(), self._give_way):
                changed.add(Uuid(uuid))
                yield kind, Uuid(uuid), _object(update, table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Replica) and self._rows == other._rows

    __hash__ = None  # type: ignore[assignment]


def monitor_requests(*, late: bool) -> dict[str, Any]:
    """Return the ``<monitor-requests>`` for what a replica holds, which ``monitor`` and ``monitor_cond`` take alike.

    ``late``: with what older switches lack, and refuse.
    """
    wanted = {
        name: [column.name for column in fields(kind) if late or not column.metadata.get("late")]
        for name, kind in TABLES.items()
    }
    return {name: [{"columns": columns}] for name, columns in wanted.items() if columns}


def _whole(kind: type[Any], row: Any) -> Any:
    return kind(**{name: columns(kind)[name].decode(value) for name, value in _known(kind, row).items()})


def _known(kind: type[Any], row: Any) -> dict[str, Any]:
    known = columns(kind)
    for name in _object(row, f"row of {kind.TABLE}"):
        if name not in known:
            raise MalformedRow(f"column {name[:60]!r} of {kind.TABLE} was not asked for")
    return dict(row)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedRow(f"{what}: not an object")
    return value
