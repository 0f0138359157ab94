"""What routers report by ICMP about packets that they cannot forward, and that are not for them (RFC 792, RFC 1812).

Pure: a flow of the feature ``icmp`` and the frame that it sent here give the frame that goes back to the sender.
"""

import struct
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple, TypeVar

from flows.fields import ETH_TYPE_IPV4, ETHERNET_HEADER, IP_PROTO_ICMP, IP_PROTO_TCP, IP_PROTO_UDP
from flows.flow import Flow
from flows.pipeline import EXTERNAL_ADDRESSES, ROUTER_OUTPUT, ROUTES
from sdnapp.quoting import as_sent
from topology.facts import Each, Relation, is_at
from topology.gateway import gateway
from topology.interfaces import interfaces, live_interface
from topology.packet_size import largest_in, largest_out
from topology.routing import address_towards
from topology.store import Store
from topology.values import Port

T = TypeVar("T")

UNREACHABLE, TIME_EXCEEDED = 3, 11
NETWORK, HOST, PROTOCOL, PORT, FRAGMENTATION = range(5)
"""Codes of ``UNREACHABLE`` (RFC 792)."""
_WORDS = {
    (UNREACHABLE, NETWORK): "network unreachable",
    (UNREACHABLE, HOST): "host unreachable",
    (UNREACHABLE, PROTOCOL): "protocol unreachable",
    (UNREACHABLE, PORT): "port unreachable",
    (UNREACHABLE, FRAGMENTATION): "fragmentation needed",
    (TIME_EXCEEDED, 0): "time to live exceeded",
}
_ERRORS = frozenset({UNREACHABLE, 4, 5, TIME_EXCEEDED, 12})
"""Types that are errors themselves, which get none (RFC 1812, section 4.3.2.7)."""
_LONGEST = 576
"""Bytes of an error at most, the packet that it quotes included (RFC 1812, section 4.3.2.3)."""
_INTERNETWORK_CONTROL = 0xC0
"""Type of service of errors (RFC 1812, section 4.3.2.5)."""
_TTL = 64
_HEADER = struct.Struct("!BBHHHBBH4s4s")


class Silence(NamedTuple):
    """Why a packet gets no answer."""

    reason: str


class _Plain:
    """Facts straight from the store: what comes here is rare, and metered."""

    def __init__(self, store: Store) -> None:
        self.get = store.get
        self.find_ids = store.find_ids
        self._store = store

    def ask(self, fact: Callable[..., T], *args: Any) -> T:
        return fact(self, *args)

    def gather(self, relation: Relation, key: Any) -> tuple[str, ...]:
        return tuple(sorted({value for at, value in self._said(relation) if at == key}))

    def _said(self, relation: Relation) -> Iterator[tuple[Any, str]]:
        of = relation.kind
        if isinstance(of, Each):
            there = {(at.chassis_id, value) for at, value in self._said(of.relation) if is_at(at, of.what)}
            return (each for row_id in there for each in relation.says(self, row_id))
        return (each for row_id in self._store.ids(of) for each in relation.says(self, row_id))


def report(store: Store, flow: Flow, frame: bytes) -> bytes | Silence:
    """Return the ICMP error about a frame that a router's flow has sent here, or why there is none."""
    if len(frame) < ETHERNET_HEADER + _HEADER.size or frame[12:14] != ETH_TYPE_IPV4.to_bytes(2, "big"):
        return Silence("no IPv4 packet")
    packet = frame[ETHERNET_HEADER:]
    first, _, length, _, place, _, protocol, _, source, target = _HEADER.unpack_from(packet)
    header_size = (first & 0xF) * 4
    if first >> 4 != 4 or not _HEADER.size <= header_size <= length <= len(packet):
        return Silence("malformed")
    packet = packet[:length]
    if place & 0x1FFF:
        return Silence("later fragment")
    if protocol == IP_PROTO_ICMP and (length == header_size or packet[header_size] in _ERRORS):
        return Silence("ICMP error")
    router_id, view = flow.owner.removeprefix("router/"), _Plain(store)
    sender, receiver = IPv4Address(source), IPv4Address(target)
    if sender.is_multicast or sender.is_loopback or sender.is_reserved or not int(sender):
        return Silence("sender is no host")
    kind = _kind(flow, protocol)
    if isinstance(kind, Silence):
        return kind
    if kind == (UNREACHABLE, HOST) and _is_broadcast(view, router_id, receiver):
        return Silence("broadcast")
    is_own = kind[0] == UNREACHABLE and kind[1] in (PROTOCOL, PORT)
    own = str(receiver) if is_own else address_towards(view, router_id, str(sender))
    mtu = _largest(view, flow, router_id) if kind == (UNREACHABLE, FRAGMENTATION) else 0
    outside = view.ask(gateway, router_id) if flow.table == EXTERNAL_ADDRESSES.number else None
    if outside is not None and not is_own:
        own = next(iter(outside.addresses), None)
    if own is None or own == str(sender):
        return Silence("no address of its own")
    # What has just come from outside is not translated yet.
    quoted = packet if flow.table == EXTERNAL_ADDRESSES.number else as_sent(view, router_id, packet)
    if quoted is None:
        return Silence("translated")
    error = _error((*kind, mtu), quoted, IPv4Address(own), sender)
    return frame[6:12] + frame[:6] + frame[12:14] + error


def _kind(flow: Flow, protocol: int) -> tuple[int, int] | Silence:
    """Return type and code of what is wrong, by the flow that says so."""
    if any(term.field == "too_big" for term in flow.match):
        return UNREACHABLE, FRAGMENTATION
    if flow.table == ROUTER_OUTPUT.number:
        return UNREACHABLE, HOST
    if any(term.field == "ip_ttl" for term in flow.match):
        return TIME_EXCEEDED, 0
    if (flow.table, flow.priority) == (ROUTES.number, ROUTES.priorities["no_route"]):
        return UNREACHABLE, NETWORK
    if protocol == IP_PROTO_ICMP:
        return Silence("ICMP that is no echo request")
    return UNREACHABLE, PORT if protocol in (IP_PROTO_TCP, IP_PROTO_UDP) else PROTOCOL


def words_about(flow: Flow, protocol: int) -> str | None:
    """Say what is wrong with a packet that a router's flow has sent here; None where the router reports nothing."""
    kind = _kind(flow, protocol)
    return None if isinstance(kind, Silence) else _WORDS[kind]


def _is_broadcast(view: _Plain, router_id: str, address: IPv4Address) -> bool:
    for port_id in view.ask(interfaces, router_id):
        interface = view.ask(live_interface, port_id)
        for prefix in map(IPv4Network, interface.prefixes if interface is not None else ()):
            if address in (prefix.broadcast_address, prefix.network_address):
                return True
    return False


def _largest(view: _Plain, flow: Flow, router_id: str) -> int:
    """Return the size that would have passed where a flow has stopped a packet."""
    if flow.table == EXTERNAL_ADDRESSES.number:
        return view.ask(largest_in, router_id) or 0
    keys = {term.value for term in flow.match if term.field == "interface"}
    for port_id in (*view.ask(interfaces, router_id), *view.find_ids(Port, "gateway_of", router_id)):
        port = view.get(Port, port_id)
        if port is not None and port.key in keys:
            return view.ask(largest_out, router_id, port_id) or 0
    return 0


def _error(what: tuple[int, int, int], about: bytes, source: IPv4Address, target: IPv4Address) -> bytes:
    """Return the packet; ``what`` is its type and code, and for ``FRAGMENTATION`` the MTU (RFC 1191, section 4)."""
    quoted = about[: _LONGEST - _HEADER.size - 8]
    message = struct.pack("!BBxxI", *what) + quoted
    message = message[:2] + _checksum(message) + message[4:]
    size = _HEADER.size + len(message)
    fields = (0x45, _INTERNETWORK_CONTROL, size, 0, 0, _TTL, IP_PROTO_ICMP, 0, source.packed, target.packed)
    header = _HEADER.pack(*fields)
    return header[:10] + _checksum(header) + header[12:] + message


def _checksum(content: bytes) -> bytes:
    """Return the Internet checksum (RFC 1071)."""
    content += b"\0" * (len(content) % 2)
    total = sum(struct.unpack(f"!{len(content) // 2}H", content))
    total = (total & 0xFFFF) + (total >> 16)
    folded = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~folded & 0xFFFF)
