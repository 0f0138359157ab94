"""``sdnapp trace`` follows a packet through routers, translation and gateways."""

from itertools import count
from typing import Any

import pytest

from sdnapp.probes import PING, Probe
from sdnapp.roads import Teller
from sdnapp.status import NO_GATEWAY
from sdnapp.tracing import trace
from sdnapp.turns import Turns
from tests.clouds import OPEN, SimulatedCloud
from tests.gateway_stories import FAR, OUTSIDE, floating, outward
from tests.provider_stories import plant
from tests.router_stories import chain, joined
from tests.security_stories import two_ports
from tests.source_port_stories import use_up
from topology.turns import STRIDE
from topology.values import Chassis, Network, Port, SecurityGroup


def traced(cloud: SimulatedCloud, to: str) -> dict[str, Any]:
    return of_port(cloud, "one", to)


def of_port(cloud: SimulatedCloud, port_id: str, to: str, probe: Probe = PING) -> dict[str, Any]:
    port = cloud.store.get(Port, port_id)
    assert port is not None
    return trace(Teller(cloud.store, cloud.engine), port, to, lambda port: None, probe=probe).document


def receivers(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["port_id"], each["chassis"]) for each in found["delivered_to"]]


def test_a_packet_through_a_router() -> None:
    cloud = SimulatedCloud()
    net = joined(cloud)
    found = traced(cloud, "10.0.2.12")
    assert (found["verdict"], receivers(found)) == ("delivered", [("two", "hv2")])
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
    (left,) = found["left_by"]
    assert (left["chassis"], left["physical_network"]) == ("hv3", "physnet2")
    assert f"ipv4_src={OUTSIDE}" in left["packet"]
    cloud.change(cloud.store.get(Chassis, "hv3"), hostname="door")
    assert "; it leaves door for the physical network" in traced(cloud, FAR)["explanation"]
    passed = [(step["chassis"], step["table"], step["owner"]) for step in found["steps"]]
    assert ("hv1", "source_nat", "router/hub") in passed and ("hv1", "doors", "router/hub") in passed
    assert passed[-1] == ("hv3", "core_output", "network/world")
    assert "the controller asks by ARP for the next hop outside" in traced(cloud, "203.0.113.200")["explanation"]
    cloud.doors((), ())
    assert "counted as no_gateway of one. No gateway chassis leads" in traced(cloud, FAR)["explanation"]
    unasked = traced(cloud, "203.0.113.200")["explanation"]
    assert unasked.endswith(f"; nobody can ask for the next hop outside: {NO_GATEWAY}")
    cloud.doors(("hv3",), ("hv3",))
    each = floating(cloud, net, 21, net.one)
    assert traced(cloud, FAR)["explanation"].endswith(f", as {each.address}")


def test_a_packet_to_a_floating_ip_is_followed_to_its_instance() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud)
    each = floating(cloud, net, 20, net.two)
    found = traced(cloud, each.address)
    assert (found["verdict"], receivers(found)) == ("delivered", [("two", "hv2")])
    assert [step["chassis"] for step in found["steps"] if step["owner"] == f"floatingip/{each.id}"][-1] == "hv2"


def test_a_packet_to_a_forwarded_port_is_followed_to_its_instance() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud)
    held = cloud.floating_ip(net.world, "203.0.113.21", router_id=net.hub.id)
    cloud.forward(held, net.two, 8080, 80)
    found = of_port(cloud, "one", held.address, Probe("tcp", 8080))
    assert (found["verdict"], receivers(found)) == ("delivered", [("two", "hv2")])
    assert found["explanation"].endswith("; delivered to two on hv2")
    assert "tcp_dst=8080" in found["live_flow"] and "ct_nw_proto=6" in found["live_flow"]
    for other in (Probe("tcp", 8081), Probe("udp", 8080)):
        assert of_port(cloud, "one", held.address, other)["delivered_to"] == []


def test_a_packet_that_no_rule_permits_is_dropped_at_its_receiver() -> None:
    cloud = SimulatedCloud()
    group = cloud.security_group("web", {"protocol": 6, "port_range_min": 80, "port_range_max": 80})
    client, server = two_ports(cloud, group)
    cloud.change(server, name="web")
    verdicts = {
        sent: of_port(cloud, client.id, "10.0.0.12", sent)["explanation"].partition("; ")[2]
        for sent in (Probe("tcp", 80), Probe("tcp", 22), Probe("udp", 80), PING)
    }
    assert verdicts.pop(Probe("tcp", 80)) == "delivered to web (red-server) on hv2"
    told = "dropped on hv2, counted as ingress_rules of web (red-server). No security group of the receiver permits it"
    assert all(each.startswith(told) for each in verdicts.values()), verdicts


def test_what_a_receiver_on_a_physical_network_refuses_is_not_only_left_there() -> None:
    cloud = SimulatedCloud()
    net = plant(cloud)
    cloud.security_group("shut")
    cloud.change(net.press, security_groups=("shut",))
    found = of_port(cloud, net.one.id, "10.0.2.12")
    assert found["verdict"] == "dropped" and "; dropped on hv2, counted as ingress_rules" in found["explanation"]
    assert {step["chassis"] for step in found["steps"]} == {"hv1", "hv2"}, "hv3 hears what is for others"


def test_what_a_router_reports_is_told() -> None:
    cloud = SimulatedCloud()
    joined(cloud)
    told = of_port(cloud, "one", "10.0.2.1", Probe("tcp", 22))["explanation"]
    assert told.endswith("; the controller answers by ICMP: port unreachable")
    assert traced(cloud, "192.0.2.99")["explanation"].endswith("by ICMP: network unreachable")


def test_a_packet_for_which_no_source_port_is_left_tells_why_it_is_dropped() -> None:
    """Also where the switch has not made a counter of that port for that reason yet."""
    cloud = SimulatedCloud()
    net = outward(cloud)
    use_up(cloud, net, OUTSIDE)
    last = cloud.port("last", net.red, "10.0.1.13", "hv3")
    found = of_port(cloud, last.id, FAR)
    assert found["verdict"] == "dropped"
    told = "dropped on hv3, counted as no_source_port of last. No source port of its router's is left for what it"
    assert told in found["explanation"]


def test_others_change_what_they_like_while_a_cloud_of_many_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = SimulatedCloud()
    client, _server = two_ports(cloud, cloud.store.get(SecurityGroup, OPEN))
    network = cloud.store.get(Network, client.network_id)
    assert network is not None
    many = [cloud.port(f"p{number}", network, f"10.0.0.{number + 20}", at="hv1") for number in range(100)]
    cloud.follow()
    flows = len(cloud.flows("hv1"))
    gone: list[Port] = []
    turns = count()

    def give_way(_: Turns) -> None:
        if next(turns) % 3:
            gone.append(many.pop(0))
            cloud.unbind(gone[-1], "hv1")
        else:
            many.extend(gone)
            while gone:
                cloud.bind(gone.pop(), "hv1")
        cloud.follow()

    monkeypatch.setattr(Turns, "give_way", give_way)
    found = of_port(cloud, client.id, "10.0.0.12")
    assert (found["verdict"], receivers(found)) == ("delivered", [("red-server", "hv2")])
    # A turn for each port that is bound, for each that has a place, and for each few flows of a chassis.
    assert next(turns) > 102 + 100 + flows // STRIDE
