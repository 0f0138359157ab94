"""Zones and blocks of source ports: whose they are, and when they are given back."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.engine import Engine
from tests.clouds import BLOCK, CHASSIS, SimulatedCloud, new_engine
from tests.gateway_stories import (
    FLAT,
    OUTSIDE,
    SECOND,
    Outward,
    answered,
    ask_far,
    floating,
    from_far,
    outside,
    outward,
    second_address,
)
from tests.source_port_stories import use_up
from topology import translation
from topology.facts import View
from topology.gateway_values import PortBlock, Translation
from topology.placement import forget
from topology.port_blocks import PORTS, SHARE, SIZES, SPARE, Span, blocks_left, doubled, largest, left, room_for
from topology.translation import every_owner, grow, settle, taken_of, used_up
from topology.values import Claim, FixedIP, Port
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


def test_a_router_is_used_up_when_its_last_address_is(cloud: SimulatedCloud, net: Outward) -> None:
    assert not cloud.engine.view.ask(used_up, "hub")
    use_up(cloud, net, OUTSIDE)
    assert cloud.engine.view.ask(used_up, "hub")
    second_address(cloud, net)
    assert not cloud.engine.view.ask(used_up, "hub")
    assert not cloud.engine.view.ask(used_up, "no router")


def test_a_block_stays_while_its_instances_are_away(cloud: SimulatedCloud, net: Outward) -> None:
    before = rows(cloud)["hub@hv1"]
    cloud.unbind(net.one, "hv1")
    assert rows(cloud)["hub@hv1"] == before
    cloud.bind(net.one, "hv1")
    assert rows(cloud)["hub@hv1"] == before


def test_a_chassis_that_was_deleted_while_it_was_cut_off_has_its_connections_when_it_returns(
    cloud: SimulatedCloud, net: Outward
) -> None:
    asked = ask_far(net, net.one, udp_src=40000, udp_dst=53)
    ((door, sent),) = outside(cloud.inject("one@hv1", asked))
    before = rows(cloud)["hub@hv1"]
    cloud.lose("hv1")
    forget(cloud.store, "hv1")
    cloud.follow()
    assert rows(cloud)["hub@hv1"] == before
    for number in range(4):
        cloud.crowd(net.red, f"10.0.1.{30 + number}", f"far{number}")
    cloud.bind(net.one, "hv1")
    cloud.regain("hv1")
    assert rows(cloud)["hub@hv1"] == before
    assert outside(cloud.inject("one@hv1", asked)) == [(door, sent)] and answered(cloud, net, sent) == ["one@hv1"]


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
    use_up(cloud, net, OUTSIDE)
    assert not cloud.untranslated
    cloud.port("last", net.red, "10.0.1.13", "hv3")
    (problem,) = cloud.untranslated
    assert "cannot translate for hub" in problem and OUTSIDE in problem and "hv3" in problem


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
    # With all that three may have, less than that would be left.
    cloud.put(Translation("hub@hv3", "hub", "hv3", 9, OUTSIDE, SHARE * 3, SHARE))
    for _ in range(20):
        grown(cloud, ("hub", "hv1"), ("hub", "hv2"))
    taken = taken_of(cloud.store.all(Translation), OUTSIDE)
    assert SPARE <= left(taken) < 2 * SPARE
    assert len({port for span in taken for port in range(span.first, span.first + span.ports)}) == sum(
        span.ports for span in taken
    ), "nobody has another's ports"


def test_no_block_grows_into_the_well_known_ports() -> None:
    first, second = Span(PORTS, PORTS), Span(2 * PORTS, PORTS)
    assert doubled(first, [first]) is None
    assert doubled(second, [first, second]) == Span(2 * PORTS, 2 * PORTS)


def test_who_has_no_block_comes_first(cloud: SimulatedCloud, net: Outward) -> None:
    out = second_address(cloud, net)
    use_up(cloud, net, OUTSIDE, SECOND)
    cloud.port("last", net.red, "10.0.1.13", "hv3")
    cloud.block_size = BLOCK
    third = FixedIP(out.fixed_ips[0].subnet_id, "203.0.113.13")
    with cloud.store.transaction() as tx:
        tx.put(replace(out, fixed_ips=(*out.fixed_ips, third)))
    view = new_engine(cloud.store).view
    assert grow(cloud.store, view, [("hub", "hv1")]) == [("hub", "hv1")], "hv3 waits for the new address"
    cloud.follow()
    assert rows(cloud)["hub@hv3"].subject == third.ip_address
    assert grown(cloud, ("hub", "hv1")) == []


def test_where_there_is_no_room_for_a_whole_block_the_largest_that_is_free_is_taken(
    cloud: SimulatedCloud, net: Outward
) -> None:
    anew(cloud, 1 << 15)
    cloud.block_size = 1 << 15
    for number in range(4):
        cloud.crowd(net.red, f"10.0.1.{20 + number}", f"far{number}")
    assert [row.ports for row in rows(cloud).values()] == [1 << bits for bits in (15, 14, 13, 12, 11, 10)]
    assert sum(row.ports for row in rows(cloud).values()) == 65536 - 1024


def test_a_whole_block_of_a_further_address_comes_before_a_smaller_one(cloud: SimulatedCloud, net: Outward) -> None:
    second_address(cloud, net)
    cloud.block_size = 1 << 15
    anew(cloud, 1 << 15)
    cloud.crowd(net.red, "10.0.1.20", "far")
    assert [(row.subject, row.ports) for row in rows(cloud).values()] == [
        (OUTSIDE, 1 << 15), (SECOND, 1 << 15), (OUTSIDE, 1 << 14)
    ]  # fmt: skip


def test_small_blocks_serve_a_thousand_chassis(cloud: SimulatedCloud, net: Outward) -> None:
    """64,512 ports in blocks of 64; each but the last ones may grow."""
    anew(cloud, 64)
    taken = taken_of(cloud.store.all(Translation), OUTSIDE)
    assert blocks_left(64, taken) == 1008 - 2
    for number in range(1006):
        room, span = room_for(64, taken, number) or (0, Span(0, 0))
        assert room > 64 or number >= 500, number
        taken.append(span)
    assert left(taken) == 0 and largest(taken) == 0 and room_for(64, taken, 0) is None


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


def test_there_is_no_third_block(cloud: SimulatedCloud, net: Outward) -> None:
    """Each is one more try for a packet that finds no port."""
    anew(cloud)
    first = rows(cloud)["hub@hv1"]
    apart = PortBlock(OUTSIDE, first.first_port ^ (SHARE * 2), PORTS)
    cloud.put(replace(first, further=(apart,)))
    cloud.put(Translation("hub@hv3", "hub", "hv3", 9, OUTSIDE, apart.first_port + PORTS, PORTS))
    assert left(taken_of(cloud.store.all(Translation), OUTSIDE)) > SPARE + PORTS, "there is room"
    assert grown(cloud, ("hub", "hv1")) == [("hub", "hv1")] and len(rows(cloud)["hub@hv1"].blocks) == 2


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


SIZE = st.sampled_from([1, *SIZES[::3], 1 << 14, 1 << 15])
FAR_CHASSIS = ("far1", "far2", "far3", "far4")
STEPS = st.one_of(
    st.tuples(st.sampled_from(["grow", "come", "go"]), st.sampled_from([*CHASSIS, *FAR_CHASSIS])),
    st.tuples(st.just("delete"), st.sampled_from(FAR_CHASSIS)),
    st.tuples(st.just("size"), SIZE),
    st.tuples(st.sampled_from(["hand on", "crowd", "second address"]), st.none()),
)


@settings(max_examples=40, deadline=None)
@given(SIZE, st.lists(STEPS, max_size=25))
@example(64, [("crowd", None), ("come", "hv3"), ("hand on", None)])
@example(1024, [("come", "far1"), ("crowd", None), ("come", "hv3"), ("go", "far1"), ("hand on", None)])
@example(1 << 15, [("come", "far1"), ("crowd", None), ("delete", "far1"), ("hand on", None), ("come", "far1")])
@example(1, [("size", 1 << 14), ("crowd", None), ("come", "hv3"), ("second address", None), ("grow", "hv1")])
def test_whatever_comes_goes_and_grows_nobody_has_anothers_ports(size: int, history: list[tuple[str, Any]]) -> None:
    """Of any size, and of several: none overlaps, none is given early, and each returning packet finds its chassis."""
    cloud = SimulatedCloud()
    net = outward(cloud)
    cloud.block_size = size
    anew(cloud, size)
    far = {f"far{number}": f"10.0.1.{20 + number}" for number in range(1, 5)}
    ports = {name: cloud.port(f"more at {name}", net.red, f"10.0.1.{30 + n}") for n, name in enumerate(CHASSIS)}
    there = {"hv1", "hv2"}
    for step, what in history:
        before = held(cloud)
        if step == "size":
            cloud.block_size = what
        elif step == "grow":
            grown(cloud, ("hub", what))
        elif step == "second address" and len(net.out.fixed_ips) == 1:
            net = net._replace(out=second_address(cloud, net))
        elif step == "crowd":
            use_up(cloud, net, *(each.ip_address for each in net.out.fixed_ips))
            cloud.block_size = size
        elif step == "come" and what not in there:
            there.add(what)
            if what in CHASSIS:
                cloud.bind(ports[what], what)
            elif cloud.store.get(Port, f"port of {what}") is None:
                cloud.crowd(net.red, far[what], what)
            else:
                cloud.gather(what)
        elif step == "go" and what in there - {"hv1", "hv2"}:
            there.remove(what)
            if what in CHASSIS:
                cloud.unbind(ports[what], what)
            else:
                cloud.disperse(what)
        elif step == "delete":
            there.discard(what)
            forget(cloud.store, what)
            cloud.follow()
        given = cloud.hand_on(net.hub, *CHASSIS, *far) if step == "hand on" else []
        assert not there.intersection(given), "nobody who is there gives anything"
        now = held(cloud)
        for (address, first, last), chassis in before.items():
            still = any(own == chassis and at == address and low <= first and last <= high
                        for (at, low, high), own in now.items())  # fmt: skip
            assert still or chassis in given, (address, first, last, chassis)
        assert all(first >= 1024 and first % (last + 1 - first) == 0 for _, first, last in now)
        assert all(last < first for (at, _, last), (other, first, _) in pairwise(sorted(now)) if at == other)
    cloud.untranslated.clear()
    for row in rows(cloud).values():
        for block in row.blocks if row.chassis_id in there & {*CHASSIS} else ():
            for port in {block.first_port, block.last_port}:
                back = from_far(net, net.out.mac_address, block.address, udp_src=53, udp_dst=port)
                steps = cloud.inject_physical(FLAT, back).steps
                assert {step.chassis_id for step in steps if step.table == "inbound_nat"} == {row.chassis_id}


def held(cloud: SimulatedCloud) -> dict[tuple[str, int, int], str]:
    """Return whose each block is: by address, first and last port."""
    every = [(row.chassis_id, block) for row in rows(cloud).values() for block in row.blocks]
    found = {(block.address, block.first_port, block.last_port): chassis for chassis, block in every}
    assert len(found) == len(every)
    return found


def test_others_have_their_turn_between_any_two_owners(
    cloud: SimulatedCloud, net: Outward, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        floating(cloud, net, 20 + number, net.one)
    before = set(rows(cloud))
    assert len(before) > 20
    with cloud.store.transaction() as tx:
        for row_id in before:
            tx.delete(Translation, row_id)
    cloud.engine = new_engine(cloud.store)
    taken, take = [0], translation._take

    def taking(tx: Any, need: translation.Need, ports: int) -> None:
        taken[-1] += 1
        take(tx, need, ports)

    monkeypatch.setattr(translation, "_take", taking)
    settle(cloud.store, cloud.engine.view, every_owner(cloud.store), give_way=lambda: taken.append(0))
    assert set(rows(cloud)) == before and sum(taken) == len(before) and max(taken) <= len(CHASSIS)


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
        moved = cloud.engine.take_moved(translation.unsettled)
        assert translation.settle(cloud.store, view, moved) == {} and not asked
    assert cloud.engine.runs["unsettled"] == runs
    cloud.bind(cloud.port("far", net.red, "10.0.1.41"), "hv3")
    assert cloud.engine.runs["unsettled"] - runs <= 3 and "hub@hv3" in rows(cloud)
