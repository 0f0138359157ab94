"""Stories of addresses that move between ports. See ``tests.packet_stories``."""

from flows.packets import arp_request, tcp, udp
from flows.simulator import Delivery
from tests.clouds import UPSTREAM, UPSTREAM_MAC, Cloud
from tests.gateway_stories import FAR, FLAT, Outward, floating, from_far, mac_of, outside, outward, seen
from tests.router_stories import arrives, lan
from tests.storytelling import address, ask, nothing, reached, story
from topology.gateway_values import VirtualAddress
from topology.values import AddressPair, Port

VIRTUAL = "10.0.1.100"


def sharing(cloud: Cloud, net: Outward) -> None:
    """``one`` and ``two`` may both have an address, as with keepalived."""
    for port in (net.one, net.two):
        cloud.change(port, allowed_address_pairs=(AddressPair(VIRTUAL, port.mac_address),))


def claim(cloud: Cloud, net: Outward, port: Port, at: str) -> None:
    """A port announces the address; the controller hears of it, and no more when it is known."""
    said = arp_request(port.mac_address, VIRTUAL, VIRTUAL)
    (told,) = cloud.inject(f"{port.id}@{at}", said).to_controller
    assert (told.flow.feature, told.flow.owner, told.packet) == ("virtual_addresses", f"port/{port.id}", said)
    cloud.put(VirtualAddress(f"red/{VIRTUAL}", "red", VIRTUAL, port.id))
    assert cloud.inject(f"{port.id}@{at}", said).to_controller == []


@story
def routers_find_an_address_that_moves_where_it_was_claimed_last(cloud: Cloud) -> None:
    net, blue = outward(cloud), lan(cloud, "blue", 2)
    client = cloud.port("client", blue, "10.0.2.11", "hv3")
    to_blue = cloud.interface(net.hub, blue, "10.0.2.1")
    sent = udp(client.mac_address, to_blue.mac_address, address(client), VIRTUAL)
    assert not reached(cloud.inject("client@hv3", sent)), "nobody has it"
    sharing(cloud, net)
    walk = cloud.inject("client@hv3", sent)
    assert [(told.flow.feature, told.flow.owner) for told in walk.to_controller] == [
        ("virtual_addresses", f"port/{net.to_red.id}")
    ], "who has it?"
    claim(cloud, net, net.one, "hv1")
    assert cloud.inject("client@hv3", sent).deliveries == [Delivery("one@hv1", arrives(sent, net.to_red, net.one))]
    claim(cloud, net, net.two, "hv2")
    assert cloud.inject("client@hv3", sent).deliveries == [Delivery("two@hv2", arrives(sent, net.to_red, net.two))]
    back = udp(net.two.mac_address, net.to_red.mac_address, VIRTUAL, address(client))
    assert reached(cloud.inject("two@hv2", back)) == ["client@hv3"]
    # The other one has it where this one is gone, without a word.
    cloud.unbind(net.two, "hv2")
    assert reached(cloud.inject("client@hv3", sent)) == ["one@hv1"]
    cloud.bind(net.two, "hv2")
    assert reached(cloud.inject("client@hv3", sent)) == ["two@hv2"]
    cloud.change(net.two, allowed_address_pairs=())
    assert reached(cloud.inject("client@hv3", sent)) == ["one@hv1"]


@story
def an_address_that_another_may_use_is_its_owners_for_routers_and_told_by_whoever_has_it(cloud: Cloud) -> None:
    net, blue = outward(cloud), lan(cloud, "blue", 2)
    client = cloud.port("client", blue, "10.0.2.11", "hv3")
    to_blue = cloud.interface(net.hub, blue, "10.0.2.1")
    own = address(net.one)
    sent, asked = udp(client.mac_address, to_blue.mac_address, address(client), own), ask(net.two, own)
    for pairs in ((), (AddressPair(own, net.two.mac_address),), ()):
        cloud.change(net.two, allowed_address_pairs=pairs)
        assert cloud.inject("client@hv3", sent).deliveries == [Delivery("one@hv1", arrives(sent, net.to_red, net.one))]
        walk = cloud.inject("two@hv2", asked)
        assert reached(walk) == (["one@hv1"] if pairs else ["two@hv2"]), "the one that is asked, or an answer"


@story
def nobody_else_claims_a_shared_address(cloud: Cloud) -> None:
    net = outward(cloud)
    stranger = cloud.port("stranger", net.red, "10.0.1.66", "hv1")
    sharing(cloud, net)
    claim(cloud, net, net.one, "hv1")
    said = arp_request(stranger.mac_address, VIRTUAL, VIRTUAL)
    assert nothing(cloud.inject("stranger@hv1", said))
    # Who may use a whole prefix may say so on the network; routers do not take his word.
    cloud.change(stranger, allowed_address_pairs=(AddressPair("10.0.1.0/24", stranger.mac_address),))
    assert cloud.inject("stranger@hv1", said).to_controller == []


@story
def a_floating_ip_of_an_address_that_moves_is_where_that_is(cloud: Cloud) -> None:
    net = outward(cloud, ("hv3",), ("hv1", "hv2", "hv3"))
    reserved = cloud.port("reserved", net.red, VIRTUAL)
    sharing(cloud, net)
    each = floating(cloud, net, 20, reserved)
    mac = mac_of(cloud, each)
    for port, at in ((net.one, "hv1"), (net.two, "hv2")):
        claim(cloud, net, port, at)
        asked = arp_request(UPSTREAM_MAC, UPSTREAM, each.address)
        assert [chassis for chassis, _ in outside(cloud.inject_physical(FLAT, asked))] == [at]
        begun = from_far(net, mac, each.address, udp_src=7, udp_dst=53)
        arrived = arrives(begun, net.to_red, port)
        ((place, packet),) = cloud.inject_physical(FLAT, begun).deliveries
        assert place == f"{port.id}@{at}" and packet == arrived.but(ipv4_dst=VIRTUAL)
        answer = udp(port.mac_address, net.to_red.mac_address, VIRTUAL, FAR, udp_src=53, udp_dst=7)
        assert outside(cloud.inject(place, answer)) == [(at, seen(answer, mac, each.address))]


@story
def forwarded_ports_of_an_address_that_moves_lead_to_where_that_is(cloud: Cloud) -> None:
    net = outward(cloud)
    reserved = cloud.port("reserved", net.red, VIRTUAL)
    sharing(cloud, net)
    each = cloud.floating_ip(net.world, "203.0.113.30", router_id="hub")
    cloud.forward(each, reserved, 2222, 22)
    mac = mac_of(cloud, each)
    for port, at in ((net.one, "hv1"), (net.two, "hv2"), (net.one, "hv1")):
        claim(cloud, net, port, at)
        begun = tcp(UPSTREAM_MAC, mac, FAR, each.address, tcp_src=7, tcp_dst=2222)
        arrived = arrives(begun, net.to_red, port).but(ipv4_dst=VIRTUAL, tcp_dst=22)
        assert cloud.inject_physical(FLAT, begun).deliveries == [Delivery(f"{port.id}@{at}", arrived)]
        answer = tcp(port.mac_address, net.to_red.mac_address, VIRTUAL, FAR, tcp_src=22, tcp_dst=7)
        expected = seen(answer, mac, each.address, tcp_src=2222)
        assert outside(cloud.inject(f"{port.id}@{at}", answer)) == [("hv3", expected)]
