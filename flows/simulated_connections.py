"""Connection tracking, simulated: what each zone of each chassis remembers, and what it says of a packet.

Follows Open vSwitch's conntrack (ovs-fields(7) on ``ct_state``, ovs-actions(7) on ``ct``) as far as the pipeline can
tell: nothing ever times out, and TCP is not looked into, so that a packet in the middle of a connection begins one, as
it does on Linux. Of ICMP, only questions begin connections, and their code is 0. Of protocols other than TCP, UDP and
ICMP only the addresses count, as in the userspace datapath; the kernel's knows the ports of SCTP as well.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from flows.actions import REMEMBERED
from flows.fields import (
    CT_ESTABLISHED,
    CT_INVALID,
    CT_NEW,
    CT_RELATED,
    CT_REPLY,
    CT_TRACKED,
    FIRST_FRAGMENT,
    IP_PROTO_ICMP,
    IP_PROTO_TCP,
    IP_PROTO_UDP,
    LATER_FRAGMENT,
)
from flows.packets import FiveTuple, Packet

ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
"""Types of messages about a packet, which they quote (RFC 792)."""
ICMP_ANSWERS = {0: 8, 14: 13, 16: 15, 18: 17}
"""Types of replies, and what they reply to (RFC 792, RFC 950)."""
ICMP_QUESTIONS = frozenset(ICMP_ANSWERS.values())


class Tracked(NamedTuple):
    """What is known of a packet: ``ct_state``, its connection as it was begun (None: there is none), ``ct_mark``."""

    state: int
    original: FiveTuple | None
    mark: int = 0


INVALID = Tracked(CT_TRACKED | CT_INVALID, None)


ADDRESSES = ("ipv4_src", "ipv4_dst")
Range = tuple[int, int, int]
"""An address and the first and last port of a translation; 0 and 0 for the port that is there."""


class Connections:
    """All zones of all chassis. ``limit`` is how many connections each zone remembers at most; None for any number."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._remembered: Counter[tuple[str, int]] = Counter()
        self._begun: dict[tuple[str, int, FiveTuple], FiveTuple | None] = {}
        """Connections as they were begun, and how the other end sees them: None as they are."""
        self._answers: dict[tuple[str, int, FiveTuple], FiveTuple] = {}
        """What translated connections are answered by, and how they were begun."""
        self._datagrams: dict[tuple[str, int, FiveTuple], FiveTuple] = {}

    def forget(self) -> None:
        """Forget everything, as after a flush."""
        for kept in (self._begun, self._answers, self._datagrams, self._remembered):
            kept.clear()

    def look_up(self, chassis_id: str, zone: int, packet: Packet) -> Tracked | None:
        """Return what a zone says of an IPv4 packet; None where it keeps a fragment that has come without the first."""
        found = self._found((chassis_id, zone), packet)
        if found is None or found.original is None:
            return found
        begun = chassis_id, zone, found.original
        is_committed = begun in self._begun and self._begun[begun] is None
        return found._replace(mark=REMEMBERED) if is_committed else found

    def _found(self, place: tuple[str, int], packet: Packet) -> Tracked | None:
        whole = packet.five_tuple
        fragment = packet.get("ip_frag", 0)
        if fragment == FIRST_FRAGMENT:
            self._datagrams[(*place, whole.addresses)] = whole
        elif fragment == LATER_FRAGMENT:
            known = self._datagrams.get((*place, whole))
            if known is None:
                return None
            whole = known
        if whole.ip_proto == IP_PROTO_ICMP and whole.tp_src in ICMP_ERRORS:
            return self._error(place, packet)
        if (*place, whole) in self._begun:
            return Tracked(CT_TRACKED | CT_ESTABLISHED, whole)
        if (begun := self._answered(place, whole)) is not None:
            return Tracked(CT_TRACKED | CT_ESTABLISHED | CT_REPLY, begun)
        if whole.ip_proto == IP_PROTO_ICMP and (whole.tp_src not in ICMP_QUESTIONS or whole.tp_dst):
            return INVALID
        return Tracked(CT_TRACKED | CT_NEW, whole)

    def commit(self, chassis_id: str, zone: int, packet: Packet) -> Tracked | None:
        """Remember the connection that a packet begins, if it begins one and the zone has room for it.

        Return what is known of the packet then; None where a fragment is kept, as the first one was not committed.
        """
        tracked, place = self.look_up(chassis_id, zone, packet), (chassis_id, zone)
        if tracked is None or tracked.original is None or not tracked.state & CT_NEW:
            return tracked
        if packet.get("ip_frag", 0) == LATER_FRAGMENT:
            return None
        if not self._has_room(place):
            return tracked
        self._remember(place, tracked.original, None)
        return tracked._replace(mark=REMEMBERED)

    def _has_room(self, place: tuple[str, int]) -> bool:
        return self.limit is None or self._remembered[place] < self.limit

    def _remember(self, place: tuple[str, int], begun: FiveTuple, seen: FiveTuple | None) -> None:
        self._begun[(*place, begun)] = seen
        self._remembered[place] += 1

    def translate(
        self, chassis_id: str, zone: int, packet: Packet, source: Range | None, target: Range | None
    ) -> tuple[Tracked, Packet] | None:
        """Return what a zone says of a packet, and the packet as it goes on; None where a fragment is kept.

        A new connection is remembered if it is to be translated. Where no port is left for it, its packet stays as it
        is, a new one: whatever comes next must look at the addresses.
        """
        tracked, place = self.look_up(chassis_id, zone, packet), (chassis_id, zone)
        if tracked is None or tracked.original is None:
            return None if tracked is None else (tracked, packet)
        if tracked.state & CT_NEW and (source or target):
            seen = self._free(place, tracked.original, source, target) if self._has_room(place) else None
            if seen is None:
                return tracked, packet
            self._remember(place, tracked.original, seen)
            answer = _answer(seen)
            if answer is not None:
                self._answers[(*place, answer)] = tracked.original
        seen = self._begun.get((*place, tracked.original))
        if seen is None:
            return tracked, packet
        return tracked, _translated(packet, tracked, seen)

    def _free(
        self, place: tuple[str, int], begun: FiveTuple, source: Range | None, target: Range | None
    ) -> FiveTuple | None:
        """Return a new connection as its other end is to see it, told from all others by what answers it."""
        for seen in _candidates(begun, source, target):
            answer = _answer(seen)
            # Two questions by ICMP are told apart by their ids, which are not simulated.
            if answer is None or begun.ip_proto == IP_PROTO_ICMP or (*place, answer) not in self._answers:
                return seen
        return None

    def _answered(self, place: tuple[str, int], whole: FiveTuple) -> FiveTuple | None:
        """Return the connection, as it was begun, that a packet is an answer in."""
        if (begun := self._answers.get((*place, whole))) is not None:
            return begun
        asked = _reverse(whole)
        return asked if asked is not None and self._begun.get((*place, asked), asked) is None else None

    def _error(self, place: tuple[str, int], packet: Packet) -> Tracked:
        quoted = packet.quoted
        if quoted is None or quoted.ipv4_src != packet["ipv4_dst"]:
            return INVALID
        # It goes the other way than what it quotes.
        if (sent := _answer(quoted)) is not None and (*place, sent) in self._answers:
            return Tracked(CT_TRACKED | CT_RELATED | CT_REPLY, self._answers[(*place, sent)])
        if (*place, quoted) in self._begun:
            return Tracked(CT_TRACKED | CT_RELATED | CT_REPLY, quoted)
        asked = _reverse(quoted)
        if asked is not None and (*place, asked) in self._begun:
            return Tracked(CT_TRACKED | CT_RELATED, asked)
        return INVALID


def _reverse(one: FiveTuple) -> FiveTuple | None:
    """Return the packet that a packet would be a reply to."""
    if one.ip_proto == IP_PROTO_ICMP:
        if one.tp_src not in ICMP_ANSWERS:
            return None
        return FiveTuple(one.ipv4_dst, one.ipv4_src, one.ip_proto, ICMP_ANSWERS[one.tp_src], one.tp_dst)
    return FiveTuple(one.ipv4_dst, one.ipv4_src, one.ip_proto, one.tp_dst, one.tp_src)


_QUESTIONED = {question: answer for answer, question in ICMP_ANSWERS.items()}


def _answer(one: FiveTuple) -> FiveTuple | None:
    """Return the packet that answers a packet."""
    if one.ip_proto == IP_PROTO_ICMP:
        if one.tp_src not in _QUESTIONED:
            return None
        return FiveTuple(one.ipv4_dst, one.ipv4_src, one.ip_proto, _QUESTIONED[one.tp_src], one.tp_dst)
    return FiveTuple(one.ipv4_dst, one.ipv4_src, one.ip_proto, one.tp_dst, one.tp_src)


def _candidates(begun: FiveTuple, source: Range | None, target: Range | None) -> Iterator[FiveTuple]:
    """Yield the translations that a connection may get, those that keep its port first."""
    address, first, last = source or target or (0, 0, 0)
    end, port = ("ipv4_src", "tp_src") if source else ("ipv4_dst", "tp_dst")
    moved = begun._replace(**{end: address})
    present = getattr(begun, port)
    if not last or begun.ip_proto not in (IP_PROTO_TCP, IP_PROTO_UDP) or first <= present <= last:
        yield moved
    if last and begun.ip_proto in (IP_PROTO_TCP, IP_PROTO_UDP):
        count = last + 1 - first
        for step in range(count):
            yield moved._replace(**{port: first + (present + step) % count})


def _translated(packet: Packet, tracked: Tracked, seen: FiveTuple) -> Packet:
    """Return a packet of a connection as it goes on: towards the other end as that sees it, and back as it was begun.

    What an error quotes was on its way to where the error comes from.
    """
    begun = tracked.original
    assert begun is not None
    forth = not tracked.state & CT_REPLY
    ends = seen if forth else _turned(begun)
    if tracked.state & CT_RELATED:
        # Somebody on the way may speak, too, in his own name.
        known, quoted = (begun, _answer(seen)) if forth else (_turned(seen), begun)
        changed = {end: getattr(ends, end) for end in ADDRESSES if packet[end] == getattr(known, end)}
        return Packet({**packet, **changed}, packet.inner_vlans, quoted)
    changed = {"ipv4_src": ends.ipv4_src, "ipv4_dst": ends.ipv4_dst}
    names = {IP_PROTO_TCP: ("tcp_src", "tcp_dst"), IP_PROTO_UDP: ("udp_src", "udp_dst")}.get(begun.ip_proto, ())
    for name, value in zip(names, (ends.tp_src, ends.tp_dst), strict=False):
        if name in packet:
            changed[name] = value
    return Packet({**packet, **changed}, packet.inner_vlans, packet.quoted)


def _turned(one: FiveTuple) -> FiveTuple:
    """Return a packet's ends exchanged."""
    return FiveTuple(one.ipv4_dst, one.ipv4_src, one.ip_proto, one.tp_dst, one.tp_src)
