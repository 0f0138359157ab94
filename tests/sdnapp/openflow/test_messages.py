"""What we send is what os-ken's serialiser makes; readers understand what switches send, and survive nonsense."""

import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.ofproto import ofproto_v1_3 as ofp
from os_ken.ofproto import ofproto_v1_3_parser as parser

from flows.flow import Flow
from flows.pipeline import REGISTERS
from sdnapp.openflow import messages
from sdnapp.openflow.encoding import PORT_CONTROLLER, canonical, encode_instructions, encode_match, value_matched
from sdnapp.openflow.messages import FlowEntry, MalformedMessage, PacketIn, PortStatus
from tests.sdnapp.openflow.strategies import flows

DATAPATH: Any = SimpleNamespace(ofproto=ofp, ofproto_parser=parser)


def as_os_ken(message: Any) -> bytes:
    message.set_xid(77)
    message.serialize()
    return bytes(message.buf)


def test_requests_are_os_kens() -> None:
    assert messages.message(messages.BARRIER_REQUEST, 77) == as_os_ken(parser.OFPBarrierRequest(DATAPATH))
    assert messages.message(messages.ECHO_REQUEST, 77, b"hi") == as_os_ken(parser.OFPEchoRequest(DATAPATH, b"hi"))
    assert messages.flow_stats_request(77) == as_os_ken(parser.OFPFlowStatsRequest(DATAPATH))
    assert messages.flow_stats_request(77, 9) == as_os_ken(parser.OFPFlowStatsRequest(DATAPATH, table_id=9))
    flags = ofp.ONF_BF_ATOMIC | ofp.ONF_BF_ORDERED
    for ours, theirs in (
        (messages.BUNDLE_OPEN, ofp.ONF_BCT_OPEN_REQUEST),
        (messages.BUNDLE_COMMIT, ofp.ONF_BCT_COMMIT_REQUEST),
    ):
        expected = as_os_ken(parser.ONFBundleCtrlMsg(DATAPATH, 9, theirs, flags, []))
        assert messages.bundle_control(77, 9, ours) == expected


@pytest.mark.parametrize(
    ("in_port", "out_port", "sent_to"), [(1, 2, 2), (3, 3, ofp.OFPP_IN_PORT), (PORT_CONTROLLER, 4, 4)]
)
def test_packet_out_is_os_kens(in_port: int, out_port: int, sent_to: int) -> None:
    expected = parser.OFPPacketOut(
        DATAPATH, ofp.OFP_NO_BUFFER, in_port, [parser.OFPActionOutput(sent_to, 0xFFFF)], b"a frame"
    )
    assert messages.packet_out(77, in_port, out_port, b"a frame") == as_os_ken(expected)


def stats_reply(entries: list[Flow], more: bool) -> bytes:
    body = b""
    for flow in entries:
        content = encode_match(flow.match) + encode_instructions(flow.actions)
        head = struct.pack(
            "!HBxIIHHHHxxxxQQQ", 48 + len(content), flow.table, 5, 6, flow.priority, 7, 8, 9, flow.cookie, 10, 11
        )
        body += head + content
    return messages.message(messages.MULTIPART_REPLY, 5, struct.pack("!HHxxxx", 1, int(more)) + body)


@given(st.lists(flows(), max_size=5), st.booleans())
def test_flow_stats_are_read(entries: list[Flow], more: bool) -> None:
    read = messages.read_flow_stats(stats_reply(entries, more))
    assert read == (
        [FlowEntry(flow.table, flow.priority, flow.cookie, encode_match(flow.match)) for flow in entries],
        more,
    )


@given(st.lists(flows(), max_size=5), st.booleans())
def test_counts_of_flows_are_read(entries: list[Flow], more: bool) -> None:
    reply = stats_reply(entries, more)
    counts = list(messages.read_flow_counts(reply))
    assert [count[:3] for count in counts] == [(flow.priority, flow.cookie, 10) for flow in entries]
    for flow, count in zip(entries, counts, strict=True):
        assert canonical(count.match) == canonical(encode_match(flow.match))
        asked = {term.field: term.value for term in flow.match}
        assert {name: value_matched(count.match, name) for name in REGISTERS} == {
            name: asked.get(name, 0) & (1 << register.bits) - 1 for name, register in REGISTERS.items()
        }
    assert messages.more_replies_follow(reply) is more


def test_other_multipart_replies_are_left_alone() -> None:
    assert (
        messages.read_flow_stats(messages.message(messages.MULTIPART_REPLY, 5, struct.pack("!HHxxxx", 13, 0))) is None
    )


@given(flow=flows(), cut=st.integers(1, 60))
def test_cut_flow_stats_are_malformed(flow: Flow, cut: int) -> None:
    whole = stats_reply([flow], False)
    with pytest.raises(MalformedMessage):
        messages.read_flow_stats(whole[: max(17, len(whole) - cut)])
    with pytest.raises(MalformedMessage):
        list(messages.read_flow_counts(whole[: max(17, len(whole) - cut)]))


def packet_in(match: bytes, data: bytes) -> bytes:
    head = struct.pack("!IHBBQ", ofp.OFP_NO_BUFFER, len(data), 1, 30, 0xABCDEF)
    return messages.message(messages.PACKET_IN, 0, head + match + b"\0\0" + data)


def test_packet_in_is_read_wherever_the_port_stands_in_its_match() -> None:
    register = (1 << 16 | 4).to_bytes(4, "big") + bytes(4)
    port = (0x80000004).to_bytes(4, "big") + (7).to_bytes(4, "big")
    for tlvs in (port, register + port, port + register, register + register + port):
        match = struct.pack("!HH", 1, 4 + len(tlvs)) + tlvs
        match = match.ljust((len(match) + 7) // 8 * 8, b"\0")
        assert messages.read_packet_in(packet_in(match, b"frame")) == PacketIn(0xABCDEF, 30, 7, b"frame")
    without = struct.pack("!HHxxxx", 1, 4)
    assert messages.read_packet_in(packet_in(without, b"frame")) == PacketIn(0xABCDEF, 30, None, b"frame")


def test_port_status_is_read() -> None:
    port = struct.pack("!I4x6s2x16sIIIIIIII", 9, bytes(6), b"tap1", *range(8))
    for reason, deleted in ((0, False), (1, True), (2, False)):
        data = messages.message(messages.PORT_STATUS, 0, struct.pack("!B7x", reason) + port)
        assert messages.read_port_status(data) == PortStatus(deleted, 9, "tap1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (struct.pack("!HH", 5, 1), "OFPET_FLOW_MOD_FAILED(5) OFPFMFC_TABLE_FULL(1)"),
        (struct.pack("!HH", 4, 9) + bytes(64), "OFPET_BAD_MATCH(4) OFPBMC_BAD_PREREQ(9)"),
        (struct.pack("!HH", 99, 1), "Unknown(99)"),
        (struct.pack("!HHI", 0xFFFF, 2313, 0x4F4E4600), "ONFERR_ET_FAILED(2313)"),
        (struct.pack("!HHI", 0xFFFF, 9999, 0x4F4E4600), "ONF error(9999)"),
        (struct.pack("!HHI", 0xFFFF, 5, 0x2320), "Nicira error 5"),
        (struct.pack("!HHI", 0xFFFF, 5, 0x99), "experimenter 0x99"),
    ],
)
def test_errors_are_put_in_words(body: bytes, words: str) -> None:
    assert words in messages.read_error(messages.message(messages.ERROR, 1, body))


def test_bundle_control_is_told_from_other_experimenters() -> None:
    assert messages.read_bundle_control(messages.bundle_control(1, 5, messages.BUNDLE_COMMITTED)) == (5, 5)
    assert messages.read_bundle_control(messages.message(messages.EXPERIMENTER, 1, bytes(16))) is None
    assert messages.read_bundle_control(messages.message(messages.EXPERIMENTER, 1)) is None


@pytest.mark.parametrize(
    "reader",
    [
        messages.read_flow_stats,
        lambda data: list(messages.read_flow_counts(data)),
        messages.read_packet_in,
        messages.read_port_status,
        messages.read_error,
        messages.read_bundle_control,
    ],
)
@given(body=st.binary(max_size=120))
def test_nonsense_is_malformed_at_worst(reader: Callable[[bytes], Any], body: bytes) -> None:
    for data in (body, b"\0\1\0\0\0\0\0\0" + body):
        try:
            reader(messages.message(0, 1, data))
        except MalformedMessage as error:
            assert str(error)
