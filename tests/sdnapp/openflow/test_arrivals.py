"""Eventlet's loop tells of a switch's bytes with little ado, and never in vain. Real sockets, no os-ken."""

import gc
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import eventlet
import pytest
from eventlet.hubs import get_hub

from sdnapp.openflow.arrivals import Arrivals

CHUNK = 10


@dataclass
class Reader:
    """A green thread that reads until the end; ``busy`` is done with each piece."""

    patience: float = 60.0
    busy: Any = lambda: None
    heard: list[bytes] = field(default_factory=list)
    looked_up: int = 0
    error: OSError | None = None

    def __post_init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.thread = eventlet.spawn(self._read)
        eventlet.sleep(0)

    def is_registered(self) -> bool:
        return self.ours.fileno() in get_hub().listeners[get_hub().READ]

    def say(self, data: bytes) -> None:
        self.theirs.sendall(data)
        eventlet.sleep(0.001)

    def _read(self) -> None:
        arrivals = Arrivals(self.ours, self.patience)
        try:
            while True:
                try:
                    received = arrivals.recv(CHUNK)
                except TimeoutError:
                    self.looked_up += 1
                    continue
                if not received:
                    return
                self.heard.append(received)
                self.busy()
        except OSError as error:
            self.error = error
        finally:
            arrivals.close()


@pytest.fixture
def readers() -> Iterator[list[Reader]]:
    """What is put there is ended."""
    made: list[Reader] = []
    yield made
    for reader in made:
        reader.theirs.close()
        reader.thread.wait()
        assert not reader.is_registered()
        reader.ours.close()


def test_whatever_comes_is_read_and_registered_for_once(readers: list[Reader], monkeypatch: pytest.MonkeyPatch) -> None:
    added, add = [], get_hub().add
    monkeypatch.setattr(get_hub(), "add", lambda *about: (added.append(about), add(*about))[1])
    reader = Reader()
    readers.append(reader)
    for data in (b"one", b"ten bytes.", b"more than ten bytes", b"last"):
        reader.say(data)
    assert b"".join(reader.heard) == b"oneten bytes.more than ten byteslast"
    assert len(added) == 1 and reader.is_registered()


def test_the_end_is_told(readers: list[Reader]) -> None:
    reader = Reader()
    readers.append(reader)
    reader.theirs.sendall(b"bye")
    reader.theirs.close()
    reader.thread.wait()
    assert reader.heard == [b"bye"] and reader.error is None and not reader.is_registered()


def test_who_waits_looks_up_now_and_then_and_leaves_no_garbage(readers: list[Reader]) -> None:
    reader = Reader(patience=0.001)
    readers.append(reader)
    gc.collect()
    while reader.looked_up < 50:
        eventlet.sleep(0.001)
    assert gc.collect() < 50
    reader.say(b"at last")
    assert reader.heard == [b"at last"]


def test_the_loop_does_not_turn_in_vain_while_the_reader_is_busy(readers: list[Reader]) -> None:
    turns: list[None] = []

    def busy() -> None:
        if len(reader.heard) == 1:
            clock = get_hub().clock
            get_hub().clock = lambda: (turns.append(None), clock())[1]
            eventlet.sleep(0.1)
            get_hub().clock = clock

    reader = Reader(busy=busy)
    readers.append(reader)
    reader.say(b"ten bytes.and more")
    reader.say(b"and still more")
    eventlet.sleep(0.2)
    assert b"".join(reader.heard) == b"ten bytes.and moreand still more"
    assert len(turns) < 50, "thousands, if it were told again and again"


def test_a_reader_may_be_ended_while_it_waits(readers: list[Reader]) -> None:
    reader = Reader()
    reader.thread.kill()
    assert not reader.is_registered()
    reader.theirs.close()
    reader.ours.close()


def test_a_descriptor_that_is_closed_and_used_again_ends_the_reader(readers: list[Reader]) -> None:
    reader = Reader()
    number = reader.ours.fileno()
    reader.ours.close()
    get_hub().mark_as_reopened(number)  # As eventlet does when a new socket gets it.
    eventlet.sleep(0)
    assert reader.error is not None and reader.thread.dead
    reader.theirs.close()
