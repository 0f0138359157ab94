"""As much of Keystone's API v3 as Tempest needs: projects, users, roles on projects, and tokens that stand for them.

Users, projects and roles are made by anybody: only what Tempest itself makes is ever in here. The application behind
believes headers (``noauth``), so that a token becomes the headers X-Project-Id, X-User-Id and X-Roles.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from webob import Request, Response, exc

PREFIX = "/identity"
ADMIN = "admin"
"""Name and password of the first user, and name of the project where he has the role of this name."""
REGION = "one"
_DOMAIN = {"id": "default", "name": "Default", "enabled": True, "description": ""}
_ROLES = ("admin", "manager", "member", "reader")
_ASSIGNMENT = re.compile(r"/v3/projects/([^/]+)/users/([^/]+)/roles(?:/([^/]+))?")
_OBJECT = re.compile(r"/v3/(projects|users|roles|domains)(?:/([^/]+))?")
_HEADERS = ("X-Project-Id", "X-User-Id", "X-Roles")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Identity:
    """Keystone below ``/identity``, and an application for those who have a token everywhere else."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app
        self._rows: dict[str, dict[str, dict[str, Any]]] = {
            kind: {} for kind in ("projects", "users", "roles", "domains")
        }
        self._granted: dict[tuple[str, str], set[str]] = {}
        self._tokens: dict[str, tuple[str, str]] = {}
        self._rows["domains"][_DOMAIN["id"]] = _DOMAIN
        for role in _ROLES:
            self._rows["roles"][role] = {"id": role, "name": role}
        user = self._create("users", {"name": ADMIN, "password": ADMIN})
        self._granted[self._create("projects", {"name": ADMIN})["id"], user["id"]] = {ADMIN}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request = Request(environ)
        path = request.path_info
        try:
            if path.startswith(PREFIX):
                response: Any = self._answer(request, path.removeprefix(PREFIX).rstrip("/"))
            else:
                # Which versions there are, everybody may ask.
                self._believe(request, *(None, None) if path == "/" else self._who(request))
                response = self._app
        except exc.HTTPException as error:
            response = _json({"error": {"code": error.code, "title": error.title, "message": error.detail}}, error.code)
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _who(self, request: Request) -> tuple[str, str]:
        """Return project and user of a request's token. Raises HTTPUnauthorized."""
        try:
            return self._tokens[request.headers["X-Auth-Token"]]
        except KeyError:
            raise exc.HTTPUnauthorized("There is no such token.") from None

    def _believe(self, request: Request, project: str | None, user: str | None) -> None:
        for name in (*_HEADERS, "Authorization"):
            request.headers.pop(name, None)
        if project is not None and user is not None:
            roles = ",".join(sorted(self._granted.get((project, user), ())))
            request.headers.update(zip(_HEADERS, (project, user, roles), strict=True))

    def _answer(self, request: Request, path: str) -> Response:
        url = f"{request.host_url}{PREFIX}/v3"
        version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": url}], "media-types": []}
        if path == "":
            return _json({"versions": {"values": [version]}}, 300)
        if path == "/v3":
            return _json({"version": version})
        if path == "/v3/auth/tokens":
            return self._log_in(request) if request.method == "POST" else self._show_token(request)
        if found := _ASSIGNMENT.fullmatch(path):
            return self._assign(request.method, found[1], found[2], found[3])
        if found := _OBJECT.fullmatch(path):
            return self._object(request, found[1], found[2])
        raise exc.HTTPNotFound(path)

    def _log_in(self, request: Request) -> Response:
        auth = request.json["auth"]
        given = auth["identity"]["password"]["user"]
        user = self._named("users", given)
        if given["password"] != user["password"]:
            raise exc.HTTPUnauthorized("The password is another.")
        scope = auth.get("scope", {}).get("project")
        project = self._named("projects", scope) if scope else None
        token = uuid4().hex
        self._tokens[token] = (project["id"] if project else "", user["id"])
        return _json(self._described(request, token), 201, {"X-Subject-Token": token})

    def _show_token(self, request: Request) -> Response:
        token = request.headers.get("X-Subject-Token", "")
        if token not in self._tokens:
            raise exc.HTTPNotFound("There is no such token.")
        if request.method == "DELETE":
            del self._tokens[token]
            return Response(status=204)
        return _json(self._described(request, token), 200, {"X-Subject-Token": token})

    def _described(self, request: Request, token: str) -> dict[str, Any]:
        project_id, user_id = self._tokens[token]
        user, project = self._rows["users"][user_id], self._rows["projects"].get(project_id)
        described = {
            "methods": ["password"],
            "user": {"id": user_id, "name": user["name"], "domain": _DOMAIN, "password_expires_at": None},
            "audit_ids": [token],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2126-01-01T00:00:00.000000Z",
        }
        if project is not None:
            roles = [{"id": role, "name": role} for role in sorted(self._granted.get((project_id, user_id), ()))]
            described |= {"project": project | {"domain": _DOMAIN}, "roles": roles, "catalog": _catalog(request)}
        return {"token": described}

    def _assign(self, method: str, project: str, user: str, role: str | None) -> Response:
        granted = self._granted.setdefault((project, user), set())
        if role is None:
            return _json({"roles": [self._rows["roles"][each] for each in sorted(granted)]})
        if method == "PUT":
            granted.add(role)
        elif method == "DELETE":
            granted.discard(role)
        return Response(status=204)

    def _object(self, request: Request, kind: str, row_id: str | None) -> Response:
        rows, name = self._rows[kind], kind[:-1]
        if row_id is None and request.method == "POST":
            return _json({name: _shown(self._create(kind, request.json[name]))}, 201)
        if row_id is None:
            wanted = request.GET.get("name")
            return _json({kind: [_shown(row) for row in rows.values() if wanted in (None, row["name"])]})
        if row_id not in rows:
            raise exc.HTTPNotFound(f"There is no such {name}.")
        if request.method == "DELETE":
            del rows[row_id]
            return Response(status=204)
        if request.method == "PATCH":
            rows[row_id] |= request.json[name]
        return _json({name: _shown(rows[row_id])})

    def _create(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        rows = self._rows[kind]
        if any(row["name"] == given["name"] for row in rows.values()):
            raise exc.HTTPConflict(f"There is one named {given['name']}.")
        row = {"enabled": True, "domain_id": _DOMAIN["id"], "description": "", **given, "id": uuid4().hex}
        rows[row["id"]] = row
        return row

    def _named(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        for row in self._rows[kind].values():
            if row["id"] == given.get("id") or row["name"] == given.get("name"):
                return row
        raise exc.HTTPUnauthorized(f"None of the {kind} is called that.")


def _catalog(request: Request) -> list[dict[str, Any]]:
    urls = {"identity": f"{request.host_url}{PREFIX}/v3", "network": request.host_url}
    return [
        {
            "id": kind,
            "type": kind,
            "name": kind,
            "endpoints": [{"id": kind, "interface": "public", "region": REGION, "region_id": REGION, "url": url}],
        }
        for kind, url in urls.items()
    ]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "password"}


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    response = Response(json.dumps(body).encode(), status=status, content_type="application/json", charset="UTF-8")
    response.headers.update(headers or {})
    return response
