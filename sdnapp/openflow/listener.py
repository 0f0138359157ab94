"""The listener to which switches connect, in the place of os-ken's own, which waits for strangers without an end.

os-ken's lets anybody hold a green thread and a file descriptor by not shaking hands, and ends for good when a
connection cannot be accepted. Here a peer has some seconds, in all, to become a switch (see ``sdnapp.admission``). A
switch that is no chassis stays for as long as no other stranger needs its place.
"""

import logging
import math
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import os_ken.base.app_manager  # noqa: F401 (comes before the controller, as they import each other)
from os_ken.controller import controller
from os_ken.lib import hub

from sdnapp.admission import Admission, Listener, Visit, hang_up
from sdnapp.ovsdb.targets import address_text

LOG = logging.getLogger(__name__)

STRANGERS = 1024
"""Connections of peers that are no chassis, or not yet. All switches of a site may come back at once."""
HANDSHAKE = 30.0
"""Seconds that a peer has to say it, TLS included."""

_strangers: dict[Any, Visit] = {}
"""By address, which os-ken's datapaths bear."""


def listen_patiently() -> None:
    """Have os-ken listen this way. Call it before it does."""
    controller.StreamServer = StreamServer


def is_switch(address: Any) -> None:
    """Take note that a peer has become a switch, though perhaps nobody's."""
    if (visit := _strangers.get(address)) is not None:
        visit.awaits(math.inf, is_idle=True)


def is_known(address: Any) -> None:
    """Take note that a peer is a switch that is a chassis: it needs no place among strangers."""
    if (visit := _strangers.pop(address, None)) is not None:
        visit.leave()


class Untraced:
    """A socket whose timeouts leave nothing behind.

    An exception of eventlet's and its timer know one another by the traceback. Under TLS, every few seconds somebody
    looks up from each switch that says nothing, so that they would be most of what only the garbage collector can
    remove. (Without TLS, ``arrivals`` waits.)
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.fd = getattr(sock, "fd", None)
        """The socket under eventlet's, None under TLS: looked for at each answer to an instance."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        """Return up to so many bytes. Raises OSError."""
        try:
            return bytes(self._sock.recv(size))
        except OSError as error:
            error.__traceback__ = None
            raise


class StreamServer(hub.StreamServer):  # type: ignore[misc]
    """What os-ken makes to listen; ``handle`` serves a connection until it ends."""

    def __init__(self, listen_info: Any, handle: Callable[[Any, Any], None], **ssl_args: Any) -> None:
        super().__init__(listen_info, handle, **ssl_args)
        # os-ken has given it certificates by now.
        self._tls: ssl.SSLContext | None = ssl_args.get("ssl_ctx")
        self._handle = handle
        self._admission = Admission("OpenFlow", most=STRANGERS)
        self._listener = Listener(self.server, self._admission)

    def serve_forever(self) -> None:
        """Accept connections, each served by a green thread, until it is closed."""
        hub.spawn(self._admission.keep_sweeping)
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return
            visit = self._admission.enter(address[0], partial(hang_up, sock), HANDSHAKE)
            if visit is None:
                sock.close()
                continue
            _strangers[address] = visit
            hub.spawn(self._serve, sock, address, visit)

    def close(self) -> None:
        """Accept no more."""
        self._listener.close()

    def _serve(self, sock: Any, address: Any, visit: Visit) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                visit.hang_up = partial(hang_up, sock)
                sock.do_handshake()
        except OSError as error:
            # ssl.SSLError is one: no certificate, not from an authority of ours, or not even TLS.
            LOG.warning("OpenFlow connection from %s refused: %s", address_text(address), error)
            sock.close()
        else:
            self._handle(Untraced(sock), address)
        finally:
            visit.leave()
            if _strangers.get(address) is visit:
                del _strangers[address]
