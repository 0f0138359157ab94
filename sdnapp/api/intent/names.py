"""Names in place of ids: which object a document means by a name, and what name means an object."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Any

from sdnapp.api.intent.declaration import InFile, Reference
from sdnapp.api.intent.places import Place
from sdnapp.api.resource import Context, Resource
from topology.kinds import KIND_OF
from topology.turns import GiveWay, let_go

Handle = Any
"""An object: an item of a document, or the id of a row."""


class NotOneError(LookupError):
    """No object has a name, or more than one has it; the text says so and what to do."""


class Names:
    """The objects of one document or project by name; beyond them, what the project's members see."""

    def __init__(self, ctx: Context, resources: Iterable[Resource[Any]], project_id: str) -> None:
        member = replace(ctx.who, project_id=project_id, roles=frozenset({"member", "reader"}))
        self._ctx, self._as_member, self._project_id = ctx, replace(ctx, who=member), project_id
        self._resources = {resource.name: resource for resource in resources}
        self._own: dict[str, dict[str, list[tuple[Handle, Handle]]]] = {name: {} for name in self._resources}

    def add(self, kind: str, names: Sequence[str], parent: Handle, handle: Handle) -> None:
        """Take in an object of the project by its names."""
        for name in dict.fromkeys(names):
            self._own[kind].setdefault(name, []).append((parent, handle))

    def let_go(self, give_way: GiveWay) -> None:
        """Forget them; very many are better forgotten in slices."""
        for names in self._own.values():
            let_go(names, give_way)

    def find(self, kind: str, name: str, beside: Handle) -> Handle:
        """Return the object that a name means to another one, whose parent is ``beside``. Raises NotOneError.

        It is one of the same parent, else one of the same project, else one that is shared with it; or, by its id, any
        that the caller sees.
        """
        own = self._own[kind].get(name, [])
        near = [handle for parent, handle in own if parent == beside]
        for found in (near, [handle for _, handle in own], self._visible(kind, name)):
            if len(found) == 1:
                return found[0]
            if found:
                raise NotOneError(f"{len(found)} objects of kind {kind} are named '{name}': rename one, or give an id")
        close = get_close_matches(name, self._own[kind], n=1)
        advice = f"did you mean '{close[0]}'?" if close else "give the name or id of one that is there"
        raise NotOneError(f"there is no {kind} '{name}': {advice}")

    def name_of(self, kind: str, row_id: str, beside: Handle) -> str:
        """Return what means an object to one whose parent is ``beside``: a name if there is one, else its id."""
        row = self._ctx.store.get(self._resources[kind].row, row_id)
        for name in key_names(self._resources[kind], row) if row is not None else ():
            try:
                handle = self.find(kind, name, beside)
            except NotOneError:
                continue
            if row_id in (handle, getattr(handle, "row_id", None)):
                return name
        return row_id

    def _visible(self, kind: str, name: str) -> list[str]:
        resource, store = self._resources[kind], self._ctx.store
        named = store.find(resource.row, "name", name) if "name" in KIND_OF[resource.row].indexes else []
        found = [row for row in named if resource.may_see(self._as_member, row)]
        if own := [row.id for row in found if row.project_id == self._project_id]:
            return own
        row = store.get(resource.row, name)
        if not found and row is not None and resource.may_see(self._ctx, row):
            return [row.id]
        return [row.id for row in found]


def key_names(resource: Resource[Any], row: Any) -> list[str]:
    """Return the texts by which an object is known among those beside it, its own name first."""
    declared = resource.in_file or InFile()
    keys = sorted(declared.keys, key=lambda key: key != "name")
    found = (getattr(row, key, None) for key in keys if key not in declared.references)
    return [name for name in found if isinstance(name, str) and name]


def as_is(name: str) -> str:
    """Call an attribute in a document what the API calls it."""
    return name


def replaced(
    references: Mapping[str, Reference],
    values: Mapping[str, Any],
    source: Callable[[str], str],
    target: Callable[[str], str],
    replace: Callable[[Reference, Any, Place], Any],
) -> dict[str, Any]:
    """Return values with each reference replaced; ``source`` and ``target`` tell how it is called there and here."""
    done = dict(values)
    for path, reference in references.items():
        found = _replaced(done, path.split("."), source, target, partial(replace, reference))
        assert isinstance(found, dict)
        done = found
    return done


def _replaced(
    value: Any,
    path: Sequence[str],
    source: Callable[[str], str],
    target: Callable[[str], str],
    replace: Callable[[Any, Place], Any],
    *,
    place: Place = (),
) -> Any:
    if isinstance(value, list):
        return [
            _replaced(each, path, source, target, replace, place=(*place, number)) for number, each in enumerate(value)
        ]
    if not path:
        return replace(value, place) if value is not None else None
    if not isinstance(value, dict):
        return value
    wanted = source(path[0])
    return {
        target(path[0]) if key == wanted else key: (
            _replaced(each, path[1:], source, target, replace, place=(*place, key)) if key == wanted else each
        )
        for key, each in value.items()
    }
