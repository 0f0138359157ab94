"""What a resource says about its objects in an intent document, beyond its attribute map."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Reference:
    """An attribute that holds the id of an object of the resources ``to``, by name.

    Where there are several, the attribute ``by`` says which one it is.
    """

    to: tuple[str, ...]
    by: str | None = None


@dataclass(frozen=True)
class Born:
    """What objects are made together with the object they are written under.

    ``values`` gives their attributes from context, transaction, and the parent's name and handle, which stands in
    references to the parent. ``rows`` gives those that are there, from context and the parent's id.
    """

    values: Callable[[Any, Any, str, Any], list[dict[str, Any]]]
    rows: Callable[[Any, str], Sequence[Any]]


@dataclass(frozen=True)
class InFile:
    """How objects of a resource stand in a document.

    ``parent`` is the attribute that names the object they are written under. ``references`` are the attributes, or
    ``attribute.key`` for a key of a list's items, that hold ids: the document has names in their place, and writes
    ``network`` for ``network_id``. ``keys`` are attributes by which an object is known among those beside it, the best
    first. ``chosen`` are attributes, or ``attribute.key``, that the service chooses where they are left out, and then
    keeps.

    ``defaults`` gives the value of an attribute that is left out, where it follows from other attributes: from context,
    row, and the values that the row is about to have. ``shown`` gives values that differ from the API's view.
    ``completed`` gives an attribute that a new object must have, from those that the document gives it. ``canonical``
    gives the one form of a value that can be written in several. ``replacing`` gives what an update must be asked for
    so that the value is the wanted one afterwards, from the values before and wanted. ``normal`` gives the attributes
    that are kept otherwise than they are said, where that depends on several. ``replaceable`` are attributes that
    requests change by actions of their own, and a document as a whole: the resource's ``update`` takes them.
    ``late`` are attributes that rest on what is written under the object: they are set when that is as it should be,
    and what goes before may take some of them along.

    ``after`` are resources whose objects are made first though these do not refer to them, as these choose among what
    is free then. ``born``: where a parent's item says nothing of these objects, it has those that it was made with.
    ``found`` gives a project's objects where they are not those that have its ``project_id``.

    ``why_not`` says in words why an object stands in no document, and is empty for all others. ``may_delete`` is false
    for objects that somebody else still has a use for. ``prepare`` makes what a project has without asking, before a
    document names it; ``standing`` is the name of such an object, which is there whether a document has it or not.
    """

    parent: str | None = None
    references: Mapping[str, Reference] = field(default_factory=dict)
    keys: tuple[str, ...] = ("name",)
    chosen: frozenset[str] = frozenset()
    defaults: Mapping[str, Callable[[Any, Any, Values], Any]] = field(default_factory=dict)
    shown: Mapping[str, Callable[[Any, Any], Any]] = field(default_factory=dict)
    completed: Mapping[str, Callable[[Values], Any]] = field(default_factory=dict)
    canonical: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    replacing: Mapping[str, Callable[[Any, Any], Any]] = field(default_factory=dict)
    normal: Callable[[Values], Values] = lambda values: values
    replaceable: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    after: tuple[str, ...] = ()
    born: Born | None = None
    found: Callable[[Any, str], Sequence[Any]] | None = None
    standing: str | None = None
    why_not: Callable[[Any], str] = lambda row: ""
    may_delete: Callable[[Any], bool] = lambda row: True
    prepare: Callable[[Any, Any, str], object] = lambda ctx, tx, project_id: None


def written(name: str) -> str:
    """Return what a document calls an attribute, or a key of a list's items, that holds an id."""
    return name.removesuffix("_id")
