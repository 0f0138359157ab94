"""The packet fields that flows match and set, with what they presuppose.

Values are integers throughout: they compare, hash and encode without thought. ``parse`` and ``show`` translate from and
to what people write. Source of names and prerequisites: OpenFlow 1.3.5, section 7.2.3.7, and ovs-fields(7).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from topology.addressing import int_to_mac

ETH_TYPE_IPV4 = 0x0800
ETH_TYPE_ARP = 0x0806
ETH_TYPE_RARP = 0x8035
ETH_TYPE_VLAN = 0x8100
ETHERNET_HEADER = 14
"""Bytes of an Ethernet header without tags."""
IP_PROTO_ICMP = 1
IP_PROTO_TCP = 6
IP_PROTO_UDP = 17
IP_PROTO_SCTP = 132
ICMP_ECHO_REPLY = 0
ICMP_ECHO_REQUEST = 8
ARP_REQUEST = 1
ARP_REPLY = 2
VLAN_PRESENT = 0x1000
"""Set in ``vlan_vid`` when there is a tag at all (OFPVID_PRESENT)."""

FIRST_FRAGMENT = 1
LATER_FRAGMENT = 3
"""Of ``ip_frag``: bit 0 says that a packet is a fragment, bit 1 that it is not the first, so that it has no ports."""
CT_NEW, CT_ESTABLISHED, CT_RELATED, CT_REPLY, CT_INVALID, CT_TRACKED = (1 << bit for bit in range(6))
"""Of ``ct_state``: what connection tracking has found out about a packet (ovs-fields(7))."""
CT_VALID = (CT_TRACKED, CT_TRACKED | CT_INVALID)
"""Value and mask of ``ct_state`` where the other fields of connection tracking mean something."""

_ARP = (("eth_type", ETH_TYPE_ARP),)
_IPV4 = (("eth_type", ETH_TYPE_IPV4),)
_ICMP = (*_IPV4, ("ip_proto", IP_PROTO_ICMP))
_TCP = (*_IPV4, ("ip_proto", IP_PROTO_TCP))
_UDP = (*_IPV4, ("ip_proto", IP_PROTO_UDP))
_SCTP = (*_IPV4, ("ip_proto", IP_PROTO_SCTP))
_CT_FLAGS = {
    "new": CT_NEW,
    "est": CT_ESTABLISHED,
    "rel": CT_RELATED,
    "rpl": CT_REPLY,
    "inv": CT_INVALID,
    "trk": CT_TRACKED,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A header field or packet metadata: name, width in bits, how it is written, what else must match.

    ``tracked``: a field of the connection that a packet belongs to, so that ``ct_state`` must match ``CT_VALID``.
    """

    name: str
    bits: int
    style: str = "int"
    needs: tuple[tuple[str, int], ...] = ()
    tracked: bool = False


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("in_port", 32),
        Field("tun_id", 64),
        Field("tun_src", 32, "ipv4"),
        Field("tun_dst", 32, "ipv4"),
        Field("eth_dst", 48, "mac"),
        Field("eth_src", 48, "mac"),
        Field("eth_type", 16, "hex"),
        Field("vlan_vid", 13, "hex"),
        Field("ip_proto", 8, "int", _IPV4),
        Field("ip_frag", 8, "int", _IPV4),
        Field("ip_ttl", 8, "int", _IPV4),
        Field("ipv4_src", 32, "ipv4", _IPV4),
        Field("ipv4_dst", 32, "ipv4", _IPV4),
        Field("tcp_src", 16, "int", _TCP),
        Field("tcp_dst", 16, "int", _TCP),
        Field("udp_src", 16, "int", _UDP),
        Field("udp_dst", 16, "int", _UDP),
        Field("sctp_src", 16, "int", _SCTP),
        Field("sctp_dst", 16, "int", _SCTP),
        Field("icmp_type", 8, "int", _ICMP),
        Field("icmp_code", 8, "int", _ICMP),
        Field("arp_op", 16, "int", _ARP),
        Field("arp_spa", 32, "ipv4", _ARP),
        Field("arp_tpa", 32, "ipv4", _ARP),
        Field("arp_sha", 48, "mac", _ARP),
        Field("arp_tha", 48, "mac", _ARP),
        Field("ct_state", 32, "ct_state"),
        Field("ct_mark", 32),
        Field("ct_nw_proto", 8, "int", _IPV4, tracked=True),
        Field("ct_nw_src", 32, "ipv4", _IPV4, tracked=True),
        Field("ct_nw_dst", 32, "ipv4", _IPV4, tracked=True),
        Field("ct_tp_src", 16, "int", _IPV4, tracked=True),
        Field("ct_tp_dst", 16, "int", _IPV4, tracked=True),
    )
}


TEXTS_KEPT = 1 << 12
"""Addresses whose numbers are kept: the flows of one port, and of one network, name the same few."""


def parse(field: Field, value: int | str) -> tuple[int, int | None]:
    """Return (value, mask) of what a feature wrote; the mask is None for an exact value.

    Text is a MAC address or an IPv4 address, either with ``/`` and a prefix length or a mask; a number as text with
    ``/`` and a mask; or flags of ``ct_state`` as in ``+trk-inv``. Raises ValueError when it does not fit the field.
    """
    if isinstance(value, int):
        if value < 0 or value >> field.bits:
            raise ValueError(f"{field.name} has {field.bits} bits, {value:#x} does not fit")
        return value, None
    if field.style == "mac":
        text, _, mask = value.partition("/")
        return mac_to_int(text), mac_to_int(mask) if mask else None
    if field.style == "ipv4":
        if "/" in value:
            network = IPv4Network(value, strict=False)
            full = network.prefixlen == 32
            return int(network.network_address), None if full else int(network.netmask)
        return parse_ipv4(value), None
    if field.style == "ct_state":
        return _parse_flags(value)
    number, _, mask = value.partition("/")
    if not (number and mask):
        raise ValueError(f"{field.name} takes a number, or two as value/mask, not {value!r}")
    (wanted, _), (bits, _) = parse(field, int(number, 0)), parse(field, int(mask, 0))
    return wanted, None if bits == (1 << field.bits) - 1 else bits


@lru_cache
def _parse_flags(text: str) -> tuple[int, int]:
    found = re.findall(r"([+-])([a-z]+)", text)
    if not found or "".join(map("".join, found)) != text or any(name not in _CT_FLAGS for _, name in found):
        raise ValueError(f"ct_state takes flags such as +trk-inv, not {text!r}; flags are {', '.join(_CT_FLAGS)}")
    signs = {_CT_FLAGS[name]: sign for sign, name in found}
    return sum(bit for bit, sign in signs.items() if sign == "+"), sum(signs)


def show(field: Field, value: int, mask: int | None = None) -> str:
    """Write a value (and mask) as people do."""
    if field.style == "ct_state":
        flags = [(bit, name) for name, bit in _CT_FLAGS.items() if mask is None or mask & bit]
        return "".join(f"{'+' if value & bit else '-'}{name}" for bit, name in flags)
    return _show(field, value) if mask is None else f"{_show(field, value)}/{_show(field, mask)}"


def _show(field: Field, value: int) -> str:
    if field.style == "mac":
        return int_to_mac(value)
    if field.style == "ipv4":
        return str(IPv4Address(value))
    return f"{value:#x}" if field.style == "hex" else str(value)


@lru_cache(maxsize=TEXTS_KEPT)
def parse_ipv4(text: str) -> int:
    """Return the 32 bits of ``192.0.2.1``. Raises ValueError."""
    return int(IPv4Address(text))


@lru_cache(maxsize=TEXTS_KEPT)
def mac_to_int(text: str) -> int:
    """Return the 48 bits of ``aa:bb:cc:dd:ee:ff``. Raises ValueError."""
    if len(text) != 17:
        raise ValueError(f"{text!r} is no MAC address")
    return int(text.replace(":", ""), 16)
