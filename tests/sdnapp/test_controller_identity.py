"""Which chassis a datapath is, where several say so, or one says something new."""

from dataclasses import replace

import pytest

from sdnapp.controller import Controller
from tests.sdnapp.controlled_world import World
from topology.placement import Plugged, forget
from topology.values import Chassis, Port


def test_a_chassis_whose_datapath_is_another_one_gets_its_flows_there(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.connect("z")
    world.controller.observed(replace(world.chassis("a"), datapath_id="z" * 16), {"p1": Plugged(11, "tapp1")})
    world.controller.catch_up()
    assert (world.controller.chassis_of("z" * 16), world.controller.chassis_of("a" * 16)) == ("a", None)
    assert world.status("p1") == "DOWN"
    world.confirm("z")
    assert world.status("p1") == "ACTIVE"


def test_a_chassis_whose_row_goes_keeps_its_flows_and_is_itself_again_when_it_returns(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    held = dict(world.switches.tables["a" * 16])
    forget(world.store, "a")
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) is None
    assert world.switches.tables["a" * 16] == held
    assert world.status("p1") == "DOWN"
    world.report("a", "p1")
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_a_machine_that_was_installed_anew_takes_the_place_of_its_former_self(world: World) -> None:
    world.controller.database_connected("a", "192.0.2.9:5001")
    world.report("a", "p1")
    world.connect("a")
    world.controller.database_lost("a")
    world.controller.database_connected("b", "192.0.2.9:5002")
    world.controller.observed(replace(world.chassis("b"), datapath_id="a" * 16), {"p1": Plugged(11, "tapp1")})
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "b"
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_what_the_former_self_of_a_machine_had_is_nowhere(world: World) -> None:
    world.controller.database_connected("a", "192.0.2.9:5001")
    world.report("a", "p1", "p2")
    world.connect("a")
    world.controller.database_lost("a")
    world.controller.database_connected("b", "192.0.2.9:5002")
    anew = replace(world.chassis("b"), datapath_id="a" * 16)
    world.controller.observed(anew, {"p1": Plugged(11, "tapp1"), "p2": Plugged(12, "tapp2")})
    world.controller.observed(anew, {"p2": Plugged(12, "tapp2")})
    world.controller.catch_up()
    assert world.store.get(Chassis, "a") is None
    unplugged = world.store.get(Port, "p1")
    assert unplugged is not None and "not plugged" in (world.controller.why_down(unplugged) or "")
    world.confirm("a")
    assert world.status("p2") == "ACTIVE"


def test_a_stranger_with_the_same_datapath_does_not_take_it_while_a_database_is_away(world: World) -> None:
    world.controller.database_connected("a", "192.0.2.9:5001")
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.controller.database_lost("a")
    world.controller.database_connected("b", "192.0.2.10:5001")
    world.controller.observed(replace(world.chassis("b"), datapath_id="a" * 16), {"p2": Plugged(12, "tapp2")})
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "a"
    world.controller.switch_disconnected("a" * 16)
    world.connect("a")
    assert world.controller.chassis_of("a" * 16) == "b", "who speaks is believed of a new connection"


def test_after_a_restart_the_machine_that_speaks_first_is_not_its_former_self(world: World) -> None:
    world.report("a", "p1")
    anew = replace(world.chassis("b"), datapath_id="a" * 16), {"p1": Plugged(11, "tapp1")}
    world.controller.observed(*anew)
    woken: list[bool] = []
    world.controller = Controller(
        world.store, world.switches, world.controller.responders, wake=lambda: woken.append(True)
    )
    world.connect("a")
    assert world.controller.chassis_of("a" * 16) is None
    world.controller.observed(*anew)
    assert woken, "though nothing in the store has changed"
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "b"


def test_a_database_that_does_not_know_the_datapath_yet_takes_nothing_away(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.controller.observed(replace(world.chassis("a"), datapath_id=""), {"p1": Plugged(11, "tapp1")})
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "a"
    assert world.status("p1") == "ACTIVE"


def test_of_two_chassis_with_one_datapath_neither_is_taken_for_the_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.report("a", "p1")
    world.controller.observed(replace(world.chassis("b"), datapath_id="a" * 16), {"p2": Plugged(12, "tapp2")})
    world.connect("a")
    assert world.switches.tables == {}, "it may be either"
    world.change(Port, "p1", name="web")
    world.controller.catch_up()
    complaint = "chassis a and b all say that their datapath is aaaaaaaaaaaaaaaa"
    assert caplog.text.count(complaint) == 1, "told once"
    world.report("b", "p2")
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "a"
    world.controller.observed(replace(world.chassis("b"), datapath_id="a" * 16), {"p2": Plugged(12, "tapp2")})
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "a", "who was there first stays"
