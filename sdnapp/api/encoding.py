"""Answers as JSON, in pieces: others have their turn between two of them, and nothing ever copies the whole."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sdnapp.turns import Turns

_ITEMS = 100
"""Items that are encoded at once, in a millisecond or so; those in lists of theirs count."""
_PIECE = 64 << 10
"""Octets of a piece, at least; the last one may have less."""


def encoded(body: object) -> list[bytes]:
    """Return a body as JSON, to be sent piece by piece.

    A member may be an iterator in the place of a list: so its items need never be there all at once.
    """
    pieces: list[bytes] = []
    texts: list[str] = []
    size = 0
    for text in Turns().between(_texts(body)):
        texts.append(text)
        size += len(text)
        if size >= _PIECE:
            pieces.append("".join(texts).encode())
            texts, size = [], 0
    if texts:
        pieces.append("".join(texts).encode())
    return pieces


def _texts(value: Any) -> Iterator[str]:
    """Yield the text of a value, some items at a time."""
    if isinstance(value, dict) and any(
        isinstance(member, list | Iterator) or _is_long(member) for member in value.values()
    ):
        before = "{"
        for key, member in value.items():
            yield f"{before}{json.dumps(key)}: "
            yield from _texts(member)
            before = ", "
        yield "}"
    elif isinstance(value, list | Iterator):
        before = "["
        for some in _groups(value):
            yield before
            if isinstance(some, list):
                yield json.dumps(some)[1:-1]
            else:
                yield from _texts(some)
            before = ", "
        yield "[]" if before == "[" else "]"
    else:
        yield json.dumps(value)


def _is_long(value: Any) -> bool:
    """Return whether an object has more in a list of its own than is encoded at once, or an iterator in its place."""
    return isinstance(value, dict) and any(
        (isinstance(member, list) and len(member) > _ITEMS) or isinstance(member, Iterator) for member in value.values()
    )


def _groups(items: Iterable[Any]) -> Iterator[Any]:
    """Yield lists of items that are encoded at once; and by itself one that has so many in lists of its own."""
    some: list[Any] = []
    many = 0
    for item in items:
        weight = 1
        if _is_long(item):
            weight = _ITEMS + 1
        elif isinstance(item, dict):
            weight += sum([len(member) for member in item.values() if type(member) is list])
        if many + weight > _ITEMS and some:
            yield some
            some, many = [], 0
        if weight > _ITEMS and isinstance(item, dict):
            yield item
        else:
            some.append(item)
            many += weight
    if some:
        yield some
