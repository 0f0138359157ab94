"""The document: a project, its quotas, and a section for each resource, whose items may hold those of others.

{"project": "red",
 "networks": [{"name": "blue", "subnets": [{"cidr": "10.0.0.0/24"}], "ports": [{"name": "vm1"}]}],
 "ports": [{"name": "vm2", "network": "a network of another project"}]}
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from graphlib import TopologicalSorter
from itertools import islice
from typing import Any

from sdnapp.api.bodies import MOST_OBJECTS
from sdnapp.api.intent.attributes import in_file, settable
from sdnapp.api.intent.declaration import Reference, written
from sdnapp.api.intent.names import as_is, replaced
from sdnapp.api.intent.places import Place, PlaceError
from sdnapp.api.resource import Resource
from sdnapp.turns import Turns
from topology.turns import GiveWay, by_turns, let_go

HEAD = ("project", "quotas")


@dataclass(eq=False)
class Item:
    """One object of a document. ``given`` are its attributes by the API's names.

    ``parent`` is the object that it is part of: another item, or the id of a row that is in no document. ``row_id`` is
    the row that it is, once that is known. ``sections`` are those that it has. ``is_said`` is false for what follows
    from a section that its parent lacks.
    """

    resource: Resource[Any]
    place: Place
    given: dict[str, Any]
    parent: "Item | str | None" = None
    row_id: str | None = None
    children: list["Item"] = field(default_factory=list)
    sections: frozenset[str] = frozenset()
    is_said: bool = True

    @property
    def parent_id(self) -> str | None:
        """The id of the parent's row, or None if there is none yet."""
        return self.parent.row_id if isinstance(self.parent, Item) else self.parent


@dataclass(frozen=True)
class Document:
    """A whole document as it was read; None is what it does not say."""

    project: str | None
    quotas: dict[str, Any] | None
    items: list[Item]

    def let_go(self, give_way: GiveWay) -> None:
        """Forget the items. They know one another, so that nothing but the garbage collector would."""
        for item in by_turns(self.items, give_way):
            item.parent, item.given, item.children = None, {}, []
        let_go(self.items, give_way)


def by_resource(items: Iterable[Item], turns: Turns) -> dict[str, list[Item]]:
    """Return items by the names of their resources, in the order in which they stand."""
    found: dict[str, list[Item]] = {}
    for item in turns.between(items):
        found.setdefault(item.resource.name, []).append(item)
    return found


def in_order(resources: Iterable[Resource[Any]]) -> list[Resource[Any]]:
    """Return the resources that stand in documents, each after all that it refers to.

    What is written under an object counts as a part of it: of objects without names, that tells which is which.
    """
    found = {resource.name: resource for resource in resources if resource.in_file is not None}
    graph = {
        name: [to for reference in in_file(resource).references.values() for to in reference.to if to in found]
        for name, resource in found.items()
    }
    parts = {name: [child.name for child in children_of(found.values(), parent)] for name, parent in found.items()}
    whole = {name: {to for each in (name, *parts[name]) for to in graph[each]} - {name, *parts[name]} for name in found}
    for name, resource in found.items():
        whole[name].update(to for to in in_file(resource).after if to in found)
    return [found[name] for name in TopologicalSorter(whole).static_order()]


def children_of(resources: Iterable[Resource[Any]], parent: Resource[Any]) -> list[Resource[Any]]:
    """Return the resources whose objects are written under those of another one."""
    return [
        resource
        for resource in resources
        if (name := in_file(resource).parent) is not None and in_file(resource).references[name].to == (parent.name,)
    ]


def read(document: object, resources: Sequence[Resource[Any]], turns: Turns) -> Document:
    """Return the items of a document, giving others their turn. Raises PlaceError for what has no place in it."""
    if not isinstance(document, dict) or not document:
        raise PlaceError((), "the document must be a mapping such as {project: red, networks: [{name: blue}]}")
    sections = {resource.collection: resource for resource in resources}
    _check_names(document, [*HEAD, *sections], (), "section")
    project, quotas = document.get("project"), document.get("quotas")
    if project is not None and not (isinstance(project, str) and project.strip()):
        raise PlaceError(("project",), "must be the name or id of a project")
    if quotas is not None and not isinstance(quotas, dict):
        raise PlaceError(("quotas",), "must be a mapping such as {network: 10}")
    every = (item for name in sections for item in _section(document, sections[name], None, (), resources))
    items = list(islice(turns.between(every), MOST_OBJECTS + 1))
    if len(items) > MOST_OBJECTS:
        raise PlaceError(
            items[-1].place, f"a file may have {MOST_OBJECTS} objects at most: make several projects of it"
        )
    return Document(project, quotas, items)


def _section(
    mapping: Mapping[str, Any],
    resource: Resource[Any],
    parent: Item | None,
    above: Place,
    resources: Sequence[Resource[Any]],
) -> Iterator[Item]:
    place, entries = (*above, resource.collection), mapping.get(resource.collection)
    if entries is None:
        return
    if not isinstance(entries, list):
        raise PlaceError(place, "must be a list")
    for number, entry in enumerate(entries):
        yield from _item(entry, resource, parent, (*place, number), resources)


def _item(
    entry: Any, resource: Resource[Any], parent: Item | None, place: Place, resources: Sequence[Resource[Any]]
) -> Iterator[Item]:
    if not isinstance(entry, dict):
        raise PlaceError(place, f"must be a mapping of the attributes of one {resource.name}")
    declared, children = in_file(resource), children_of(resources, resource)
    attributes = {written(name) if name in declared.references else name: name for name in settable(resource)}
    if parent is not None:
        attributes = {key: name for key, name in attributes.items() if name != declared.parent}
    _check_names(entry, [*attributes, *(child.collection for child in children)], place, "attribute")
    said = {attributes[key]: value for key, value in entry.items() if key in attributes}
    # Keys of a list's items are still the document's.
    given = replaced(declared.references, said, lambda name: name if name in said else written(name), as_is, _kept)
    sections = frozenset(child.collection for child in children if entry.get(child.collection) is not None)
    item = Item(resource, place, given, parent, sections=sections)
    if parent is None and declared.parent is not None and declared.parent not in item.given:
        key = written(declared.parent)
        raise PlaceError(place, f"say {key}: NAME, or write it under {resource.collection} of its {key}")
    yield item
    for child in children:
        yield from _section(entry, child, item, place, resources)


def _kept(reference: Reference, name: Any, place: Place) -> Any:
    return name


def _check_names(mapping: Mapping[Any, Any], valid: Sequence[str], place: Place, what: str) -> None:
    for name in mapping:
        if name in valid:
            continue
        close = get_close_matches(str(name), valid, n=1)
        advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(valid)}"
        raise PlaceError((*place, name if isinstance(name, str) else str(name)), f"there is no such {what}; {advice}")
