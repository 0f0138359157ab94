"""What we send about meters is what os-ken's serialiser makes; readers understand answers, and survive nonsense."""

import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.ofproto import ofproto_v1_3 as ofp
from os_ken.ofproto import ofproto_v1_3_parser as parser

from flows.actions import Meter
from sdnapp.openflow import meter_messages
from sdnapp.openflow.messages import MULTIPART_REPLY, MalformedMessage, message
from sdnapp.openflow.meter_messages import ADD, DELETE, HIGHEST_NUMBER, MODIFY, MeterCount
from tests.sdnapp.openflow.strategies import METERS

DATAPATH: Any = SimpleNamespace(ofproto=ofp, ofproto_parser=parser)
FLAGS = ofp.OFPMF_PKTPS | ofp.OFPMF_BURST
NUMBERS = st.integers(0, (1 << 63) - 1)


def as_os_ken(message: Any) -> bytes:
    message.set_xid(77)
    message.serialize()
    return bytes(message.buf)


@given(METERS)
def test_meter_mods_are_os_kens(meter: Meter) -> None:
    bands = [parser.OFPMeterBandDrop(meter.packets, meter.burst)]
    for ours, theirs in ((ADD, ofp.OFPMC_ADD), (MODIFY, ofp.OFPMC_MODIFY)):
        expected = parser.OFPMeterMod(DATAPATH, theirs, FLAGS, meter.number, bands)
        assert meter_messages.meter_mod(77, ours, meter) == as_os_ken(expected)
    expected = parser.OFPMeterMod(DATAPATH, ofp.OFPMC_DELETE, FLAGS, meter.number)
    assert meter_messages.meter_mod(77, DELETE, meter) == as_os_ken(expected)


def test_requests_are_os_kens() -> None:
    assert meter_messages.features_request(77) == as_os_ken(parser.OFPMeterFeaturesStatsRequest(DATAPATH))
    assert meter_messages.config_request(77) == as_os_ken(parser.OFPMeterConfigStatsRequest(DATAPATH))
    assert meter_messages.stats_request(77) == as_os_ken(parser.OFPMeterStatsRequest(DATAPATH))


def reply(kind: int, body: bytes, more: bool = False) -> bytes:
    return message(MULTIPART_REPLY, 5, struct.pack("!HHxxxx", kind, int(more)) + body)


def config(meter: Meter, flags: int = FLAGS, kind: int = 1) -> bytes:
    band = struct.pack("!HHIIxxxx", kind, 16, meter.packets, meter.burst)
    return struct.pack("!HHI", 24, flags, meter.number) + band


@given(st.lists(METERS, max_size=4), st.booleans())
def test_meters_are_read(meters: list[Meter], more: bool) -> None:
    assert meter_messages.read_config(reply(10, b"".join(map(config, meters)), more)) == (meters, more)


def test_meters_of_another_kind_are_told_from_ours_and_the_switchs_own_are_left_out() -> None:
    meter = Meter(7, 10, 20)
    in_bits = config(meter, flags=ofp.OFPMF_KBPS | ofp.OFPMF_BURST)
    for other in (in_bits, config(meter, kind=2), struct.pack("!HHI", 8, FLAGS, 7)):
        assert meter_messages.read_config(reply(10, other)) == ([Meter(7, 0, 0)], False)
    assert meter_messages.read_config(reply(10, config(Meter(HIGHEST_NUMBER + 1, 10, 20)))) == ([], False)


@given(st.lists(st.tuples(METERS, NUMBERS, NUMBERS), max_size=3), st.booleans())
def test_counters_are_read(rows: list[tuple[Meter, int, int]], more: bool) -> None:
    body = b"".join(
        struct.pack("!IH6xIQQII", meter.number, 56, 1, packets, 9, 1, 2) + struct.pack("!QQ", dropped, 8)
        for meter, packets, dropped in rows
    )
    expected = [MeterCount(meter.number, packets, dropped) for meter, packets, dropped in rows]
    assert meter_messages.read_stats(reply(9, body, more)) == (expected, more)


def test_features_are_read() -> None:
    assert meter_messages.read_features(reply(11, struct.pack("!IIIBBxx", 4096, 2, 15, 1, 0))) == 4096


@pytest.mark.parametrize(
    "reader", [meter_messages.read_config, meter_messages.read_stats, meter_messages.read_features]
)
@given(body=st.binary(max_size=80))
def test_nonsense_is_malformed_at_worst(reader: Callable[[bytes], Any], body: bytes) -> None:
    try:
        reader(reply(9, body))
    except MalformedMessage as error:
        assert str(error)
