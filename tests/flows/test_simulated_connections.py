"""Zones remember connections as Open vSwitch's do; tests/security_stories.py holds them to it."""

from flows.actions import REMEMBERED
from flows.fields import CT_ESTABLISHED, CT_INVALID, CT_NEW, CT_RELATED, CT_REPLY, CT_TRACKED, parse_ipv4
from flows.packets import FiveTuple, Packet, icmp, icmp_error, in_two, ipv4, tcp, udp
from flows.simulated_connections import Connections

MACS = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
A, B = "10.0.0.1", "10.0.0.2"
ASKED, ANSWER = udp(*MACS, A, B, udp_src=5, udp_dst=6), udp(*MACS, B, A, udp_src=6, udp_dst=5)


def state(connections: Connections, packet: Packet, zone: int = 1, chassis: str = "hv1") -> int:
    tracked = connections.look_up(chassis, zone, packet)
    assert tracked is not None and tracked.state & CT_TRACKED
    return tracked.state & ~CT_TRACKED


def begun(packet: Packet) -> Connections:
    connections = Connections()
    assert connections.commit("hv1", 1, packet)
    return connections


def original(connections: Connections, packet: Packet) -> FiveTuple | None:
    tracked = connections.look_up("hv1", 1, packet)
    return tracked.original if tracked else None


def test_a_packet_is_new_until_its_connection_is_committed() -> None:
    connections = Connections()
    assert state(connections, ASKED) == state(connections, ASKED) == CT_NEW
    connections.commit("hv1", 1, ASKED)
    assert state(connections, ASKED) == CT_ESTABLISHED
    assert state(connections, ANSWER) == CT_ESTABLISHED | CT_REPLY
    assert original(connections, ANSWER) == original(connections, ASKED) == ASKED.five_tuple


def test_zones_and_chassis_know_nothing_of_one_another() -> None:
    connections = begun(ASKED)
    assert state(connections, ASKED, zone=2) == state(connections, ASKED, chassis="hv2") == CT_NEW


def test_other_ports_and_protocols_are_other_connections() -> None:
    connections = begun(ASKED)
    for packet in (ASKED.but(udp_dst=7), tcp(*MACS, A, B, tcp_src=5, tcp_dst=6), ipv4(*MACS, A, B, 47)):
        assert state(connections, packet) == CT_NEW


def test_committing_a_reply_leaves_the_connection_as_it_was_begun() -> None:
    connections = begun(ASKED)
    connections.commit("hv1", 1, ANSWER)
    assert state(connections, ANSWER) == CT_ESTABLISHED | CT_REPLY


def test_only_icmp_questions_begin_connections_and_their_answers_belong_to_them() -> None:
    for question, answer in ((8, 0), (13, 14), (17, 18)):
        ask, reply = icmp(*MACS, A, B, icmp_type=question), icmp(*MACS, B, A, icmp_type=answer)
        assert state(Connections(), ask) == CT_NEW and state(Connections(), reply) == CT_INVALID
        assert state(begun(ask), reply) == CT_ESTABLISHED | CT_REPLY
    for message in (9, 10, 200):
        assert state(Connections(), icmp(*MACS, A, B, icmp_type=message)) == CT_INVALID
    assert state(Connections(), icmp(*MACS, A, B, icmp_type=8, icmp_code=1)) == CT_INVALID


def test_an_error_belongs_to_the_connection_that_it_quotes_from_either_end() -> None:
    connections = begun(ASKED)
    of_request, of_answer = icmp_error(ASKED, *MACS, B), icmp_error(ANSWER, *MACS, A)
    assert state(connections, of_request) == CT_RELATED | CT_REPLY
    assert state(connections, of_answer) == CT_RELATED
    assert original(connections, of_request) == original(connections, of_answer) == ASKED.five_tuple
    assert state(Connections(), of_request) == CT_INVALID
    assert state(connections, of_request.but(ipv4_dst="10.0.0.9")) == CT_INVALID, "not for who is said to have sent it"
    assert state(connections, icmp(*MACS, B, A, icmp_type=3)) == CT_INVALID, "quotes nothing"


def test_a_full_zone_remembers_no_other_connection_and_those_that_it_has() -> None:
    connections, other = Connections(limit=1), ASKED.but(udp_src=7)
    assert state(connections, other) == CT_NEW and mark(connections, other) == 0
    for _ in range(2):
        tracked = connections.commit("hv1", 1, ASKED)
        assert tracked is not None and tracked.mark == mark(connections, ANSWER) == REMEMBERED
    refused = connections.commit("hv1", 1, other)
    assert refused is not None and (refused.mark, state(connections, other)) == (0, CT_NEW)
    assert connections.commit("hv1", 2, other) != refused, "it has room"
    there = (parse_ipv4("10.0.0.9"), 0, 0)
    assert connections.translate("hv1", 1, other, there, None) == (refused, other)
    connections.forget()
    assert connections.commit("hv1", 1, other) != refused


def mark(connections: Connections, packet: Packet) -> int:
    tracked = connections.look_up("hv1", 1, packet)
    assert tracked is not None
    return tracked.mark


def test_fragments_belong_to_their_datagram() -> None:
    first, later = in_two(ASKED)
    connections = Connections()
    assert connections.look_up("hv1", 1, later) is None, "kept until the first one comes"
    assert state(connections, first) == state(connections, later) == CT_NEW
    assert original(connections, later) == ASKED.five_tuple
    assert not connections.commit("hv1", 1, later), "kept until the first one is committed"
    assert connections.commit("hv1", 1, first) and connections.commit("hv1", 1, later)
    assert state(connections, later) == CT_ESTABLISHED
