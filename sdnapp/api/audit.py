"""The audit log: a line for each request that may change something, with who, what, outcome and the store's revision.

What the path does not tell, a handler adds: the ids of what was created, the project that a file is for. Bodies, tokens
and passwords never get into it. What clients chose is quoted, so that nobody forges a second line.
"""

import json
import logging
from typing import Any

from webob import Request, Response

from sdnapp.api.identity import Identity

LOG = logging.getLogger("sdnapp.audit")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST = 200
"""Characters of a value that are logged: an id or a name is shorter, an attack need not fill the disk."""
_MORE = "sdnapp.audit"


def add(request: Request, **facts: Any) -> None:
    """Have more said in the line of a request; lists are written with commas."""
    request.environ.setdefault(_MORE, {}).update(facts)


def record(request: Request, who: Identity | None, response: Response, revision: int) -> None:
    """Log a request that is not only for reading; ``who`` is None where even that could not be told."""
    asker = {}
    if who:
        names = {"user_name": who.user_name, "project_name": who.project_name}
        asker = {"user": who.user_id, "project": who.project_id, **names, "roles": ",".join(sorted(who.roles))}
    outcome = {"status": response.status_int, "revision": revision}
    _log(request, asker, response.headers["X-Openstack-Request-Id"], outcome)


def record_stranger(request: Request, status: int, user_id: str | None = None) -> None:
    """Log a request that is not only for reading, and was sent away before it could be told who asks, or for whom."""
    _log(request, {"user": user_id}, None, {"status": status})


def _log(request: Request, asker: dict[str, Any], request_id: str | None, outcome: dict[str, Any]) -> None:
    if request.method in _READING:
        return
    said = {
        **asker,
        "from": request.remote_addr,
        "request": request_id,
        "method": request.method,
        "path": request.environ.get("PATH_INFO", ""),
        **outcome,
        **request.environ.get(_MORE, {}),
    }
    LOG.info(" ".join(f"{name}={_quoted(value)}" for name, value in said.items() if value is not None))


def _quoted(value: Any) -> str:
    whole = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    text = whole[:_LONGEST]
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "\\=')
    return text if plain and text else json.dumps(text)
