"""The controller on external networks: whom it asks, what it believes, what it announces."""

import logging
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.flow import Flow
from flows.memo import Memo
from flows.packets import Packet, arp_reply, arp_request, gratuitous_arp
from sdnapp import arp, turns
from sdnapp.outages import PATIENCE, Outages
from sdnapp.outside import FORGOTTEN, REFRESH, TRIES, Outside, sender
from sdnapp.realization import DEAD, IN_SYNC, SYNCING
from tests.clouds import CHASSIS, UPSTREAM, UPSTREAM_MAC, SimulatedCloud, new_engine
from tests.gateway_stories import FLAT, OUTSIDE, Outward, ask_far, floating, mac_of, outward
from tests.real_ovs.frames import from_bytes, to_bytes
from topology.addressing import chassis_mac, int_to_mac
from topology.gateway_values import Fence, GatewayBinding, Neighbour, Outage
from topology.store import Store
from topology.values import Chassis

NOBODY = "0.0.0.0"
OTHER_MAC = "00:00:5e:00:01:99"
Sent = tuple[str, str, Packet]


class World:
    """An outward cloud whose upstream router nobody knows yet, and what the controller sends there."""

    def __init__(self) -> None:
        self.cloud = SimulatedCloud()
        self.net: Outward = outward(self.cloud)
        self._sent: list[Sent] = []
        self.away: set[str] = set()
        """Chassis that are not connected."""
        self.outside = Outside(self.cloud.store, lambda: self.cloud.engine, self._send)
        # What is there is announced when the controller begins.
        for _ in range(TRIES):
            self.outside.tick()
        self._sent.clear()
        self.forget(UPSTREAM)

    def _send(self, chassis_id: str, physical_network: str, frame: bytes) -> bool:
        if chassis_id in self.away:
            return False
        self._sent.append((chassis_id, physical_network, from_bytes(frame)))
        return True

    def tick(self, times: int = 1) -> list[Sent]:
        for _ in range(times):
            self.outside.tick()
            self.cloud.follow()
        sent, self._sent = self._sent, []
        return sent

    def forget(self, address: str) -> None:
        row = self.known(address)
        if row is not None:
            self.cloud.delete(row)

    def known(self, address: str) -> Neighbour | None:
        return self.cloud.store.get(Neighbour, f"world/{address}")

    def mac(self, address: str = UPSTREAM) -> str | None:
        row = self.known(address)
        return row.mac_address if row is not None else None

    def hear(self, packet: Packet) -> str:
        """Let the physical network say something; what the switch sends on, the controller hears."""
        walk = self.cloud.inject_physical(FLAT, packet)
        said = [self.outside.hear(flow, to_bytes(frame)) for _, flow, frame in walk.to_controller]
        self.cloud.follow()
        return ", ".join(said)

    def answer(self, mac: str = UPSTREAM_MAC, address: str = UPSTREAM) -> str:
        return self.hear(arp_reply(mac, address, self.net.out.mac_address, OUTSIDE))


@pytest.fixture
def world() -> World:
    return World()


def asked(sent: list[Sent]) -> list[tuple[str, int]]:
    return [(chassis_id, packet["arp_tpa"]) for chassis_id, _, packet in sent if packet["arp_spa"] != packet["arp_tpa"]]


def number(address: str) -> int:
    return Packet(ipv4_src=address)["ipv4_src"]


def test_the_upstream_router_is_asked_for_until_it_answers(world: World) -> None:
    for _ in range(2):
        (sent,) = world.tick()
        assert sent[:2] == ("hv3", FLAT) and sent[2]["arp_spa"] == number(OUTSIDE)
        assert sent[2]["arp_tpa"] == number(UPSTREAM) and sent[2]["eth_src"] == sent[2]["arp_sha"]
    assert world.answer() == "learnt" and world.mac() == UPSTREAM_MAC
    assert world.tick() == []
    assert asked(world.tick(REFRESH)) == [("hv3", number(UPSTREAM))], "and then now and then"


def test_without_a_gateway_chassis_nobody_is_asked(world: World) -> None:
    world.cloud.doors(())
    assert world.tick(3) == []


def test_whom_a_packet_is_for_is_asked_for_a_few_times(world: World) -> None:
    host = "203.0.113.77"
    walk = world.cloud.inject("one@hv1", ask_far(world.net, world.net.one, host))
    ((_, flow, frame),) = walk.to_controller
    assert world.outside.hear(flow, to_bytes(frame)) == "asked for"
    assert ("hv3", number(host)) in asked(world.tick(TRIES + 3))
    assert ("hv3", number(host)) not in asked(world.tick())
    assert world.outside.hear(flow, to_bytes(frame)) == "asked for"
    assert world.answer(OTHER_MAC, host) == "learnt" and world.mac(host) == OTHER_MAC


def test_nobody_is_believed_who_was_not_asked(world: World) -> None:
    assert world.answer(OTHER_MAC, "203.0.113.78") == "nobody asked" and world.known("203.0.113.78") is None
    assert world.hear(gratuitous_arp(OTHER_MAC, UPSTREAM)) == "", "an unknown one is not even heard"


def test_asking_has_a_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdnapp.outside.MAX_ASKED", 10)
    world.answer()
    ((_, flow, frame),) = world.cloud.inject("one@hv1", ask_far(world.net, world.net.one, "203.0.113.77")).to_controller
    hosts = [number("203.0.113.100") + each for each in range(12)]
    for host in (*hosts[:5], *hosts[:5], *hosts):
        world.outside.hear(flow, to_bytes(frame.but(ipv4_dst=host)))
    assert [host for _, host in asked(world.tick(0))] == hosts[:10], "each once, however often packets are for it"


def test_what_comes_late_for_a_router_that_is_found_nowhere_is_said_to_be_so(world: World) -> None:
    ((_, flow, frame),) = world.cloud.inject("one@hv1", ask_far(world.net, world.net.one, "203.0.113.77")).to_controller
    world.cloud.doors(())
    assert world.outside.hear(flow, to_bytes(frame)) == "no gateway chassis" and world.tick(0) == []


def test_a_neighbour_with_a_new_mac_address_is_believed_when_the_former_is_silent(world: World) -> None:
    world.answer()
    world.tick()
    assert world.hear(gratuitous_arp(OTHER_MAC, UPSTREAM)) == "announced" and world.mac() == UPSTREAM_MAC
    assert asked(world.tick(0)) == [("hv3", number(UPSTREAM))]
    assert world.answer(OTHER_MAC) == "contradicted" and world.mac() == UPSTREAM_MAC
    world.tick()
    assert world.mac() == UPSTREAM_MAC, "he must have had time to answer"
    world.tick()
    assert world.mac() == OTHER_MAC
    third = "fa:16:3e:ee:00:03"
    assert world.answer(third) == "contradicted", "the next one is doubted as the first was"
    for _ in range(2):
        world.tick()
    assert world.mac() == third


def test_who_contradicts_again_and_again_changes_nothing_by_it(world: World) -> None:
    world.answer()
    world.tick()
    for _ in range(3):
        assert world.answer(OTHER_MAC) == "contradicted"
    assert asked(world.tick(0)) == [("hv3", number(UPSTREAM))], "the former is asked once"
    world.tick()
    assert world.answer(OTHER_MAC) == "contradicted"
    world.tick()
    assert world.mac() == OTHER_MAC, "and has no more time to answer than before"


def test_a_liar_is_not_believed_while_the_true_one_answers(world: World) -> None:
    world.answer()
    for _ in range(3):
        world.tick()
        assert world.answer(OTHER_MAC) == "contradicted"
        assert world.answer() == "confirmed"
        world.tick()
        assert world.mac() == UPSTREAM_MAC


def test_an_operator_hears_once_of_a_liar_as_long_as_he_goes_on(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.answer()
    world.tick()
    for _ in range(2 * REFRESH):
        world.answer(OTHER_MAC)
        world.answer()
        world.hear(gratuitous_arp(OTHER_MAC, OUTSIDE))
        world.tick()
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == [
        f"on network world, {UPSTREAM} is at {UPSTREAM_MAC}, but {OTHER_MAC} claims it, too",
        f"on network world, {OUTSIDE} is ours, but {OTHER_MAC} claims it: it is announced again",
    ]
    world.tick(REFRESH)
    caplog.clear()
    world.hear(gratuitous_arp(OTHER_MAC, OUTSIDE))
    assert len(caplog.records) == 1


def test_a_liar_who_speaks_just_before_the_tick_is_not_believed_before_the_true_one_could_answer(world: World) -> None:
    world.answer()
    for _ in range(3):
        assert world.answer(OTHER_MAC) == "contradicted"
        sent = world.tick()
        assert [(chassis_id, packet["arp_spa"]) for chassis_id, _, packet in sent] == [("hv3", 0)] * 2, "asked twice"
        assert world.hear(arp_reply(UPSTREAM_MAC, UPSTREAM, world.net.out.mac_address, NOBODY)) == "confirmed"
        world.tick(2)
        assert world.mac() == UPSTREAM_MAC


def test_what_a_chassis_hears_that_asks_for_itself_tells_of_a_new_mac_address(world: World) -> None:
    world.answer()
    told = arp_reply(OTHER_MAC, UPSTREAM, chassis_mac("hv3"), NOBODY)
    assert world.hear(told) == "contradicted"
    world.tick(2)
    assert world.mac() == OTHER_MAC
    assert world.hear(told) == "confirmed"


def test_a_doubt_goes_with_those_who_could_settle_it(world: World) -> None:
    world.answer()
    world.answer(OTHER_MAC)
    world.cloud.delete(world.net.out)
    world.tick(3)
    assert world.known(UPSTREAM) is None


def test_who_claims_an_address_of_ours_is_answered_by_an_announcement(world: World) -> None:
    one = floating(world.cloud, world.net, 20, world.net.one)
    two = world.cloud.floating_ip(world.net.world, "203.0.113.21", router_id=world.net.hub.id)
    world.cloud.forward(two, world.net.one, 2222, 22)
    world.answer()
    world.tick(TRIES + 1)
    for address, mac in (
        (OUTSIDE, world.net.out.mac_address),
        (one.address, mac_of(world.cloud, one)),
        (two.address, mac_of(world.cloud, two)),
    ):
        for claim in (
            gratuitous_arp(OTHER_MAC, address),
            arp_request(OTHER_MAC, address, UPSTREAM),
            arp_reply(OTHER_MAC, address, world.net.out.mac_address, OUTSIDE),
        ):
            assert world.hear(claim) == "claimed"
            assert world.tick(0) == [("hv3", FLAT, gratuitous_arp(mac, address))]
        again = world.tick(TRIES + 1)
        assert again == [("hv3", FLAT, gratuitous_arp(mac, address))] * TRIES, "the switch may not have let the last by"
        assert world.hear(gratuitous_arp(mac, address)) == "own" and world.tick(0) == []
        assert world.known(address) is None


def test_who_is_silent_for_long_is_forgotten_unless_routers_depend_on_him(world: World) -> None:
    world.answer()
    with world.cloud.store.transaction() as tx:
        tx.put(Neighbour("world/203.0.113.77", "world", "203.0.113.77", OTHER_MAC))
    world.tick(REFRESH * FORGOTTEN + 2)
    assert world.known("203.0.113.77") is None and world.mac() == UPSTREAM_MAC
    world.cloud.delete(world.net.out)
    world.tick()
    assert world.known(UPSTREAM) is None, "nobody is there to ask"


def test_an_address_that_comes_or_moves_is_announced_from_where_it_is(world: World) -> None:
    world.answer()
    assert not [each for each in world.tick(2) if each[2]["arp_spa"] == each[2]["arp_tpa"]], "all is as it was"
    one = floating(world.cloud, world.net, 20, world.net.one)
    told = [each for each in world.tick(TRIES + 2) if each[2]["arp_spa"] == each[2]["arp_tpa"]]
    expected = gratuitous_arp(mac_of(world.cloud, one), one.address)
    assert told == [("hv3", FLAT, expected)] * TRIES
    world.cloud.doors(("hv3",), ("hv1", "hv3"))
    told = [each for each in world.tick(TRIES + 2) if each[2]["arp_spa"] == each[2]["arp_tpa"]]
    assert told == [("hv1", FLAT, expected)] * TRIES


def announced(sent: list[Sent]) -> list[tuple[str, int]]:
    return [(chassis_id, packet["arp_spa"]) for chassis_id, _, packet in sent if packet["arp_spa"] == packet["arp_tpa"]]


def test_all_addresses_are_announced_when_the_controller_begins_some_at_a_time() -> None:
    world = World()
    each = floating(world.cloud, world.net, 20, world.net.one)
    world.outside = Outside(world.cloud.store, lambda: world.cloud.engine, world._send)
    both = [("hv3", number(OUTSIDE)), ("hv3", number(each.address))]
    assert sorted(announced(world.tick(TRIES))) == sorted(both * TRIES) and announced(world.tick(3)) == []
    many = [floating(world.cloud, world.net, last, None) for last in range(30, 34)]
    for one in many:
        world.cloud.forward(one, world.net.one, 2222, 22)
        world.cloud.change(one, router_id="hub")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdnapp.outside.ANNOUNCED_AT_ONCE", 2)
        first, second = announced(world.tick()), announced(world.tick())
        assert len(first) == len(second) == 2 and not {*first} & {*second}, "each has its turn"
        assert sorted(announced(world.tick(4)) + first + second) == sorted(
            [("hv3", number(one.address)) for one in many] * TRIES
        )


def noting(asked: list[object]) -> Callable[..., Any]:
    ask = Memo.ask
    return lambda view, *call: (asked.append(call[0]), ask(view, *call))[1]


def test_a_change_costs_a_look_at_what_it_concerns_however_much_is_there() -> None:
    looks = {}
    for many in (3, 20):
        world = World()
        world.answer()
        for last in range(20, 20 + many):
            floating(world.cloud, world.net, last, world.net.one)
            router = world.cloud.router(f"another {last}")
            world.cloud.gateway(router, world.net.world, f"203.0.113.{100 + last}")
        world.tick(TRIES + 1)
        asked = list[object]()
        for change in (lambda: None, lambda world=world: floating(world.cloud, world.net, 90, world.net.one)):
            change()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Memo, "ask", noting(asked))
                world.outside.tick()
            looks.setdefault(many, []).append(len(asked))
        assert ("hv3", number("203.0.113.90")) in announced(world._sent)
    assert looks[3] == looks[20] and looks[20][0] == 0, "each second, as long as nothing changes"


def test_another_engine_may_not_know_of_what_has_gone() -> None:
    world = World()
    world.answer()
    each = floating(world.cloud, world.net, 20, world.net.one)
    world.tick(TRIES)
    assert world.hear(arp_reply(OTHER_MAC, each.address, world.net.out.mac_address, OUTSIDE)) == "claimed"
    world.tick(TRIES)
    world.cloud.delete(each)
    world.cloud.engine = new_engine(world.cloud.store)
    assert announced(world.tick(TRIES)) == [], "the others are where they were"
    spoken = to_bytes(arp_reply(OTHER_MAC, each.address, world.net.out.mac_address, OUTSIDE))
    flow = next(flow for flow in world.cloud.flows("hv3").values() if flow.feature == "upstream")
    assert world.outside.hear(flow, spoken) == "nobody asked"


def test_who_cannot_be_reached_announces_when_he_can() -> None:
    world = World()
    world.answer()
    world.away = {"hv3"}
    each = floating(world.cloud, world.net, 20, world.net.one)
    assert announced(world.tick(2 * TRIES)) == []
    world.away = set()
    assert announced(world.tick(2 * TRIES)) == [("hv3", number(each.address))] * TRIES


def test_nobody_announces_what_is_handed_over_before_it_is_his() -> None:
    world = World()
    world.answer()
    world.tick(TRIES)
    home = floating(world.cloud, world.net, 20, world.net.one)
    world.cloud.doors(("hv2", "hv3"), CHASSIS)
    world.tick(2 * TRIES)
    row = world.cloud.store.get(GatewayBinding, "router/hub")
    assert row is not None
    (other,) = {"hv2", "hv3"} - {row.chassis_id}
    # Not by ``cloud.put``, which lets the former let go.
    with world.cloud.store.transaction() as tx:
        tx.put(replace(row, chassis_id=other, former=row.chassis_id))
    world.cloud.engine.update([world.cloud._changes.pop()])
    world.outside.tick()
    assert announced(world._sent) == []
    with world.cloud.store.transaction() as tx:
        tx.put(replace(row, chassis_id=other))
    world.cloud.engine.update([world.cloud._changes.pop()])
    for _ in range(2 * TRIES):
        world.outside.tick()
    assert announced(world._sent) == [(other, number(OUTSIDE))] * TRIES, f"and {home.address} has not moved"


def test_addresses_are_announced_now_and_then_while_a_gateway_chassis_is_out() -> None:
    world = World()
    world.cloud.doors(("hv2", "hv3"), ("hv2", "hv3"))
    world.answer()
    world.tick(2 * REFRESH)
    world.cloud.put(Outage("hv2"))
    world.tick(2 * TRIES)
    assert 1 <= len(announced(world.tick(REFRESH))) <= 2
    world.cloud.delete(Outage("hv2"))
    world.tick(2 * TRIES)
    assert announced(world.tick(2 * REFRESH)) == []


@given(frame=st.binary(max_size=80))
def test_any_bytes_are_heard_without_harm(frame: bytes) -> None:
    world = _ANY
    flow = next(flow for flow in world.cloud.flows("hv3").values() if flow.feature == "upstream")
    before = world.cloud.store.revision
    for each in (frame, bytes(12) + struct.pack("!H", 0x0806) + frame, bytes(12) + struct.pack("!H", 0x0800) + frame):
        assert isinstance(world.outside.hear(flow, each), str)
    assert world.cloud.store.revision == before


_ANY = World()


def test_arp_frames_read_back() -> None:
    frame = arp.request(UPSTREAM_MAC, "10.0.0.1", "10.0.0.2")
    assert len(frame) == 60 and arp.parse(frame) == arp.Arp(
        1, UPSTREAM_MAC, "10.0.0.1", "10.0.0.2", "00:00:00:00:00:00"
    )
    tagged = arp.request(UPSTREAM_MAC, "10.0.0.1", "10.0.0.1", vlan_id=7)
    assert from_bytes(tagged)["vlan_vid"] == 0x1007 and arp.parse(tagged) is None
    assert arp.parse(frame[:6] + bytes(6) + frame[12:]) is None, "from another than it says"


def test_frames_leave_by_the_patch_port_of_a_connected_chassis() -> None:
    store, sent = Store(), []
    with store.transaction() as tx:
        tx.put(Chassis("hv1", patch_ports=(("physnet1", 7),)))
    send = sender(store, {"hv1": "00000000000000aa"}.get, lambda *frame: sent.append(frame))
    for chassis_id, network in (("hv1", "physnet1"), ("hv1", "physnet2"), ("hv2", "physnet1")):
        send(chassis_id, network, b"frame")
    assert sent == [("00000000000000aa", 0xFFFFFFFD, 7, b"frame")]


def test_a_gateway_chassis_without_a_session_is_out_until_it_is_in_sync() -> None:
    cloud = SimulatedCloud()
    store, states = cloud.store, {"g1": IN_SYNC, "g2": IN_SYNC}
    with store.transaction() as tx:
        for name in ("g1", "g2", "plain"):
            tx.put(Chassis(name, gateway=name != "plain"))
    outages = Outages(store, lambda: cloud.engine.view, lambda name: states.get(name, DEAD), lambda *frame: True)

    def out(ticks: int) -> list[str]:
        for _ in range(ticks):
            outages.tick()
        return sorted(store.ids(Outage))

    assert out(PATIENCE + 1) == [] and sorted(store.ids(Fence)) == ["g1", "g2"]
    (first,) = store.find(Fence, "every", True)[:1]
    states["g1"] = DEAD
    assert out(PATIENCE - 1) == [] and out(1) == ["g1"]
    outage, fence = store.get(Outage, "g1"), store.get(Fence, "g1")
    assert outage is not None and outage.secret == first.secret
    assert fence is not None and fence.secret != first.secret and fence.generation == first.generation + 1
    states["g2"] = DEAD
    assert out(PATIENCE + 1) == ["g1"], "nobody is connected: it may be the controller's own fault"
    states["g1"] = SYNCING
    assert out(PATIENCE - 1) == ["g1"]
    states["g1"] = IN_SYNC
    assert out(1) == ["g2"]
    with store.transaction() as tx:
        tx.delete(Chassis, "g2")
    assert out(1) == [] and sorted(store.ids(Fence)) == ["g1"]


def test_one_that_is_out_is_silenced_by_the_others_on_each_network_where_it_may_stand_for_routers() -> None:
    cloud, sent = SimulatedCloud(), list[Sent]()
    outward(cloud, ("hv2", "hv3"), ("hv2", "hv3"))
    state = {"hv2": IN_SYNC, "hv3": DEAD}

    def send(chassis_id: str, physical_network: str, frame: bytes) -> bool:
        sent.append((chassis_id, physical_network, from_bytes(frame)))
        return True

    outages = Outages(cloud.store, lambda: cloud.engine.view, state.__getitem__, send)
    for _ in range(PATIENCE + 1):
        outages.tick()
    outage = cloud.store.get(Outage, "hv3")
    assert outage is not None and len(sent) == 2, "again and again"
    ((chassis_id, physical_network, frame),) = set(sent)
    assert (chassis_id, physical_network) == ("hv2", FLAT) and frame["arp_tha"] == outage.secret
    assert int_to_mac(frame["eth_dst"]) == chassis_mac("hv3") and int_to_mac(frame["eth_src"]) == chassis_mac("hv2")
    assert frame["arp_spa"] == frame["arp_tpa"] == 0, "it speaks for nobody, of nobody"


def test_flows_of_this_feature_are_metered(world: World) -> None:
    flows: list[Flow] = [each for each in world.cloud.flows("hv3").values() if each.feature == "upstream"]
    assert flows and all(each.meter is not None for each in flows)


@pytest.mark.parametrize("idle", [False, True])
def test_others_have_their_turn_while_many_addresses_are_looked_at(
    world: World, idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        floating(world.cloud, world.net, 20 + number, None if idle else world.net.one)
    given_way: list[float] = []
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr(turns.hub, "sleep", given_way.append)
    assert len(world.tick()) > (0 if idle else 20) and len(given_way) >= 20
