"""Nothing that drops is left untried where there is somebody whom it stops, and no bit of a permission is."""

from ipaddress import IPv4Address
from random import Random

import pytest

from flows.actions import Goto
from flows.fields import mac_to_int
from flows.flow import Flow
from flows.packets import Packet
from flows.pipeline import ARP_GUARD, INBOUND_VERDICT, PORT_SECURITY
from tests.clouds import OPEN, SimulatedCloud
from tests.gateway_stories import block_of, outward
from tests.isolation.attacks import FAR
from tests.isolation.clouds import SHARED_MAC
from tests.isolation.judge import Case, Judge, Outsider
from tests.isolation.systematic import Systematic
from topology.values import AddressPair, Port


@pytest.fixture(scope="module")
def cloud() -> SimulatedCloud:
    """Two who reach each other on one chassis."""
    cloud = SimulatedCloud()
    network = cloud.network("red")
    cloud.subnet(network, gateway_ip="10.0.0.1")
    for number in (11, 12):
        mac = f"fa:16:3e:00:00:{number}"
        cloud.port(f"red{number}", network, f"10.0.0.{number}", "hv1", mac_address=mac, security_groups=(OPEN,))
    return cloud


def cases(cloud: SimulatedCloud) -> list[Case]:
    return list(Systematic(cloud, Judge(cloud), Random(1)).all())


def sent_by(port_id: str, cloud: SimulatedCloud) -> list[Packet]:
    firsts = [case[0] for case in cases(cloud)]
    return [sent.packet for sent in firsts if isinstance(sent.sender, Port) and sent.sender.id == port_id]


def test_every_drop_of_what_senders_say_is_met_by_each_of_them(cloud: SimulatedCloud) -> None:
    judge, met = Judge(cloud), set[tuple[Flow, str]]()
    for case in cases(cloud):
        (outcome,), sender = judge.play(case), case[0].sender
        if isinstance(sender, Port):
            met |= {(step.flow, sender.id) for step in outcome.walk.steps}
    for flow in cloud.flows("hv1").values():
        asks = {term.field for term in flow.match}
        if flow.table == PORT_SECURITY.number and flow.actions[-1] == Goto("drops") and "from_port" not in asks:
            assert {(flow, "red11"), (flow, "red12")} <= met, flow
        if flow.table == ARP_GUARD.number and flow.actions[-1] == Goto("drops"):
            assert any(each == flow for each, _ in met), flow


def test_every_bit_of_what_a_sender_may_say_is_missed_once(cloud: SimulatedCloud) -> None:
    sent = {packet["ipv4_src"] ^ 0x0A00000B for packet in sent_by("red11", cloud) if "ipv4_src" in packet}
    assert {1 << bit for bit in range(32)} <= sent


def test_a_router_is_asked_from_every_network_that_is_none_of_its_own_for_all_that_it_leads_to() -> None:
    cloud = SimulatedCloud()
    red, back, blue = (cloud.network(name) for name in ("red", "back", "blue"))
    for number, network in enumerate((red, back, blue)):
        cloud.subnet(network, f"10.0.{number}.0/24", gateway_ip=f"10.0.{number}.1")
        cloud.port(f"{network.id}11", network, f"10.0.{number}.11", "hv1")
    cloud.router("hub", red, back)
    (hop,) = (port for port in cloud.store.all(Port) if port.network_id == "red" and port.device_owner)
    said = [packet for packet in sent_by("blue11", cloud) if packet["eth_dst"] == mac_to_int(hop.mac_address)]
    asked = {str(IPv4Address(packet["ipv4_dst"])) for packet in said}
    assert {"10.0.0.11", "10.0.1.11", FAR} <= asked


def test_every_bit_of_a_mac_address_that_several_have_is_missed_once() -> None:
    cloud = SimulatedCloud()
    network = cloud.network("red")
    cloud.subnet(network)
    for number in (11, 12):
        pair = AddressPair("10.0.0.50", SHARED_MAC)
        cloud.port(f"red{number}", network, f"10.0.0.{number}", "hv1", allowed_address_pairs=(pair,))
    sent = {packet["eth_dst"] ^ mac_to_int(SHARED_MAC) for packet in sent_by("red11", cloud)}
    assert {1 << bit for bit in range(48)} <= sent


def test_a_router_gets_what_is_for_its_source_ports_and_no_connection() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud)
    flows = [each for each in cloud.flows("hv1").values() if each.table == INBOUND_VERDICT.number]
    (drops,) = (each for each in flows if each.priority == INBOUND_VERDICT.priorities["unknown"])
    judge, met = Judge(cloud), set[Flow | None]()
    for case in cases(cloud):
        if isinstance(case[0].sender, Outsider) and case[0].packet.get("tcp_dst") == block_of(cloud, net.hub, "hv1"):
            judge.forget()
            met |= {step.flow for outcome in judge.play(case) for step in outcome.walk.steps}
    assert drops in met
