"""The oracle of isolation, on a small cloud where the answers are plain."""

import pytest

from flows import packets
from tests.clouds import OPEN, SimulatedCloud
from tests.permitted_paths import interfaces_on, may_arrive
from tests.storytelling import STRANGER, address, ask, hello, ping
from topology.values import AddressPair, Port

RED, BLUE, NEAR, FAR = "red", "blue", "near", "far"


@pytest.fixture
def cloud() -> SimulatedCloud:
    """Two ports on red, one with the same addresses on blue, and one on green, which a router joins to red."""
    cloud = SimulatedCloud()
    red, blue, green = cloud.network(RED), cloud.network(BLUE), cloud.network("green")
    cloud.subnet(red, gateway_ip="10.0.0.1")
    cloud.subnet(green, "10.0.1.0/24", gateway_ip="10.0.1.1")
    mac = "fa:16:3e:00:00:11"
    cloud.port(RED, red, "10.0.0.11", "hv1", mac_address=mac)
    cloud.port(BLUE, blue, "10.0.0.11", "hv1", mac_address=mac)
    cloud.port(NEAR, red, "10.0.0.12", "hv2")
    cloud.port(FAR, green, "10.0.1.13", "hv2")
    cloud.router("hub", red, green)
    return cloud


def port(cloud, name):
    return cloud.store.get(Port, name)


def judged(cloud, sender, receiver, packet) -> bool:
    return may_arrive(cloud.store, port(cloud, sender), port(cloud, receiver), packet)


def test_neighbours_hear_each_other_and_nobody_hears_another_network(cloud):
    red, near = port(cloud, RED), port(cloud, NEAR)
    for packet in (ping(near, red), hello(near), ask(near, address(red))):
        assert judged(cloud, NEAR, RED, packet) and not judged(cloud, NEAR, BLUE, packet)
    assert not judged(cloud, NEAR, RED, ping(near, red).tagged(100))
    assert not judged(cloud, NEAR, RED, ping(near, red).but(eth_dst=STRANGER))


def test_a_router_joins_networks_for_ipv4_that_is_sent_to_it(cloud):
    red, far = port(cloud, RED), port(cloud, FAR)
    (gateway,) = interfaces_on(cloud.store, RED)
    direct = ping(red, far)
    assert not judged(cloud, RED, FAR, direct)
    assert judged(cloud, RED, FAR, direct.but(eth_dst=gateway.mac_address))
    assert not judged(cloud, RED, NEAR, direct.but(eth_dst=gateway.mac_address))
    assert not judged(cloud, BLUE, FAR, direct.but(eth_dst=gateway.mac_address))
    assert not judged(cloud, RED, FAR, ask(red, address(far)))


def test_a_port_speaks_as_itself_and_as_its_pairs(cloud):
    red, near = port(cloud, RED), port(cloud, NEAR)
    foreign = ping(near, red).but(ipv4_src="10.0.0.50")
    assert not judged(cloud, NEAR, RED, foreign) and not judged(cloud, NEAR, RED, ping(near, red).but(eth_src=STRANGER))
    cloud.change(near, allowed_address_pairs=(AddressPair("10.0.0.48/28", near.mac_address),))
    assert judged(cloud, NEAR, RED, foreign)
    assert not judged(cloud, NEAR, RED, foreign.but(ipv4_src="10.0.0.64"))
    assert not judged(cloud, NEAR, RED, packets.ipv6(near.mac_address, red.mac_address))
    cloud.change(near, port_security_enabled=False)
    assert judged(cloud, NEAR, RED, ping(near, red).but(eth_src=STRANGER))


def test_nobody_announces_what_is_anothers(cloud):
    near = port(cloud, NEAR)
    cloud.change(near, port_security_enabled=False)
    for taken in ("10.0.0.11", "10.0.0.1"):
        assert not judged(cloud, NEAR, RED, packets.gratuitous_arp(near.mac_address, taken))
    assert judged(cloud, NEAR, RED, packets.gratuitous_arp(near.mac_address, "10.0.0.12"))


def test_groups_bind_both_ends_and_are_a_union(cloud):
    red, near = port(cloud, RED), port(cloud, NEAR)
    web = cloud.security_group("web", {"protocol": 6, "port_range_min": 80, "port_range_max": 81})
    friends = cloud.security_group("friends", {"remote_group_id": OPEN})
    ends = near.mac_address, red.mac_address, address(near), address(red)
    for groups, passing in (((), ()), ((web.id,), (80, 81)), ((friends.id,), (79, 80, 81, 82)), (("gone",), ())):
        cloud.change(red, security_groups=groups)
        assert [n for n in (79, 80, 81, 82) if judged(cloud, NEAR, RED, packets.tcp(*ends, tcp_dst=n))] == [*passing]
        assert judged(cloud, NEAR, RED, ping(near, red)) == (friends.id in groups)
    cloud.change(red, security_groups=(OPEN,))
    cloud.change(near, security_groups=(web.id,))
    assert not judged(cloud, NEAR, RED, ping(near, red)), "web lets nothing out"


def test_a_rule_for_a_prefix_is_for_the_other_end(cloud):
    red, near = port(cloud, RED), port(cloud, NEAR)
    group = cloud.security_group("some", {"remote_ip_prefix": "10.0.0.12/32", "protocol": 1, "port_range_min": 8})
    cloud.change(red, security_groups=(group.id,))
    question = ping(near, red)
    assert judged(cloud, NEAR, RED, question) and not judged(cloud, NEAR, RED, question.but(icmp_type=13))
    cloud.change(near, port_security_enabled=False)
    assert not judged(cloud, NEAR, RED, question.but(ipv4_src="10.0.0.13"))
