"""Packets of the simulator as the bytes of Ethernet frames, and back; and their Geneve and VXLAN envelopes.

Formats: RFC 826 (ARP), RFC 791 (IPv4), RFC 768 (UDP), RFC 8926 (Geneve), RFC 7348 (VXLAN).
"""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from flows.fields import (
    ETH_TYPE_ARP,
    ETH_TYPE_IPV4,
    ETH_TYPE_VLAN,
    IP_PROTO_UDP,
    VLAN_PRESENT,
    mac_to_int,
)
from flows.packets import ETH_TYPE_IPV6, Packet
from topology.addressing import int_to_mac

UDP_PORTS = {"geneve": 6081, "vxlan": 4789}
_ETHERNET_IN_GENEVE = 0x6558


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
    tags, at = [], 12
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
        fields["ip_proto"], fields["ipv4_src"], fields["ipv4_dst"] = struct.unpack_from("!9xBxxII", frame, at)
        if fields["ip_proto"] == IP_PROTO_UDP:
            fields["udp_src"], fields["udp_dst"] = struct.unpack_from("!HH", frame, at + 20)
    if tags:
        fields["vlan_vid"] = tags[0]
    return Packet(fields, tuple(tags[1:]))


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
    if packet["ip_proto"] == IP_PROTO_UDP:
        content = struct.pack("!HHHH", packet["udp_src"], packet["udp_dst"], 12, 0) + b"data"
    else:
        content = b"\x08" + bytes(15)
    return _ipv4_header(packet["ipv4_src"], packet["ipv4_dst"], packet["ip_proto"], content) + content


def _ipv4_header(source: int, target: int, protocol: int, content: bytes) -> bytes:
    header = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(content), 0, 0, 64, protocol, 0, source, target)
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return header[:10] + struct.pack("!H", checksum) + header[12:]


def _ipv6(packet: Packet) -> bytes:
    no_next_header = 59
    return struct.pack("!IHBB", 6 << 28, 0, no_next_header, 64) + bytes(32)


_CONTENT = {ETH_TYPE_ARP: _arp, ETH_TYPE_IPV4: _ipv4, ETH_TYPE_IPV6: _ipv6}
