"""Packets are well formed, immutable values; what cannot be on a wire is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import packets
from flows.fields import FIELDS, VLAN_PRESENT, mac_to_int
from flows.packets import BROADCAST_MAC, METADATA, Packet

MAC, OTHER = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
BUILT = {
    "arp_request": packets.arp_request(MAC, "10.0.0.1", "10.0.0.2"),
    "arp_probe": packets.arp_probe(MAC, "10.0.0.1"),
    "gratuitous_arp": packets.gratuitous_arp(MAC, "10.0.0.1"),
    "arp_reply": packets.arp_reply(MAC, "10.0.0.1", OTHER, "10.0.0.2"),
    "icmp_echo": packets.icmp_echo(MAC, OTHER, "10.0.0.1", "10.0.0.2"),
    "tcp": packets.tcp(MAC, OTHER, "10.0.0.1", "10.0.0.2"),
    "udp": packets.udp(MAC, OTHER, "10.0.0.1", "10.0.0.2"),
    "dhcp_discover": packets.dhcp_discover(MAC),
    "dhcp_renew": packets.dhcp_renew(MAC, "10.0.0.1", OTHER, "10.0.0.254"),
    "broadcast": packets.broadcast(MAC, "10.0.0.1"),
    "multicast": packets.multicast(MAC, "10.0.0.1"),
    "unknown_ethertype": packets.unknown_ethertype(MAC),
    "ipv6": packets.ipv6(MAC, OTHER),
}


@pytest.mark.parametrize("packet", BUILT.values(), ids=BUILT)
def test_every_field_has_what_it_presupposes(packet):
    assert packet["eth_src"] == mac_to_int(MAC)
    for name, value in packet.items():
        assert 0 <= value < 1 << FIELDS[name].bits
        for needed, needed_value in FIELDS[name].needs:
            assert packet[needed] == needed_value


@pytest.mark.parametrize("packet", BUILT.values(), ids=BUILT)
def test_no_header_is_half_there(packet):
    for name, field in FIELDS.items():
        if name == "ip_frag" or name in METADATA:
            continue
        if field.needs and all(packet.get(needed) == value for needed, value in field.needs):
            assert name in packet


def test_arp_builders_say_who_and_what():
    request, probe, announcement = BUILT["arp_request"], BUILT["arp_probe"], BUILT["gratuitous_arp"]
    assert request["eth_dst"] == mac_to_int(BROADCAST_MAC)
    assert probe == packets.arp_request(MAC, "0.0.0.0", "10.0.0.1")
    assert announcement["arp_spa"] == announcement["arp_tpa"]
    assert BUILT["arp_reply"]["arp_tha"] == BUILT["arp_reply"]["eth_dst"] == mac_to_int(OTHER)


def test_a_multicast_group_has_its_own_mac_address():
    assert packets.multicast(MAC, "10.0.0.1", "239.129.2.3")["eth_dst"] == mac_to_int("01:00:5e:01:02:03")
    with pytest.raises(ValueError, match=r"10\.0\.0\.9 is no multicast address"):
        packets.multicast(MAC, "10.0.0.1", "10.0.0.9")


def test_a_packet_is_a_value():
    one, same = BUILT["udp"], packets.udp(MAC, OTHER, "10.0.0.1", "10.0.0.2")
    assert one == same and hash(one) == hash(same)
    changed = one.but(ipv4_src="10.0.0.9")
    assert changed != one and one["ipv4_src"] == 0x0A000001
    with pytest.raises(TypeError):
        one["ipv4_src"] = 1


def test_tags_stack_outermost_first():
    plain = BUILT["icmp_echo"]
    twice = plain.tagged(10, 20)
    assert twice["vlan_vid"] == VLAN_PRESENT | 10 and twice.inner_vlans == (VLAN_PRESENT | 20,)
    assert plain.tagged(20).tagged(10) == twice
    assert twice.untagged() == plain
    assert hash(twice) != hash(plain.tagged(10)) and twice != plain.tagged(10)


def test_what_is_no_packet_is_refused():
    for fields, complaint in (
        ({"colour": 1}, "no field of a packet"),
        ({"network": 1 << 24}, "no field of a packet"),
        ({"eth_type": 1 << 16}, "does not fit"),
        ({"ipv4_src": "10.0.0.0/24"}, "one address"),
        ({"vlan_vid": 5}, "VLAN_PRESENT"),
    ):
        with pytest.raises(ValueError, match=complaint):
            Packet(fields)
    with pytest.raises(ValueError, match="VLAN_PRESENT"):
        Packet(BUILT["udp"], inner_vlans=(VLAN_PRESENT | 5,))


def test_metadata_is_no_header():
    seen = BUILT["udp"].but(in_port=4, network=7, tun_id=9)
    assert seen.headers == BUILT["udp"]
    assert "network=7" in repr(seen) and f"eth_src={MAC}" in repr(seen)


@given(st.lists(st.integers(0, 4095), max_size=3), st.lists(st.integers(0, 4095), min_size=1, max_size=3))
def test_tagging_adds_exactly_the_tags(first, second):
    packet = BUILT["arp_request"]
    packet = packet.tagged(*first) if first else packet
    packet = packet.tagged(*second)
    tags = [packet["vlan_vid"], *packet.inner_vlans]
    assert tags == [VLAN_PRESENT | vlan_id for vlan_id in second + first]


def test_of_two_fragments_only_the_first_has_ports():
    first, later = packets.in_two(BUILT["udp"])
    assert first.five_tuple == BUILT["udp"].five_tuple != later.five_tuple
    assert later.five_tuple == first.five_tuple.addresses
    assert (first["ip_frag"], later["ip_frag"]) == (1, 3)


def test_an_error_quotes_the_packet_that_it_is_about():
    error = packets.icmp_error(BUILT["udp"], OTHER, MAC, "10.0.0.2")
    assert error.quoted == BUILT["udp"].five_tuple
    assert error["ipv4_dst"] == BUILT["udp"]["ipv4_src"]
    assert error != error.without("icmp_code") and error.but(icmp_code=4).quoted == error.quoted
    assert "quoted=" in repr(error)
    plain = packets.icmp(OTHER, MAC, "10.0.0.2", "10.0.0.1", icmp_type=3, icmp_code=3)
    assert plain != error and hash(plain) != hash(error)
