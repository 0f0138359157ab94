"""As much of Keystone as its middleware asks for: who holds a token. ``TOKENS`` says whom there are."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVICE = "token-of-sdnapp"
TOKENS = {
    SERVICE: ("sdnapp", "service", ["service", "admin"]),
    "token-of-alice": ("alice", "red", ["member"]),
    "token-of-rob": ("rob", "red", ["reader"]),
    "token-of-bob": ("bob", "blue", ["member"]),
    "token-of-ann": ("ann", "operators", ["admin"]),
    **{f"new-token-of-{name}": (name, "red", ["member"]) for name in ("rosa", "ron", "ruth")},
}
"""Token to user, project and roles."""


ASKED: Counter[str] = Counter()
"""How often each token has been asked about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/v3/auth/tokens"):
            ASKED[self.headers.get("X-Subject-Token", "")] += 1
            holder = TOKENS.get(self.headers.get("X-Subject-Token", ""))
            if holder is None or self.headers.get("X-Auth-Token") != SERVICE:
                self._answer(404, {"error": {"code": 404, "title": "Not Found", "message": "no such token"}})
            else:
                self._answer(200, {"token": self._token(*holder)})
        else:
            self._answer(200, {"version": self._version()})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(201, {"token": self._token(*TOKENS[SERVICE])}, {"X-Subject-Token": SERVICE})

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _version(self) -> dict[str, Any]:
        url = f"http://{self.headers['Host']}/v3/"
        return {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": url}], "media-types": []}

    def _token(self, user: str, project: str, roles: list[str]) -> dict[str, Any]:
        domain = {"id": "default", "name": "Default"}
        url = f"http://{self.headers['Host']}/v3"
        endpoints = [{"id": each, "interface": each, "region_id": "one", "url": url} for each in ("public", "internal")]
        return {
            "methods": ["password"],
            "user": {"id": user, "name": user, "domain": domain},
            "project": {"id": project, "name": project, "domain": domain},
            "roles": [{"id": role, "name": role} for role in roles],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2126-01-01T00:00:00.000000Z",
            "catalog": [{"id": "identity", "type": "identity", "name": "keystone", "endpoints": endpoints}],
        }

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        octets = json.dumps(body).encode()
        self.send_response(status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(octets)), **(headers or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(octets)


@contextmanager
def identity_service() -> Iterator[str]:
    """Serve on a free port of the loopback; give the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
