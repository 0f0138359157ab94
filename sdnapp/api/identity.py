"""Who asks: the one place that knows. The application is given one of the two ways, ``claimed`` or ``confirmed``.

Without authentication (``noauth``) the headers X-Project-Id, X-User-Id, X-Roles and X-Service-Roles (comma-separated)
are taken at their word; without X-Roles the caller is an administrator. Clients that can send no such headers, the
``openstack`` command among them, become a member of a project by HTTP basic authentication (RFC 7617) with the project
as user name and any password. X-Auth-Token is ignored.

With Keystone the same headers come from its middleware, which has checked the token and dropped what the client sent.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from webob import Request, exc

# Each role includes the ones to its right, as in Keystone.
_LADDER = ("admin", "manager", "member", "reader")


@dataclass(frozen=True)
class Identity:
    """The caller: his project, and his roles there with those that they imply. The names are for people to read.

    ``service_roles`` are those of the service that asks on his behalf, if one does.
    """

    project_id: str | None
    user_id: str | None
    roles: frozenset[str]
    service_roles: frozenset[str] = frozenset()
    project_name: str | None = field(default=None, compare=False)
    user_name: str | None = field(default=None, compare=False)

    @property
    def is_admin(self) -> bool:
        """Whether everything is visible and allowed."""
        return "admin" in self.roles

    @property
    def serves_all(self) -> bool:
        """Whether ports of all projects are his business: an administrator, or a service such as Nova."""
        return self.is_admin or "service" in self.roles

    @property
    def can_set_project_id(self) -> bool:
        """Whether a body may name another project as the owner."""
        return self.serves_all


Identify = Callable[[Request], Identity]
"""From a request to its caller. Raises HTTPBadRequest for headers that cannot be read."""


def claimed(default_project: str) -> Identify:
    """Return the way to identify callers who are taken at their word."""

    def identify(request: Request) -> Identity:
        project_id, user_id = _header(request, "X-Project-Id"), _header(request, "X-User-Id")
        roles, service_roles = _header(request, "X-Roles"), frozenset(_split(_header(request, "X-Service-Roles") or ""))
        if project_id is None and roles is None and (project_of_basic := _basic_user(request)) is not None:
            return Identity(project_of_basic, user_id, with_implied({"member"}))
        if roles is None:
            return Identity(project_id or default_project, user_id, with_implied({"admin"}))
        return Identity(project_id, user_id, with_implied(_split(roles)), service_roles)

    return identify


def confirmed(request: Request) -> Identity:
    """Return the caller as Keystone's middleware has found him: nobody unless it says that it has."""

    def found(name: str) -> str | None:
        # Unlike what comes from clients (PEP 3333), this has never been bytes: names and roles may be in any script.
        value: str | None = request.environ.get(f"HTTP_X_{name}")
        return value

    if found("IDENTITY_STATUS") != "Confirmed":
        return Identity(None, None, frozenset())
    roles = with_implied(_split(found("ROLES") or ""))
    # The middleware has dropped what the client said of a service, and refuses a token that is no service's.
    service_roles = frozenset(_split(found("SERVICE_ROLES") or ""))
    names = found("PROJECT_NAME"), found("USER_NAME")
    return Identity(found("PROJECT_ID"), found("USER_ID"), roles, service_roles, *names)


def _split(roles: str) -> Iterable[str]:
    return (role.strip().lower() for role in roles.split(","))


def with_implied(roles: Iterable[str]) -> frozenset[str]:
    """Return roles together with those that they imply."""
    named = {role for role in roles if role}
    steps = [_LADDER.index(role) for role in named if role in _LADDER]
    return frozenset(named.union(_LADDER[min(steps) :] if steps else ()))


def _header(request: Request, name: str) -> str | None:
    value = request.headers.get(name)
    if value is None:
        return None
    try:
        text: str = value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise exc.HTTPBadRequest(f"Header {name} is not UTF-8.") from None
    return text.strip()


def _basic_user(request: Request) -> str | None:
    scheme, _, credentials = (request.headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeError):
        user = ""
    if not user:
        raise exc.HTTPBadRequest("Header Authorization is not a user name and a password in base64.")
    return user
