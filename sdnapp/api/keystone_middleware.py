"""``keystonemiddleware`` as we run it: with defaults for a network, a memory of bounds, and reasons to act upon."""

import importlib.util
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from keystoneauth1 import exceptions as auth
from keystonemiddleware import auth_token
from keystonemiddleware.auth_token import AuthProtocol
from oslo_config import cfg
from webob import exc

from sdnapp.api.token_cache import TokenCache
from sdnapp.config import OptionError

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

SECTION = "keystone_authtoken"
_DEFAULTS = {
    # Without a limit, a Keystone that is silent keeps each request, and its place at the door, for ever.
    "http_connect_timeout": 5,
    "http_request_max_retries": 1,
    # What the access rules of application credentials call us.
    "service_type": "network",
}
_CACHE = "sdnapp.token_cache"
"""Where a request carries the memory of tokens."""
_LOGS = (auth_token.__name__, "keystoneauth.session")
"""They tell of each request and of each try, without a limit. What an operator can act upon, we say."""
_REASONS: dict[type[Exception], str] = {
    auth.SSLError: "its certificate is not trusted ({error}): look at auth_url, and at cafile, in {section}",
    auth.Unauthorized: "it does not know the controller itself: look at username, password and project_name in "
    "{section}, and whether that user has a role in that project",
    auth.Forbidden: "the controller's own user may not ask about tokens: give it the role service in the project that "
    "{section} names (openstack role add --user USER --project PROJECT service)",
    auth.EndpointNotFound: "its catalogue lists no endpoint for the controller to ask ({error}): look at interface and "
    "region_name in {section}",
    auth.ConnectionError: "it does not answer ({what}): look whether it runs, and at auth_url in {section}",
    auth.DiscoveryFailure: "what answers is no Keystone ({error}): look at auth_url in {section}",
    auth.HttpError: "it answers with an error ({error}): look at its own log",
}
"""What an operator is told of an error, or of one that it came of: the first that is among them."""


class KeystoneError(Exception):
    """Keystone cannot say who holds a token; the text says why, and what the operator is to look at."""


def middleware(app: Wsgi, conf: cfg.ConfigOpts, clock: Callable[[], float]) -> Wsgi:
    """Return ``app`` for holders of a valid token only. Calling it may raise KeystoneError, and whatever ``app`` may.

    Raises OptionError if the section of the configuration cannot be used.
    """
    for group, options in auth_token.list_opts():
        conf.register_opts(options, group)
    for name, value in _DEFAULTS.items():
        conf.set_default(name, value, SECTION)
    if not conf[SECTION].auth_type and not conf[SECTION].auth_section:
        raise OptionError(
            f"auth_strategy: keystone needs a section [{SECTION}] with auth_type, auth_url and the controller's own "
            "user; docs/security.md has one"
        )
    # Whoever has no valid token is refused by the middleware, which counts him, not by the API, where he is nobody.
    settings = {"oslo_config_config": conf, "cache": _CACHE, "delay_auth_decision": False}
    if conf[SECTION].memcached_servers:
        if importlib.util.find_spec("memcache") is None:
            raise OptionError(f"[{SECTION}] memcached_servers: it needs more packages: pip install python-memcached")
        del settings["cache"]
    for log in map(logging.getLogger, _LOGS):
        if log.level == logging.NOTSET:
            log.setLevel(logging.CRITICAL + 1)
    try:
        checked = _Middleware(app, settings)
    except Exception as error:
        # Each kind of login has conditions and errors of its own.
        raise OptionError(f"[{SECTION}]: {error}") from error
    section = conf[SECTION].auth_section or SECTION
    if "auth_url" in conf[section] and not conf[section].auth_url:
        raise OptionError(f"[{section}] auth_url: say where Keystone is, such as https://keystone.example.org:5000")
    cache = TokenCache(clock)

    def remembering(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[_CACHE] = cache
        answer: Iterable[bytes] = checked(environ, start_response)
        return answer

    return remembering


def is_known(environ: dict[str, Any]) -> bool:
    """Return whether Keystone knew all tokens of a request that the middleware has seen, even if it was refused."""
    found = environ.get("keystone.token_auth")
    return bool(found and found.has_user_token and (found.has_service_token or "HTTP_X_SERVICE_TOKEN" not in environ))


class _Middleware(AuthProtocol):  # type: ignore[misc]
    def fetch_token(self, token: str, allow_expired: bool = False) -> Any:
        """Return what Keystone says of a token. Raises KeystoneError, where the middleware itself hides the reason."""
        try:
            return super().fetch_token(token, allow_expired=allow_expired)
        except (exc.HTTPServiceUnavailable, auth.ClientException) as error:
            raise KeystoneError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    chain = list(_chain(error))
    for kind, reason in _REASONS.items():
        for each in chain:
            if isinstance(each, kind):
                return reason.format(error=each, what=str(each).partition(": ")[0], section=f"[{SECTION}]")
    return f"{error}; see [{SECTION}]"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
