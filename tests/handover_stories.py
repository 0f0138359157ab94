"""Stories of a gateway chassis that hands over to another, step by step. See ``tests.packet_stories``.

After each step the controller may be gone for good.
"""

from dataclasses import replace
from typing import NamedTuple

from flows.fields import ARP_REPLY, mac_to_int
from flows.packets import Packet, arp_reply, arp_request
from tests.clouds import CHASSIS, ENCAP_IPS, UPSTREAM, UPSTREAM_MAC, Cloud
from tests.gateway_stories import FLAT, OUTSIDE, Outward, floating, mac_of, outside, outward
from tests.router_stories import lan
from tests.storytelling import story
from topology.addressing import SERVICE_MAC
from topology.gateway_values import GETTING_READY, LETTING_GO, PASSING_ON, TAKING_OVER, GatewayBinding, NoUpstream
from topology.values import Network

STEPS = GETTING_READY, PASSING_ON, TAKING_OVER


class Replaced(NamedTuple):
    """A gateway chassis, and the one that hands over to it as soon as switches confirm anything."""

    former: str
    successor: str


def binding(cloud: Cloud) -> GatewayBinding:
    row = cloud.store.get(GatewayBinding, "router/hub")
    assert row is not None
    return row


def replaced(cloud: Cloud) -> Replaced:
    """Begin a handover: let the preferred gateway chassis return while another stands for the router."""
    preferred = binding(cloud).chassis_id
    cut_off = NoUpstream(f"world/{preferred}")
    cloud.put(cut_off)
    former = binding(cloud).chassis_id
    cloud.hands_over = False
    cloud.delete(cut_off)
    assert binding(cloud).former == former and former != preferred
    return Replaced(former, preferred)


def make(cloud: Cloud, step: str) -> None:
    """Make a step of the handover, which no switch confirms."""
    cloud.put(replace(binding(cloud), step=step))
    assert binding(cloud).step == step


def answers(cloud: Cloud, question: Packet, physical_network: str = FLAT) -> list[tuple[str, Packet]]:
    said = outside(cloud.inject_physical(physical_network, question))
    return [(chassis, packet) for chassis, packet in said if packet["arp_op"] == ARP_REPLY]


def addresses(cloud: Cloud, net: Outward) -> dict[str, str]:
    """All that is where the router is: its own address, a floating IP without a door at home, one that forwards."""
    each, forwarded = floating(cloud, net, 20, net.two), cloud.floating_ip(net.world, "203.0.113.30", router_id="hub")
    cloud.forward(forwarded, net.two, 2222, 22)
    return {
        OUTSIDE: net.out.mac_address,
        each.address: mac_of(cloud, each),
        forwarded.address: mac_of(cloud, forwarded),
    }


@story
def whoever_hands_over_one_chassis_answers_each_question_in_each_step(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    macs = addresses(cloud, net)
    former, successor = replaced(cloud)
    for step, speaker in zip(STEPS, (former, successor, successor), strict=True):
        make(cloud, step)
        for address, mac in macs.items():
            said = [(speaker, arp_reply(mac, address, UPSTREAM_MAC, UPSTREAM))]
            assert answers(cloud, arp_request(UPSTREAM_MAC, UPSTREAM, address)) == said, step
    cloud.hands_over = True
    cloud.change(net.hub, description="whatever has the handovers followed")
    assert binding(cloud).former is None
    assert [chassis for chassis, _ in answers(cloud, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE))] == [successor]


@story
def so_it_does_on_a_vlan_and_with_a_third_gateway_chassis(cloud: Cloud) -> None:
    cloud.doors(CHASSIS, CHASSIS)
    world, red = cloud.external(kind="vlan", vlan=300), lan(cloud, "red", 1)
    cloud.port("one", red, "10.0.1.11", "hv1")
    out = cloud.gateway(cloud.router("hub", red), world, OUTSIDE)
    former, successor = replaced(cloud)
    question = arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE).tagged(300)
    for step, speaker in zip(STEPS, (former, successor, successor), strict=True):
        make(cloud, step)
        said = arp_reply(out.mac_address, OUTSIDE, UPSTREAM_MAC, UPSTREAM).tagged(300)
        assert answers(cloud, question, "physnet1") == [(speaker, said)], step


@story
def a_handover_that_is_called_off_leaves_the_former_where_it_was(cloud: Cloud) -> None:
    outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    for step in (GETTING_READY, PASSING_ON):
        former, successor = replaced(cloud)
        make(cloud, step)
        cut_off = NoUpstream(f"world/{successor}")
        cloud.put(cut_off)
        assert binding(cloud).chassis_id == former and binding(cloud).former is None
        assert [each for each, _ in answers(cloud, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE))] == [former]
        cloud.hands_over = True
        cloud.delete(cut_off)


@story
def who_hears_no_upstream_router_falls_silent_first_also_in_the_midst_of_handing_over(cloud: Cloud) -> None:
    outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    former, _ = replaced(cloud)
    make(cloud, PASSING_ON)
    cloud.put(NoUpstream(f"world/{former}"))
    assert binding(cloud).step == LETTING_GO
    assert answers(cloud, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE)) == []


@story
def a_silenced_chassis_passes_nothing_on(cloud: Cloud) -> None:
    """What it passed on would be answered beside what its successor answers by itself."""
    outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    former, successor = replaced(cloud)
    make(cloud, PASSING_ON)
    cloud.lose(former)
    assert binding(cloud).former is None
    walk = cloud.inject_physical(FLAT, arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE))
    assert [chassis for chassis, packet in outside(walk) if packet["arp_op"] == ARP_REPLY] == [successor]
    assert walk.on_core == []


@story
def only_what_the_former_passes_on_is_answered_and_only_until_the_successor_takes_over(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    former, successor = replaced(cloud)
    passed = arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE).but(eth_dst=mac_to_int(SERVICE_MAC))
    network = cloud.store.get(Network, net.world.id)
    assert network is not None and network.transit is not None and network.transit.segmentation_id is not None
    vni = network.transit.segmentation_id

    def answered(source: str, packet: Packet = passed) -> bool:
        said = outside(cloud.inject_core(successor, packet, vni, tun_src=source))
        return [each["arp_op"] for _, each in said] == [ARP_REPLY]

    other = ENCAP_IPS["hv2"]
    for step in (GETTING_READY, PASSING_ON):
        make(cloud, step)
        assert answered(ENCAP_IPS[former])
        assert not answered(other) and not answered("198.51.100.1") and not answered(ENCAP_IPS[successor])
        assert not answered(ENCAP_IPS[former], passed.but(eth_dst=mac_to_int(UPSTREAM_MAC)))
    make(cloud, TAKING_OVER)
    assert not answered(ENCAP_IPS[former])
