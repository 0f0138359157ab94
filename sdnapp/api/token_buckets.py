"""Token buckets: how often each of many may do something, in the long run and at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass

BURST_SECONDS = 10
"""For how many seconds' worth at once a bucket has room."""
_MANY = 1024
"""From this number of buckets on, those that are full are forgotten: a new one is as full."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class TokenBuckets:
    """A bucket for each key, into which ``rate`` tokens come a second; 0 is no limit. ``clock`` gives seconds."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: dict[str, _Bucket] = {}

    @property
    def _most(self) -> float:
        return float(self._rate * BURST_SECONDS)

    def take(self, key: str) -> int:
        """Take a token and return 0; where there is none, return the seconds until there will be."""
        if not self._rate:
            return 0
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[key] = _Bucket(self._most, now)
        bucket.tokens = self._content(bucket, now)
        bucket.at = now
        if bucket.tokens < 1:
            return math.ceil((1 - bucket.tokens) / self._rate)
        bucket.tokens -= 1
        return 0

    def give_back(self, key: str) -> None:
        """Put back a token that was taken."""
        if (bucket := self._buckets.get(key)) is not None:
            bucket.tokens += 1

    def _content(self, bucket: _Bucket, now: float) -> float:
        return min(self._most, bucket.tokens + (now - bucket.at) * self._rate)

    def _make_room(self, now: float) -> None:
        if len(self._buckets) >= _MANY:
            self._buckets = {
                key: bucket for key, bucket in self._buckets.items() if self._content(bucket, now) < self._most
            }
