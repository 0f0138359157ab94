"""No bit of what a rule asks for is left untried, nor of who its members are."""

from random import Random

import pytest

from flows.packets import Packet
from tests.clouds import OPEN, SimulatedCloud
from tests.isolation.judge import Judge, Outsider, Sent, Stranger
from tests.isolation.near_rules import NearRules
from topology.values import Port


@pytest.fixture
def cloud() -> SimulatedCloud:
    """One whom members of a group may reach at two ports, one of them, and who may speak as anybody."""
    cloud = SimulatedCloud()
    network = cloud.network("red")
    cloud.subnet(network, gateway_ip="10.0.0.1")
    friends = cloud.security_group("friends", {"direction": "egress"})
    web = {"remote_group_id": friends.id, "protocol": 6, "port_range_min": 80, "port_range_max": 81}
    served = cloud.security_group("served", web, web | {"direction": "egress"})
    cloud.port("server", network, "10.0.0.11", "hv1", security_groups=(served.id,))
    cloud.port("friend", network, "10.0.0.12", "hv1", security_groups=(friends.id,))
    cloud.port("anybody", network, "10.0.0.13", "hv1", port_security_enabled=False)
    return cloud


def said(cloud: SimulatedCloud, sender_id: str) -> list[Packet]:
    cases = [case[0] for case in NearRules(cloud, Random(1)).all()]
    return [sent.packet for sent in cases if isinstance(sent.sender, Port) and sent.sender.id == sender_id]


@pytest.mark.parametrize("sender_id, end", [("anybody", "ipv4_src"), ("server", "ipv4_dst")])
def test_every_bit_of_a_members_address_and_of_a_port_is_missed_once(cloud, sender_id, end):
    sent = [packet for packet in said(cloud, sender_id) if "tcp_dst" in packet]
    friend = 0x0A00000C
    assert {1 << bit for bit in range(32)} <= {packet[end] ^ friend for packet in sent}
    # Of ports, the last bit is free: 80 and 81 are one flow.
    ports = {packet["tcp_dst"] for packet in sent if packet[end] == friend}
    assert {80 ^ 1 << bit for bit in range(1, 16)} <= ports


def test_hardly_anything_but_the_rule_stops_what_misses_it(cloud):
    (server,) = (port for port in cloud.store.all(Port) if port.id == "server")
    judge, stopped = Judge(cloud), 0
    said = [case for case in NearRules(cloud, Random(1)).all() if len(case) == 1]
    cases = [case for case in said if judge.play(case)[0].reached == set()]
    cloud.change(server, security_groups=(OPEN,))
    judge = Judge(cloud)
    for ((sender, packet),) in cases:
        judge.forget()
        stopped += not judge.inject(Sent(sender, packet)).deliveries
    # Addresses that no host has are a sixth of those beside a member's; and instances are no DHCP servers.
    assert len(cases) > 150 and stopped < len(cases) / 5


def test_where_nobody_speaks_as_a_member_a_machine_outside_does():
    cloud = SimulatedCloud()
    network = cloud.network("plant", "vlan")
    cloud.subnet(network)
    served = cloud.security_group("served", {"remote_ip_prefix": "10.0.0.64/26"})
    cloud.port("server", network, "10.0.0.11", "hv1", security_groups=(served.id,))
    received = [case[0].packet for case in NearRules(cloud, Random(1)).all() if case[0].sender == Outsider("plant")]
    assert {0x0A000040 ^ 1 << bit for bit in range(6, 32)} <= {packet["ipv4_src"] for packet in received}


def test_where_nobody_else_can_another_chassis_speaks_as_a_member():
    cloud = SimulatedCloud()
    network = cloud.network("red")
    cloud.subnet(network)
    served = cloud.security_group("served", {"remote_ip_prefix": "10.0.0.64/26"})
    cloud.port("server", network, "10.0.0.11", "hv1", security_groups=(served.id,))
    cases = [case[0] for case in NearRules(cloud, Random(1)).all() if isinstance(case[0].sender, Stranger)]
    assert {0x0A000040 ^ 1 << bit for bit in range(6, 32)} <= {sent.packet["ipv4_src"] for sent in cases}
    permitted = cases[0]._replace(packet=cases[0].packet.but(ipv4_src="10.0.0.65", ip_proto=6, tcp_src=80, tcp_dst=80))
    assert Judge(cloud).play((permitted,))[0].reached == {"server"}, "which is believed"
