"""What the controller does about failures: of switches, of its own parts, of single flows. No difference is lost."""

from typing import Any

import pytest

from flows.engine import Engine
from flows.features import UNITS
from flows.units import Unit
from sdnapp.controller import Controller
from sdnapp.operations import Operations
from tests.sdnapp.controlled_world import World
from topology.values import Port


def test_a_rejected_flow_is_told_with_its_owner_and_the_rest_is_active(world: World) -> None:
    world.report("a", "p1", "p2")
    world.connect("a")
    flow = next(f for f in world.switches.tables["a" * 16].values() if f.owner == "port/p1")
    world.controller.rejected("a" * 16, flow, "bad action")
    world.confirm("a")
    assert (world.status("p1"), world.status("p2")) == ("DOWN", "ACTIVE")
    status = Operations(world.controller, world.punts, lambda: [], lambda: []).status()
    assert status["rejected"][0]["owner"] == "port/p1"
    assert "bad action" in status["unrealized"][0]["reason"]


def test_a_rejection_of_what_is_not_wanted_any_more_is_not_held_against_the_port(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    flow = next(f for f in world.switches.tables["a" * 16].values() if f.owner == "port/p1" and f.feature == "delivery")
    world.report("a")
    world.report("a", "p2")
    world.controller.catch_up()
    world.controller.rejected("a" * 16, flow, "too late")
    assert not list(world.controller.realization.rejections())


def test_a_failure_to_tell_a_chassis_loses_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    for failing in ({"update"}, {"update", "assign"}):
        world.switches.failing = failing
        world.change(Port, "p1", mac_address=f"fa:16:3e:00:01:0{len(failing)}")
        world.controller.catch_up()
        assert world.status("p1") == "DOWN", "what it was not told it cannot have confirmed"
        world.switches.failing = set()
        world.controller.catch_up()
        held = set(world.switches.tables["a" * 16].values())
        assert held == set(world.controller.engine.desired("a").values())
        world.confirm("a")
        assert world.status("p1") == "ACTIVE"
        assert "chassis a could not be told" in caplog.text


def test_a_chassis_that_cannot_be_given_its_flows_is_tried_again(world: World) -> None:
    world.report("a", "p1")
    world.switches.failing = {"assign"}
    world.connect("a")
    assert world.status("p1") == "DOWN"
    world.switches.failing = set()
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_a_chassis_that_goes_before_it_could_be_given_its_flows_is_let_go(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.report("a", "p1")
    world.switches.failing = {"assign"}
    world.connect("a")
    world.controller.switch_disconnected("a" * 16)
    caplog.clear()
    world.report("a", "p1", "p2")
    world.controller.catch_up()
    assert not caplog.records


def test_one_chassis_that_cannot_be_told_does_not_keep_a_change_from_others(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p2")
    for name in "ab":
        world.connect(name)
    update = world.switches.update
    refuse = {"a" * 16, "b" * 16}

    def once(datapath_id: str, *rest: Any, **options: bool) -> None:
        if datapath_id in refuse:
            refuse.clear()
            raise RuntimeError("the first to be told")
        update(datapath_id, *rest, **options)

    world.switches.update = once  # type: ignore[method-assign]
    world.change(Port, "p1", mac_address="fa:16:3e:00:01:01")
    world.controller.catch_up()
    for name in "ab":
        assert world.switches.tables[name * 16] == dict(world.controller.engine.desired(name))


def test_an_engine_that_fails_begins_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    broken = world.controller.engine
    monkeypatch.setattr(broken, "update", lambda changes: 1 / 0)
    world.report("a", "p1", "p2")
    world.controller.catch_up()
    assert world.controller.engine is not broken
    world.confirm("a")
    assert world.status("p1") == world.status("p2") == "ACTIVE"
    mended = world.controller.engine
    world.change(Port, "p1", mac_address="fa:16:3e:00:01:01")
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"
    assert world.controller.engine is mended


def test_an_engine_that_cannot_begin_anew_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.report("a", "p1")
    world.connect("a")
    with monkeypatch.context() as patch:
        patch.setattr(world.controller.engine, "update", lambda changes: 1 / 0)
        patch.setattr("sdnapp.controller.Engine", lambda store, **more: 1 / 0)
        world.change(Port, "p1", mac_address="fa:16:3e:00:01:01")
        with pytest.raises(ZeroDivisionError):
            world.controller.catch_up()
    world.controller.catch_up()
    assert world.switches.tables["a" * 16] == dict(Engine(world.store).desired("a"))


def test_a_switch_that_connects_during_a_failure_is_served_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.report("a", "p1")
    with monkeypatch.context() as patch:
        patch.setattr(world.controller.engine, "update", lambda changes: 1 / 0)
        patch.setattr("sdnapp.controller.Engine", lambda store, **more: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.connect("a")
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "a"


def test_a_unit_that_raises_is_told_with_the_ports_that_it_concerns(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fragile(view: Any, port_id: str) -> Any:
        if view.get(Port, port_id).name == "bad":
            raise RuntimeError("boom")
        return iter(())

    monkeypatch.setattr(
        "sdnapp.controller.Engine", lambda store, **more: Engine(store, (*UNITS, Unit(fragile, over=Port)), **more)
    )
    world.controller = Controller(world.store, world.switches, world.controller.responders)
    world.report("a", "p1", "p2")
    world.connect("a")
    world.confirm("a")
    world.change(Port, "p1", name="bad")
    world.confirm("a")
    assert (world.status("p1"), world.status("p2")) == ("DOWN", "ACTIVE")
    assert "boom" in world.controller.port_realization("p1")["a"]
    assert "('p1',) yields no flows: RuntimeError: boom" in caplog.text
    (failed,) = Operations(world.controller, world.punts, lambda: [], lambda: []).status()["failed"]
    assert (failed["of"], failed["error"]) == (["p1"], "RuntimeError: boom")
    world.change(Port, "p2", name="fine")
    world.controller.catch_up()
    assert caplog.text.count("yields no flows") == 1, "told once"
    world.change(Port, "p1", name="good")
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"
