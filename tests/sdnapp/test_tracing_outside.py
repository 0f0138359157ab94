"""``sdnapp trace --from-outside`` follows a packet of a host on a physical network to where it comes out."""

from typing import Any

import pytest

from sdnapp.probes import PING, Probe
from sdnapp.roads import Teller
from sdnapp.status import NO_GATEWAY
from sdnapp.tracing_outside import Outside, trace_from_outside
from tests.clouds import UPSTREAM, UPSTREAM_MAC, SimulatedCloud
from tests.gateway_stories import FAR, OUTSIDE, Outward, block_of, floating, outward, second_address
from tests.provider_stories import ROBOT, know, plant
from tests.router_stories import lan
from tests.trace_stories import NothingIsDown
from topology.gateway_values import GatewayBinding, VirtualAddress
from topology.values import AddressPair, Chassis, FloatingIP, Network, Segment

TCP, UDP = "tcp", "udp"


class NotPlugged(NothingIsDown):
    """The port of a floating IP is not plugged in."""

    def why_floatingip_down(self, row: FloatingIP) -> str:
        return "its port one: not plugged"


def traced(
    cloud: SimulatedCloud, network: Network, to: str, probe: Probe = PING, why: Any = None, **sender: str
) -> dict[str, Any]:
    row = cloud.store.get(Network, network.id)
    assert row is not None
    teller, outside = Teller(cloud.store, cloud.engine), Outside(row, **sender)
    return trace_from_outside(teller, outside, to, why or NothingIsDown(), probe=probe).document


def outcome(found: dict[str, Any]) -> tuple[str, str | None, list[tuple[str, str]]]:
    """The verdict, the chassis where it comes in, and who gets it where."""
    return (
        found["verdict"],
        found["from"]["chassis"],
        [(each["port_id"], each["chassis"]) for each in found["delivered_to"]],
    )


def refused(cloud: SimulatedCloud, network: Network, to: str, **sender: str) -> str:
    with pytest.raises(ValueError) as caught:
        traced(cloud, network, to, **sender)
    return str(caught.value)


@pytest.fixture
def cloud() -> SimulatedCloud:
    return SimulatedCloud()


@pytest.fixture
def net(cloud: SimulatedCloud) -> Outward:
    return outward(cloud, ("hv3",), ("hv1", "hv3"))


# Floating IPs


def test_to_a_floating_ip_where_the_instance_is(cloud: SimulatedCloud, net: Outward) -> None:
    each = floating(cloud, net, 20, net.one)
    found = traced(cloud, net.world, each.address)
    assert outcome(found) == ("delivered", "hv1", [("one", "hv1")])
    assert found["from"] == {"network": "world", "source": UPSTREAM, "via": each.address, "chassis": "hv1"}
    assert found["door"] == {"chassis": "hv1", "role": "instance"}
    assert found["translated"] == {"from": each.address, "to": "10.0.1.11"}
    assert found["explanation"].endswith(
        f", on hv1, where the instance is; {each.address} becomes 10.0.1.11; delivered to one on hv1"
    )
    assert {step["chassis"] for step in found["steps"]} == {"hv1"}, "others are not brought it"
    assert "ipv4_dst=10.0.1.11" in found["delivered_to"][0]["packet"]
    actions = {step["table"]: step["actions"] for step in found["steps"]}
    assert "translate(zone->inbound_verdict,dst=10.0.1.11)" in actions["inbound_nat"]
    assert "set(peer=192.0.2.1)" in actions["forwarding"], "addresses are written as such"


def test_to_a_floating_ip_by_the_gateway_where_the_instance_has_no_way_out(cloud: SimulatedCloud, net: Outward) -> None:
    each = floating(cloud, net, 20, net.two)
    found = traced(cloud, net.world, each.address, Probe(TCP, 80), source=FAR)
    assert outcome(found) == ("delivered", "hv3", [("two", "hv2")])
    assert found["door"] == {"chassis": "hv3", "role": "gateway"}
    assert found["translated"] == {"from": f"{each.address}:80", "to": "10.0.1.12:80"}
    assert ", on hv3, the active gateway of router hub, as hv2 has no way to physnet2; " in found["explanation"]
    assert list(dict.fromkeys(step["chassis"] for step in found["steps"])) == ["hv3", "hv2"]
    assert f"dl_src={UPSTREAM_MAC}" in found["live_flow"] and f"nw_src={FAR}" in found["live_flow"]
    assert "in_port=103," in found["live_flow"], "the patch port of the physical network"


def test_what_the_receivers_security_groups_refuse_is_dropped_there(cloud: SimulatedCloud, net: Outward) -> None:
    cloud.security_group("web", {"protocol": 6, "port_range_min": 80, "port_range_max": 80})
    cloud.change(net.one, security_groups=("web",))
    each = floating(cloud, net, 20, net.one)
    assert traced(cloud, net.world, each.address, Probe(TCP, 80))["verdict"] == "delivered"
    found = traced(cloud, net.world, each.address, Probe(TCP, 22))
    assert outcome(found) == ("dropped", "hv1", [])
    assert "; dropped on hv1, counted as ingress_rules of one. " in found["explanation"]


def test_nobody_answers_for_a_floating_ip_that_stands_for_nobody(cloud: SimulatedCloud, net: Outward) -> None:
    each = floating(cloud, net, 20, None)
    found = traced(cloud, net.world, each.address)
    assert outcome(found) == ("unanswered", None, []) and found["steps"] == []
    assert found["explanation"] == (
        f"nobody there answers for {each.address}, so it is not sent: floating IP {each.address} stands for no port: "
        f"`openstack floating ip set --port PORT {each.address}`"
    )
    assert (found["door"], found["live_flow"], found["bridge"]) == (None, None, None)
    each = floating(cloud, net, 21, net.one)
    cloud.unbind(net.one, "hv1")
    told = traced(cloud, net.world, each.address, why=NotPlugged())["explanation"]
    assert told.endswith(f"floating IP {each.address}: its port one: not plugged")


# Forwarded ports


def test_to_forwarded_ports_and_to_others(cloud: SimulatedCloud, net: Outward) -> None:
    each = cloud.floating_ip(net.world, "203.0.113.30", router_id="hub")
    cloud.forward(each, net.two, 8080, 80)
    found = traced(cloud, net.world, each.address, Probe(TCP, 8080))
    assert outcome(found) == ("delivered", "hv3", [("two", "hv2")])
    assert found["translated"] == {"from": f"{each.address}:8080", "to": "10.0.1.12:80"}
    for other in (Probe(TCP, 8081), Probe(UDP, 8080)):
        found = traced(cloud, net.world, each.address, other)
        assert outcome(found) == ("controller", "hv3", [])
        assert found["explanation"].endswith("; the controller answers by ICMP: port unreachable")
    found = traced(cloud, net.world, each.address)
    assert outcome(found) == ("dropped", "hv3", [])
    assert found["explanation"].endswith(
        "203.0.113.30 lets in what is for one of its forwarded ports, and nothing else"
    )


# The router's own address


def test_a_router_answers_a_ping_outside(cloud: SimulatedCloud, net: Outward) -> None:
    found = traced(cloud, net.world, OUTSIDE)
    assert outcome(found) == ("answered", "hv3", [])
    assert found["explanation"].endswith("on hv3, the active gateway of router hub; router hub answers the ping itself")
    assert {step["chassis"] for step in found["steps"]} == {"hv3"}, "hv1 hears the answer, which is not for it"


def test_only_the_chassis_on_the_way_are_looked_at(cloud: SimulatedCloud, net: Outward) -> None:
    """A chassis may have 100,000 flows, and there may be hundreds that are on the physical network."""
    each = floating(cloud, net, 20, net.one)
    teller = Teller(cloud.store, cloud.engine)
    for sender in (Outside(net.world), Outside(net.world, "203.0.113.77")):
        for to in (OUTSIDE, each.address):
            assert trace_from_outside(teller, sender, to, NothingIsDown()).document["verdict"] in (
                "answered",
                "delivered",
            )
    assert set(teller.fabric._switches) == {"hv1", "hv3"}
    teller = Teller(cloud.store, cloud.engine)
    trace_from_outside(teller, Outside(net.world, "203.0.113.77"), OUTSIDE, NothingIsDown())
    assert set(teller.fabric._switches) == {"hv3"}, "the answer to the ping is for somebody outside"


def test_a_port_of_the_routers_that_is_nobodys_is_unreachable(cloud: SimulatedCloud, net: Outward) -> None:
    found = traced(cloud, net.world, OUTSIDE, Probe(TCP, 22))
    assert outcome(found) == ("controller", "hv3", [])
    assert found["explanation"].endswith("; the controller answers by ICMP: port unreachable")


def test_nobody_begins_anything_with_a_port_that_is_translated_with(cloud: SimulatedCloud, net: Outward) -> None:
    second_address(cloud, net)
    found = traced(cloud, net.world, OUTSIDE, Probe(UDP, block_of(cloud, net.hub, "hv1")))
    assert outcome(found) == ("dropped", "hv3", [])
    assert "; dropped on hv1: the port is one of those with which hv1 translates for router hub" in found["explanation"]
    assert [step["table"] for step in found["steps"] if step["chassis"] == "hv1"][-2:] == ["inbound_verdict", "drops"]


def test_nobody_answers_for_a_router_without_a_gateway_chassis(cloud: SimulatedCloud, net: Outward) -> None:
    cloud.doors((), ("hv1",))
    told = traced(cloud, net.world, OUTSIDE)["explanation"]
    assert told.endswith(f"so it is not sent: router hub: {NO_GATEWAY}")


def test_while_one_gateway_hands_over_to_another_nobody_answers(cloud: SimulatedCloud, net: Outward) -> None:
    cloud.doors(("hv1", "hv3"), ("hv1", "hv3"))
    bound = cloud.store.get(GatewayBinding, "router/hub")
    assert bound is not None and traced(cloud, net.world, OUTSIDE)["from"]["chassis"] == bound.chassis_id
    cloud.lose(bound.chassis_id, is_heard=False)
    other = cloud.store.get(GatewayBinding, "router/hub")
    assert other is not None
    with cloud.store.transaction() as tx:
        tx.put(GatewayBinding(other.id, other.router_id, other.chassis_id, other.since, former="hv9"))
    cloud.engine.update(cloud._changes)
    told = traced(cloud, net.world, OUTSIDE)
    assert told["verdict"] == "unanswered" and "handing over to another" in told["explanation"]


# Behind routers


def test_to_an_instance_behind_a_router_that_does_not_translate(cloud: SimulatedCloud, net: Outward) -> None:
    found = traced(cloud, net.world, "10.0.1.12", source=FAR)
    assert outcome(found) == ("dropped", "hv3", [])
    assert "router hub translates (enable_snat), so what is behind it is reached" in found["explanation"]
    cloud.change(net.hub, enable_snat=False)
    found = traced(cloud, net.world, "10.0.1.12", source=FAR)
    assert outcome(found) == ("delivered", "hv3", [("two", "hv2")])
    assert found["from"]["via"] == OUTSIDE and found["translated"] is None
    assert ", the active gateway of router hub; delivered to two on hv2" in found["explanation"]
    found = traced(cloud, net.world, "10.0.1.77", source=FAR)
    assert found["verdict"] == "controller"
    assert found["explanation"].endswith("; the controller answers by ICMP: host unreachable")


def test_where_several_routers_lead_there_one_must_be_named(cloud: SimulatedCloud, net: Outward) -> None:
    twin_lan = lan(cloud, "twin lan", 1)
    twin = cloud.port("twin", twin_lan, "10.0.1.12", "hv1")
    other = cloud.router("other", twin_lan, enable_snat=False)
    cloud.gateway(other, net.world, "203.0.113.11")
    told = refused(cloud, net.world, "10.0.1.12")
    assert told == (
        "via: 2 routers lead from there to 10.0.1.12; say which one: "
        "203.0.113.10 (router hub), 203.0.113.11 (router other)"
    )
    found = traced(cloud, net.world, "10.0.1.12", via="203.0.113.11")
    assert outcome(found) == ("delivered", "hv3", [(twin.id, "hv1")])
    for wrong in ("10.0.1.1", "nowhere", "224.0.0.1"):
        assert refused(cloud, net.world, "10.0.1.12", via=wrong).startswith(f"via: {wrong!r} is in no subnet")


# Provider networks


@pytest.mark.parametrize("kind", ["vlan", "flat"])
def test_from_a_machine_on_a_provider_network(cloud: SimulatedCloud, kind: str) -> None:
    net = plant(cloud, kind)
    know(cloud, net)
    found = traced(cloud, net.plant, "10.0.1.11", source=ROBOT)
    assert outcome(found) == ("delivered", "hv3", [(f"{kind}one", "hv1")])
    assert found["door"] == {"chassis": "hv3", "role": "interface"}
    assert f", on hv3, which stands for router {kind}hub there; delivered to" in found["explanation"]
    assert ("dl_vlan=100" in found["live_flow"]) == (kind == "vlan")
    assert outcome(traced(cloud, net.plant, "10.0.2.1", source=ROBOT)) == ("answered", "hv3", [])
    found = traced(cloud, net.plant, "10.0.2.12", source=ROBOT)
    assert outcome(found) == ("delivered", "hv2", [(f"{kind}press", "hv2")])
    assert found["door"] == {"chassis": "hv2", "role": "instance"}
    cloud.doors(())
    told = traced(cloud, net.plant, "10.0.2.1", source=ROBOT)["explanation"]
    assert told.endswith(f"router {kind}hub: {NO_GATEWAY}")


def test_from_one_physical_network_to_another_by_the_wire(cloud: SimulatedCloud) -> None:
    net = plant(cloud)
    floor = cloud.network("floor", "flat", transit=Segment("geneve", 99))
    cloud.subnet(floor, "10.0.3.0/24", gateway_ip="10.0.3.1")
    cloud.interface(net.hub, floor, "10.0.3.1")
    found = traced(cloud, floor, "10.0.2.12", source="10.0.3.200")
    assert outcome(found) == ("delivered", "hv3", [("vlanpress", "hv2")])
    assert [each["chassis"] for each in found["left_by"]] == ["hv3"]
    assert list(dict.fromkeys(step["chassis"] for step in found["steps"])) == ["hv3", "hv2"], "hv1 hears it, too"
    cloud.security_group("shut")
    cloud.change(net.press, security_groups=("shut",))
    found = traced(cloud, floor, "10.0.2.12", source="10.0.3.200")
    assert found["verdict"] == "dropped" and "; dropped on hv2, counted as ingress_rules" in found["explanation"]
    found = traced(cloud, floor, "10.0.2.77", source="10.0.3.200")
    assert found["verdict"] == "controller"
    assert found["explanation"].endswith(
        "asks by ARP for the address, which nobody on its network has answered for yet"
    )
    know(cloud, net)
    found = traced(cloud, floor, ROBOT, source="10.0.3.200")
    assert outcome(found) == ("physical", "hv3", [])
    assert found["explanation"].endswith("; it leaves hv3 for the physical network physnet1, as 10.0.3.200")


def test_an_address_that_several_may_have_is_where_it_was_heard(cloud: SimulatedCloud) -> None:
    net = plant(cloud)
    shared = "10.0.2.50"
    cloud.change(net.press, allowed_address_pairs=(AddressPair(shared, net.press.mac_address),))
    assert traced(cloud, net.plant, shared, source=ROBOT)["verdict"] == "unanswered"
    cloud.put(VirtualAddress(f"{net.plant.id}/{shared}", net.plant.id, shared, net.press.id))
    assert outcome(traced(cloud, net.plant, shared, source=ROBOT)) == ("delivered", "hv2", [("vlanpress", "hv2")])


# Nobody, and what cannot be traced


def test_to_nobody(cloud: SimulatedCloud, net: Outward) -> None:
    found = traced(cloud, net.world, "203.0.113.99")
    assert outcome(found) == ("unanswered", None, [])
    assert found["explanation"].endswith("no port, router or floating IP of this cloud has the address")
    assert refused(cloud, net.world, "192.0.2.99").startswith("to: 192.0.2.99 is in no subnet of the network")
    assert refused(cloud, net.world, "224.0.0.5") == "to: 224.0.0.5 is no address of one host"
    assert refused(cloud, net.world, "web").startswith("to: 'web' is no IPv4 address")


def test_who_cannot_send(cloud: SimulatedCloud, net: Outward) -> None:
    to, other = (floating(cloud, net, last, net.one).address for last in (20, 21))
    bystander = cloud.port("bystander", net.world, "203.0.113.50", "hv3")
    for source, words in (
        (to, "where it is sent to; say which address outside sends"),
        (other, f"the address of floating IP {other}, and of nobody outside: say which address outside sends"),
        (OUTSIDE, "the address of router hub, and of nobody outside: say which address outside sends"),
        ("203.0.113.50", f"the address of port bystander, and of nobody outside: say port={bystander.id} in place"),
        ("10.0.1.77", "inside subnet 10.0.1.0/24 behind router hub, and nobody's outside: trace from a port, or take"),
    ):
        assert refused(cloud, net.world, to, source=source).startswith(f"source: {source} is {words}")
    for source in ("", "x", "0.0.0.0", "127.0.0.1", "239.1.1.1", "255.255.255.255"):
        assert refused(cloud, net.world, to, source=source).startswith(f"source: {source!r} is no address of a host")


def test_where_nothing_can_come_from(cloud: SimulatedCloud, net: Outward) -> None:
    assert "network red is an overlay, where nobody is outside" in refused(cloud, net.red, OUTSIDE)
    island = lan(cloud, "island", 7, "vlan")
    cloud.interface(net.hub, island, "10.0.7.1")
    assert refused(cloud, island, "10.0.7.5").startswith("source: the network has no upstream router that might send")
    cloud.doors((), ())
    assert refused(cloud, net.world, OUTSIDE) == (
        "from_outside: network world: no chassis has a way to its physical network physnet2: "
        "`sdnapp chassis init --bridge-mappings physnet2:BRIDGE` gives it one"
    )
    cloud.change(net.world, admin_state_up=False)
    assert "network world is administratively down: `openstack network set --enable" in refused(
        cloud, net.world, OUTSIDE
    )


def test_chassis_are_called_by_host_name_where_no_other_has_it(cloud: SimulatedCloud, net: Outward) -> None:
    cloud.change(cloud.store.get(Chassis, "hv3"), hostname="door")
    assert ", on door, the active gateway" in traced(cloud, net.world, OUTSIDE)["explanation"]
    cloud.change(cloud.store.get(Chassis, "hv1"), hostname="door")
    assert ", on hv3, the active gateway" in traced(cloud, net.world, OUTSIDE)["explanation"]


def test_an_external_network_may_be_a_vlan(cloud: SimulatedCloud) -> None:
    cloud.doors(("hv3",), ("hv3",))
    world, red = cloud.external(kind="vlan", vlan=300), lan(cloud, "red", 1)
    one = cloud.port("one", red, "10.0.1.11", "hv1")
    hub = cloud.router("hub", red)
    cloud.gateway(hub, world, OUTSIDE)
    each = cloud.floating_ip(world, "203.0.113.20", one, router_id=hub.id)
    found = traced(cloud, world, each.address)
    assert outcome(found) == ("delivered", "hv3", [("one", "hv1")])
    assert "in_port=102," in found["live_flow"] and "dl_vlan=300,dl_vlan_pcp=0" in found["live_flow"]
