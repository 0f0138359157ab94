"""OpenFlow 1.3 messages about meters: the ones that we send, and readers for the answers.

Sources: OpenFlow 1.3.5, sections 7.3.4.5 (meter mod) and 7.3.5.12 to 7.3.5.14 (statistics, configuration, features).
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from flows.actions import Meter
from sdnapp.openflow.messages import HEADER_SIZE, MULTIPART_REQUEST, MalformedMessage, message, more_replies_follow

METER_MOD = 29
MULTIPART_METER, MULTIPART_METER_CONFIG, MULTIPART_METER_FEATURES = 9, 10, 11

ADD, MODIFY, DELETE = 0, 1, 2
EVERY_METER = 0xFFFFFFFF
HIGHEST_NUMBER = 0xFFFF0000
"""Meters above this are the switch's own, for its slow path and its controllers (OFPM_MAX)."""

_PACKETS_A_SECOND, _HAS_BURST = 2, 4
_DROP = 1
_HEAD = struct.Struct("!HHI")
_BAND = struct.Struct("!HHIIxxxx")
_STATS_HEAD = struct.Struct("!IHxxxxxxIQQII")
_BAND_STATS = struct.Struct("!QQ")
_BODY_AT = HEADER_SIZE + 8


class MeterCount(NamedTuple):
    """What a meter has counted: packets that came to it, and those of them that it dropped."""

    number: int
    packets: int
    dropped: int


def meter_mod(xid: int, command: int, meter: Meter) -> bytes:
    """Add, modify or delete a meter that drops what is above its rate."""
    bands = b"" if command == DELETE else _BAND.pack(_DROP, _BAND.size, meter.packets, meter.burst)
    return message(METER_MOD, xid, _HEAD.pack(command, _PACKETS_A_SECOND | _HAS_BURST, meter.number) + bands)


def features_request(xid: int) -> bytes:
    """Ask how many meters a switch may have."""
    return message(MULTIPART_REQUEST, xid, struct.pack("!HHxxxx", MULTIPART_METER_FEATURES, 0))


def config_request(xid: int) -> bytes:
    """Ask for every meter that a switch has."""
    return message(MULTIPART_REQUEST, xid, struct.pack("!HHxxxxIxxxx", MULTIPART_METER_CONFIG, 0, EVERY_METER))


def stats_request(xid: int) -> bytes:
    """Ask what every meter has counted."""
    return message(MULTIPART_REQUEST, xid, struct.pack("!HHxxxxIxxxx", MULTIPART_METER, 0, EVERY_METER))


def read_features(data: bytes) -> int:
    """Return how many meters a switch may have. Raises MalformedMessage."""
    try:
        return int(struct.unpack_from("!I", data, _BODY_AT)[0])
    except struct.error as error:
        raise MalformedMessage(f"meter features: {error}") from None


def read_config(data: bytes) -> tuple[list[Meter], bool]:
    """Return the meters of a reply, and whether more replies follow. Raises MalformedMessage.

    One that is of another kind than ours has rate and burst 0.
    """
    meters = []
    for _, flags, number, bands in _entries(data, _HEAD, 0):
        kind, _, packets, burst = _BAND.unpack(bands) if len(bands) == _BAND.size else (0, 0, 0, 0)
        ours = kind == _DROP and flags & (_PACKETS_A_SECOND | _HAS_BURST) == _PACKETS_A_SECOND | _HAS_BURST
        if number <= HIGHEST_NUMBER:
            meters.append(Meter(number, packets, burst) if ours else Meter(number, 0, 0))
    return meters, more_replies_follow(data)


def read_stats(data: bytes) -> tuple[list[MeterCount], bool]:
    """Return what meters have counted, and whether more replies follow. Raises MalformedMessage."""
    counts = []
    for number, _, _, packets, _, _, _, bands in _entries(data, _STATS_HEAD, 1):
        try:
            dropped = sum(count for count, _ in _BAND_STATS.iter_unpack(bands))
        except struct.error as error:
            raise MalformedMessage(f"statistics of meter {number}: {error}") from None
        counts.append(MeterCount(number, packets, dropped))
    return counts, more_replies_follow(data)


def _entries(data: bytes, head: struct.Struct, length_at: int) -> Iterator[tuple[Any, ...]]:
    """Yield the fields of each entry's head, and the bytes behind it."""
    position = _BODY_AT
    while position < len(data):
        try:
            fields = head.unpack_from(data, position)
        except struct.error as error:
            raise MalformedMessage(f"multipart reply about meters: {error}") from None
        length = fields[length_at]
        if length < head.size or position + length > len(data):
            raise MalformedMessage(f"an entry of {length} bytes in a multipart reply about meters")
        yield *fields, data[position + head.size : position + length]
        position += length
