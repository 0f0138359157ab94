"""Keystone: tokens are checked by its own middleware, before the API sees a request.

How to reach Keystone is said in the section ``[keystone_authtoken]`` of the configuration file, with the options of
``keystonemiddleware`` as in every OpenStack service.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from keystonemiddleware.auth_token import AuthProtocol
from oslo_config import cfg
from webob import Request, exc

from sdnapp.api import audit
from sdnapp.api.errors import response_of
from sdnapp.api.token_lookups import Lookup, TokenLookups, without_tokens

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

LOG = logging.getLogger(__name__)
_UNKNOWN = exc.HTTPServiceUnavailable("The identity service cannot be asked who you are. Try again later.")
_OPEN = frozenset({"/", "/healthz", "/openapi.json"})
"""What anybody may read: the versions, as in Neutron, that the service lives, and what it can do."""
_ADMITTED = "sdnapp.admitted"
"""Where a request carries whether the middleware has let it in."""


def protect(
    app: Wsgi, conf: cfg.ConfigOpts, failed_tokens: int = 0, clock: Callable[[], float] = time.monotonic
) -> Wsgi:
    """Return ``app`` for holders of a valid token only (401 for all others), but for what anybody may read.

    ``app`` must identify callers by ``identity.confirmed``. So many tokens a second that Keystone does not know are
    looked up for each host (429 for more); 0 is no limit.
    """
    lookups = TokenLookups(failed_tokens, clock)

    def admitted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[_ADMITTED].append(True)
        return app(environ, start_response)

    checked = AuthProtocol(admitted, {"oslo_config_config": conf})

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
                return _too_many(lookup, failed_tokens, environ)(environ, start)
            try:
                answer: Iterable[bytes] = checked(without_tokens(environ) if lookup.refused else environ, start)
            except Exception as error:
                # Whatever Keystone or the way to it lacks, nobody gets in, and the operator reads why.
                LOG.error("Keystone cannot say who holds a token: %s; see [keystone_authtoken]", error)
                answer = _UNKNOWN(environ, start)
            lookups.settle(lookup, True if was_admitted else False if was_refused else None)
            return answer
        # Nobody vouches for these: a client that sends the middleware's headers itself is nobody all the same.
        unsigned = {name: value for name, value in environ.items() if not name.startswith("HTTP_X_")}
        return app(unsigned, start_response)

    return protected


def _too_many(lookup: Lookup, rate: int, environ: dict[str, Any]) -> Wsgi:
    message = (
        f"{lookup.host} sends more than {rate} tokens a second that Keystone does not know: try again in "
        f"{lookup.wait} s, with a valid token. The operator sets this limit by api_failed_tokens."
    )
    error = exc.HTTPTooManyRequests(message, headers={"Retry-After": str(lookup.wait)})
    answer: Wsgi = response_of(error, environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", ""))
    return answer
