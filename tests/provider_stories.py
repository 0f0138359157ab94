"""Stories of routers on physical networks. See ``tests.packet_stories``."""

from typing import NamedTuple

from flows.fields import ARP_REPLY, ARP_REQUEST
from flows.packets import Packet, arp_reply, arp_request, icmp_echo, udp
from flows.simulator import Delivery, Walk
from tests.clouds import CHASSIS, Cloud
from tests.gateway_stories import FAR, FLAT, OUTSIDE, block_of, from_far, outside, outward, seen
from tests.router_stories import arrives, interface, lan, ping
from tests.storytelling import address, ask, crossed, nothing, story
from topology.addressing import chassis_mac
from topology.gateway_values import Neighbour
from topology.values import Network, Port, Route, Router, Segment

ROBOT, ROBOT_MAC = "10.0.2.200", "00:00:5e:00:53:c8"
"""A machine on the physical network that no chassis of ours has to do with."""
TRANSIT = {"vlan": 77, "flat": 78}
ONE_AND_TWO = (("one", 11, "hv1"), ("two", 12, "hv2"))
PHYSNET = {"vlan": "physnet1", "flat": "physnet2"}


class Plant(NamedTuple):
    """A router between an overlay, ``one`` on hv1 and ``two`` on hv2, and a physical network, ``press`` on hv2."""

    red: Network
    plant: Network
    one: Port
    two: Port
    press: Port
    hub: Router
    to_red: Port
    to_plant: Port


def plant(
    cloud: Cloud, kind: str = "vlan", gateways: tuple[str, ...] = ("hv3",), doors: tuple[str, ...] = CHASSIS
) -> Plant:
    cloud.doors(gateways, doors)
    red = lan(cloud, f"{kind}red", 1)
    provider = cloud.network(f"{kind}plant", kind, transit=Segment("geneve", TRANSIT[kind]))
    cloud.subnet(provider, "10.0.2.0/24", gateway_ip="10.0.2.1")
    one, two = (cloud.port(f"{kind}{name}", red, f"10.0.1.{n}", at) for name, n, at in ONE_AND_TWO)
    press = cloud.port(f"{kind}press", provider, "10.0.2.12", "hv2")
    hub = cloud.router(f"{kind}hub", red, provider)
    return Plant(red, provider, one, two, press, hub, interface(cloud, hub, red), interface(cloud, hub, provider))


def know(cloud: Cloud, net: Plant, host: str = ROBOT, mac: str = ROBOT_MAC) -> None:
    """Let the controller have heard who has an address."""
    cloud.put(Neighbour(f"{net.plant.id}/{host}", net.plant.id, host, mac))


def on_wire(net: Plant, packet: Packet) -> Packet:
    tag = net.plant.segment.segmentation_id
    return packet.but(vlan_vid=0x1000 | tag) if tag else packet


def said(cloud: Cloud, net: Plant, packet: Packet) -> Walk:
    """Let a machine on the physical network send a packet."""
    return cloud.inject_physical(PHYSNET[net.plant.segment.network_type], on_wire(net, packet))


def robot(to_mac: str, target: str) -> Packet:
    return icmp_echo(ROBOT_MAC, to_mac, ROBOT, target)


@story
def a_router_leads_to_physical_networks_with_the_mac_address_of_the_chassis(cloud: Cloud) -> None:
    for kind in PHYSNET:
        net = plant(cloud, kind)
        sent = ping(net.one, net.to_red, address(net.press))
        walk = cloud.inject(f"{net.one.id}@hv1", sent)
        arrived = arrives(sent, net.to_plant, net.press).but(eth_src=chassis_mac("hv1"))
        assert walk.deliveries == [Delivery(f"{net.press.id}@hv2", arrived)], kind
        assert outside(walk) == [("hv1", on_wire(net, arrived))] and not walk.on_core
        # On one chassis nothing reaches the wire, and the router has its own MAC address.
        near = ping(net.two, net.to_red, address(net.press))
        walk = cloud.inject(f"{net.two.id}@hv2", near)
        assert walk.deliveries == [Delivery(f"{net.press.id}@hv2", arrives(near, net.to_plant, net.press))]
        assert not walk.on_physical
        back = ping(net.press, net.to_plant, address(net.one))
        walk = cloud.inject(f"{net.press.id}@hv2", back)
        assert walk.deliveries == [Delivery(f"{net.one.id}@hv1", arrives(back, net.to_red, net.one))]
        assert crossed(walk) == [("hv2", "hv1")] and not walk.on_physical


@story
def machines_on_a_physical_network_find_the_router_at_one_chassis(cloud: Cloud) -> None:
    for kind in PHYSNET:
        net = plant(cloud, kind)
        know(cloud, net)
        answers = outside(said(cloud, net, arp_request(ROBOT_MAC, ROBOT, "10.0.2.1")))
        answer = arp_reply(net.to_plant.mac_address, "10.0.2.1", ROBOT_MAC, ROBOT)
        assert answers == [("hv3", on_wire(net, answer))], kind
        asked = robot(net.to_plant.mac_address, address(net.one))
        walk = said(cloud, net, asked)
        assert walk.deliveries == [Delivery(f"{net.one.id}@hv1", arrives(asked, net.to_red, net.one))]
        assert crossed(walk) == [("hv3", "hv1")]
        back = ping(net.one, net.to_red, ROBOT)
        left = back.but(eth_src=chassis_mac("hv1"), eth_dst=ROBOT_MAC, ip_ttl=63)
        assert outside(cloud.inject(f"{net.one.id}@hv1", back)) == [("hv1", on_wire(net, left))]
        # The door alone has the router's own address on the wire.
        for at in ("hv3", "hv1"):
            cloud.bind(net.two, at)
            back = ping(net.two, net.to_red, ROBOT)
            mac = net.to_plant.mac_address if at == "hv3" else chassis_mac(at)
            left = back.but(eth_src=mac, eth_dst=ROBOT_MAC, ip_ttl=63)
            assert outside(cloud.inject(f"{net.two.id}@{at}", back)) == [(at, on_wire(net, left))]
            cloud.unbind(net.two, at)


@story
def a_router_answers_pings_from_a_physical_network(cloud: Cloud) -> None:
    for kind in PHYSNET:
        net = plant(cloud, kind)
        know(cloud, net)
        for target in ("10.0.2.1", "10.0.1.1"):
            ((place, reply),) = outside(said(cloud, net, robot(net.to_plant.mac_address, target)))
            expected = icmp_echo(net.to_plant.mac_address, ROBOT_MAC, target, ROBOT).but(icmp_type=0)
            assert (place, reply) == ("hv3", on_wire(net, expected)), (kind, target)


@story
def a_router_behind_another_answers_pings_from_a_physical_network_by_way_of_that(cloud: Cloud) -> None:
    """Its answers once went back by the port that the ping came by: of a VLAN without the tag, on another's network."""
    for kind in PHYSNET:
        net = plant(cloud, kind)
        know(cloud, net)
        blue = lan(cloud, f"{kind}blue", 3)
        rim = cloud.router(f"{kind}rim", blue, routes=(("10.0.2.0/24", "10.0.1.1"),))
        cloud.interface(rim, net.red, "10.0.1.2")
        cloud.change(net.hub, routes=(Route("10.0.3.0/24", "10.0.1.2"),))
        for target in ("10.0.1.2", "10.0.3.1"):
            walk = said(cloud, net, robot(net.to_plant.mac_address, target))
            answer = icmp_echo(net.to_plant.mac_address, ROBOT_MAC, target, ROBOT).but(icmp_type=0, ip_ttl=63)
            assert outside(walk) == [("hv3", on_wire(net, answer))], (kind, target)


@story
def a_routers_address_outside_answers_pings_from_a_physical_network_inside(cloud: Cloud) -> None:
    net = plant(cloud)
    know(cloud, net)
    cloud.gateway(net.hub, cloud.external(), OUTSIDE)
    walk = said(cloud, net, robot(net.to_plant.mac_address, OUTSIDE))
    answer = icmp_echo(net.to_plant.mac_address, ROBOT_MAC, OUTSIDE, ROBOT).but(icmp_type=0)
    assert outside(walk) == [("hv3", on_wire(net, answer))]


@story
def the_router_moves_to_another_chassis_when_its_door_goes(cloud: Cloud) -> None:
    net = plant(cloud, gateways=CHASSIS)
    know(cloud, net)
    asked = arp_request(ROBOT_MAC, ROBOT, "10.0.2.1")
    ((first, _),) = outside(said(cloud, net, asked))
    cloud.doors(tuple(name for name in CHASSIS if name != first))
    ((second, _),) = outside(said(cloud, net, asked))
    assert second != first
    packet = robot(net.to_plant.mac_address, address(net.one))
    walk = said(cloud, net, packet)
    assert [place for place, _ in walk.deliveries] == ["vlanone@hv1"]
    # Without any, instances go on, and the physical network has no router.
    cloud.doors(())
    assert not outside(said(cloud, net, asked)) and nothing(said(cloud, net, packet))
    sent = ping(net.one, net.to_red, address(net.press))
    assert [place for place, _ in cloud.inject("vlanone@hv1", sent).deliveries] == ["vlanpress@hv2"]


@story
def who_has_an_address_of_a_physical_network_is_asked_on_account_of_the_interface(cloud: Cloud) -> None:
    net = plant(cloud)
    walk = cloud.inject("vlanone@hv1", ping(net.one, net.to_red, ROBOT))
    owner = f"port/{net.to_plant.id}"
    assert not outside(walk) and [flow.owner for _, flow, _ in walk.to_controller] == [owner]
    told = arp_reply(ROBOT_MAC, ROBOT, net.to_plant.mac_address, "10.0.2.1")
    walk = said(cloud, net, told)
    assert [(chassis, flow.owner) for chassis, flow, _ in walk.to_controller] == [("hv3", owner)]


@story
def instances_on_a_physical_network_have_their_router_at_home(cloud: Cloud) -> None:
    net = plant(cloud)
    walk = cloud.inject("vlanpress@hv2", ask(net.press, "10.0.2.1"))
    answer = arp_reply(net.to_plant.mac_address, "10.0.2.1", net.press.mac_address, address(net.press))
    assert walk.deliveries == [Delivery("vlanpress@hv2", answer)] and not walk.on_physical


@story
def a_chassis_without_a_way_to_a_physical_network_sends_by_a_gateway_chassis(cloud: Cloud) -> None:
    for kind in PHYSNET:
        net = plant(cloud, kind, doors=("hv2", "hv3"))
        know(cloud, net)
        sent = ping(net.one, net.to_red, address(net.press))
        walk = cloud.inject(f"{net.one.id}@hv1", sent)
        assert walk.deliveries == [Delivery(f"{net.press.id}@hv2", arrives(sent, net.to_plant, net.press))], kind
        assert crossed(walk) == [("hv1", "hv3")] and [place for place, _ in outside(walk)] == ["hv3"]
        sent = ping(net.one, net.to_red, ROBOT)
        walk = cloud.inject(f"{net.one.id}@hv1", sent)
        left = sent.but(eth_src=net.to_plant.mac_address, eth_dst=ROBOT_MAC, ip_ttl=63)
        assert outside(walk) == [("hv3", on_wire(net, left))]
        here = cloud.port(f"{kind}here", net.plant, "10.0.2.13", "hv3")
        sent = ping(net.one, net.to_red, address(here))
        walk = cloud.inject(f"{net.one.id}@hv1", sent)
        assert walk.deliveries == [Delivery(f"{here.id}@hv3", arrives(sent, net.to_plant, here))]


@story
def machines_on_a_physical_network_reach_the_world_by_a_routers_gateway(cloud: Cloud) -> None:
    net = outward(cloud)
    provider = cloud.network("plant", "vlan", transit=Segment("geneve", TRANSIT["vlan"]))
    cloud.subnet(provider, "10.0.2.0/24", gateway_ip="10.0.2.1")
    to_plant = cloud.interface(net.hub, provider, "10.0.2.1")
    cloud.put(Neighbour(f"plant/{ROBOT}", "plant", ROBOT, ROBOT_MAC))
    sent = udp(ROBOT_MAC, to_plant.mac_address, ROBOT, FAR, udp_src=4000, udp_dst=53)
    walk = cloud.inject_physical("physnet1", sent.but(vlan_vid=0x1064))
    block = block_of(cloud, net.hub, "hv3")
    expected = seen(sent, net.out.mac_address, OUTSIDE, udp_src=block)
    assert outside(walk) == [("hv3", expected)]
    back = from_far(net, net.out.mac_address, OUTSIDE, udp_src=53, udp_dst=block)
    ((place, frame),) = outside(cloud.inject_physical(FLAT, back))
    assert place == "hv3" and frame == back.but(
        eth_src=to_plant.mac_address, eth_dst=ROBOT_MAC, ipv4_dst=ROBOT, udp_dst=4000, ip_ttl=63, vlan_vid=0x1064
    )


@story
def a_door_without_controller_falls_silent_on_a_provider_network_too(cloud: Cloud) -> None:
    net = plant(cloud, gateways=("hv1", "hv3"))
    know(cloud, net)
    three = cloud.port("three", net.red, "10.0.1.13", "hv3")
    local = {"hv1": net.one, "hv3": three}
    asked = arp_request(ROBOT_MAC, ROBOT, "10.0.2.1")
    ((former, _),) = outside(said(cloud, net, asked))
    (successor,) = {"hv1", "hv3"} - {former}
    cloud.lose(former)
    # After the answer, the successor shows its secret once more.
    assert [(chassis, packet["arp_op"]) for chassis, packet in outside(said(cloud, net, asked))] == [
        (successor, ARP_REPLY),
        (successor, ARP_REQUEST),
    ]
    # Each chassis sends with a MAC address of its own, but for the one that stands for the router.
    for at, mac in ((former, chassis_mac(former)), (successor, net.to_plant.mac_address)):
        sent = ping(local[at], net.to_red, ROBOT)
        left = sent.but(eth_src=mac, eth_dst=ROBOT_MAC, ip_ttl=63)
        assert outside(cloud.inject(f"{local[at].id}@{at}", sent)) == [(at, on_wire(net, left))]
    cloud.regain(former)
    assert [chassis for chassis, _ in outside(said(cloud, net, asked))] == [former]
    sent = ping(local[former], net.to_red, ROBOT)
    left = sent.but(eth_src=net.to_plant.mac_address, eth_dst=ROBOT_MAC, ip_ttl=63)
    assert outside(cloud.inject(f"{local[former].id}@{former}", sent)) == [(former, on_wire(net, left))]
