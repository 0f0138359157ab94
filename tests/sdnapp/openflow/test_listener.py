"""The listener for switches, on real sockets: how long it waits for whoever does not become one."""

import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sdnapp.certificates import issue
from sdnapp.openflow import listener
from sdnapp.openflow.listener import StreamServer, is_known

Serve = Callable[..., tuple[str, int]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Listen, with a patience of half a second, by a handler that reads to the end; return the address."""
    monkeypatch.setattr(listener, "HANDSHAKE", 0.5)
    servers = []

    def start(handle: Callable[[socket.socket, tuple[str, int]], None] = read_on, **tls: object) -> tuple[str, int]:
        server = StreamServer(("127.0.0.1", 0), handle, **tls)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address: tuple[str, int] = server.server.getsockname()
        return address

    yield start
    for server in servers:
        server.close()


def read_on(sock: socket.socket, address: tuple[str, int]) -> None:
    with closing(sock):
        while sock.recv(100):
            pass


def recognise(sock: socket.socket, address: tuple[str, int]) -> None:
    is_known(address)
    read_on(sock, address)


def ends(client: socket.socket, drip: bytes = b"x") -> bool:
    """Return whether the connection is closed within some seconds, while a byte is sent now and then."""
    client.settimeout(0.2)
    for _ in range(20):
        try:
            client.send(drip)
            if not client.recv(100):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_who_does_not_become_a_switch_is_closed(serve: Serve) -> None:
    with socket.create_connection(serve()) as client:
        assert ends(client)


def test_a_switch_stays(serve: Serve) -> None:
    with socket.create_connection(serve(recognise)) as client:
        time.sleep(0.3)
        assert not ends(client)


def test_who_does_not_end_his_tls_handshake_is_closed(serve: Serve, tmp_path: Path) -> None:
    shown = issue(tmp_path, "controller", ("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    address = serve(ssl_ctx=context, certfile=str(shown.cert), keyfile=str(shown.key))
    with socket.create_connection(address) as client:
        client.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert ends(client, b"\0")
    trusting = ssl.create_default_context(cafile=str(shown.ca))
    with socket.create_connection(address) as sock, trusting.wrap_socket(sock, server_hostname="127.0.0.1") as client:
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_silent_switch_leaves_no_garbage() -> None:
    script = """
import eventlet; eventlet.monkey_patch()
import gc, socket
from sdnapp.openflow.listener import Untraced
ours, theirs = socket.socketpair()
ours.settimeout(0.001)
def look_up(sock):
    gc.collect()
    for _ in range(20):
        try:
            sock.recv(10)
        except TimeoutError:
            pass
    return gc.collect()
print(look_up(ours), look_up(Untraced(ours)))
"""
    environment = os.environ | {"OSKEN_HUB_TYPE": "eventlet"}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    bare, untraced = map(int, done.stdout.split())
    assert bare > 200 and untraced < 100
