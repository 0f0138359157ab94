"""Switches' databases as a server sees them: peers on sockets, that speak for a ``FakeDatabase`` or say anything."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from sdnapp.ovsdb.jsonrpc import MessageStream, Reply, Request, write_reply, write_request
from tests.sdnapp.ovsdb.fake_database import FakeDatabase, Rejected, encode_row


class Peer:
    """A connection to the server that sends what a test tells it to."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        host, port = self.socket.getsockname()
        self.address = f"{host}:{port}"
        self._stream = MessageStream()
        self._received: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def message(self) -> Any:
        """The next message of the server; None when it has closed the connection."""
        while not self._received:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._received += self._stream.feed(data)
        return self._received.pop(0)

    def is_closed(self) -> bool:
        """Wait until the server has closed the connection."""
        while self.message() is not None:
            pass
        return True


class Switch(Peer):
    """A switch that answers as its database does, from a thread of its own, until it is closed or told to be mute."""

    def __init__(self, port: int, database: FakeDatabase) -> None:
        super().__init__(port)
        self.database = database
        self.refuses: str | None = None
        self.transactions = 0
        self.closed = threading.Event()
        self._mute = threading.Event()
        self._answered = threading.Event()
        self._lock = threading.Lock()
        self._told: dict[str, dict[str, Any]] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self.socket.close()

    def mute(self) -> None:
        """Answer nothing any more, and keep the connection: as a host that has lost its power does."""
        self._mute.set()

    def changed(self) -> None:
        """Tell the server what has changed in the database."""
        with self._lock:
            update = self._updates()
            if update:
                self.send(write_request("update2", ["sdnapp", update], None))

    def understood(self) -> bool:
        """Wait until the server has acted on all that it was told so far: it answers in order."""
        self._answered.clear()
        with self._lock:
            self.send(write_request("echo", [], "understood"))
        return self._answered.wait(10)

    def _serve(self) -> None:
        try:
            while (message := self.message()) is not None:
                if isinstance(message, Reply):
                    self._answered.set()
                if isinstance(message, Request) and not self._mute.is_set():
                    self._answer(message)
        except OSError:
            pass
        finally:
            self.closed.set()

    def _answer(self, request: Request) -> None:
        if request.method == "echo":
            self.send(write_reply(request.id, request.params))
        elif request.method == "monitor_cond":
            with self._lock:
                self.send(write_reply(request.id, self._updates()))
        elif request.method == "transact":
            self.transactions += 1
            try:
                if self.refuses:
                    raise Rejected(self.refuses)
                self.database.transact(request.params[1:])
                result: list[Any] = [{} for _ in request.params[1:]]
            except Rejected as error:
                result = [{"error": str(error)}]
            self.changed()
            self.send(write_reply(request.id, result))
            self.database.switch_acts()
            self.changed()

    def _updates(self) -> dict[str, Any]:
        """What the server does not know yet; rows that changed are deleted and inserted."""
        now = {
            kind.TABLE: {str(uuid): encode_row(row) for uuid, row in rows.items()}
            for kind, rows in self.database.rows.items()
        }
        updates: dict[str, Any] = {}
        for table, rows in now.items():
            old = self._told.get(table, {})
            changes: dict[str, Any] = {uuid: {"insert": row} for uuid, row in rows.items() if old.get(uuid) != row}
            changes |= {uuid: {"delete": None} for uuid in old if uuid not in rows}
            if changes:
                updates[table] = changes
        self._told = now
        return updates
