"""What the network does, told in packets: who sends what, where it comes out, what is seen on the way.

Each story takes an empty ``tests.clouds.Cloud`` and holds on the simulator and on real Open vSwitch alike. What is true
of every packet (isolation, no copy sent twice, nothing returned to the core) the cloud checks at each one. Here is
connectivity; ``tests.address_stories`` has ARP, spoofing and DHCP, ``tests.router_stories`` routers,
``tests.gateway_stories`` their gateways, ``tests.source_port_stories`` the ports that they translate with,
``tests.fence_stories`` lost gateway chassis, ``tests.handover_stories`` replaced ones, ``tests.stand_in_stories``
failed ones that the controller knows nothing of,
``tests.provider_stories`` routers on physical networks,
``tests.virtual_address_stories`` addresses that move, ``tests.packet_size_stories`` MTUs,
``tests.security_stories`` security groups, ``tests.spoofing_stories`` attackers' tricks, ``tests.trace_stories`` what
``sdnapp trace`` says of packets and answers from outside.
"""

import pytest

import tests.address_stories
import tests.fence_stories
import tests.gateway_stories
import tests.handover_stories
import tests.packet_size_stories
import tests.provider_stories
import tests.router_stories
import tests.security_stories
import tests.source_port_stories
import tests.spoofing_stories
import tests.stand_in_stories
import tests.trace_stories
import tests.virtual_address_stories  # noqa: F401 - all add their stories to the list
from flows import packets
from flows.features import flooding
from flows.packets import gratuitous_arp, icmp_echo
from flows.simulator import Crossing, Delivery
from tests.clouds import CHASSIS, KINDS, OVERLAYS, Cloud
from tests.storytelling import (
    STORIES,
    STRANGER,
    address,
    ask,
    crossed,
    hello,
    nothing,
    pair,
    ping,
    reached,
    stays_at_home,
    story,
)
from topology.values import Chassis, Port, Subnet

__all__ = ["STORIES"]

# Who reaches whom


@story
def instances_of_a_network_reach_each_other_across_chassis(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        walk = cloud.inject(f"{one.id}@hv1", ping(one, two))
        assert walk.deliveries == [Delivery(f"{two.id}@hv2", ping(one, two))], kind
        if kind in OVERLAYS:
            vni = network.segment.segmentation_id
            assert walk.on_core == [Crossing("hv1", "hv2", vni, ping(one, two))] and not walk.on_physical
        else:
            assert [frame.chassis_id for frame in walk.on_physical] == ["hv1"] and not walk.on_core
        assert reached(cloud.inject(f"{two.id}@hv2", ping(two, one))) == [f"{one.id}@hv1"]


@story
def instances_on_one_chassis_reach_each_other_without_the_core(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, _ = pair(cloud, kind, kind)
        near = cloud.port(f"{kind}3", network, "10.0.0.13", "hv1")
        walk = cloud.inject(f"{one.id}@hv1", ping(one, near))
        assert walk.deliveries == [Delivery(f"{near.id}@hv1", ping(one, near))]
        assert stays_at_home(walk)


@story
def tenants_with_the_same_addresses_never_meet(cloud: Cloud) -> None:
    # The same IPv4 and MAC addresses on the same chassis: only the network tells them apart.
    tenants = {}
    for name, kind, vlan in (("red", "geneve", 0), ("blue", "geneve", 0), ("green", "vlan", 5), ("grey", "vlan", 6)):
        network = cloud.network(name, kind, vlan=vlan)
        tenants[name] = [
            cloud.port(f"{name}{n}", network, f"10.0.0.{n}", f"hv{n}", mac_address=f"fa:16:3e:00:00:0{n}")
            for n in (1, 2)
        ]
    for name, (one, two) in tenants.items():
        assert reached(cloud.inject(f"{one.id}@hv1", ping(one, two))) == [f"{name}2@hv2"]
        assert reached(cloud.inject(f"{one.id}@hv1", hello(one))) == [f"{name}2@hv2"]
        assert reached(cloud.inject(f"{one.id}@hv1", ask(one, address(two)))) == [f"{name}1@hv1"]
        for odd in (packets.multicast(one.mac_address, address(one)), gratuitous_arp(one.mac_address, address(one))):
            assert set(reached(cloud.inject(f"{one.id}@hv1", odd))) <= {f"{name}2@hv2"}


@story
def an_instance_cannot_choose_its_vlan(cloud: Cloud) -> None:
    # A tag that an instance adds would name somebody else's network on the wire.
    victim = cloud.port("victim1", cloud.network("victim", "vlan", vlan=66), "10.0.0.11", "hv2")
    for kind in KINDS:
        for guarded in (True, False):
            name = f"{kind}-{guarded}"
            network = cloud.network(name, kind, vlan=7)
            sender = cloud.port(name, network, "10.0.0.11", "hv1", port_security_enabled=guarded)
            cloud.port(f"{name}2", network, "10.0.0.12", "hv2")
            for frame in (hello(sender), ping(sender, victim), ask(sender, "10.0.0.11"), ask(sender, "10.0.0.99")):
                for tags in ((66,), (0,), (7, 66), (66, 66)):
                    assert nothing(cloud.inject(f"{name}@hv1", frame.tagged(*tags))), (name, frame, tags)
            cloud.delete(network)
            cloud.unbind(sender, "hv1")


# Broadcast, multicast, unknown


@story
def a_broadcast_goes_once_to_each_chassis_that_hosts_the_network(cloud: Cloud) -> None:
    for kind in KINDS:
        network = cloud.network(kind, kind)
        ports = [(f"{kind}{n}", at) for n, at in enumerate(("hv1", "hv1", "hv2", "hv2"))]
        one, *_ = [cloud.port(name, network, f"10.0.0.1{n}", at) for n, (name, at) in enumerate(ports)]
        others = sorted(f"{name}@{at}" for name, at in ports[1:])
        for packet in (
            hello(one),
            packets.multicast(one.mac_address, address(one)),
            ask(one, "10.0.0.99"),
        ):
            walk = cloud.inject(f"{one.id}@hv1", packet)
            assert reached(walk) == others
            assert all(copy == packet for _, copy in walk.deliveries)
            if kind in OVERLAYS:
                assert crossed(walk) == [("hv1", "hv2")] and not walk.on_physical
            else:
                assert len(walk.on_physical) == 1 and not walk.on_core
        last = cloud.port(f"{kind}9", network, "10.0.0.19", "hv3")
        walk = cloud.inject(f"{one.id}@hv1", hello(one))
        assert reached(walk) == sorted([*others, f"{last.id}@hv3"])
        assert crossed(walk) == ([("hv1", "hv2"), ("hv1", "hv3")] if kind in OVERLAYS else [])
        cloud.unbind(last, "hv3")
        assert reached(cloud.inject(f"{one.id}@hv1", hello(one))) == others


@story
def a_broadcast_goes_to_each_of_very_many_ports_once(cloud: Cloud) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flooding, "SHARE", 2)
        for kind in ("geneve", "flat"):
            network = cloud.network(kind, kind)
            names = [(f"{kind}{n}", "hv1" if n < 7 else "hv2") for n in range(10)]
            ports = [cloud.port(name, network, f"10.0.0.1{n}", at) for n, (name, at) in enumerate(names)]
            places = [f"{name}@{at}" for name, at in names]
            for one, place in ((ports[0], places[0]), (ports[8], places[8])):
                assert reached(cloud.inject(place, hello(one))) == sorted({*places} - {place})
            for port, (_, at) in list(zip(ports, names, strict=True))[1:6]:
                cloud.unbind(port, at)
            assert reached(cloud.inject(places[0], hello(ports[0]))) == places[6:]


@story
def an_unknown_unicast_is_dropped_on_overlays_and_leaves_once_elsewhere(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind)
        packet = ping(one, two).but(eth_dst=STRANGER)
        walk = cloud.inject(f"{one.id}@hv1", packet)
        assert reached(walk) == []
        if kind in OVERLAYS:
            assert nothing(walk)
        else:
            assert [frame.packet.untagged() for frame in walk.on_physical] == [packet]


# Provider networks


@story
def provider_networks_speak_to_strangers_in_their_own_tags(cloud: Cloud) -> None:
    plant = cloud.network("plant", "vlan", vlan=200)
    lab = cloud.network("lab", "flat")
    for network, wire, tags in ((plant, "physnet1", (200,)), (lab, "physnet2", ())):
        one = cloud.port(f"{network.id}1", network, "10.0.0.11", "hv1")
        two = cloud.port(f"{network.id}2", network, "10.0.0.12", "hv2")
        out = ping(one, two).but(eth_dst=STRANGER)
        walk = cloud.inject(f"{one.id}@hv1", out)
        on_wire = out.tagged(*tags) if tags else out
        assert [tuple(frame) for frame in walk.on_physical] == [("hv1", wire, on_wire)]

        back = icmp_echo(STRANGER, one.mac_address, "198.51.100.7", address(one))
        walk = cloud.inject_physical(wire, back.tagged(*tags) if tags else back)
        assert walk.deliveries == [Delivery(f"{one.id}@hv1", back)]
        everyone = packets.broadcast(STRANGER, "198.51.100.7")
        walk = cloud.inject_physical(wire, everyone.tagged(*tags) if tags else everyone)
        assert reached(walk) == [f"{one.id}@hv1", f"{two.id}@hv2"]
        assert all(packet == everyone for _, packet in walk.deliveries)
        for wrong in ((201,), (0,), (200, 5)) if not tags else ((201,), (0,), (5, 200)):
            assert reached(cloud.inject_physical(wire, everyone.tagged(*wrong))) == [], wrong
    assert reached(cloud.inject_physical("physnet1", packets.broadcast(STRANGER, "198.51.100.7"))) == []


# State


@story
def admin_state_silences_a_port_and_a_network(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        three = cloud.port(f"{kind}3", network, "10.0.0.13", "hv1")

        def silent(port: Port, at: str, ask_from: Port) -> None:
            for packet in (ping(port, ask_from), hello(port), ask(port, address(ask_from)),
                           packets.dhcp_discover(port.mac_address)):  # fmt: skip
                assert nothing(cloud.inject(f"{port.id}@{at}", packet))

        cloud.change(two, admin_state_up=False)
        silent(two, "hv2", one)
        assert f"{two.id}@hv2" not in reached(cloud.inject(f"{one.id}@hv1", ping(one, two)))
        assert reached(cloud.inject(f"{one.id}@hv1", hello(one))) == [f"{three.id}@hv1"]
        cloud.change(two, admin_state_up=True)
        assert reached(cloud.inject(f"{one.id}@hv1", ping(one, two))) == [f"{two.id}@hv2"]

        cloud.change(network, admin_state_up=False)
        silent(one, "hv1", two)
        silent(two, "hv2", one)
        silent(three, "hv1", one)
        cloud.change(network, admin_state_up=True)
        assert reached(cloud.inject(f"{two.id}@hv2", ping(two, one))) == [f"{one.id}@hv1"]


@story
def traffic_follows_an_instance_that_migrates(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        near = cloud.port(f"{kind}3", network, "10.0.0.13", "hv3")
        cloud.bind(two, "hv3")
        # Plugged at both ends of the migration: the last one counts.
        for sender, at in ((one, "hv1"), (near, "hv3")):
            assert reached(cloud.inject(f"{sender.id}@{at}", ping(sender, two))) == [f"{two.id}@hv3"]
            assert f"{two.id}@hv2" not in reached(cloud.inject(f"{sender.id}@{at}", hello(sender)))
        assert nothing(cloud.inject(f"{two.id}@hv2", ping(two, one)))
        assert reached(cloud.inject(f"{two.id}@hv3", ping(two, one))) == [f"{one.id}@hv1"]
        assert reached(cloud.inject(f"{one.id}@hv1", ask(one, address(two)))) == [f"{one.id}@hv1"]
        cloud.unbind(two, "hv2")
        assert reached(cloud.inject(f"{one.id}@hv1", ping(one, two))) == [f"{two.id}@hv3"]
        # And one whose migration fails stays.
        cloud.bind(two, "hv1")
        assert reached(cloud.inject(f"{one.id}@hv1", ping(one, two))) == [f"{two.id}@hv1"]
        cloud.unbind(two, "hv1")
        assert reached(cloud.inject(f"{one.id}@hv1", ping(one, two))) == [f"{two.id}@hv3"]


@story
def an_unplugged_port_is_gone(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind)
        cloud.unbind(two, "hv2")
        walk = cloud.inject(f"{one.id}@hv1", ping(one, two))
        assert reached(walk) == [] and walk.on_core == []
        assert reached(cloud.inject(f"{one.id}@hv1", hello(one))) == []
        assert reached(cloud.inject(f"{one.id}@hv1", ask(one, address(two)))) == []


@story
def a_deleted_port_is_gone_while_its_interface_stays(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind)
        packet = ping(two, one)
        cloud.delete(two)
        assert nothing(cloud.inject(f"{two.id}@hv2", packet))
        assert reached(cloud.inject(f"{one.id}@hv1", hello(one))) == []


# The core


@story
def what_comes_from_the_core_never_returns_to_it(cloud: Cloud) -> None:
    # The cloud checks that nothing is on the core; here is what such a frame can do.
    for kind in OVERLAYS:
        network, one, two = pair(cloud, kind, kind)
        vni = network.segment.segmentation_id or 0
        here = [f"{one.id}@hv1"]
        for packet, expected in (
            (ping(two, one), here),
            (ping(one, two), []),
            (hello(two), here),
            (packets.multicast(two.mac_address, address(two)), here),
            (ping(one, two).but(eth_dst=STRANGER), []),
        ):
            assert reached(cloud.inject_core("hv1", packet, vni, kind)) == expected
        elsewhere = "vxlan" if kind == "geneve" else "geneve"
        assert nothing(cloud.inject_core("hv1", ping(two, one), vni, elsewhere)), "the other encapsulation"
        assert nothing(cloud.inject_core("hv1", ping(two, one), vni + 100, kind))
        assert nothing(cloud.inject_core("hv3", ping(two, one), vni, kind)), "a chassis that does not host it"
    network, one, two = pair(cloud, "flat", "lab")
    assert reached(cloud.inject_physical("physnet2", ping(one, two))) == [f"{two.id}@hv2"]
    assert reached(cloud.inject_physical("physnet2", ping(one, two).but(eth_dst=STRANGER))) == []


@story
def a_chassis_without_a_tunnel_address_serves_its_own_instances_alone(cloud: Cloud) -> None:
    network, one, two = pair(cloud)
    near = cloud.port("near", network, "10.0.0.13", "hv2")
    _, four, five = pair(cloud, "flat", "lab")
    for lacking in ({"encap_types": ("vxlan",)}, {"encap_ip": None}):
        cloud.change(cloud.store.get(Chassis, "hv2"), **lacking)
        assert reached(cloud.inject(f"{near.id}@hv2", ping(near, two))) == [f"{two.id}@hv2"]
        assert nothing(cloud.inject(f"{one.id}@hv1", ping(one, two)))
        assert reached(cloud.inject(f"{four.id}@hv1", ping(four, five))) == [f"{five.id}@hv2"]
        assert reached(cloud.inject(f"{five.id}@hv2", ping(five, four))) == [f"{four.id}@hv1"]


@story
def a_chassis_holds_no_flow_of_a_network_that_it_does_not_host(cloud: Cloud) -> None:
    bare = {name: list(cloud.flows(name).values()) for name in CHASSIS}
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        ours = {f"network/{network.id}", f"port/{one.id}", f"port/{two.id}"}
        ours |= {f"subnet/{subnet.id}" for subnet in cloud.store.find(Subnet, "network", network.id)}
        assert all(any(flow.owner in ours for flow in cloud.flows(at).values()) for at in ("hv1", "hv2"))
        for flow in cloud.flows("hv3").values():
            assert flow.owner not in ours
            assert not any(term.field == "network" and term.value == network.key for term in flow.match)
        cloud.unbind(two, "hv2")
        assert not any(flow.owner in ours for flow in cloud.flows("hv2").values())
        cloud.unbind(one, "hv1")
    assert {name: list(cloud.flows(name).values()) for name in CHASSIS} == bare
