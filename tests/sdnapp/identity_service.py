"""As much of Keystone as its middleware asks for: who holds a token. ``TOKENS`` says whom there are."""

import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVICE, POWERLESS = "token-of-sdnapp", "token-of-powerless"
"""What the controller's own user gets; the second, of the user ``powerless``, may not ask about others."""
DOMAIN = {"id": "default", "name": "Default"}


@dataclass(frozen=True)
class Holder:
    """Whom a token stands for: a user with roles in a project, in a domain or in the whole system; in none, if "".

    ``rules`` are those of the application credential that the token was taken with, as method and path.
    """

    user: str
    project: str
    roles: tuple[str, ...]
    scope: str = "project"
    rules: tuple[tuple[str, str], ...] = ()


TOKENS = {
    SERVICE: Holder("sdnapp", "service", ("service", "admin")),
    "token-of-alice": Holder("alice", "red", ("member",)),
    "token-of-rob": Holder("rob", "red", ("reader",)),
    "token-of-bob": Holder("bob", "blue", ("member",)),
    "token-of-ann": Holder("ann", "operators", ("admin",)),
    "token-of-rita": Holder("rita", "red", ("Prüferin", "審査", "reader")),
    "token-for-domain": Holder("dora", "", ("admin",), "domain"),
    "token-for-system": Holder("sid", "", ("admin",), "system"),
    "token-for-nothing": Holder("alice", "", (), ""),
    "token-for-reading-networks": Holder("alice", "red", ("member",), rules=(("GET", "/v2.0/networks"),)),
    **{f"new-token-of-{name}": Holder(name, "red", ("member",)) for name in ("rosa", "ron", "ruth")},
}
"""Whom each token stands for."""


ASKED: Counter[str] = Counter()
"""How often each token has been asked about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body together: apart, the second waits until the client has acknowledged the first.
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        if self.path.startswith("/v3/auth/tokens"):
            ASKED[self.headers.get("X-Subject-Token", "")] += 1
            holder = TOKENS.get(self.headers.get("X-Subject-Token", ""))
            if self.headers.get("X-Auth-Token") != SERVICE:
                self._answer(403, {"error": {"code": 403, "title": "Forbidden", "message": "not allowed"}})
            elif holder is None:
                self._answer(404, {"error": {"code": 404, "title": "Not Found", "message": "no such token"}})
            else:
                self._answer(200, {"token": self._token(holder)})
        else:
            self._answer(200, {"version": self._version()})

    def do_POST(self) -> None:
        auth = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["auth"]
        user = auth["identity"]["password"]["user"]
        if user["password"] == "wrong":
            self._answer(401, {"error": {"code": 401, "title": "Unauthorized", "message": "who is that?"}})
        else:
            token = POWERLESS if user["name"] == "powerless" else SERVICE
            self._answer(201, {"token": self._token(TOKENS[SERVICE])}, {"X-Subject-Token": token})

    @property
    def _scheme(self) -> str:
        return "https" if isinstance(self.connection, ssl.SSLSocket) else "http"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _version(self) -> dict[str, Any]:
        url = f"{self._scheme}://{self.headers['Host']}/v3/"
        return {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": url}], "media-types": []}

    def _token(self, holder: Holder) -> dict[str, Any]:
        scopes = {
            "project": {"project": {"id": holder.project, "name": f"project {holder.project}", "domain": DOMAIN}},
            "domain": {"domain": DOMAIN},
            "system": {"system": {"all": True}},
        }
        credential = {"id": "c", "access_rules": [_rule(*each) for each in holder.rules]}
        return {
            "methods": ["password"],
            "user": {"id": holder.user, "name": f"user {holder.user}", "domain": DOMAIN},
            "roles": [{"id": role, "name": role} for role in holder.roles],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2126-01-01T00:00:00.000000Z",
            "catalog": [self._service(kind) for kind in ("identity", "network")],
            **scopes.get(holder.scope, {}),
            **({"application_credential": credential} if holder.rules else {}),
        }

    def _service(self, kind: str) -> dict[str, Any]:
        url = f"{self._scheme}://{self.headers['Host']}/v3"
        endpoints = [{"id": each, "interface": each, "region_id": "one", "url": url} for each in ("public", "internal")]
        return {"id": kind, "type": kind, "name": kind, "endpoints": endpoints}

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        octets = json.dumps(body).encode()
        self.send_response(status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(octets)), **(headers or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(octets)


def _rule(method: str, path: str) -> dict[str, str]:
    return {"id": path, "service": "network", "method": method, "path": path}


@contextmanager
def identity_service(tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on a free port of the loopback; give the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
