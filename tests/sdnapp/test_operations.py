"""What operators see, beyond what the tests of the controller ask of it."""

from dataclasses import replace

import pytest

from sdnapp.operations import Operations
from sdnapp.probes import PING
from tests.sdnapp.controlled_world import World
from topology.placement import Plugged
from topology.values import FLOATING_IP, Network, Port, Segment


def operations(world: World) -> Operations:
    return Operations(world.controller, world.punts, lambda: [], lambda: [])


def test_an_interface_that_claims_a_port_that_nobody_made_is_told() -> None:
    world = World()
    world.controller.observed(world.chassis("a"), {"p1": Plugged(11, "tap1"), "px": Plugged(12, "tapx")})
    assert operations(world).status()["strangers"] == [], "what a dead chassis told may not be so any more"
    world.connect("a")
    assert operations(world).status()["strangers"] == [{"chassis": "a", "interface": "tapx", "port_id": "px"}]
    assert operations(world).chassis()[0]["ports"] == ["p1"], "what is no port is bound nowhere"


def test_nobody_is_told_to_plug_in_what_holds_the_address_of_a_floating_ip() -> None:
    world = World()
    before = operations(world).status()
    with world.store.transaction() as tx:
        held = replace(world.store.get(Port, "p1"), id="held", mac_address="fa:16:3e:00:00:77", fixed_ips=())  # type: ignore[type-var]
        tx.put(replace(held, device_owner=FLOATING_IP))
    after = operations(world).status()
    assert [after[each] for each in ("ports", "unrealized")] == [before[each] for each in ("ports", "unrealized")]


def test_a_host_name_means_the_living_chassis_rather_than_its_former_self() -> None:
    world = World()
    for name in "ab":
        world.controller.observed(world.chassis(name, hostname="one"), {})
    assert operations(world).flows("one") is None
    world.connect("b")
    assert operations(world).flows("one")["chassis"] == "b"  # type: ignore[index]
    world.connect("a")
    assert operations(world).flows("one") is None


def test_a_trace_tells_what_a_physical_network_gets_as_well() -> None:
    world = World()
    world.change(Network, "n", segment=Segment("vlan", 100, "physnet1"))
    chassis = replace(world.chassis("a"), bridge_mappings=(("physnet1", "br-ex"),), patch_ports=(("physnet1", 3),))
    world.controller.observed(chassis, {"p1": Plugged(11, "tap1"), "p2": Plugged(12, "tap2")})
    known, unknown = (
        operations(world).trace("p1", address, PING)["explanation"] for address in ("10.0.0.6", "10.0.0.77")
    )
    assert known.endswith("; delivered to p2 on a")
    assert unknown.endswith("; delivered to p2 on a, and put on the physical network physnet1")


def test_a_port_is_called_by_its_name_if_no_other_has_it() -> None:
    world = World()
    world.controller.observed(world.chassis("a"), {"p1": Plugged(11, "tap1"), "p2": Plugged(12, "tap2")})
    world.change(Port, "p1", name="web")
    view = operations(world)
    assert view.trace("web", "10.0.0.6", PING)["from"]["port"] == "p1"
    assert view.drops("web") == {"drops": [], "silent": [], "hostnames": {"a": ""}}
    world.change(Port, "p2", name="web")
    for ask in (lambda: view.trace("web", "10.0.0.6", PING), lambda: view.drops("web")):
        with pytest.raises(ValueError, match="2 ports are called web: say which one by its id, such as p1, p2"):
            ask()
    for unknown in ("", "nobody"):
        with pytest.raises(ValueError, match=f"no port has the id or the name '{unknown}': `openstack port list`"):
            view.trace(unknown, "10.0.0.6", PING)


def test_a_trace_from_outside_takes_networks_by_name() -> None:
    world = World()
    world.change(Network, "n", segment=Segment("vlan", 100, "physnet1"), name="plant")
    chassis = replace(world.chassis("a"), bridge_mappings=(("physnet1", "br-ex"),), patch_ports=(("physnet1", 3),))
    world.controller.observed(chassis, {"p1": Plugged(11, "tap1"), "p2": Plugged(12, "tap2")})
    view = operations(world)
    for called in ("n", "plant"):
        found = view.trace_from_outside(called, "10.0.0.200", None, "10.0.0.6", PING)
        assert found["explanation"].endswith("on a, where the instance is; delivered to p2 on a")
    with pytest.raises(ValueError, match="from_outside: no network has the id or the name 'x': `openstack network li"):
        view.trace_from_outside("x", None, None, "10.0.0.6", PING)
    found = view.trace("p1", "10.0.0.6", PING, answer=True)
    assert found["answer"]["from"] == {"port": "p2", "chassis": "a"}
    assert found["answer"]["explanation"].endswith("; delivered to p1 on a")
    assert view.trace_from_outside("n", "10.0.0.200", None, "10.0.0.77", PING, answer=True)["answer"] is None
