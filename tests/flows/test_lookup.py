"""A flow table finds what a plain search finds, and refuses what Open vSwitch refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.actions import (
    Commit,
    DecrementTtl,
    Goto,
    Move,
    Output,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    Track,
    Translate,
    Untrack,
)
from flows.fields import CT_VALID, VLAN_PRESENT
from flows.flow import Flow, Term, field_named
from flows.lookup import FlowTable, refusal
from flows.packets import icmp_echo
from tests.flows.handmade import any_packets, entry, matches, raw_entry


def naive(flows, packet) -> list[Flow]:
    """All flows of the highest priority that match, one condition after the other."""

    def holds(term: Term) -> bool:
        mask = (1 << field_named(term.field).bits) - 1 if term.mask is None else term.mask
        return packet.get(term.field, 0) & mask == term.value & mask

    hits = [flow for flow in flows if all(holds(term) for term in flow.match)]
    best = max((flow.priority for flow in hits), default=None)
    return [flow for flow in hits if flow.priority == best]


flow_lists = st.lists(
    st.builds(lambda match, priority, port: entry(Output(port), priority=priority, **match),
              matches(), st.integers(0, 3), st.integers(1, 9)),
    max_size=25,
    unique_by=lambda flow: (flow.priority, tuple((t.field, t.value & (t.mask or -1), t.mask) for t in flow.match)),
)  # fmt: skip


@given(flow_lists, any_packets, st.integers(1, 3), st.integers(0, 2))
def test_finds_what_a_plain_search_finds(flows, packet, in_port, network):
    seen = packet.but(in_port=in_port, network=network)
    found = FlowTable(flows).find(lambda name: seen.get(name, 0))
    assert sorted(found, key=str) == sorted(naive(flows, seen), key=str)


def test_the_highest_priority_wins_whatever_its_shape():
    wide = entry(Output(1), priority=7)
    narrow = entry(Output(2), priority=5, eth_dst="fa:16:3e:00:00:02")
    packet = icmp_echo("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "10.0.0.1", "10.0.0.2")
    assert FlowTable([narrow, wide]).find(packet.__getitem__) == [wide]


def test_two_flows_of_one_match_and_priority_cannot_both_be_held():
    one, other = entry(Output(1), owner="port/1", network=5), entry(Output(2), owner="port/2", network=5)
    with pytest.raises(ValueError, match=r"port/2.*port/1|port/1.*port/2"):
        FlowTable([one, other])
    assert FlowTable([one, entry(Output(2), priority=2, network=5)])


def test_the_number_of_flows_costs_nothing_only_that_of_their_shapes():
    def reads(count: int) -> int:
        table = FlowTable(entry(Output(1), priority=100, network=number, eth_dst=number) for number in range(count))
        seen: list[str] = []
        assert len(table.find(lambda name: seen.append(name) or 5)) == 1
        return len(seen)

    assert reads(10) == reads(10_000) == 2


TRACKED = Term("ct_state", *CT_VALID)
ARP, IPV4, IPV6 = (Term("eth_type", number, None) for number in (0x0806, 0x0800, 0x86DD))
TAGGED = Term("vlan_vid", VLAN_PRESENT | 5, None)
SET_TAG = SetField("vlan_vid", VLAN_PRESENT | 7)


REFUSED = [
    (raw_entry(terms=[IPV4, Term("ct_tp_dst", 80, None)]), "ct_tp_dst needs ct_state=+trk-inv"),
    (raw_entry(terms=[IPV4, Term("ct_state", 0x20, 0x20), Term("ct_nw_src", 1, None)]), "needs ct_state=+trk-inv"),
    (raw_entry(terms=[TRACKED, Term("ct_nw_src", 1, None)]), "ct_nw_src needs eth_type=0x800"),
    (raw_entry(Translate("zone", "delivery")), "connection tracking needs eth_type=0x800"),
    (raw_entry(Track("zone", "delivery")), "connection tracking needs eth_type=0x800"),
    (raw_entry(Commit("zone"), terms=[ARP]), "connection tracking needs eth_type=0x800"),
    (raw_entry(SetField("ct_nw_src", 1), terms=[IPV4, TRACKED]), "read-only"),
    (raw_entry(SetField("ct_mark", 1), terms=[IPV4, TRACKED]), "read-only"),
    (raw_entry(terms=[Term("arp_op", 1, None)]), "arp_op needs eth_type=0x806"),
    (raw_entry(terms=[Term("eth_type", 0x0800, 0xFF00), Term("ipv4_src", 1, None)]), "needs eth_type=0x800"),
    (raw_entry(terms=[IPV4, Term("udp_dst", 67, None)]), "needs ip_proto=0x11"),
    (raw_entry(DecrementTtl(), terms=[ARP]), "dec_ttl needs"),
    (raw_entry(SetField("arp_op", 2)), "setting arp_op needs"),
    (raw_entry(SetField("arp_op", 300), terms=[ARP]), "8 bits"),
    (raw_entry(SetField("eth_type", 0x0800)), "read-only"),
    (raw_entry(SetField("ip_proto", 1), terms=[IPV4]), "read-only"),
    (raw_entry(SET_TAG), "no VLAN tag"),
    (raw_entry(PopVlan()), "no VLAN tag"),
    (raw_entry(PopVlan(), terms=[Term("vlan_vid", 0, None)]), "no VLAN tag"),
    (raw_entry(PopVlan(), PopVlan(), terms=[TAGGED]), "no VLAN tag"),
    (raw_entry(PushVlan(), PushVlan(), terms=[TAGGED]), "more than 2 VLAN tags"),
    (raw_entry(PushVlan(), SetField("vlan_vid", 7)), "without the bit VLAN_PRESENT"),
    (raw_entry(Move("arp_sha", "eth_dst")), "reading arp_sha needs"),
    (raw_entry(Move("eth_src", "arp_tha")), "setting arp_tha needs"),
    (raw_entry(Goto("classification"), table="forwarding"), "leads back"),
    (raw_entry(SetField("ip_ttl", 9)), "setting ip_ttl needs eth_type=0x800"),
    (raw_entry(SetField("ip_ttl", 9), terms=[ARP]), "setting ip_ttl needs eth_type=0x800"),
    (
        raw_entry(SetField("udp_dst", 68), terms=[IPV6, Term("ip_proto", 6, None)]),
        "setting udp_dst needs ip_proto=0x11",
    ),
    (raw_entry(SetField("ipv4_src", 9), terms=[IPV6]), "setting ipv4_src needs eth_type=0x800"),
    (raw_entry(terms=[IPV6, Term("ip_proto", 1, None), Term("icmp_type", 8, None)]), "icmp_type needs eth_type=0x800"),
    (raw_entry(terms=[IPV6, TRACKED, Term("ct_nw_src", 1, None)]), "ct_nw_src needs eth_type=0x800"),
]


@pytest.mark.parametrize(("flow", "reason"), REFUSED)
def test_refuses_what_open_vswitch_refuses(flow, reason):
    assert reason in refusal(flow)


ACCEPTED = [
    raw_entry(terms=[IPV4, TRACKED, Term("ct_nw_src", 1, None), Term("ct_tp_dst", 80, 0xFFF0)]),
    raw_entry(terms=[Term("ct_state", 0x21, 0x21)]),
    raw_entry(Commit("zone"), Track("zone", "delivery"), terms=[IPV4]),
    raw_entry(Translate("zone", "delivery", source=(1, 2, 3)), terms=[IPV4]),
    raw_entry(Untrack()),
    raw_entry(SetField("arp_op", 2), Move("eth_src", "arp_tha"), terms=[ARP]),
    raw_entry(PopVlan(), terms=[TAGGED]),
    raw_entry(PopVlan(), terms=[Term("vlan_vid", VLAN_PRESENT, VLAN_PRESENT)]),
    raw_entry(SET_TAG, terms=[TAGGED]),
    raw_entry(PushVlan(), SET_TAG, Output(0xFFFFFFFE)),
    raw_entry(SetField("network", 5), SetField("tun_dst", 1), Goto("forwarding")),
    raw_entry(Resubmit("classification"), table="forwarding"),
    raw_entry(DecrementTtl(), SetField("ip_ttl", 9), terms=[IPV4]),
    raw_entry(DecrementTtl(), terms=[IPV6]),
    raw_entry(SetField("ip_ttl", 9), terms=[IPV6]),
    raw_entry(terms=[IPV6, Term("ip_ttl", 9, None), Term("ip_frag", 1, 1), Term("ip_proto", 6, None)]),
    raw_entry(Move("tcp_src", "tcp_dst"), terms=[IPV6, Term("ip_proto", 6, None), Term("tcp_src", 80, None)]),
    raw_entry(SetField("udp_dst", 68), terms=[IPV6, Term("ip_proto", 17, None)]),
    raw_entry(SetField("sctp_dst", 68), terms=[IPV6, Term("ip_proto", 132, None)]),
    raw_entry(terms=[IPV6, TRACKED, Term("ct_nw_proto", 6, None), Term("ct_tp_dst", 80, None)]),
]


@pytest.mark.parametrize("flow", ACCEPTED)
def test_accepts_the_rest(flow):
    assert refusal(flow) is None


def test_refuses_a_copy_between_fields_of_different_width():
    # Open vSwitch would copy a part; what we encode is always the whole.
    assert "differ in width" in (refusal(raw_entry(Move("eth_src", "tun_dst"))) or "")
