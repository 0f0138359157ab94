"""Our bytes are those that os-ken's own serialiser makes of the same flow."""

import struct
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from os_ken.lib import type_desc
from os_ken.ofproto import nicira_ext, oxm_fields
from os_ken.ofproto import ofproto_v1_3 as ofp
from os_ken.ofproto import ofproto_v1_3_parser as parser

from flows.actions import (
    REMEMBERED,
    Action,
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
from flows.fields import FIELDS, show
from flows.flow import Flow, Match, Term, field_named
from flows.pipeline import REGISTERS, TABLES
from sdnapp.openflow import encoding
from sdnapp.openflow.messages import FLOW_MOD, bundle_add, message
from tests.sdnapp.openflow.strategies import flows

DATAPATH: Any = SimpleNamespace(ofproto=ofp, ofproto_parser=parser)
OTHER_NAMES = {
    "tun_id": "tunnel_id",
    "tun_src": "tun_ipv4_src",
    "tun_dst": "tun_ipv4_dst",
    "icmp_type": "icmpv4_type",
    "icmp_code": "icmpv4_code",
}
NEWER = (
    ("ip_ttl", 29, type_desc.Int1),
    ("ct_nw_proto", 119, type_desc.Int1),
    ("ct_nw_src", 120, type_desc.IPv4Addr),
    ("ct_nw_dst", 121, type_desc.IPv4Addr),
    ("ct_tp_src", 124, type_desc.Int2),
    ("ct_tp_dst", 125, type_desc.Int2),
)
"""Fields of Open vSwitch (ovs-fields(7)) that os-ken does not know; it serialises them like its others."""
ofp.oxm_types.extend(oxm_fields.NiciraExtended1(*described) for described in NEWER)
oxm_fields.generate(ofp.__name__)


def name_of(field: str) -> str:
    """What os-ken calls a field or the place of a register."""
    return f"reg{REGISTERS[field].number}" if field in REGISTERS else OTHER_NAMES.get(field, field)


def user(field: str, value: int) -> int | str:
    """A value as os-ken takes it: addresses are text."""
    described = field_named(field)
    return show(described, value) if described.style in ("mac", "ipv4") else value


def os_ken_match(match: Match) -> Any:
    wanted: dict[str, Any] = {}
    registers: dict[str, tuple[int, int]] = {}
    for field, value, mask in match:
        if field in REGISTERS:
            register = REGISTERS[field]
            mask = (1 << register.bits) - 1 if mask is None else mask
            old_value, old_mask = registers.get(name_of(field), (0, 0))
            registers[name_of(field)] = old_value | value << register.offset, old_mask | mask << register.offset
        else:
            wanted[name_of(field)] = user(field, value) if mask is None else (user(field, value), user(field, mask))
    for name, (value, mask) in registers.items():
        wanted[name] = value if mask == 0xFFFFFFFF else (value, mask)
    sorted_by_number = parser.OFPMatch(**wanted)
    # Open vSwitch's own fields have lower numbers than what they presuppose, where os-ken has no order for them.
    order = {name_of(name): position for position, name in enumerate(encoding.HEADERS)}
    return parser.OFPMatch(_ordered_fields=sorted(sorted_by_number.items(), key=lambda item: order.get(item[0], -1)))


def os_ken_action(action: Action) -> Any:
    match action:
        case SetField(field, value) if field in REGISTERS:
            register = REGISTERS[field]
            bits = nicira_ext.ofs_nbits(register.offset, register.offset + register.bits - 1)
            return parser.NXActionRegLoad(ofs_nbits=bits, dst=name_of(field), value=value)
        case SetField("in_port", value):
            bits = nicira_ext.ofs_nbits(0, 15)
            return parser.NXActionRegLoad(ofs_nbits=bits, dst="in_port_nxm", value=value)
        case DecrementTtl():
            return parser.OFPActionDecNwTtl()
        case Spread(name, ways):
            register = REGISTERS[name]
            bits = nicira_ext.ofs_nbits(register.offset, register.offset + register.bits - 1)
            return parser.NXActionMultipath(
                fields=2, basis=0, algorithm=1, max_link=ways - 1, arg=0, ofs_nbits=bits, dst=name_of(name)
            )
        case FirstAlive(name, ports):
            register = REGISTERS[name]
            bits = nicira_ext.ofs_nbits(register.offset, register.offset + register.bits - 1)
            return parser.NXActionBundleLoad(
                algorithm=0,
                fields=0,
                basis=0,
                slave_type=0x2,
                n_slaves=len(ports),
                ofs_nbits=bits,
                dst=name_of(name),
                slaves=list(ports),
            )
        case Learn(table, priority, matched, register, value, cookie, copied, bound):
            sources = [((name_of(name), offset(name)), name) for name in copied] + [
                (number, name) for name, number in matched
            ]
            specs = [
                parser.NXFlowSpecMatch(src=source, dst=(name_of(name), offset(name)), n_bits=field_named(name).bits)
                for source, name in sources
            ]
            if register is not None:
                place, bits = (name_of(register), offset(register)), field_named(register).bits
                specs.append(parser.NXFlowSpecLoad(src=value, dst=place, n_bits=bits))
            number, flags = TABLES[table].number, 2 if bound else 0
            return parser.NXActionLearn(table_id=number, specs=specs, priority=priority, cookie=cookie, flags=flags)
        case SetField(field, value):
            return parser.OFPActionSetField(**{name_of(field): user(field, value)})
        case Move(source, target):
            return parser.NXActionRegMove(
                src_field=name_of(source),
                dst_field=name_of(target),
                n_bits=field_named(source).bits,
                src_ofs=REGISTERS[source].offset if source in REGISTERS else 0,
                dst_ofs=REGISTERS[target].offset if target in REGISTERS else 0,
            )
        case Output(port):
            return parser.OFPActionOutput(port, 0)
        case Resubmit(table):
            return parser.NXActionResubmitTable(in_port=0xFFF8, table_id=TABLES[table].number)
        case PushVlan():
            return parser.OFPActionPushVlan(0x8100)
        case PopVlan():
            return parser.OFPActionPopVlan()
        case Track(zone, table):
            return os_ken_conntrack(0, zone, TABLES[table].number)
        case Commit(zone, copy_to):
            mark = parser.OFPActionSetField(ct_mark=REMEMBERED)
            return os_ken_conntrack(1, zone, TABLES[copy_to].number if copy_to is not None else 0xFF, [mark])
        case Translate(zone, table, source, target):
            address, first, last = source or target or (0, 0, 0)
            nat = parser.NXActionNAT(
                flags=1 if source else 2 if target else 0,
                range_ipv4_min=str(IPv4Address(address)) if address else "",
                range_proto_min=first or None,
                range_proto_max=last or None,
            )
            return os_ken_conntrack(int(bool(source or target)), zone, TABLES[table].number, [nat])
        case Untrack():
            return parser.NXActionCTClear()
        case OutputInPort():
            return parser.OFPActionOutput(ofp.OFPP_IN_PORT, 0)
        case Controller():
            return parser.OFPActionOutput(ofp.OFPP_CONTROLLER, ofp.OFPCML_NO_BUFFER)
    raise AssertionError(action)


def offset(name: str) -> int:
    return REGISTERS[name].offset


def os_ken_conntrack(flags: int, zone: str, table: int, actions: Any = ()) -> Any:
    register = REGISTERS[zone]
    bits = nicira_ext.ofs_nbits(register.offset, register.offset + register.bits - 1)
    return parser.NXActionCT(flags, name_of(zone), bits, recirc_table=table, alg=0, actions=list(actions))


def os_ken_instructions(flow: Flow) -> list[Any]:
    instructions = []
    if flow.meter is not None:
        instructions.append(parser.OFPInstructionMeter(flow.meter.number))
    actions = [os_ken_action(action) for action in flow.actions if not isinstance(action, Goto | Meter)]
    if actions:
        instructions.append(parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, actions))
    instructions += [
        parser.OFPInstructionGotoTable(TABLES[action.table].number)
        for action in flow.actions
        if isinstance(action, Goto)
    ]
    return instructions


def os_ken_flow_mod(flow: Flow, **options: Any) -> bytes:
    mod = parser.OFPFlowMod(
        DATAPATH,
        table_id=flow.table,
        priority=flow.priority,
        match=os_ken_match(flow.match),
        buffer_id=ofp.OFP_NO_BUFFER,
        out_port=ofp.OFPP_ANY,
        out_group=ofp.OFPG_ANY,
        **{"instructions": os_ken_instructions(flow), "cookie": flow.cookie, **options},
    )
    mod.set_xid(77)
    mod.serialize()
    return bytes(mod.buf)


def simple(*actions: Action, match: Match = ()) -> Flow:
    return Flow(0, 1, match, actions, "miss", "test/1")


@given(flows())
@example(simple(match=(Term("eth_type", 0x0806, None), Term("network", 5, 5), Term("from_core", 1, None))))
@example(simple(SetField("tun_dst", 0x0A000001), SetField("tun_id", 1 << 63), Goto("core_output")))
def test_same_bytes_as_os_ken(flow: Flow) -> None:
    assert message(FLOW_MOD, 77, encoding.addition(flow)) == os_ken_flow_mod(flow)
    deleted = os_ken_flow_mod(flow, command=ofp.OFPFC_DELETE_STRICT, cookie=0, instructions=[])
    assert message(FLOW_MOD, 77, encoding.deletion(flow)) == deleted


@given(flows())
def test_same_bundle_as_os_ken(flow: Flow) -> None:
    inner = parser.OFPFlowMod(
        DATAPATH,
        cookie=flow.cookie,
        table_id=flow.table,
        priority=flow.priority,
        match=os_ken_match(flow.match),
        buffer_id=ofp.OFP_NO_BUFFER,
        instructions=os_ken_instructions(flow),
        out_port=ofp.OFPP_ANY,
        out_group=ofp.OFPG_ANY,
    )
    outer = parser.ONFBundleAddMsg(DATAPATH, 9, ofp.ONF_BF_ATOMIC | ofp.ONF_BF_ORDERED, inner, [])
    outer.set_xid(77)
    outer.serialize()
    assert bundle_add(77, 9, encoding.addition(flow)) == bytes(outer.buf)


def test_a_switch_without_meters_is_told_the_rest() -> None:
    flow = simple(Meter(5, 10, 20), Controller(), Goto("delivery"))
    bare = os_ken_flow_mod(flow, instructions=os_ken_instructions(flow)[1:])
    assert message(FLOW_MOD, 77, encoding.addition(flow, metered=False)) == bare


def test_every_declared_field_has_a_header_after_those_it_presupposes() -> None:
    order = list(encoding.HEADERS)
    for name, field in FIELDS.items():
        assert (encoding.HEADERS[name] & 0xFF) * 8 >= field.bits
        for needed, _ in field.needs:
            assert order.index(needed) < order.index(name), f"{name} stands before {needed}"


def test_registers_that_share_a_place_merge() -> None:
    shared = (Term("from_core", 1, None), Term("network", 0x00ABCD, None))
    register = REGISTERS["network"]
    assert register.number == REGISTERS["from_core"].number, "this test needs two registers in one place"
    match = encoding.encode_match(shared)
    assert len(match) == 16
    header, value, mask = struct.unpack_from("!III", match, 4)
    assert header == 1 << 16 | register.number << 9 | 0x100 | 8
    assert value == 0x00ABCD << register.offset | 1 << REGISTERS["from_core"].offset
    assert mask == 0xFFFFFF << register.offset | 1 << REGISTERS["from_core"].offset


def test_bits_outside_a_mask_are_cleared() -> None:
    match = encoding.encode_match((Term("eth_dst", 0x01FFFFFFFFFF, 0x010000000000),))
    assert match[8:20] == bytes.fromhex("010000000000 010000000000")


@pytest.mark.parametrize(
    ("flow", "complaint"),
    [
        (simple(match=(Term("colour", 1, None),)), "colour"),
        (simple(match=(Term("eth_dst", 1 << 48, None),)), "6 bytes"),
        (simple(match=(Term("from_core", 2, None),)), "from_core"),
        (simple(SetField("colour", 1)), "colour"),
        (simple(Move("eth_src", "arp_op")), "eth_src has 48 bits and arp_op has 16"),
        (simple(Goto("delivery"), PopVlan()), "may not stand here"),
    ],
)
def test_what_cannot_be_encoded_is_named(flow: Flow, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        encoding.addition(flow)


def test_an_equal_flow_is_encoded_once() -> None:
    one, other = simple(PushVlan(), Output(3)), simple(PushVlan(), Output(3))
    assert encoding.addition(one) is encoding.addition(other)


def test_actions_that_are_equal_as_tuples_are_told_apart() -> None:
    assert encoding.addition(simple(PushVlan())) != encoding.addition(simple(PopVlan()))
    assert encoding.encode_action(OutputInPort()) != encoding.encode_action(Controller())
