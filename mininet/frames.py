"""Ethernet frames as bytes: read what matters in a check, and make the odd one that a guest's kernel would not send."""

import socket
import struct
from dataclasses import dataclass

ETH_IPV4 = 0x0800
ETH_ARP = 0x0806
ETH_VLAN = 0x8100
BROADCAST = "ff:ff:ff:ff:ff:ff"
GENEVE_PORT = 6081
VXLAN_PORT = 4789
DHCP_PORTS = {67, 68}


@dataclass(frozen=True)
class Frame:
    """An Ethernet frame, taken apart as far as asked. MAC and IPv4 addresses are text."""

    data: bytes

    @property
    def destination(self) -> str:
        """The MAC address that it is for."""
        return self.data[0:6].hex(":")

    @property
    def source(self) -> str:
        """The MAC address that it is from."""
        return self.data[6:12].hex(":")

    @property
    def vlan(self) -> int | None:
        """The VLAN id of a tagged frame."""
        return struct.unpack_from("!H", self.data, 14)[0] & 0xFFF if self._is_tagged else None

    @property
    def ethertype(self) -> int:
        """What the frame carries, behind a VLAN tag if there is one."""
        return int(struct.unpack_from("!H", self.data, 16 if self._is_tagged else 12)[0])

    @property
    def payload(self) -> bytes:
        """What follows the Ethernet header and tag."""
        return self.data[18 if self._is_tagged else 14 :]

    @property
    def is_arp_request(self) -> bool:
        """Whether it asks for a MAC address."""
        return self._arp_operation == 1

    @property
    def is_arp_reply(self) -> bool:
        """Whether it tells a MAC address."""
        return self._arp_operation == 2

    @property
    def udp_ports(self) -> tuple[int, int] | None:
        """Source and destination port of an unfragmented UDP packet over IPv4."""
        datagram = self._udp
        return struct.unpack_from("!HH", datagram) if datagram else None

    @property
    def is_dhcp(self) -> bool:
        """Whether it is from or to a DHCP port."""
        return bool(DHCP_PORTS.intersection(self.udp_ports or ()))

    @property
    def inner(self) -> "Frame | None":
        """The tenant's frame inside Geneve (RFC 8926) or VXLAN (RFC 7348)."""
        ports = self.udp_ports
        if ports is None or ports[1] not in (GENEVE_PORT, VXLAN_PORT):
            return None
        header = self._udp[8:]
        options = (header[0] & 0x3F) * 4 if ports[1] == GENEVE_PORT else 0
        return Frame(header[8 + options :])

    @property
    def tunnel_key(self) -> int | None:
        """The network's number in the tunnel header (VNI)."""
        return int.from_bytes(self._udp[12:15], "big") if self.inner else None

    @property
    def _is_tagged(self) -> bool:
        return self.data[12:14] == ETH_VLAN.to_bytes(2, "big")

    @property
    def _arp_operation(self) -> int:
        return int.from_bytes(self.payload[6:8], "big") if self.ethertype == ETH_ARP else 0

    @property
    def _udp(self) -> bytes:
        packet = self.payload
        if self.ethertype != ETH_IPV4 or len(packet) < 28 or packet[9] != socket.IPPROTO_UDP:
            return b""
        return packet[(packet[0] & 0x0F) * 4 :]


Ports = tuple[int, int]
DISCARD: Ports = (9, 9)
"""Source and destination port of what is for nobody (RFC 863)."""


def ethernet(source: str, destination: str, ethertype: int) -> bytes:
    """The header of a frame."""
    return _mac(destination) + _mac(source) + ethertype.to_bytes(2, "big")


def ipv4_frame(
    macs: tuple[str, str], source: str, destination: str, protocol: int, content: bytes, *, options: bytes = b""
) -> bytes:
    """An IPv4 packet in a frame from one MAC address to another; options as in RFC 791, section 3.1, filled up here."""
    options += bytes(-len(options) % 4)
    size = 20 + len(options)
    header = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(content), 0, 0, 64, protocol, 0)
    header += socket.inet_aton(source) + socket.inet_aton(destination) + options
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return ethernet(*macs, ETH_IPV4) + header + content


def udp_frame(
    source_mac: str, destination_mac: str, source: str, destination: str, text: bytes, *, ports: Ports = DISCARD
) -> bytes:
    """A UDP datagram with addresses and ports of one's own choosing. Without a UDP checksum."""
    datagram = struct.pack("!HHHH", *ports, 8 + len(text), 0) + text
    return ipv4_frame((source_mac, destination_mac), source, destination, socket.IPPROTO_UDP, datagram)


def source_route(kind: int, *hops: str, passed: int = 0) -> bytes:
    """A loose (131) or strict (137) source route as an option, some of whose hops are passed (RFC 791, section 3.1)."""
    return bytes([kind, 3 + 4 * len(hops), 4 + 4 * passed]) + b"".join(socket.inet_aton(each) for each in hops)


def tagged(frame: bytes, vlan: int) -> bytes:
    """A frame with a VLAN tag (IEEE 802.1Q)."""
    return frame[:12] + struct.pack("!HH", ETH_VLAN, vlan) + frame[12:]


def geneve(vni: int, frame: bytes) -> bytes:
    """A frame of the network with a VNI, as a UDP datagram to ``GENEVE_PORT`` carries it (RFC 8926, section 3.4)."""
    return struct.pack("!HHI", 0, 0x6558, vni << 8) + frame


def arp_request(source_mac: str, source: str, target: str) -> bytes:
    """Who has ``target``? Tell ``source``."""
    return ethernet(source_mac, BROADCAST, ETH_ARP) + _arp(1, source_mac, source, bytes(6), target)


def arp_reply(source_mac: str, source: str, target_mac: str, target: str) -> bytes:
    """``source`` is at ``source_mac``, told to ``target`` alone."""
    return ethernet(source_mac, target_mac, ETH_ARP) + _arp(2, source_mac, source, _mac(target_mac), target)


def _arp(operation: int, source_mac: str, source: str, target_mac: bytes, target: str) -> bytes:
    """An ARP packet for IPv4 over Ethernet (RFC 826)."""
    header = struct.pack("!HHBBH", 1, ETH_IPV4, 6, 4, operation)
    return header + _mac(source_mac) + socket.inet_aton(source) + target_mac + socket.inet_aton(target)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def checksum(words: bytes) -> int:
    """The Internet checksum of RFC 1071, of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
