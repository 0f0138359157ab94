"""Keystone: tokens are checked by its own middleware, before the API sees a request.

How to reach Keystone is said in the section ``[keystone_authtoken]`` of the configuration file, with the options of
``keystonemiddleware`` as in every OpenStack service.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg
from webob import Request, exc

from sdnapp.api import audit
from sdnapp.api.errors import InvalidScope, response_of
from sdnapp.api.keystone_middleware import Wsgi, is_known, middleware
from sdnapp.api.token_lookups import Lookup, TokenLookups, without_tokens

LOG = logging.getLogger(__name__)
_UNAVAILABLE = exc.HTTPServiceUnavailable("The identity service cannot be asked who you are. Try again later.")
_OPEN = frozenset({"/", "/healthz", "/openapi.json"})
"""What anybody may read: the versions, as in Neutron, that the service lives, and what it can do."""
_ADMITTED = "sdnapp.admitted"
"""Where a request carries whether the middleware has let it in."""
_QUIET = 10.0
"""Seconds for which the log is not told the same again."""


def protect(
    app: Wsgi, conf: cfg.ConfigOpts, failed_tokens: int = 0, clock: Callable[[], float] = time.monotonic
) -> Wsgi:
    """Return ``app`` for holders of a valid token only (401 for all others), but for what anybody may read.

    ``app`` must identify callers by ``identity.confirmed``. So many tokens a second that Keystone does not know are
    looked up for each host (429 for more); 0 is no limit. Raises OptionError for what is said of Keystone.
    """
    lookups = TokenLookups(failed_tokens, clock)
    outage = _Outage(clock)

    def admitted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[_ADMITTED].append(True)
        if environ.get("HTTP_X_PROJECT_ID"):
            return app(environ, start_response)
        audit.record_stranger(Request(environ), 403, environ.get("HTTP_X_USER_ID"))
        return _answer(InvalidScope(scope=_scope(environ)), environ)(environ, start_response)

    checked = middleware(admitted, conf, clock)

    def protected(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if (environ.get("PATH_INFO", "").rstrip("/") or "/") not in _OPEN:
            was_admitted: list[bool] = []
            was_refused: list[bool] = []
            environ[_ADMITTED] = was_admitted

            def start(status: str, *rest: Any) -> Any:
                if not was_admitted:
                    if status.startswith("401"):
                        was_refused.append(True)
                    audit.record_stranger(Request(environ), int(status.partition(" ")[0]))
                return start_response(status, *rest)

            lookup = lookups.begin(environ)
            if lookup.wait:
                return _answer(_too_many(lookup, failed_tokens), environ)(environ, start)
            try:
                answer: Iterable[bytes] = checked(without_tokens(environ) if lookup.refused else environ, start)
            except Exception as error:
                # Whatever Keystone or the way to it lacks, nobody gets in, and the operator reads why.
                outage.noticed(error)
                answer = _answer(_UNAVAILABLE, environ)(environ, start)
            knows = True if was_admitted or is_known(environ) else False if was_refused else None
            if knows is not None and lookup.counted:
                outage.is_over()
            lookups.settle(lookup, knows)
            return answer
        # Nobody vouches for these: a client that sends the middleware's headers itself is nobody all the same.
        unsigned = {name: value for name, value in environ.items() if not name.startswith("HTTP_X_")}
        return app(unsigned, start_response)

    return protected


class _Outage:
    """Tells the log when Keystone cannot be asked, not for each request, and when it can again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._reason, self._until = "", 0.0

    def noticed(self, error: Exception) -> None:
        """Say why nobody gets in."""
        if str(error) != self._reason or self._until <= self._clock():
            LOG.error("nobody gets in, as Keystone cannot say who holds a token: %s", error)
            self._reason, self._until = str(error), self._clock() + _QUIET

    def is_over(self) -> None:
        """Say that there is an answer again, if there was none."""
        if self._reason:
            LOG.info("Keystone says again who holds a token")
            self._reason = ""


def _scope(environ: dict[str, Any]) -> str:
    if environ.get("HTTP_OPENSTACK_SYSTEM_SCOPE"):
        return "system scope"
    return "domain scope" if environ.get("HTTP_X_DOMAIN_ID") else "no scope"


def _too_many(lookup: Lookup, rate: int) -> Exception:
    message = (
        f"{lookup.host} sends more than {rate} tokens a second that Keystone does not know: try again in "
        f"{lookup.wait} s, with a valid token. The operator sets this limit by api_failed_tokens."
    )
    error: Exception = exc.HTTPTooManyRequests(message, headers={"Retry-After": str(lookup.wait)})
    return error


def _answer(error: Exception, environ: dict[str, Any]) -> Wsgi:
    answer: Wsgi = response_of(error, environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", ""))
    return answer
