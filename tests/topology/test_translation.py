"""Zones and blocks of source ports: whose they are, and when they are given back."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.engine import Engine
from tests.clouds import CHASSIS, SimulatedCloud, new_engine
from tests.gateway_stories import OUTSIDE, SECOND, Outward, floating, outward, second_address
from topology import translation
from topology.facts import View
from topology.gateway_values import PortBlock, Translation
from topology.port_blocks import PORTS, SHARE, SPARE, left
from topology.translation import every_owner, grow, settle, taken_of
from topology.values import Claim, FixedIP
from topology.values import Counter as Count


@pytest.fixture
def cloud() -> SimulatedCloud:
    return SimulatedCloud()


@pytest.fixture
def net(cloud: SimulatedCloud) -> Outward:
    return outward(cloud)


def rows(cloud: SimulatedCloud) -> dict[str, Translation]:
    return {row.id: row for row in cloud.store.all(Translation)}


def anew(cloud: SimulatedCloud, ports: int = PORTS) -> list[str]:
    """Take all translations anew, with blocks of so many ports."""
    with cloud.store.transaction() as tx:
        for row in cloud.store.all(Translation):
            tx.delete(Translation, row.id)
        for count in cloud.store.all(Count):
            if "block:" in count.id:
                tx.delete(Count, count.id)
    cloud.engine = new_engine(cloud.store)
    problems = settle(cloud.store, cloud.engine.view, every_owner(cloud.store), ports)
    cloud.engine = new_engine(cloud.store)
    return [problem for each in problems.values() for problem in each]


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
    assert not [each for each in cloud.store.all(Count) if "block:" in each.id]


def test_what_a_deleted_owner_had_is_given_back(cloud: SimulatedCloud, net: Outward) -> None:
    each = floating(cloud, net, 20, net.one)
    cloud.delete(each)
    assert set(rows(cloud)) == {"hub@hv1", "hub@hv2"}
    cloud.delete(net.hub)
    assert rows(cloud) == {}


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
    (problem,) = anew(cloud, 1 << 15)
    assert "cannot translate for hub" in problem and OUTSIDE in problem


def test_blocks_are_powers_of_two_above_the_well_known_ports_with_room_to_grow(
    cloud: SimulatedCloud, net: Outward
) -> None:
    assert anew(cloud) == []
    assert [(row.first_port % SHARE, row.ports) for row in rows(cloud).values()] == [(0, PORTS)] * 2
    assert min(row.first_port for row in rows(cloud).values()) >= SHARE
    assert not any(settle(cloud.store, Engine(cloud.store).view, every_owner(cloud.store)).values())


def grown(cloud: SimulatedCloud, *places: tuple[str, str]) -> list[tuple[str, str]]:
    refused = grow(cloud.store, cloud.engine.view, places)
    cloud.follow()
    return refused


def test_a_block_grows_in_place_up_to_a_share_of_the_address(cloud: SimulatedCloud, net: Outward) -> None:
    anew(cloud)
    first = rows(cloud)["hub@hv1"]
    for times in (2, 4, 8, 16):
        assert grown(cloud, ("hub", "hv1")) == []
        now = rows(cloud)["hub@hv1"]
        assert (now.first_port, now.ports, now.zone) == (first.first_port, times * PORTS, first.zone)
    assert now.ports == SHARE
    assert grown(cloud, ("hub", "hv1")) == [("hub", "hv1")] and rows(cloud)["hub@hv1"] == now
    assert rows(cloud)["hub@hv2"].ports == PORTS


def test_growth_leaves_ports_to_chassis_that_have_none(cloud: SimulatedCloud, net: Outward) -> None:
    anew(cloud)
    cloud.put(Translation("hub@hv3", "hub", "hv3", 9, OUTSIDE, SHARE * 3, SHARE // 2))
    for _ in range(20):
        grown(cloud, ("hub", "hv1"), ("hub", "hv2"))
    taken = taken_of(cloud.store.all(Translation), OUTSIDE)
    assert SPARE <= left(taken) < 2 * SPARE
    assert len({port for span in taken for port in range(span.first, span.first + span.ports)}) == sum(
        span.ports for span in taken
    ), "nobody has another's ports"


def test_who_has_no_block_comes_first(cloud: SimulatedCloud, net: Outward) -> None:
    assert len(anew(cloud, 1 << 15)) == 1
    assert grown(cloud, ("hub", "hv1"), ("hub", "hv2")) == [("hub", "hv1")], "the other has none to grow"


def test_who_is_gone_grows_no_more(cloud: SimulatedCloud, net: Outward) -> None:
    anew(cloud)
    assert grown(cloud, ("hub", "hv9"), ("nobody", "hv1")) == []


def test_a_second_block_where_the_first_cannot_grow(cloud: SimulatedCloud, net: Outward) -> None:
    anew(cloud)
    first = rows(cloud)["hub@hv1"]
    cloud.put(Translation("hub@hv3", "hub", "hv3", 9, OUTSIDE, first.first_port + PORTS, PORTS))
    assert grown(cloud, ("hub", "hv1")) == []
    own, second = rows(cloud)["hub@hv1"].blocks
    assert own == PortBlock(OUTSIDE, first.first_port, PORTS) and second.ports == PORTS
    assert grown(cloud, ("hub", "hv1")) == []
    assert rows(cloud)["hub@hv1"].blocks == (own, replace(second, ports=2 * PORTS)), "the newest one grows"
    for _ in range(9):
        grown(cloud, ("hub", "hv1"))
    blocks = rows(cloud)["hub@hv1"].blocks
    assert len(blocks) == 2 and sum(block.ports for block in blocks) <= SHARE


def fill(cloud: SimulatedCloud) -> None:
    """Leave nothing of the first address."""
    halves = [PortBlock(OUTSIDE, 1 << bits, 1 << bits) for bits in range(15, 9, -1)]
    held = rows(cloud)["hub@hv1"].first_port, rows(cloud)["hub@hv2"].first_port
    free = [half for half in halves if not any(half.first_port <= each <= half.last_port for each in held)]
    cloud.put(Translation("hub@hv3", "hub", "hv3", 9, OUTSIDE, free[0].first_port, free[0].ports, tuple(free[1:])))


def test_the_next_address_where_the_first_has_no_room(cloud: SimulatedCloud, net: Outward) -> None:
    second_address(cloud, net)
    anew(cloud)
    assert {row.subject for row in rows(cloud).values()} == {OUTSIDE}
    fill(cloud)
    assert grown(cloud, ("hub", "hv1")) == []
    while not (further := rows(cloud)["hub@hv1"].further):
        assert grown(cloud, ("hub", "hv1")) == []
    assert [block.address for block in further] == [SECOND]


def test_a_first_block_may_be_of_a_further_address(cloud: SimulatedCloud, net: Outward) -> None:
    second_address(cloud, net)
    anew(cloud, 1 << 15)
    assert sorted(row.subject for row in rows(cloud).values()) == [OUTSIDE, SECOND]


def test_blocks_of_an_address_go_with_it_and_no_others(cloud: SimulatedCloud, net: Outward) -> None:
    out = second_address(cloud, net)
    anew(cloud)
    own = rows(cloud)["hub@hv1"]
    cloud.put(replace(own, further=(PortBlock(SECOND, 4096, 1024),)))
    cloud.change(out, fixed_ips=out.fixed_ips[:1])
    assert rows(cloud)["hub@hv1"] == own
    cloud.change(out, fixed_ips=(FixedIP(out.fixed_ips[0].subnet_id, SECOND),))
    assert rows(cloud)["hub@hv1"].subject == SECOND and rows(cloud)["hub@hv1"].zone != own.zone


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([*CHASSIS, "bind", "unbind"]), max_size=25))
def test_whatever_grows_nobody_has_anothers_ports(history: list[str]) -> None:
    cloud = SimulatedCloud()
    net = outward(cloud)
    second_address(cloud, net)
    anew(cloud)
    port = cloud.port("three", net.red, "10.0.1.13")
    for step in history:
        if step == "bind":
            cloud.bind(port, "hv3")
        elif step == "unbind" and "three" in cloud._plugged["hv3"]:
            cloud.unbind(port, "hv3")
        else:
            grown(cloud, ("hub", step))
        every = list(rows(cloud).values())
        for address in (OUTSIDE, SECOND):
            taken = taken_of(every, address)
            assert sum(span.ports for span in taken) == len(
                {number for span in taken for number in range(span.first, span.first + span.ports)}
            )
            assert all(span.first >= 1024 and span.first % span.ports == 0 for span in taken)


def test_its_cost_follows_the_change_and_not_the_number_of_routers() -> None:
    """Of 1,000 routers, a change looks at those that it concerns, and at no other's rows."""
    cloud = SimulatedCloud()
    net = outward(cloud)
    with cloud.store.transaction() as tx:
        for number in range(1000):
            tx.put(replace(net.hub, id=f"r{number}", key=1000 + number))
    cloud.follow()
    asked: Counter[str] = Counter()

    class Counted:
        """A view that counts whom it is asked about."""

        def ask(self, fact: Any, *args: Any) -> Any:
            asked[args[0]] += 1
            return cloud.engine.view.ask(fact, *args)

    view: View = Counted()  # type: ignore[assignment]
    runs = cloud.engine.runs["unsettled"]
    for change in (
        lambda: cloud.change(net.one, name="web"),
        lambda: cloud.change(net.one, mac_address="fa:16:3e:aa:aa:aa"),
        lambda: cloud.bind(cloud.port("more", net.red, "10.0.1.40"), "hv1"),
    ):
        change()
        assert translation.settle(cloud.store, view, cloud.engine.take_moved()) == {} and not asked
    assert cloud.engine.runs["unsettled"] == runs
    cloud.bind(cloud.port("far", net.red, "10.0.1.41"), "hv3")
    assert cloud.engine.runs["unsettled"] - runs <= 3 and "hub@hv3" in rows(cloud)
