"""A connection never makes its callers wait, and outlives faults that are not its own. On native threads here."""

import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER

from sdnapp.openflow import messages
from sdnapp.openflow.connection import PACKETS_WAITING, PIECE, PROBE, Callbacks, Connection
from sdnapp.openflow.meter_messages import METER_MOD
from sdnapp.openflow.session import Session
from sdnapp.openflow.switches import Switches
from tests.sdnapp.openflow.wire import a_flow, a_metered_flow, nothing_read

NAMES = ("connected", "disconnected", "confirmed", "rejected", "reconciled", "packets", "ports")


def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


class FakeDatapath:
    """Keeps what is sent; sending waits while ``open`` is not set."""

    def __init__(self) -> None:
        self.id = 0xAB
        self.address = ("192.0.2.1", 40000)
        self.socket = self.send_q = None
        self.ports = {1: SimpleNamespace(name=b"p1")}
        self.state = MAIN_DISPATCHER
        self.sent: list[bytes] = []
        self.open = threading.Event()
        self.open.set()

    def send(self, data: bytes) -> None:
        self.open.wait(10)
        self.sent.append(data)

    def close(self) -> None:
        self.state = DEAD_DISPATCHER

    def messages(self) -> list[bytes]:
        data, found = b"".join(self.sent), []
        while data:
            (length,) = struct.unpack_from("!H", data, 2)
            found.append(data[:length])
            data = data[length:]
        return found


class Told:
    """Callbacks that keep what they are told; ``fail`` makes them raise."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.fail = False
        self.callbacks = Callbacks(**{f"on_{name}": self._note(name) for name in NAMES})

    def _note(self, name: str) -> Callable[..., None]:
        def note(*arguments: Any) -> None:
            self.events.append((name, *arguments))
            if self.fail:
                raise RuntimeError("the application's fault")

        return note


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def datapath() -> FakeDatapath:
    return FakeDatapath()


@pytest.fixture
def connection(told: Told, datapath: FakeDatapath) -> Iterator[Connection]:
    connection = Connection(datapath, told.callbacks)  # type: ignore[arg-type]
    connection.start()
    yield connection
    datapath.open.set()
    connection.stop()


def test_what_is_told_first_and_last(connection: Connection, told: Told, datapath: FakeDatapath) -> None:
    until(lambda: len(told.events) == 2, "ports are told")
    assert told.events == [
        ("connected", "00000000000000ab", "192.0.2.1:40000", None),
        ("ports", "00000000000000ab", {1: "p1"}),
    ]
    connection.stop()
    connection.post(lambda session: session.assign([], 1))
    connection.packet_arrived(messages.PacketIn(7, 30, 1, b"late"))
    connection.all_taken()
    assert told.events[2:] == [("disconnected", "00000000000000ab")]
    assert datapath.state == DEAD_DISPATCHER


def test_what_need_not_wait_is_written_by_who_made_it(connection: Connection, datapath: FakeDatapath) -> None:
    wire: list[bytes] = []

    def write(data: bytes) -> int:
        wire.append(data)
        return len(data)

    datapath.send_q = SimpleNamespace(getting=lambda: 1, qsize=lambda: 0)
    datapath.socket = SimpleNamespace(fd=SimpleNamespace(send=write))
    connection.post(lambda session: session.assign([], 1))
    until(lambda: wire, "the request of a read-back is written")
    assert not datapath.sent, "nobody else had to be woken for it"


def test_what_waits_for_company_is_sent_soon_once(connection: Connection, datapath: FakeDatapath) -> None:
    connection.post(lambda session: session.assign([], 1))
    connection.post(nothing_read)
    until(lambda: connection.session.revision == 1, "in sync")
    before = len(datapath.messages())
    for number in (2, 3):
        connection.post(lambda session, n=number: session.update([a_flow(n)], [], n, may_wait=True))  # type: ignore[misc]
        connection.wait_for_company()
    until(lambda: connection.session.bundles == 1, "it is sent, though nothing came with which it could go")
    until(lambda: len(datapath.messages()) == before + 5, "an opening, two flows, a commit and a barrier")


def test_a_difference_that_may_wait_is_sent_soon_if_no_other_comes(connection: Connection) -> None:
    told = ("connected", "disconnected", "confirmed", "rejected", "reconciled", "packets", "ports")
    switches = Switches(**{f"on_{what}": lambda *_: None for what in told})
    switches._by_id["1"] = connection
    connection.post(lambda session: session.assign([], 1))
    connection.post(nothing_read)
    until(lambda: connection.session.revision == 1, "in sync")
    switches.update("1", [a_flow(2)], [], 2, may_wait=True)
    until(lambda: connection.session.bundles == 1, "it is sent")


def request(xid: int) -> bytes:
    return messages.flow_stats_request(xid, 9)


def reply(xid: int, *, more: bool) -> bytes:
    return messages.message(messages.MULTIPART_REPLY, xid, struct.pack("!HHxxxx", messages.MULTIPART_FLOW, int(more)))


def asked(datapath: FakeDatapath) -> int:
    """Wait for a request and return its transaction id."""
    until(lambda: datapath.sent, "the question is sent")
    return int.from_bytes(datapath.sent.pop()[4:8], "big")


def answered(connection: Connection, act: Callable[[], None], seconds: float = 10.0) -> list[bytes] | None:
    """Ask; do something when that has been sent; return the answer."""
    acting = threading.Thread(target=act)
    acting.start()
    try:
        return connection.ask(request, seconds)
    finally:
        acting.join()


def test_an_answer_is_whole_with_its_last_reply(connection: Connection, datapath: FakeDatapath) -> None:
    late: list[int] = []

    def act() -> None:
        until(lambda: datapath.sent, "the question is sent")
        assert [*datapath.sent] == [request(int.from_bytes(datapath.sent[0][4:8], "big"))]
        xid = asked(datapath)
        late.append(xid)
        assert not connection.is_asked(messages.MULTIPART_REPLY, xid + 1, reply(xid + 1, more=False))
        assert not connection.is_asked(messages.BARRIER_REPLY, xid, messages.message(messages.BARRIER_REPLY, xid))
        for more in (True, False):
            assert connection.is_asked(messages.MULTIPART_REPLY, xid, reply(xid, more=more))

    assert [messages.more_replies_follow(data) for data in answered(connection, act) or ()] == [True, False]
    assert not connection.is_asked(messages.MULTIPART_REPLY, late[0], reply(late[0], more=False)), "nobody waits now"


def test_no_answer_but_an_error_half_of_one_or_an_end(connection: Connection, datapath: FakeDatapath) -> None:
    def refuse() -> None:
        xid = asked(datapath)
        assert connection.is_asked(messages.ERROR, xid, messages.message(messages.ERROR, xid, bytes(4)))

    def halve() -> None:
        xid = asked(datapath)
        assert connection.is_asked(messages.MULTIPART_REPLY, xid, reply(xid, more=True))

    def end() -> None:
        asked(datapath)
        connection.stop()

    assert answered(connection, refuse) is None
    assert answered(connection, halve, 0.2) is None
    assert answered(connection, end) is None
    assert connection.ask(request, 10) is None, "and nobody is asked after the end"
    assert not datapath.sent


def test_packets_that_came_together_are_passed_on_together(connection: Connection, told: Told) -> None:
    until(lambda: len(told.events) == 2, "ports are told")
    first, second, nowhere = (
        messages.PacketIn(number, 30, port, b"packet") for number, port in ((1, 1), (2, 2), (3, None))
    )
    connection.all_taken()
    for packet in (first, second, nowhere):
        connection.packet_arrived(packet)
    connection.all_taken()
    connection.all_taken()
    assert told.events[2:] == [("packets", "00000000000000ab", [first, second])]


def test_of_each_port_that_comes_changes_or_goes_only_that_one_is_told(connection: Connection, told: Told) -> None:
    def names() -> list[dict[int, str | None]]:
        return [event[2] for event in told.events if event[0] == "ports"]

    until(lambda: len(told.events) == 2, "the ports that there are")
    for number in range(2, 402):
        connection.port_changed(messages.PortStatus(deleted=False, port=number, name=f"p{number}"))
        if number % 100 == 1:
            connection.all_taken()
    until(lambda: sum(map(len, names())) == 401, "all ports are told")
    connection.port_changed(messages.PortStatus(deleted=False, port=3, name="other"))
    connection.port_changed(messages.PortStatus(deleted=True, port=2, name="p2"))
    connection.all_taken()
    connection.all_taken()
    until(lambda: names()[-1] == {2: None, 3: "other"}, "one that went, and one with another name")
    assert sum(map(len, names())) == 403 and len(names()) <= 6, "each once, with those that came with it"


def test_a_slow_switch_holds_nobody_up(connection: Connection, datapath: FakeDatapath) -> None:
    datapath.open.clear()
    before = time.monotonic()
    for _ in range(PACKETS_WAITING * 2):
        connection.send(b"a packet")
    assert time.monotonic() - before < 1
    assert PACKETS_WAITING - 2 <= connection.status()["packets_dropped"] <= PACKETS_WAITING
    datapath.open.set()
    until(lambda: len(datapath.sent) >= PACKETS_WAITING, "what waited is sent")


def test_whether_a_switch_answers(connection: Connection, datapath: FakeDatapath) -> None:
    assert connection.has_answered(), "it has not been asked before"
    until(datapath.messages, "it is asked")
    assert [(each[1], each[8:]) for each in datapath.messages()] == [(messages.ECHO_REQUEST, PROBE)]
    assert not connection.has_answered() and not connection.has_answered()
    until(lambda: len(datapath.messages()) == 3, "it is asked each time")
    connection.spoke()
    assert connection.has_answered()


def test_who_could_not_be_asked_has_not_failed_to_answer(connection: Connection, datapath: FakeDatapath) -> None:
    datapath.open.clear()
    connection.send(messages.packet_out(0, 1, 2, b"frame"))
    assert connection.has_answered() and connection.has_answered()


def test_a_bundle_goes_in_pieces_with_packets_between(connection: Connection, datapath: FakeDatapath) -> None:
    flows = [a_flow(place) for place in range(1, 2001)]
    connection.post(lambda session: session.assign(flows, 1))
    until(lambda: datapath.sent, "flows are asked for")
    datapath.open.clear()
    connection.post(nothing_read)
    until(lambda: connection.session.bundles, "the bundle is made")
    connection.send(messages.packet_out(0, 1, 2, b"urgent"))
    datapath.open.set()
    until(lambda: datapath.messages()[-1][1] == messages.BARRIER_REQUEST, "all is sent")
    assert max(map(len, datapath.sent)) < PIECE + 1000
    kinds = [data[1] for data in datapath.messages()]
    assert kinds.count(messages.EXPERIMENTER) == 2002
    assert kinds.index(messages.PACKET_OUT) < 1000


def test_meters_and_the_flows_that_need_them_go_in_one_piece(connection: Connection, datapath: FakeDatapath) -> None:
    connection.post(lambda session: session.assign([a_metered_flow(1)], 1))
    until(lambda: datapath.sent, "flows are asked for")
    datapath.sent.clear()
    connection.post(nothing_read)
    until(lambda: datapath.sent and datapath.messages()[-1][1] == messages.BARRIER_REQUEST, "all is sent")
    kinds = [data[1] for data in datapath.messages()]
    assert kinds == [METER_MOD, *[messages.EXPERIMENTER] * 3, messages.BARRIER_REQUEST]
    assert len(datapath.sent) == 1


def test_a_failing_callback_does_not_stop_the_session(
    connection: Connection, told: Told, datapath: FakeDatapath
) -> None:
    told.fail = True
    connection.post(lambda session: session.assign([], 1))
    connection.post(nothing_read)
    until(lambda: told.events[-1][0] == "reconciled", "the first revision is confirmed")
    connection.post(lambda session: session.update([], [], 2))
    until(lambda: told.events[-1] == ("confirmed", "00000000000000ab", 2), "the second revision is confirmed")
    assert connection.is_open


def test_a_failing_session_closes_the_connection(connection: Connection, datapath: FakeDatapath) -> None:
    def broken(session: Session) -> Any:
        raise RuntimeError("a fault of ours")

    connection.post(broken)
    until(lambda: datapath.state == DEAD_DISPATCHER, "the connection is closed, so that the switch comes again")
