"""Who writes does not wait while the flows that follow from earlier writes are computed, and no write is lost."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest

from flows.engine import Engine
from sdnapp.controller import Controller
from tests.sdnapp.controlled_world import World
from topology.placement import Plugged
from topology.store import Transaction
from topology.values import Chassis, Network, Port

PATIENCE = 10.0
Write = Callable[[Transaction], None]


def crowd(world: World) -> list[str]:
    """Put many more ports on the network, so that a pass has seams; return the ids of those on chassis a."""
    plugged = {}
    with world.store.transaction() as tx:
        for number in range(3, 40):
            mac = f"fa:16:3e:00:01:{number:02x}"
            tx.put(replace(tx.get(Port, "p1"), id=f"p{number}", key=number, mac_address=mac, fixed_ips=()))
            plugged[f"p{number}"] = Plugged(10 + number, f"tapp{number}")
    world.controller.observed(world.chassis("a"), plugged)
    return list(plugged)


def with_writes(world: World, writes: list[Write], at: int = 5) -> list[bool]:
    """Have another thread write, one by one, at seams of the next passes; return whether each was done at once."""
    done: list[bool] = []
    seams = 0
    threads = ThreadPoolExecutor(1)
    own = threading.get_ident()

    def write(act: Write) -> None:
        with world.store.transaction() as tx:
            act(tx)

    def seam() -> None:
        nonlocal seams
        seams += 1
        if seams % at == 0 and len(done) < len(writes) and threading.get_ident() == own:
            threads.submit(write, writes[len(done)]).result(PATIENCE)
            done.append(True)

    seams_of(world, seam)
    return done


def seams_of(world: World, seam: Callable[[], None]) -> None:
    """Have something done at each seam of passes."""
    world.controller._give_way = seam
    world.controller.engine._give_way = seam
    world.controller.engine._memo._give_way = seam


def rename(row_id: str, mac: str) -> Write:
    return lambda tx: tx.put(replace(tx.get(Port, row_id), mac_address=mac))


def is_in_step(world: World) -> bool:
    world.controller.catch_up()
    held = {name: table for name, table in world.switches.tables.items() if table}
    return bool(held) and all(
        table == dict(Engine(world.store).desired(str(world.controller.chassis_of(name))))
        for name, table in held.items()
    )


def test_others_have_their_turn_between_chassis_that_are_told() -> None:
    order = list[str]()
    world = World()
    for name in ("a", "b"):
        world.report(name)
        world.connect(name)
    world.report("a", "p1")
    world.report("b", "p2")
    world.confirm("a", "b")
    update = world.switches.update
    world.switches.update = lambda *each, **options: (  # type: ignore[method-assign]
        order.append("told"),
        update(*each, **options),
    )[1]
    world.controller._give_way = lambda: order.append("turn")
    world.change(Network, "n", admin_state_up=False)
    world.controller.catch_up()
    told = [place for place, each in enumerate(order) if each == "told"]
    assert len(told) == 2 and "turn" in order[told[0] : told[1]]


def test_writes_during_a_pass_do_not_wait_and_are_followed(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    ids = crowd(world)
    writes = [
        rename(ids[0], "fa:16:3e:00:00:99"),
        lambda tx: tx.delete(Port, ids[-1]),
        lambda tx: tx.put(replace(tx.get(Network, "n"), mtu=1300)),
    ]
    done = with_writes(world, writes)
    world.controller.catch_up()
    assert done == [True, True, True]
    assert is_in_step(world)


def test_writes_while_all_flows_are_computed_do_not_wait_and_are_followed(world: World) -> None:
    crowd(world)
    world.controller = Controller(world.store, world.switches, world.controller.responders)
    world.report("a", *(f"p{number}" for number in range(1, 40)))
    done = with_writes(world, [rename("p1", "fa:16:3e:00:00:98"), lambda tx: tx.delete(Port, "p2")], at=20)
    world.connect("a")
    assert done == [True, True]
    assert is_in_step(world)
    assert not any(flow.owner == "port/p2" for flow in world.switches.tables["a" * 16].values())


def test_a_chassis_that_goes_while_it_is_being_told_is_told_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    world.report("a", "p1")
    world.connect("a")
    world.controller.catch_up()
    told = []
    monkeypatch.setattr(world.switches, "update", lambda *arguments: told.append(arguments))

    def go() -> None:
        if world.controller.chassis_of("a" * 16) is not None:
            world.controller.switch_disconnected("a" * 16)

    world.controller.realization._give_way = go
    world.report("a", "p1", "p2")
    world.controller.catch_up()
    assert told == [] and "could not be told" not in caplog.text
    assert world.controller.datapath_of("a") is None


def test_a_chassis_that_comes_during_a_pass_is_given_its_flows_and_never_an_empty_table(world: World) -> None:
    """A switch goes on forwarding with what it holds until it is told all that it should hold."""
    world.report("a", "p1")
    world.connect("a")
    crowd(world)
    given = []
    assign = world.switches.assign
    world.switches.assign = lambda at, flows, revision: (  # type: ignore[method-assign]
        given.append((at, len(listed := list(flows)))),
        assign(at, listed, revision),
    )
    world.controller._attachments.connect("b" * 16, None)
    done = with_writes(world, [lambda tx: tx.put(world.chassis("b"))])
    world.controller.catch_up()
    assert done == [True]
    assert [at for at, _ in given] == ["b" * 16] and all(count for _, count in given)
    assert is_in_step(world)


def test_without_end_of_writes_the_others_have_to_wait_at_last(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    crowd(world)
    ended = threading.Event()
    threads = ThreadPoolExecutor(1)

    def keep_writing() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            with world.store.transaction() as tx:
                tx.put(replace(tx.get(Port, "p1"), mac_address=f"fa:16:3e:00:02:{number % 200:02x}"))

    writer = threads.submit(keep_writing)
    world.controller.catch_up()
    ended.set()
    writer.result(PATIENCE)
    assert is_in_step(world)


def test_within_a_transaction_nothing_is_waited_for(world: World) -> None:
    """Else who computes would wait for the transaction's end, and the transaction for him."""
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.change(Port, "p1", mac_address="fa:16:3e:00:00:97")
    begun, asked = threading.Event(), threading.Event()

    def ask(tx: Transaction) -> None:
        tx.put(Chassis("c"))
        begun.set()
        assert asked.wait(PATIENCE)
        asked.clear()
        world.status("p1")
        asked.set()

    threads = ThreadPoolExecutor(1)
    writing = threads.submit(lambda: _commit(world, ask))
    assert begun.wait(PATIENCE)
    busy = threading.Thread(target=world.controller.catch_up)
    busy.start()
    while world.controller._busy.acquire(blocking=False):
        world.controller._busy.release()
        time.sleep(0.001)
    asked.set()
    writing.result(PATIENCE)
    assert asked.is_set()
    busy.join(PATIENCE)
    assert not busy.is_alive()
    assert is_in_step(world)


def _commit(world: World, act: Write) -> None:
    with world.store.transaction() as tx:
        act(tx)


def test_what_was_followed_goes_from_memory_little_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    world = World()
    crowd(world)
    world.controller.catch_up()
    rows = world.store.all(Port)
    references: list[int] = []

    def seam() -> None:
        references.append(sum(map(sys.getrefcount, rows)))

    with world.store.transaction() as tx:
        for row in rows:
            tx.delete(Port, row.id)
    seams_of(world, seam)
    world.controller.catch_up()
    seam()
    assert references[0] - references[-1] == len(rows)
    assert max(before - after for before, after in pairwise(references)) == 1
