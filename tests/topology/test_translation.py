"""Zones and blocks of source ports: whose they are, and when they are given back."""

import pytest

from flows.engine import Engine
from tests.clouds import SimulatedCloud
from tests.gateway_stories import Outward, floating, outward
from topology.translation import PORTS, allocate
from topology.values import Claim, Translation


@pytest.fixture
def cloud() -> SimulatedCloud:
    return SimulatedCloud()


@pytest.fixture
def net(cloud: SimulatedCloud) -> Outward:
    return outward(cloud)


def rows(cloud: SimulatedCloud) -> dict[str, Translation]:
    return {row.id: row for row in cloud.store.all(Translation)}


def test_each_chassis_of_a_router_has_a_block_of_its_own(cloud: SimulatedCloud, net: Outward) -> None:
    one, two = rows(cloud)["hub@hv1"], rows(cloud)["hub@hv2"]
    assert one.first_port != two.first_port and one.ports == two.ports and "hub@hv3" not in rows(cloud)


def test_a_block_stays_while_its_instances_are_away(cloud: SimulatedCloud, net: Outward) -> None:
    before = rows(cloud)["hub@hv1"]
    cloud.unbind(net.one, "hv1")
    assert rows(cloud)["hub@hv1"] == before
    cloud.bind(net.one, "hv1")
    assert rows(cloud)["hub@hv1"] == before


def test_all_is_given_back_with_the_gateway(cloud: SimulatedCloud, net: Outward) -> None:
    floating(cloud, net, 20, net.one)
    assert len(rows(cloud)) == 3
    cloud.delete(net.out)
    assert rows(cloud) == {}
    assert not [each for each in cloud.store.all(Claim) if each.scope.startswith("block:")]


def test_another_address_is_another_zone(cloud: SimulatedCloud, net: Outward) -> None:
    each = floating(cloud, net, 20, net.one)
    cloud.bind(net.two, "hv1")
    before = rows(cloud)[f"{each.id}@hv1"]
    cloud.change(each, port_id="two", fixed_ip_address="10.0.1.12")
    after = rows(cloud)[f"{each.id}@hv1"]
    assert after.zone != before.zone and after.subject == "two 10.0.1.12"


def test_without_translation_there_is_no_block(cloud: SimulatedCloud, net: Outward) -> None:
    cloud.change(net.hub, enable_snat=False)
    assert {(row.first_port, row.ports) for row in rows(cloud).values()} == {(0, 0)}


def test_blocks_run_out_in_words(cloud: SimulatedCloud, net: Outward) -> None:
    with cloud.store.transaction() as tx:
        for row in cloud.store.all(Translation):
            tx.delete(Translation, row.id)
    engine = Engine(cloud.store)
    problems = allocate(cloud.store, engine.view, 1 << 15)
    assert len(problems) == 1 and "cannot translate for hub" in problems[0]


def test_blocks_are_powers_of_two_above_the_well_known_ports(cloud: SimulatedCloud, net: Outward) -> None:
    with cloud.store.transaction() as tx:
        for row in cloud.store.all(Translation):
            tx.delete(Translation, row.id)
    engine = Engine(cloud.store)
    assert allocate(cloud.store, engine.view) == []
    assert {row.first_port for row in rows(cloud).values()} == {PORTS, 2 * PORTS}
    assert allocate(cloud.store, Engine(cloud.store).view) == []
