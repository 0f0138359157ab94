"""The audit log: a line for each request that may change something, with who, what, outcome and the store's revision.

Bodies, tokens and passwords never get into it. What clients chose is quoted, so that nobody forges a second line.
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


def record(request: Request, who: Identity | None, response: Response, revision: int) -> None:
    """Log a request that is not only for reading; ``who`` is None where even that could not be told."""
    if request.method in _READING:
        return
    said = {
        "user": who.user_id if who else None,
        "project": who.project_id if who else None,
        "roles": ",".join(sorted(who.roles)) if who else None,
        "from": request.remote_addr,
        "request": response.headers["X-Openstack-Request-Id"],
        "method": request.method,
        "path": request.environ.get("PATH_INFO", ""),
        "status": response.status_int,
        "revision": revision,
    }
    LOG.info(" ".join(f"{name}={_quoted(value)}" for name, value in said.items() if value is not None))


def _quoted(value: Any) -> str:
    text = str(value)[:_LONGEST]
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "\\=')
    return text if plain and text else json.dumps(text)
