"""``sdnapp trace`` follows a packet through routers, translation and gateways."""

from typing import Any

from sdnapp.tracing import trace
from tests.clouds import SimulatedCloud
from tests.gateway_stories import FAR, OUTSIDE, floating, outward
from tests.router_stories import chain, joined
from tests.source_port_stories import use_up


def traced(cloud: SimulatedCloud, to: str) -> dict[str, Any]:
    return trace(cloud.store, cloud.engine, "one", to, lambda port: None)


def test_a_packet_through_a_router() -> None:
    cloud = SimulatedCloud()
    net = joined(cloud)
    found = traced(cloud, "10.0.2.12")
    assert (found["verdict"], found["delivered_to"]) == ("delivered", [{"port_id": "two", "chassis": "hv2"}])
    assert f"10.0.1.1 is at {net.to_red.mac_address}" in found["explanation"]
    passed = [(step["table"], step["owner"]) for step in found["steps"] if step["chassis"] == "hv1"]
    assert ("routes", "router/hub") in passed and ("addresses", "port/two") in passed
    assert traced(cloud, "10.0.2.1")["verdict"] == "answered"
    assert traced(cloud, "192.0.2.99")["verdict"] == "controller"


def test_a_packet_through_a_chain_of_routers() -> None:
    cloud = SimulatedCloud()
    chain(cloud)
    found = traced(cloud, "10.0.2.12")
    assert found["verdict"] == "delivered"
    assert [step["owner"] for step in found["steps"] if step["table"] == "routes"] == ["router/west", "router/east"]


def test_a_packet_out_by_a_gateway_tells_how_it_is_seen_there() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud)
    found = traced(cloud, FAR)
    assert found["verdict"] == "physical"
    assert found["explanation"].endswith(f"; it leaves hv3 for the physical network physnet2, as {OUTSIDE}")
    passed = [(step["chassis"], step["table"], step["owner"]) for step in found["steps"]]
    assert ("hv1", "source_nat", "router/hub") in passed and ("hv1", "doors", "router/hub") in passed
    assert passed[-1] == ("hv3", "core_output", "network/world")
    assert "the controller asks by ARP for the next hop outside" in traced(cloud, "203.0.113.200")["explanation"]
    each = floating(cloud, net, 21, net.one)
    assert traced(cloud, FAR)["explanation"].endswith(f", as {each.address}")


def test_a_packet_to_a_floating_ip_is_followed_to_its_instance() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud)
    each = floating(cloud, net, 20, net.two)
    found = traced(cloud, each.address)
    assert (found["verdict"], found["delivered_to"]) == ("delivered", [{"port_id": "two", "chassis": "hv2"}])
    assert [step["chassis"] for step in found["steps"] if step["owner"] == f"floatingip/{each.id}"][-1] == "hv2"


def test_a_packet_for_which_no_source_port_is_left_tells_why_it_is_dropped() -> None:
    """Also where the switch has not made a counter of that port for that reason yet."""
    cloud = SimulatedCloud()
    net = outward(cloud)
    use_up(cloud, net, OUTSIDE)
    last = cloud.port("last", net.red, "10.0.1.13", "hv3")
    found = trace(cloud.store, cloud.engine, last.id, FAR, lambda port: None)
    assert found["verdict"] == "dropped"
    told = "dropped on hv3, counted as no_source_port of port/last. No source port of its router's is left for what it"
    assert told in found["explanation"]
