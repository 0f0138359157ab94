"""What Keystone said about the tokens that were last shown, for as long as the middleware may believe it.

The middleware's own memory is not bounded, is searched through for each request, and keeps for ever what is to be kept
for 0 seconds.
"""

from collections import OrderedDict
from collections.abc import Callable

_MANY = 5_000
"""Answers that are remembered; one is some kilobytes, most of them the catalogue of services."""


class TokenCache:
    """As much of memcached's client as the middleware calls. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key, unless its time is over."""
        until, data = self._kept.get(key, (0.0, b""))
        if until > self._clock():
            return data
        self._kept.pop(key, None)
        return None

    def set(self, key: str, data: bytes, time: int = 0) -> None:
        """Keep something for so many seconds: not at all, for 0 or fewer. The oldest makes room."""
        self._kept.pop(key, None)
        if time > 0:
            self._kept[key] = (self._clock() + time, data)
        while len(self._kept) > _MANY:
            self._kept.popitem(last=False)
