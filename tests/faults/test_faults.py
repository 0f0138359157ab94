"""Faults are told by what they lead to: harm that the traffic finds or misses, losses, and nothing at all."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from subprocess import check_output

import pytest

from flows.actions import Goto, SetField
from flows.flow import Flow
from flows.pipeline import TABLES
from tests.clouds import OPEN, SimulatedCloud
from tests.faults import __main__ as command
from tests.faults.__main__ import MARKS, plant_many, random_cloud, told, written
from tests.faults.planting import RULE_TABLES, Fault, plant
from tests.faults.search import Effect, Known, effect
from tests.isolation.judge import Case, Judge
from tests.isolation.traffic import plain, traffic


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
    found, packets = plant_many(1, 1)
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


def test_faults_are_planted_in_some_tables_only_or_not_at_all(cloud):
    assert {plant(cloud, Random(number), RULE_TABLES).table for number in range(20)} <= RULE_TABLES
    with pytest.raises(LookupError, match="paths"):
        plant(cloud, Random(1), frozenset({"paths"}))


def test_each_report_takes_the_place_of_the_last_one_of_its_kind():
    document = f"read this\n{MARKS[False]}\n\nold\n\n{MARKS[True]}\n\nold rules\n"
    renewed = written(document, "new\n", rules=False)
    assert renewed == f"read this\n{MARKS[False]}\n\nnew\n\n{MARKS[True]}\n\nold rules\n"
    assert written(renewed, "new rules\n", rules=True) == renewed.replace("old rules", "new rules")
