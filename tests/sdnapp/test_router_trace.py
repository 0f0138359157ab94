"""``sdnapp trace`` follows a packet through routers."""

from typing import Any

from sdnapp.tracing import trace
from tests.clouds import SimulatedCloud
from tests.router_stories import chain, joined


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
