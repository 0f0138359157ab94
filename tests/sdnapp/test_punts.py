"""What switches send to the controller is answered in fair turns, and has bounds."""

from sdnapp.fair_queue import FairQueue
from sdnapp.openflow.messages import PacketIn
from sdnapp.punts import AT_ONCE, LARGEST, OVERHEAD
from tests.sdnapp.controlled_world import World
from tests.sdnapp.dhcp.messages import DISCOVER, request
from topology.placement import Plugged
from topology.values import Port


def world_with_cookies() -> tuple[World, dict[str, int]]:
    """Two served ports of two projects on one chassis, and the cookies of their flows to the controller."""
    world = World()
    world.change(Port, "p2", project_id="blue")
    world.controller.observed(world.chassis("a"), {f"p{n}": Plugged(10 + n, f"tap{n}") for n in (1, 2)})
    world.connect("a")
    flows = world.controller.engine.desired("a").values()
    return world, {flow.owner.removeprefix("port/"): flow.cookie for flow in flows if flow.feature == "dhcp"}


def test_a_flood_of_one_project_delays_anothers_answer_by_one_turn() -> None:
    world, cookies = world_with_cookies()
    world.punts.arrived("a" * 16, [PacketIn(cookies["p1"], 0, 11, b"junk")] * 5000)
    world.punts.arrived("a" * 16, [PacketIn(cookies["p2"], 0, 12, request(DISCOVER, chaddr="fa:16:3e:00:00:02"))])
    assert not world.sent_out, "it is alone, but others were there before"
    for _ in range(2):
        assert world.punts.answer_next()
    ((datapath_id, port, _),) = world.sent_out
    assert (datapath_id, port) == ("a" * 16, 12)
    while world.punts.answer_next():
        pass
    assert world.punts.dropped.keys() == {("red", "p1")} and world.punts.waiting == 0
    dropped = world.punts.dropped["red", "p1"]
    assert dropped + world.controller.responders.counts["dhcp", "malformed"] == 5000


def test_a_project_with_a_thousand_ports_may_boot_them_all_at_one_moment() -> None:
    frame = request(DISCOVER)
    queue: FairQueue[bytes] = FairQueue()
    for project in range(10):
        for port in range(1000):
            queue.put(f"project{project}", f"p{port}", frame, OVERHEAD + len(frame))
    for port in range(4000):
        queue.put("large", f"p{port}", frame, OVERHEAD + len(frame))
    assert len(queue) == 14_000 and not queue.dropped


def test_some_are_answered_at_once_and_then_others_have_their_turn() -> None:
    world, cookies = world_with_cookies()
    asked = request(DISCOVER, chaddr="fa:16:3e:00:00:02")
    assert world.punts.arrived("a" * 16, [PacketIn(cookies["p2"], 0, 12, asked)] * (AT_ONCE + 1))
    assert not world.sent_out
    assert world.punts.answer_some() and len(world.sent_out) == AT_ONCE
    assert not world.punts.answer_some() and len(world.sent_out) == AT_ONCE + 1


def test_who_asks_alone_does_not_wait() -> None:
    world, cookies = world_with_cookies()
    asked = PacketIn(cookies["p2"], 0, 12, request(DISCOVER, chaddr="fa:16:3e:00:00:02"))
    assert not world.punts.arrived("a" * 16, [asked]), "nobody waits"
    ((datapath_id, port, _),) = world.sent_out
    assert (datapath_id, port) == ("a" * 16, 12) and not world.punts.waiting


def test_what_no_flow_of_ours_sent_and_what_is_too_large_does_not_wait() -> None:
    world, cookies = world_with_cookies()
    strange, large = PacketIn(0xBAD, 0, 11, b"frame"), PacketIn(cookies["p1"], 0, 11, bytes(LARGEST + 1))
    for packets in ([strange, large], [large], [strange]):
        world.punts.arrived("a" * 16, packets)
    assert world.punts.refused == {"stale flow": 2, "oversized": 2}
    assert not world.controller.responders.counts, "nobody is asked"
    assert not world.punts.answer_next()
