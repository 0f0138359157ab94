"""Stories of gateway chassis that the controller has lost. See ``tests.packet_stories``."""

from dataclasses import replace

from flows.fields import ARP_REPLY, ARP_REQUEST
from flows.packets import Packet, arp_request, gratuitous_arp, icmp_echo
from sdnapp import arp
from tests.clouds import CHASSIS, UPSTREAM, UPSTREAM_MAC, Cloud
from tests.gateway_stories import FLAT, OUTSIDE, ask_far, block_of, floating, outside, outward, seen
from tests.real_ovs.frames import from_bytes
from tests.router_stories import lan
from tests.storytelling import story
from topology.gateway_values import Fence, Outage
from topology.values import Port


def answering(cloud: Cloud, address: str) -> list[str]:
    """The chassis that answer ARP for an address on the external network."""
    walk = cloud.inject_physical(FLAT, arp_request(UPSTREAM_MAC, UPSTREAM, address))
    return [chassis for chassis, packet in outside(walk) if packet["arp_op"] == ARP_REPLY]


@story
def a_gateway_chassis_without_controller_falls_silent_when_another_takes_its_place(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    each, home = floating(cloud, net, 20, net.two), floating(cloud, net, 21, cloud.port("home", net.red, "10.0.1.13"))
    cloud.bind(cloud.store.get(Port, "home"), "hv1")
    forwarded = cloud.floating_ip(net.world, "203.0.113.30", router_id="hub")
    cloud.forward(forwarded, net.two, 2222, 22)
    roles = (OUTSIDE, each.address, forwarded.address)
    (former,) = answering(cloud, OUTSIDE)
    (successor,) = {"hv1", "hv3"} - {former}
    assert [answering(cloud, address) for address in roles] == [[former]] * 3
    cloud.lose(former)
    assert [answering(cloud, address) for address in roles] == [[successor]] * 3
    # What is nobody else's stays where it is.
    assert answering(cloud, home.address) == ["hv1"]
    echo = icmp_echo(UPSTREAM_MAC, net.out.mac_address, UPSTREAM, OUTSIDE)
    assert [chassis for chassis, _ in outside(cloud.inject_physical(FLAT, echo))] == [successor]
    cloud.regain(former)
    assert [answering(cloud, address) for address in roles] == [[former]] * 3
    assert answering(cloud, home.address) == ["hv1"]
    sent = ask_far(net, net.two, udp_src=40000, udp_dst=53)
    assert [chassis for chassis, _ in outside(cloud.inject("two@hv2", sent))] == [former]


@story
def a_gateway_chassis_is_silenced_as_soon_as_it_is_heard_again(cloud: Cloud) -> None:
    outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    (former,) = answering(cloud, OUTSIDE)
    cloud.lose(former, is_heard=False)
    assert len(answering(cloud, OUTSIDE)) == 2, "the two halves of the network do not hear one another"
    cloud.look()
    assert answering(cloud, OUTSIDE) == [name for name in ("hv1", "hv3") if name != former]


@story
def two_gateway_chassis_that_hear_one_another_again_answer_one_question_both_at_most(cloud: Cloud) -> None:
    outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    silences_with_its_next_answer(cloud, FLAT)


@story
def so_they_do_on_a_vlan(cloud: Cloud) -> None:
    cloud.doors(("hv1", "hv3"), ("hv1", "hv3"))
    world, red = cloud.external(kind="vlan", vlan=300), lan(cloud, "red", 1)
    cloud.port("one", red, "10.0.1.11", "hv1")
    cloud.gateway(cloud.router("hub", red), world, OUTSIDE)
    silences_with_its_next_answer(cloud, "physnet1", 300)


def silences_with_its_next_answer(cloud: Cloud, physical_network: str, vlan_id: int | None = None) -> None:
    """No tick of the controller's is waited for."""
    asked = arp_request(UPSTREAM_MAC, UPSTREAM, OUTSIDE)
    asked = asked if vlan_id is None else asked.tagged(vlan_id)

    def heard() -> list[tuple[str, Packet]]:
        return outside(cloud.inject_physical(physical_network, asked))

    ((former, _),) = heard()
    (successor,) = {"hv1", "hv3"} - {former}
    cloud.lose(former, is_heard=False)
    both = heard()
    assert sorted(chassis for chassis, packet in both if packet["arp_op"] == ARP_REPLY) == ["hv1", "hv3"]
    ((shows, shown),) = [(chassis, packet) for chassis, packet in both if packet["arp_op"] == ARP_REQUEST]
    outage = cloud.store.get(Outage, former)
    assert outage is not None
    assert shows == successor
    assert shown == from_bytes(arp.silencing(successor, former, outage.secret, vlan_id))
    assert outside(cloud.inject_physical(physical_network, shown)) == []
    assert [chassis for chassis, packet in heard() if packet["arp_op"] == ARP_REPLY] == [successor]
    cloud.regain(former)
    assert [chassis for chassis, _ in heard()] == [former], "with its answers goes nothing else"


@story
def instances_of_a_silenced_gateway_chassis_leave_by_its_successor(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    three = cloud.port("three", net.red, "10.0.1.13", "hv3")
    local = {"hv1": net.one, "hv3": three}
    (former,) = answering(cloud, OUTSIDE)
    (successor,) = {"hv1", "hv3"} - {former}
    sent = ask_far(net, local[former], udp_src=40000, udp_dst=53)
    place = f"{local[former].id}@{former}"
    assert [chassis for chassis, _ in outside(cloud.inject(place, sent))] == [former]
    cloud.lose(former)
    ((door, packet),) = outside(cloud.inject(place, sent))
    assert door == successor
    assert packet == seen(sent, net.out.mac_address, OUTSIDE, udp_src=block_of(cloud, net.hub, former))


def witnessed(cloud: Cloud, chassis: str) -> None:
    """Let the two others be a gateway chassis's witnesses."""
    fence = cloud.store.get(Fence, chassis)
    assert fence is not None
    cloud.put(replace(fence, witnesses=tuple(name for name in CHASSIS if name != chassis)))


@story
def who_hears_no_witness_answers_nobody_in_a_role_that_others_may_have(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    three = cloud.port("three", net.red, "10.0.1.13", "hv3")
    local = {"hv1": net.one, "hv3": three}
    each, home = floating(cloud, net, 20, net.two), floating(cloud, net, 21, cloud.port("home", net.red, "10.0.1.14"))
    cloud.bind(cloud.store.get(Port, "home"), "hv1")
    roles = (OUTSIDE, each.address)
    (active,) = answering(cloud, OUTSIDE)
    witnessed(cloud, active)
    echo = icmp_echo(UPSTREAM_MAC, net.out.mac_address, UPSTREAM, OUTSIDE)
    assert [answering(cloud, address) for address in roles] == [[active]] * 2, "it hears them"
    cloud.deafen(active)
    assert [answering(cloud, address) for address in roles] == [[]] * 2
    assert active not in [chassis for chassis, _ in outside(cloud.inject_physical(FLAT, echo))]
    assert answering(cloud, home.address) == ["hv1"], "nobody else has that"
    place, sent = f"{local[active].id}@{active}", ask_far(net, local[active], udp_src=40000, udp_dst=53)
    assert [chassis for chassis, _ in outside(cloud.inject(place, sent))] == [active], "it reaches no other"
    cloud.deafen(active, is_deaf=False)
    assert [answering(cloud, address) for address in roles] == [[active]] * 2


@story
def who_is_fenced_leaves_by_another_though_its_witnesses_have_withdrawn(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    three = cloud.port("three", net.red, "10.0.1.13", "hv3")
    local = {"hv1": net.one, "hv3": three}
    (former,) = answering(cloud, OUTSIDE)
    (successor,) = {"hv1", "hv3"} - {former}
    witnessed(cloud, former)
    cloud.deafen(former)
    cloud.lose(former)
    sent = ask_far(net, local[former], udp_src=40000, udp_dst=53)
    assert [chassis for chassis, _ in outside(cloud.inject(f"{local[former].id}@{former}", sent))] == [successor]
    assert answering(cloud, OUTSIDE) == [successor]


@story
def nobody_takes_the_place_of_one_that_its_witnesses_have_not_withdrawn_from(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    (former,) = answering(cloud, OUTSIDE)
    witnessed(cloud, former)
    cloud.withdraws = False
    cloud.lose(former)
    outage = cloud.store.get(Outage, former)
    assert outage is not None and {*outage.witnesses} == {*CHASSIS} - {former}
    assert answering(cloud, OUTSIDE) == [former], "it is shown no secret, either"
    cloud.withdraws = True
    cloud.deafen(former)
    cloud.look()
    cloud.change(net.hub, description="whatever has the handovers followed")
    assert answering(cloud, OUTSIDE) == [name for name in ("hv1", "hv3") if name != former]
    cloud.deafen(former, is_deaf=False)
    assert answering(cloud, OUTSIDE) == [name for name in ("hv1", "hv3") if name != former], "it has heard its secret"


@story
def nobody_silences_a_gateway_chassis_without_its_secret_or_with_an_old_one(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    (active,) = answering(cloud, OUTSIDE)

    def shown() -> Packet:
        fence = cloud.store.get(Fence, active)
        assert fence is not None
        return from_bytes(arp.silencing("hv2", active, fence.secret))

    old = shown()
    cloud.lose(active)
    cloud.regain(active)
    taken = gratuitous_arp(net.out.mac_address, OUTSIDE)
    for lie in (old, shown().but(arp_tha=UPSTREAM_MAC), shown().but(arp_op=2), taken):
        cloud.inject_physical(FLAT, lie)
        assert answering(cloud, OUTSIDE) == [active]
    assert outside(cloud.inject_physical(FLAT, shown())) == []
    assert answering(cloud, OUTSIDE) == [], "so does the true one work"
