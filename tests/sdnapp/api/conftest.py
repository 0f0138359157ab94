"""One API over an empty store for each test; one on a socket, with the command that uses it, for each module."""

from collections.abc import Iterator

import pytest

from tests.sdnapp.api.clients import Shell, end, python
from tests.sdnapp.api.stand_ins import Api


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = python("tests.sdnapp.api.serve")
    assert server.stdout is not None
    port = int(server.stdout.readline())
    yield f"http://127.0.0.1:{port}"
    end(server)


@pytest.fixture(scope="module")
def shell(url: str) -> Iterator[Shell]:
    shell = Shell(url)
    yield shell
    shell.close()
