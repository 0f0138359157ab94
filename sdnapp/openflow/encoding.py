"""From flows to the bytes of OpenFlow 1.3 flow mods, with Nicira's extensions.

A flow mod is kept as its *body*: everything after the 8 bytes of OpenFlow header, as only the header's transaction id
differs each time a flow is sent. Bodies of additions are cached: a flow that 200 switches need is encoded once.

Sources: OpenFlow 1.3.5 (sections 7.2.3 match, 7.2.4 instructions, 7.2.5 actions, 7.3.4.1 flow mod), and ovs-fields(7)
and ovs-actions(7) for Nicira's fields (NXM) and actions.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flows.actions import (
    REMEMBERED,
    Action,
    CheckLarger,
    Commit,
    Controller,
    DecrementTtl,
    FirstAlive,
    Goto,
    Learn,
    Meter,
    Move,
    Output,
    OutputInPort,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    Spread,
    Track,
    Translate,
    Untrack,
)
from flows.fields import ETH_TYPE_VLAN
from flows.flow import Flow, Match, Term, field_named
from flows.pipeline import REGISTERS, TABLES

VERSION = 4
"""OpenFlow 1.3's number on the wire."""
ADD = 0
DELETE_STRICT = 4
PORT_ANY = GROUP_ANY = 0xFFFFFFFF
PORT_IN = 0xFFFFFFF8
PORT_CONTROLLER = 0xFFFFFFFD
NO_BUFFER = 0xFFFFFFFF
WHOLE_PACKET = 0xFFFF
"""``max_len`` of an output to the controller: no part is kept back in a buffer of the switch (OFPCML_NO_BUFFER)."""

NO_TABLE = 0xFF
"""``recirc_table`` of a connection tracking action that leads nowhere."""

CACHED_FLOWS = 1 << 15
"""Encoded flows kept, of about 300 bytes each."""

_NXM_0 = 0x0000
_NXM_1 = 0x0001
_OXM = 0x8000
_NICIRA = 0x00002320
_IN_PORT_16 = _NXM_0 << 16 | 2
"""The port that a packet came in by, in the 16 bits of OpenFlow 1.0: only so can it be set."""
_SYMMETRIC_L3L4 = 2
_ACTIVE_BACKUP = 0
"""Of Nicira's bundle action: how a port is chosen (NX_BD_ALG_ACTIVE_BACKUP)."""
_LEARN_VALUE, _LEARN_LOAD = 1 << 13, 1 << 11
"""Of Nicira's learn action: the source is a value given here, else the packet; and it is set, else matched."""
_LEARN_BOUND = 2
"""Of Nicira's learn action: what is learnt goes with the flow that has it (NX_LEARN_F_DELETE_LEARNED)."""
_HASH_THRESHOLD = 1
"""Of Nicira's multipath action: what is hashed (NX_HASH_FIELDS_SYMMETRIC_L3L4), and how the hash chooses (RFC 2992)."""


def _header(oxm_class: int, field: int, length: int) -> int:
    return oxm_class << 16 | field << 9 | length


HEADERS: dict[str, int] = {
    "tun_src": _header(_NXM_1, 31, 4),
    "tun_dst": _header(_NXM_1, 32, 4),
    "in_port": _header(_OXM, 0, 4),
    "eth_dst": _header(_OXM, 3, 6),
    "eth_src": _header(_OXM, 4, 6),
    "eth_type": _header(_OXM, 5, 2),
    "vlan_vid": _header(_OXM, 6, 2),
    "ip_proto": _header(_OXM, 10, 1),
    "ipv4_src": _header(_OXM, 11, 4),
    "ipv4_dst": _header(_OXM, 12, 4),
    "ip_frag": _header(_NXM_1, 26, 1),
    "ip_ttl": _header(_NXM_1, 29, 1),
    "tcp_src": _header(_OXM, 13, 2),
    "tcp_dst": _header(_OXM, 14, 2),
    "udp_src": _header(_OXM, 15, 2),
    "udp_dst": _header(_OXM, 16, 2),
    "sctp_src": _header(_OXM, 17, 2),
    "sctp_dst": _header(_OXM, 18, 2),
    "icmp_type": _header(_OXM, 19, 1),
    "icmp_code": _header(_OXM, 20, 1),
    "arp_op": _header(_OXM, 21, 2),
    "arp_spa": _header(_OXM, 22, 4),
    "arp_tpa": _header(_OXM, 23, 4),
    "arp_sha": _header(_OXM, 24, 6),
    "arp_tha": _header(_OXM, 25, 6),
    "tun_id": _header(_OXM, 38, 8),
    "ct_state": _header(_NXM_1, 105, 4),
    "ct_mark": _header(_NXM_1, 107, 4),
    "ct_nw_proto": _header(_NXM_1, 119, 1),
    "ct_nw_src": _header(_NXM_1, 120, 4),
    "ct_nw_dst": _header(_NXM_1, 121, 4),
    "ct_tp_src": _header(_NXM_1, 124, 2),
    "ct_tp_dst": _header(_NXM_1, 125, 2),
}
"""Each field's OXM or NXM header: class, number, length in bytes. A field stands after those that it presupposes, as a
switch reads a match from left to right."""

MATCH_AT = 40
"""Where the match begins in the body of a flow mod."""

_ORDER = {name: position for position, name in enumerate(HEADERS)}
_BODY = struct.Struct("!QQBBHHHIIIHxx")


@lru_cache(maxsize=CACHED_FLOWS)
def addition(flow: Flow, metered: bool = True) -> bytes:
    """Return the body of the flow mod that adds a flow, or overwrites one with the same match and priority.

    ``metered`` is False for a switch that has no meters. Raises ValueError for a field without a header, or a value
    that does not fit its field.
    """
    actions = flow.actions if metered or flow.meter is None else flow.actions[1:]
    match, instructions = encode_match(flow.match), encode_instructions(actions)
    return _body(flow.cookie, flow.table, ADD, flow.priority) + match + instructions


def deletion(flow: Flow) -> bytes:
    """Return the body of the flow mod that deletes what has this table, priority and match, whatever its cookie."""
    return strict_deletion(flow.table, flow.priority, encode_match(flow.match))


def strict_deletion(table: int, priority: int, match: bytes) -> bytes:
    """Return the body of the flow mod that deletes one flow; ``match`` is an ``ofp_match``, padding included."""
    return _body(0, table, DELETE_STRICT, priority) + match


def _body(cookie: int, table: int, command: int, priority: int) -> bytes:
    # No timeouts and no flags: flows live until they are no longer wanted, and their end is no news to us.
    return _BODY.pack(cookie, 0, table, command, 0, 0, priority, NO_BUFFER, PORT_ANY, GROUP_ANY, 0)


def encode_match(match: Match) -> bytes:
    """Return the ``ofp_match`` of a match, padded to 8 bytes. Raises ValueError."""
    headers: list[Term] = []
    registers: dict[int, tuple[int, int]] = {}
    for term in match:
        if (register := REGISTERS.get(term.field)) is None:
            headers.append(term)
            continue
        # A field may occur only once in a match, and several of our registers share one of the switch's.
        every = (1 << register.bits) - 1
        mask = every if term.mask is None else term.mask
        if (term.value | mask) & ~every:
            raise ValueError(f"register {term.field} has {register.bits} bits, {term.value:#x}/{mask:#x} does not fit")
        value_there, mask_there = registers.get(register.number, (0, 0))
        registers[register.number] = (
            value_there | (term.value & mask) << register.offset,
            mask_there | mask << register.offset,
        )
    if len(headers) > 1:
        headers.sort(key=_position)
    tlvs = [
        _tlv(_register_header(number), value, None if mask == 0xFFFFFFFF else mask)
        for number, (value, mask) in sorted(registers.items())
    ]
    tlvs += [_tlv(_header_of(term.field), term.value, term.mask) for term in headers]
    return _oxm_match(b"".join(tlvs))


def canonical(match: bytes) -> bytes:
    """Return what an ``ofp_match`` at the beginning of ``match`` says, whatever the order in which it says it."""
    end = int.from_bytes(match[2:4], "big")
    position, entries = 4, []
    while position < end:
        following = position + 4 + match[position + 3]
        entries.append(match[position:following])
        position = following
    entries.sort()
    return b"".join(entries)


def value_matched(match: bytes, name: str) -> int:
    """Return the value of a register that an ``ofp_match`` asks for; 0 where it does not ask."""
    register = REGISTERS[name]
    position, end = 4, int.from_bytes(match[2:4], "big")
    while position + 8 <= end:
        header = int.from_bytes(match[position : position + 4], "big")
        if header >> 9 == _register_header(register.number) >> 9:
            value = int.from_bytes(match[position + 4 : position + 8], "big")
            return value >> register.offset & (1 << register.bits) - 1
        position += 4 + match[position + 3]
    return 0


def encode_instructions(actions: tuple[Action, ...]) -> bytes:
    """Return the instructions that run the actions in order. Raises ValueError."""
    meter = goto = b""
    if actions and isinstance(actions[0], Meter):
        meter = struct.pack("!HHI", 6, 8, actions[0].number)
        actions = actions[1:]
    if actions and isinstance(actions[-1], Goto):
        goto = struct.pack("!HHBxxx", 1, 8, _table(actions[-1].table))
        actions = actions[:-1]
    if not actions:
        return meter + goto
    encoded = b"".join([encode_action(action) for action in actions])
    return meter + struct.pack("!HHxxxx", 4, 8 + len(encoded)) + encoded + goto


# Typed: PushVlan() and PopVlan() are both the empty tuple, so they compare equal.
@lru_cache(maxsize=1 << 14, typed=True)
def encode_action(action: Action) -> bytes:
    """Return one action's bytes. Raises ValueError."""
    try:
        encoder = _ACTIONS[type(action)]
    except KeyError:
        raise ValueError(f"{action!r} may not stand here in a list of actions") from None
    return encoder(action)


def _set_field(action: SetField) -> bytes:
    if action.field == "in_port":
        return _nicira(7, "!HIQ", 15, _IN_PORT_16, action.value)
    if (register := REGISTERS.get(action.field)) is not None:
        target = _register_header(register.number)
        return _nicira(7, "!HIQ", register.offset << 6 | register.bits - 1, target, action.value)
    tlv = _tlv(_header_of(action.field), action.value, None)
    size = (4 + len(tlv) + 7) // 8 * 8
    return struct.pack("!HH", 25, size) + tlv.ljust(size - 4, b"\0")


def _move(action: Move) -> bytes:
    bits, target_bits = field_named(action.source).bits, field_named(action.target).bits
    if bits != target_bits:
        raise ValueError(f"{action.source} has {bits} bits and {action.target} has {target_bits}")
    (source, source_offset), (target, target_offset) = _place(action.source), _place(action.target)
    return _nicira(6, "!HHHII", bits, source_offset, target_offset, source, target)


def _spread(action: Spread) -> bytes:
    register = REGISTERS[action.register]
    last, where = action.ways - 1, register.offset << 6 | register.bits - 1
    form, target = "!HHxxHHIxxHI", _register_header(register.number)
    return _nicira(10, form, _SYMMETRIC_L3L4, 0, _HASH_THRESHOLD, last, 0, where, target)


def _first_alive(action: FirstAlive) -> bytes:
    register, count = REGISTERS[action.register], len(action.ports)
    where = register.offset << 6 | register.bits - 1
    # Ports have the 16 bits of OpenFlow 1.0 here.
    form = f"!HHHIHHI4x{count}H"
    values = (_ACTIVE_BACKUP, 0, 0, _IN_PORT_16, count, where, _register_header(register.number), *action.ports)
    return _nicira(13, form, *values)


def _check_larger(action: CheckLarger) -> bytes:
    register = REGISTERS[action.register]
    return _nicira(49, "!HHI", action.size, register.offset, _register_header(register.number))


def _learn(action: Learn) -> bytes:
    """Return a ``learn`` action: values of its own are in 16 bits or multiples of them, the packet's are named."""
    flags = _LEARN_BOUND if action.bound else 0
    content = struct.pack(
        "!IHHHHQHBxHH", _NICIRA, 16, 0, 0, action.priority, action.cookie, flags, _table(action.table), 0, 0
    )
    for name in action.copied:
        place = struct.pack("!IH", *_place(name))
        content += struct.pack("!H", field_named(name).bits) + place + place
    values = [(*each, 0) for each in action.match]
    if action.register is not None:
        values.append((action.register, action.value, _LEARN_LOAD))
    for name, value, kind in values:
        (header, offset), bits = _place(name), field_named(name).bits
        size = (bits + 15) // 16 * 2
        content += struct.pack("!H", _LEARN_VALUE | kind | bits) + value.to_bytes(size, "big")
        content += struct.pack("!IH", header, offset)
    size = (4 + len(content) + 7) // 8 * 8
    return struct.pack("!HH", 0xFFFF, size) + content.ljust(size - 4, b"\0")


def _place(name: str) -> tuple[int, int]:
    """Return the header and first bit of a field or register."""
    if (register := REGISTERS.get(name)) is not None:
        return _register_header(register.number), register.offset
    return _header_of(name), 0


def _conntrack(flags: int, zone: str, table: int, within: bytes = b"") -> bytes:
    """Return a connection tracking action with other actions in it (ovs-actions(7), ``ct``)."""
    header, offset = _place(zone)
    bits = offset << 6 | field_named(zone).bits - 1
    content = struct.pack("!IHHIHBxxxH", _NICIRA, 35, flags, header, bits, table, 0)
    return struct.pack("!HH", 0xFFFF, 4 + len(content) + len(within)) + content + within


def _commitment(action: Commit) -> bytes:
    table = _table(action.copy_to) if action.copy_to is not None else NO_TABLE
    return _conntrack(1, action.zone, table, _set_field(SetField("ct_mark", REMEMBERED)))


def _translation(action: Translate) -> bytes:
    """Return a connection tracking action with a NAT action in it (ovs-actions(7), ``nat``)."""
    flags, given = (1, action.source) if action.source is not None else (2, action.target)
    if given is None:
        nat = _nicira(36, "!2xHH", 0, 0)
    else:
        address, first, last = given
        # Which parts of a range follow: the lowest address, and the lowest and highest port.
        nat = (
            _nicira(36, "!2xHHIHH", flags, 0x31, address, first, last)
            if last
            else _nicira(36, "!2xHHI", flags, 0x01, address)
        )
    return _conntrack(int(given is not None), action.zone, _table(action.table), nat)


def _output(port: int, max_len: int = 0) -> bytes:
    return struct.pack("!HHIH6x", 0, 16, port, max_len)


_ACTIONS: dict[type, Callable[[Any], bytes]] = {
    SetField: _set_field,
    Move: _move,
    PushVlan: lambda action: struct.pack("!HHHxx", 17, 8, ETH_TYPE_VLAN),
    PopVlan: lambda action: struct.pack("!HHxxxx", 18, 8),
    DecrementTtl: lambda action: struct.pack("!HHxxxx", 24, 8),
    Spread: _spread,
    FirstAlive: _first_alive,
    CheckLarger: _check_larger,
    Output: lambda action: _output(action.port),
    OutputInPort: lambda action: _output(PORT_IN),
    Controller: lambda action: _output(PORT_CONTROLLER, WHOLE_PACKET),
    Resubmit: lambda action: _nicira(14, "!HBxxx", PORT_IN & 0xFFFF, _table(action.table)),
    Track: lambda action: _conntrack(0, action.zone, _table(action.table)),
    Commit: _commitment,
    Translate: _translation,
    Untrack: lambda action: _nicira(43, "!6x"),
    Learn: _learn,
}


def _nicira(subtype: int, form: str, *values: int) -> bytes:
    """Return a Nicira action: an experimenter action with a subtype."""
    content = struct.pack("!IH", _NICIRA, subtype) + struct.pack(form, *values)
    size = (4 + len(content) + 7) // 8 * 8
    return struct.pack("!HH", 0xFFFF, size) + content.ljust(size - 4, b"\0")


def _tlv(header: int, value: int, mask: int | None) -> bytes:
    """Return one entry of a match: header, value and, where only some bits count, the mask."""
    length = header & 0xFF
    try:
        if mask is None:
            return header.to_bytes(4, "big") + value.to_bytes(length, "big")
        # Bits outside the mask must be zero; bit 8 of the header says that a mask follows.
        masked = (header + length | 0x100).to_bytes(4, "big")
        return masked + (value & mask).to_bytes(length, "big") + mask.to_bytes(length, "big")
    except OverflowError:
        raise ValueError(f"{value:#x} does not fit in {length} bytes of the field with header {header:#010x}") from None


def _header_of(name: str) -> int:
    try:
        return HEADERS[name]
    except KeyError:
        raise ValueError(f"field {name} has no header: add it to HEADERS in {__name__}") from None


def _register_header(number: int) -> int:
    return _header(_NXM_1, number, 4)


def _position(term: Term) -> int:
    return _ORDER.get(term.field, 0)


def _table(name: str) -> int:
    return TABLES[name].number


def _oxm_match(tlvs: bytes) -> bytes:
    length = 4 + len(tlvs)
    return (struct.pack("!HH", 1, length) + tlvs).ljust((length + 7) // 8 * 8, b"\0")
