"""From the store to a document: what was asked for, without what follows from the rest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from sdnapp.api.intent.attributes import current, default, in_file, may_set, rows_of
from sdnapp.api.intent.declaration import Reference, written
from sdnapp.api.intent.document import children_of, in_order
from sdnapp.api.intent.names import Names, as_is, key_names, replaced
from sdnapp.api.intent.places import Place
from sdnapp.api.policy import Target
from sdnapp.api.quotas import Quotas
from sdnapp.api.resource import Context, Resource
from sdnapp.turns import Turns


def export(ctx: Context, resources: Sequence[Resource[Any]], quotas: Quotas, project_id: str) -> dict[str, Any]:
    """Return the document of a project: what the caller sees of it, and could have written.

    Others have their turn meanwhile, and who writes waits.
    """
    document: dict[str, Any] = {"project": project_id}
    if ctx.who.is_admin and (limits := quotas.own(ctx, project_id)):
        document["quotas"] = limits
    with ctx.store.still():
        return document | _Export(ctx, resources, project_id).sections()


class _Export:
    def __init__(self, ctx: Context, resources: Sequence[Resource[Any]], project_id: str) -> None:
        # Readers get what a member of the project can write.
        self._ctx = replace(ctx, who=replace(ctx.who, roles=ctx.who.roles | {"member"}))
        self._resources, self._turns = in_order(resources), Turns()
        self._rows = {resource.name: rows_of(ctx, resource, project_id, self._turns) for resource in self._resources}
        self._under: dict[tuple[str, str | None], list[Any]] = {}
        self._names = Names(ctx, resources, project_id)
        for resource in self._resources:
            for row in self._turns.between(self._rows[resource.name]):
                self._names.add(resource.name, key_names(resource, row), parent_id(ctx, resource, row), row.id)
                self._under.setdefault((resource.name, parent_id(ctx, resource, row)), []).append(row)

    def sections(self) -> dict[str, Any]:
        """Return each resource's objects that are not written under others."""
        found = {}
        for resource in self._resources:
            above = {row.id for each in self._parents(resource) for row in self._turns.between(self._rows[each.name])}
            every = self._turns.between(self._rows[resource.name])
            rows = [row for row in every if parent_id(self._ctx, resource, row) not in above]
            if entries := self._section(resource, rows, is_nested=False)[0]:
                found[resource.collection] = entries
        return found

    def _parents(self, resource: Resource[Any]) -> list[Resource[Any]]:
        return [each for each in self._resources if resource in children_of(self._resources, each)]

    def _section(
        self, resource: Resource[Any], rows: Sequence[Any], is_nested: bool
    ) -> tuple[list[dict[str, Any]], str]:
        """Return objects in order, and what they all say in short."""
        entries = (self._entry(resource, row, is_nested) for row in self._turns.between(rows))
        keyed = (
            (entry.get("name", ""), text, entry)
            for entry, text in entries
            if entry != {"name": in_file(resource).standing}
        )
        found, digest = [], blake2b()
        for _, text, entry in self._turns.in_order(keyed, itemgetter(0, 1)):
            found.append(entry)
            digest.update(text.encode())
        return found, digest.hexdigest()

    def _entry(self, resource: Resource[Any], row: Any, is_nested: bool) -> tuple[dict[str, Any], str]:
        """Return an object, and a text by which it is told from others of its name: of what is under it, a digest."""
        entry = named(self._ctx, self._names, resource, row, written_attributes(self._ctx, resource, row))
        if is_nested:
            del entry[written(in_file(resource).parent or "")]
        text = _text(entry)
        for child in children_of(self._resources, resource):
            rows = self._under.get((child.name, row.id), [])
            if rows if in_file(child).born is None else not self._is_as_born(child, row, rows):
                entry[child.collection], digest = self._section(child, rows, is_nested=True)
                text += f" {child.collection} {digest}"
        return entry, text

    def _is_as_born(self, child: Resource[Any], parent: Any, rows: Sequence[Any]) -> bool:
        """Return whether there is beneath an object what it was made with."""
        born = in_file(child).born
        assert born is not None
        with self._ctx.store.transaction() as tx:
            first = born.values(self._ctx, tx, parent.name, parent.id)
        if len(first) != len(rows):
            return False
        present = [current(self._ctx, child, row) for row in rows]
        above = in_file(child).parent
        return sorted(map(_text, first)) == sorted(
            _text({name: value for name, value in values.items() if name != above}) for values in present
        )


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def written_attributes(ctx: Context, resource: Resource[Any], row: Any) -> dict[str, Any]:
    """Return those attributes of an object that must be said to make another one like it."""
    present, target = current(ctx, resource, row), resource.target(ctx, row, {})
    found = {}
    for name, value in present.items():
        is_required = name != "tags" and "default" not in resource.attributes.specs[name]
        if name in in_file(resource).defaults or not is_required:
            if value == default(ctx, resource, row, name, present):
                continue
            said = _without_forbidden_choices(ctx, resource, target, name, value)
            if may_set(ctx, resource, f"create_{resource.name}", target, name=name, value=said):
                found[name] = said
        else:
            found[name] = value
    return found


def _without_forbidden_choices(ctx: Context, resource: Resource[Any], target: Target, name: str, value: Any) -> Any:
    """Return a value without those of its keys that the service chose, and that the caller may not choose himself."""
    chosen, action = in_file(resource).chosen, f"create_{resource.name}"
    if not isinstance(value, dict):
        return value
    return {
        key: each
        for key, each in value.items()
        if f"{name}.{key}" not in chosen or may_set(ctx, resource, action, target, name=name, value={key: each})
    }


def named(ctx: Context, names: Names, resource: Resource[Any], row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as a document writes them, with names for ids."""

    def name_of(reference: Reference, row_id: Any, place: Place) -> Any:
        kind = getattr(row, reference.by) if reference.by else reference.to[0]
        return names.name_of(kind, row_id, parent_id(ctx, resource, row))

    return replaced(in_file(resource).references, values, as_is, written, name_of)


def parent_id(ctx: Context, resource: Resource[Any], row: Any) -> str | None:
    """Return the id of the object that another one is written under."""
    parent = in_file(resource).parent
    return resource.view[parent](ctx, row) if parent is not None else None
