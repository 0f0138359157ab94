"""OpenFlow 1.3 messages other than flow mods: the ones that we send, and readers for those that we receive.

Readers take the bytes of one whole message and look only at what is needed: os-ken spends some 200 us on an entry of a
flow-stats reply, this a microsecond. They raise MalformedMessage for bytes that make no sense.

Sources: OpenFlow 1.3.5, section 7, and ONF extension 230 (bundles for OpenFlow 1.3).
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from os_ken.ofproto import ofproto_v1_3

from sdnapp.openflow.encoding import NO_BUFFER, PORT_ANY, PORT_IN, VERSION, WHOLE_PACKET

HEADER_SIZE = 8

ERROR = 1
ECHO_REQUEST = 2
ECHO_REPLY = 3
EXPERIMENTER = 4
PACKET_IN = 10
PORT_STATUS = 12
PACKET_OUT = 13
FLOW_MOD = 14
MULTIPART_REQUEST = 18
MULTIPART_REPLY = 19
BARRIER_REQUEST = 20
BARRIER_REPLY = 21
"""Types of messages (OpenFlow 1.3.5, section 7.1.1)."""

MULTIPART_FLOW = 1
MULTIPART_PORTS = 13
"""Types of multipart messages (section 7.3.5); those about meters are in ``meter_messages``."""
MORE_REPLIES = 1
EVERY_TABLE = 0xFF

BUNDLE_OPEN = 0
BUNDLE_COMMIT = 4
BUNDLE_COMMITTED = 5
"""Types of bundle control (extension 230): two requests, and the answer to the second."""

PORT_DELETED = 1
"""Reason of a port status; others say that the port exists."""

_ONF = 0x4F4E4600
_NICIRA = 0x00002320
_BUNDLE_CONTROL = 2300
_BUNDLE_ADD = 2301
_ATOMIC_ORDERED = 1 | 2
_EXPERIMENTER_ERROR = 0xFFFF
_IN_PORT_HEADER = 0x80000004

_HEADER = struct.Struct("!BBHI")
_CONTROL = struct.Struct("!BBHIIIIHH")
_ADD = struct.Struct("!BBHIIIIxxHBBHI")
_STATS_ENTRY = struct.Struct("!HBx8xH10xQ16x2xH")
_COUNT = struct.Struct("!H10xH10xQQ10xH")
_MATCH_AT = 48
"""Where the match begins in an entry of a flow-stats reply."""
_PACKET_IN = struct.Struct("!8x7xBQ2xH")
_PACKET_IN_MATCH_AT = HEADER_SIZE + 16
_PACKET_OUT = struct.Struct("!BBHIIIH6xHHIH6x")
_U32 = struct.Struct("!I")
_PORTS_AT, _PORT_SIZE = HEADER_SIZE + 8, 64
"""Where a reply begins to say which ports there are, and octets of each (sections 7.3.5.7 and 7.2.1)."""


class MalformedMessage(ValueError):
    """A switch sent what is no proper OpenFlow 1.3 message."""


class FlowEntry(NamedTuple):
    """What read-back keeps of a flow: enough to know it again and to delete it. ``match`` is a padded ``ofp_match``."""

    table: int
    priority: int
    cookie: int
    match: bytes


class FlowCount(NamedTuple):
    """How many packets a flow has had. ``match`` is an ``ofp_match`` without padding."""

    priority: int
    cookie: int
    packets: int
    match: bytes


class PacketIn(NamedTuple):
    """A packet that a flow sent to the controller; the cookie is the flow's. ``in_port`` is None where not told."""

    cookie: int
    table: int
    in_port: int | None
    data: bytes


class PortStatus(NamedTuple):
    """A port that came, changed or went."""

    deleted: bool
    port: int
    name: str


# Messages that we send


def message(kind: int, xid: int, body: bytes = b"") -> bytes:
    """Return a whole message: header and body."""
    return _HEADER.pack(VERSION, kind, HEADER_SIZE + len(body), xid) + body


def bundle_control(xid: int, bundle: int, kind: int) -> bytes:
    """Open or commit a bundle (``BUNDLE_OPEN``, ``BUNDLE_COMMIT``), applied in order and wholly or not at all."""
    return _CONTROL.pack(
        VERSION, EXPERIMENTER, _CONTROL.size, xid, _ONF, _BUNDLE_CONTROL, bundle, kind, _ATOMIC_ORDERED
    )


def bundle_add(xid: int, bundle: int, body: bytes) -> bytes:
    """Put a flow mod, given by its body, in a bundle. An error in it will bear ``xid``, which both messages share."""
    inner = HEADER_SIZE + len(body)
    length = _ADD.size - HEADER_SIZE + inner
    return (
        _ADD.pack(
            *(VERSION, EXPERIMENTER, length, xid, _ONF, _BUNDLE_ADD, bundle, _ATOMIC_ORDERED),
            *(VERSION, FLOW_MOD, inner, xid),
        )
        + body
    )


def flow_stats_request(xid: int, table: int = EVERY_TABLE, cookie: int = 0, cookie_mask: int = 0) -> bytes:
    """Ask for every flow of a table, or of all, whose cookie has the same bits under a mask."""
    any_match = struct.pack("!HHxxxx", 1, 4)
    body = struct.pack("!HHxxxxBxxxIIxxxxQQ", MULTIPART_FLOW, 0, table, PORT_ANY, PORT_ANY, cookie, cookie_mask)
    return message(MULTIPART_REQUEST, xid, body + any_match)


def packet_out(xid: int, in_port: int, out_port: int, data: bytes) -> bytes:
    """Send a packet out of a port, as if it had come in by ``in_port``: a port's number, or ``PORT_CONTROLLER``."""
    # A switch does not send a packet back to where it came from, unless told in these words.
    port = PORT_IN if out_port == in_port else out_port
    action = 0, 16, port, WHOLE_PACKET
    length = _PACKET_OUT.size + len(data)
    return _PACKET_OUT.pack(VERSION, PACKET_OUT, length, xid, NO_BUFFER, in_port, action[1], *action) + data


# Readers of messages that we receive. ``data`` is the whole message.


def read_flow_stats(data: bytes) -> tuple[list[FlowEntry], bool] | None:
    """Return the flows of a flow-stats reply and whether more replies follow; None if it is another multipart reply.

    Instructions and counters are not looked at.
    """
    try:
        kind, flags = struct.unpack_from("!HH", data, HEADER_SIZE)
        if kind != MULTIPART_FLOW:
            return None
        entries = []
        position, end, unpack = HEADER_SIZE + 8, len(data), _STATS_ENTRY.unpack_from
        while position < end:
            length, table, priority, cookie, match_length = unpack(data, position)
            match_at = position + _MATCH_AT
            match_end = match_at + (match_length + 7) // 8 * 8
            position += length
            if not match_end <= position <= end:
                raise MalformedMessage(f"a flow-stats entry of {length} bytes with a match of {match_length}")
            entries.append(FlowEntry(table, priority, cookie, data[match_at:match_end]))
    except struct.error as error:
        raise MalformedMessage(f"flow-stats reply: {error}") from None
    return entries, bool(flags & MORE_REPLIES)


def read_flow_counts(data: bytes) -> Iterator[FlowCount]:
    """Yield what each flow of a flow-stats reply has counted."""
    position = HEADER_SIZE + 8
    while position < len(data):
        try:
            length, priority, cookie, packets, match_length = _COUNT.unpack_from(data, position)
        except struct.error as error:
            raise MalformedMessage(f"flow-stats reply: {error}") from None
        match_at = position + _MATCH_AT
        if position + length > len(data) or match_at + match_length > position + length:
            raise MalformedMessage(f"a flow-stats entry of {length} bytes with a match of {match_length}")
        yield FlowCount(priority, cookie, packets, data[match_at : match_at + match_length])
        position += length


def more_replies_follow(data: bytes) -> bool:
    """Return whether a multipart reply is not the last of its answer."""
    return bool(int.from_bytes(data[HEADER_SIZE + 2 : HEADER_SIZE + 4], "big") & MORE_REPLIES)


def read_multipart_kind(data: bytes) -> int:
    """Return the type of a multipart reply. Raises MalformedMessage."""
    if len(data) < HEADER_SIZE + 8:
        raise MalformedMessage(f"multipart reply of {len(data)} bytes")
    return int.from_bytes(data[HEADER_SIZE : HEADER_SIZE + 2], "big")


def shorter(data: bytes, most: int) -> Iterator[bytes]:
    """Yield a reply that says which ports a switch has as replies of so many ports each, any other message as it is."""
    step = most * _PORT_SIZE
    is_ours = data[0] == VERSION and data[1] == MULTIPART_REPLY
    if not is_ours or len(data) <= _PORTS_AT + step or read_multipart_kind(data) != MULTIPART_PORTS:
        yield data
        return
    (xid,) = _U32.unpack_from(data, 4)
    for start in range(_PORTS_AT, len(data), step):
        more = more_replies_follow(data) or start + step < len(data)
        head = struct.pack("!HHxxxx", MULTIPART_PORTS, MORE_REPLIES if more else 0)
        yield message(MULTIPART_REPLY, xid, head + data[start : start + step])


def read_bundle_control(data: bytes) -> tuple[int, int] | None:
    """Return bundle and type of a bundle control message; None if it is another experimenter message."""
    if len(data) < _CONTROL.size:
        return None
    experimenter, kind, bundle, control = struct.unpack_from("!IIIH", data, HEADER_SIZE)
    return (bundle, control) if (experimenter, kind) == (_ONF, _BUNDLE_CONTROL) else None


def read_error(data: bytes) -> str:
    """Return in words why a switch refused a message: names of type and code as in the specification, and numbers."""
    try:
        kind, code = struct.unpack_from("!HH", data, HEADER_SIZE)
        if kind == _EXPERIMENTER_ERROR:
            (experimenter,) = struct.unpack_from("!I", data, HEADER_SIZE + 4)
            return _experimenter_error(experimenter, code)
    except struct.error as error:
        raise MalformedMessage(f"error message: {error}") from None
    return _standard_error(kind, code)


# os-ken looks through its whole module for a name; errors may come by the thousand.
@lru_cache
def _standard_error(kind: int, code: int) -> str:
    return f"{ofproto_v1_3.ofp_error_type_to_str(kind)} {ofproto_v1_3.ofp_error_code_to_str(kind, code)}"


@lru_cache
def _experimenter_error(experimenter: int, code: int) -> str:
    if experimenter == _ONF:
        names = (name for name, value in vars(ofproto_v1_3).items() if name.startswith("ONFERR_") and value == code)
        return f"{next(names, 'ONF error')}({code})"
    return f"Nicira error {code}" if experimenter == _NICIRA else f"error {code} of experimenter {experimenter:#x}"


def read_packet_in(data: bytes) -> PacketIn:
    """Return what matters of a packet-in."""
    try:
        table, cookie, match_length = _PACKET_IN.unpack_from(data)
        match_end = _PACKET_IN_MATCH_AT + match_length
        position, in_port = _PACKET_IN_MATCH_AT + 4, None
        while position + 4 <= match_end:
            (header,) = _U32.unpack_from(data, position)
            if header == _IN_PORT_HEADER:
                (in_port,) = _U32.unpack_from(data, position + 4)
                break
            position += 4 + (header & 0xFF)
    except struct.error as error:
        raise MalformedMessage(f"packet-in: {error}") from None
    # Two bytes of padding put the packet's IP header on a multiple of four.
    return PacketIn(cookie, table, in_port, data[_PACKET_IN_MATCH_AT + (match_length + 7) // 8 * 8 + 2 :])


def read_port_status(data: bytes) -> PortStatus:
    """Return which port came, changed or went."""
    try:
        reason, port, name = struct.unpack_from("!B7xI4x6x2x16s", data, HEADER_SIZE)
    except struct.error as error:
        raise MalformedMessage(f"port status: {error}") from None
    return PortStatus(reason == PORT_DELETED, port, name.rstrip(b"\0").decode(errors="replace"))
