"""One simulated switch does with each action what Open vSwitch does."""

import pytest

from flows.actions import (
    REMEMBERED,
    Commit,
    Controller,
    DecrementTtl,
    Goto,
    Move,
    Output,
    OutputInPort,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    Track,
    Untrack,
)
from flows.fields import ARP_REPLY, VLAN_PRESENT, mac_to_int, parse_ipv4
from flows.packets import Packet, arp_request, icmp_echo, in_two, udp, unknown_ethertype
from flows.pipeline import REGISTERS, TABLES
from flows.simulated_connections import Connections
from flows.simulated_switch import MAX_PASSES, MAX_RESUBMITS, Switch
from tests.flows.handmade import MACS, entry

PING = icmp_echo(MACS[0], MACS[1], "10.0.0.1", "10.0.0.2")
PORTS = {number: f"p{number}" for number in range(1, 10)}
FIRST, SECOND, THIRD = [table.name for table in TABLES][:3]


def run(*flows, packet=PING, in_port=1, **tunnel):
    return Switch("hv1", flows, PORTS).receive(in_port, packet, **tunnel)


def sent(passage):
    """Port and packet of what left."""
    return [(emission.port, emission.packet) for emission in passage.emissions]


def tag(vlan_id):
    return SetField("vlan_vid", VLAN_PRESENT | vlan_id)


def test_a_table_where_nothing_matches_drops():
    passage = run(entry(Output(2), network=7))
    assert passage.emissions == [] and passage.packet_ins == []
    assert [(visit.table, visit.flow) for visit in passage.visits] == [(FIRST, None)]


def test_output_sends_the_packet_as_it_is_then():
    passage = run(entry(Output(2), SetField("eth_src", 5), Output(3), SetField("eth_src", 6)))
    assert sent(passage) == [(2, PING), (3, PING.but(eth_src=5))]


def test_output_to_the_port_it_came_by_is_dropped_and_in_port_sends_back():
    assert sent(run(entry(Output(1), OutputInPort(), Output(2)))) == [(1, PING), (2, PING)]
    assert sent(run(entry(Output(1), OutputInPort(), in_port=3), in_port=3)) == [(1, PING), (3, PING)]


def test_output_to_a_missing_port_is_a_fault():
    passage = run(entry(Output(77), Output(2)))
    assert sent(passage) == [(2, PING)]
    assert "port 77" in passage.faults[0] and "hv1" in passage.faults[0]


def test_registers_begin_at_zero_and_live_until_the_end():
    passage = run(
        entry(SetField("network", 7), SetField("from_core", 1), Goto(SECOND), network=0),
        entry(Output(2), table=SECOND, network=7, from_core=1),
    )
    assert sent(passage) == [(2, PING)]
    assert passage.visits[1].packet["network"] == 7 and "network" not in passage.emissions[0].packet


def test_setting_one_register_leaves_its_neighbours_in_the_same_word():
    sharing = [name for name, register in REGISTERS.items() if register.number == REGISTERS["network"].number]
    full = {name: (1 << REGISTERS[name].bits) - 1 for name in sharing}
    fill = [SetField(name, value) for name, value in full.items()]
    for name in sharing:
        passage = run(entry(*fill, SetField(name, 0), Goto(SECOND)))
        assert {other: passage.visits[1].packet.get(other, 0) for other in sharing} == full | {name: 0}


def test_move_copies():
    request = arp_request(MACS[0], "10.0.0.1", "10.0.0.2")
    passage = run(
        entry(
            Move("eth_src", "eth_dst"),
            SetField("arp_op", ARP_REPLY),
            Move("arp_spa", "arp_tpa"),
            SetField("arp_spa", parse_ipv4("10.0.0.2")),
            OutputInPort(),
            eth_type=0x0806,
        ),
        packet=request,
    )
    reply = request.but(eth_dst=MACS[0], arp_op=ARP_REPLY, arp_tpa="10.0.0.1", arp_spa="10.0.0.2")
    assert sent(passage) == [(1, reply)]


def test_move_reads_metadata():
    passage = run(entry(Move("tun_src", "tun_dst"), Output(2)), tun_src=9, tun_dst=8)
    assert passage.emissions[0].tun_dst == 9


def test_tunnel_fields_leave_with_the_packet():
    passage = run(entry(SetField("tun_id", 5), SetField("tun_dst", 7), Output(2), SetField("tun_dst", 8), Output(3)))
    assert [(emission.port, emission.tun_id, emission.tun_dst) for emission in passage.emissions] == [
        (2, 5, 7),
        (3, 5, 8),
    ]


def test_resubmit_comes_back_with_the_changes_that_it_met():
    passage = run(
        entry(Resubmit(SECOND), Output(3)),
        entry(SetField("eth_src", 9), SetField("network", 4), Output(2), table=SECOND),
    )
    assert sent(passage) == [(2, PING.but(eth_src=9)), (3, PING.but(eth_src=9))]


def test_resubmit_to_a_table_without_a_match_goes_on():
    passage = run(entry(Resubmit(SECOND), Output(3)))
    assert sent(passage) == [(3, PING)]
    assert [visit.table for visit in passage.visits] == [FIRST, SECOND]


def test_goto_within_a_resubmit_ends_there():
    passage = run(
        entry(Resubmit(SECOND), SetField("eth_src", 1), Goto(THIRD)),
        entry(Goto(THIRD), table=SECOND),
        entry(Output(5), table=THIRD),
    )
    assert sent(passage) == [(5, PING), (5, PING.but(eth_src=1))]


def test_over_4096_visits_drop_the_packet_with_all_that_was_output():
    def replicate(count):
        return run(entry(Output(2), *[Resubmit(SECOND)] * count), entry(Output(3), Controller(), table=SECOND))

    allowed = replicate(MAX_RESUBMITS)
    assert len(allowed.emissions) == MAX_RESUBMITS + 1 and not allowed.faults
    beyond = replicate(MAX_RESUBMITS + 1)
    assert beyond.emissions == [] and beyond.packet_ins == []
    assert "4096" in beyond.faults[0]


def test_controller_gets_the_packet_of_the_moment_and_the_flow():
    flow = entry(Controller(), SetField("eth_src", 3), Output(2))
    passage = run(flow)
    assert passage.packet_ins == [(flow, PING)]
    assert sent(passage) == [(2, PING.but(eth_src=3))]


def test_push_set_and_pop_of_tags():
    assert sent(run(entry(PushVlan(), Output(2)))) == [(2, PING.tagged(0))]
    assert sent(run(entry(PushVlan(), tag(5), Output(2)))) == [(2, PING.tagged(5))]
    tagged = PING.tagged(5)
    assert sent(run(entry(PopVlan(), Output(2), vlan_vid=VLAN_PRESENT | 5), packet=tagged)) == [(2, PING)]
    assert sent(run(entry(tag(6), Output(2), vlan_vid=VLAN_PRESENT | 5), packet=tagged)) == [(2, PING.tagged(6))]


def test_push_on_a_tagged_packet_stacks():
    passage = run(entry(PushVlan(), tag(9), Output(2), PopVlan(), Output(3)), packet=PING.tagged(5))
    assert sent(passage) == [(2, PING.tagged(9, 5)), (3, PING.tagged(5))]


def test_no_tag_matches_zero_and_any_tag_does_not():
    flow = entry(Output(2), vlan_vid=0)
    assert sent(run(flow)) == [(2, PING)]
    assert sent(run(flow, packet=PING.tagged(0))) == []


def test_one_tag_hides_nothing_below():
    flow = entry(Output(2), ipv4_src="10.0.0.1")
    assert sent(run(flow, packet=PING.tagged(5))) == [(2, PING.tagged(5))]


def test_two_tags_hide_what_is_below():
    twice = PING.tagged(5, 6)
    assert sent(run(entry(Output(2), ipv4_src="10.0.0.1"), packet=twice)) == []
    assert sent(run(entry(Output(2), eth_type=0x8100), packet=twice)) == [(2, twice)]
    popped = run(
        entry(PopVlan(), Output(2), Goto(SECOND), vlan_vid=(VLAN_PRESENT, VLAN_PRESENT)),
        entry(Output(3), table=SECOND, eth_type=0x8100, vlan_vid=0),
        packet=twice,
    )
    assert sent(popped) == [(2, PING.tagged(6)), (3, PING.tagged(6))]


def test_a_third_tag_pushes_out_the_lowest():
    passage = run(entry(PushVlan(), PushVlan(), Output(2)), packet=PING.tagged(5))
    assert sent(passage) == [(2, PING.tagged(0, 0))]
    hidden = run(entry(PushVlan(), PushVlan(), Output(2)), packet=PING.tagged(5, 6))
    assert sent(hidden) == [(2, PING.tagged(0, 0, 6))]


def test_setting_a_field_of_a_header_that_is_not_there_does_nothing():
    # Every flow here is one that Open vSwitch takes; what the match promised changes on the way.
    passage = run(
        entry(Resubmit(SECOND), tag(9), Output(2), vlan_vid=(VLAN_PRESENT, VLAN_PRESENT)),
        entry(PopVlan(), table=SECOND, vlan_vid=(VLAN_PRESENT, VLAN_PRESENT)),
        packet=PING.tagged(5),
    )
    assert sent(passage) == [(2, PING)]


def test_a_packet_without_a_hop_to_live_ends_there_and_is_a_fault():
    routed = entry(Output(2), DecrementTtl(), Output(3), eth_type=0x0800)
    assert sent(run(routed, packet=PING.but(ip_ttl=2))) == [(2, PING.but(ip_ttl=2)), (3, PING.but(ip_ttl=1))]
    passage = run(routed, packet=PING.but(ip_ttl=1))
    assert sent(passage) == [(2, PING.but(ip_ttl=1))]
    assert len(passage.faults) == 1 and "without a hop to live" in passage.faults[0]


def test_only_eight_bits_of_an_arp_operation_are_seen_and_all_are_kept():
    odd = arp_request(MACS[0], "10.0.0.1", "10.0.0.2").but(arp_op=0x0101)
    assert sent(run(entry(Output(2), arp_op=1), packet=odd)) == []
    assert sent(run(entry(Output(2), arp_op=0), packet=odd)) == [(2, odd)]


def test_two_flows_that_could_both_win_are_a_fault_unless_they_do_the_same():
    one, other = entry(Output(2), eth_src=MACS[0], owner="port/1"), entry(Output(3), eth_dst=MACS[1], owner="port/2")
    faults = run(one, other).faults
    assert len(faults) == 1 and "port/1" in faults[0] and "port/2" in faults[0]
    assert run(one, entry(Output(2), eth_dst=MACS[1])).faults == []
    answer, ask = entry(OutputInPort(), eth_src=MACS[0]), entry(Controller(), eth_dst=MACS[1])
    assert answer.actions == ask.actions and len(run(answer, ask).faults) == 1


def test_an_unknown_port_and_a_refused_flow_are_clear_errors():
    with pytest.raises(ValueError, match="hv1 has no port 99"):
        run(in_port=99)
    with pytest.raises(ValueError, match=r"hv1: Open vSwitch refuses .* of test/1: there may be no VLAN tag"):
        run(entry(PopVlan()))


def test_what_the_packet_brought_as_metadata_is_ignored():
    forged = Packet(unknown_ethertype(MACS[0]), network=7, tun_id=5)
    assert sent(run(entry(Output(2), network=7), packet=forged)) == []
    assert sent(run(entry(Output(2), network=0, tun_id=0), packet=forged)) == [(2, forged.headers)]


def test_visits_show_the_packet_before_each_table():
    flow = entry(SetField("eth_src", 3), SetField("network", 6), Goto(SECOND))
    visits = run(flow).visits
    assert [(visit.table, visit.flow) for visit in visits] == [(FIRST, flow), (SECOND, None)]
    assert visits[0].packet == PING.but(in_port=1)
    assert visits[1].packet == PING.but(in_port=1, network=6, eth_src=mac_to_int("00:00:00:00:00:03"))


def tracked(*more, **match):
    """Look every IPv4 packet up in zone 7, and send it on where the second table permits it."""
    look_up = entry(SetField("zone", 7), Track("zone", SECOND), eth_type=0x0800)
    return look_up, entry(*more, table=SECOND, eth_type=0x0800, **match)


def test_a_packet_goes_on_with_its_connection_and_its_registers():
    passage = run(
        entry(SetField("zone", 7), SetField("network", 4), Track("zone", SECOND), Output(3), eth_type=0x0800),
        entry(Output(2), table=SECOND, network=4, ct_state=(0x21, 0x21)),
    )
    assert sent(passage) == [(2, PING), (3, PING)]
    seen = passage.visits[1].packet
    assert seen["ct_nw_src"] == PING["ipv4_src"] and (seen["ct_tp_src"], seen["ct_nw_proto"]) == (8, 1)
    assert "ct_state" not in passage.emissions[0].packet


def test_what_follows_a_look_up_or_a_commitment_knows_no_connection():
    look_up, judge = tracked(Commit("zone"), Goto(THIRD), ct_state=(0x21, 0x21))
    passage = run(look_up, judge, entry(Output(2), table=THIRD, ct_state=0))
    assert sent(passage) == [(2, PING)]
    assert sent(
        run(entry(Track("zone", SECOND), Goto(THIRD), eth_type=0x0800), entry(Output(2), table=THIRD, ct_state=0))
    )
    look_up, judge = tracked(Untrack(), Goto(THIRD))
    assert sent(run(look_up, judge, entry(Output(2), table=THIRD, ct_state=0))) == [(2, PING)]


COPIES = [(2, (0x21, 0x21), REMEMBERED), (3, (0x21, 0x21), 0), (4, 0, 0)]
"""Ports by which leave: a copy whose connection is remembered, one of another, and the packet itself."""


def test_a_copy_of_what_is_committed_tells_whether_there_was_room_and_the_packet_goes_on():
    look_up, judge = tracked(Commit("zone", THIRD), Goto(THIRD), ct_state=(0x21, 0x21))
    ends = [entry(Output(number), table=THIRD, ct_state=state, ct_mark=mark) for number, state, mark in COPIES]
    assert sent(run(look_up, judge, *ends)) == [(2, PING), (4, PING)]
    full = Switch("hv1", (look_up, judge, *ends), PORTS, Connections(limit=0))
    assert sent(full.receive(1, PING)) == [(3, PING), (4, PING)]


def passes(times):
    """Flows that let a packet begin anew so often, and go then."""
    again = [entry(SetField("network", n + 1), Track("zone", FIRST), eth_type=0x0800, network=n) for n in range(times)]
    return *again, entry(Output(2), eth_type=0x0800, network=times)


def test_a_packet_that_begins_anew_too_often_is_dropped_and_so_is_a_copy():
    for times, copied in ((MAX_PASSES - 1, 1), (MAX_PASSES, 0)):
        (*again, last), copied_here = passes(times), entry(Output(3), table=SECOND)
        passage = run(*again, entry(Commit("zone", SECOND), Output(2), eth_type=0x0800, network=times), copied_here)
        assert sent(passage) == [(3, PING)] * copied + [(2, PING)] and len(passage.faults) == 1 - copied
        assert sent(run(*again, last)) == [(2, PING)]
    assert sent(run(*passes(MAX_PASSES), tun_src=1)) == [], "the tunnel's end was a beginning, too"
    assert sent(run(*passes(MAX_PASSES + 1))) == []


def test_a_look_up_has_a_limit_of_table_visits_of_its_own():
    half = [Resubmit(THIRD)] * (MAX_RESUBMITS - 10)
    look_up = entry(*half, SetField("zone", 7), Track("zone", SECOND), eth_type=0x0800)
    passage = run(look_up, entry(*half, Output(2), table=SECOND), entry(table=THIRD))
    assert sent(passage) == [(2, PING)] and not passage.faults
    passage = run(look_up, entry(*half * 2, Output(2), table=SECOND), entry(Output(3), table=THIRD))
    assert len(passage.emissions) == len(half) and len(passage.faults) == 1


def test_fragments_match_by_no_ports_and_keep_them():
    first, later = in_two(udp(MACS[0], MACS[1], "10.0.0.1", "10.0.0.2"))
    flows = entry(Output(2), priority=2, udp_dst=9), entry(Output(3), eth_type=0x0800)
    assert sent(run(*flows, packet=first)) == [(3, first)] and sent(run(*flows, packet=later)) == [(3, later)]
