"""What the names in a document mean, and what its values are: settled before anything is changed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from neutron_lib import exceptions
from webob import exc

from sdnapp.api import tags
from sdnapp.api.intent.attributes import in_file
from sdnapp.api.intent.declaration import Reference, written
from sdnapp.api.intent.document import Item, by_resource, in_order
from sdnapp.api.intent.names import Names, NotOneError, as_is, replaced
from sdnapp.api.intent.places import Place, PlaceError
from sdnapp.api.resource import Context, Resource
from sdnapp.turns import Turns

LATER: Any = object()
"""The value of an attribute that refers to an object that is not there yet."""


def link(ctx: Context, resources: Sequence[Resource[Any]], items: list[Item], project_id: str, turns: Turns) -> Names:
    """Put the objects that are meant in the place of names, and convert all other values.

    Adds what items have where they say nothing of it. Returns the names. Raises PlaceError.
    """
    names = Names(ctx, resources, project_id)
    found = by_resource(items, turns)
    for resource in in_order(resources):
        if resource.name in found:
            with ctx.store.transaction() as tx:
                in_file(resource).prepare(ctx, tx, project_id)
        # Parents and what items refer to come first, so that they are linked when it is their children's turn.
        for item in turns.between(found.get(resource.name, ())):
            for name in [name for name in item.given if not _refers(resource, name)]:
                item.given[name] = converted(resource, name, item.given[name], item.place)
                # Such as an MTU of 0, by which the API means the usual one.
                is_left_out = item.given[name] == resource.attributes.specs[name].get("default")
                if name in in_file(resource).defaults and is_left_out:
                    del item.given[name]
            item.given = dict(in_file(resource).normal(item.given))
            _link(names, item)
            known = (item.given.get(key) for key in in_file(resource).keys if not _refers(resource, key))
            names.add(resource.name, [name for name in known if isinstance(name, str) and name], item.parent, item)
            if isinstance(item.parent, Item):
                item.parent.children.append(item)
        for item in list(_unsaid(ctx, resource, turns.between(items))):
            assert isinstance(item.parent, Item)
            item.parent.children.append(item)
            items.append(item)
    return names


def _unsaid(ctx: Context, resource: Resource[Any], items: Iterable[Item]) -> Iterator[Item]:
    """Give the items of objects that others are made with, under those that do not say which they have."""
    declared = in_file(resource)
    if declared.born is None or declared.parent is None:
        return
    for parent in items:
        if (parent.resource.name,) != declared.references[declared.parent].to or resource.collection in parent.sections:
            continue
        with ctx.store.transaction() as tx:
            given = declared.born.values(ctx, tx, parent.given.get("name", ""), parent)
        for each in given:
            yield Item(resource, parent.place, each, parent, is_said=False)


def values(item: Item) -> dict[str, Any]:
    """Return an item's values as far as they are known now: ``LATER`` where they refer to what is not there yet."""
    references = in_file(item.resource).references
    if not references:
        return dict(item.given)
    missing = set()

    def row_id(reference: Reference, handle: Any, place: Place) -> Any:
        if isinstance(handle, Item) and handle.row_id is None:
            missing.add(place[0])
        return handle.row_id if isinstance(handle, Item) else handle

    found = replaced(references, item.given, as_is, as_is, row_id)
    for name in found:
        if name in missing:
            found[name] = LATER
        elif _refers(item.resource, name):
            found[name] = converted(item.resource, name, found[name], item.place)
    return found


def converted(resource: Resource[Any], name: str, value: Any, place: Place) -> Any:
    """Return the checked value of one attribute in its one form. Raises PlaceError."""
    key = written(name) if name in in_file(resource).references else name
    if name == "name" and value == in_file(resource).standing:
        return value
    try:
        if name == "tags":
            return list(tags.checked(resource.collection, tags.tags_in({"tags": value})))
        value = resource.attributes.converted(name, value)
        canonical = in_file(resource).canonical.get(name)
        return canonical(value) if canonical is not None and value is not None else value
    except (exceptions.NeutronException, exc.HTTPException) as error:
        raise PlaceError((*place, key), str(error), error) from error


def _refers(resource: Resource[Any], name: str) -> bool:
    return any(path.partition(".")[0] == name for path in in_file(resource).references)


def _link(names: Names, item: Item) -> None:
    declared = in_file(item.resource)

    def find(reference: Reference, name: Any, place: Place) -> Any:
        where = (*item.place, *(written(part) if isinstance(part, str) else part for part in place))
        kind = item.given.get(reference.by) if reference.by else reference.to[0]
        if kind not in reference.to:
            raise PlaceError((*item.place, reference.by or ""), f"must be one of {', '.join(reference.to)}")
        if not isinstance(name, str):
            raise PlaceError(where, f"must be the name of a {kind}")
        try:
            return names.find(kind, name, item.parent)
        except NotOneError as error:
            raise PlaceError(where, str(error)) from None

    parent = {path: each for path, each in declared.references.items() if path == declared.parent}
    others = {path: each for path, each in declared.references.items() if path != declared.parent}
    item.given = replaced(parent, item.given, as_is, as_is, find)
    if declared.parent in item.given:
        item.parent = item.given.pop(declared.parent)
    item.given = replaced(others, item.given, as_is, as_is, find)
