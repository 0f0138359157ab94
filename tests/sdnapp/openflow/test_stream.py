"""A switch's bytes, cut wherever the network cuts them, are the same messages; what need not wait is sent at once."""

import struct
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.controller.controller import Datapath
from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER

from sdnapp.openflow import stream
from sdnapp.openflow.messages import (
    BARRIER_REPLY,
    ECHO_REPLY,
    MORE_REPLIES,
    MULTIPART_PORTS,
    MULTIPART_REPLY,
    PACKET_IN,
    message,
)
from sdnapp.openflow.stream import send_at_once, tap

TAPPED = frozenset({PACKET_IN, ECHO_REPLY})


class Conversation:
    """A switch that says these pieces and hangs up; who heard what of it."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.looked: list[bytes] = []
        self.parsed: list[bytes] = []
        self.taken: list[int] = []
        """How many messages had been looked at each time that all was taken."""
        self.closed = False
        said = iter(pieces)
        self.datapath = SimpleNamespace(
            state=MAIN_DISPATCHER,
            ofp_brick=None,
            socket=SimpleNamespace(recv=lambda size: next(said, b""), close=self._close),
        )

    def hold(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Datapath, "_recv_loop", Datapath._recv_loop)
            patch.setattr(stream.ofproto_parser, "msg", self._parse)
            tap(TAPPED, self._look, lambda datapath: self.taken.append(len(self.looked)))
            Datapath._recv_loop(self.datapath)

    def _look(self, datapath: Any, kind: int, xid: int, data: bytes) -> bool:
        assert struct.unpack_from("!BBHI", data) == (4, kind, len(data), xid)
        self.looked.append(data)
        if data.endswith(b"hang up"):
            datapath.state = DEAD_DISPATCHER
        return kind == PACKET_IN

    def _parse(self, datapath: Any, version: int, kind: int, length: int, xid: int, data: bytearray) -> None:
        assert (version, kind, length, xid) == (data[0], data[1], len(data), int.from_bytes(data[4:8], "big"))
        self.parsed.append(bytes(data))

    def _close(self) -> None:
        self.closed = True


MESSAGES = st.lists(
    st.builds(
        message, st.sampled_from([PACKET_IN, ECHO_REPLY, BARRIER_REPLY]), st.integers(0, 9), st.binary(max_size=40)
    )
)


@given(MESSAGES, st.lists(st.integers(1, 30), max_size=20), st.binary(max_size=7))
def test_where_a_stream_is_cut_makes_no_difference(said: list[bytes], cuts: list[int], half: bytes) -> None:
    whole, pieces = b"".join(said) + half, []
    for cut in cuts:
        pieces.append(whole[:cut])
        whole = whole[cut:]
    conversation = Conversation([each for each in (*pieces, whole) if each])
    conversation.hold()
    assert conversation.looked == [each for each in said if each[1] in TAPPED]
    assert conversation.parsed == [each for each in said if each[1] != PACKET_IN], "what was not done with goes on"
    assert conversation.closed
    if conversation.looked:
        assert conversation.taken[-1] == len(conversation.looked)


def test_messages_of_other_versions_are_os_kens() -> None:
    hello = b"\6" + message(PACKET_IN, 1)[1:]
    conversation = Conversation([hello])
    conversation.hold()
    assert (conversation.looked, conversation.parsed) == ([], [hello])


def test_a_length_below_a_headers_is_one_header_and_no_message_of_a_closed_connection_is_read() -> None:
    short = struct.pack("!BBHI", 4, BARRIER_REPLY, 0, 1)
    last, late = message(ECHO_REPLY, 2, b"hang up"), message(PACKET_IN, 3)
    conversation = Conversation([short + last + late, late])
    conversation.hold()
    assert conversation.parsed[0] == short and conversation.looked == [last] and conversation.closed


@pytest.mark.parametrize("more", [0, MORE_REPLIES])
def test_os_ken_parses_the_ports_of_a_switch_some_at_a_time(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []
    monkeypatch.setattr("sdnapp.turns.SLICE", 0.0)
    monkeypatch.setattr("sdnapp.turns.hub.sleep", turns.append)
    ports = [struct.pack("!I60x", number) for number in range(1000)]
    head = struct.pack("!HH4x", MULTIPART_PORTS, more)
    conversation = Conversation([message(MULTIPART_REPLY, 7, head + b"".join(ports))])
    conversation.hold()
    assert max(map(len, conversation.parsed)) <= 16 + stream.PORTS_AT_ONCE * 64
    assert [each[:2] + each[4:8] for each in conversation.parsed] == [b"\4\x13\0\0\0\7"] * len(conversation.parsed)
    assert b"".join(each[16:] for each in conversation.parsed) == b"".join(ports)
    *others, last = (int.from_bytes(each[10:12], "big") for each in conversation.parsed)
    assert set(others) == {MORE_REPLIES} and last == more
    assert len(turns) >= len(conversation.parsed)


class Sender:
    """A datapath whose socket takes ``room`` bytes, and whose queue has so many waiting in it and for it."""

    def __init__(self, room: int, *, getting: int = 1, waiting: int = 0) -> None:
        self.on_the_wire, self.queued = b"", []
        self.room = room
        self.socket = SimpleNamespace(fd=SimpleNamespace(send=self._write))
        self.send_q = SimpleNamespace(getting=lambda: getting, qsize=lambda: waiting)

    def send(self, data: bytes) -> None:
        self.queued.append(data)

    def _write(self, data: bytes) -> int:
        if not self.room:
            raise BlockingIOError
        self.on_the_wire += data[: self.room]
        return len(data[: self.room])


def test_what_need_not_wait_is_sent_at_once_and_the_rest_of_it_next() -> None:
    sender = Sender(100)
    assert send_at_once(sender, b"whole") and (sender.on_the_wire, sender.queued) == (b"whole", [])
    sender = Sender(3)
    assert send_at_once(sender, b"half") and (sender.on_the_wire, sender.queued) == (b"hal", [b"f"])


@pytest.mark.parametrize("sender", [Sender(0), Sender(100, getting=0), Sender(100, waiting=1)])
def test_nobody_waits_for_a_socket_or_speaks_in_the_middle_of_another_message(sender: Sender) -> None:
    assert not send_at_once(sender, b"message") and not sender.on_the_wire and not sender.queued


def test_under_tls_on_native_threads_and_after_the_end_messages_are_queued() -> None:
    for attribute, value in (("socket", object()), ("send_q", object()), ("send_q", None)):
        sender = Sender(100)
        setattr(sender, attribute, value)
        assert not send_at_once(sender, b"message") and not sender.on_the_wire
