"""How often a project may ask: a token bucket for each, so that one tenant's script does not keep the others waiting.

Administrators are not limited: what they run serves everybody.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from webob import exc

from sdnapp.api.identity import Identity

BURST_SECONDS = 10
"""How many seconds' worth of requests a project that has been quiet may make at once."""
_MANY = 1024
"""From this number of buckets on, those that are full are forgotten: a new one is as full."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimit:
    """Lets each project make ``rate`` requests a second, in the long run; 0 is no limit. ``clock`` gives seconds."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: dict[str, _Bucket] = {}

    def check(self, who: Identity) -> None:
        """Count a request. Raises HTTPTooManyRequests, with the seconds to wait as ``Retry-After`` (RFC 6585)."""
        if not self._rate or who.is_admin or who.project_id is None:
            return
        now, most = self._clock(), float(self._rate * BURST_SECONDS)
        bucket = self._buckets.get(who.project_id)
        if bucket is None:
            self._make_room(now, most)
            bucket = self._buckets[who.project_id] = _Bucket(most, now)
        bucket.tokens = min(most, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) / self._rate)
            message = (
                f"Project {who.project_id} makes more than {self._rate} requests a second: try again in {wait} s. "
                "The operator sets this limit by api_rate_limit."
            )
            raise exc.HTTPTooManyRequests(message, headers={"Retry-After": str(wait)})
        bucket.tokens -= 1

    def _make_room(self, now: float, most: float) -> None:
        if len(self._buckets) >= _MANY:
            self._buckets = {
                project_id: bucket
                for project_id, bucket in self._buckets.items()
                if bucket.tokens + (now - bucket.at) * self._rate < most
            }
