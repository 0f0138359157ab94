"""Stories of routers: from network to network, to the routers themselves, and nowhere. See ``tests.packet_stories``."""

from typing import NamedTuple

from flows import packets
from flows.fields import ICMP_ECHO_REPLY
from flows.packets import Packet, arp_reply, arp_request, gratuitous_arp, icmp_echo, udp
from flows.pipeline import ROUTER_OUTPUT, ROUTES
from flows.simulator import Delivery, Walk
from tests.clouds import CHASSIS, OVERLAYS, Cloud
from tests.storytelling import address, ask, crossed, hello, nothing, reached, story
from topology.values import FixedIP, Network, Port, Route, Router


class Joined(NamedTuple):
    """Two networks with a router between: ``one`` is 10.0.1.11 on hv1, ``two`` 10.0.2.12 on hv2, the router is .1."""

    red: Network
    blue: Network
    one: Port
    two: Port
    hub: Router
    to_red: Port
    to_blue: Port


def lan(cloud: Cloud, name: str, number: int, kind: str = "geneve") -> Network:
    """A network with 10.0.<number>.0/24."""
    network = cloud.network(name, kind)
    cloud.subnet(network, f"10.0.{number}.0/24", gateway_ip=f"10.0.{number}.1")
    return network


def joined(cloud: Cloud, kind: str = "geneve", name: str = "") -> Joined:
    red, blue = lan(cloud, f"{name}red", 1, kind), lan(cloud, f"{name}blue", 2, kind)
    one = cloud.port(f"{name}one", red, "10.0.1.11", "hv1")
    two = cloud.port(f"{name}two", blue, "10.0.2.12", "hv2")
    hub = cloud.router(f"{name}hub", red, blue)
    to_red, to_blue = interface(cloud, hub, red), interface(cloud, hub, blue)
    return Joined(red, blue, one, two, hub, to_red, to_blue)


def interface(cloud: Cloud, router: Router, network: Network) -> Port:
    (port,) = (p for p in cloud.store.find(Port, "interface_of", router.id) if p.network_id == network.id)
    return port


def ping(source: Port, gateway: Port, target: str) -> Packet:
    """A ping by way of a router's interface."""
    return icmp_echo(source.mac_address, gateway.mac_address, address(source), target)


def arrives(packet: Packet, last: Port, target: Port, hops: int = 1) -> Packet:
    """The packet as it comes to its target, from the last router's interface there."""
    return packet.but(eth_src=last.mac_address, eth_dst=target.mac_address, ip_ttl=packet["ip_ttl"] - hops)


def reported(walk: Walk) -> list[tuple[str, str]]:
    """Which routers had the controller report something, and from which table."""
    return [(flow.owner, table) for _, flow, _ in walk.to_controller for table in [_TABLE_NAMES[flow.table]]]


_TABLE_NAMES = {ROUTES.number: "routes", ROUTER_OUTPUT.number: "router_output"}


# From network to network


@story
def a_router_carries_packets_between_networks_in_one_hop(cloud: Cloud) -> None:
    for kind in OVERLAYS:
        net = joined(cloud, kind, kind)
        near = cloud.port(f"{kind}near", net.blue, "10.0.2.13", "hv1")
        there = ping(net.one, net.to_red, address(net.two))
        walk = cloud.inject(f"{net.one.id}@hv1", there)
        assert walk.deliveries == [Delivery(f"{net.two.id}@hv2", arrives(there, net.to_blue, net.two))]
        assert [(c.from_chassis, c.to_chassis, c.tun_id) for c in walk.on_core] == [
            ("hv1", "hv2", net.blue.segment.segmentation_id)
        ]
        back = ping(net.two, net.to_blue, address(net.one))
        walk = cloud.inject(f"{net.two.id}@hv2", back)
        assert walk.deliveries == [Delivery(f"{net.one.id}@hv1", arrives(back, net.to_red, net.one))]
        here = ping(net.one, net.to_red, address(near))
        walk = cloud.inject(f"{net.one.id}@hv1", here)
        assert walk.deliveries == [Delivery(f"{near.id}@hv1", arrives(here, net.to_blue, near))]
        assert not walk.on_core
        for port, at in ((net.one, "hv1"), (net.two, "hv2"), (near, "hv1")):
            cloud.unbind(port, at)


@story
def a_routers_address_is_answered_in_arp_wherever_its_network_is(cloud: Cloud) -> None:
    net = joined(cloud)
    for port, at, gateway in ((net.one, "hv1", net.to_red), (net.two, "hv2", net.to_blue)):
        walk = cloud.inject(f"{port.id}@{at}", ask(port, address(gateway)))
        answer = arp_reply(gateway.mac_address, address(gateway), port.mac_address, address(port))
        assert walk.deliveries == [Delivery(f"{port.id}@{at}", answer)] and not walk.on_core
    # Nobody else speaks for it, not even with a pair that says so.
    for lie in (
        gratuitous_arp(net.one.mac_address, "10.0.1.1"),
        arp_request(net.one.mac_address, "10.0.1.1", "10.0.1.99"),
        arp_reply(net.one.mac_address, "10.0.1.1", packets.BROADCAST_MAC, "10.0.1.1"),
    ):
        cloud.change(net.one, port_security_enabled=False)
        assert nothing(cloud.inject("one@hv1", lie))


@story
def the_gateway_of_a_subnet_is_the_services_again_when_its_router_is_gone(cloud: Cloud) -> None:
    net = joined(cloud)
    cloud.delete(net.to_red)
    walk = cloud.inject("one@hv1", ask(net.one, "10.0.1.1"))
    assert [packet["eth_src"] != mac_of(net.to_red) for _, packet in walk.deliveries] == [True]


def mac_of(port: Port) -> int:
    return int(port.mac_address.replace(":", ""), 16)


@story
def tenants_without_a_common_router_stay_apart(cloud: Cloud) -> None:
    # The same addresses, and even the same MAC addresses of their gateways.
    clouds = [joined(cloud, name=name) for name in ("a", "b")]
    mine, other = clouds
    for gateway in (mine.to_red, mine.to_blue, other.to_red, other.to_blue):
        walk = cloud.inject("aone@hv1", ping(mine.one, gateway, "10.0.2.12"))
        assert reached(walk) in ([], ["atwo@hv2"])
    third = lan(cloud, "third", 3)
    cloud.port("stranger", third, "10.0.3.13", "hv1")
    walk = cloud.inject("aone@hv1", ping(mine.one, mine.to_red, "10.0.3.13"))
    assert reached(walk) == [] and reported(walk) == [("router/ahub", "routes")]


@story
def several_subnets_of_one_network_meet_at_a_router(cloud: Cloud) -> None:
    network = lan(cloud, "red", 1)
    second = cloud.subnet(network, "10.0.9.0/24", gateway_ip="10.0.9.1")
    one = cloud.port("one", network, "10.0.1.11", "hv1")
    two = cloud.port("two", network, "10.0.9.12", "hv2", fixed_ips=(FixedIP(second.id, "10.0.9.12"),))
    hub = cloud.router("hub")
    first, other = (cloud.interface(hub, network, address) for address in ("10.0.1.1", "10.0.9.1"))
    there = ping(one, first, "10.0.9.12")
    walk = cloud.inject("one@hv1", there)
    assert walk.deliveries == [Delivery("two@hv2", arrives(there, other, two))]
    back = ping(two, other, "10.0.1.11")
    assert cloud.inject("two@hv2", back).deliveries == [Delivery("one@hv1", arrives(back, first, one))]


@story
def an_instance_may_send_to_itself_by_way_of_its_router(cloud: Cloud) -> None:
    net = joined(cloud)
    there = udp(net.one.mac_address, net.to_red.mac_address, "10.0.1.11", "10.0.1.11")
    assert cloud.inject("one@hv1", there).deliveries == [Delivery("one@hv1", arrives(there, net.to_red, net.one))]


@story
def a_router_routes_only_what_is_sent_to_it(cloud: Cloud) -> None:
    net = joined(cloud)
    for packet in (hello(net.one), packets.multicast(net.one.mac_address, address(net.one))):
        assert reached(cloud.inject("one@hv1", packet)) == []
    to_nobody = icmp_echo(net.one.mac_address, "fa:16:3e:99:99:99", "10.0.1.11", "10.0.2.12")
    assert nothing(cloud.inject("one@hv1", to_nobody))
    assert nothing(cloud.inject("one@hv1", packets.ipv6(net.one.mac_address, net.to_red.mac_address)))
    for nowhere in ("169.254.169.254", "127.0.0.1", "224.0.0.5", "255.255.255.255", "0.0.0.1", "240.0.0.1"):
        assert nothing(cloud.inject("one@hv1", ping(net.one, net.to_red, nowhere)))


@story
def what_is_routed_follows_an_instance_that_migrates(cloud: Cloud) -> None:
    net = joined(cloud)
    cloud.bind(net.two, "hv3")
    there = ping(net.one, net.to_red, "10.0.2.12")
    assert reached(cloud.inject("one@hv1", there)) == ["two@hv3"]
    cloud.unbind(net.two, "hv2")
    cloud.bind(net.one, "hv2")
    assert reached(cloud.inject("one@hv2", there)) == ["two@hv3"]
    assert nothing(cloud.inject("one@hv1", there))


@story
def admin_state_stops_a_router_and_an_interface(cloud: Cloud) -> None:
    net = joined(cloud)
    there = ping(net.one, net.to_red, "10.0.2.12")
    for row in (net.hub, net.to_red, net.to_blue, net.blue):
        cloud.change(row, admin_state_up=False)
        assert reached(cloud.inject("one@hv1", there)) == [], row
        cloud.change(row, admin_state_up=True)
        assert reached(cloud.inject("one@hv1", there)) == ["two@hv2"], row


# To the router itself


@story
def every_address_of_a_router_answers_pings(cloud: Cloud) -> None:
    net = joined(cloud)
    for gateway in (net.to_red, net.to_blue):
        for left in (64, 1):
            request = ping(net.one, net.to_red, address(gateway)).but(ip_ttl=left)
            walk = cloud.inject("one@hv1", request)
            answer = icmp_echo(gateway.mac_address, net.one.mac_address, address(gateway), "10.0.1.11")
            answer = answer.but(icmp_type=ICMP_ECHO_REPLY)
            assert walk.deliveries == [Delivery("one@hv1", answer)] and not walk.on_core


@story
def what_no_router_forwards_ends_there(cloud: Cloud) -> None:
    net = joined(cloud)
    # Else it would be dropped before, as nobody's.
    free = cloud.port("free", net.red, "10.0.1.13", "hv1", port_security_enabled=False)
    cloud.change(net.hub, routes=(Route("0.0.0.0/0", "10.0.2.12"),))
    assert reached(cloud.inject("free@hv1", ping(free, net.to_red, "192.0.2.1"))) == ["two@hv2"]
    for target in ("0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.5", "240.0.0.1", "255.255.255.255"):
        assert nothing(cloud.inject("free@hv1", ping(free, net.to_red, target))), target


@story
def what_a_router_cannot_do_the_controller_reports(cloud: Cloud) -> None:
    net = joined(cloud)
    by_routes, by_output = [("router/hub", "routes")], [("router/hub", "router_output")]
    for left in (0, 1):
        walk = cloud.inject("one@hv1", ping(net.one, net.to_red, "10.0.2.12").but(ip_ttl=left))
        assert reached(walk) == [] and reported(walk) == by_routes
    for target, expected in (("192.0.2.99", by_routes), ("10.0.2.99", by_output), ("10.0.1.99", by_output)):
        walk = cloud.inject("one@hv1", ping(net.one, net.to_red, target))
        assert reached(walk) == [] and reported(walk) == expected, target
        # As it was sent, so that the report goes back from the interface that took it.
        ends = [(packet["eth_src"], packet["eth_dst"]) for _, _, packet in walk.to_controller]
        assert ends == [(mac_of(net.one), mac_of(net.to_red))]
    for knock in (udp(net.one.mac_address, net.to_red.mac_address, "10.0.1.11", "10.0.2.1"),
                  packets.tcp(net.one.mac_address, net.to_red.mac_address, "10.0.1.11", "10.0.1.1")):  # fmt: skip
        walk = cloud.inject("one@hv1", knock)
        assert reached(walk) == [] and reported(walk) == by_routes
        # At once, and not when it has been routed there again and again until its time is over.
        assert [packet["ip_ttl"] for _, _, packet in walk.to_controller] == [knock["ip_ttl"]]
    cloud.unbind(net.two, "hv2")
    walk = cloud.inject("one@hv1", ping(net.one, net.to_red, "10.0.2.12"))
    assert reported(walk) == by_output, "an instance that is plugged in nowhere"


# Routers behind routers


class Chain(NamedTuple):
    """``one`` (10.0.1.11, hv1) behind ``west``, ``two`` (10.0.2.12, hv2) behind ``east``, 10.0.7.0/24 in between."""

    one: Port
    two: Port
    west: Router
    east: Router
    red: Network
    blue: Network
    transit: Network


def chain(cloud: Cloud, name: str = "") -> Chain:
    red, blue, transit = (lan(cloud, f"{name}{each}", n) for each, n in (("red", 1), ("blue", 2), ("transit", 7)))
    one = cloud.port(f"{name}one", red, "10.0.1.11", "hv1")
    two = cloud.port(f"{name}two", blue, "10.0.2.12", "hv2")
    west = cloud.router(f"{name}west", red, routes=(("10.0.2.0/24", "10.0.7.20"),))
    east = cloud.router(f"{name}east", blue, routes=(("0.0.0.0/0", "10.0.7.10"),))
    cloud.interface(west, transit, "10.0.7.10")
    cloud.interface(east, transit, "10.0.7.20")
    return Chain(one, two, west, east, red, blue, transit)


@story
def routers_in_a_chain_are_passed_on_the_first_chassis(cloud: Cloud) -> None:
    net = chain(cloud)
    there = ping(net.one, interface(cloud, net.west, net.red), "10.0.2.12")
    walk = cloud.inject("one@hv1", there)
    assert walk.deliveries == [Delivery("two@hv2", arrives(there, interface(cloud, net.east, net.blue), net.two, 2))]
    assert crossed(walk) == [("hv1", "hv2")]
    back = ping(net.two, interface(cloud, net.east, net.blue), "10.0.1.11")
    walk = cloud.inject("two@hv2", back)
    assert walk.deliveries == [Delivery("one@hv1", arrives(back, interface(cloud, net.west, net.red), net.one, 2))]
    # The router behind answers, and is where a packet with one hop less to live ends.
    walk = cloud.inject("one@hv1", ping(net.one, interface(cloud, net.west, net.red), "10.0.7.20"))
    assert [(place, packet["ip_ttl"]) for place, packet in walk.deliveries] == [("one@hv1", 64)]
    assert reported(cloud.inject("one@hv1", there.but(ip_ttl=1))) == [("router/west", "routes")]
    assert reported(cloud.inject("one@hv1", there.but(ip_ttl=2))) == [("router/east", "routes")]
    cloud.change(net.east, routes=())
    assert reached(cloud.inject("one@hv1", there)) == ["two@hv2"]
    assert reported(cloud.inject("two@hv2", back)) == [("router/east", "routes")], "there is no way back now"


@story
def tenants_with_the_same_routers_in_a_chain_stay_apart(cloud: Cloud) -> None:
    nets = chain(cloud), chain(cloud, "another ")
    for net in nets:
        there = ping(net.one, interface(cloud, net.west, net.red), "10.0.2.12")
        assert reached(cloud.inject(f"{net.one.id}@hv1", there)) == [f"{net.two.id}@hv2"]
    cloud.change(nets[0].east, routes=())
    back = ping(nets[1].two, interface(cloud, nets[1].east, nets[1].blue), "10.0.1.11")
    assert reached(cloud.inject("another two@hv2", back)) == ["another one@hv1"]


@story
def routers_that_send_to_one_another_come_to_an_end(cloud: Cloud) -> None:
    net = chain(cloud)
    cloud.change(net.west, routes=(*net.west.routes, Route("10.9.0.0/16", "10.0.7.20")))
    walk = cloud.inject("one@hv1", ping(net.one, interface(cloud, net.west, net.red), "10.9.0.9"))
    assert reached(walk) == []
    assert reported(walk) in ([("router/east", "routes")], [("router/west", "routes")])


@story
def the_longest_prefix_comes_first(cloud: Cloud) -> None:
    net = joined(cloud)
    gateways = [
        cloud.port(f"gw{n}", net.blue, f"10.0.2.{n}", "hv2", port_security_enabled=False) for n in (20, 21, 22, 23)
    ]
    wide, middle, narrow, host = (address(port) for port in gateways)
    cloud.change(
        net.hub,
        routes=(
            Route("0.0.0.0/0", wide),
            Route("198.51.0.0/16", middle),
            Route("198.51.100.0/24", narrow),
            Route("198.51.100.7/32", host),
            Route("10.0.1.0/24", host),
            Route("203.0.113.0/24", "192.0.2.1"),
        ),
    )
    for target, expected in (
        ("8.8.8.8", "gw20"),
        ("198.51.1.1", "gw21"),
        ("198.51.100.8", "gw22"),
        ("198.51.100.7", "gw23"),
        ("203.0.113.1", "gw20"),
    ):
        walk = cloud.inject("one@hv1", ping(net.one, net.to_red, target))
        assert reached(walk) == [f"{expected}@hv2"], target
    assert reached(cloud.inject("two@hv2", ping(net.two, net.to_blue, "10.0.1.11"))) == ["one@hv1"]
    assert nothing(cloud.inject("one@hv1", ping(net.one, net.to_red, "169.254.169.254")))


@story
def several_next_hops_share_the_connections(cloud: Cloud) -> None:
    net = joined(cloud)
    doors = [cloud.port(f"door{n}", net.blue, f"10.0.2.{n}", "hv2", port_security_enabled=False) for n in (20, 21, 22)]
    cloud.change(net.hub, routes=tuple(Route("198.51.100.0/24", address(door)) for door in doors))
    targets = [f"198.51.100.{n}" for n in range(1, 40)]

    def chosen() -> dict[str, str]:
        return {target: reached(cloud.inject("one@hv1", ping(net.one, net.to_red, target)))[0] for target in targets}

    before = chosen()
    assert set(before.values()) == {f"{door.id}@hv2" for door in doors}
    assert chosen() == before, "one connection, one way"
    left = {p["ip_ttl"] for t in targets for _, p in cloud.inject("one@hv1", ping(net.one, net.to_red, t)).deliveries}
    assert left == {63}, "each way is one hop"
    cloud.unbind(doors[1], "hv2")
    after = chosen()
    assert set(after.values()) == {"door20@hv2", "door22@hv2"}, "one that is not there is left out"
    cloud.unbind(doors[0], "hv2")
    assert set(chosen().values()) == {"door22@hv2"}
    cloud.unbind(doors[2], "hv2")
    walk = cloud.inject("one@hv1", ping(net.one, net.to_red, targets[0]))
    assert reported(walk) == [("router/hub", "router_output")]


# Who holds what


@story
def a_chassis_holds_the_flows_of_what_its_ports_can_reach(cloud: Cloud) -> None:
    bare = {name: list(cloud.flows(name).values()) for name in CHASSIS}
    net = joined(cloud)
    third = lan(cloud, "third", 3)
    far = cloud.port("far", third, "10.0.3.13", "hv3")

    def knows(chassis: str, port: Port) -> bool:
        return any(flow.owner == f"port/{port.id}" for flow in cloud.flows(chassis).values())

    assert knows("hv1", net.two) and knows("hv2", net.one)
    assert not knows("hv3", net.one) and not knows("hv1", far) and not knows("hv3", net.to_red)
    edge = cloud.interface(net.hub, third, "10.0.3.1")
    assert knows("hv3", net.one) and knows("hv1", far) and knows("hv3", net.to_red)
    assert reached(cloud.inject("far@hv3", ping(far, edge, "10.0.1.11"))) == ["one@hv1"]
    cloud.delete(edge)
    assert not knows("hv3", net.one) and not knows("hv1", far) and not knows("hv3", net.to_red)
    cloud.unbind(far, "hv3")
    cloud.delete(net.to_blue)
    assert not knows("hv1", net.two) and not knows("hv2", net.one)
    assert reached(cloud.inject("one@hv1", ping(net.one, net.to_red, "10.0.2.12"))) == []
    cloud.unbind(net.one, "hv1")
    cloud.unbind(net.two, "hv2")
    assert {name: list(cloud.flows(name).values()) for name in CHASSIS} == bare


@story
def a_network_that_no_route_leads_to_is_not_known(cloud: Cloud) -> None:
    # Two tenants' routers on a transit network that they share: only routes make one know the other.
    net = chain(cloud)
    for router in (net.west, net.east):
        cloud.change(router, routes=())
    owners = {flow.owner for flow in cloud.flows("hv1").values()}
    assert "port/two" not in owners
    assert reported(cloud.inject("one@hv1", ping(net.one, interface(cloud, net.west, net.red), "10.0.2.12"))) == [
        ("router/west", "routes")
    ]
