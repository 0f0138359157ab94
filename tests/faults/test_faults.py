"""Faults are told by what they lead to: harm that the traffic finds or misses, losses, and nothing at all."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from subprocess import check_output

import pytest

from flows.actions import Goto, SetField
from flows.fields import FIRST_FRAGMENT, LATER_FRAGMENT
from flows.flow import Flow, Term
from flows.pipeline import TABLES
from tests.clouds import OPEN, SimulatedCloud
from tests.faults import __main__ as command
from tests.faults.__main__ import MARKS, plant_many, random_cloud, told, written
from tests.faults.planting import RULE_TABLES, Fault, plant
from tests.faults.search import Effect, Known, effect
from tests.isolation.judge import Case, Judge
from tests.isolation.near_rules import NearRules
from tests.isolation.port_rules import number_of_mac
from tests.isolation.systematic import Systematic
from tests.isolation.traffic import plain, traffic
from topology.values import Network, Port, SecurityGroup


@pytest.fixture(scope="module")
def cloud() -> SimulatedCloud:
    """A network of two, another with the same addresses, and a group that lets nothing but pings in."""
    cloud = SimulatedCloud()
    pings = cloud.security_group("pings", {"direction": "egress"}, {"protocol": 1})
    for name in ("red", "blue"):
        network = cloud.network(name)
        cloud.subnet(network, gateway_ip="10.0.0.1")
        for number in (11, 12):
            groups = (pings.id,) if number == 12 else (OPEN,)
            mac = f"fa:16:3e:00:00:{number}"
            cloud.port(f"{name}{number}", network, f"10.0.0.{number}", "hv1", mac_address=mac, security_groups=groups)
    return cloud


def fault(cloud: SimulatedCloud, table: str, owner: str, change: Callable[[Flow], Flow | None], **match: int) -> Fault:
    """Change the one flow of a table that an owner has and that matches so."""
    wanted = match.items()
    (flow,) = (
        flow
        for flow in cloud.flows("hv1").values()
        if flow.table == TABLES[table].number and flow.owner == owner
        and wanted <= {(term.field, term.value) for term in flow.match}
    )  # fmt: skip
    return Fault("hv1", flow, "", change(flow))


def without(field: str) -> Callable[[Flow], Flow]:
    return lambda flow: replace(flow, match=tuple(term for term in flow.match if term.field != field))


def of_any_fragment(flow: Flow) -> Flow:
    """Ask only whether a packet is a fragment, not whether it is a later one."""
    fragment = Term("ip_frag", FIRST_FRAGMENT, FIRST_FRAGMENT)
    return replace(flow, match=tuple(fragment if term.field == "ip_frag" else term for term in flow.match))


def unasked(flow: Flow) -> Flow:
    """Let a packet go on to the port without a question to its security groups."""
    return replace(flow, actions=(SetField("filtered", 0), Goto("ingress_stateless")))


def became(cloud: SimulatedCloud, planted: Fault, honest_only: bool = False) -> Effect:
    cases = plain(cloud) if honest_only else traffic(cloud, Judge(cloud), Random(1))
    found, packet = effect(Known(cloud, list(cases)), planted, Random(1))
    assert bool(packet) == (found is Effect.MISSED), "what was missed is shown"
    return found


def test_what_permits_too_much_is_found_by_a_forbidden_arrival(cloud):
    planted = fault(cloud, "receiver", "port/red12", unasked)
    assert became(cloud, planted) is Effect.FOUND


def test_what_the_traffic_misses_and_the_search_does_not_is_missed(cloud):
    planted = fault(cloud, "port_security", "port/red11", without("ipv4_src"), eth_type=0x0800, ipv4_src=0x0A00000B)
    assert became(cloud, planted, honest_only=True) is Effect.MISSED


def test_what_loses_honest_packets_is_not_taken_for_harm(cloud):
    planted = fault(cloud, "local_output", "port/red12", lambda flow: replace(flow, actions=()))
    assert became(cloud, planted) is Effect.LOSES


def test_what_makes_no_difference_has_no_effect(cloud):
    # Nobody sends from port 0.
    planted = fault(cloud, "drops", "drop/unknown_origin", lambda flow: None)
    assert became(cloud, planted) is Effect.NONE


def test_what_comes_where_it_may_not_without_the_fault_is_not_the_faults(cloud, monkeypatch):
    open_door = fault(cloud, "port_security", "port/red11", without("ipv4_src"), eth_type=0x0800, ipv4_src=0x0A00000B)
    cases = list(Systematic(cloud, Judge(cloud), Random(1)).all())
    held, sound = open_door.held(cloud), cloud.flows
    monkeypatch.setattr(cloud, "flows", lambda name: {f.key: f for f in held} if name == "hv1" else sound(name))
    known = Known(cloud, list(plain(cloud)))
    assert not known.amiss
    # It is there before it is planted.
    assert effect(known, open_door, Random(1)) == (Effect.NONE, "")
    assert known.amiss, "which is told all the same"
    known = Known(cloud, cases)
    assert known.amiss and len(known.cases) == len(known.outcomes) < len(cases), "also of what all send"


def test_every_planted_fault_changes_a_flow():
    cloud, random = random_cloud(2), Random(2)
    for _ in range(20):
        planted = plant(cloud, random)
        assert planted.changed != planted.flow and planted.flow in cloud.flows(planted.chassis).values()


def test_the_same_faults_are_planted_whatever_is_sent(monkeypatch):
    planted: list[Fault] = []

    def seen(known: Known, fault: Fault, random: Random) -> tuple[Effect, str]:
        planted.append(fault)
        return Effect.NONE, ""

    def more(cloud: SimulatedCloud, judge: Judge, random: Random) -> Iterator[Case]:
        yield from random.sample(list(plain(cloud)) * 2, 100)

    monkeypatch.setattr(command, "effect", seen)
    for sent in (lambda cloud, judge, random: list(plain(cloud))[:50], more):
        monkeypatch.setattr(command, "all_traffic", sent)
        plant_many(1, 1)
    assert len(planted) == 40 and planted[:20] == planted[20:]


PLANTED = """
from random import Random
from tests.faults.__main__ import random_cloud
from tests.faults.planting import plant
from tests.isolation.near_flows import NearFlows

cloud, random = random_cloud(1), Random(1)
for _ in range(20):
    print(plant(cloud, random))
for case in NearFlows(cloud, Random(1)).some(500):
    print([sorted(sent.packet.items()) for sent in case])
"""


def test_the_same_faults_are_planted_and_the_same_is_sent_however_python_hashes():
    one, other = (
        check_output([sys.executable, "-c", PLANTED], env={**os.environ, "PYTHONHASHSEED": seed}) for seed in "01"
    )
    assert one == other and one.count(b"is now") == 20


def test_the_report_counts_every_fault_once_in_each_table():
    found, packets, amiss = plant_many(1, 1)
    assert not amiss
    assert found.total() == 20 and packets > 1000
    assert "Of 20 faults" in told(found, packets)


def test_what_crosses_from_one_physical_network_to_the_same_vlan_of_another_is_found():
    cloud = SimulatedCloud()
    for wire, chassis in (("physnet1", "hv1"), ("physnet2", "hv2")):
        network = cloud.network(f"on {wire}", "vlan", vlan=100, wire=wire)
        cloud.subnet(network)
        cloud.port(f"at {wire}", network, "10.0.0.11", chassis)
    planted = fault(cloud, "classification", "network/on physnet1", without("in_port"), vlan_vid=0x1064)
    assert became(cloud, planted) is Effect.FOUND


def by_rules_alone(cloud: SimulatedCloud, planted: Fault) -> Effect:
    found, _ = effect(Known(cloud, list(NearRules(cloud, Random(1)).all())), planted, Random(1))
    return found


def bound(kind: str, *rules: dict[str, object]) -> SimulatedCloud:
    """One whom a group binds, alone on a network: whoever speaks to him is not on this chassis."""
    cloud = SimulatedCloud()
    network = cloud.network("red", kind)
    cloud.subnet(network)
    group = cloud.security_group("bound", *rules)
    cloud.port("bound", network, "10.0.0.11", "hv1", security_groups=(group.id,))
    return cloud


@pytest.mark.parametrize("kind", ["vlan", "geneve"])
def test_what_comes_for_dhcp_clients_from_elsewhere_than_their_servers_is_found(kind):
    cloud = bound(kind)
    planted = fault(cloud, "ingress_tracking", "table/ingress_tracking", without("udp_src"), udp_dst=68)
    assert by_rules_alone(cloud, planted) is Effect.FOUND


@pytest.mark.parametrize("end", ["ct_tp_dst", "ct_tp_src"], ids=["begun", "in answer"])
@pytest.mark.parametrize("kind", ["vlan", "geneve"])
def test_what_is_for_dhcp_clients_in_first_fragments_is_found(kind, end):
    cloud = bound(kind, {"direction": "egress"}, {"protocol": 17, "port_range_min": 8001, "port_range_max": 8190})
    network, near = cloud.store.all(Network)[0], cloud.store.all(Port)[0]
    cloud.port("near", network, "10.0.0.12", "hv2", port_security_enabled=False)
    planted = fault(cloud, "egress_filter", "drop/dhcp_server", lambda flow: None, ip_frag=1, **{end: 68})
    assert near.id == "bound" and by_rules_alone(cloud, planted) is Effect.FOUND


def one_bit_less(field: str) -> Callable[[Flow], Flow]:
    def change(flow: Flow) -> Flow:
        wide = {term: Term(term.field, term.value & ~4, 0xFFFFFFFB) for term in flow.match if term.field == field}
        return replace(flow, match=tuple(wide.get(term, term) for term in flow.match))

    return change


@pytest.mark.parametrize("kind", ["vlan", "geneve"])
def test_a_member_whose_address_lacks_a_bit_is_found_by_what_the_rule_permits(kind):
    cloud = bound(kind)
    (group,) = (each for each in cloud.store.all(SecurityGroup) if each.id == "bound")
    cloud.rule(group, "ingress", protocol=17, port_range_min=8001, port_range_max=8190, remote_group_id=group.id)
    network = cloud.store.all(Network)[0]
    for number in range(12, 28):
        cloud.port(f"member{number}", network, f"10.0.0.{number}", "hv2", security_groups=(group.id,))
    match = {"direction": 1, "ct_nw_src": 0x0A00001B}
    planted = fault(cloud, "remote_members", "port/member27", one_bit_less("ct_nw_src"), **match)
    assert by_rules_alone(cloud, planted) is Effect.FOUND


def by_systematic_traffic_alone(cloud: SimulatedCloud, planted: Fault) -> Effect:
    cases = list(Systematic(cloud, Judge(cloud), Random(1)).all())
    return effect(Known(cloud, cases), planted, Random(1))[0]


def test_what_is_for_a_routers_own_address_and_goes_on_by_anothers_is_found():
    cloud = SimulatedCloud()
    red, blue, world = cloud.network("red"), cloud.network("blue"), cloud.external("world")
    for number, network in enumerate((red, blue)):
        cloud.subnet(network, f"10.0.{number}.0/24", gateway_ip=f"10.0.{number}.1")
        cloud.port(f"{network.id}11", network, f"10.0.{number}.11", "hv1", security_groups=(OPEN,))
    cloud.router("hub", red)
    cloud.interface(cloud.router("second", blue), red, "10.0.0.2")
    other = cloud.router("other", blue)
    cloud.gateway(other, world, "203.0.113.10", enable_snat=False)
    cloud.doors(("hv3",))

    def by_the_other(flow: Flow) -> Flow:
        return replace(flow, actions=(SetField("router", other.key), *flow.actions[1:]))

    (second,) = (each for each in cloud.store.find(Port, "network", "red") if each.device_id == "second")
    planted = fault(cloud, "neighbours", f"port/{second.id}", by_the_other, next_hop=0x0A000002)
    assert by_systematic_traffic_alone(cloud, planted) is Effect.FOUND


def test_what_a_gateway_chassis_takes_in_for_another_mac_address_is_found():
    cloud = SimulatedCloud()
    red, world = cloud.network("red"), cloud.external("world")
    cloud.subnet(red, "10.0.1.0/24", gateway_ip="10.0.1.1")
    cloud.port("red11", red, "10.0.1.11", "hv1", security_groups=(OPEN,))
    hub = cloud.router("hub", red)
    cloud.gateway(hub, world, "203.0.113.10", enable_snat=True)
    cloud.doors(("hv1",))
    (out,) = (each for each in cloud.store.find(Port, "network", "world"))
    planted = fault(cloud, "forwarding", "router/hub", without("eth_dst"), eth_dst=number_of_mac(out.mac_address))
    assert by_systematic_traffic_alone(cloud, planted) is Effect.FOUND


@pytest.mark.parametrize("peer", ["hv2", "hv3"])
def test_what_one_chassis_sends_by_tunnel_and_comes_to_whom_it_is_not_for_is_found(peer):
    cloud = bound("geneve", {"protocol": 6})
    planted = fault(cloud, "tunnel_peers", f"chassis/{peer}", lambda flow: replace(flow, actions=(Goto("flooding"),)))
    assert by_systematic_traffic_alone(cloud, planted) is Effect.FOUND


def test_what_is_for_an_address_of_nobody_is_found_where_only_a_router_keeps_it_back_elsewhere():
    cloud = SimulatedCloud()
    red, back = cloud.network("red", "vlan"), cloud.network("back")
    cloud.subnet(red, "10.0.0.0/24", gateway_ip="10.0.0.1")
    cloud.subnet(back, "10.0.1.0/24", gateway_ip="10.0.1.1")
    cloud.port("sender", red, "10.0.0.11", "hv1", security_groups=(OPEN,))
    cloud.port("target", back, "10.0.1.11", "hv1", security_groups=(OPEN,))
    cloud.router("hub", red, back)
    planted = fault(cloud, "port_security", "drop/malformed", lambda flow: None, ipv4_dst=0x7F000000)
    assert by_systematic_traffic_alone(cloud, planted) is Effect.FOUND


@pytest.mark.parametrize("direction, end", [(0, "ct_nw_dst"), (1, "ct_nw_src")])
def test_a_member_that_counts_the_other_way_is_found(direction, end):
    cloud = SimulatedCloud()
    network = cloud.network("red")
    cloud.subnet(network)
    friends = cloud.security_group("friends")
    for way in ("ingress", "egress"):
        cloud.rule(friends, way, remote_group_id=friends.id, protocol=6)
    for number in range(11, 28):
        cloud.port(f"friend{number}", network, f"10.0.0.{number}", "hv1", security_groups=(friends.id,))
    cloud.port("stranger", network, "10.0.0.200", "hv1", security_groups=(OPEN,))
    match = {"direction": direction, end: 0x0A00000B}
    planted = fault(cloud, "remote_members", "port/friend11", without("direction"), **match)
    assert by_rules_alone(cloud, planted) is Effect.FOUND


@pytest.mark.parametrize(
    "rule, change, match",
    [
        ({"protocol": 1, "port_range_min": 8}, without("ct_tp_src"), {}),
        ({"protocol": 6, "port_range_min": 80, "port_range_max": 80}, of_any_fragment, {"ip_frag": LATER_FRAGMENT}),
    ],
    ids=["any ICMP for pings", "first fragments for later ones"],
)
@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_what_a_rule_permits_of_its_protocol_only_in_part_is_found(rule, change, match, way):
    cloud = SimulatedCloud()
    network = cloud.network("red")
    cloud.subnet(network)
    bound = cloud.security_group("bound")
    owner = f"security_group_rule/{cloud.rule(bound, way, **rule).id}"
    cloud.port("bound", network, "10.0.0.11", "hv1", security_groups=(bound.id,))
    cloud.port("other", network, "10.0.0.12", "hv1", security_groups=(OPEN,))
    planted = fault(cloud, "permissions", owner, change, **match)
    assert by_rules_alone(cloud, planted) is Effect.FOUND


def test_faults_are_planted_in_some_tables_only_or_not_at_all(cloud):
    assert {plant(cloud, Random(number), RULE_TABLES).table for number in range(20)} <= RULE_TABLES
    with pytest.raises(LookupError, match="paths"):
        plant(cloud, Random(1), frozenset({"paths"}))


def test_each_report_takes_the_place_of_the_last_one_of_its_kind():
    document = f"read this\n{MARKS[False]}\n\nold\n\n{MARKS[True]}\n\nold rules\n"
    renewed = written(document, "new\n", rules=False)
    assert renewed == f"read this\n{MARKS[False]}\n\nnew\n\n{MARKS[True]}\n\nold rules\n"
    assert written(renewed, "new rules\n", rules=True) == renewed.replace("old rules", "new rules")
