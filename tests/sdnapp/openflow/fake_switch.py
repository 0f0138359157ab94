"""A switch made of a dict: takes our messages as bytes, applies bundles, answers as Open vSwitch does.

Which flows it dislikes, and when it says so, is set from outside. Answers are kept in ``answers`` until they are taken,
so that a test decides what arrives when.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable

from flows.actions import Meter
from sdnapp.openflow import messages, meter_messages
from sdnapp.openflow.encoding import ADD, DELETE_STRICT
from sdnapp.openflow.messages import FlowEntry
from sdnapp.openflow.session import Effect, Session

Key = tuple[int, int, bytes]
Answer = Callable[[Session], list[Effect]]


class FakeSwitch:
    """Holds flows by table, priority and match bytes."""

    def __init__(self) -> None:
        self.table: dict[Key, tuple[int, bytes]] = {}
        """Cookie and instructions of each flow."""
        self.answers: deque[Answer] = deque()
        self.disliked_at_once: set[int] = set()
        """Cookies of flows that are refused when they are put in a bundle."""
        self.disliked_at_commit: set[int] = set()
        self.silent_failures = 0
        """So many of the next commits fail without a word about a flow."""
        self.disliked_silently: set[int] = set()
        """Cookies of flows that make every commit fail without a word."""
        self.meters: dict[int, Meter] = {}
        self.most_meters = 100
        """How many it says that it may have."""
        self.disliked_meters: set[int] = set()
        self.flow_mods = 0
        self.meter_mods = 0
        self.entries_in_a_reply = 2
        self._bundles: dict[int, list[tuple[int, int, Key, int, bytes]]] = {}

    def take(self, sent: Iterable[bytes]) -> None:
        """Take messages and put answers to them in ``answers``."""
        for data in sent:
            version, kind, length, xid = struct.unpack_from("!BBHI", data)
            assert version == 4 and length == len(data)
            if kind == messages.EXPERIMENTER:
                self._experimenter(xid, data)
            elif kind == messages.BARRIER_REQUEST:
                self._answer(lambda session, xid=xid: session.barrier_passed(xid))
            elif kind == messages.MULTIPART_REQUEST:
                self._tell(xid, messages.read_multipart_kind(data))
            elif kind == meter_messages.METER_MOD:
                self._change_meter(xid, *struct.unpack_from("!HHIHHII", data.ljust(32, b"\0"), 8))
            else:
                raise AssertionError(f"message type {kind}")

    def _answer(self, answer: Answer) -> None:
        self.answers.append(answer)

    def _refuse(self, xid: int, reason: str) -> None:
        self._answer(lambda session: session.refused(xid, reason))

    def _tell(self, xid: int, kind: int) -> None:
        if kind == meter_messages.MULTIPART_METER_FEATURES:
            self._answer(lambda session: session.meters_limited(xid, self.most_meters))
        elif kind == meter_messages.MULTIPART_METER_CONFIG:
            meters = list(self.meters.values())
            self._answer(lambda session: session.meters_read(xid, meters[:1], more=True))
            self._answer(lambda session: session.meters_read(xid, meters[1:], more=False))
        else:
            self._tell_flows(xid)

    def _change_meter(self, xid: int, command: int, flags: int, number: int, *band: int) -> None:
        assert flags == 6, "packets a second, with a burst"
        self.meter_mods += 1
        if command == meter_messages.DELETE:
            self.meters.pop(number, None)
            for key in [key for key, (_, instructions) in self.table.items() if _meter_in(instructions) == number]:
                del self.table[key]
        elif number in self.disliked_meters or len(self.meters | {number: None}) > self.most_meters:
            self._refuse(xid, "disliked meter")
        elif (command == meter_messages.ADD) == (number in self.meters):
            self._refuse(xid, "the meter exists" if number in self.meters else "there is no such meter")
        else:
            self.meters[number] = Meter(number, band[2], band[3])

    def _tell_flows(self, xid: int) -> None:
        entries = [FlowEntry(*key[:2], cookie, key[2]) for key, (cookie, _) in self.table.items()]
        size = self.entries_in_a_reply
        for at in range(0, max(1, len(entries)), size):
            part, more = entries[at : at + size], at + size < len(entries)
            self._answer(lambda session, part=part, more=more: session.entries_read(xid, part, more))

    def _experimenter(self, xid: int, data: bytes) -> None:
        experimenter, kind, bundle = struct.unpack_from("!III", data, 8)
        assert experimenter == 0x4F4E4600
        (flags,) = struct.unpack_from("!H", data, 22)
        assert flags == 3, "atomic and ordered"
        if kind == 2301:
            self._put(xid, bundle, data[24:])
            return
        (control,) = struct.unpack_from("!H", data, 20)
        if control == messages.BUNDLE_OPEN:
            assert not self._bundles, "one bundle at a time"
            self._bundles[bundle] = []
        else:
            assert control == messages.BUNDLE_COMMIT
            self._commit(xid, bundle)

    def _put(self, xid: int, bundle: int, mod: bytes) -> None:
        version, kind, length, inner_xid = struct.unpack_from("!BBHI", mod)
        assert (version, kind, length, inner_xid) == (4, messages.FLOW_MOD, len(mod), xid)
        cookie, _, table, command, _, _, priority, _, _, _, _ = struct.unpack_from("!QQBBHHHIIIHxx", mod, 8)
        (match_length,) = struct.unpack_from("!H", mod, 50)
        end = 48 + (match_length + 7) // 8 * 8
        self.flow_mods += 1
        if command == ADD and cookie in self.disliked_at_once:
            self._refuse(xid, "disliked at once")
        elif command == ADD and (meter := _meter_in(mod[end:])) is not None and meter not in self.meters:
            self._refuse(xid, f"there is no meter {meter}")
        else:
            self._bundles[bundle].append((xid, command, (table, priority, mod[48:end]), cookie, mod[end:]))

    def _commit(self, xid: int, bundle: int) -> None:
        mods = self._bundles.pop(bundle)
        added = [(mod_xid, cookie) for mod_xid, command, _, cookie, _ in mods if command == ADD]
        for mod_xid, cookie in added:
            if cookie in self.disliked_at_commit:
                # As Open vSwitch: the first that fails is named, and the bundle as a whole fails.
                self._refuse(mod_xid, "disliked at commit")
                self._refuse(xid, "a message failed")
                return
        if self.silent_failures or any(cookie in self.disliked_silently for _, cookie in added):
            self.silent_failures = max(0, self.silent_failures - 1)
            self._refuse(xid, "for no reason")
            return
        for _, command, key, cookie, instructions in mods:
            if command == ADD:
                self.table[key] = cookie, instructions
            else:
                assert command == DELETE_STRICT
                self.table.pop(key, None)
        self._answer(lambda session: session.bundle_committed(bundle))


def _meter_in(instructions: bytes) -> int | None:
    """The number of the meter that a flow names, always in its first instruction."""
    if instructions[:4] != b"\0\x06\0\x08":
        return None
    return int.from_bytes(instructions[4:8], "big")
