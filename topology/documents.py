"""Rows to JSON text and back, from the dataclass declarations alone.

Unknown fields of a document are ignored and missing ones take their default, so that a newer or older controller
can read the same store. Values are held against their declared types both ways: a row that would come back as another
one (a list where a tuple belongs) is never written.
"""

import json
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN = (str, int, bool)
_encode = json.JSONEncoder(separators=(",", ":")).encode


def to_document(row: object) -> str:
    """Return the row as compact JSON text; raises TypeError, with the field, for a value of an undeclared type."""
    kind: Any = type(row)
    return _encode(_shape(kind).write(row))


def from_document(kind: type[T], text: str) -> T:
    """Return the row of that kind which the text describes; raises ValueError or TypeError when it describes none."""
    hint: Any = kind
    row: T = _shape(hint).read(json.loads(text))
    return row


class Shape(NamedTuple):
    """How values of one declared type become what JSON knows, and come back. Both raise TypeError."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@cache
def _shape(hint: Any) -> Shape:
    if hint in _PLAIN:
        return _plain_shape(hint)
    if is_dataclass(hint):
        return _dataclass_shape(hint)
    arguments = get_args(hint)
    if get_origin(hint) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _many_shape(_shape(arguments[0]))
    if get_origin(hint) is tuple:
        return _record_shape([_shape(argument) for argument in arguments])
    if get_origin(hint) in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return _optional_shape(_shape(next(argument for argument in arguments if argument is not type(None))))
    raise TypeError(f"a row cannot hold {hint}")


def _plain_shape(kind: type) -> Shape:
    def check(value: Any) -> Any:
        # For Python a bool is an int; for JSON and for us it is not.
        if not isinstance(value, kind) or (value is True or value is False) != (kind is bool):
            raise TypeError(f"{value!r} is no {kind.__name__}")
        return value

    return Shape(check, check)


def _dataclass_shape(kind: Any) -> Shape:
    hints = get_type_hints(kind)
    shapes = {field.name: _shape(hints[field.name]) for field in fields(kind)}
    # Most values are text, numbers or booleans of exactly the declared type. No call for those: a start may read
    # 100 000 rows.
    plain = {name: hints[name] if hints[name] in _PLAIN else None for name in shapes}

    def write(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{value!r} is no {kind.__name__}")
        document = {}
        for name, hint in plain.items():
            item = getattr(value, name)
            document[name] = item if type(item) is hint else _within(name, shapes[name].write, item)
        return document

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is no {kind.__name__}")
        arguments = {
            name: item if type(item) is plain[name] else _within(name, shapes[name].read, item)
            for name, item in value.items()
            if name in plain
        }
        return kind(**arguments)

    return Shape(write, read)


def _within(name: str, convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def _many_shape(item: Shape) -> Shape:
    def write(value: Any) -> Any:
        return [item.write(one) for one in _expect(tuple, value)]

    def read(value: Any) -> Any:
        return tuple([item.read(one) for one in _expect(list, value)])

    return Shape(write, read)


def _record_shape(items: list[Shape]) -> Shape:
    def write(value: Any) -> Any:
        return [item.write(one) for item, one in zip(items, _expect(tuple, value, len(items)), strict=True)]

    def read(value: Any) -> Any:
        return tuple([item.read(one) for item, one in zip(items, _expect(list, value, len(items)), strict=True)])

    return Shape(write, read)


def _optional_shape(some: Shape) -> Shape:
    def write(value: Any) -> Any:
        return None if value is None else some.write(value)

    def read(value: Any) -> Any:
        return None if value is None else some.read(value)

    return Shape(write, read)


def _expect(kind: type[list[Any]] | type[tuple[Any, ...]], value: Any, length: int | None = None) -> Any:
    if not isinstance(value, kind) or (length is not None and len(value) != length):
        raise TypeError(f"{value!r} is no {kind.__name__}" + (f" of {length}" if length is not None else ""))
    return value
