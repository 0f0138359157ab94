"""From a client's frame and what DHCP says to its port, to the answer (RFC 2131 section 4.3)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from sdnapp.dhcp.packet import (
    BOOTREPLY,
    BOOTREQUEST,
    BROADCAST_FLAG,
    CLIENT_PORT,
    HEADERS_SIZE,
    SERVER_PORT,
    Code,
    DhcpPacket,
    MalformedPacket,
    MessageType,
    build,
    encode_options,
    options_size,
    parse,
)
from sdnapp.dhcp.service import Lease, PortService, mac_bytes
from topology.addressing import SERVICE_MAC

_SERVICE_MAC = mac_bytes(SERVICE_MAC)
_EVERYBODY = (b"\xff" * 6, b"\xff" * 4)
"""The broadcast MAC and IPv4 addresses."""
_NO_ADDRESS = bytes(4)

LEAST_DATAGRAM = 576
"""Octets of an IP datagram that every client takes (RFC 2131 section 2, RFC 2132 section 9.10)."""

_ESSENTIAL = frozenset(
    {
        Code.LEASE_TIME,
        Code.NETMASK,
        Code.CLASSLESS_ROUTES,
        Code.MS_CLASSLESS_ROUTES,
        Code.ROUTER,
        Code.MTU,
        Code.DNS_SERVER,
    }
)
"""What a client cannot do without, whether it asked or not; asked options give way to these where room is short."""
_MOST_WRITTEN = 4
"""What is kept of what was written for a lease: a boot loader and an operating system ask for different things."""
_MOST_ASKED = 255
"""Octets of a list of options that can be asked for, within reason."""
_OF_A_LEASE = frozenset({Code.LEASE_TIME, Code.T1, Code.T2})
"""Not for a client that has its address from elsewhere (RFC 2131 section 4.3.5)."""


class Reason(StrEnum):
    """Why a frame got no answer."""

    MALFORMED = "malformed"
    NOT_A_REQUEST = "not_a_request"
    """A reply (BOOTREPLY), or not sent to a server's port."""
    RELAYED = "relayed"
    """Instances are no relay agents."""
    FOREIGN_CLIENT = "foreign_client"
    """The client's hardware address is not one that the port may use."""
    NO_MESSAGE_TYPE = "no_message_type"
    """Plain BOOTP."""
    UNEXPECTED_TYPE = "unexpected_type"
    """A message type that clients do not send, or one unknown to us."""
    OTHER_SERVER = "other_server"
    """The client took another server's offer."""
    NO_ADDRESS = "no_address"
    """The client does not say which address it means."""
    NOT_ON_LINK = "not_on_link"
    """The client informs itself for an address outside of the port's subnets."""
    RELEASED = "released"
    """The client gave its address back; it stays the port's."""
    DECLINED = "declined"
    """The client found its address in use by somebody else."""


class Refusal(NamedTuple):
    """No answer, and why; ``detail`` is for people."""

    reason: Reason
    detail: str = ""


def respond(frame: bytes, service: PortService) -> bytes | Refusal:
    """Return the frame that answers a client's frame, to be sent out of the port it came from, or why there is none.

    Raises nothing, whatever the frame holds.
    """
    try:
        request = parse(frame)
    except MalformedPacket as error:
        return Refusal(Reason.MALFORMED, error.reason)
    if request.op != BOOTREQUEST or request.udp_dst != SERVER_PORT:
        return Refusal(Reason.NOT_A_REQUEST, f"op {request.op} to UDP port {request.udp_dst}")
    if request.giaddr != _NO_ADDRESS:
        return Refusal(Reason.RELAYED, f"giaddr {_show(request.giaddr)}")
    if request.chaddr not in service.macs:
        return Refusal(Reason.FOREIGN_CLIENT, f"chaddr {request.chaddr.hex(':')}")
    message_type = request.options.get(Code.MESSAGE_TYPE)
    if message_type is None:
        return Refusal(Reason.NO_MESSAGE_TYPE)
    match message_type[0]:
        case MessageType.DISCOVER:
            return _offer(request, service)
        case MessageType.REQUEST:
            return _answer_request(request, service)
        case MessageType.INFORM:
            return _inform(request, service)
        case MessageType.RELEASE:
            return Refusal(Reason.RELEASED, _show(request.ciaddr))
        case MessageType.DECLINE:
            return Refusal(Reason.DECLINED, _show(request.options.get(Code.REQUESTED_ADDRESS, _NO_ADDRESS)))
    return Refusal(Reason.UNEXPECTED_TYPE, f"message type {message_type[0]}")


def _offer(request: DhcpPacket, service: PortService) -> bytes:
    """Offer the address that the client would like, if it is the port's, or else the first (RFC 2131 section 4.3.1)."""
    wanted = request.options.get(Code.REQUESTED_ADDRESS)
    lease = _lease_of(wanted, service) if wanted is not None else None
    return _grant(MessageType.OFFER, request, service, lease or service.leases[0])


def _answer_request(request: DhcpPacket, service: PortService) -> bytes | Refusal:
    """Confirm or deny the address that a client means, which depends on its state (RFC 2131 section 4.3.2).

    =========== ========= ================= ======
    state       server id requested address ciaddr
    =========== ========= ================= ======
    selecting   ours      the offered       zero
    init-reboot           remembered        zero
    renewing                                in use
    rebinding                               in use
    =========== ========= ================= ======

    The port's row is all there is to know about a client: an address which is not the port's is denied in every state.
    """
    server_id = request.options.get(Code.SERVER_ID)
    if server_id is not None and all(server_id != lease.server_id for lease in service.leases):
        return Refusal(Reason.OTHER_SERVER, _show(server_id))
    requested = request.options.get(Code.REQUESTED_ADDRESS)
    in_use = request.ciaddr if request.ciaddr != _NO_ADDRESS else None
    address = (requested or in_use) if server_id is not None else (in_use or requested)
    if address is None:
        return Refusal(Reason.NO_ADDRESS)
    lease = _lease_of(address, service)
    if lease is None:
        return _deny(request, service, server_id or service.leases[0].server_id, address)
    return _grant(MessageType.ACK, request, service, lease)


def _inform(request: DhcpPacket, service: PortService) -> bytes | Refusal:
    """Tell a client that has an address all but a lease (RFC 2131 section 4.3.5).

    Some clients leave ciaddr empty; the datagram's source says it then.
    """
    address = request.ciaddr if request.ciaddr != _NO_ADDRESS else request.ip_src
    if address == _NO_ADDRESS:
        return Refusal(Reason.NO_ADDRESS)
    on_link = (lease for lease in service.leases if lease.has_on_link(address))
    lease = _lease_of(address, service) or next(on_link, None)
    if lease is None:
        return Refusal(Reason.NOT_ON_LINK, _show(address))
    head = _head(MessageType.ACK, request, lease.server_id)
    said = {code: octets for code, octets in lease.options if code not in _OF_A_LEASE}
    asked = request.options.get(Code.PARAMETER_REQUEST, b"")
    options = head + _arrange(said, asked, _room(request, service.mtu) - len(head))
    return _reply(request, (request.chaddr, address), lease.server_id, options, lease=lease, ciaddr=request.ciaddr)


def _grant(message_type: MessageType, request: DhcpPacket, service: PortService, lease: Lease) -> bytes:
    """Build an OFFER or ACK; RFC 2131 section 4.1 says where it goes."""
    if request.ciaddr != _NO_ADDRESS:
        to = (request.chaddr, request.ciaddr)
    elif request.flags & BROADCAST_FLAG:
        to = _EVERYBODY
    else:
        to = (request.chaddr, lease.address)
    head = _head(message_type, request, lease.server_id)
    options = head + _told(
        lease, request.options.get(Code.PARAMETER_REQUEST, b""), _room(request, service.mtu) - len(head)
    )
    ciaddr = request.ciaddr if message_type is MessageType.ACK else _NO_ADDRESS
    return _reply(request, to, lease.server_id, options, lease=lease, ciaddr=ciaddr, yiaddr=lease.address)


def _deny(request: DhcpPacket, service: PortService, server_id: bytes, address: bytes) -> bytes:
    """Build a NAK; it is broadcast since the client may not have the address it speaks of (RFC 2131 section 4.1)."""
    head = _head(MessageType.NAK, request, server_id)
    why = {Code.MESSAGE: f"{_show(address)} is not this port's address".encode("ascii")}
    options = head + _arrange(why, b"", _room(request, service.mtu) - len(head))
    return _reply(request, _EVERYBODY, server_id, options)


def _reply(
    request: DhcpPacket,
    to: tuple[bytes, bytes],
    server_id: bytes,
    options: bytes,
    *,
    lease: Lease | None = None,
    ciaddr: bytes = _NO_ADDRESS,
    yiaddr: bytes = _NO_ADDRESS,
) -> bytes:
    """Build a reply to a MAC and an IPv4 address; RFC 2131 table 3 says which fields repeat the request's."""
    return build(
        DhcpPacket(
            eth_src=_SERVICE_MAC,
            eth_dst=to[0],
            ip_src=server_id,
            ip_dst=to[1],
            op=BOOTREPLY,
            xid=request.xid,
            chaddr=request.chaddr,
            options={},
            udp_src=SERVER_PORT,
            udp_dst=CLIENT_PORT,
            flags=request.flags,
            ciaddr=ciaddr,
            yiaddr=yiaddr,
            siaddr=lease.siaddr if lease else _NO_ADDRESS,
            sname=lease.sname if lease else b"",
            file=lease.file if lease else b"",
        ),
        options,
    )


def _head(message_type: MessageType, request: DhcpPacket, server_id: bytes) -> bytes:
    """Write what every reply begins with; the client identifier is echoed if there is one (RFC 6842 section 3)."""
    head = bytes((Code.MESSAGE_TYPE, 1, message_type, Code.SERVER_ID, 4)) + server_id
    client_id = request.options.get(Code.CLIENT_ID)
    return head if client_id is None else head + bytes((Code.CLIENT_ID, len(client_id))) + client_id


def _told(lease: Lease, asked: bytes, room: int) -> bytes:
    """Write a lease's options. A client asks for the same each time, so that it need not be done each time."""
    told = lease.written.get((asked, room))
    if told is None:
        told = _arrange(dict(lease.options), asked, room)
        if len(lease.written) >= _MOST_WRITTEN:
            lease.written.clear()
        if len(asked) <= _MOST_ASKED:
            lease.written[asked, room] = told
    return told


def _arrange(options: dict[int, bytes], asked: bytes, room: int) -> bytes:
    """Write options: what the client asked for as it asked, then the rest, and the end.

    The options given are most important first. Where not all fit into the room, which is without the end, the least
    important are left out, never cut.
    """
    if Code.MS_CLASSLESS_ROUTES not in asked:
        options.pop(Code.MS_CLASSLESS_ROUTES, None)
    if options_size(options.values()) > room:
        options = _most_important(options, asked, room)
    first = [code for code in asked if code in options]
    return encode_options({code: options[code] for code in dict.fromkeys((*first, *options))})


def _most_important(options: dict[int, bytes], asked: Iterable[int], room: int) -> dict[int, bytes]:
    essential = [code for code in options if code in _ESSENTIAL]
    wanted = [code for code in asked if code in options]
    kept = {}
    for code in dict.fromkeys((*essential, *wanted, *options)):
        size = options_size((options[code],))
        if size <= room:
            kept[code] = options[code]
            room -= size
    return kept


def _room(request: DhcpPacket, mtu: int) -> int:
    """Return how many octets of options the client takes: by option 57, within what the network carries."""
    stated = request.options.get(Code.MAXIMUM_SIZE)
    largest = max(LEAST_DATAGRAM, min(int.from_bytes(stated, "big"), mtu)) if stated else LEAST_DATAGRAM
    return largest - HEADERS_SIZE - 1


def _lease_of(address: bytes, service: PortService) -> Lease | None:
    return next((lease for lease in service.leases if lease.address == address), None)


def _show(address: bytes) -> str:
    return ".".join(map(str, address))
