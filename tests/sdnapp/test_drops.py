"""What was dropped, put together from what switches and the controller have counted."""

from typing import Any

from sdnapp.openflow.counts import Counts
from sdnapp.operations import Operations
from tests.sdnapp.controlled_world import World

A, B = "a" * 16, "b" * 16


def seen() -> tuple[World, Operations]:
    """Both chassis up, a port on each."""
    world = World()
    for chassis, port in (("a", "p1"), ("b", "p2")):
        world.report(chassis, port)
        world.connect(chassis)
    world.controller.catch_up()
    for datapath in (A, B):
        world.switches.counted[datapath] = Counts({}, {})
    return world, Operations(world.controller, world.punts, lambda: [], lambda: [], world.switches.counts)


def rows(operations: Operations, **narrowed: Any) -> list[tuple[Any, ...]]:
    found = operations.drops(**narrowed)
    assert found is not None and found["silent"] == []
    return [
        (row["chassis"], row["port_id"], row["project_id"], row["reason"], row["packets"]) for row in found["drops"]
    ]


def test_drops_are_told_by_chassis_port_and_reason() -> None:
    world, operations = seen()
    assert rows(operations) == []
    world.switches.drop(A, "port/p1", "spoofed_mac", 3)
    world.switches.drop(A, "port/p1", "vlan_tag", 1)
    world.switches.drop(B, "port/p2", "ingress_rules", 7)
    world.switches.drop(B, "drop/unknown_tunnel", "unknown_tunnel", 5)
    every = [
        ("b", "p2", "red", "ingress_rules", 7),
        ("b", None, None, "unknown_tunnel", 5),
        ("a", "p1", "red", "spoofed_mac", 3),
        ("a", "p1", "red", "vlan_tag", 1),
    ]
    assert rows(operations) == every
    assert rows(operations, port="p1") == every[2:]
    assert rows(operations, name="b") == every[:2]
    assert operations.drops(name="c") is None
    metrics = operations.metrics()
    assert 'sdnapp_drops_total{chassis="a",port="p1",reason="spoofed_mac"} 3\n' in metrics
    assert 'sdnapp_drops_total{chassis="b",port="",reason="unknown_tunnel"} 5\n' in metrics


def test_packets_that_came_at_once_with_the_first_are_told_of_the_reason_if_it_can_only_be_one() -> None:
    world, operations = seen()
    world.switches.drop(A, "port/p1", "spoofed_mac", 5, together=3)
    assert rows(operations) == [("a", "p1", "red", "spoofed_mac", 5)]
    world.switches.drop(A, "port/p1", "vlan_tag", 4)
    assert rows(operations) == [
        ("a", "p1", "red", "vlan_tag", 4),
        ("a", "p1", "red", "spoofed_mac", 3),
        ("a", "p1", "red", "unsorted", 2),
    ]
    metrics = operations.metrics()
    assert 'sdnapp_drops_total{chassis="a",port="p1",reason="unsorted"} 2\n' in metrics


def test_what_was_too_much_for_the_controller_is_told_too() -> None:
    world, operations = seen()
    world.switches.counted[A] = Counts({}, {1: 40, 2: 9})
    assert rows(operations) == [("a", "p1", "red", "over_budget", 40)], "meter 2 is of a port that is elsewhere"
    world.punts.dropped["red", "p2"] = 50
    assert rows(operations)[0] == (None, "p2", "red", "queue_full", 50)
    assert rows(operations, name="a") == [("a", "p1", "red", "over_budget", 40)]


def test_flows_of_another_controller_count_for_nobody() -> None:
    world, operations = seen()
    world.switches.counted[A] = Counts({12345: 6}, {77: 6})
    assert rows(operations) == []


def test_a_switch_that_does_not_tell_is_named_and_one_that_is_not_connected_is_not() -> None:
    world, operations = seen()
    world.switches.drop(A, "port/p1", "spoofed_mac", 3)
    world.switches.counted[B] = None
    found = operations.drops()
    assert found is not None and found["silent"] == ["b"] and len(found["drops"]) == 1
    del world.switches.counted[B]
    assert operations.drops() == found | {"silent": []}
