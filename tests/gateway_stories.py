"""Stories of gateways: out to an external network, and back in. See ``tests.packet_stories``."""

from ipaddress import IPv4Address
from typing import NamedTuple

from flows.drops import REASONS
from flows.packets import Packet, arp_reply, arp_request, gratuitous_arp, icmp_echo, icmp_error, tcp, udp
from flows.pipeline import DROPS
from flows.simulator import Delivery, Walk
from tests.clouds import BLOCK, CHASSIS, UPSTREAM, UPSTREAM_MAC, Cloud, SimulatedCloud
from tests.router_stories import arrives, interface, lan
from tests.storytelling import address, nothing, reached, story
from topology.addressing import SERVICE_MAC, chassis_mac
from topology.gateway_values import Neighbour, Translation
from topology.values import FixedIP, FloatingIP, Network, Port, Router, SubnetPool

FAR = "198.51.100.9"
OUTSIDE, SECOND = "203.0.113.10", "203.0.113.12"
FLAT = "physnet2"


class Outward(NamedTuple):
    """A router with a gateway: ``one`` is 10.0.1.11 on hv1, ``two`` 10.0.1.12 on hv2; hv3 is the gateway chassis."""

    world: Network
    red: Network
    one: Port
    two: Port
    hub: Router
    to_red: Port
    out: Port


def outward(cloud: Cloud, gateways: tuple[str, ...] = ("hv3",), doors: tuple[str, ...] = ("hv3",)) -> Outward:
    cloud.doors(gateways, doors)
    world, red = cloud.external(), lan(cloud, "red", 1)
    one, two = cloud.port("one", red, "10.0.1.11", "hv1"), cloud.port("two", red, "10.0.1.12", "hv2")
    hub = cloud.router("hub", red)
    out = cloud.gateway(hub, world, OUTSIDE)
    return Outward(world, red, one, two, hub, interface(cloud, hub, red), out)


def second_address(cloud: Cloud, net: Outward) -> Port:
    """Give the router a second address outside."""
    port: Port = cloud.change(net.out, fixed_ips=(*net.out.fixed_ips, FixedIP(net.out.fixed_ips[0].subnet_id, SECOND)))
    return port


def ask_far(net: Outward, source: Port, target: str = FAR, **ports: int) -> Packet:
    return udp(source.mac_address, net.to_red.mac_address, address(source), target, **ports)


def seen(packet: Packet, mac: str, source: str, to_mac: str = UPSTREAM_MAC, **changes: int) -> Packet:
    """A packet as it is on the external network."""
    return packet.but(eth_src=mac, eth_dst=to_mac, ipv4_src=source, ip_ttl=packet["ip_ttl"] - 1, **changes)


def from_far(net: Outward, to_mac: str, target: str, **ports: int) -> Packet:
    return udp(UPSTREAM_MAC, to_mac, FAR, target, **ports)


def block_of(cloud: Cloud, router: Router, chassis: str, ports: int = BLOCK) -> int:
    row = cloud.store.get(Translation, f"{router.id}@{chassis}")
    assert row is not None and row.ports == ports
    return row.first_port


def outside(walk: Walk) -> list[tuple[str, Packet]]:
    return [(frame.chassis_id, frame.packet) for frame in walk.on_physical]


def answered(cloud: Cloud, net: Outward, sent: Packet) -> list[str]:
    """Where the answer to a packet that was seen outside arrives."""
    ports = {"udp_src": sent["udp_dst"], "udp_dst": sent["udp_src"]}
    back = udp(UPSTREAM_MAC, net.out.mac_address, FAR, source_of(sent), **ports)
    return [place for place, _ in cloud.inject_physical(FLAT, back).deliveries]


def source_of(packet: Packet) -> str:
    return str(IPv4Address(packet["ipv4_src"]))


def heard_of(walk: Walk) -> list[tuple[str, str]]:
    """From which chassis the controller has packets to report about, and on whose account."""
    return [(chassis, flow.owner) for chassis, flow, _ in walk.to_controller]


@story
def what_leaves_by_a_gateway_has_the_routers_address_and_a_port_of_its_chassis(cloud: Cloud) -> None:
    net = outward(cloud)
    blocks = set()
    for port, at in ((net.one, "hv1"), (net.two, "hv2")):
        block = block_of(cloud, net.hub, at)
        sent = ask_far(net, port, udp_src=40000, udp_dst=53)
        walk = cloud.inject(f"{port.id}@{at}", sent)
        ((door, packet),) = outside(walk)
        assert door == "hv3"
        assert packet == seen(sent, net.out.mac_address, OUTSIDE, udp_src=block)
        assert [(c.from_chassis, c.to_chassis) for c in walk.on_core] == [(at, "hv3")] and not walk.deliveries
        back = from_far(net, net.out.mac_address, OUTSIDE, udp_src=53, udp_dst=packet["udp_src"])
        walk = cloud.inject_physical(FLAT, back)
        expected = arrives(back, net.to_red, port).but(ipv4_dst=address(port), udp_dst=40000)
        assert walk.deliveries == [Delivery(f"{port.id}@{at}", expected)]
        assert [(c.from_chassis, c.to_chassis) for c in walk.on_core] == [("hv3", at)]
        blocks.add(block)
    assert len(blocks) == 2


@story
def nobody_outside_begins_anything_with_a_routers_address(cloud: Cloud) -> None:
    net = outward(cloud)
    for port in (block_of(cloud, net.hub, "hv1"), block_of(cloud, net.hub, "hv2"), 22, 65535):
        walk = cloud.inject_physical(FLAT, from_far(net, net.out.mac_address, OUTSIDE, udp_src=53, udp_dst=port))
        assert not walk.deliveries
        # Ports that are nobody's, the router reports; whether others are, only the chassis knows that have them.
        assert heard_of(walk) == ([("hv3", "router/hub")] if port in (22, 65535) else [])
    # Nor with an address inside, as the upstream router might send it.
    walk = cloud.inject_physical(FLAT, from_far(net, net.out.mac_address, address(net.one)))
    assert not walk.deliveries


@story
def what_comes_with_no_hop_left_is_reported_where_it_comes_in(cloud: Cloud) -> None:
    """So that a traceroute from outside shows the router, wherever the instance is."""
    net = outward(cloud, ("hv3",), ("hv2", "hv3"))
    far, near = floating(cloud, net, 20, net.one), floating(cloud, net, 21, net.two)
    forwarded = cloud.floating_ip(net.world, "203.0.113.30", router_id="hub")
    cloud.forward(forwarded, net.one, 2222, 22)
    for_all = (
        ("hv3", udp(UPSTREAM_MAC, mac_of(cloud, far), FAR, far.address, udp_dst=33434)),
        ("hv3", icmp_echo(UPSTREAM_MAC, mac_of(cloud, far), FAR, far.address)),
        ("hv2", udp(UPSTREAM_MAC, mac_of(cloud, near), FAR, near.address, udp_dst=33434)),
        ("hv3", tcp(UPSTREAM_MAC, mac_of(cloud, forwarded), FAR, forwarded.address, tcp_src=7, tcp_dst=2222)),
        ("hv3", from_far(net, net.out.mac_address, OUTSIDE, udp_src=53, udp_dst=block_of(cloud, net.hub, "hv1"))),
    )
    for door, packet in for_all:
        for left in (0, 1):
            walk = cloud.inject_physical(FLAT, packet.but(ip_ttl=left))
            assert heard_of(walk) == [(door, "router/hub")] and not walk.deliveries, packet
            assert [reported["ipv4_dst"] for _, _, reported in walk.to_controller] == [packet["ipv4_dst"]]
        assert not cloud.inject_physical(FLAT, packet.but(ip_ttl=2)).to_controller
    to_itself = icmp_echo(UPSTREAM_MAC, net.out.mac_address, FAR, OUTSIDE).but(ip_ttl=1)
    assert [door for door, _ in outside(cloud.inject_physical(FLAT, to_itself))] == ["hv3"], "it is there"


@story
def pings_and_errors_find_their_way_back(cloud: Cloud) -> None:
    net = outward(cloud)
    ping = icmp_echo(net.one.mac_address, net.to_red.mac_address, address(net.one), FAR)
    assert outside(cloud.inject("one@hv1", ping)) == [("hv3", seen(ping, net.out.mac_address, OUTSIDE))]
    pong = icmp_echo(UPSTREAM_MAC, net.out.mac_address, FAR, OUTSIDE).but(icmp_type=0)
    walk = cloud.inject_physical(FLAT, pong)
    expected = arrives(pong, net.to_red, net.one).but(ipv4_dst=address(net.one))
    assert walk.deliveries == [Delivery("one@hv1", expected)]
    assert isinstance(cloud, SimulatedCloud)
    steps = cloud.fabric.inject_physical(FLAT, pong).steps
    ends = [(step.chassis_id, step.packet["drop_reason"]) for step in steps if step.table == DROPS.name]
    assert ends == [("hv2", REASONS["icmp_copy"].number)], "which has a copy, and has not asked"
    sent = ask_far(net, net.two, udp_src=40000, udp_dst=33434)
    ((_, packet),) = outside(cloud.inject("two@hv2", sent))
    error = icmp_error(packet, UPSTREAM_MAC, net.out.mac_address, "192.0.2.250", icmp_type=11)
    (delivery,) = cloud.inject_physical(FLAT, error).deliveries
    assert delivery.port_id == "two@hv2"
    assert delivery.packet["ipv4_dst"] == sent["ipv4_src"] and delivery.packet.quoted == sent.five_tuple


@story
def an_answer_reaches_all_who_asked_alike_also_on_the_gateway_chassis_itself(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1",), ("hv1",))
    for port, at in ((net.one, "hv1"), (net.two, "hv2")):
        ping = icmp_echo(port.mac_address, net.to_red.mac_address, address(port), FAR)
        assert outside(cloud.inject(f"{port.id}@{at}", ping)) == [("hv1", seen(ping, net.out.mac_address, OUTSIDE))]
    pong = icmp_echo(UPSTREAM_MAC, net.out.mac_address, FAR, OUTSIDE).but(icmp_type=0)
    walk = cloud.inject_physical(FLAT, pong)
    assert reached(walk) == ["one@hv1", "two@hv2"]
    # To the other chassis it goes as it came: the one here has not been translated yet.
    assert [crossing.packet["ipv4_dst"] for crossing in walk.on_core] == [pong["ipv4_dst"]]


@story
def a_router_answers_echo_requests_from_outside_and_from_inside(cloud: Cloud) -> None:
    net = outward(cloud)
    asked = icmp_echo(UPSTREAM_MAC, net.out.mac_address, UPSTREAM, OUTSIDE)
    reply = icmp_echo(net.out.mac_address, UPSTREAM_MAC, OUTSIDE, UPSTREAM).but(icmp_type=0)
    assert outside(cloud.inject_physical(FLAT, asked)) == [("hv3", reply)]
    ping = icmp_echo(net.one.mac_address, net.to_red.mac_address, address(net.one), OUTSIDE)
    ((place, packet),) = cloud.inject("one@hv1", ping).deliveries
    assert place == "one@hv1" and packet["icmp_type"] == 0 and packet["ipv4_src"] == ping["ipv4_dst"]


@story
def who_sends_to_his_own_source_port_outside_hears_himself_and_nobody_else_does(cloud: Cloud) -> None:
    """It is an answer in his own connection: from the router's address and port, to the same."""
    net = outward(cloud)
    block = block_of(cloud, net.hub, "hv1")
    sent = ask_far(net, net.one, OUTSIDE, udp_src=40000, udp_dst=block)
    walk = cloud.inject("one@hv1", sent)
    assert [(place, source_of(each), each["udp_src"]) for place, each in walk.deliveries] == [
        ("one@hv1", OUTSIDE, block)
    ]
    assert not outside(walk)
    walk = cloud.inject("two@hv2", ask_far(net, net.two, OUTSIDE, udp_src=40000, udp_dst=block))
    assert not walk.deliveries and not outside(walk), "which is another's"


@story
def one_gateway_chassis_at_a_time_answers_arp_for_a_routers_address(cloud: Cloud) -> None:
    net = outward(cloud, CHASSIS, CHASSIS)
    answers = outside(cloud.inject_physical(FLAT, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE)))
    assert [packet for _, packet in answers] == [arp_reply(net.out.mac_address, OUTSIDE, UPSTREAM_MAC, UPSTREAM)]
    (active,) = {name for name, _ in answers}
    left = tuple(name for name in CHASSIS if name != active)
    cloud.doors(left)
    ((other, _),) = outside(cloud.inject_physical(FLAT, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE)))
    assert other in left
    # Whichever it is, what was sent by one way finds back by the other.
    sent = ask_far(net, net.one, udp_src=40000, udp_dst=53)
    ((_, packet),) = outside(cloud.inject("one@hv1", sent))
    cloud.doors((active,))
    back = from_far(net, net.out.mac_address, OUTSIDE, udp_src=53, udp_dst=packet["udp_src"])
    assert [place for place, _ in cloud.inject_physical(FLAT, back).deliveries] == ["one@hv1"]


@story
def without_a_gateway_chassis_nothing_leaves(cloud: Cloud) -> None:
    net = outward(cloud, (), CHASSIS)
    assert nothing(cloud.inject("one@hv1", ask_far(net, net.one)))
    assert not outside(cloud.inject_physical(FLAT, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE)))


@story
def a_router_without_translation_routes_both_ways(cloud: Cloud) -> None:
    net = outward(cloud)
    cloud.change(net.hub, enable_snat=False)
    sent = ask_far(net, net.one, udp_src=40000, udp_dst=53)
    expected = seen(sent, net.out.mac_address, address(net.one))
    assert outside(cloud.inject("one@hv1", sent)) == [("hv3", expected)]
    back = from_far(net, net.out.mac_address, address(net.one), udp_src=53, udp_dst=40000)
    walk = cloud.inject_physical(FLAT, back)
    assert walk.deliveries == [Delivery("one@hv1", arrives(back, net.to_red, net.one))]


@story
def what_a_router_does_not_answer_ends_at_its_address_outside_also_without_translation(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1",), ("hv1",))
    cloud.change(net.hub, enable_snat=False)
    timestamp = icmp_echo(net.one.mac_address, net.to_red.mac_address, address(net.one), OUTSIDE).but(icmp_type=13)
    for times in (1, 2):
        assert nothing(cloud.inject("one@hv1", timestamp))
        assert cloud.dropped(net.one)["not_translated"] == times


@story
def within_an_address_scope_nothing_is_translated_and_none_leads_to_another(cloud: Cloud) -> None:
    net, blue = outward(cloud), lan(cloud, "blue", 2)
    plain = cloud.port("plain", blue, "10.0.2.11", "hv2")
    to_blue = cloud.interface(net.hub, blue, "10.0.2.1")
    for network in (net.world, net.red):
        cloud.pool(network, f"pool of {network.id}", "company")
    sent = ask_far(net, net.one, udp_src=40000, udp_dst=53)
    assert outside(cloud.inject("one@hv1", sent)) == [("hv3", seen(sent, net.out.mac_address, address(net.one)))]
    back = from_far(net, net.out.mac_address, address(net.one), udp_src=53, udp_dst=40000)
    arrived = [Delivery("one@hv1", arrives(back, net.to_red, net.one))]
    assert cloud.inject_physical(FLAT, back).deliveries == arrived
    # Who is in no scope has the router's address outside, is reached by nobody there, and by nobody of the scope.
    other = udp(plain.mac_address, to_blue.mac_address, address(plain), FAR, udp_src=40000, udp_dst=53)
    ((_, packet),) = outside(cloud.inject("plain@hv2", other))
    assert source_of(packet) == OUTSIDE and answered(cloud, net, packet) == ["plain@hv2"]
    assert not cloud.inject_physical(FLAT, from_far(net, net.out.mac_address, address(plain))).deliveries
    assert nothing(cloud.inject("one@hv1", ask_far(net, net.one, address(plain))))
    across = udp(plain.mac_address, to_blue.mac_address, address(plain), address(net.one))
    assert nothing(cloud.inject("plain@hv2", across))
    # A floating IP stands for its instance all the same.
    each = floating(cloud, net, 20, net.one)
    ((_, packet),) = outside(cloud.inject("one@hv1", sent))
    assert source_of(packet) == each.address
    cloud.change(cloud.store.get(SubnetPool, "pool of world"), address_scope_id=None)
    cloud.delete(each)
    ((_, packet),) = outside(cloud.inject("one@hv1", sent))
    assert source_of(packet) == OUTSIDE


@story
def an_unknown_neighbour_is_asked_for_on_account_of_the_router(cloud: Cloud) -> None:
    net = outward(cloud)
    cloud.delete(cloud.store.get(Neighbour, f"world/{UPSTREAM}"))
    walk = cloud.inject("one@hv1", ask_far(net, net.one))
    assert not outside(walk) and [flow.owner for _, flow, _ in walk.to_controller] == ["router/hub"]
    told = arp_reply(UPSTREAM_MAC, UPSTREAM, net.out.mac_address, OUTSIDE)
    walk = cloud.inject_physical(FLAT, told)
    assert [(chassis, flow.owner) for chassis, flow, _ in walk.to_controller] == [("hv3", "router/hub")]


@story
def no_flood_of_lies_keeps_what_a_known_neighbour_confirms_from_the_controller(cloud: Cloud) -> None:
    net = outward(cloud)
    liar = "00:00:5e:00:53:66"
    for mac, whom in ((chassis_mac("hv3"), "0.0.0.0"), (net.out.mac_address, "0.0.0.0")):
        meters = []
        for sender in (UPSTREAM_MAC, liar):
            walk = cloud.inject_physical(FLAT, arp_reply(sender, UPSTREAM, mac, whom))
            ((chassis, flow, _),) = walk.to_controller
            assert chassis == "hv3" and flow.owner == "network/world" and flow.meter is not None
            meters.append(flow.meter.number)
        assert meters[0] != meters[1]
    # Nor do they take from the budget of what instances send, who would find no new neighbour.
    lie = arp_reply(liar, UPSTREAM, net.out.mac_address, OUTSIDE)
    ((_, told, _),) = cloud.inject_physical(FLAT, lie).to_controller
    ((_, asked, _),) = cloud.inject("one@hv1", ask_far(net, net.one, "203.0.113.77")).to_controller
    assert told.meter is not None and asked.meter is not None and told.meter.number != asked.meter.number


@story
def who_speaks_for_an_address_of_ours_is_heard_where_it_is(cloud: Cloud) -> None:
    net = outward(cloud, ("hv3",), ("hv1", "hv3"))
    liar = "00:00:5e:00:53:66"
    cloud.port("bystander", net.world, "203.0.113.50", "hv3")
    places = {OUTSIDE: "hv3", floating(cloud, net, 20, net.one).address: "hv1"}
    forwarded = cloud.floating_ip(net.world, "203.0.113.21", router_id=net.hub.id)
    cloud.forward(forwarded, net.one, 2222, 22)
    places[forwarded.address] = "hv3"
    for ours, place in places.items():
        for claim in (gratuitous_arp(liar, ours), arp_request(liar, ours, UPSTREAM)):
            heard = cloud.inject_physical(FLAT, claim).to_controller
            assert [(chassis, flow.owner) for chassis, flow, _ in heard] == [(place, "router/hub")], (ours, claim)
    # Others' words are as on any network.
    assert cloud.inject_physical(FLAT, arp_request(liar, "203.0.113.66", "203.0.113.50")).deliveries
    assert reached(cloud.inject_physical(FLAT, arp_request(liar, "203.0.113.66", "203.0.113.99"))) == ["bystander@hv3"]


def floating(cloud: Cloud, net: Outward, last: int, port: Port | None, router: Router | None = None) -> FloatingIP:
    router_id = (router or net.hub).id if port is not None else None
    return cloud.floating_ip(net.world, f"203.0.113.{last}", port, router_id=router_id)


def mac_of(cloud: Cloud, one: FloatingIP) -> str:
    port = cloud.store.get(Port, one.floating_port_id)
    assert port is not None
    return port.mac_address


@story
def a_floating_ip_is_where_its_instance_is_if_there_is_a_door(cloud: Cloud) -> None:
    net = outward(cloud)
    for doors, site in ((("hv1", "hv3"), "hv1"), (("hv3",), "hv3")):
        cloud.doors(("hv3",), doors)
        each = floating(cloud, net, 20, net.one)
        mac = mac_of(cloud, each)
        asked = arp_request(UPSTREAM_MAC, UPSTREAM, each.address)
        answered = arp_reply(mac, each.address, UPSTREAM_MAC, UPSTREAM)
        assert outside(cloud.inject_physical(FLAT, asked)) == [(site, answered)]
        begun = from_far(net, mac, each.address, udp_src=7, udp_dst=53)
        walk = cloud.inject_physical(FLAT, begun)
        arrived = arrives(begun, net.to_red, net.one).but(ipv4_dst=address(net.one))
        assert walk.deliveries == [Delivery("one@hv1", arrived)]
        answer = ask_far(net, net.one, udp_src=53, udp_dst=7)
        assert outside(cloud.inject("one@hv1", answer)) == [(site, seen(answer, mac, each.address))]
        sent = ask_far(net, net.one, udp_src=1234, udp_dst=8)
        assert outside(cloud.inject("one@hv1", sent)) == [(site, seen(sent, mac, each.address))]


@story
def nobody_outside_sends_as_one_chassis_hands_on_to_another(cloud: Cloud) -> None:
    """For the MAC address that frames have between chassis, past the gateway."""
    net = outward(cloud, ("hv3",), ("hv1", "hv3"))
    each = floating(cloud, net, 20, net.one)
    begun = from_far(net, mac_of(cloud, each), each.address, udp_src=7, udp_dst=53)
    assert reached(cloud.inject_physical(FLAT, begun)) == ["one@hv1"]
    assert nothing(cloud.inject_physical(FLAT, begun.but(eth_dst=SERVICE_MAC)))


@story
def instances_reach_floating_ips_of_others_and_their_own(cloud: Cloud) -> None:
    net, blue = outward(cloud), lan(cloud, "blue", 2)
    guest, plain = cloud.port("guest", blue, "10.0.2.11", "hv2"), cloud.port("plain", net.red, "10.0.1.13", "hv1")
    other = cloud.router("other", blue)
    cloud.gateway(other, net.world, "203.0.113.11")
    first, second = floating(cloud, net, 21, net.one), floating(cloud, net, 22, net.two)
    third = floating(cloud, net, 23, guest, other)
    for doors in (CHASSIS, ("hv3",), ("hv1", "hv3")):
        cloud.doors(("hv3",), doors)
        targets = ((first, "one@hv1"), (second, "two@hv2"), (third, "guest@hv2"))
        for source, at in ((net.one, "hv1"), (plain, "hv1"), (net.two, "hv2")):
            for number, (target, place) in enumerate(targets):
                sent = ask_far(net, source, target.address, udp_src=5000, udp_dst=100 + number)
                walk = cloud.inject(f"{source.id}@{at}", sent)
                assert [delivered for delivered, _ in walk.deliveries] == [place], (doors, source.id, target.id)
                (received,) = (packet for _, packet in walk.deliveries)
                receiver = cloud.store.get(Port, place.partition("@")[0])
                assert receiver is not None
                back = udp(
                    receiver.mac_address,
                    received["eth_src"],
                    received["ipv4_dst"],
                    received["ipv4_src"],
                    udp_src=received["udp_dst"],
                    udp_dst=received["udp_src"],
                )
                ((delivered, answer),) = cloud.inject(place, back).deliveries
                assert delivered == f"{source.id}@{at}", (doors, source.id, target.id)
                assert answer["ipv4_src"] == sent["ipv4_dst"] and answer["udp_dst"] == sent["udp_src"]


@story
def a_floating_ip_that_moves_takes_its_connections_from_the_former(cloud: Cloud) -> None:
    net = outward(cloud)
    each = floating(cloud, net, 20, net.one)
    begun = from_far(net, mac_of(cloud, each), each.address, udp_src=7, udp_dst=53)
    assert [place for place, _ in cloud.inject_physical(FLAT, begun).deliveries] == ["one@hv1"]
    cloud.bind(net.two, "hv1")
    cloud.change(each, port_id="two", fixed_ip_address="10.0.1.12")
    assert [place for place, _ in cloud.inject_physical(FLAT, begun).deliveries] == ["two@hv1"]
    cloud.change(each, port_id=None, fixed_ip_address=None, router_id=None)
    assert not cloud.inject_physical(FLAT, begun).deliveries


@story
def forwarded_ports_lead_to_instances_and_nothing_else_does(cloud: Cloud) -> None:
    net = outward(cloud)
    each = cloud.floating_ip(net.world, "203.0.113.30", router_id="hub")
    cloud.forward(each, net.one, 2222, 22)
    cloud.forward(each, net.two, 8080, 80)
    mac = mac_of(cloud, each)
    asked = arp_request(UPSTREAM_MAC, UPSTREAM, each.address)
    answered = arp_reply(mac, each.address, UPSTREAM_MAC, UPSTREAM)
    assert outside(cloud.inject_physical(FLAT, asked)) == [("hv3", answered)]
    for port, at, external, internal in ((net.one, "hv1", 2222, 22), (net.two, "hv2", 8080, 80)):
        begun = tcp(UPSTREAM_MAC, mac, FAR, each.address, tcp_src=7, tcp_dst=external)
        arrived = arrives(begun, net.to_red, port).but(ipv4_dst=address(port), tcp_dst=internal)
        assert cloud.inject_physical(FLAT, begun).deliveries == [Delivery(f"{port.id}@{at}", arrived)]
        answer = tcp(port.mac_address, net.to_red.mac_address, address(port), FAR, tcp_src=internal, tcp_dst=7)
        expected = seen(answer, mac, each.address, tcp_src=external)
        assert outside(cloud.inject(f"{port.id}@{at}", answer)) == [("hv3", expected)]
    for other in (
        tcp(UPSTREAM_MAC, mac, FAR, each.address, tcp_src=7, tcp_dst=2223),
        udp(UPSTREAM_MAC, mac, FAR, each.address, udp_src=7, udp_dst=2222),
    ):
        walk = cloud.inject_physical(FLAT, other)
        assert not walk.deliveries and heard_of(walk) == [("hv3", "router/hub")], "the router says so"
    # What they begin themselves has the router's address.
    sent = ask_far(net, net.one, udp_src=40000, udp_dst=53)
    ((_, packet),) = outside(cloud.inject("one@hv1", sent))
    assert packet["ipv4_src"] == seen(sent, mac, OUTSIDE)["ipv4_src"]


@story
def tenants_with_the_same_addresses_do_not_meet_outside(cloud: Cloud) -> None:
    net = outward(cloud, ("hv3",), ("hv1", "hv3"))
    twin_lan = lan(cloud, "twin lan", 1)
    twin = cloud.port("twin", twin_lan, "10.0.1.11", "hv1")
    other = cloud.router("other", twin_lan)
    out = cloud.gateway(other, net.world, "203.0.113.11")
    tenants = ((net.one, net.to_red, net.out, OUTSIDE), (twin, interface(cloud, other, twin_lan), out, "203.0.113.11"))
    for port, door, own, outside_address in tenants:
        sent = udp(port.mac_address, door.mac_address, "10.0.1.11", FAR, udp_src=40000, udp_dst=53)
        ((_, packet),) = outside(cloud.inject(f"{port.id}@hv1", sent))
        assert packet == seen(sent, own.mac_address, outside_address, udp_src=packet["udp_src"])
        back = from_far(net, own.mac_address, outside_address, udp_src=53, udp_dst=packet["udp_src"])
        assert [place for place, _ in cloud.inject_physical(FLAT, back).deliveries] == [f"{port.id}@hv1"]
    # The one's address, at the other's router: nobody's.
    first = block_of(cloud, net.hub, "hv1")
    lost = from_far(net, out.mac_address, OUTSIDE, udp_src=53, udp_dst=first)
    assert {place for place, _ in cloud.inject_physical(FLAT, lost).deliveries} <= {"one@hv1"}
    for port, router in ((net.one, net.hub), (twin, other)):
        floating(cloud, net, 40 + (port is twin), port, router)
    for last, place in ((40, "one@hv1"), (41, "twin@hv1")):
        each = cloud.store.get(FloatingIP, f"floating-203.0.113.{last}")
        assert each is not None
        begun = from_far(net, mac_of(cloud, each), each.address, udp_src=9, udp_dst=99)
        assert [at for at, _ in cloud.inject_physical(FLAT, begun).deliveries] == [place]


@story
def who_has_all_the_connections_of_his_floating_ip_is_not_translated(cloud: Cloud) -> None:
    net = outward(cloud)
    floating(cloud, net, 20, net.one)
    cloud.limit_connections(1)
    first, second = (ask_far(net, net.one, udp_src=port, udp_dst=53) for port in (40000, 40001))
    assert outside(cloud.inject("one@hv1", first)) and not outside(cloud.inject("one@hv1", second))
    assert outside(cloud.inject("one@hv1", first))
    assert cloud.dropped(net.one) == {"egress_connections": 1, "not_translated": 1}


@story
def what_a_router_led_outside_ends_with_its_gateway(cloud: Cloud) -> None:
    net = outward(cloud)
    each = floating(cloud, net, 20, net.two)
    sent = ask_far(net, net.one, udp_src=40000, udp_dst=53)
    ((_, packet),) = outside(cloud.inject("one@hv1", sent))
    cloud.delete(net.out)
    assert not outside(cloud.inject("one@hv1", sent))
    back = from_far(net, net.out.mac_address, OUTSIDE, udp_src=53, udp_dst=packet["udp_src"])
    begun = from_far(net, mac_of(cloud, each), each.address)
    for late in (back, begun, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE)):
        walk = cloud.inject_physical(FLAT, late)
        assert not walk.deliveries and not outside(walk) and not walk.on_core


@story
def an_external_network_may_be_a_vlan(cloud: Cloud) -> None:
    cloud.doors(("hv3",), ("hv3",))
    world, red = cloud.external(kind="vlan", vlan=300), lan(cloud, "red", 1)
    one, two = cloud.port("one", red, "10.0.1.11", "hv1"), cloud.port("two", red, "10.0.1.12", "hv2")
    hub = cloud.router("hub", red)
    out = cloud.gateway(hub, world, OUTSIDE)
    net = Outward(world, red, one, two, hub, interface(cloud, hub, red), out)
    asked = arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE).tagged(300)
    answered = arp_reply(out.mac_address, OUTSIDE, UPSTREAM_MAC, UPSTREAM).tagged(300)
    assert outside(cloud.inject_physical("physnet1", asked)) == [("hv3", answered)]
    assert not outside(cloud.inject_physical("physnet1", asked.untagged()))
    sent = ask_far(net, one, udp_src=40000, udp_dst=53)
    ((door, packet),) = outside(cloud.inject("one@hv1", sent))
    port = block_of(cloud, hub, "hv1")
    assert door == "hv3" and packet == seen(sent, out.mac_address, OUTSIDE, udp_src=port).tagged(300)
    back = from_far(net, out.mac_address, OUTSIDE, udp_src=53, udp_dst=port)
    assert [place for place, _ in cloud.inject_physical("physnet1", back.tagged(300)).deliveries] == ["one@hv1"]
    each = floating(cloud, net, 20, two)
    begun = from_far(net, mac_of(cloud, each), each.address, udp_src=7, udp_dst=53)
    assert [place for place, _ in cloud.inject_physical("physnet1", begun.tagged(300)).deliveries] == ["two@hv2"]
    echo = icmp_echo(UPSTREAM_MAC, out.mac_address, UPSTREAM, OUTSIDE)
    ((_, reply),) = outside(cloud.inject_physical("physnet1", echo.tagged(300)))
    assert reply["icmp_type"] == 0 and reply["vlan_vid"] == 0x1000 | 300
