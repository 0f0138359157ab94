"""The packet fields that flows match and set, with what they presuppose.

Values are integers throughout: they compare, hash and encode without thought. ``parse`` and ``show`` translate from and
to what people write. Source of names and prerequisites: OpenFlow 1.3.5, section 7.2.3.7, and ovs-fields(7).
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from topology.addressing import int_to_mac

ETH_TYPE_IPV4 = 0x0800
ETH_TYPE_ARP = 0x0806
ETH_TYPE_RARP = 0x8035
ETH_TYPE_VLAN = 0x8100
IP_PROTO_ICMP = 1
IP_PROTO_TCP = 6
IP_PROTO_UDP = 17
ARP_REQUEST = 1
ARP_REPLY = 2
VLAN_PRESENT = 0x1000
"""Set in ``vlan_vid`` when there is a tag at all (OFPVID_PRESENT)."""

_ARP = (("eth_type", ETH_TYPE_ARP),)
_IPV4 = (("eth_type", ETH_TYPE_IPV4),)
_UDP = (*_IPV4, ("ip_proto", IP_PROTO_UDP))


@dataclass(frozen=True, slots=True)
class Field:
    """A header field or packet metadata: name, width in bits, how it is written, what else must match."""

    name: str
    bits: int
    style: str = "int"
    needs: tuple[tuple[str, int], ...] = ()


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
        Field("ipv4_src", 32, "ipv4", _IPV4),
        Field("ipv4_dst", 32, "ipv4", _IPV4),
        Field("udp_src", 16, "int", _UDP),
        Field("udp_dst", 16, "int", _UDP),
        Field("arp_op", 16, "int", _ARP),
        Field("arp_spa", 32, "ipv4", _ARP),
        Field("arp_tpa", 32, "ipv4", _ARP),
        Field("arp_sha", 48, "mac", _ARP),
        Field("arp_tha", 48, "mac", _ARP),
    )
}


def parse(field: Field, value: int | str) -> tuple[int, int | None]:
    """Return (value, mask) of what a feature wrote; the mask is None for an exact value.

    Text is a MAC address, an IPv4 address, or either with ``/`` and a prefix length or a mask.
    Raises ValueError when it does not fit the field.
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
    raise ValueError(f"{field.name} takes a number, not {value!r}")


def show(field: Field, value: int, mask: int | None = None) -> str:
    """Write a value (and mask) as people do."""
    return _show(field, value) if mask is None else f"{_show(field, value)}/{_show(field, mask)}"


def _show(field: Field, value: int) -> str:
    if field.style == "mac":
        return int_to_mac(value)
    if field.style == "ipv4":
        return str(IPv4Address(value))
    return f"{value:#x}" if field.style == "hex" else str(value)


def parse_ipv4(text: str) -> int:
    """Return the 32 bits of ``192.0.2.1``. Raises ValueError."""
    return int(IPv4Address(text))


def mac_to_int(text: str) -> int:
    """Return the 48 bits of ``aa:bb:cc:dd:ee:ff``. Raises ValueError."""
    if len(text) != 17:
        raise ValueError(f"{text!r} is no MAC address")
    return int(text.replace(":", ""), 16)
