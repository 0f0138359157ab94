"""How often a project may ask, so that one tenant's script does not keep the others waiting.

Administrators and services are not limited: what they run serves everybody.
"""

from collections.abc import Callable

from webob import exc

from sdnapp.api.identity import Identity
from sdnapp.api.token_buckets import TokenBuckets


class RateLimit:
    """Lets each project make ``rate`` requests a second, in the long run; 0 is no limit. ``clock`` gives seconds."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._buckets = TokenBuckets(rate, clock)

    def check(self, who: Identity) -> None:
        """Count a request. Raises HTTPTooManyRequests, with the seconds to wait as ``Retry-After`` (RFC 6585)."""
        if who.serves_all or who.project_id is None:
            return
        if wait := self._buckets.take(who.project_id):
            message = (
                f"Project {who.project_id} makes more than {self._rate} requests a second: try again in {wait} s. "
                "The operator sets this limit by api_rate_limit."
            )
            raise exc.HTTPTooManyRequests(message, headers={"Retry-After": str(wait)})
