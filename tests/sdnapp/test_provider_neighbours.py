"""The controller on provider networks that routers join: whom it asks, what it announces, how its answers go back."""

from flows.packets import Packet, arp_reply, gratuitous_arp
from sdnapp.outside import TRIES, Outside, as_received
from tests.clouds import PATCH_PORTS, SimulatedCloud
from tests.provider_stories import ROBOT, ROBOT_MAC, Plant, know, plant, said
from tests.real_ovs.frames import from_bytes, to_bytes
from tests.router_stories import ping
from topology.gateway_values import Neighbour
from topology.values import Chassis, Route

NEXT_HOP = "10.0.2.201"


class World:
    """A router on a VLAN, and what the controller sends there."""

    def __init__(self) -> None:
        self.cloud = SimulatedCloud()
        self.net: Plant = plant(self.cloud)
        self.sent: list[tuple[str, str, Packet]] = []
        self.outside = Outside(self.cloud.store, lambda: self.cloud.engine, self._send)
        # What is there is announced when the controller begins.
        for _ in range(TRIES):
            self.tick()

    def _send(self, chassis_id: str, physical_network: str, frame: bytes) -> bool:
        self.sent.append((chassis_id, physical_network, from_bytes(frame)))
        return True

    def tick(self) -> list[tuple[str, str, Packet]]:
        self.outside.tick()
        self.cloud.follow()
        sent, self.sent = self.sent, []
        return sent


def test_whom_an_instance_sends_to_is_asked_for_from_the_door_with_the_routers_address() -> None:
    world = World()
    assert world.tick() == []
    walk = world.cloud.inject("vlanone@hv1", ping(world.net.one, world.net.to_red, ROBOT))
    ((_, flow, frame),) = walk.to_controller
    assert world.outside.hear(flow, to_bytes(frame)) == "asked for"
    ((chassis, physnet, request),) = world.sent
    assert (chassis, physnet, request["vlan_vid"]) == ("hv3", "physnet1", 0x1064)
    expected = Packet(eth_src=world.net.to_plant.mac_address, arp_spa="10.0.2.1", arp_tpa=ROBOT)
    assert all(request[name] == expected[name] for name in ("eth_src", "arp_spa", "arp_tpa"))
    told = arp_reply(ROBOT_MAC, ROBOT, world.net.to_plant.mac_address, "10.0.2.1")
    ((_, flow, frame),) = said(world.cloud, world.net, told).to_controller
    assert world.outside.hear(flow, to_bytes(frame)) == "learnt"
    row = world.cloud.store.get(Neighbour, f"vlanplant/{ROBOT}")
    assert row is not None and row.mac_address == ROBOT_MAC
    world.cloud.delete(world.net.to_plant)
    world.tick()
    assert world.cloud.store.get(Neighbour, row.id) is None, "who is nobody's neighbour is forgotten"


def test_at_the_door_a_known_neighbour_is_confirmed_and_a_claim_to_the_routers_address_answered() -> None:
    world = World()
    world.tick()
    know(world.cloud, world.net)
    probed = arp_reply(ROBOT_MAC, ROBOT, world.net.to_plant.mac_address, "0.0.0.0")
    ((chassis, flow, frame),) = said(world.cloud, world.net, probed).to_controller
    assert chassis == "hv3" and world.outside.hear(flow, to_bytes(frame)) == "confirmed"
    claim = gratuitous_arp("00:00:5e:00:53:66", "10.0.2.1")
    ((chassis, flow, frame),) = said(world.cloud, world.net, claim).to_controller
    assert chassis == "hv3" and world.outside.hear(flow, to_bytes(frame)) == "claimed"
    ((chassis, physnet, answer),) = world.sent
    assert (chassis, physnet) == ("hv3", "physnet1")
    assert answer == gratuitous_arp(world.net.to_plant.mac_address, "10.0.2.1").tagged(100)


def test_next_hops_of_routes_are_asked_for_unless_they_are_ports() -> None:
    world = World()
    routes = (Route("192.0.2.0/24", NEXT_HOP), Route("198.51.100.0/24", world.net.press.fixed_ips[0].ip_address))
    world.cloud.change(world.net.hub, routes=routes)
    asked = [packet["arp_tpa"] for _, _, packet in world.tick()]
    assert asked == [Packet(arp_tpa=NEXT_HOP)["arp_tpa"]]


def test_a_router_that_moves_is_announced_at_its_new_place() -> None:
    world = World()
    world.tick()
    world.cloud.doors(("hv2",))
    ((chassis, _, packet),) = world.tick()
    assert chassis == "hv2" and packet["arp_spa"] == packet["arp_tpa"] == Packet(arp_spa="10.0.2.1")["arp_spa"]
    assert packet["eth_src"] == Packet(eth_src=world.net.to_plant.mac_address)["eth_src"]


def test_what_goes_back_to_a_vlan_has_its_tag() -> None:
    world = World()
    know(world.cloud, world.net)
    store = world.cloud.store
    with store.transaction() as tx:
        for row in store.all(Chassis):
            tx.put(Chassis(row.id, datapath_id=f"{row.id:0>16}", patch_ports=tuple(PATCH_PORTS.items())))
    source = bytes.fromhex(world.net.to_plant.mac_address.replace(":", ""))
    frame = bytes(6) + source + b"\x08\x00" + bytes(40)
    tagged = as_received(store, f"{'hv3':0>16}", PATCH_PORTS["physnet1"], frame)
    assert tagged == frame[:12] + b"\x81\x00\x00\x64" + frame[12:]
    assert as_received(store, f"{'hv3':0>16}", 200, frame) == frame, "an instance sees no tags"
    assert as_received(store, "0" * 16, PATCH_PORTS["physnet1"], frame) == frame
    stranger = bytes(12) + frame[12:]
    assert as_received(store, f"{'hv3':0>16}", PATCH_PORTS["physnet1"], stranger) == stranger
