"""Turns of others in the midst of a long request: a server has one loop, and many clients."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from time import monotonic, sleep
from typing import Any, TypeVar

T = TypeVar("T")

SLICE = 0.005
"""Seconds of work between two turns of others."""
_ITEMS = 100
"""Items that are encoded at once, in a millisecond or so."""


class Pauses:
    """Those of one request."""

    def __init__(self) -> None:
        self._since = monotonic()

    def give_way(self) -> None:
        """Let others have their turn, if this request has had its own for long enough."""
        if monotonic() - self._since >= SLICE:
            # Lets other threads run, green ones, too: eventlet has made it its own in the server.
            sleep(0)
            self._since = monotonic()

    def between(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, with pauses in between."""
        for item in items:
            yield item
            self.give_way()


def encoded(body: object) -> bytes:
    """Return a body as JSON, with pauses where it has a long list."""
    long = {key for key, value in body.items() if _is_long(value)} if isinstance(body, dict) else set()
    if not isinstance(body, dict) or not long:
        return json.dumps(body).encode()
    pauses = Pauses()
    members = []
    for key, value in body.items():
        text = "[" + ", ".join(pauses.between(_pieces(value))) + "]" if key in long else json.dumps(value)
        members.append(f"{json.dumps(key)}: {text}")
    return ("{" + ", ".join(members) + "}").encode()


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and len(value) > _ITEMS


def _pieces(items: list[Any]) -> Iterator[str]:
    left = iter(items)
    while some := list(islice(left, _ITEMS)):
        yield json.dumps(some)[1:-1]
