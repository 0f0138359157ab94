"""One API over an empty store for each test; one on a socket, with the command that uses it, for each module."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdnapp.api.clients import Shell, end, python
from tests.sdnapp.api.stand_ins import Api
from topology.store import Store


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


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of a store, and of a draft over one, hands out."""
    counted: list[int] = []
    get, find, every = Store.get, Store.find, Store.all

    def getting(store: Store, kind: Any, row_id: str) -> Any:
        counted.append(1)
        return get(store, kind, row_id)

    def finding(store: Store, kind: Any, index: str, key: Any) -> Any:
        found = find(store, kind, index, key)
        counted.append(len(found))
        return found

    def listing(store: Store, kind: Any) -> Any:
        found = every(store, kind)
        counted.append(len(found))
        return found

    for name, method in (("get", getting), ("find", finding), ("all", listing)):
        monkeypatch.setattr(Store, name, method)
    return counted
