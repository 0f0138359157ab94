"""Our parsers of bytes that others send, each as a function that raises only where a parser broke its promise.

What a parser may raise is in its docstring, and is swallowed here; every other exception is a finding.
"""

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

from flows.fields import ARP_REQUEST
from flows.flow import Flow
from sdnapp.arp import parse as read_arp
from sdnapp.arp import request as ask_by_arp
from sdnapp.dhcp.packet import MalformedPacket, build, parse
from sdnapp.dhcp.responder import Reason, Refusal, respond
from sdnapp.openflow import messages, meter_messages
from sdnapp.ovsdb.jsonrpc import MessageStream, ProtocolError, Request
from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import MalformedRow
from sdnapp.router_icmp import Silence, report
from tests.clouds import SimulatedCloud
from tests.router_stories import joined
from tests.sdnapp.dhcp.messages import DISCOVER, request, service

CRASHES = Path(__file__).with_name("crashes")
SEEDS = Path(__file__).with_name("seeds")

_SERVICE = service()
_HEADERS = request(DISCOVER)[:282]
"""Ethernet, IPv4, UDP and BOOTP, up to the options."""
_SNAME_AT, _FILE_AT = 86, 150
_READERS = (
    messages.read_flow_stats,
    lambda data: list(messages.read_flow_counts(data)),
    messages.read_multipart_kind,
    messages.more_replies_follow,
    messages.read_bundle_control,
    messages.read_error,
    messages.read_port_status,
    meter_messages.read_features,
    meter_messages.read_config,
    meter_messages.read_stats,
)


def dhcp(data: bytes) -> None:
    """A frame from an instance to DHCP: Ethernet, IPv4, UDP, BOOTP and options."""
    answer = respond(data, _SERVICE)
    try:
        read = parse(data)
    except MalformedPacket as error:
        assert error.reason and isinstance(answer, Refusal) and answer.reason is Reason.MALFORMED
        return
    written = parse(build(read))
    assert (written.xid, written.chaddr, dict(written.options)) == (read.xid, read.chaddr, dict(read.options))
    if isinstance(answer, bytes):
        reply = parse(answer)
        assert (reply.xid, reply.chaddr) == (read.xid, read.chaddr)
    else:
        assert answer.reason is not Reason.MALFORMED


def dhcp_options(data: bytes) -> None:
    """The options of a DHCP message whose headers are sound, in all three fields that may hold some."""
    whole = bytearray(_HEADERS + data[192:])
    fields = data[:192].ljust(192, b"\0")
    whole[_SNAME_AT : _SNAME_AT + 64], whole[_FILE_AT : _FILE_AT + 128] = fields[:64], fields[64:]
    struct.pack_into("!H", whole, 16, min(len(whole) - 14, 0xFFFF))
    struct.pack_into("!H", whole, 38, min(len(whole) - 34, 0xFFFF))
    dhcp(bytes(whole))


def router_icmp(data: bytes) -> None:
    """A frame that a router's flow sent to the controller; the first byte says which flow."""
    cloud, flows = _routers()
    if data:
        frame = data[1:]
        answer = report(cloud.store, flows[data[0] % len(flows)], frame)
        assert isinstance(answer, Silence) or answer[:12] == frame[6:12] + frame[:6]


@cache
def _routers() -> tuple[SimulatedCloud, list[Flow]]:
    cloud = SimulatedCloud()
    joined(cloud)
    return cloud, sorted((flow for flow in cloud.engine.desired("hv1").values() if flow.feature == "icmp"), key=str)


def arp(data: bytes) -> None:
    """An ARP frame from a physical network or an instance, as parsed and as written by us."""
    said = read_arp(data)
    if said is not None and said.operation == ARP_REQUEST:
        again = read_arp(ask_by_arp(said.mac, said.address, said.target))
        assert again is not None and again[:4] == said[:4]


def packet_in(data: bytes) -> None:
    """The head of a packet-in, around whatever an instance sent."""
    try:
        read = messages.read_packet_in(data)
    except messages.MalformedMessage:
        return
    assert data.endswith(read.data)


def openflow(data: bytes) -> None:
    """Every other OpenFlow message that we read ourselves."""
    for read in _READERS:
        try:
            read(data)
        except messages.MalformedMessage:
            continue


def ovsdb(data: bytes) -> None:
    """A stream of OVSDB's JSON-RPC, whole and in two pieces, and the updates that it carries."""
    whole, halves = _messages(data), _messages(data[: len(data) // 2], data[len(data) // 2 :])
    assert whole == halves, "where a stream is cut makes no difference"
    replica = Replica()
    for message in whole if isinstance(whole, list) else ():
        if isinstance(message, Request):
            for value in message.params:
                for take in (replica.apply, replica.apply_differences):
                    try:
                        take(value)
                    except MalformedRow:
                        continue


def _messages(*pieces: bytes) -> object:
    stream, found = MessageStream(), []
    try:
        for piece in pieces:
            found += stream.feed(piece)
    except ProtocolError:
        return ProtocolError
    return found


Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {
    target.__name__: target for target in (dhcp, dhcp_options, arp, router_icmp, packet_in, openflow, ovsdb)
}
