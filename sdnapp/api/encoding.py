"""Answers as JSON. A long list is encoded in pieces, between which others have their turn."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from sdnapp.turns import Turns

_ITEMS = 100
"""Items that are encoded at once, in a millisecond or so."""


def encoded(body: object) -> bytes:
    """Return a body as JSON, with turns of others where it has a long list."""
    long = {key for key, value in body.items() if _is_long(value)} if isinstance(body, dict) else set()
    if not isinstance(body, dict) or not long:
        return json.dumps(body).encode()
    turns = Turns()
    members = []
    for key, value in body.items():
        text = "[" + ", ".join(turns.between(_pieces(value))) + "]" if key in long else json.dumps(value)
        members.append(f"{json.dumps(key)}: {text}")
    return ("{" + ", ".join(members) + "}").encode()


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and len(value) > _ITEMS


def _pieces(items: list[Any]) -> Iterator[str]:
    left = iter(items)
    while some := list(islice(left, _ITEMS)):
        yield json.dumps(some)[1:-1]
