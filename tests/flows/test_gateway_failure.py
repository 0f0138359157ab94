"""Gateways that fail before the controller knows: the other chassis find the next one by themselves."""

from flows.fields import ARP_REPLY
from flows.packets import arp_request
from tests.clouds import CHASSIS, UPSTREAM, UPSTREAM_MAC, SimulatedCloud
from tests.gateway_stories import FLAT, OUTSIDE, Outward, ask_far, outside, outward
from topology.doors import ways_out
from topology.gateway_values import Outage


def doors_of(cloud: SimulatedCloud, net: Outward, port: int = 40000) -> list[str]:
    """By which doors a packet of ``one``, on hv1, leaves."""
    sent = ask_far(net, net.one, udp_src=port, udp_dst=port)
    return [chassis_id for chassis_id, _ in outside(cloud.inject("one@hv1", sent))]


def test_the_next_gateway_serves_when_one_fails() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud, ("hv2", "hv3"), ("hv2", "hv3"))
    first, second = cloud.engine.ask(ways_out, "hub", "hv1")
    assert doors_of(cloud, net) == [first]
    cloud.dead = {first}
    assert doors_of(cloud, net) == [second]
    cloud.dead = {second}
    assert doors_of(cloud, net) == [first]
    cloud.dead = {first, second}
    assert doors_of(cloud, net) == [first], "perhaps they live after all"


def test_a_gateway_chassis_serves_itself_when_those_before_it_fail() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud, CHASSIS, CHASSIS)
    order = cloud.engine.ask(ways_out, "hub", "hv1")
    assert order[-1] == "hv1" and doors_of(cloud, net) == [order[0]]
    cloud.dead = set(CHASSIS) - {"hv1"}
    assert doors_of(cloud, net) == ["hv1"]


def test_one_gateway_needs_no_choice() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud)
    assert not [flow for flow in cloud.flows("hv1").values() if flow.feature == "doors" and "door" in str(flow.match)]
    cloud.dead = {"hv3"}
    assert doors_of(cloud, net) == ["hv3"]


def test_a_forwarding_address_is_where_its_router_is() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud, ("hv2", "hv3"), ("hv2", "hv3"))
    each = cloud.floating_ip(net.world, "203.0.113.30", router_id="hub")
    cloud.forward(each, net.one, 2222, 22)
    asked = [arp_request(UPSTREAM_MAC, UPSTREAM, address) for address in (OUTSIDE, each.address)]

    def answering() -> list[str]:
        said = [each for packet in asked for each in outside(cloud.inject_physical(FLAT, packet))]
        return [chassis_id for chassis_id, packet in said if packet["arp_op"] == ARP_REPLY]

    first, second = cloud.engine.ask(ways_out, "hub", "hv1")
    assert answering() == [first, first]
    cloud.put(Outage(first))
    assert answering() == [second, second]
