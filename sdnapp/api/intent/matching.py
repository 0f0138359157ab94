"""Which items of a document are which rows: by their keys, best first, and never by ids."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any

from sdnapp.api.intent.assignment import assign
from sdnapp.api.intent.attributes import current, expected, in_file, is_fixed, rows_of
from sdnapp.api.intent.document import Item, by_resource, children_of
from sdnapp.api.intent.export import parent_id
from sdnapp.api.intent.linking import LATER, values
from sdnapp.api.resource import Context, Resource
from sdnapp.turns import Turns


class Matching:
    """Finds the rows of a project's items, and so the rows that its document lacks."""

    def __init__(self, ctx: Context, resources: Sequence[Resource[Any]], project_id: str, turns: Turns) -> None:
        self._ctx, self._resources, self._turns = ctx, resources, turns
        self._rows = {resource.name: rows_of(ctx, resource, project_id, turns) for resource in resources}
        self._present: dict[str, dict[str, Any]] = {}
        self._under: dict[tuple[str, str | None], list[Any]] = {}
        for resource in resources:
            # Rows that are alike are taken in the order in which they were made.
            ordered = turns.in_order(self._rows[resource.name], lambda row: (row.created_at, getattr(row, "key", 0)))
            self._rows[resource.name] = list(ordered)
            for row in turns.between(self._rows[resource.name]):
                self._under.setdefault((resource.name, parent_id(ctx, resource, row)), []).append(row)

    def match(self, items: Iterable[Item]) -> list[tuple[Resource[Any], Any]]:
        """Note in each item which row it is; return the rows that are no item, those that refer to others first."""
        found = by_resource(items, self._turns)
        lacking: list[tuple[Resource[Any], Any]] = []
        for resource in self._resources:
            groups: dict[str | None, list[Item]] = {}
            for item in self._turns.between(found.get(resource.name, ())):
                if item.parent is None or item.parent_id is not None:
                    groups.setdefault(item.parent_id, []).append(item)
            for parent, group in groups.items():
                self._pair(resource, group, list(self._under.get((resource.name, parent), ())))
            matched = {item.row_id for group in groups.values() for item in self._turns.between(group)}
            rows = self._turns.between(self._rows[resource.name])
            lacking += [(resource, row) for row in rows if row.id not in matched]
        staying = {row.id for resource, row in self._turns.between(lacking) if not in_file(resource).may_delete(row)}
        # What was made with others goes with them.
        above = {row.id for _, row in self._turns.between(lacking)}
        return [
            (resource, row)
            for resource, row in self._turns.between(lacking[::-1])
            if parent_id(self._ctx, resource, row) not in (staying if in_file(resource).born is None else above)
        ]

    def _pair(self, resource: Resource[Any], items: list[Item], rows: list[Any]) -> None:
        """Pair items and rows that have the same parent: by each key, and at last those that have none at all."""
        keys = in_file(resource).keys
        for key in keys:
            items, rows = self._pair_by(items, rows, partial(_value, key=key), partial(self._value, resource, key))
        keyless = [item for item in self._turns.between(items) if not any(_value(item, key) for key in keys)]
        nameless = [row for row in self._turns.between(rows) if not getattr(row, "name", "")]
        self._pair_by(keyless, nameless, lambda item: True, lambda row: True)

    def _pair_by(
        self,
        items: list[Item],
        rows: list[Any],
        key_of_item: Callable[[Item], Hashable],
        key_of_row: Callable[[Any], Hashable],
    ) -> tuple[list[Item], list[Any]]:
        """Pair those of one key, first where nothing would change, then in order; return what is left."""
        buckets: dict[Hashable, list[Any]] = {}
        for row in self._turns.between(rows):
            buckets.setdefault(key_of_row(row), []).append(row)
        groups: dict[Hashable, list[Item]] = {}
        # Those that say most choose first: whoever says little agrees with many.
        for item in self._turns.in_order(items, lambda item: -len(item.given)):
            if key := key_of_item(item):
                groups.setdefault(key, []).append(item)
        for key, group in self._turns.between(groups.items()):
            bucket = buckets.get(key, [])
            pairs: dict[int, int] = {}
            for fits in (self._agrees, self._may_become):
                pairs = assign(len(group), len(bucket), self._indexed(fits, group, bucket), pairs)
            for number, row in pairs.items():
                group[number].row_id = bucket[row].id
        taken = {item.row_id for item in self._turns.between(items)}
        left = [item for item in self._turns.between(items) if item.row_id is None]
        return left, [row for row in self._turns.between(rows) if row.id not in taken]

    def _agrees(self, item: Item, row: Any) -> bool:
        """Return whether an object is as an item says, with all that is written under it."""
        present = self._current(item.resource, row)
        given = values(item)
        wanted = expected(self._ctx, item.resource, row, present, given)
        if not all(_is_like(wanted[name], present[name]) for name in present):
            return False
        for child in children_of(self._resources, item.resource):
            below = self._under.get((child.name, row.id), ())
            children = [each for each in item.children if each.resource is child]
            if len(below) != len(children):
                return False
            if len(assign(len(children), len(below), self._indexed(self._agrees, children, below))) < len(children):
                return False
        return True

    def _may_become(self, item: Item, row: Any) -> bool:
        """Return whether an object can be changed so that it is as an item says."""
        present = self._current(item.resource, row)
        wanted = expected(self._ctx, item.resource, row, present, values(item))
        return all(present[name] == wanted[name] for name in present if is_fixed(item.resource, name))

    def _indexed(
        self, fits: Callable[[Item, Any], bool], items: Sequence[Item], rows: Sequence[Any]
    ) -> Callable[[int, int], bool]:
        def fit(item: int, row: int) -> bool:
            self._turns.give_way()
            return fits(items[item], rows[row])

        return fit

    def _current(self, resource: Resource[Any], row: Any) -> dict[str, Any]:
        if row.id not in self._present:
            self._present[row.id] = current(self._ctx, resource, row)
        return self._present[row.id]

    def _value(self, resource: Resource[Any], key: str, row: Any) -> Hashable:
        value: Hashable = self._current(resource, row).get(key)
        return value


def _is_like(wanted: Any, present: Any) -> bool:
    """Return whether a value is the wanted one, as far as that goes: objects may say less than they come to."""
    if isinstance(wanted, dict) and isinstance(present, dict):
        return wanted.keys() <= present.keys() and all(_is_like(each, present[key]) for key, each in wanted.items())
    if isinstance(wanted, list) and isinstance(present, list) and len(wanted) == len(present):
        return all(_is_like(one, other) for one, other in zip(wanted, present, strict=True))
    return bool(wanted == present)


def _value(item: Item, key: str) -> Hashable:
    value = values(item).get(key)
    return value if value is not LATER and isinstance(value, str) else None
