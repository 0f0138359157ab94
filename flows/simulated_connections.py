"""Connection tracking, simulated: what each zone of each chassis remembers, and what it says of a packet.

Follows Open vSwitch's conntrack (ovs-fields(7) on ``ct_state``, ovs-actions(7) on ``ct``) as far as the pipeline can
tell: nothing ever times out, and TCP is not looked into, so that a packet in the middle of a connection begins one, as
it does on Linux. Of ICMP, only questions begin connections, and their code is 0. Of protocols other than TCP, UDP and
ICMP only the addresses count, as in the userspace datapath; the kernel's knows the ports of SCTP as well.
"""

from typing import NamedTuple

from flows.fields import (
    CT_ESTABLISHED,
    CT_INVALID,
    CT_NEW,
    CT_RELATED,
    CT_REPLY,
    CT_TRACKED,
    FIRST_FRAGMENT,
    IP_PROTO_ICMP,
    LATER_FRAGMENT,
)
from flows.packets import FiveTuple, Packet

ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
"""Types of messages about a packet, which they quote (RFC 792)."""
ICMP_ANSWERS = {0: 8, 14: 13, 16: 15, 18: 17}
"""Types of replies, and what they reply to (RFC 792, RFC 950)."""
ICMP_QUESTIONS = frozenset(ICMP_ANSWERS.values())


class Tracked(NamedTuple):
    """What is known of a packet: ``ct_state``, and its connection as it was begun (None where there is none)."""

    state: int
    original: FiveTuple | None


INVALID = Tracked(CT_TRACKED | CT_INVALID, None)


class Connections:
    """All zones of all chassis."""

    def __init__(self) -> None:
        self._begun: set[tuple[str, int, FiveTuple]] = set()
        self._datagrams: dict[tuple[str, int, FiveTuple], FiveTuple] = {}

    def look_up(self, chassis_id: str, zone: int, packet: Packet) -> Tracked | None:
        """Return what a zone says of an IPv4 packet; None where it keeps a fragment that has come without the first."""
        place = chassis_id, zone
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
        asked = _reverse(whole)
        if asked is not None and (*place, asked) in self._begun:
            return Tracked(CT_TRACKED | CT_ESTABLISHED | CT_REPLY, asked)
        if whole.ip_proto == IP_PROTO_ICMP and (whole.tp_src not in ICMP_QUESTIONS or whole.tp_dst):
            return INVALID
        return Tracked(CT_TRACKED | CT_NEW, whole)

    def commit(self, chassis_id: str, zone: int, packet: Packet) -> bool:
        """Remember the connection that a packet begins, if it begins one.

        Return False where a fragment is kept, as the first one was not committed.
        """
        tracked = self.look_up(chassis_id, zone, packet)
        if tracked is None or tracked.original is None or not tracked.state & CT_NEW:
            return tracked is not None
        if packet.get("ip_frag", 0) == LATER_FRAGMENT:
            return False
        self._begun.add((chassis_id, zone, tracked.original))
        return True

    def _error(self, place: tuple[str, int], packet: Packet) -> Tracked:
        quoted = packet.quoted
        if quoted is None or quoted.ipv4_src != packet["ipv4_dst"]:
            return INVALID
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
