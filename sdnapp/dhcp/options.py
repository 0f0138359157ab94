"""What people write in ``extra_dhcp_opts``, to option numbers and octets (RFC 2132 and later ones).

Names are dnsmasq's, which Neutron's users know; a number as text names any option. The value's form follows from the
option (addresses, numbers, text, routes); where the option is not known here, from the value itself, as dnsmasq does
it: IPv4 addresses, colon-separated octets in hexadecimal, a decimal number, or else text.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from sdnapp.dhcp.packet import Code

NEXT_SERVER = 256
"""Stands for the header's siaddr field; option numbers end at 254."""

Encoder = Callable[[str], bytes]
"""From text to octets; raises ValueError that says what would be right."""

MAY_BE_BLANK = frozenset({Code.ROUTER, Code.CLASSLESS_ROUTES})
"""Options that an empty value switches off, as in Neutron."""

_BELONG_TO_THE_EXCHANGE = frozenset(
    {
        Code.REQUESTED_ADDRESS,
        Code.OVERLOAD,
        Code.MESSAGE_TYPE,
        Code.SERVER_ID,
        Code.PARAMETER_REQUEST,
        Code.MESSAGE,
        Code.MAXIMUM_SIZE,
        Code.CLIENT_ID,
        Code.RELAY_AGENT,
    }
)
"""Options whose value each message determines."""

_REMEMBERED = 1024
"""Options that are kept as they were written last: some ten for each subnet that boots."""

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_OCTETS = re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2})+")
_BOOLEANS = {"1": b"\1", "true": b"\1", "0": b"\0", "false": b"\0"}


def _address(text: str) -> bytes:
    try:
        return IPv4Address(text.strip()).packed
    except ValueError:
        raise ValueError("give an IPv4 address such as 192.0.2.1") from None


def _addresses(text: str) -> bytes:
    try:
        return b"".join(IPv4Address(part.strip()).packed for part in text.split(","))
    except ValueError:
        raise ValueError("give IPv4 addresses separated by commas, such as 192.0.2.1,192.0.2.2") from None


def _address_pairs(text: str) -> bytes:
    packed = _addresses(text)
    if len(packed) % 8:
        raise ValueError("give pairs of IPv4 addresses, all separated by commas")
    return packed


def _text(text: str) -> bytes:
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("give printable ASCII text")
    return text.encode("ascii")


def _labels(text: str) -> list[str]:
    labels = text.strip().removesuffix(".").split(".")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("give a domain name such as cloud.example.org")
    return labels


def _domain_name(text: str) -> bytes:
    return ".".join(_labels(text)).encode("ascii")


def _search_list(text: str) -> bytes:
    """RFC 3397, without compression, which is optional."""
    names = [_labels(name) for name in text.split(",")]
    return b"".join(
        b"".join(bytes((len(label),)) + label.encode("ascii") for label in labels) + b"\0" for labels in names
    )


def _number(octets: int, lowest: int = 0, signed: bool = False) -> Encoder:
    bits = octets * 8 - signed
    if signed:
        lowest = -(1 << bits)
    highest = (1 << bits) - 1

    def encode(text: str) -> bytes:
        if not re.fullmatch(r"-?[0-9]{1,10}", text.strip()) or not lowest <= int(text) <= highest:
            raise ValueError(f"give a whole number from {lowest} to {highest}")
        return int(text).to_bytes(octets, "big", signed=signed)

    return encode


def _boolean(text: str) -> bytes:
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError("give 1 or 0") from None


def _netmask(text: str) -> bytes:
    mask = int.from_bytes(_address(text), "big")
    if (mask | mask - 1) != 0xFFFFFFFF:
        raise ValueError("give a netmask such as 255.255.255.0")
    return mask.to_bytes(4, "big")


def _routes(text: str) -> bytes:
    """RFC 3442: for each route the width of its prefix, the prefix's significant octets, and the router."""
    parts = [part.strip() for part in text.split(",")]
    try:
        if len(parts) % 2:
            raise ValueError
        encoded = bytearray()
        for destination, router in zip(parts[::2], parts[1::2], strict=True):
            network = IPv4Network(destination)
            encoded.append(network.prefixlen)
            encoded += network.network_address.packed[: (network.prefixlen + 7) // 8]
            encoded += IPv4Address(router).packed
    except ValueError:
        raise ValueError(
            "give destinations without host bits and routers in turn, such as 10.1.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1"
        ) from None
    return bytes(encoded)


def _by_look(text: str) -> bytes:
    stripped = text.strip()
    if _OCTETS.fullmatch(stripped):
        return bytes(int(part, 16) for part in stripped.split(":"))
    if re.fullmatch(r"[0-9]{1,10}", stripped) and int(stripped) < 1 << 32:
        number = int(stripped)
        return number.to_bytes(1 if number < 1 << 8 else 2 if number < 1 << 16 else 4, "big")
    try:
        return _addresses(stripped)
    except ValueError:
        return _text(text)


_U8, _U16, _U32, _POSITIVE_U8 = _number(1), _number(2), _number(4), _number(1, 1)
_SECONDS = _number(4, 1)
_KNOWN: dict[str, tuple[int, Encoder]] = {
    "netmask": (Code.NETMASK, _netmask),
    "time-offset": (2, _number(4, signed=True)),
    "router": (Code.ROUTER, _addresses),
    "dns-server": (Code.DNS_SERVER, _addresses),
    "log-server": (7, _addresses),
    "lpr-server": (9, _addresses),
    "hostname": (Code.HOST_NAME, _domain_name),
    "boot-file-size": (13, _U16),
    "domain-name": (Code.DOMAIN_NAME, _domain_name),
    "swap-server": (16, _address),
    "root-path": (17, _text),
    "extension-path": (18, _text),
    "ip-forward-enable": (19, _boolean),
    "non-local-source-routing": (20, _boolean),
    "policy-filter": (21, _address_pairs),
    "max-datagram-reassembly": (22, _number(2, 576)),
    "default-ttl": (23, _POSITIVE_U8),
    "mtu": (Code.MTU, _number(2, 68)),
    "all-subnets-local": (27, _boolean),
    "broadcast": (Code.BROADCAST, _address),
    "router-discovery": (31, _boolean),
    "router-solicitation": (32, _address),
    "static-route": (33, _address_pairs),
    "trailer-encapsulation": (34, _boolean),
    "arp-timeout": (35, _U32),
    "ethernet-encap": (36, _boolean),
    "tcp-ttl": (37, _POSITIVE_U8),
    "tcp-keepalive": (38, _U32),
    "nis-domain": (40, _text),
    "nis-server": (41, _addresses),
    "ntp-server": (42, _addresses),
    "netbios-ns": (44, _addresses),
    "netbios-dd": (45, _addresses),
    "netbios-nodetype": (46, _U8),
    "netbios-scope": (47, _text),
    "x-windows-fs": (48, _addresses),
    "x-windows-dm": (49, _addresses),
    "lease-time": (Code.LEASE_TIME, _SECONDS),
    "server-identifier": (Code.SERVER_ID, _address),
    "t1": (Code.T1, _SECONDS),
    "t2": (Code.T2, _SECONDS),
    "vendor-class": (60, _text),
    "client-id": (Code.CLIENT_ID, _text),
    "nis+-domain": (64, _text),
    "nis+-server": (65, _addresses),
    "tftp-server": (Code.TFTP_SERVER, _text),
    "bootfile-name": (Code.BOOT_FILE, _text),
    "mobile-ip-home": (68, _addresses),
    "smtp-server": (69, _addresses),
    "pop3-server": (70, _addresses),
    "nntp-server": (71, _addresses),
    "irc-server": (74, _addresses),
    "user-class": (77, _by_look),
    "posix-timezone": (100, _text),
    "tzdb-timezone": (101, _text),
    "ipv6-only": (108, _U32),
    "domain-search": (119, _search_list),
    "sip-server": (120, _by_look),
    "classless-static-route": (Code.CLASSLESS_ROUTES, _routes),
    "vendor-id-encap": (125, _by_look),
    "tftp-server-address": (Code.TFTP_ADDRESS, _addresses),
    "path-prefix": (210, _text),
    "ms-classless-static-route": (Code.MS_CLASSLESS_ROUTES, _routes),
    "next-server": (NEXT_SERVER, _address),
    "server-ip-address": (NEXT_SERVER, _address),
    # What dnsmasq calls server-ip-address inside, and what some write for it.
    "255": (NEXT_SERVER, _address),
}
_ENCODERS = dict(_KNOWN.values())


# Ports of a network say nearly all the same, and a whole cloud may boot at one moment.
@lru_cache(_REMEMBERED)
def encode(name: str, value: str) -> tuple[int, bytes]:
    """Return an option's number and its octets; no octets where it is switched off by an empty value.

    Raises ValueError that names the option and what would be right.
    """
    code, encoder = _find(name)
    if not value and code in MAY_BE_BLANK:
        return code, b""
    try:
        return code, encoder(value)
    except ValueError as error:
        raise ValueError(f"DHCP option {name}: {value!r} is not valid; {error}") from None


def check_option(name: str, value: str) -> None:
    """Check an entry of ``extra_dhcp_opts`` with ``ip_version`` 4. Raises ValueError that names option and fix."""
    encode(name, value)


def _find(name: str) -> tuple[int, Encoder]:
    known = _KNOWN.get(name.strip().lower())
    if known is not None:
        code, encoder = known
    elif re.fullmatch(r"[0-9]{1,3}", name) and 0 < int(name) < Code.END:
        code = int(name)
        encoder = _ENCODERS.get(code, _by_look)
    else:
        raise ValueError(
            f"there is no DHCP option {name!r}; give one of dnsmasq's, such as bootfile-name, or a number to 254"
        )
    if code in _BELONG_TO_THE_EXCHANGE:
        raise ValueError(f"DHCP option {name} is different in each message and set by the server itself; leave it out")
    return code, encoder
