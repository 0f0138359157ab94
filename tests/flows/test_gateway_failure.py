"""Gateways that fail before the controller knows: the other chassis find the next one by themselves."""

from tests.clouds import CHASSIS, SimulatedCloud
from tests.gateway_stories import Outward, ask_far, outside, outward
from topology.doors import ways_out


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
