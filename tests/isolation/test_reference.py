"""The oracle of isolation, on a small cloud where the answers are plain."""

import pytest

from flows import packets
from tests.clouds import OPEN, UPSTREAM_MAC, SimulatedCloud
from tests.isolation.reference import Reference, interfaces_on
from tests.storytelling import STRANGER, address, ask, hello, ping
from topology.values import AddressPair, Network, Port, Route, Router

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
    """Whether a packet may arrive that belongs to no connection yet."""
    return receiver in places(Reference(cloud.store).send(port(cloud, sender), packet))


def places(arrivals) -> set[str]:
    return {place.partition("/")[2] for place, _ in arrivals}


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


def test_answers_and_errors_pass_that_were_asked_for(cloud):
    red, near = port(cloud, RED), port(cloud, NEAR)
    outward = cloud.security_group("outward", {"direction": "egress"})
    red = cloud.change(red, security_groups=(outward.id,))
    asked, answer = ping(red, near), ping(near, red).but(icmp_type=0)
    error = packets.icmp_error(asked, near.mac_address, red.mac_address, address(near))
    for packet in (answer, error):
        assert not judged(cloud, NEAR, RED, packet)
        network = Reference(cloud.store)
        network.send(red, asked)
        assert RED in places(network.send(near, packet))
        assert RED not in places(network.send(near, ping(near, red)))
    stateless = cloud.security_group("stateless", {"direction": "egress"}, stateful=False)
    red = cloud.change(red, security_groups=(stateless.id,))
    network = Reference(cloud.store)
    network.send(red, asked)
    assert RED not in places(network.send(near, answer)), "stateless"


def test_routers_in_a_chain_lead_as_far_as_their_routes(cloud):
    (gateway,) = interfaces_on(cloud.store, RED)
    far, between = cloud.network("beyond"), cloud.network("between")
    cloud.subnet(far, "10.0.2.0/24", gateway_ip="10.0.2.1")
    cloud.subnet(between, "10.0.9.0/24", gateway_ip="10.0.9.1")
    beyond = cloud.port("beyond", far, "10.0.2.11", "hv1")
    rim = cloud.router("rim", far)
    hub = cloud.store.get(Router, "hub")
    cloud.interface(hub, between, "10.0.9.1")
    cloud.interface(rim, between, "10.0.9.2")
    there = ping(port(cloud, RED), beyond).but(eth_dst=gateway.mac_address)
    assert not judged(cloud, RED, "beyond", there)
    cloud.change(hub, routes=(Route("10.0.2.0/24", "10.0.9.2"),))
    assert judged(cloud, RED, "beyond", there)


@pytest.fixture
def world(cloud) -> SimulatedCloud:
    """The router has a gateway, the port on red a floating IP, and a port of another leads to the one on green."""
    network = cloud.external("world")
    hub = cloud.store.get(Router, "hub")
    cloud.gateway(hub, network, "203.0.113.10")
    cloud.floating_ip(network, "203.0.113.20", port(cloud, RED), router_id="hub")
    forwarded = cloud.floating_ip(network, "203.0.113.30", router_id="hub")
    cloud.forward(forwarded, port(cloud, FAR), 8080, 80)
    return cloud


FAR_HOST = "198.51.100.9"


def outside(cloud, network, target, **ports):
    (own,) = (each for each in cloud.store.all(Port) if target in {fixed.ip_address for fixed in each.fixed_ips})
    packet = packets.tcp(UPSTREAM_MAC, own.mac_address, FAR_HOST, target, **ports)
    return places(network.send_outside(cloud.store.get(Network, "world"), packet))


def test_what_leaves_has_an_address_of_its_router_and_what_answers_it_comes_back(world):
    near = port(world, NEAR)
    (gateway,) = interfaces_on(world.store, RED)
    network = Reference(world.store)
    assert NEAR not in outside(world, network, "203.0.113.10", tcp_src=80, tcp_dst=1025)
    sent = packets.tcp(near.mac_address, gateway.mac_address, address(near), FAR_HOST)
    ((place, seen),) = network.send(near, sent)
    assert place == "network/world" and seen["ipv4_src"] == packets.Packet(ipv4_src="203.0.113.10")["ipv4_src"]
    network.observe(seen.but(tcp_src=1025))
    assert NEAR in outside(world, network, "203.0.113.10", tcp_src=80, tcp_dst=1025)
    assert NEAR not in outside(world, network, "203.0.113.10", tcp_src=80, tcp_dst=1026)
    assert NEAR not in outside(world, network, "203.0.113.10", tcp_src=81, tcp_dst=1025)


def test_who_sends_to_his_own_source_port_outside_hears_himself_and_nobody_else_does(world):
    near, (gateway,) = port(world, NEAR), interfaces_on(world.store, RED)
    network = Reference(world.store)
    sent = packets.udp(near.mac_address, gateway.mac_address, address(near), "203.0.113.10", udp_dst=1025)
    assert places(network.send(near, sent)) == {"world", NEAR}
    ping = packets.icmp_echo(near.mac_address, gateway.mac_address, address(near), "203.0.113.10")
    assert places(network.send(near, ping.but(icmp_type=13))) == {"world"}


def test_floating_addresses_and_forwarded_ports_lead_in(world):
    network = Reference(world.store)
    assert RED in outside(world, network, "203.0.113.20", tcp_dst=22)
    assert FAR in outside(world, network, "203.0.113.30", tcp_dst=8080)
    assert FAR not in outside(world, network, "203.0.113.30", tcp_dst=8081)
    assert outside(world, network, "203.0.113.10", tcp_dst=22) == {"world"}


def test_without_translation_addresses_are_as_they_are(world):
    world.change(world.store.get(Router, "hub"), enable_snat=False)
    network, far = Reference(world.store), port(world, FAR)
    (own,) = (each for each in world.store.all(Port) if each.fixed_ips[0].ip_address == "203.0.113.10")
    packet = packets.tcp(UPSTREAM_MAC, own.mac_address, FAR_HOST, address(far))
    assert FAR in places(network.send_outside(world.store.get(Network, "world"), packet))
    assert FAR not in places(network.send_outside(world.store.get(Network, "world"), packet.but(eth_dst=STRANGER)))
