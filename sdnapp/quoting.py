"""Packets as outsiders know them: what an ICMP error quotes must have the addresses that its reader has sent to.

A router that reports about a packet which came by its gateway sees it translated. To quote it so would tell outsiders
the addresses inside, and nothing about any connection of theirs (RFC 5508, section 4.2). What floating IPs and port
forwardings have translated can be told from their rows. Which port stood for an answer to an instance's own connection
only the connection tracking of its chassis knows, so that there is no error about those.
"""

import struct
from ipaddress import IPv4Address, IPv4Network

from flows.fields import IP_PROTO_TCP, IP_PROTO_UDP
from topology.address_scopes import spared
from topology.facts import View
from topology.gateway import Gateway, gateway
from topology.interfaces import interface_at, live_interface
from topology.routing import routes
from topology.values import FloatingIP, PortForwarding

_PROTOCOLS = {IP_PROTO_TCP: "tcp", IP_PROTO_UDP: "udp"}
_CHECKSUM_AT = {IP_PROTO_TCP: 16, IP_PROTO_UDP: 6}
_CHAIN = 16
"""Routers in a row, at most, that are looked at."""


def as_sent(view: View, router_id: str, packet: bytes) -> bytes | None:
    """Return an IPv4 packet that a router has, as its sender has sent it; None where nobody can tell.

    ``packet`` has a whole header (RFC 791), in which the length is right, and is no later fragment.
    """
    sender, receiver = (str(IPv4Address(packet[at : at + 4])) for at in (12, 16))
    outside = _translating(view, router_id, sender)
    if outside is None:
        return packet
    for floatingip_id in view.find_ids(FloatingIP, "router", outside.router_id):
        row = view.get(FloatingIP, floatingip_id)
        if row is not None and row.fixed_ip_address == receiver and row.port_id is not None:
            return _rewritten(packet, row.address, None)
    header_size, protocol = (packet[0] & 0xF) * 4, packet[9]
    if protocol in _PROTOCOLS and len(packet) >= header_size + 4:
        port = int.from_bytes(packet[header_size + 2 : header_size + 4], "big")
        found = _forwarded(view, outside, (_PROTOCOLS[protocol], receiver, port))
        if found is not None:
            return _rewritten(packet, *found)
    as_it_is = not outside.snat or any(
        IPv4Address(receiver) in IPv4Network(prefix) for prefix in view.ask(spared, outside.router_id)
    )
    return packet if as_it_is else None


def _translating(view: View, router_id: str, sender: str) -> Gateway | None:
    """Return the gateway by which a router's way to a sender leads, perhaps by other routers; None if by none."""
    address = IPv4Address(sender)
    for _ in range(_CHAIN):
        known = [each for each in view.ask(routes, router_id) if address in IPv4Network(each.prefix)]
        if not known:
            return None
        hop = max(known, key=lambda each: IPv4Network(each.prefix).prefixlen).next_hops[0]
        if hop.interface.is_gateway:
            return view.ask(gateway, router_id)
        at = view.ask(interface_at, hop.interface.network.id, hop.address) if hop.address is not None else None
        following = view.ask(live_interface, at) if at is not None else None
        if following is None:
            return None
        router_id = following.router_id
    return None


def _forwarded(view: View, outside: Gateway, inside: tuple[str, str, int]) -> tuple[str, int] | None:
    """Return the external address and port that are forwarded to a protocol's port of an address inside."""
    for floatingip_id in view.find_ids(FloatingIP, "router", outside.router_id):
        address = view.get(FloatingIP, floatingip_id)
        rows = (view.get(PortForwarding, each) for each in view.find_ids(PortForwarding, "floatingip", floatingip_id))
        for row in rows:
            if address is None or row is None or (row.protocol, row.internal_ip_address) != inside[:2]:
                continue
            if row.internal_first <= inside[2] <= row.internal_last:
                return address.address, min(row.external_first + inside[2] - row.internal_first, row.external_last)
    return None


def _rewritten(packet: bytes, address: str, port: int | None) -> bytes:
    """Return a packet with another destination; checksums follow (RFC 1624)."""
    header_size, protocol = (packet[0] & 0xF) * 4, packet[9]
    changed = bytearray(packet)
    changed[16:20] = IPv4Address(address).packed
    if port is not None:
        changed[header_size + 2 : header_size + 4] = port.to_bytes(2, "big")
    pseudo = packet[16:20], bytes(changed[16:20])
    ports = packet[header_size : header_size + 4], bytes(changed[header_size : header_size + 4])
    _adjust(changed, 10, *pseudo)
    at = header_size + _CHECKSUM_AT.get(protocol, len(packet))
    if at + 2 <= len(packet) and (protocol != IP_PROTO_UDP or changed[at : at + 2] != b"\0\0"):
        _adjust(changed, at, pseudo[0] + ports[0], pseudo[1] + ports[1])
    return bytes(changed)


def _adjust(packet: bytearray, at: int, before: bytes, after: bytes) -> None:
    """Let the checksum at a place follow a change of words that it covers."""
    words = f"!{len(before) // 2}H"
    total = ~int.from_bytes(packet[at : at + 2], "big") & 0xFFFF
    total += sum(~word & 0xFFFF for word in struct.unpack(words, before)) + sum(struct.unpack(words, after))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    packet[at : at + 2] = struct.pack("!H", ~total & 0xFFFF)
