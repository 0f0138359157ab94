"""``sdnapp trace --answer`` follows what is answered, back to the sender or to where it is lost."""

from typing import Any

import pytest

from sdnapp.answers import answer_to
from sdnapp.probes import PING, Probe
from sdnapp.roads import Teller
from sdnapp.tracing import trace
from sdnapp.tracing_outside import Outside, trace_from_outside
from tests.clouds import SimulatedCloud
from tests.gateway_stories import FAR, OUTSIDE, floating, outward
from tests.provider_stories import ROBOT, know, plant
from tests.router_stories import joined, lan
from tests.security_stories import two_ports
from tests.trace_stories import NothingIsDown
from topology.values import Network, Port

PROBES = (PING, Probe("tcp", 80), Probe("udp", 53))


def answer_from_inside(cloud: SimulatedCloud, port: Port, to: str, probe: Probe = PING) -> dict[str, Any] | None:
    teller, row = Teller(cloud.store, cloud.engine), cloud.store.get(Port, port.id)
    assert row is not None
    return answer_to(teller, trace(teller, row, to, lambda port: None, probe=probe), NothingIsDown())


def answer_from_outside(
    cloud: SimulatedCloud, network: Network, to: str, probe: Probe = PING, **sender: str
) -> dict[str, Any] | None:
    teller, row = Teller(cloud.store, cloud.engine), cloud.store.get(Network, network.id)
    assert row is not None
    asked = trace_from_outside(teller, Outside(row, **sender), to, NothingIsDown(), probe=probe)
    return answer_to(teller, asked, NothingIsDown())


@pytest.fixture
def cloud() -> SimulatedCloud:
    return SimulatedCloud()


@pytest.mark.parametrize("probe", PROBES)
def test_what_a_router_translates_is_answered_to_the_instance(cloud: SimulatedCloud, probe: Probe) -> None:
    net = outward(cloud)
    found = answer_from_inside(cloud, net.one, FAR, probe)
    assert found is not None and found["verdict"] == "delivered"
    assert found["from"] == {"network": "world", "source": FAR, "via": OUTSIDE, "chassis": "hv3"}
    assert found["door"] == {"chassis": "hv3", "role": "gateway"}
    assert [(each["port_id"], each["chassis"]) for each in found["delivered_to"]] == [("one", "hv1")]
    assert found["translated"]["to"].startswith("10.0.1.11")
    assert ("router/hub", "hv1") in [(step["owner"], step["chassis"]) for step in found["steps"]]


def test_an_answer_leaves_with_the_floating_ip_that_was_asked(cloud: SimulatedCloud) -> None:
    net = outward(cloud)
    each = floating(cloud, net, 20, net.one)
    found = answer_from_outside(cloud, net.world, each.address, Probe("tcp", 80), source=FAR)
    assert found is not None and found["from"] == {"port": "one", "chassis": "hv1"}
    assert found["verdict"] == "physical"
    assert found["explanation"].endswith(f"; it leaves hv3 for the physical network physnet2, as {each.address}")
    assert "tcp_src=80" in found["left_by"][0]["packet"]
    forwarded = cloud.floating_ip(net.world, "203.0.113.30", router_id="hub")
    cloud.forward(forwarded, net.two, 8080, 80)
    found = answer_from_outside(cloud, net.world, forwarded.address, Probe("tcp", 8080), source=FAR)
    assert found is not None and found["explanation"].endswith(f", as {forwarded.address}")
    assert "tcp_src=8080" in found["left_by"][0]["packet"]


def test_an_instance_answers_another_past_its_security_groups(cloud: SimulatedCloud) -> None:
    group = cloud.security_group("web", {"protocol": 6, "port_range_min": 80, "port_range_max": 80})
    client, server = two_ports(cloud, group)
    found = answer_from_inside(cloud, client, "10.0.0.12", Probe("tcp", 80))
    assert found is not None and found["verdict"] == "delivered"
    assert found["explanation"].endswith(f"; delivered to {client.id} on hv1")
    assert answer_from_inside(cloud, client, "10.0.0.12", Probe("tcp", 22)) is None, "nobody has got it"
    assert server.id == found["from"]["port"]


def test_an_answer_goes_by_the_receivers_own_router(cloud: SimulatedCloud) -> None:
    net = joined(cloud)
    found = answer_from_inside(cloud, net.one, "10.0.2.12")
    assert found is not None and found["verdict"] == "delivered"
    assert f"10.0.2.1 is at {net.to_blue.mac_address}; delivered to one on hv1" in found["explanation"]


def test_without_translation_an_answer_needs_the_router_that_the_question_went_by(cloud: SimulatedCloud) -> None:
    net = outward(cloud)
    cloud.change(net.hub, enable_snat=False)
    twin_lan = lan(cloud, "twin lan", 1)
    other = cloud.router("other", twin_lan, enable_snat=False)
    cloud.gateway(other, net.world, "203.0.113.11")
    found = answer_from_inside(cloud, net.one, FAR)
    assert found is not None and found["verdict"] == "delivered"
    assert found["from"]["via"] == OUTSIDE and found["translated"] is None


@pytest.mark.parametrize("kind", ["vlan", "flat"])
def test_a_machine_on_a_provider_network_answers(cloud: SimulatedCloud, kind: str) -> None:
    net = plant(cloud, kind)
    know(cloud, net)
    found = answer_from_inside(cloud, net.one, ROBOT)
    assert found is not None and found["verdict"] == "delivered"
    assert found["from"] == {"network": f"{kind}plant", "source": ROBOT, "via": "10.0.2.1", "chassis": "hv3"}
    found = answer_from_outside(cloud, net.plant, "10.0.1.11", source=ROBOT)
    assert found is not None and found["verdict"] == "physical" and found["left_by"][0]["chassis"] == "hv1"


def test_what_the_network_itself_answers_is_followed_already(cloud: SimulatedCloud) -> None:
    net = outward(cloud)
    assert answer_from_outside(cloud, net.world, OUTSIDE) is None
    assert answer_from_inside(cloud, net.one, "10.0.1.1") is None
    assert answer_from_inside(cloud, net.one, "10.0.1.99") is None, "an ARP request, to whomever it goes"


def test_an_answer_that_several_routers_might_have_says_how_to_go_on(cloud: SimulatedCloud) -> None:
    net = plant(cloud)
    know(cloud, net)
    other = cloud.router("other")
    twin = lan(cloud, "twin", 1)
    cloud.interface(other, twin, "10.0.1.1")
    cloud.interface(other, net.plant, "10.0.2.2")
    with pytest.raises(
        ValueError, match=r"answer: via: 2 routers .* so trace it by itself, with from_outside=vlanplant"
    ):
        answer_from_inside(cloud, net.one, ROBOT)
