"""Serves the API over HTTP, and lets no slow client hold it: places and patience are as ``sdnapp.admission`` says.

A client has the same time for each part of a request, in all: for the head (with TLS before it), the body, and taking
the answer. While we work on a request, it is not closed.
"""

import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import eventlet
import eventlet.wsgi

from sdnapp.admission import Admission, Listener, Visit, hang_up

LOG = logging.getLogger(__name__)
IDLE = 60.0
"""Seconds after which a connection is closed on which no other request has begun."""
_BACKLOG = 1024
_VISIT = "sdnapp.visit"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Limits:
    """Connections at one time, those of one host among them, and seconds for each part of a request."""

    most: int = 1000
    most_of_one: int = 200
    seconds: float = 60.0


def listen(host: str, port: int, tls: ssl.SSLContext | None = None) -> Any:
    """Return the socket on which API clients arrive. Raises OSError, which names the address, where that cannot be."""
    try:
        listener = eventlet.listen((host, port), backlog=_BACKLOG, reuse_port=False)
    except OSError as error:
        raise OSError(error.errno, f"the API cannot listen on {host}:{port}: {error.strerror}") from error
    # Each accepted connection inherits this. Without it the end of a long answer waits until the client has
    # acknowledged its beginning, for which clients take 40 ms (RFC 9293, section 3.7.4).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    LOG.info("the API listens on %s://%s:%d", "https" if tls else "http", *listener.getsockname()[:2])
    # Hands are shaken when a connection is first read, so that a slow client holds up nobody.
    return tls.wrap_socket(listener, server_side=True, do_handshake_on_connect=False) if tls else listener


def serve(listener: Any, app: Wsgi, limits: Limits) -> None:
    """Serve an application to whoever connects to a listening socket, for ever."""
    clients = _Clients(limits)
    eventlet.spawn(clients.admission.keep_sweeping)
    eventlet.wsgi.server(
        Listener(listener, clients.admission),
        partial(_answer, app, limits.seconds),
        custom_pool=clients,
        protocol=_Protocol,
        log_output=False,
        debug=False,
    )


class _Clients:
    """What eventlet takes for its pool of green threads: one for each connection that is admitted."""

    def __init__(self, limits: Limits) -> None:
        self.admission = Admission("API", most=limits.most, most_of_one=limits.most_of_one)
        self._seconds = limits.seconds

    def spawn(self, serve_connection: Callable[[list[Any]], None], connection: list[Any]) -> Any:
        """Serve a connection, which eventlet gives as address, socket and state, and closes afterwards."""
        address, sock, _ = connection
        visit = self.admission.enter(address[0], partial(hang_up, sock), self._seconds)
        connection += [visit, self._seconds]
        return eventlet.spawn(self._serve, serve_connection, connection, visit)

    def waitall(self) -> None:
        """Wait for nobody: eventlet asks when the server ends, and with it the process."""

    def _serve(self, serve_connection: Callable[[list[Any]], None], connection: list[Any], visit: Visit | None) -> None:
        if visit is None:
            return
        try:
            serve_connection(connection)
        except OSError as error:
            # Gone, or hung up on, in the middle of something.
            LOG.debug("connection of %s ended: %s", connection[0], error)
        except Exception:
            LOG.exception("a connection of %s could not be served", connection[0])
        finally:
            visit.leave()


class _Protocol(eventlet.wsgi.HttpProtocol):  # type: ignore[misc]
    """HTTP on one connection, that says whom it waits for."""

    _is_first = True

    def handle_one_request(self) -> None:
        """Wait for a request, which may never come, and answer it."""
        visit, seconds = self.conn_state[3:]
        if not self._is_first:
            visit.awaits(IDLE, is_idle=True)
            with suppress(OSError):
                self.rfile.peek(1)
            visit.awaits(seconds)
        self._is_first = False
        super().handle_one_request()

    def get_environ(self) -> dict[str, Any]:
        """Return what the application is told."""
        environ: dict[str, Any] = super().get_environ()
        visit, seconds = self.conn_state[3:]
        return environ | {_VISIT: visit, "wsgi.input": _Body(environ["wsgi.input"], visit, seconds)}


class _Body:
    """The body of a request, as the application reads it (PEP 3333)."""

    def __init__(self, body: Any, visit: Visit, seconds: float) -> None:
        self._body, self._visit, self._left = body, visit, seconds

    def read(self, size: int | None = None) -> bytes:
        """Return up to so many octets, or all there are, fewer where the client breaks off. Raises OSError."""
        began = time.monotonic()
        self._visit.awaits(self._left)
        try:
            octets: bytes = self._body.read(size)
        finally:
            self._visit.our_turn()
            self._left -= time.monotonic() - began
        return octets


def _answer(app: Wsgi, seconds: float, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    visit: Visit = environ[_VISIT]
    visit.our_turn()
    try:
        return app(environ, start_response)
    finally:
        visit.awaits(seconds)
