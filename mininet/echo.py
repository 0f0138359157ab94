"""Answers whatever it hears with the same: ``python echo.py tcp/80 udp/53 ...``, run in an instance's namespace.

``seen/81`` is TCP as well; there it tells whoever connects by which address and port he is seen. ``sum/82``, too: it
hears somebody out, and tells him the SHA-256 digest of it all.
"""

import hashlib
import selectors
import socket
import sys
from contextlib import suppress

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "seen": socket.SOCK_STREAM, "sum": socket.SOCK_STREAM}


def main() -> None:
    """Listen on the ports named, print that it has begun, and answer for as long as it lives."""
    selector = selectors.DefaultSelector()
    for service in sys.argv[1:]:
        protocol, _, port = service.partition("/")
        listener = socket.socket(socket.AF_INET, KINDS[protocol])
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", int(port)))
        if KINDS[protocol] == socket.SOCK_STREAM:
            listener.listen(128)
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, protocol)
    print("begun", flush=True)
    while True:
        for key, _ in selector.select():
            with suppress(BlockingIOError):
                _answer(selector, key)


def _answer(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    end = key.fileobj
    assert isinstance(end, socket.socket)
    if key.data == "tcp":
        peer, _ = end.accept()
        peer.setblocking(False)
        selector.register(peer, selectors.EVENT_READ, "peer")
    elif key.data == "seen":
        peer, (address, port) = end.accept()
        with peer, suppress(ConnectionError):
            peer.sendall(f"{address} {port}".encode())
    elif key.data == "sum":
        peer, _ = end.accept()
        with peer, suppress(ConnectionError, TimeoutError):
            _hear_out(peer)
    elif key.data == "udp":
        text, sender = end.recvfrom(65536)
        end.sendto(text, sender)
    else:
        try:
            text = end.recv(65536)
        except ConnectionError:
            text = b""
        if text:
            end.sendall(text)
        else:
            selector.unregister(end)
            end.close()


def _hear_out(peer: socket.socket) -> None:
    peer.settimeout(30)
    digest = hashlib.sha256()
    while text := peer.recv(65536):
        digest.update(text)
    peer.sendall(digest.hexdigest().encode())


if __name__ == "__main__":
    main()
