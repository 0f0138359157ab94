"""DHCPv4 messages in Ethernet frames, to values and back (RFC 2131 section 2, RFC 2132, RFC 3396).

Addresses are bytes as on the wire. Reading trusts nothing: whatever is wrong raises ``MalformedPacket``. Checksums of
what is read are not verified: an instance's paravirtual interface leaves them to hardware that is not there, so that
the frames of healthy clients carry wrong ones. Frames that are written carry right ones.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

ETHERTYPE_IPV4 = 0x0800
UDP = 17
SERVER_PORT, CLIENT_PORT = 67, 68
BOOTREQUEST, BOOTREPLY = 1, 2
BROADCAST_FLAG = 0x8000
MAGIC_COOKIE = b"\x63\x82\x53\x63"

_CARRIER = Struct("!6s6sHBBHHHBBH4s4s")
"""Ethernet and IPv4 without options."""
_MESSAGE = Struct("!HHHHBBBBIHH4s4s4s4s16s64s128s4s")
"""UDP and BOOTP."""
_CHECKSUM = Struct("!H")
_ETHERNET_SIZE, _IPV4_SIZE, _UDP_SIZE = 14, 20, 8
_CHECKSUM_AT = 6
"""In the UDP header."""

HEADERS_SIZE = _IPV4_SIZE + _MESSAGE.size
"""Octets of an IP datagram before its options."""
_BOOTP_MINIMUM = 300
"""The least size of a BOOTP message (RFC 1542 section 2.1)."""
_PLAIN_IPV4 = 0x45
"""Version 4, five words of header."""
_NO_FRAGMENTS = 0x4000
_FRAGMENT = 0x3FFF
_TTL = 64
_ETHERNET_HARDWARE = (1, 6)
"""htype and hlen of Ethernet."""


class Code:
    """Numbers of the options that this server itself deals with (RFC 2132 unless said otherwise).

    Plain integers: members of an enumeration would take a quarter of the time of an answer.
    """

    PAD = 0
    NETMASK = 1
    ROUTER = 3
    DNS_SERVER = 6
    HOST_NAME = 12
    DOMAIN_NAME = 15
    MTU = 26
    BROADCAST = 28
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_ID = 54
    PARAMETER_REQUEST = 55
    MESSAGE = 56
    MAXIMUM_SIZE = 57
    T1 = 58
    T2 = 59
    CLIENT_ID = 61
    TFTP_SERVER = 66
    BOOT_FILE = 67
    RELAY_AGENT = 82  # RFC 3046
    CLASSLESS_ROUTES = 121  # RFC 3442
    TFTP_ADDRESS = 150  # RFC 5859
    MS_CLASSLESS_ROUTES = 249  # as 121, for clients that know only this number
    END = 255


class MessageType(IntEnum):
    """Values of option 53 (RFC 2132 section 9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


_EXACT_SIZES = {
    Code.REQUESTED_ADDRESS: 4,
    Code.MESSAGE_TYPE: 1,
    Code.SERVER_ID: 4,
    Code.MAXIMUM_SIZE: 2,
}
"""Options that are read here, and the octets that they must have."""
_MOST_CLIENT_ID = 255
"""A client identifier is sent back whole (RFC 6842); a longer one would not leave room for an answer."""


class MalformedPacket(Exception):
    """A frame that is no DHCPv4 message; ``reason`` says what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DhcpPacket(NamedTuple):
    """A DHCPv4 message and the headers that carry it. Options are in the order of the wire, each once."""

    eth_src: bytes
    eth_dst: bytes
    ip_src: bytes
    ip_dst: bytes
    op: int
    xid: int
    chaddr: bytes
    """The client's MAC address, 6 octets."""
    options: Mapping[int, bytes]
    udp_src: int = CLIENT_PORT
    udp_dst: int = SERVER_PORT
    hops: int = 0
    secs: int = 0
    flags: int = 0
    ciaddr: bytes = bytes(4)
    yiaddr: bytes = bytes(4)
    siaddr: bytes = bytes(4)
    giaddr: bytes = bytes(4)
    sname: bytes = b""
    """Without its terminating zero, at most 63 octets; empty where the field holds options."""
    file: bytes = b""
    """Likewise, at most 127 octets."""


def parse(frame: bytes) -> DhcpPacket:
    """Read a frame. Raises MalformedPacket."""
    if len(frame) < _CARRIER.size:
        raise MalformedPacket("shorter than its Ethernet and IPv4 headers")
    eth_dst, eth_src, eth_type, version, _, ip_size, _, fragment, _, protocol, _, ip_src, ip_dst = _CARRIER.unpack_from(
        frame
    )
    if eth_type != ETHERTYPE_IPV4:
        raise MalformedPacket("not IPv4")
    header_size = (version & 0xF) * 4
    if version >> 4 != 4 or header_size < _IPV4_SIZE:
        raise MalformedPacket("bad IPv4 version or header length")
    if protocol != UDP or fragment & _FRAGMENT:
        raise MalformedPacket("not a whole UDP datagram")
    udp_at, ip_end = _ETHERNET_SIZE + header_size, _ETHERNET_SIZE + ip_size
    options_at = udp_at + _MESSAGE.size
    if ip_end > len(frame) or ip_end < options_at:
        raise MalformedPacket("IPv4 total length does not fit a DHCP message")
    udp_src, udp_dst, udp_size, _, *bootp, cookie = _MESSAGE.unpack_from(frame, udp_at)
    op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file = bootp
    end = udp_at + udp_size
    if end > ip_end or end < options_at:
        raise MalformedPacket("UDP length does not fit a DHCP message")
    if htype != _ETHERNET_HARDWARE[0] or hlen != _ETHERNET_HARDWARE[1]:
        raise MalformedPacket("hardware address is not Ethernet's")
    if cookie != MAGIC_COOKIE:
        raise MalformedPacket("no magic cookie")
    options, overloaded = _parse_options(frame[options_at:end], sname, file)
    return DhcpPacket(
        eth_src,
        eth_dst,
        ip_src,
        ip_dst,
        op,
        xid,
        chaddr[:6],
        options,
        udp_src,
        udp_dst,
        hops,
        secs,
        flags,
        ciaddr,
        yiaddr,
        siaddr,
        giaddr,
        # A client that fills a field leaves no room for the zero, which ends it all the same.
        b"" if overloaded & 2 else sname[:63].split(b"\0", 1)[0],
        b"" if overloaded & 1 else file[:127].split(b"\0", 1)[0],
    )


def _parse_options(area: bytes, sname: bytes, file: bytes) -> tuple[dict[int, bytes], int]:
    """Return the options and which other fields hold some (1: file, 2: sname).

    A value's parts are joined in the order options, file, sname (RFC 3396 section 5).
    """
    options: dict[int, bytes] = {}
    parts: dict[int, list[bytes]] = {}
    _collect(area, options, parts)
    overloaded = 0
    if Code.OVERLOAD in options:
        overload = b"".join(parts.pop(Code.OVERLOAD, [options[Code.OVERLOAD]]))
        del options[Code.OVERLOAD]
        if overload not in (b"\1", b"\2", b"\3"):
            raise MalformedPacket("option 52 (overload) is none of 1, 2, 3")
        overloaded = overload[0]
        if overloaded & 1:
            _collect(file, options, parts)
        if overloaded & 2:
            _collect(sname, options, parts)
        if Code.OVERLOAD in options:
            raise MalformedPacket("option 52 (overload) is in an overloaded field")
    for code, values in parts.items():
        options[code] = b"".join(values)
    for code, size in _EXACT_SIZES.items():
        value = options.get(code)
        if value is not None and len(value) != size:
            raise MalformedPacket(f"option {code:d} has {len(value)} octets, not {size}")
    if len(options.get(Code.CLIENT_ID, b"")) > _MOST_CLIENT_ID:
        raise MalformedPacket("option 61 (client identifier) is too long")
    return options, overloaded


def _collect(area: bytes, options: dict[int, bytes], parts: dict[int, list[bytes]]) -> None:
    """Add the options of an area; all parts of those that come in several are in ``parts``, too."""
    position, size = 0, len(area)
    while position < size:
        code = area[position]
        position += 1
        if code == Code.PAD:
            continue
        if code == Code.END:
            return
        if position == size:
            raise MalformedPacket(f"option {code} has no length")
        start = position + 1
        position = start + area[position]
        if position > size:
            raise MalformedPacket(f"option {code} is longer than what holds it")
        value = area[start:position]
        if code in options:
            parts.setdefault(code, [options[code]]).append(value)
        else:
            options[code] = value


def options_size(options: Iterable[bytes]) -> int:
    """Return how many octets options with these values take, without the end option."""
    return sum(len(value) + 2 * max(1, -(-len(value) // 255)) for value in options)


def encode_options(options: Mapping[int, bytes]) -> bytes:
    """Write options in the order given, with the end option; values over 255 octets are split (RFC 3396 section 4)."""
    parts = []
    for code, value in options.items():
        if len(value) <= 255:
            parts.append(bytes((code, len(value))) + value)
        else:
            for start in range(0, len(value), 255):
                part = value[start : start + 255]
                parts.append(bytes((code, len(part))) + part)
    parts.append(b"\xff")
    return b"".join(parts)


def build(packet: DhcpPacket, options: bytes | None = None) -> bytes:
    """Write a frame; ``options`` are the packet's as ``encode_options`` writes them, where that has been done.

    Raises ValueError if sname or file do not fit their fields with a terminating zero.
    """
    if len(packet.sname) > 63 or len(packet.file) > 127:
        raise ValueError("sname holds at most 63 octets and file 127")
    if options is None:
        options = encode_options(packet.options)
    udp_size = _UDP_SIZE + max(_BOOTP_MINIMUM, _MESSAGE.size - _UDP_SIZE + len(options))
    head = _MESSAGE.pack(
        packet.udp_src,
        packet.udp_dst,
        udp_size,
        0,
        packet.op,
        *_ETHERNET_HARDWARE,
        packet.hops,
        packet.xid,
        packet.secs,
        packet.flags,
        packet.ciaddr,
        packet.yiaddr,
        packet.siaddr,
        packet.giaddr,
        packet.chaddr,
        packet.sname,
        packet.file,
        MAGIC_COOKIE,
    )
    message = (head + options).ljust(udp_size, b"\0")
    ends = int.from_bytes(packet.ip_src + packet.ip_dst, "big")
    # RFC 768: with a pseudo-header; zero means no checksum, so that a checksum of zero is sent as all ones.
    udp_checksum = _checksum(ends + UDP + udp_size + _words(message)) or 0xFFFF
    ip_size = _IPV4_SIZE + udp_size
    carrier = _CARRIER.pack(
        packet.eth_dst,
        packet.eth_src,
        ETHERTYPE_IPV4,
        _PLAIN_IPV4,
        0,
        ip_size,
        0,
        _NO_FRAGMENTS,
        _TTL,
        UDP,
        _checksum((_PLAIN_IPV4 << 8) + ip_size + _NO_FRAGMENTS + (_TTL << 8 | UDP) + ends),
        packet.ip_src,
        packet.ip_dst,
    )
    return b"".join(
        (carrier, message[:_CHECKSUM_AT], _CHECKSUM.pack(udp_checksum), message[_CHECKSUM_AT + _CHECKSUM.size :])
    )


def internet_checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071 over data that is not all zero."""
    return _checksum(_words(data))


def _words(data: bytes) -> int:
    """Return 16-bit words as one number."""
    return int.from_bytes(data if len(data) % 2 == 0 else data + b"\0", "big")


def _checksum(total: int) -> int:
    """Return the checksum of words, given their sum or what is congruent to it.

    A one's complement sum of 16-bit words is the remainder of the whole, taken as one number, by 0xFFFF.
    """
    return 0xFFFF - (total % 0xFFFF or 0xFFFF)
