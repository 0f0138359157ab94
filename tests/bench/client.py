"""An API client that keeps its connection, and several of them at once."""

import json
import select
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_PATIENCE = 900.0
"""Seconds until a request counts as failed: a bulk of 1,000 ports may take minutes."""


class Client:
    """One connection to an API. Any answer that is not a success raises RuntimeError."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)
        self._headers = {"Content-Type": "application/json", **headers}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None) -> tuple[float, Any]:
        """Return the seconds from sending a request to having its whole answer, and the answer."""
        octets = None if body is None else json.dumps(body).encode()
        self._connect()
        started = time.perf_counter()
        self._connection.request(method, f"/v2.0/{path}", octets, self._headers)
        response = self._connection.getresponse()
        text = response.read()
        seconds = time.perf_counter() - started
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text[:500].decode(errors='replace')}")
        return seconds, json.loads(text) if text else None

    def _connect(self) -> None:
        """Have a connection, outside the time that is measured.

        A server closes one that was idle for long, as it is while another subject has its turn. Nothing but that end
        can be read where no answer is due. Nothing has been sent then, so that no request is ever made twice.
        """
        if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()
        if self._connection.sock is None:
            self._connection.connect()


def at_once(clients: list[Client], seconds: float, step: Callable[[Client], bool]) -> float:
    """Let each client repeat a step (False: nothing is left to do) for some seconds; return the steps a second.

    Raises the first error that a client met.
    """
    counts, errors = [0] * len(clients), []
    started = time.perf_counter()

    def repeat(number: int) -> None:
        try:
            while time.perf_counter() - started < seconds and step(clients[number]):
                counts[number] += 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(counts) / (time.perf_counter() - started)
