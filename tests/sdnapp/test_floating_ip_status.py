"""Why a floating IP is DOWN, in a sentence that says what to do."""

from dataclasses import replace

import pytest

from flows.memo import Memo
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.operations import Operations
from sdnapp.punts import Punts
from sdnapp.responders import Responders
from sdnapp.status import NO_GATEWAY
from tests.clouds import CHASSIS, SimulatedCloud
from tests.gateway_stories import OUTSIDE, Outward, floating, outward
from tests.sdnapp.controlled_world import FakeSwitches
from tests.source_port_stories import use_up
from topology.values import AddressPair, Chassis, FloatingIP


class World:
    """A router with a gateway on hv3, an instance on hv1 with a floating IP, and a controller of all three."""

    def __init__(self) -> None:
        self.cloud = SimulatedCloud()
        self.net: Outward = outward(self.cloud)
        self.each: FloatingIP = floating(self.cloud, self.net, 20, self.net.one)
        self.controller = Controller(self.cloud.store, FakeSwitches(), Responders(self.cloud.store, DhcpSettings()))
        self.settle()

    def settle(self, *silent: str) -> None:
        """Let the chassis be connected and confirm, but for some."""
        with self.cloud.store.transaction() as tx:
            for row in self.cloud.store.all(Chassis):
                tx.put(replace(row, datapath_id=row.id * 4))
        for name in CHASSIS:
            self.controller.switch_connected(name * 4)
        for _ in range(3):
            self.controller.catch_up()
        for name in set(CHASSIS) - set(silent):
            self.controller.confirmed(name * 4, self.controller.engine.revision)

    @property
    def told(self) -> list[str]:
        punts = Punts(self.controller.responders, lambda *answer: None)
        rows = Operations(self.controller, punts, list, list).status()["floating_ips"]
        is_up = self.controller.floatingip_status(self.each.id) == "ACTIVE"
        assert is_up == (rows == []) or self.cloud.store.get(FloatingIP, self.each.id) != self.each
        assert all((row["floatingip_id"], row["address"]) == (self.each.id, self.each.address) for row in rows)
        return [row["reason"] for row in rows]


@pytest.fixture
def world() -> World:
    return World()


def test_of_one_that_is_active_or_stands_for_nothing_there_is_nothing_to_tell(world: World) -> None:
    assert world.told == []
    world.cloud.change(world.each, port_id=None, router_id=None, fixed_ip_address=None)
    world.settle()
    assert world.controller.floatingip_status(world.each.id) == "DOWN" and world.told == []


def test_chassis_that_have_not_confirmed(world: World) -> None:
    world.controller.switch_disconnected("hv1" * 4)
    world.controller.catch_up()
    assert world.told == ["hv1: it has no OpenFlow session"]
    world.settle("hv1")
    assert world.told == ["hv1: it has not confirmed its flows yet"]


def test_an_instance_that_is_not_there(world: World) -> None:
    world.cloud.unbind(world.net.one, "hv1")
    world.settle()
    assert world.told == ["its port one: not plugged: no chassis has an interface with external_ids:iface-id=one"]


def test_ports_and_networks_that_are_down(world: World) -> None:
    world.cloud.change(world.net.one, admin_state_up=False)
    world.settle()
    assert world.told == ["its port one: the port is administratively down"]
    world.cloud.change(world.net.one, admin_state_up=True)
    world.cloud.change(world.net.red, admin_state_up=False)
    world.settle()
    assert world.told == ["its port one: its network is administratively down"]


def test_routers_that_do_not_lead_there(world: World) -> None:
    world.cloud.change(world.net.hub, admin_state_up=False)
    world.settle()
    assert world.told == ["the gateway of router hub: its router hub is administratively down"]
    world.cloud.change(world.net.hub, admin_state_up=True)
    world.cloud.delete(world.net.out)
    world.settle()
    assert world.told == ["the gateway of router hub: it has none to the network of the floating IP"]


def test_no_gateway_chassis(world: World) -> None:
    world.cloud.doors((), ())
    world.settle()
    assert world.told == [NO_GATEWAY]


def test_one_that_forwards_ports_is_active_while_that_works(world: World) -> None:
    cloud, net = world.cloud, world.net
    world.each = cloud.change(world.each, port_id=None, fixed_ip_address=None)
    world.settle()
    assert world.controller.floatingip_status(world.each.id) == "DOWN", "it forwards none yet"
    cloud.forward(world.each, net.one, 2222, 22)
    cloud.forward(world.each, net.two, 8080, 80)
    world.settle("hv2")
    assert world.told == ["hv2: it has not confirmed the latest change yet"]
    world.settle()
    assert world.told == []
    cloud.unbind(net.two, "hv2")
    world.settle()
    assert world.told == [], "the other is still reached"
    cloud.unbind(net.one, "hv1")
    world.settle()
    missing = "not plugged: no chassis has an interface with external_ids:iface-id=one"
    assert world.told == [f"nobody is there to whom it forwards; its port one: {missing}"]
    cloud.bind(net.one, "hv1")
    cloud.doors((), ())
    world.settle()
    assert world.told == [NO_GATEWAY]
    cloud.change(net.hub, admin_state_up=False)
    world.settle()
    assert world.told == ["the gateway of router hub: its router hub is administratively down"]


def test_however_many_ports_it_forwards_the_same_is_asked_for_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = {}
    for many in (2, 20):
        world = World()
        world.each = world.cloud.change(world.each, port_id=None, fixed_ip_address=None)
        for number in range(many):
            world.cloud.forward(world.each, world.net.one, 2000 + number, 20 + number)
        world.settle("hv1")
        assert world.controller.floatingip_status(world.each.id) == "DOWN"
        world.settle()
        asked, ask = list[object](), Memo.ask
        with monkeypatch.context() as patch:
            patch.setattr(
                Memo, "ask", lambda view, *call, asked=asked, ask=ask: (asked.append(call), ask(view, *call))[1]
            )
            assert world.controller.floatingip_status(world.each.id) == "ACTIVE"
        looks[many] = len(asked)
    assert looks[2] == looks[20]


def test_one_that_forwards_ports_to_where_no_source_ports_are_left(world: World) -> None:
    cloud = world.cloud
    world.each = cloud.change(world.each, port_id=None, fixed_ip_address=None)
    use_up(cloud, world.net, OUTSIDE)
    last = cloud.port("last", world.net.red, "10.0.1.13", "hv3")
    cloud.forward(world.each, last, 2222, 22)
    world.settle()
    assert len(world.told) == 1 and world.told[0].startswith("hv3: ") and "source ports" in world.told[0]


def test_an_address_that_several_ports_may_have_and_none_has_claimed(world: World) -> None:
    pair = AddressPair("10.0.1.100", world.net.one.mac_address)
    holder = world.cloud.port("holder", world.net.red, "10.0.1.100")
    for port in (world.net.one, world.net.two):
        world.cloud.change(port, allowed_address_pairs=(replace(pair, mac_address=port.mac_address),))
    world.each = world.cloud.change(world.each, port_id=holder.id, fixed_ip_address="10.0.1.100")
    world.settle()
    assert world.told == ["nobody is known to have 10.0.1.100: a port that may have it has to say so by ARP"]
