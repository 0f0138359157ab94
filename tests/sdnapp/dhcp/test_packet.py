"""Frames to values and back; whatever is wrong with a frame is told as MalformedPacket."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnapp.dhcp.packet import (
    DhcpPacket,
    MalformedPacket,
    build,
    encode_options,
    internet_checksum,
    options_size,
    parse,
)
from tests.sdnapp.dhcp.messages import DISCOVER, MAC, address, ones_complement_sum, read, request

_octets4, _octets6 = st.binary(min_size=4, max_size=4), st.binary(min_size=6, max_size=6)
_u8, _u16 = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
_sizes = {50: 4, 53: 1, 54: 4, 57: 2}


def _names(most: int):
    return st.binary(max_size=most).filter(lambda name: 0 not in name)


@st.composite
def _options(draw):
    codes = draw(st.lists(st.integers(1, 254).filter(lambda code: code != 52), unique=True, max_size=12))
    options = {}
    for code in codes:
        size = _sizes.get(code)
        longest = 255 if code == 61 else 600
        options[code] = draw(st.binary(min_size=size or 0, max_size=size or longest))
    return options


packets = st.builds(
    DhcpPacket,
    eth_src=_octets6,
    eth_dst=_octets6,
    ip_src=_octets4,
    ip_dst=_octets4,
    op=_u8,
    xid=st.integers(0, 0xFFFFFFFF),
    chaddr=_octets6,
    options=_options(),
    udp_src=_u16,
    udp_dst=_u16,
    hops=_u8,
    secs=_u16,
    flags=_u16,
    ciaddr=_octets4,
    yiaddr=_octets4,
    siaddr=_octets4,
    giaddr=_octets4,
    sname=_names(63),
    file=_names(127),
)


@given(packets)
def test_what_is_built_is_parsed(packet):
    frame = build(packet)
    parsed = parse(frame)
    assert parsed == packet
    assert list(parsed.options) == list(packet.options)
    assert ones_complement_sum(frame[14:34]) == 0xFFFF
    assert ones_complement_sum(frame[26:34] + b"\0\x11" + frame[38:40] + frame[34:]) == 0xFFFF


@given(_options())
def test_options_size_is_what_encoding_takes(options):
    assert options_size(options.values()) == len(encode_options(options)) - 1


@pytest.mark.parametrize("size, parts", [(0, 1), (255, 1), (256, 2), (510, 2), (511, 3)])
def test_long_values_are_split(size, parts):
    encoded = encode_options({43: bytes(size)})
    assert len(encoded) - 1 == options_size([bytes(size)]) == size + 2 * parts
    assert parse(_frame(encoded)).options == {43: bytes(size)}


@given(st.binary(min_size=1, max_size=64).filter(any))
def test_checksum_word_by_word(data):
    assert internet_checksum(data) == 0xFFFF - ones_complement_sum(data)


def test_checksum_of_all_ones_is_zero():
    assert internet_checksum(b"\xff\xff") == internet_checksum(b"\x12\x34\xed\xcb") == 0


def test_a_client_frame_of_another_library_is_parsed():
    frame = request(
        DISCOVER, {50: address("10.0.0.5"), 55: b"\1\3\6"}, secs=7, flags=0x8000, hops=1, src="10.0.0.9", dst="10.0.0.1"
    )
    parsed = parse(frame)
    assert (parsed.xid, parsed.secs, parsed.flags, parsed.hops) == (0x1234ABCD, 7, 0x8000, 1)
    assert (parsed.ip_src, parsed.ip_dst, parsed.udp_src, parsed.udp_dst) == (b"\n\0\0\x09", b"\n\0\0\1", 68, 67)
    assert parsed.chaddr.hex(":") == parsed.eth_src.hex(":") == MAC
    assert parsed.options == {53: b"\1", 50: b"\n\0\0\5", 55: b"\1\3\6"}


def test_another_library_reads_what_is_built():
    frame = build(parse(request(DISCOVER))._replace(sname=b"boot.example.org", file=b"pxelinux.0", siaddr=b"\n\0\0\7"))
    reply = read(frame)
    assert reply.dhcp.sname.rstrip("\0") == "boot.example.org"
    assert reply.dhcp.boot_file.rstrip("\0") == "pxelinux.0"
    assert reply.dhcp.siaddr == "10.0.0.7"


def test_a_checksum_of_zero_is_sent_as_all_ones():
    packet = parse(request(DISCOVER))._replace(secs=0)
    checksum = struct.unpack_from("!H", build(packet), 40)[0]
    # The one's complement sum grows by what secs grows; the checksum reaches zero just there.
    assert struct.unpack_from("!H", build(packet._replace(secs=checksum)), 40)[0] == 0xFFFF


@pytest.mark.parametrize("field, size", [("sname", 64), ("file", 128)])
def test_a_name_that_does_not_fit_is_not_cut(field, size):
    with pytest.raises(ValueError, match="at most 63"):
        build(parse(request(DISCOVER))._replace(**{field: b"x" * size}))


# Where the option area of a frame begins; before it, from 86, sname, from 150, file, and from 278, the magic cookie.
OPTIONS_AT = 282


def _frame(options: bytes, sname: bytes = b"", file: bytes = b"") -> bytes:
    """A client's frame with the octets of its option areas as given."""
    frame = bytearray(request(DISCOVER)[:OPTIONS_AT] + options)
    struct.pack_into("!H", frame, 16, len(frame) - 14)
    struct.pack_into("!H", frame, 38, len(frame) - 34)
    frame[86 : 86 + len(sname)] = sname
    frame[150 : 150 + len(file)] = file
    return bytes(frame)


def _with(at: int, octets: bytes) -> bytes:
    frame = bytearray(request(DISCOVER, {50: address("10.0.0.5")}))
    frame[at : at + len(octets)] = octets
    return bytes(frame)


@pytest.mark.parametrize(
    "options, sname, file, expected",
    [
        (b"\x35\1\1\xff", b"name", b"boot", {53: b"\1"}),
        (b"\0\0\x35\1\1\0\0\xff\x0c\1x", b"", b"", {53: b"\1"}),
        (b"\x35\1\1", b"", b"", {53: b"\1"}),
        (b"\x3c\0\xff", b"", b"", {60: b""}),
        (b"\x35\1\1\x0c\2ab\x3c\1v\x0c\2cd\xff", b"", b"", {53: b"\1", 12: b"abcd", 60: b"v"}),
        (b"\x34\1\1\x35\1\1\xff", b"name", b"\x0c\2ab\xff", {53: b"\1", 12: b"ab"}),
        (b"\x34\1\2\x35\1\1\xff", b"\x0c\2ab\xff", b"boot", {53: b"\1", 12: b"ab"}),
        # RFC 3396 section 5: options, then file, then sname.
        (b"\x34\1\3\x0c\2ab\xff", b"\x0c\1e\xff", b"\x0c\2cd\xff", {12: b"abcde"}),
        # Neither padding nor an end within one area ends the others.
        (b"\x34\1\3\xff", b"\0\0\x35\1\1", b"\xff\x35\1\2", {53: b"\1"}),
    ],
    ids=["plain", "padding", "no-end", "empty-value", "concatenated", "file", "sname", "both", "areas"],
)
def test_option_areas(options, sname, file, expected):
    parsed = parse(_frame(options, sname, file))
    assert parsed.options == expected
    overloaded = options[2] if options[0] == 0x34 else 0
    assert parsed.sname == (b"" if overloaded & 2 else sname)
    assert parsed.file == (b"" if overloaded & 1 else file)


@pytest.mark.parametrize(
    "frame, reason",
    [
        (b"", "shorter"),
        (bytes(33), "shorter"),
        (_with(12, b"\x08\x06"), "not IPv4"),
        (_with(14, b"\x65"), "version"),
        (_with(14, b"\x44"), "header length"),
        (_with(14, b"\x4f"), "total length"),
        (_with(16, b"\x00\x20"), "total length"),
        (_with(16, b"\xff\xff"), "total length"),
        (_with(20, b"\x20\x00"), "whole UDP"),
        (_with(20, b"\x00\x10"), "whole UDP"),
        (_with(23, b"\x06"), "whole UDP"),
        (_with(38, b"\x00\x08"), "UDP length"),
        (_with(38, b"\xff\xff"), "UDP length"),
        (_with(43, b"\x20"), "not Ethernet"),
        (_with(44, b"\x10"), "not Ethernet"),
        (_with(278, b"\x63\x82\x53\x00"), "cookie"),
        (_frame(b"\x35"), "no length"),
        (_frame(b"\x35\2\1"), "longer than"),
        (_frame(b"\x35\2\1\1\xff"), "option 53 has 2 octets, not 1"),
        (_frame(b"\x35\0\xff"), "option 53 has 0 octets, not 1"),
        (_frame(b"\x35\1\1\x35\1\1\xff"), "option 53 has 2 octets, not 1"),
        (_frame(b"\x32\3\1\1\1\xff"), "option 50"),
        (_frame(b"\x36\5\1\1\1\1\1\xff"), "option 54"),
        (_frame(b"\x39\1\1\xff"), "option 57"),
        (_frame(b"\x34\1\0\xff"), "overload"),
        (_frame(b"\x34\1\4\xff"), "overload"),
        (_frame(b"\x34\0\xff"), "overload"),
        (_frame(b"\x34\1\1\xff", file=b"\x34\1\1"), "overloaded field"),
        (_frame(b"\x34\1\1\xff", file=b"\x0c\xff"), "longer than"),
        (_frame(b"\x3d\xff" + bytes(255) + b"\x3d\1\1\xff"), "client identifier"),
    ],
)
def test_malformed(frame, reason):
    with pytest.raises(MalformedPacket, match=reason):
        parse(frame)


def test_header_options_and_trailing_padding_are_passed_over():
    plain = request(DISCOVER)
    frame = bytearray(plain[:34] + b"\x94\x04\x00\x00" + plain[34:] + bytes(9))
    frame[14] = 0x46
    struct.pack_into("!H", frame, 16, len(plain) - 14 + 4)
    assert parse(bytes(frame)) == parse(plain)


def test_what_follows_the_datagram_holds_no_options():
    assert parse(_frame(b"\x35\1\1") + b"\x0c\1x").options == {53: b"\1"}


def test_what_follows_the_udp_length_holds_no_options():
    frame = bytearray(_frame(b"\x35\1\1\x0c\1x"))
    struct.pack_into("!H", frame, 38, len(frame) - 34 - 3)
    assert parse(bytes(frame)).options == {53: b"\1"}


def test_a_checksum_left_to_hardware_is_no_reason_to_drop():
    assert parse(_with(40, b"\x12\x34")) == parse(_with(40, b"\x00\x00"))


def test_thousands_of_repeated_options_are_read_in_linear_time():
    assert len(parse(_frame(b"\x0c\1x" * 20000 + b"\xff")).options[12]) == 20000
