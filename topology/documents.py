"""Rows to JSON text and back, from the dataclass declarations alone.

Unknown fields of a document are ignored and missing ones take their default, so that a newer or older controller
can read the same store.
"""

import json
import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_document(row: object) -> str:
    """Return the row as compact JSON text."""
    return json.dumps(_plain(row), separators=(",", ":"))


def from_document(kind: type[T], text: str) -> T:
    """Return the row of that kind which the text describes; raises ValueError or TypeError when it describes none."""
    row: T = _build(kind, json.loads(text))
    return row


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in _field_names(value.__class__)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@cache
def _field_names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _field_types(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _build(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        hints = _field_types(kind)  # type: ignore[arg-type]
        return kind(**{name: _build(hints[name], item) for name, item in value.items() if name in hints})  # type: ignore[operator]
    origin = get_origin(kind)
    if origin is tuple:
        args = get_args(kind)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_build(args[0], item) for item in value)
        return tuple(_build(arg, item) for arg, item in zip(args, value, strict=True))
    if origin in (Union, types.UnionType):
        return None if value is None else _build(next(a for a in get_args(kind) if a is not type(None)), value)
    return value
