"""What operators see, beyond what the tests of the controller ask of it."""

from sdnapp.operations import Operations
from tests.sdnapp.test_controller import World
from topology.placement import Plugged


def operations(world: World) -> Operations:
    return Operations(world.controller, lambda: [], lambda: [])


def test_an_interface_that_claims_a_port_that_nobody_made_is_told() -> None:
    world = World()
    world.controller.observed(world.chassis("a"), {"p1": Plugged(11, "tap1"), "px": Plugged(12, "tapx")})
    assert operations(world).status()["strangers"] == [], "what a dead chassis told may not be so any more"
    world.connect("a")
    assert operations(world).status()["strangers"] == [{"chassis": "a", "interface": "tapx", "port_id": "px"}]
    assert operations(world).chassis()[0]["ports"] == ["p1"], "what is no port is bound nowhere"


def test_a_host_name_means_the_living_chassis_rather_than_its_former_self() -> None:
    world = World()
    for name in "ab":
        world.controller.observed(world.chassis(name, hostname="one"), {})
    assert operations(world).flows("one") is None
    world.connect("b")
    assert operations(world).flows("one")["chassis"] == "b"  # type: ignore[index]
    world.connect("a")
    assert operations(world).flows("one") is None
