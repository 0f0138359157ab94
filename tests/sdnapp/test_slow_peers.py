"""Peers that sit there: they take no place from those who do not, at any door."""

import http.client
import os
import resource
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path

import pytest

from sdnapp.certificates import issue
from tests.real_ovs.ovs_dummy import wait_for
from tests.real_ovs.running_controller import RunningController

MANY = 2000
HEAD_WITHOUT_END = b"GET /v2.0/networks HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY_WITHOUT_END = b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
ANSWERS_NEVER_READ = b"GET /v2.0/extensions HTTP/1.1\r\nHost: x\r\n\r\n" * 60
KEPT_ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
FEATURES_REQUEST = 5
HELLO = struct.pack("!BBHI", 4, 0, 8, 1)
"""OpenFlow 1.3."""
Secure = Callable[[socket.socket], socket.socket]


class SlowPeer:
    """Says its first words, then a byte now and then; reads nothing, or all. Comes again when it is closed."""

    def __init__(self, port: int, words: bytes) -> None:
        self._address, self._words = ("127.0.0.1", port), words
        self._reads = words != ANSWERS_NEVER_READ
        self.returned = -1
        self._come()

    def sit(self) -> None:
        """Hold on to the connection for a while."""
        try:
            if self._words in (HEAD_WITHOUT_END, BODY_WITHOUT_END):
                self.socket.send(b"x")
            if self._reads and not self.socket.recv(65536):
                raise ConnectionError
        except BlockingIOError:
            return
        except OSError:
            self.socket.close()
            self._come()

    def _come(self) -> None:
        self.socket = socket.socket()
        # Of long answers, little is taken off the server's hands.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(self._address)
        self.socket.setblocking(False)
        with suppress(OSError):
            self.socket.send(self._words)
        self.returned += 1


@contextmanager
def sitting(port: int, *first_words: bytes) -> Iterator[list[SlowPeer]]:
    """Have many slow peers connected, who begin in these ways."""
    peers = [SlowPeer(port, first_words[number % len(first_words)]) for number in range(MANY)]
    end = threading.Event()

    def sit() -> None:
        in_turn = cycle(peers)
        while not end.wait(0.1):
            for peer in islice(in_turn, 40):
                peer.sit()

    thread = threading.Thread(target=sit)
    thread.start()
    try:
        yield peers
    finally:
        end.set()
        thread.join()
        for peer in peers:
            peer.socket.close()


@pytest.fixture(scope="module", autouse=True)
def _many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 2 * MANY:
        pytest.skip(f"needs {2 * MANY} file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2 * MANY), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def controller() -> Iterator[RunningController]:
    with RunningController("--sdnapp-api-client-timeout", "2") as running:
        yield running


def ask(controller: RunningController) -> int:
    """Return the status that a new client gets."""
    client = http.client.HTTPConnection("127.0.0.1", controller.api_port, timeout=10)
    client.request("GET", "/v2.0/networks")
    response = client.getresponse()
    response.read()
    client.close()
    return response.status


@pytest.mark.parametrize("kinds", [[HEAD_WITHOUT_END, BODY_WITHOUT_END, ANSWERS_NEVER_READ, KEPT_ALIVE], [b""]])
def test_an_honest_client_is_answered_while_slow_ones_sit_there(
    controller: RunningController, kinds: list[bytes]
) -> None:
    with sitting(controller.api_port, *kinds) as peers:
        answers = []
        for _ in range(20):
            answers.append(ask(controller))
            time.sleep(0.1)
        assert answers == [200] * 20
        assert any(peer.returned for peer in peers)
    assert "too many connections" in controller.log
    assert "Traceback" not in controller.log


@pytest.mark.parametrize("words", [HEAD_WITHOUT_END, BODY_WITHOUT_END, b""])
def test_a_client_has_so_many_seconds_for_a_part_of_a_request_in_all(
    controller: RunningController, words: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", controller.api_port)) as client:
        client.sendall(words)
        client.settimeout(0.3)
        for _ in range(100):
            try:
                if not client.recv(4096):
                    break
            except TimeoutError:
                if words:
                    client.send(b"x")
            except ConnectionError:
                break
        else:
            pytest.fail("it is still open after half a minute")


def test_an_answer_is_offered_for_so_many_seconds_in_all(controller: RunningController) -> None:
    with socket.create_connection(("127.0.0.1", controller.api_port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.3)
        with suppress(TimeoutError):
            client.sendall(ANSWERS_NEVER_READ)
        for _ in range(100):
            try:
                client.send(b"x")
                client.recv(10)
            except ConnectionError:
                break
            except TimeoutError:
                pass
            time.sleep(0.1)
        else:
            pytest.fail("it is still open after ten seconds")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.fixture(scope="module", params=["tcp", "ssl"])
def doors(request: pytest.FixtureRequest, authority: Path) -> Iterator[tuple[RunningController, Secure]]:
    """A controller without and with TLS, and how a switch of its makes a connection secure."""
    if request.param == "tcp":
        with RunningController() as running:
            yield running, lambda sock: sock
        return
    shown = issue(authority, "hv1")
    context = ssl.create_default_context(cafile=str(shown.ca))
    context.load_cert_chain(shown.cert, shown.key)
    with RunningController(tls=issue(authority, "controller", ("127.0.0.1",))) as running:
        yield running, lambda sock: context.wrap_socket(sock, server_hostname="127.0.0.1")


def openflow_answers(port: int, secure: Secure) -> bool:
    """Return whether a new switch is asked what it can."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock, secure(sock) as switch:
        switch.sendall(HELLO)
        stream = switch.makefile("rb")
        while header := stream.read(8):
            _, kind, size, _ = struct.unpack("!BBHI", header)
            stream.read(size - 8)
            if kind == FEATURES_REQUEST:
                return True
        return False


def ovsdb_answers(port: int, secure: Secure) -> bool:
    """Return whether a new database is asked for a copy."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock, secure(sock) as switch:
        return b'"monitor_cond"' in switch.recv(4096)


def test_switches_are_answered_while_strangers_sit_there(doors: tuple[RunningController, Secure]) -> None:
    controller, secure = doors
    for port, answers in ((controller.openflow_port, openflow_answers), (controller.ovsdb_port, ovsdb_answers)):
        with sitting(port, b"", b"\x16\x03\x01") as peers:
            answered = [answers(port, secure) for _ in range(20)]
            assert answered == [True] * 20
            wait_for(lambda peers=peers: any(peer.returned for peer in peers), "strangers had to go")  # type: ignore[misc]


def test_a_switch_that_speaks_broken_tls_holds_nobody_up(doors: tuple[RunningController, Secure]) -> None:
    controller, secure = doors
    for port in (controller.openflow_port, controller.ovsdb_port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock, secure(sock) as switch:
            switch.recv(8)
            os.write(switch.fileno(), b"this is no record of TLS" * 100)
            time.sleep(0.5)
            controller.call("GET", "/healthz")
