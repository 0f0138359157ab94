"""Packets of the simulator as the bytes of Ethernet frames, and back; and their Geneve and VXLAN envelopes.

Formats: RFC 826 (ARP), RFC 791 (IPv4), RFC 792 (ICMP), RFC 9293 (TCP), RFC 768 (UDP), RFC 8926 (Geneve),
RFC 7348 (VXLAN).
"""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from flows.fields import (
    ETH_TYPE_ARP,
    ETH_TYPE_IPV4,
    ETH_TYPE_VLAN,
    FIRST_FRAGMENT,
    IP_PROTO_ICMP,
    IP_PROTO_TCP,
    IP_PROTO_UDP,
    LATER_FRAGMENT,
    VLAN_PRESENT,
    mac_to_int,
)
from flows.packets import ETH_TYPE_IPV6, INITIAL_TTL, FiveTuple, Packet
from flows.simulated_connections import ICMP_ERRORS
from topology.addressing import int_to_mac

UDP_PORTS = {"geneve": 6081, "vxlan": 4789}
_ETHERNET_IN_GENEVE = 0x6558
_HEADERS = 14 + 20
"""Bytes of Ethernet and IPv4."""
_LARGE = 1300
"""Bytes from which a frame's size is a part of what the simulator's packets say."""
_FRAGMENT_SIZE = 1240
"""Bytes in the first of two fragments, IPv4 header apart: Open vSwitch takes smaller ones for an attack."""
_MORE_FRAGMENTS, _DO_NOT_FRAGMENT = 0x2000, 0x4000
_TCP_ACK = 0x10


def to_bytes(packet: Packet) -> bytes:
    """Return the frame of a packet; headers that the pipeline does not look into are plain and valid."""
    tags = ([packet["vlan_vid"]] if "vlan_vid" in packet else []) + list(packet.inner_vlans)
    frame = packet["eth_dst"].to_bytes(6, "big") + packet["eth_src"].to_bytes(6, "big")
    for tag in tags:
        frame += struct.pack("!HH", ETH_TYPE_VLAN, tag & 0xFFF)
    kind = packet["eth_type"]
    return frame + struct.pack("!H", kind) + _CONTENT.get(kind, lambda _: bytes(46))(packet)


def from_bytes(frame: bytes) -> Packet:
    """Return the packet that a frame carries."""
    fields = {"eth_dst": int.from_bytes(frame[:6], "big"), "eth_src": int.from_bytes(frame[6:12], "big")}
    tags, at, quoted = [], 12, None
    (kind,) = struct.unpack_from("!H", frame, at)
    while kind == ETH_TYPE_VLAN:
        tag, kind = struct.unpack_from("!HH", frame, at + 2)
        tags.append(VLAN_PRESENT | tag & 0xFFF)
        at += 4
    fields["eth_type"], at = kind, at + 2
    if kind == ETH_TYPE_ARP:
        names = ("arp_op", "arp_sha", "arp_spa", "arp_tha", "arp_tpa")
        op, sha, spa, tha, tpa = struct.unpack_from("!6xH6s4s6s4s", frame, at)
        fields |= dict(zip(names, (op, *(int.from_bytes(x, "big") for x in (sha, spa, tha, tpa))), strict=True))
    elif kind == ETH_TYPE_IPV4:
        header = struct.unpack_from("!8xBBxxII", frame, at)
        fields |= dict(zip(("ip_ttl", "ip_proto", "ipv4_src", "ipv4_dst"), header, strict=True))
        (place,) = struct.unpack_from("!6xH", frame, at)
        place &= ~_DO_NOT_FRAGMENT
        if place:
            fields["ip_frag"] = FIRST_FRAGMENT if place == _MORE_FRAGMENTS else LATER_FRAGMENT
        names = _PORT_FIELDS.get(fields["ip_proto"])
        if names and fields.get("ip_frag") != LATER_FRAGMENT:
            form = "!BB" if fields["ip_proto"] == IP_PROTO_ICMP else "!HH"
            fields |= dict(zip(names, struct.unpack_from(form, frame, at + 20), strict=True))
        if fields.get("icmp_type") in ICMP_ERRORS:
            quoted = _quoted(frame[at + 28 :])
    if len(frame) - 4 * len(tags) >= _LARGE:
        fields["size"] = len(frame) - 4 * len(tags)
    if tags:
        fields["vlan_vid"] = tags[0]
    return Packet(fields, tuple(tags[1:]), quoted)


class Envelope(NamedTuple):
    """A tunnelled frame: outer addresses, encapsulation, VNI and the frame within."""

    source: str
    target: str
    encapsulation: str
    tun_id: int
    frame: bytes


def seal(envelope: Envelope, mac: str, to_mac: str) -> bytes:
    """Return the outer frame that carries an envelope between two MAC addresses."""
    if envelope.encapsulation == "geneve":
        header = struct.pack("!BBHI", 0, 0, _ETHERNET_IN_GENEVE, envelope.tun_id << 8)
    else:
        header = struct.pack("!II", 0x08000000, envelope.tun_id << 8)
    content = header + envelope.frame
    datagram = struct.pack("!HHHH", 50000, UDP_PORTS[envelope.encapsulation], 8 + len(content), 0) + content
    source, target = int(IPv4Address(envelope.source)), int(IPv4Address(envelope.target))
    ethernet = mac_to_int(to_mac).to_bytes(6, "big") + mac_to_int(mac).to_bytes(6, "big")
    return ethernet + struct.pack("!H", ETH_TYPE_IPV4) + _ipv4_header(source, target, IP_PROTO_UDP, datagram) + datagram


def unseal(frame: bytes) -> Envelope:
    """Return what an outer frame carries. Raises ValueError for one that carries no tunnelled frame."""
    outer = from_bytes(frame)
    encapsulations = {port: name for name, port in UDP_PORTS.items()}
    if (encapsulation := encapsulations.get(outer.get("udp_dst", 0))) is None:
        raise ValueError(f"{outer} is no tunnel's")
    at = 14 + 20 + 8
    options = (frame[at] & 0x3F) * 4 if encapsulation == "geneve" else 0
    tun_id = struct.unpack_from("!I", frame, at + 4)[0] >> 8
    source, target = str(IPv4Address(outer["ipv4_src"])), str(IPv4Address(outer["ipv4_dst"]))
    return Envelope(source, target, encapsulation, tun_id, frame[at + 8 + options :])


def mac_text(frame: bytes) -> str:
    """Return the destination MAC address of a frame."""
    return int_to_mac(int.from_bytes(frame[:6], "big"))


def _arp(packet: Packet) -> bytes:
    sha, spa, tha, tpa = (packet[name] for name in ("arp_sha", "arp_spa", "arp_tha", "arp_tpa"))
    return struct.pack(
        "!HHBBH6s4s6s4s",
        *(1, ETH_TYPE_IPV4, 6, 4, packet["arp_op"]),
        *(sha.to_bytes(6, "big"), spa.to_bytes(4, "big"), tha.to_bytes(6, "big"), tpa.to_bytes(4, "big")),
    )


def _ipv4(packet: Packet) -> bytes:
    source, target, protocol, first, second = packet.five_tuple
    if protocol == IP_PROTO_UDP:
        content = struct.pack("!HHHH", first, second, 12, 0) + b"data"
    elif protocol == IP_PROTO_TCP:
        content = struct.pack("!HHIIBBHHH", first, second, 1, 1, 5 << 4, _TCP_ACK, 8192, 0, 0)
        pseudo_header = struct.pack("!IIHH", source, target, protocol, len(content))
        content = content[:16] + struct.pack("!H", checksum(pseudo_header + content)) + content[18:]
    elif protocol == IP_PROTO_ICMP:
        content = struct.pack("!BBHI", first, second, 0, 0) + (_quote(packet.quoted) if packet.quoted else bytes(8))
        content = content[:2] + struct.pack("!H", checksum(content)) + content[4:]
    else:
        content = bytes(16)
    if "size" in packet:
        content = content.ljust(packet["size"] - _HEADERS, b"\0")
        if protocol == IP_PROTO_UDP:
            content = content[:4] + struct.pack("!H", len(content)) + content[6:]
    fragment = packet.get("ip_frag", 0)
    if fragment == FIRST_FRAGMENT:
        content, place = content.ljust(_FRAGMENT_SIZE, b"\0"), _MORE_FRAGMENTS
        if protocol == IP_PROTO_UDP:
            content = content[:4] + struct.pack("!H", _FRAGMENT_SIZE + 16) + content[6:]
    elif fragment == LATER_FRAGMENT:
        content, place = bytes(16), _FRAGMENT_SIZE // 8
    else:
        place = 0
    ttl = packet.get("ip_ttl", INITIAL_TTL)
    return _ipv4_header(source, target, protocol, content, place, ttl) + content


def _quote(about: FiveTuple) -> bytes:
    """Return the header and the first 8 bytes of a packet, as an ICMP error has them."""
    form = "!BB6x" if about.ip_proto == IP_PROTO_ICMP else "!HHHH"
    rest = () if about.ip_proto == IP_PROTO_ICMP else (8, 0)
    content = struct.pack(form, about.tp_src, about.tp_dst, *rest)
    return _ipv4_header(about.ipv4_src, about.ipv4_dst, about.ip_proto, content, 0) + content


def _quoted(content: bytes) -> FiveTuple | None:
    """Return what an ICMP error is about, if it says so."""
    if not any(content[:20]):
        return None
    protocol, source, target = struct.unpack_from("!9xBxxII", content)
    form = "!BB" if protocol == IP_PROTO_ICMP else "!HH"
    ports = struct.unpack_from(form, content, 20) if protocol in _PORT_FIELDS else (0, 0)
    return FiveTuple(source, target, protocol, *ports)


def _ipv4_header(
    source: int, target: int, protocol: int, content: bytes, place: int = 0, ttl: int = INITIAL_TTL
) -> bytes:
    """Return a header; ``place`` is the field of flags and fragment offset."""
    header = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(content), 0, place, ttl, protocol, 0, source, target)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]


def checksum(content: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(content) // 2}H", content))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def _ipv6(packet: Packet) -> bytes:
    no_next_header = 59
    return struct.pack("!IHBB", 6 << 28, 0, no_next_header, 64) + bytes(32)


_PORT_FIELDS = {
    IP_PROTO_ICMP: ("icmp_type", "icmp_code"),
    IP_PROTO_TCP: ("tcp_src", "tcp_dst"),
    IP_PROTO_UDP: ("udp_src", "udp_dst"),
}
_CONTENT = {ETH_TYPE_ARP: _arp, ETH_TYPE_IPV4: _ipv4, ETH_TYPE_IPV6: _ipv6}
