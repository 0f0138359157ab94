"""One object created, changed or deleted as the request for it would do it, and told in names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from neutron_lib import exceptions
from webob import exc

from sdnapp.api import controller, quotas, tagging
from sdnapp.api.intent.attributes import current, expected, in_file, is_fixed
from sdnapp.api.intent.declaration import written
from sdnapp.api.intent.document import Item, children_of
from sdnapp.api.intent.export import named, parent_id, written_attributes
from sdnapp.api.intent.linking import LATER, values
from sdnapp.api.intent.names import Names, key_names
from sdnapp.api.intent.places import Place, PlaceError
from sdnapp.api.resource import Context, Resource, stamp_changed
from topology.store import Transaction

REFUSALS = (exceptions.NeutronException, exc.HTTPException)


class NotYetError(Exception):
    """What an item refers to is not there yet."""


class _Undo(Exception):
    """Ends a transaction that was only a trial."""


class Steps:
    """What can be done to the objects of a project. ``done`` are the changes, as programs read them.

    Each step is all or nothing, and raises PlaceError if the rules of its resource refuse it. In a trial, which will be
    undone, nothing is told that the service would choose anew.
    """

    def __init__(
        self, ctx: Context, names: Names, resources: Sequence[Resource[Any]], project_id: str, is_trial: bool
    ) -> None:
        self._resources = resources
        self._ctx, self._names, self._project_id, self._is_trial = ctx, names, project_id, is_trial
        self.done: list[dict[str, Any]] = []

    def create(self, item: Item) -> None:
        """Create the object that an item describes. Raises NotYetError."""
        self._begin()
        resource, declared, given = item.resource, in_file(item.resource), values(item)
        if item.row_id is not None:
            # It was made with its parent.
            if item.is_said:
                self._tell_new(item, self._ctx.store.get(resource.row, item.row_id), given)
            return
        if LATER in given.values() or (item.parent is not None and item.parent_id is None):
            raise NotYetError
        if declared.parent is not None:
            given[declared.parent] = item.parent_id
        given = {name: value for name, value in given.items() if name not in declared.late}
        given |= {name: complete(given) for name, complete in declared.completed.items() if name not in given}
        tags = given.pop("tags", [])
        with _refused_at(item.place), self._ctx.store.transaction() as tx:
            body = {**given, "project_id": self._project_id}
            quotas.check(self._ctx, resource, [self._project_id])
            row = controller.create(self._ctx, tx, resource, resource.attributes.for_create(self._ctx.who, body))
            if tags:
                tagging.enforce(self._ctx, resource, row, "create")
                row = replace(row, tags=tuple(tags))
                tx.put(row)
            _check_belongs(item, row)
            self._keep_said(tx, item, row)
        self._tell_new(item, row, given)

    def _keep_said(self, tx: Transaction, item: Item, row: Any) -> None:
        """Take from a new object what it was made with, except what its item has."""
        item.row_id = row.id
        for child in children_of(self._resources, item.resource):
            if (born := in_file(child).born) is None:
                continue
            wanted = [each for each in item.children if each.resource is child]
            for each in born.rows(self._ctx, row.id):
                present = current(self._ctx, child, each)
                for other in wanted:
                    given = values(other)
                    if other.row_id is None and expected(self._ctx, child, each, present, given) == present:
                        other.row_id = each.id
                        break
                else:
                    controller.delete(self._ctx, tx, child, each)

    def _tell_new(self, item: Item, row: Any, given: Mapping[str, Any]) -> None:
        resource, declared = item.resource, in_file(item.resource)
        said = written_attributes(self._ctx, resource, row)
        if self._is_trial:
            said = {name: value for name, value in said.items() if name in given or name not in declared.chosen}
        new = self._named(resource, row, said)
        change = self._told("create", resource, row, {name: [None, value] for name, value in new.items()})
        self.done.append(change | {"id": None} if self._is_trial else change)

    def update(self, item: Item) -> None:
        """Change an object in what differs from its item. Raises NotYetError."""
        self._begin()
        resource, given = item.resource, values(item)
        if LATER in given.values():
            raise NotYetError
        row = self._ctx.store.get(resource.row, item.row_id or "")
        present = current(self._ctx, resource, row)
        wanted = expected(self._ctx, resource, row, present, given)
        late = in_file(resource).late
        differing = {name: value for name, value in wanted.items() if value != present[name] and name not in late}
        for name in differing:
            if is_fixed(resource, name):
                place = (*item.place, written(name) if name in in_file(resource).references else name)
                raise PlaceError(place, f"cannot be changed from {present[name]!r}: describe another {resource.name}")
        if not differing:
            return
        asked = self._asked(resource, present, differing)
        with _refused_at(item.place), self._ctx.store.transaction() as tx:
            after = self._outcome(resource, row, asked)
            # Values in another form than the one they are kept in are no change, and need no leave.
            changed = {name: value for name, value in asked.items() if after[name] != present[name]}
            if not changed:
                return
            row = self._change(tx, resource, row, changed)
            _check_belongs(item, row)
        old, new = (self._named(resource, row, {name: each[name] for name in changed}) for each in (present, after))
        self.done.append(self._told("update", resource, row, {name: [old[name], new[name]] for name in old}))

    def settling(self, item: Item) -> Callable[[], None]:
        """Return the step that sets an item's late attributes, and tells how they differ from what they are now."""
        resource = item.resource
        row = self._ctx.store.get(resource.row, item.row_id) if item.row_id is not None else None
        return partial(self._settle, item, current(self._ctx, resource, row) if row is not None else None)

    def _settle(self, item: Item, before: Mapping[str, Any] | None) -> None:
        """Set the late attributes of an object, which was as ``before``, or is new."""
        self._begin()
        resource, late, changed = item.resource, in_file(item.resource).late, {}
        row = self._ctx.store.get(resource.row, item.row_id or "")
        present = current(self._ctx, resource, row)
        wanted = expected(self._ctx, resource, row, present, values(item))
        for name in (name for name in wanted if name in late):
            if wanted[name] != present[name]:
                with _refused_at((*item.place, name)), self._ctx.store.transaction() as tx:
                    row = self._change(tx, resource, row, {name: wanted[name]})
            pair = [(before or present)[name], current(self._ctx, resource, row)[name]]
            if pair[0] != pair[1]:
                changed[name] = pair
        if changed:
            change = self._told("update", resource, row, changed)
            self.done.append(change | {"id": None} if self._is_trial and before is None else change)

    def delete(self, resource: Resource[Any], row: Any) -> None:
        """Delete an object that is not in the document, if it has not gone with another one."""
        self._begin()
        row = self._ctx.store.get(resource.row, row.id)
        if row is None:
            return
        change = self._told("delete", resource, row, {})
        what = f"{resource.name} {change['name']} is not in the file, and cannot be deleted: "
        with _refused_at((), what), self._ctx.store.transaction() as tx:
            controller.delete(self._ctx, tx, resource, row)
        self.done.append(change)

    def _begin(self) -> None:
        """Work with a new context: each step stands for one request, and forgets what those before have computed."""
        self._ctx = Context(self._ctx.store, self._ctx.services, self._ctx.who, self._ctx.policy)

    def _asked(
        self, resource: Resource[Any], present: Mapping[str, Any], differing: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what a request must ask for to make a difference."""
        replacing = in_file(resource).replacing
        return {
            name: replacing[name](present[name], value) if name in replacing else value
            for name, value in differing.items()
        }

    def _outcome(self, resource: Resource[Any], row: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes that an object would have if it was changed, whoever changed it."""
        found: dict[str, Any] = {}
        try:
            with self._ctx.store.transaction() as tx:
                plain = {name: value for name, value in asked.items() if name != "tags"}
                changed = resource.update(self._ctx, tx, row, plain) if plain else row
                found = current(self._ctx, resource, _tagged(changed, asked))
                raise _Undo
        except _Undo:
            return found

    def _change(self, tx: Transaction, resource: Resource[Any], row: Any, asked: Mapping[str, Any]) -> Any:
        """Change an object and return its row; it counts as one change."""
        plain = {name: value for name, value in asked.items() if name != "tags"}
        if "tags" in asked:
            tagging.enforce(self._ctx, resource, row, "update")
            row = _tagged(row, asked)
            if not plain:
                return stamp_changed(self._ctx, tx, row)
        return controller.update(self._ctx, tx, resource, row, plain)

    def _named(self, resource: Resource[Any], row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
        return named(self._ctx, self._names, resource, row, values)

    def _told(self, action: str, resource: Resource[Any], row: Any, attributes: dict[str, list[Any]]) -> dict[str, Any]:
        parent_of = in_file(resource).parent
        parent = None
        if parent_of is not None:
            kind = in_file(resource).references[parent_of].to[0]
            parent = f"{kind} {self._names.name_of(kind, parent_id(self._ctx, resource, row) or '', None)}"
        keys = {key: value for key, value in current(self._ctx, resource, row).items() if key in in_file(resource).keys}
        if not in_file(resource).keys:
            keys = written_attributes(self._ctx, resource, row)
            keys.pop(parent_of or "", None)
        known = key_names(resource, row)[:1] or [str(value) for value in self._named(resource, row, keys).values()]
        return {
            "action": action,
            "resource": resource.name,
            "id": row.id,
            "name": " ".join(known),
            "in": parent,
            "attributes": attributes,
        }


def _tagged(row: Any, asked: Mapping[str, Any]) -> Any:
    return replace(row, tags=tuple(asked["tags"])) if "tags" in asked else row


def _check_belongs(item: Item, row: Any) -> None:
    """Raise PlaceError for an object that stands in no document: it would not be found again."""
    if reason := in_file(item.resource).why_not(row):
        raise PlaceError(item.place, reason)


@contextmanager
def _refused_at(place: Place, of: str = "") -> Iterator[None]:
    """Let a refusal say where in the document it belongs."""
    try:
        yield
    except REFUSALS as error:
        raise PlaceError(place, f"{of}{error}", error) from error
