"""Whatever arrives, a port's DHCP answers or refuses, and never raises."""

import random
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from sdnapp.dhcp.packet import DhcpPacket, MalformedPacket, build, parse
from sdnapp.dhcp.responder import Reason, Refusal, respond
from tests.sdnapp.dhcp.messages import DISCOVER, INFORM, MAC, NAK, REQUEST, address, read, request, service
from topology.values import DhcpOption, Route

_SERVICES = [
    service(),
    service(
        subnet={"gateway_ip": None, "host_routes": tuple(Route(f"10.{n}.0.0/16", "10.0.0.9") for n in range(60))},
        port={"extra_dhcp_opts": (DhcpOption("43", ":".join(["ff"] * 200)), DhcpOption("66", "x" * 200))},
        network={"mtu": 68},
    ),
]
_VALID = [
    request(DISCOVER, {50: address("10.0.0.5"), 55: bytes(range(1, 255)), 57: b"\x05\xdc", 61: b"\1abcdef"}),
    request(REQUEST, {54: address("10.0.0.1"), 50: address("10.0.0.5"), 55: b"\1\3\6\x79"}),
    request(REQUEST, ciaddr="10.0.0.5", src="10.0.0.5", dst="10.0.0.1"),
    request(INFORM, {52: b"\3"}, ciaddr="10.0.0.5", src="10.0.0.5"),
]


def _check(frame: bytes) -> None:
    try:
        parse(frame)
        malformed = False
    except MalformedPacket as error:
        malformed = True
        assert error.reason
    for served in _SERVICES:
        answer = respond(frame, served)
        if isinstance(answer, Refusal):
            assert (answer.reason is Reason.MALFORMED) == malformed
        else:
            _check_reply(answer, served)


def _check_reply(answer: bytes, served) -> None:
    """A reply is whole, fits, and gives the port nothing but its own addresses."""
    reply = read(answer)
    assert reply.ipv4.total_length <= max(576, served.mtu)
    if reply.dhcp.yiaddr != "0.0.0.0":
        lease = next(lease for lease in served.leases if lease.address == address(reply.dhcp.yiaddr))
        assert reply.options[54] == lease.server_id
        assert {51, 1} <= set(reply.options)
    else:
        assert 51 not in reply.options
    if reply.type != NAK:
        assert 1 in reply.options


@given(st.binary(max_size=700))
def test_any_bytes(frame):
    _check(frame)


@given(st.sampled_from(_VALID), st.randoms(use_true_random=False), st.integers(1, 12))
@settings(max_examples=300)
def test_mutated_frames(frame, rng: random.Random, mutations):
    mutated = bytearray(frame)
    for _ in range(mutations):
        at = rng.randrange(len(mutated) + 1)
        match rng.randrange(4):
            case 0 if at < len(mutated):
                mutated[at] ^= 1 << rng.randrange(8)
            case 1:
                del mutated[at : at + rng.randrange(8)]
            case 2:
                mutated[at:at] = rng.randbytes(rng.randrange(8))
            case _:
                mutated[at : at + 1] = rng.choice((b"\0", b"\xff", b"\x34", b"\x7f"))
        if not mutated:
            break
    _check(bytes(mutated))


@given(st.sampled_from(_VALID), st.binary(max_size=600), st.binary(max_size=64), st.binary(max_size=128))
@settings(max_examples=300)
def test_any_option_areas_in_sound_headers(frame, options, sname, file):
    whole = bytearray(frame[:282] + options)
    whole[86 : 86 + len(sname)] = sname
    whole[150 : 150 + len(file)] = file
    struct.pack_into("!H", whole, 16, len(whole) - 14)
    struct.pack_into("!H", whole, 38, len(whole) - 34)
    _check(bytes(whole))


_addresses = st.sampled_from(["0.0.0.0", "10.0.0.5", "10.2.3.4", "10.0.0.1", "169.254.169.253", "255.255.255.255"]).map(
    address
)
_options = st.fixed_dictionaries(
    {53: st.integers(0, 9).map(lambda number: bytes((number,)))},
    optional={
        50: _addresses,
        54: _addresses,
        55: st.binary(max_size=300),
        57: st.binary(min_size=2, max_size=2),
        61: st.binary(max_size=255),
        12: st.binary(max_size=300),
    },
)


@given(_options, _addresses, _addresses, st.sampled_from([0, 0x8000, 0xFFFF]))
@settings(max_examples=300)
def test_any_conversation(options, ciaddr, source, flags):
    mac = bytes.fromhex(MAC.replace(":", ""))
    _check(
        build(
            DhcpPacket(
                eth_src=mac,
                eth_dst=b"\xff" * 6,
                ip_src=source,
                ip_dst=b"\xff" * 4,
                op=1,
                xid=7,
                chaddr=mac,
                options=options,
                ciaddr=ciaddr,
                flags=flags,
            )
        )
    )
