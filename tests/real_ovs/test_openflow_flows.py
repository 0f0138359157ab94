"""Real Open vSwitch understands every match and action that we encode as we mean it."""

from collections.abc import Iterator

import pytest

from flows.actions import (
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
from flows.fields import CT_VALID, FIELDS
from flows.flow import Flow, Match, Term
from flows.pipeline import REGISTERS, TABLES
from tests.real_ovs.openflow_controller import ControllerProcess
from tests.real_ovs.ovs_dummy import OvsDummy

pytestmark = pytest.mark.ovs

DATAPATH = "00000000000000ab"
IPV4, ARP, UDP = Term("eth_type", 0x800, None), Term("eth_type", 0x806, None), Term("ip_proto", 17, None)
ICMP, TCP, SCTP = Term("ip_proto", 1, None), Term("ip_proto", 6, None), Term("ip_proto", 132, None)
VALID = Term("ct_state", *CT_VALID)
FIRST, LAST = TABLES["classification"].number, TABLES["core_output"].number


def place(name: str) -> str:
    """How Open vSwitch writes the place of a register: ``NXM_NX_REG0[0..23]``."""
    register = REGISTERS[name]
    if register.bits == 32:
        return f"NXM_NX_REG{register.number}[]"
    last = register.offset + register.bits - 1
    bits = f"{register.offset}..{last}" if register.bits > 1 else f"{last}"
    return f"NXM_NX_REG{register.number}[{bits}]"


def masked(**values: int) -> str:
    """How Open vSwitch writes a match on registers that share a place."""
    (number,) = {REGISTERS[name].number for name in values}
    value = sum(value << REGISTERS[name].offset for name, value in values.items())
    mask = sum((1 << REGISTERS[name].bits) - 1 << REGISTERS[name].offset for name in values)
    return f"reg{number}={value:#x}/{mask:#x}" if mask != 0xFFFFFFFF else f"reg{number}={value:#x}"


MATCHES: list[tuple[Match, str]] = [
    ((), ""),
    ((Term("in_port", 7, None),), "in_port=7"),
    ((Term("tun_id", 0x123456, None),), "tun_id=0x123456"),
    ((Term("tun_id", 0x120000, 0xFF0000),), "tun_id=0x120000/0xff0000"),
    ((Term("tun_src", 0x0A000001, None),), "tun_src=10.0.0.1"),
    ((Term("tun_dst", 0x0A000000, 0xFFFFFF00),), "tun_dst=10.0.0.0/24"),
    ((Term("eth_dst", 0xAA5500000001, None),), "dl_dst=aa:55:00:00:00:01"),
    ((Term("eth_dst", 0x010000000000, 0x010000000000),), "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"),
    ((Term("eth_src", 0xAA5500000001, None),), "dl_src=aa:55:00:00:00:01"),
    ((Term("vlan_vid", 0x1000 | 42, None),), "dl_vlan=42"),
    ((Term("vlan_vid", 0, None),), "vlan_tci=0x0000/0x1fff"),
    ((Term("vlan_vid", 0x1000, 0x1000),), "vlan_tci=0x1000/0x1000"),
    ((IPV4,), "ip"),
    ((IPV4, Term("ip_proto", 47, None)), "ip,nw_proto=47"),
    ((IPV4, Term("ipv4_src", 0x0A000005, None)), "ip,nw_src=10.0.0.5"),
    ((IPV4, Term("ipv4_dst", 0x0A000000, 0xFF000000)), "ip,nw_dst=10.0.0.0/8"),
    ((IPV4, UDP, Term("udp_src", 68, None), Term("udp_dst", 67, None)), "udp,tp_src=68,tp_dst=67"),
    ((IPV4, Term("ip_frag", 3, 3)), "ip,nw_frag=later"),
    ((IPV4, TCP, Term("tcp_src", 80, None), Term("tcp_dst", 0x1F40, 0xFFC0)), "tcp,tp_src=80,tp_dst=0x1f40/0xffc0"),
    ((IPV4, SCTP, Term("sctp_src", 80, None), Term("sctp_dst", 81, None)), "sctp,tp_src=80,tp_dst=81"),
    ((IPV4, ICMP, Term("icmp_type", 3, None), Term("icmp_code", 4, None)), "icmp,icmp_type=3,icmp_code=4"),
    ((Term("ct_state", 0x29, 0x39),), "ct_state=+new+rpl-inv+trk"),
    ((Term("ct_mark", 1, None),), "ct_mark=0x1"),
    ((IPV4, VALID, Term("ct_nw_src", 0x0A000005, None)), "ct_state=-inv+trk,ct_nw_src=10.0.0.5,ip"),
    ((IPV4, VALID, Term("ct_nw_dst", 0x0A000000, 0xFF000000)), "ct_state=-inv+trk,ct_nw_dst=10.0.0.0/8,ip"),
    (
        (IPV4, VALID, Term("ct_nw_proto", 6, None), Term("ct_tp_src", 80, None), Term("ct_tp_dst", 0x50, 0xFFF0)),
        "ct_state=-inv+trk,ct_nw_proto=6,ct_tp_src=80,ct_tp_dst=0x50/0xfff0,ip",
    ),
    ((ARP, Term("arp_op", 1, None)), "arp,arp_op=1"),
    ((ARP, Term("arp_spa", 0x0A000001, None)), "arp,arp_spa=10.0.0.1"),
    ((ARP, Term("arp_tpa", 0x0A000100, 0xFFFFFF00)), "arp,arp_tpa=10.0.1.0/24"),
    ((ARP, Term("arp_sha", 0xAA5500000001, None)), "arp,arp_sha=aa:55:00:00:00:01"),
    ((ARP, Term("arp_tha", 0, None)), "arp,arp_tha=00:00:00:00:00:00"),
    ((Term("network", 0xABCDEF, None),), masked(network=0xABCDEF)),
    ((Term("from_core", 1, None), Term("network", 5, None)), masked(network=5, from_core=1)),
    ((Term("drop_reason", 9, None),), masked(drop_reason=9)),
    ((Term("from_port", 0xFFFFFFFF, None),), masked(from_port=0xFFFFFFFF)),
    ((Term("charged", 7, None),), masked(charged=7)),
    ((Term("peer", 7, None),), masked(peer=7)),
    ((Term("found", 1, None), Term("translating", 1, None)), masked(found=1, translating=1)),
    ((Term("zone", 0xABCD, None), Term("stateful", 1, None)), masked(zone=0xABCD, stateful=1)),
    ((Term("filtered", 1, None), Term("one_group", 1, None)), masked(filtered=1, one_group=1)),
    ((Term("direction", 1, None), Term("allowed", 1, None)), masked(direction=1, allowed=1)),
    ((Term("security_group", 7, None),), masked(security_group=7)),
    ((Term("remote_group", 8, None),), masked(remote_group=8)),
    ((IPV4, Term("ip_ttl", 1, None)), "ip,nw_ttl=1"),
    ((Term("router", 7, None), Term("path", 2, None)), masked(router=7, path=2)),
    ((Term("next_hop", 0x0A000001, None),), masked(next_hop=0x0A000001)),
    ((Term("interface", 9, None),), masked(interface=9)),
    ((Term("door", 9, None),), masked(door=9)),
    ((Term("too_big", 1, None),), masked(too_big=1)),
    ((Term("fenced", 1, None), Term("alone", 1, None)), masked(fenced=1, alone=1)),
    ((Term("witness", 0xFFFF, None),), masked(witness=0xFFFF)),
    ((Term("generation", 70000, None),), masked(generation=70000)),
    ((Term("attempt", 2, None),), masked(attempt=2)),
    ((Term("to_port", 0x10, 0xF0),), f"reg{REGISTERS['to_port'].number}=0x10/0xf0"),
]

ACTIONS: list[tuple[Match, tuple[Action, ...], str]] = [
    ((), (), "drop"),
    ((), (Output(3),), "output:3"),
    ((), (OutputInPort(),), "IN_PORT"),
    ((), (Controller(),), "CONTROLLER:65535"),
    ((), (Meter(7, 10, 20), Output(3)), "meter:7,output:3"),
    ((), (Resubmit("delivery"),), f"resubmit(,{TABLES['delivery'].number})"),
    (
        (IPV4,),
        (Track("zone", "delivery"), Commit("zone"), Commit("zone", "delivery")),
        f"ct(table={TABLES['delivery'].number},zone={place('zone')}),"
        f"ct(commit,zone={place('zone')},exec(set_field:0x1->ct_mark)),"
        f"ct(commit,table={TABLES['delivery'].number},zone={place('zone')},exec(set_field:0x1->ct_mark))",
    ),
    (
        (IPV4,),
        (
            Translate("zone", "delivery", source=(0xCB007101, 10240, 11263)),
            Translate("zone", "delivery", target=(0x0A000005, 0, 0)),
            Translate("zone", "delivery"),
        ),
        f"ct(commit,table={TABLES['delivery'].number},zone={place('zone')},nat(src=203.0.113.1:10240-11263)),"
        f"ct(commit,table={TABLES['delivery'].number},zone={place('zone')},nat(dst=10.0.0.5)),"
        f"ct(table={TABLES['delivery'].number},zone={place('zone')},nat)",
    ),
    ((), (Untrack(),), "ct_clear"),
    ((IPV4,), (DecrementTtl(),), "dec_ttl"),
    ((), (Spread("path", 3),), f"multipath(symmetric_l3l4,0,hash_threshold,3,0,{place('path')})"),
    ((), (CheckLarger("too_big", 1464),), f"check_pkt_larger(1464)->{place('too_big')}"),
    (
        (),
        (FirstAlive("door", (3, 7)),),
        f"bundle_load(eth_src,0,active_backup,ofport,{place('door')},members:3,7)",
    ),
    (
        (),
        (Learn("delivery", 7, (("network", 5), ("generation", 70000)), "fenced", 1, 0x1234),),
        f"learn(table={TABLES['delivery'].number},priority=7,cookie=0x1234,{place('network')}=0x5,"
        f"reg{REGISTERS['generation'].number}=0x11170,load:0x1->{place('fenced')})",
    ),
    (
        (),
        (Learn("drops", 7, (("charged", 5),), None, 0, 0x1234, ("drop_reason",), True),),
        f"learn(table={TABLES['drops'].number},priority=7,delete_learned,cookie=0x1234,"
        f"{place('drop_reason')},reg{REGISTERS['charged'].number}=0x5)",
    ),
    ((), (SetField("in_port", 0),), "load:0->NXM_OF_IN_PORT[]"),
    ((IPV4,), (SetField("ip_ttl", 64),), "set_field:64->nw_ttl"),
    ((), (Goto("delivery"),), f"goto_table:{TABLES['delivery'].number}"),
    ((), (SetField("network", 5),), f"load:0x5->{place('network')}"),
    ((), (SetField("from_core", 1),), f"load:0x1->{place('from_core')}"),
    ((), (SetField("to_port", 0xFFFFFFFF),), f"load:0xffffffff->{place('to_port')}"),
    ((), (SetField("tun_id", 0xABCDEF),), "set_field:0xabcdef->tun_id"),
    ((), (SetField("tun_dst", 0x0A000001),), "set_field:10.0.0.1->tun_dst"),
    ((), (SetField("tun_src", 0x0A000001),), "set_field:10.0.0.1->tun_src"),
    ((), (SetField("eth_src", 0xAA5500000001),), "set_field:aa:55:00:00:00:01->eth_src"),
    ((), (SetField("eth_dst", 0xAA5500000001),), "set_field:aa:55:00:00:00:01->eth_dst"),
    ((IPV4,), (SetField("ipv4_src", 0x0A000001),), "set_field:10.0.0.1->ip_src"),
    ((IPV4,), (SetField("ipv4_dst", 0x0A000001),), "set_field:10.0.0.1->ip_dst"),
    ((IPV4, UDP), (SetField("udp_src", 5), SetField("udp_dst", 6)), "set_field:5->udp_src,set_field:6->udp_dst"),
    ((ARP,), (SetField("arp_op", 2),), "set_field:2->arp_op"),
    ((ARP,), (SetField("arp_spa", 0x0A000001),), "set_field:10.0.0.1->arp_spa"),
    ((ARP,), (SetField("arp_sha", 0xAA5500000001),), "set_field:aa:55:00:00:00:01->arp_sha"),
    ((), (Move("eth_src", "eth_dst"),), "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]"),
    ((ARP,), (Move("arp_sha", "arp_tha"),), "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]"),
    ((ARP,), (Move("arp_spa", "arp_tpa"),), "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]"),
    ((), (Move("from_port", "to_port"),), f"move:{place('from_port')}->{place('to_port')}"),
    ((), (PushVlan(), SetField("vlan_vid", 0x1000 | 42)), "push_vlan:0x8100,set_field:4138->vlan_vid"),
    ((Term("vlan_vid", 0x1000 | 42, None),), (PopVlan(), Output(1)), "pop_vlan,output:1"),
    (
        (),
        (SetField("network", 7), Output(1), Resubmit("delivery"), Output(2), Goto("core_output")),
        f"load:0x7->{place('network')},output:1,resubmit(,{TABLES['delivery'].number}),output:2,"
        f"goto_table:{TABLES['core_output'].number}",
    ),
]  # fmt: skip


@pytest.fixture
def controller() -> Iterator[ControllerProcess]:
    with ControllerProcess() as process:
        yield process


def test_every_match_and_action(ovs: OvsDummy, controller: ControllerProcess) -> None:
    flows: dict[Flow, str] = {}
    for number, (match, text) in enumerate(MATCHES):
        flow = Flow(LAST, 1000 + number, match, (), "miss", "test/match")
        flows[flow] = f"table={LAST}, priority={flow.priority}{',' + text if text else ''} actions=drop"
    for number, (match, actions, text) in enumerate(ACTIONS):
        flow = Flow(FIRST, 2000 + number, match, actions, "miss", "test/action")
        flows[flow] = f"actions={text}"
    named = {term.field for flow in flows for term in flow.match}
    used = {type(action).__name__ for flow in flows for action in flow.actions}
    assert named >= FIELDS.keys() | REGISTERS.keys(), "a field is not tried"
    assert used == {action.__name__ for action in Action.__args__}, "an action is not tried"  # type: ignore[attr-defined]

    ovs.add_bridge("br-int", datapath_id=0xAB, controller=controller.address)
    controller.wait("connected")
    controller.call("assign", DATAPATH, list(flows), 1)
    controller.wait("confirmed")
    assert controller.of("rejected") == []
    there = {int(line.split(",")[0].split("=")[1], 0): line for line in ovs.dump_flows("br-int", cookies=True)}
    for flow, text in flows.items():
        line = there.pop(flow.cookie)
        assert line.endswith(text), str(flow)
    assert there == {}

    # What was read back is ours, flow by flow; and each can be taken away again.
    (status,) = controller.ask("status")
    assert status["flows"] == status["flow_mods_sent"] == len(flows)
    controller.call("assign", DATAPATH, [], 2)
    controller.wait("confirmed", DATAPATH, 2)
    assert ovs.dump_flows("br-int") == []


def test_a_second_session_knows_and_can_delete_every_flow(ovs: OvsDummy) -> None:
    flows = [Flow(LAST, 1000 + number, match, (), "miss", "test/match") for number, (match, _) in enumerate(MATCHES)]
    ovs.add_bridge("br-int", datapath_id=0xAB)
    for wanted, sent in ((flows, len(flows)), (flows, 0), ([], len(flows))):
        with ControllerProcess() as controller:
            ovs.set_controller("br-int", controller.address)
            controller.wait("connected")
            controller.call("assign", DATAPATH, wanted, 1)
            controller.wait("confirmed")
            (status,) = controller.ask("status")
            assert status["flow_mods_sent"] == sent
            assert status["last_error"] is None
            assert len(ovs.dump_flows("br-int")) == len(wanted)
