"""Stories of the source ports that chassis have for a router: blocks that are full, that grow, and none that is left.

See ``tests.packet_stories``.
"""

from flows.fields import IP_PROTO_UDP, mac_to_int
from flows.packets import Packet, icmp_echo, icmp_error, ipv4, tcp, udp
from tests.clouds import BLOCK, UPSTREAM_MAC, Cloud
from tests.gateway_stories import (
    FAR,
    OUTSIDE,
    SECOND,
    Outward,
    answered,
    ask_far,
    block_of,
    floating,
    outside,
    outward,
    second_address,
    seen,
    source_of,
)
from tests.router_stories import interface, lan
from tests.storytelling import address, nothing, reached, story
from topology.gateway_values import PortBlock, Translation
from topology.port_blocks import left
from topology.translation import taken_of
from topology.values import Port

GRE = 47


@story
def a_full_block_ends_with_its_chassis(cloud: Cloud) -> None:
    net = outward(cloud)
    walks = [cloud.inject("one@hv1", ask_far(net, net.one, udp_src=port, udp_dst=53)) for port in (40000, 40001)]
    assert [len(outside(walk)) for walk in walks] == [1, 0], "one source port, and it is taken"
    assert walks[1].to_controller == [] and not walks[1].on_core
    assert cloud.dropped(net.one) == {"no_source_port": 1}
    other_target = ask_far(net, net.one, udp_src=40001, udp_dst=54)
    assert len(outside(cloud.inject("one@hv1", other_target))) == 1
    assert len(outside(cloud.inject("two@hv2", ask_far(net, net.two, udp_src=40001, udp_dst=53)))) == 1


@story
def who_has_all_the_connections_of_his_router_finds_no_port(cloud: Cloud) -> None:
    """The switch does not tell that from a block that is full."""
    net = outward(cloud)
    cloud.limit_connections(1)
    first, second = (ask_far(net, net.one, udp_src=40000, udp_dst=port) for port in (53, 54))
    assert outside(cloud.inject("one@hv1", first)) and not outside(cloud.inject("one@hv1", second))
    assert outside(cloud.inject("one@hv1", first))
    assert cloud.dropped(net.one) == {"egress_connections": 1, "no_source_port": 1}


@story
def where_no_port_is_left_nobody_leaves_by_the_floating_ip_of_another(cloud: Cloud) -> None:
    """An instance that may send from any address, whose packets found no translation, once left with that address."""
    net, blue = outward(cloud), lan(cloud, "blue", 2)
    cloud.change(net.one, port_security_enabled=False)
    other = cloud.router("other", blue)
    cloud.gateway(other, net.world, SECOND)
    floating = {"victim": "203.0.113.30", "colleague": "203.0.113.31"}
    for name, network, inside, router in (
        ("victim", blue, "10.0.2.11", other),
        ("colleague", net.red, "10.0.1.13", net.hub),
    ):
        port = cloud.port(name, network, inside, "hv1")
        cloud.floating_ip(net.world, floating[name], port, router_id=router.id)
    forwarded = cloud.floating_ip(net.world, "203.0.113.32", router_id=net.hub.id)
    cloud.forward(forwarded, net.one, 8080, 80, "udp")
    ends = net.one.mac_address, net.to_red.mac_address
    first = udp(*ends, address(net.one), FAR, udp_src=40000, udp_dst=53)
    assert len(outside(cloud.inject("one@hv1", first))) == 1
    for spoofed in (*floating.values(), "203.0.113.32"):
        assert not outside(cloud.inject("one@hv1", first.but(ipv4_src=spoofed, udp_src=40001))), spoofed
    assert cloud.dropped(net.one) == {"no_source_port": 3}
    # Nor does an error about a connection that there never was.
    never = tcp(UPSTREAM_MAC, net.one.mac_address, FAR, address(net.one), tcp_dst=81)
    for spoofed in floating.values():
        assert not outside(cloud.inject("one@hv1", icmp_error(never, *ends, spoofed))), spoofed
    assert cloud.dropped(net.one) == {"no_source_port": 3, "not_translated": 2}


@story
def a_block_that_grows_keeps_its_connections(cloud: Cloud) -> None:
    net = outward(cloud)
    first, second, third = (ask_far(net, net.one, udp_src=port, udp_dst=53) for port in (40000, 40001, 40002))
    ((_, begun),) = outside(cloud.inject("one@hv1", first))
    assert not outside(cloud.inject("one@hv1", second))
    assert cloud.grow(net.hub, "hv1")
    ((_, more),) = outside(cloud.inject("one@hv1", second))
    assert {begun["udp_src"], more["udp_src"]} == {(port := block_of(cloud, net.hub, "hv1", 2)), port + 1}
    assert outside(cloud.inject("one@hv1", first)) == [("hv3", begun)]
    assert not outside(cloud.inject("one@hv1", third))
    for packet in (begun, more):
        assert answered(cloud, net, packet) == ["one@hv1"]


@story
def a_second_block_serves_where_the_first_cannot_grow(cloud: Cloud) -> None:
    net = outward(cloud)
    sent = [ask_far(net, net.one, udp_src=port, udp_dst=53) for port in range(40000, 40004)]
    first = block_of(cloud, net.hub, "hv1")
    cloud.put(Translation("hub@hv3", "hub", "hv3", 9, OUTSIDE, first + 1, 1))
    begun = []
    for number, packet in enumerate(sent[:3]):
        ((_, out),) = outside(cloud.inject("one@hv1", packet))
        begun.append(out)
        assert not outside(cloud.inject("one@hv1", sent[number + 1])), "no port is left"
        assert cloud.grow(net.hub, "hv1")
    assert begun[0]["udp_src"] == first and begun[2]["udp_src"] == begun[1]["udp_src"] + 1
    for packet, out in zip(sent, begun, strict=False):
        assert outside(cloud.inject("one@hv1", packet)) == [("hv3", out)]
        assert answered(cloud, net, out) == ["one@hv1"]
    # Whom nobody crowds is not concerned: the first block comes first.
    ((_, other),) = outside(cloud.inject("one@hv1", ask_far(net, net.one, udp_src=40009, udp_dst=54)))
    assert other["udp_src"] == first


@story
def the_next_address_serves_where_the_first_is_used_up(cloud: Cloud) -> None:
    net = outward(cloud)
    out = second_address(cloud, net)
    # The rest of the first address is a chassis's that is away.
    rest = (PortBlock(OUTSIDE, 1 << 14, 1 << 14), PortBlock(OUTSIDE, 1 << 13, 1 << 13))
    cloud.put(Translation("hub@hv3", "hub", "hv3", 9, OUTSIDE, 1 << 15, 1 << 15, rest))
    first, second = (ask_far(net, net.one, udp_src=port, udp_dst=53) for port in (40000, 40001))
    begun = outside(cloud.inject("one@hv1", first))
    assert not outside(cloud.inject("one@hv1", second)) and cloud.grow(net.hub, "hv1")
    begun += outside(cloud.inject("one@hv1", second))
    assert [source_of(packet) for _, packet in begun] == [OUTSIDE, SECOND]
    for _, packet in begun:
        assert packet["eth_src"] == mac_to_int(out.mac_address) and answered(cloud, net, packet) == ["one@hv1"]
    ping = icmp_echo(net.one.mac_address, net.to_red.mac_address, address(net.one), FAR)
    assert outside(cloud.inject("one@hv1", ping)) == [("hv3", seen(ping, net.out.mac_address, OUTSIDE))]


def use_up(cloud: Cloud, net: Outward, *addresses: str) -> list[str]:
    """Let more chassis come until they have all source ports of the router's addresses; return them, in order."""
    crowd: list[str] = []
    cloud.block_size = 1 << 15
    while any(left(taken_of(cloud.store.all(Translation), each)) for each in addresses):
        crowd.append(f"away{len(crowd)}")
        cloud.crowd(net.red, f"10.0.1.{50 + len(crowd)}", crowd[-1])
    return crowd


def every_kind(net: Outward, port: Port) -> list[Packet]:
    """TCP, UDP, a ping, and a protocol without ports."""
    ends = port.mac_address, net.to_red.mac_address, address(port), FAR
    datagram = udp(*ends, udp_src=40000, udp_dst=53)
    return [tcp(*ends, tcp_src=40000, tcp_dst=80), datagram, icmp_echo(*ends), ipv4(*ends, GRE)]


@story
def a_whole_address_is_used_up_and_nobody_but_the_last_one_notices(cloud: Cloud) -> None:
    """Nothing of it is nobody's; connections go on; what leaves from a chassis that finds nothing is dropped."""
    net, blue = outward(cloud), lan(cloud, "blue", 2)
    other = cloud.router("other", blue)
    cloud.gateway(other, net.world, SECOND)
    neighbour = cloud.port("neighbour", blue, "10.0.2.11", "hv3")
    sent = [ask_far(net, port, udp_src=40000, udp_dst=53) for port in (net.one, net.two)]
    begun = [outside(cloud.inject(f"{port.id}@{at}", packet))[0] for port, at, packet in
             ((net.one, "hv1", sent[0]), (net.two, "hv2", sent[1]))]  # fmt: skip
    crowd = use_up(cloud, net, OUTSIDE)
    assert not cloud.untranslated, "all who came have some"
    last = cloud.port("last", net.red, "10.0.1.13", "hv3")
    assert len(cloud.untranslated) == 1 and "hv3" in cloud.untranslated.pop()
    for packet in every_kind(net, last):
        assert nothing(cloud.inject("last@hv3", packet)), packet
    assert cloud.dropped(last) == {"no_source_port": len(every_kind(net, last))}
    assert reached(cloud.inject("last@hv3", udp(last.mac_address, net.one.mac_address, address(last), "10.0.1.11")))
    # The others: what they have begun, and another router on the same chassis.
    for packet, out, place in zip(sent, begun, ("one@hv1", "two@hv2"), strict=True):
        assert outside(cloud.inject(place, packet)) == [out] and answered(cloud, net, out[1]) == [place]
    hop = interface(cloud, other, blue).mac_address
    elsewhere = udp(neighbour.mac_address, hop, address(neighbour), FAR, udp_src=40000, udp_dst=53)
    assert [source_of(packet) for _, packet in outside(cloud.inject("neighbour@hv3", elsewhere))] == [SECOND]
    # Nobody who is there has to give anything back: not as long as its instances are.
    assert cloud.hand_on(net.hub, *crowd, "hv1", "hv2") == []
    cloud.disperse(crowd[0])
    cloud.block_size = BLOCK
    assert cloud.hand_on(net.hub, *crowd, "hv1", "hv2") == crowd[:1]
    for packet in every_kind(net, last):
        ((_, out),) = outside(cloud.inject("last@hv3", packet))
        assert source_of(out) == OUTSIDE
        if packet["ip_proto"] == IP_PROTO_UDP:
            assert answered(cloud, net, out) == ["last@hv3"]
    for packet, out, place in zip(sent, begun, ("one@hv1", "two@hv2"), strict=True):
        assert outside(cloud.inject(place, packet)) == [out] and answered(cloud, net, out[1]) == [place]


@story
def one_more_address_relieves_one_that_is_used_up(cloud: Cloud) -> None:
    net = outward(cloud)
    first = ask_far(net, net.one, udp_src=40000, udp_dst=53)
    begun = outside(cloud.inject("one@hv1", first))
    use_up(cloud, net, OUTSIDE)
    last = cloud.port("last", net.red, "10.0.1.13", "hv3")
    cloud.untranslated.clear()
    cloud.doors(("hv2", "hv3"), ("hv2", "hv3"))
    assert len(cloud.untranslated) <= 1, "one more gateway chassis has no more ports"
    cloud.untranslated.clear()
    sent = ask_far(net, last, udp_src=40000, udp_dst=53)
    assert not outside(cloud.inject("last@hv3", sent))
    cloud.doors(("hv3",), ("hv3",))
    cloud.untranslated.clear()
    cloud.block_size = BLOCK
    second_address(cloud, net)
    ((_, out),) = outside(cloud.inject("last@hv3", sent))
    assert source_of(out) == SECOND and answered(cloud, net, out) == ["last@hv3"]
    assert [packet for _, packet in outside(cloud.inject("one@hv1", first))] == [packet for _, packet in begun]


@story
def the_longest_way_of_a_packet_is_within_what_open_vswitch_lets_it_go(cloud: Cloud) -> None:
    """On one chassis: out of a filtered port, tried with all source ports, and in to a filtered port again."""
    net = outward(cloud, ("hv1",), ("hv1",))
    target = cloud.port("target", net.red, "10.0.1.50", "hv1")
    each = floating(cloud, net, 20, target)
    first = block_of(cloud, net.hub, "hv1")
    cloud.put(Translation("hub@hv3", "hub", "hv3", 9, OUTSIDE, first + 1, 1))
    for number in range(3):
        sent = ask_far(net, net.one, each.address, udp_src=40000 + number, udp_dst=53)
        assert [place for place, _ in cloud.inject("one@hv1", sent).deliveries] == ["target@hv1"], number
        assert cloud.grow(net.hub, "hv1")
