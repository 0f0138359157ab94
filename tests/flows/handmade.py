"""Flows made by hand, free of the pipeline's rules about tables, and any packet."""

from hypothesis import strategies as st

from flows import packets
from flows.fields import VLAN_PRESENT, parse
from flows.flow import Flow, Term, field_named
from flows.pipeline import TABLES

FIRST = next(iter(TABLES)).name
MACS = ["fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "fa:16:3e:00:00:03"]
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.1.1"]
_MACS, _ADDRESSES = st.sampled_from(MACS), st.sampled_from(ADDRESSES)


def entry(*actions, table=FIRST, priority=1, owner="test/1", feature="miss", **match) -> Flow:
    """Build a flow of any match and priority; a term is a number, text, or (value, mask). Prerequisites are added."""
    terms = {}
    for name, value in match.items():
        described = field_named(name)
        for needed, number in described.needs:
            terms.setdefault(needed, Term(needed, number, None))
        terms[name] = Term(name, *value) if isinstance(value, tuple) else Term(name, *parse(described, value))
    return Flow(TABLES[table].number, priority, tuple(sorted(terms.values())), actions, feature, owner)


def raw_entry(*actions, table=FIRST, priority=1, terms=()) -> Flow:
    """Build a flow whose match is taken as it is."""
    return Flow(TABLES[table].number, priority, tuple(terms), actions, "miss", "test/1")


untagged_packets = st.one_of(
    st.builds(packets.arp_request, _MACS, _ADDRESSES, _ADDRESSES),
    st.builds(packets.arp_probe, _MACS, _ADDRESSES),
    st.builds(packets.gratuitous_arp, _MACS, _ADDRESSES),
    st.builds(packets.arp_reply, _MACS, _ADDRESSES, _MACS, _ADDRESSES),
    st.builds(packets.icmp_echo, _MACS, _MACS, _ADDRESSES, _ADDRESSES),
    st.builds(packets.udp, _MACS, _MACS, _ADDRESSES, _ADDRESSES, udp_src=st.just(68), udp_dst=st.integers(66, 68)),
    st.builds(packets.dhcp_discover, _MACS),
    st.builds(packets.broadcast, _MACS, _ADDRESSES),
    st.builds(packets.multicast, _MACS, _ADDRESSES),
    st.builds(packets.unknown_ethertype, _MACS, _MACS),
    st.builds(packets.ipv6, _MACS, _MACS),
)
any_packets = st.builds(
    lambda packet, vlan_ids: packet.tagged(*vlan_ids) if vlan_ids else packet,
    untagged_packets,
    st.lists(st.integers(1, 3), max_size=2),
)
"""Packets of every builder, over few addresses, with up to two tags."""

_TERMS = {
    "in_port": st.integers(1, 3),
    "network": st.integers(0, 2),
    "eth_src": _MACS,
    "eth_dst": _MACS | st.just("01:00:00:00:00:00/01:00:00:00:00:00"),
    "eth_type": st.sampled_from([0x0800, 0x0806, 0x86DD, 0x8100]),
    "vlan_vid": st.sampled_from([0, VLAN_PRESENT | 1, (VLAN_PRESENT, VLAN_PRESENT)]),
    "ip_proto": st.sampled_from([1, 17]),
    "ipv4_src": _ADDRESSES | st.just("10.0.0.0/24"),
    "ipv4_dst": _ADDRESSES | st.just("10.0.0.0/24"),
    "udp_dst": st.integers(66, 68),
    "arp_op": st.integers(1, 2),
    "arp_tpa": _ADDRESSES | st.just("10.0.0.0/23"),
    "arp_sha": _MACS,
}


@st.composite
def matches(draw):
    """Draw keyword terms for ``entry`` that do not contradict one another's prerequisites."""
    terms, fixed = {}, {}
    for name in draw(st.lists(st.sampled_from(sorted(_TERMS)), unique=True, max_size=4)):
        needs = dict(field_named(name).needs)
        if all(fixed.get(needed, value) == value and needed not in terms for needed, value in needs.items()):
            if name in fixed:
                continue
            fixed |= needs
            terms[name] = draw(_TERMS[name])
    return terms
