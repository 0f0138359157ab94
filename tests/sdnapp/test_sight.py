"""Gateway chassis that have lost their way outside: who finds out, and what follows."""

from flows.packets import Packet, arp_reply
from sdnapp.sight import PATIENCE, RETURN, Sight
from tests.clouds import UPSTREAM, UPSTREAM_MAC, SimulatedCloud
from tests.gateway_stories import FLAT, OUTSIDE, outward
from tests.real_ovs.frames import from_bytes, to_bytes
from topology.addressing import chassis_mac
from topology.doors import active_gateway
from topology.gateway_values import NoUpstream

DOORS = ("hv2", "hv3")


class World:
    """Two gateway chassis, and an upstream router that answers those whose link is whole."""

    def __init__(self, doors: tuple[str, ...] = DOORS) -> None:
        self.cloud = SimulatedCloud()
        self.net = outward(self.cloud, doors, doors)
        self.cut: set[str] = set()
        self.asked: list[tuple[str, Packet]] = []
        self.sight = Sight(self.cloud.store, lambda: self.cloud.engine.view, self._send)

    def _send(self, chassis_id: str, physical_network: str, frame: bytes) -> bool:
        request = from_bytes(frame)
        assert physical_network == FLAT and request["arp_spa"] == 0 and "vlan_vid" not in request
        assert request["eth_src"] == Packet(eth_src=chassis_mac(chassis_id))["eth_src"]
        self.asked.append((chassis_id, request))
        return True

    def second(self) -> None:
        self.sight.tick()
        self.cloud.follow()
        asked, self.asked = self.asked, []
        for chassis_id, request in asked:
            if chassis_id not in self.cut:
                reply = arp_reply(UPSTREAM_MAC, UPSTREAM, request["arp_sha"], "0.0.0.0")
                told = [sent for sent in self.cloud.inject_physical(FLAT, reply).to_controller if sent[0] == chassis_id]
                ((_, flow, frame),) = told
                assert flow.owner == "network/world" and self.sight.hear(to_bytes(frame)) == "seen"

    def seconds(self, number: int) -> None:
        for _ in range(number):
            self.second()

    @property
    def active(self) -> str | None:
        return self.cloud.engine.ask(active_gateway, "hub")

    @property
    def lost(self) -> list[str]:
        return sorted(self.cloud.store.ids(NoUpstream))


def test_who_hears_nothing_while_others_do_gives_up_its_routers_until_it_hears_again() -> None:
    world = World()
    world.seconds(10)
    first = world.active
    assert first is not None and world.lost == []
    (other,) = {*DOORS} - {first}
    world.cut = {first}
    world.seconds(PATIENCE)
    assert world.active == first, "not at once"
    world.seconds(2)
    assert world.lost == [f"world/{first}"] and world.active == other
    world.cut = set()
    world.seconds(RETURN)
    assert world.active == other, "not at its first word"
    world.seconds(2)
    assert world.lost == [] and world.active == first


def test_an_upstream_router_that_answers_nobody_is_nobodys_fault() -> None:
    world = World()
    world.seconds(5)
    first, world.cut = world.active, {*DOORS}
    world.seconds(20)
    assert world.lost == [] and world.active == first


def test_a_gateway_chassis_alone_keeps_its_routers() -> None:
    world = World(("hv3",))
    world.seconds(5)
    world.cut = {"hv3"}
    world.seconds(20)
    assert world.lost == [] and world.active == "hv3"


def test_what_is_known_of_a_chassis_goes_with_its_role() -> None:
    world = World()
    world.seconds(5)
    first = world.active
    world.cut = {first or ""}
    world.seconds(PATIENCE + 3)
    assert world.lost
    world.cloud.doors((first or "",))
    world.cut = set()
    world.seconds(RETURN + 2)
    assert world.lost == [] and world.active == first
    world.cloud.doors(())
    world.seconds(2)
    assert world.lost == []


def test_only_answers_to_the_question_count() -> None:
    world = World()
    world.seconds(2)
    mac = chassis_mac("hv2")
    assert (
        world.sight.hear(to_bytes(arp_reply(UPSTREAM_MAC, UPSTREAM, world.net.out.mac_address, OUTSIDE)))
        == "for nobody"
    )
    assert world.sight.hear(b"nothing") == "no ARP reply"
    world.cut = {*DOORS}
    world.seconds(3)
    before = dict(world.sight._answered)
    world.sight.hear(to_bytes(arp_reply(UPSTREAM_MAC, "203.0.113.99", mac, "0.0.0.0")))
    assert dict(world.sight._answered) == before
