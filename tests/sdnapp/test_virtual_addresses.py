"""Who has an address that several ports may have: claims, questions, quarrels."""

import pytest

from flows.flow import Flow
from sdnapp import arp
from sdnapp.virtual_addresses import VirtualAddresses
from tests.clouds import SimulatedCloud
from tests.gateway_stories import Outward, outward
from tests.virtual_address_stories import VIRTUAL, sharing
from topology.gateway_values import VirtualAddress
from topology.values import Port


class Held:
    """A cloud whose ports ``one`` and ``two`` may have an address, and the controller's part."""

    def __init__(self) -> None:
        self.cloud = SimulatedCloud()
        self.net: Outward = outward(self.cloud)
        sharing(self.cloud, self.net)
        self.sent: list[tuple[str, int, bytes]] = []
        self.held = VirtualAddresses(
            self.cloud.store, lambda: self.cloud.engine.view, lambda *frame: self.sent.append(frame)
        )

    def flow(self, owner: str) -> Flow:
        (found,) = {
            flow
            for chassis in ("hv1", "hv2", "hv3")
            for flow in self.cloud.flows(chassis).values()
            if flow.feature == "virtual_addresses" and flow.owner == owner
        }
        return found

    def claim(self, port: Port, mac: str = "", address: str = VIRTUAL) -> str:
        answer = self.held.hear(self.flow(f"port/{port.id}"), arp.request(mac or port.mac_address, address, address))
        self.cloud.follow()
        return answer

    @property
    def at(self) -> str | None:
        row = self.cloud.store.get(VirtualAddress, f"red/{VIRTUAL}")
        return row.port_id if row is not None else None


@pytest.fixture
def world() -> Held:
    return Held()


def test_a_packet_for_an_address_of_nobody_asks_all_who_may_have_it(world: Held) -> None:
    to_red = world.net.to_red
    assert world.held.hear(world.flow(f"port/{to_red.id}"), b"any packet") == "asked for"
    question = arp.request(to_red.mac_address, to_red.fixed_ips[0].ip_address, VIRTUAL)
    assert [(chassis, frame) for chassis, _, frame in world.sent] == [("hv1", question), ("hv2", question)]
    places = (("hv1", "one"), ("hv2", "two"))
    ofports = {chassis: world.cloud._plugged[chassis][port].ofport for chassis, port in places}
    assert {chassis: ofport for chassis, ofport, _ in world.sent} == ofports
    world.cloud.delete(world.cloud.store.get(Port, to_red.id))
    other = world.cloud.router("other")
    again = world.cloud.interface(other, world.net.red, "10.0.1.1")
    flow = world.flow(f"port/{again.id}")
    world.cloud.delete(again)
    assert world.held.hear(flow, b"late") == "no router"


def test_a_claim_moves_it_once_a_second_and_the_last_one_counts(world: Held) -> None:
    one, two = world.net.one, world.net.two
    told = world.flow("port/two")
    assert world.claim(one) == "moved" and world.at == "one"
    assert world.claim(two) == "claimed again" and world.at == "one"
    world.held.tick()
    world.cloud.follow()
    assert world.at == "two"
    world.held.tick()
    assert world.claim(one) == "moved" and world.at == "one"
    world.held.tick()
    assert world.held.hear(told, arp.request(two.mac_address, VIRTUAL, VIRTUAL)) == "moved"
    world.held.tick()
    world.cloud.follow()
    assert world.held.hear(told, arp.request(two.mac_address, VIRTUAL, VIRTUAL)) == "confirmed"


def test_what_is_no_claim_moves_nothing(world: Held) -> None:
    one = world.net.one
    flow = world.flow("port/one")
    assert world.held.hear(flow, b"") == "no ARP"
    assert world.claim(one, address="10.0.1.99") == "not allowed"
    world.cloud.change(one, allowed_address_pairs=())
    assert world.held.hear(flow, arp.request(one.mac_address, VIRTUAL, VIRTUAL)) == "not allowed"
    world.cloud.unbind(one, "hv1")
    assert world.held.hear(flow, arp.request(one.mac_address, VIRTUAL, VIRTUAL)) == "not allowed"
    assert world.at is None


def test_what_a_deleted_port_had_is_forgotten(world: Held) -> None:
    world.claim(world.net.one)
    world.held.tick()
    assert world.at == "one"
    world.cloud.unbind(world.net.one, "hv1")
    world.cloud.delete(world.net.one)
    world.held.tick()
    assert world.at is None
