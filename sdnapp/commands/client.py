"""Asks a running controller: JSON over HTTP, there and back."""

import http.client
import json
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sdnapp.commands.errors import CommandError

DEFAULT_URL = "http://127.0.0.1:9696"
TOKEN = "OS_TOKEN"
"""The environment variable that holds a token of Keystone's, as other clients of OpenStack have it."""
AUTHORITY, CERTIFICATE, KEY = "OS_CACERT", "OS_CERT", "OS_KEY"
"""Those that name files for TLS, likewise."""
PATIENCE = 30.0
"""Seconds that a controller may take to answer, beside what a request asks it to wait."""


class Refused(CommandError):
    """The controller answered with an error. ``detail`` is what its body says beside the message."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.detail = detail


class Client:
    """A controller at a URL; it is spoken to with a token if there is one, and with ``headers``."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Raises CommandError if the URL is none."""
        self._headers = _headers() | dict(headers or {})
        parts = urlsplit(url)
        try:
            self._port = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandError(f"--url {url}: expected http://HOST:PORT, such as {DEFAULT_URL}")
        self._url, self._host, self._base = url, parts.hostname, parts.path.rstrip("/")
        self._secure = parts.scheme == "https"

    def get(self, *path: str, query: dict[str, str | None] | None = None, accept: int = 200) -> Any:
        """Return the document at a path, each part of which is quoted; ``accept`` is a status beside 200 to take.

        Raises CommandError; Refused, with the controller's own words, where it answers with an error.
        """
        return self._ask("GET", path, query, accept=accept)

    def post(self, *path: str, body: Any, query: dict[str, str | None] | None = None) -> Any:
        """Send a document to a path, and return what comes back; raises as ``get`` does."""
        return self._ask("POST", path, query, data=json.dumps(body).encode())

    def _ask(
        self,
        method: str,
        path: Sequence[str],
        query: dict[str, str | None] | None,
        *,
        data: bytes | None = None,
        accept: int = 200,
    ) -> Any:
        target = f"{self._base}/{'/'.join(quote(part, safe='') for part in path)}"
        given = {name: value for name, value in (query or {}).items() if value is not None}
        if given:
            target += f"?{urlencode(given)}"
        status, body = self._fetch(method, target, data, PATIENCE + float(given.get("wait", 0)))
        if status == 401:
            raise CommandError(
                f"the controller at {self._url} wants a token: export {TOKEN}=$(openstack token issue -f value -c id)"
            )
        try:
            document = json.loads(body)
        except ValueError:
            raise CommandError(
                f"what answers at {self._url} is no sdnapp controller (status {status} and no JSON): check --url"
            ) from None
        if status not in (200, accept):
            message = _said(document, "message") or f"the controller at {self._url} answered with status {status}"
            raise Refused(message, _said(document, "detail"))
        return document

    def _fetch(self, method: str, target: str, data: bytes | None, patience: float) -> tuple[int, bytes]:
        connection = self._connection(patience)
        try:
            connection.request(method, target, data, headers=self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        except ssl.SSLCertVerificationError as error:
            raise CommandError(
                f"the certificate of {self._url} is not trusted ({error.verify_message}): "
                f"export {AUTHORITY}=FILE with that of its authority"
            ) from None
        except TimeoutError:
            raise CommandError(f"the controller at {self._url} did not answer within {patience:.0f} s") from None
        except (ConnectionRefusedError, http.client.RemoteDisconnected):
            raise CommandError(f"no controller answers at {self._url}: {self._advice()}") from None
        except http.client.HTTPException:
            raise CommandError(
                f"what answers at {self._url} is no sdnapp controller (it does not speak HTTP): check --url"
            ) from None
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CommandError(f"cannot reach a controller at {self._url}: {reason}; check --url") from None
        finally:
            connection.close()

    def _connection(self, patience: float) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port, timeout=patience)
        try:
            context = ssl.create_default_context(cafile=os.environ.get(AUTHORITY))
            if certificate := os.environ.get(CERTIFICATE):
                context.load_cert_chain(certificate, os.environ.get(KEY))
        except OSError as error:
            raise CommandError(f"{AUTHORITY}, {CERTIFICATE} or {KEY} names a file that is no use: {error}") from None
        return http.client.HTTPSConnection(self._host, self._port, timeout=patience, context=context)

    def _advice(self) -> str:
        if self._host in ("127.0.0.1", "::1", "localhost"):
            return "start one with `osken-manager sdnapp`, or name another with --url or SDNAPP_URL"
        return (
            "by default it listens only on its own 127.0.0.1; "
            f"`ssh -L 9696:127.0.0.1:9696 {self._host}` brings that to http://127.0.0.1:9696 here"
        )


def _headers() -> dict[str, str]:
    token = os.environ.get(TOKEN)
    return {"Accept": "application/json"} | ({"X-Auth-Token": token} if token else {})


def _said(document: Any, key: str) -> str:
    """Return one part of an error body, ``{"NeutronError": {"message": ...}}``; empty if it is none."""
    error = document.get("NeutronError") if isinstance(document, dict) else None
    if isinstance(error, dict):
        return str(error.get(key, ""))
    return error if isinstance(error, str) and key == "message" else ""
