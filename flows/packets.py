"""Packets as values, for the simulator, for traces and for tests: header fields and what they hold.

A packet has the fields of ``flows.fields``. The builders below make well-formed ones; ``packet.but(...)`` makes the
malformed and the spoofed ones. Addresses may be given as text.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from flows.fields import (
    ARP_REPLY,
    ARP_REQUEST,
    ETH_TYPE_ARP,
    ETH_TYPE_IPV4,
    FIELDS,
    FIRST_FRAGMENT,
    IP_PROTO_ICMP,
    IP_PROTO_TCP,
    IP_PROTO_UDP,
    LATER_FRAGMENT,
    VLAN_PRESENT,
    parse,
    show,
)
from flows.pipeline import REGISTERS

ETH_TYPE_IPV6 = 0x86DD
ETH_TYPE_LOCAL_EXPERIMENT = 0x88B5
"""A type that no protocol of ours uses (IEEE 802, local experimental)."""
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
METADATA = (
    frozenset({"in_port", "tun_id", "tun_src", "tun_dst", "ct_state", "ct_mark"})
    | {field.name for field in FIELDS.values() if field.tracked}
    | REGISTERS.keys()
)
"""What a switch knows about a packet and no wire carries."""

INITIAL_TTL = 64
"""The time to live that most hosts give their packets."""

Address = str | int


class FiveTuple(NamedTuple):
    """Who speaks to whom by what; ``tp_src`` and ``tp_dst`` are ports, of ICMP its type and code, and else 0."""

    ipv4_src: int
    ipv4_dst: int
    ip_proto: int
    tp_src: int = 0
    tp_dst: int = 0

    @property
    def addresses(self) -> "FiveTuple":
        """The same without ports, as a fragment other than the first has it."""
        return FiveTuple(self.ipv4_src, self.ipv4_dst, self.ip_proto)


_PORTS = {
    IP_PROTO_ICMP: ("icmp_type", "icmp_code"),
    IP_PROTO_TCP: ("tcp_src", "tcp_dst"),
    IP_PROTO_UDP: ("udp_src", "udp_dst"),
}
TRANSPORT_FIELDS = frozenset(name for names in _PORTS.values() for name in names)


class Packet(Mapping[str, int]):
    """An immutable mapping from field names to numbers; a field that the packet lacks is not a key.

    ``vlan_vid`` is the outermost tag, with the bit ``VLAN_PRESENT``; ``inner_vlans`` holds the tags below it, from
    the outside in. ``size`` is a number as fields are, the bytes of the frame without tags, where it matters: nothing
    matches on it. ``quoted`` is what an ICMP error is about. Raises ValueError for an unknown field or a value that
    does not fit.
    """

    __slots__ = ("_fields", "_hash", "inner_vlans", "quoted")

    def __init__(
        self,
        fields: Mapping[str, Address] | None = None,
        inner_vlans: tuple[int, ...] = (),
        quoted: FiveTuple | None = None,
        **more: Address,
    ) -> None:
        self._fields = {name: _number(name, value) for name, value in {**(fields or {}), **more}.items()}
        self.inner_vlans, self.quoted = inner_vlans, quoted
        self._hash: int | None = None
        if ("vlan_vid" in self._fields or inner_vlans) and not self.get("vlan_vid", 0) & VLAN_PRESENT:
            raise ValueError("vlan_vid lacks VLAN_PRESENT; add tags with tagged(), remove them with untagged()")

    @classmethod
    def of_numbers(
        cls, fields: dict[str, int], inner_vlans: tuple[int, ...] = (), quoted: FiveTuple | None = None
    ) -> "Packet":
        """Wrap fields that are known to be good, and that nobody else will change."""
        packet = cls.__new__(cls)
        packet._fields, packet.inner_vlans, packet.quoted, packet._hash = fields, inner_vlans, quoted, None
        return packet

    def __getitem__(self, name: str) -> int:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((frozenset(self._fields.items()), self.inner_vlans, self.quoted))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Packet)
            and self._fields == other._fields
            and self.inner_vlans == other.inner_vlans
            and self.quoted == other.quoted
        )

    def __repr__(self) -> str:
        parts = [show_field(name, self._fields[name]) for name in sorted(self._fields, key=_position)]
        parts += [f"inner_vlan={vid:#x}" for vid in self.inner_vlans]
        if self.quoted is not None:
            parts.append(f"quoted={tuple(self.quoted)}")
        return f"<{' '.join(parts)}>"

    def but(self, **changes: Address) -> "Packet":
        """Return this packet with some fields different."""
        return Packet({**self._fields, **changes}, self.inner_vlans, self.quoted)

    def without(self, *names: str) -> "Packet":
        """Return this packet without some fields."""
        return Packet.of_numbers(
            {name: value for name, value in self._fields.items() if name not in names}, self.inner_vlans, self.quoted
        )

    def tagged(self, *vlan_ids: int) -> "Packet":
        """Return this packet with 802.1Q tags added, the outermost first."""
        present = self.get("vlan_vid", 0)
        below = ((present,) if present else ()) + self.inner_vlans
        outer, *inner = (VLAN_PRESENT | vlan_id for vlan_id in vlan_ids)
        return Packet({**self._fields, "vlan_vid": outer}, (*inner, *below), self.quoted)

    def untagged(self) -> "Packet":
        """Return this packet without any tag."""
        return Packet({name: value for name, value in self._fields.items() if name != "vlan_vid"}, (), self.quoted)

    @property
    def five_tuple(self) -> FiveTuple:
        """Who speaks to whom by what. Raises KeyError for a packet that is not IPv4."""
        source, target = _PORTS.get(self["ip_proto"], ("", ""))
        return FiveTuple(self["ipv4_src"], self["ipv4_dst"], self["ip_proto"], self.get(source, 0), self.get(target, 0))

    @property
    def headers(self) -> "Packet":
        """The packet as it is on a wire: without metadata."""
        return self.without(*METADATA)


def show_field(name: str, value: int) -> str:
    """Write one field as people do."""
    return f"{name}={show(FIELDS[name], value) if name in FIELDS else value}"


def arp_request(mac: Address, address: Address, target: Address) -> Packet:
    """Who has ``target``? Tell ``address`` at ``mac`` (RFC 826)."""
    return _arp(ARP_REQUEST, mac, BROADCAST_MAC, address, target)


def arp_probe(mac: Address, target: Address) -> Packet:
    """Does anyone use ``target``? A request from 0.0.0.0 (RFC 5227, section 2.1.1)."""
    return _arp(ARP_REQUEST, mac, BROADCAST_MAC, "0.0.0.0", target)


def gratuitous_arp(mac: Address, address: Address) -> Packet:
    """Tell all that ``address`` is at ``mac``: an announcement (RFC 5227, section 2.3)."""
    return _arp(ARP_REQUEST, mac, BROADCAST_MAC, address, address)


def arp_reply(mac: Address, address: Address, to_mac: Address, to_address: Address) -> Packet:
    """``address`` is at ``mac``, told to one neighbour."""
    return _arp(ARP_REPLY, mac, to_mac, address, to_address).but(arp_tha=to_mac)


def icmp_echo(mac: Address, to_mac: Address, address: Address, to_address: Address) -> Packet:
    """A ping."""
    return icmp(mac, to_mac, address, to_address, icmp_type=8)


def icmp(
    mac: Address, to_mac: Address, address: Address, to_address: Address, *, icmp_type: int, icmp_code: int = 0
) -> Packet:
    """An ICMP message of some type and code (RFC 792)."""
    fields = _ipv4(mac, to_mac, address, to_address)
    return Packet(fields, ip_proto=IP_PROTO_ICMP, icmp_type=icmp_type, icmp_code=icmp_code)


def icmp_error(about: Packet, mac: Address, to_mac: Address, address: Address, icmp_type: int = 3) -> Packet:
    """An ICMP message to the sender of a packet that it quotes: by default, that its port is unreachable."""
    error = icmp(mac, to_mac, address, about["ipv4_src"], icmp_type=icmp_type, icmp_code=3 if icmp_type == 3 else 0)
    return Packet(error, quoted=about.five_tuple)


def ipv4(mac: Address, to_mac: Address, address: Address, to_address: Address, ip_proto: int) -> Packet:
    """A packet of an IPv4 protocol that the pipeline does not look into."""
    return Packet(_ipv4(mac, to_mac, address, to_address), ip_proto=ip_proto)


def tcp(
    mac: Address, to_mac: Address, address: Address, to_address: Address, *, tcp_src: int = 40000, tcp_dst: int = 80
) -> Packet:
    """A TCP segment, of any part of a connection."""
    fields = _ipv4(mac, to_mac, address, to_address)
    return Packet(fields, ip_proto=IP_PROTO_TCP, tcp_src=tcp_src, tcp_dst=tcp_dst)


def udp(
    mac: Address, to_mac: Address, address: Address, to_address: Address, *, udp_src: int = 40000, udp_dst: int = 9
) -> Packet:
    """A UDP datagram."""
    fields = _ipv4(mac, to_mac, address, to_address)
    return Packet(fields, ip_proto=IP_PROTO_UDP, udp_src=udp_src, udp_dst=udp_dst)


def in_two(packet: Packet) -> tuple[Packet, Packet]:
    """Return a datagram's two fragments; the second has no ports (RFC 791, section 3.2)."""
    later = packet.without(*TRANSPORT_FIELDS).but(ip_frag=LATER_FRAGMENT)
    return packet.but(ip_frag=FIRST_FRAGMENT), later


def dhcp_discover(mac: Address) -> Packet:
    """A DISCOVER, or a REQUEST in reply to an offer: from no address to everyone (RFC 2131, section 4.1)."""
    return udp(mac, BROADCAST_MAC, "0.0.0.0", "255.255.255.255", udp_src=68, udp_dst=67)


def dhcp_renew(mac: Address, address: Address, to_mac: Address, server: Address) -> Packet:
    """A REQUEST that extends a lease: from the leased address to the server (RFC 2131, section 4.3.2)."""
    return udp(mac, to_mac, address, server, udp_src=68, udp_dst=67)


def broadcast(mac: Address, address: Address, udp_dst: int = 9) -> Packet:
    """A datagram to everyone on the network."""
    return udp(mac, BROADCAST_MAC, address, "255.255.255.255", udp_dst=udp_dst)


def multicast(mac: Address, address: Address, group: Address = "224.0.0.251") -> Packet:
    """A datagram to an IPv4 multicast group, at the group's MAC address (RFC 1112, section 6.4)."""
    number = int(IPv4Address(group))
    if number >> 28 != 0xE:
        raise ValueError(f"group {group} is no multicast address; take one of 224.0.0.0/4")
    return udp(mac, 0x01005E000000 | number & 0x7FFFFF, address, group, udp_src=5353, udp_dst=5353)


def unknown_ethertype(
    mac: Address, to_mac: Address = BROADCAST_MAC, eth_type: int = ETH_TYPE_LOCAL_EXPERIMENT
) -> Packet:
    """A frame of a protocol that no flow knows."""
    return Packet(eth_src=mac, eth_dst=to_mac, eth_type=eth_type)


def ipv6(mac: Address, to_mac: Address) -> Packet:
    """An IPv6 packet, as far as the pipeline looks into it."""
    return Packet(eth_src=mac, eth_dst=to_mac, eth_type=ETH_TYPE_IPV6)


def _arp(op: int, mac: Address, to_mac: Address, address: Address, target: Address) -> Packet:
    fields: dict[str, Address] = {"eth_src": mac, "eth_dst": to_mac, "eth_type": ETH_TYPE_ARP, "arp_op": op}
    return Packet(fields, arp_sha=mac, arp_spa=address, arp_tha=0, arp_tpa=target)


def _ipv4(mac: Address, to_mac: Address, address: Address, to_address: Address) -> dict[str, Address]:
    fields: dict[str, Address] = {"eth_src": mac, "eth_dst": to_mac, "eth_type": ETH_TYPE_IPV4}
    return {**fields, "ipv4_src": address, "ipv4_dst": to_address, "ip_ttl": INITIAL_TTL}


def _number(name: str, value: Address) -> int:
    if name not in FIELDS:
        bits = 16 if name == "size" else REGISTERS[name].bits if name in REGISTERS else 0
        if isinstance(value, int) and bits and 0 <= value < 1 << bits:
            return value
        raise ValueError(f"{name}={value!r} is no field of a packet")
    number, mask = parse(FIELDS[name], value)
    if mask is not None:
        raise ValueError(f"{name}: a packet has one address there, not {value}")
    return number


_ORDER = {name: position for position, name in enumerate((*REGISTERS, *FIELDS, "size"))}


def _position(name: str) -> int:
    return _ORDER[name]
