"""Stories of packets that are too large for their way on. See ``tests.packet_stories``."""

from flows.packets import udp
from flows.simulator import Walk
from tests.clouds import UPSTREAM_MAC, Cloud
from tests.gateway_stories import FAR, FLAT, ask_far, floating, mac_of, outside, outward
from tests.provider_stories import plant
from tests.router_stories import arrives, ping
from tests.storytelling import address, nothing, story
from topology.values import Network, Segment

SMALL, LARGE = 1450 + 14, 1500 + 14


def told(walk: Walk) -> list[tuple[str, str]]:
    """Which router has the controller tell a sender, and where; nothing else comes of the packet."""
    assert not (walk.deliveries or walk.on_core or walk.on_physical)
    return [(chassis, flow.owner) for chassis, flow, _ in walk.to_controller]


def large(cloud: Cloud, network: Network) -> None:
    cloud.change(network, mtu=1500)


@story
def what_is_too_large_for_the_next_network_is_reported(cloud: Cloud) -> None:
    net = plant(cloud)
    large(cloud, net.plant)
    sent = ping(net.press, net.to_plant, address(net.one))
    walk = cloud.inject("vlanpress@hv2", sent.but(size=SMALL))
    assert [(place, packet) for place, packet in walk.deliveries] == [
        ("vlanone@hv1", arrives(sent.but(size=SMALL), net.to_red, net.one))
    ]
    for size in (SMALL + 1, LARGE):
        walk = cloud.inject("vlanpress@hv2", sent.but(size=size))
        assert told(walk) == [("hv2", "router/vlanhub")]
        (packet,) = (packet for _, _, packet in walk.to_controller)
        assert packet["eth_dst"] == sent["eth_dst"], "the report goes back from the interface that took it"
    # The other way nothing is checked: what comes from a smaller network always fits.
    walk = cloud.inject("vlanone@hv1", ping(net.one, net.to_red, address(net.press)).but(size=SMALL))
    assert [place for place, _ in walk.deliveries] == ["vlanpress@hv2"]


@story
def what_is_too_large_for_the_tunnel_to_a_gateway_is_reported_on_either_side(cloud: Cloud) -> None:
    net = outward(cloud)
    provider = cloud.network("plant", "vlan", transit=Segment("geneve", 77), mtu=1500)
    cloud.subnet(provider, "10.0.2.0/24", gateway_ip="10.0.2.1")
    press = cloud.port("press", provider, "10.0.2.12", "hv2")
    to_plant = cloud.interface(net.hub, provider, "10.0.2.1")
    large(cloud, net.world)
    sent = udp(press.mac_address, to_plant.mac_address, address(press), FAR, udp_src=4000, udp_dst=53)
    assert [chassis for chassis, _ in outside(cloud.inject("press@hv2", sent.but(size=SMALL)))] == ["hv3"]
    assert told(cloud.inject("press@hv2", sent.but(size=LARGE))) == [("hv2", "router/hub")]
    each = floating(cloud, net, 20, net.one)
    begun = udp(UPSTREAM_MAC, mac_of(cloud, each), FAR, each.address, udp_src=7, udp_dst=53)
    walk = cloud.inject_physical(FLAT, begun.but(size=SMALL))
    assert [place for place, _ in walk.deliveries] == ["one@hv1"]
    assert told(cloud.inject_physical(FLAT, begun.but(size=LARGE))) == [("hv3", "router/hub")]
    assert not nothing(cloud.inject("one@hv1", ask_far(net, net.one).but(size=SMALL)))
