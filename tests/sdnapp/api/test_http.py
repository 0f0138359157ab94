"""HTTP on a real socket: a connection goes on after whatever was asked on it, and every request gets its answer."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

HUGE = 20 << 20
REQUESTS = [
    ("HEAD", "/v2.0/networks", b"", 200),
    ("OPTIONS", "/v2.0/networks", b"", 200),
    ("GET", "/", b"", 200),
    ("POST", "/v2.0/networks", b"x" * HUGE, 413),
    ("POST", "/v2.0/networks", b"[" * 1_000_000, 400),
    ("PUT", "/v2.0/nowhere", b"x" * 1_000_000, 404),
    ("PATCH", "/v2.0/networks", b"x", 405),
    ("DELETE", "/v2.0/networks/x", b"{}", 400),
    ("GET", f"/v2.0/networks?{'x' * 7_000}", b"", 400),
    ("POST", "/v2.0/networks", b'{"network": {}}', 201),
]
HEAD = b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def connection(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        yield connection


def test_a_connection_goes_on_whatever_was_asked(url: str) -> None:
    client = HTTPConnection(urlsplit(url).netloc, timeout=20)
    first = None
    for method, path, body, status in REQUESTS:
        client.request(method, path, body or None)
        first = first or client.sock
        response = client.getresponse()
        length = len(response.read())
        assert (response.status, client.sock) == (status, first), (method, path)
        assert length == (0 if method == "HEAD" else int(response.headers["Content-Length"]))
    client.close()


def test_who_closes_after_his_request_gets_the_answer(url: str) -> None:
    """As urllib does: it sends all of a body that is too large before it looks for the answer."""
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{url}/v2.0/networks", b"x" * HUGE), timeout=20)
    assert refused.value.code == 413


def test_who_asks_before_sending_is_told_at_once(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % HUGE)
    assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_requests_in_one_go_are_answered_in_order(connection: socket.socket) -> None:
    connection.sendall(
        b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.index(b"HTTP/1.1 404 ") < answers.index(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "rest",
    [
        b"Transfer-Encoding: chunked\r\n\r\nno number\r\n",
        b'Transfer-Encoding: chunked\r\n\r\nf\r\n{"network": {}}\r\nfffffffffffffffffff',
        b'Content-Length: 100\r\n\r\n{"network": {}',
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: ten\r\n\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    ],
)
def test_bodies_that_are_none(connection: socket.socket, rest: bytes) -> None:
    connection.sendall(HEAD + rest)
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(65536).split(maxsplit=2)[1] == b"400"
