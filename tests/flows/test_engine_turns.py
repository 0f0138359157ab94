"""Whatever is much in the engine's work is done in slices, between which others have their turn."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from flows.delta import DesiredTable
from flows.engine import Engine
from flows.flow import Flow
from flows.units import EVERYONE, Unit
from sdnapp.controller import FOLLOWED
from tests.clouds import SimulatedCloud
from tests.flows.test_engine import delivery, small_cloud, tables
from topology import facts
from topology.kinds import KINDS
from topology.store import Store
from topology.values import Chassis, Network, Port, PortBinding, Router, Segment


def test_others_ask_while_many_changes_are_followed_and_nothing_is_amiss_for_it() -> None:
    turns: list[str] = []

    def ask() -> None:
        number = len(turns)
        turns.append(f"p{number % 30}")
        if watched:
            watched[0].ask(facts.binding_in_force, turns[-1])
            watched[0].ask(facts.live_network, f"n{1 + number % 3}")

    watched: list[Engine] = []
    store, _, changes = small_cloud()
    engine = Engine(store, give_way=ask)
    changes.clear()
    watched.append(engine)
    for network in ("n1", "n2"):
        with store.transaction() as tx:
            for port in store.find(Port, "network", network):
                tx.delete(Port, port.id)
            tx.put(replace(store.get(Network, "n3"), name=network))
        turns.clear()
        engine.update(changes)
        changes.clear()
        # As rows are taken note of, and as each is followed, and whatever it concerns.
        assert len(turns) > 20 * 10
        assert tables(engine) == tables(Engine(store))


def test_an_external_network_with_many_routers_is_not_looked_at_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    longest = {}
    for many in (3, 30):
        cloud = SimulatedCloud()
        cloud.doors(("hv3",))
        world = cloud.external()
        for number in range(many):
            cloud.gateway(cloud.router(f"r{number}"), world, f"203.0.113.{20 + number}")
        runs = [0]
        engine = Engine(cloud.store, followed=FOLLOWED, filled=False)
        engine._give_way = engine._memo._give_way = lambda engine=engine, runs=runs: runs.append(engine.runs.total())  # type: ignore[misc]
        engine.fill()
        longest[many] = max(after - before for before, after in pairwise(runs))
        assert tables(engine) == tables(cloud.engine)
    assert longest[30] <= longest[3]


def test_much_that_is_counted_at_once_is_counted_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = [0]
    count = DesiredTable.count

    def watched(table: DesiredTable, flow: Flow, times: int) -> None:
        counted[-1] += 1
        count(table, flow, times)

    def unit(view: Any, network_id: str) -> Any:
        numbers = range(40) if view.get(Network, network_id).name == "many" else range(1)
        return ((EVERYONE, delivery(network_id, number)) for number in numbers)

    monkeypatch.setattr("topology.turns.STRIDE", 5)
    monkeypatch.setattr(DesiredTable, "count", watched)
    store, changes = Store(), []
    with store.transaction() as tx:
        for number in range(40):
            tx.put(Network(f"n{number}", "t", number, Segment("geneve", 100 + number)))
    engine = Engine(store, (Unit(unit, over=Network),), give_way=lambda: counted.append(0))
    store.watch(changes.append)
    # What many publish for whoever begins to hear them, and what one publishes for all that do.
    for row in (Chassis("a"), replace(store.get(Network, "n1"), name="many")):
        counted[:] = [0]
        with store.transaction() as tx:
            tx.put(row)
        engine.update(changes)
        changes.clear()
        assert sum(counted) >= 39 and max(counted) <= 6, row
    assert len(engine.desired("a")) == 79


def test_others_have_their_turn_while_all_rows_are_listed_for_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 5)
    store, _, _ = small_cloud()
    turns: list[None] = []
    before: list[int] = []
    follow = Engine._follow

    def watched(engine: Engine, changes: Any) -> Any:
        before.append(len(turns))
        return follow(engine, changes)

    monkeypatch.setattr(Engine, "_run_once", lambda engine: turns.clear())
    monkeypatch.setattr(Engine, "_follow", watched)
    Engine(store, (), give_way=lambda: turns.append(None), filled=False).fill()
    rows = sum(len(store.ids(kind.row)) for kind in KINDS)
    assert before == [rows // 5] and rows > 60


def test_a_table_that_is_filled_at_a_start_is_no_difference_and_what_it_was_is_forgotten_in_slices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    store, _, _ = small_cloud()
    forgetting: list[bool] = []
    engine = Engine(store, give_way=lambda: forgetting.append(_is_within(DesiredTable.forget_before)), filled=False)
    engine.fill()
    flows = sum(len(engine.desired(chassis.id)) for chassis in store.all(Chassis))
    assert forgetting.count(True) >= flows > 100
    assert engine.update([]) == {}


def test_a_flow_that_many_chassis_hold_is_as_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 10)
    store, changes, counted, turns, chassis = Store(), [], [0], [0], 30
    store.watch(changes.append)

    def unit(view: Any, network_id: str) -> Any:
        for number in range(20):
            yield EVERYONE, delivery(network_id, number)

    with store.transaction() as tx:
        for number in range(chassis):
            tx.put(Chassis(f"c{number}"))
    engine = Engine(store, (Unit(unit, over=Network),), give_way=lambda: turns.append(counted[0]))
    changes.clear()
    with store.transaction() as tx:
        tx.put(Network("n1", "t", 1, Segment("geneve", 101)))
    count = DesiredTable.count

    def counting(table: DesiredTable, flow: Flow, times: int) -> None:
        counted[0] += 1
        count(table, flow, times)

    monkeypatch.setattr(DesiredTable, "count", counting)
    engine.update(changes)
    assert counted[0] == 20 * chassis
    assert max(after - before for before, after in pairwise(turns)) == chassis, "a turn after each of them"


def _is_within(function: Callable[..., Any]) -> bool:
    """Whether whoever asks was called from a function, however far above."""
    return any(frame.f_code is function.__code__ for frame, _ in traceback.walk_stack(None))


def test_others_have_their_turn_between_things_in_a_row_that_come_and_that_go() -> None:
    def things(view: Any, network_id: str) -> tuple[str, ...]:
        return tuple(map(str, range(40))) if view.get(Network, network_id).name == "many" else ()

    def unit(view: Any, network_id: str, thing: str) -> Any:
        return iter(((EVERYONE, delivery(network_id, int(thing))),))

    turns: list[None] = []
    store, changes = Store(), []
    store.watch(changes.append)
    engine = Engine(store, (Unit(unit, over=Network, each=things),), give_way=lambda: turns.append(None))
    for name in ("many", "none", "many", None):
        with store.transaction() as tx:
            tx.put(Network("n1", "t", 1, Segment("geneve", 101), name=name)) if name else tx.delete(Network, "n1")
        turns.clear()
        engine.update(changes)
        changes.clear()
        assert len(turns) >= 40, name


def test_a_unit_gives_way_between_its_flows_and_reads_nothing_of_what_others_ask_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = [0]

    def unit(view: Any, network_id: str) -> Any:
        for number in range(40 if view.get(Network, network_id).name == "many" else 1):
            made[-1] += 1
            yield EVERYONE, delivery(network_id, number)

    def ask() -> None:
        made.append(0)
        if watched:
            watched[0].ask(facts.binding_in_force, "p1")

    watched: list[Engine] = []
    monkeypatch.setattr("topology.turns.STRIDE", 5)
    store, _, _ = small_cloud()
    changes: list[Any] = []
    store.watch(changes.append)
    engine = Engine(store, (Unit(unit, over=Network),), give_way=ask)
    watched.append(engine)
    for name in ("many", "more", "many"):
        with store.transaction() as tx:
            tx.put(replace(store.get(Network, "n1"), name=name))
        made[:] = [0]
        engine.update(changes)
        changes.clear()
        # A flow with an action is two steps.
        assert sum(made) == (40 if name == "many" else 1) and max(made) <= 3
    before = engine.runs.copy()
    with store.transaction() as tx:
        tx.put(replace(store.get(Port, "p1"), admin_state_up=False))
        for binding in store.find(PortBinding, "port", "p1"):
            tx.delete(PortBinding, binding.id)
    engine.update(changes)
    assert not (engine.runs - before)["test_engine_turns.unit"]
    assert tables(engine) == tables(Engine(store, (Unit(unit, over=Network),)))


def test_interfaces_of_a_router_are_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    cloud = SimulatedCloud()
    hub = cloud.router("hub")
    for number in range(40):
        network = cloud.network(f"n{number}")
        cloud.subnet(network, f"10.0.{number}.0/24")
        cloud.interface(hub, network, f"10.0.{number}.1")
    cloud.port("p", network, "10.0.39.5", "hv1")
    changes: list[Any] = []
    cloud.store.watch(changes.append)
    looked: list[int] = []
    engine = Engine(cloud.store, give_way=lambda: looked.append(engine.runs["live_interface"]), filled=False)

    def most_at_once() -> int:
        pieces = [after - before for before, after in pairwise([*looked, engine.runs["live_interface"]])]
        assert sum(pieces) >= 40
        return max(pieces)

    engine.fill()
    assert most_at_once() <= 2, "for a start"
    for is_up in (False, True):
        with cloud.store.transaction() as tx:
            tx.put(replace(cloud.store.get(Router, "hub"), admin_state_up=is_up))
        looked[:] = looked[-1:]
        engine.update(changes)
        changes.clear()
        assert most_at_once() <= 2, is_up
    assert tables(engine) == tables(Engine(cloud.store))
