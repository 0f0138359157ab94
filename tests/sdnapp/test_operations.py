"""What operators see of a running controller."""

import pytest

from sdnapp.operations import Operations
from tests.sdnapp.controlled_world import World
from topology.placement import Plugged
from topology.values import Port


def test_trace_says_where_a_packet_goes(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p2")
    for name in "ab":
        world.connect(name)
    operations = Operations(world.controller, lambda: [], lambda: [])
    walk = operations.trace("p1", "10.0.0.6")
    assert (walk["verdict"], walk["delivered_to"]) == ("delivered", [{"port_id": "p2", "chassis": "b"}])
    assert [step["table"] for step in walk["steps"]][-1] == "delivery"
    assert operations.trace("p1", "10.0.0.1")["verdict"] in ("answered", "dropped")
    assert operations.trace("p1", "10.0.0.77")["verdict"] in ("delivered", "dropped")
    for port, to, word in (("nope", "10.0.0.6", "port"), ("p1", "junk", "to")):
        with pytest.raises(ValueError, match=word):
            operations.trace(port, to)


def test_flows_can_be_narrowed_to_an_owner_and_a_table(world: World) -> None:
    world.report("a", "p1")
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert operations.flows("nowhere") is None
    narrowed = operations.flows("a", owner="p1", table="forwarding")
    assert narrowed is not None
    assert [table["name"] for table in narrowed["tables"]] == ["forwarding"]
    assert {flow["owner"] for flow in narrowed["tables"][0]["flows"]} == {"port/p1"}
    assert "sdnapp_ports 2" in operations.metrics()


def test_a_chassis_is_found_by_its_host_name_too_if_no_other_has_it(world: World) -> None:
    for name, hostname in (("a", "one"), ("b", "two")):
        world.controller.observed(world.chassis(name, hostname=hostname), {})
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert operations.chassis_details("two")["id"] == "b"  # type: ignore[index]
    assert operations.flows("two")["chassis"] == "b"  # type: ignore[index]
    world.controller.observed(world.chassis("a", hostname="two"), {})
    assert operations.chassis_details("two") is None and operations.flows("two") is None
    assert operations.chassis_details("b") is not None


def test_chassis_are_listed_by_host_name(world: World) -> None:
    for name, hostname in (("a", "two"), ("b", "one")):
        world.controller.observed(world.chassis(name, hostname=hostname), {})
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert [row["hostname"] for row in operations.chassis()] == ["one", "two"]
    assert [row["hostname"] for row in operations.status()["chassis"]] == ["one", "two"]


def test_the_host_of_a_port_that_is_down_is_the_one_that_it_is_plugged_into(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p2")
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert {row["port_id"]: row["host"] for row in operations.status()["unrealized"]} == {"p1": "a", "p2": "b"}
    world.change(Port, "p2", admin_state_up=False)
    assert {row["port_id"]: row["host"] for row in operations.status()["unrealized"]} == {"p1": "a", "p2": "b"}


def test_a_trace_names_the_hosts_and_says_why_a_port_carries_nothing(world: World) -> None:
    for name, hostname, port in (("a", "one", "p1"), ("b", "two", "p2")):
        world.controller.observed(world.chassis(name, hostname=hostname), {port: Plugged(11, "tap")})
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert operations.trace("p1", "10.0.0.6")["hostnames"] == {"a": "one", "b": "two"}
    world.change(Port, "p1", admin_state_up=False)
    with pytest.raises(ValueError, match="port: p1 carries no traffic: the port is administratively down"):
        operations.trace("p1", "10.0.0.6")


@pytest.mark.parametrize(
    ("address", "mac"),
    [("224.0.0.251", "01:00:5e:00:00:fb"), *[(a, "ff:ff:ff:ff:ff:ff") for a in ("10.0.0.255", "255.255.255.255")]],
)
def test_what_is_for_all_is_traced_to_all(world: World, address: str, mac: str) -> None:
    world.report("a", "p1", "p2")
    walk = Operations(world.controller, lambda: [], lambda: []).trace("p1", address)
    assert [each["port_id"] for each in walk["delivered_to"]] == ["p2"]
    assert mac in walk["explanation"] and f"nw_dst={address}" in walk["live_flow"]


def test_status_counts_what_is_active_and_says_why_the_rest_is_not(world: World) -> None:
    operations = Operations(world.controller, lambda: [], lambda: [])
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    status = operations.status()
    assert status["ports"] == {"total": 2, "active": 1}
    (missing,) = status["unrealized"]
    assert missing["port_id"] == "p2" and missing["reason"].startswith("not plugged")
    assert (status["rejected"], status["failed"], status["networks"]) == ([], [], 1)
    world.controller.switch_disconnected("a" * 16)
    status = operations.status()
    assert status["ports"]["active"] == 0
    assert [each["reason"] for each in status["unrealized"] if each["port_id"] == "p1"] == [
        "a: it has no OpenFlow session"
    ]
