"""What the network does, told in packets: who sends what, where it comes out, what is seen on the way.

Each story takes an empty ``tests.clouds.Cloud`` and holds on the simulator and on real Open vSwitch alike. What is true
of every packet (isolation, no copy sent twice, nothing returned to the core) the cloud checks at each one.
"""

from collections.abc import Callable

from flows import packets
from flows.packets import BROADCAST_MAC, Packet, arp_probe, arp_reply, arp_request, gratuitous_arp, icmp_echo
from flows.simulator import Crossing, Delivery, Walk
from tests.clouds import CHASSIS, KINDS, OVERLAYS, Cloud
from topology.addressing import SERVICE_MAC
from topology.values import AddressPair, Network, Port, Subnet

Story = Callable[[Cloud], None]
STORIES: list[Story] = []
STRANGER = "fa:16:3e:99:99:99"


def story(function: Story) -> Story:
    """Add a story to the list."""
    STORIES.append(function)
    return function


def address(port: Port) -> str:
    return port.fixed_ips[0].ip_address


def ping(source: Port, target: Port) -> Packet:
    return icmp_echo(source.mac_address, target.mac_address, address(source), address(target))


def ask(source: Port, target: str) -> Packet:
    return arp_request(source.mac_address, address(source), target)


def hello(source: Port) -> Packet:
    """A broadcast."""
    return packets.broadcast(source.mac_address, address(source))


def reached(walk: Walk) -> list[str]:
    """The places where packets came out."""
    return sorted(place for place, _ in walk.deliveries)


def crossed(walk: Walk) -> list[tuple[str, str | None]]:
    """From which chassis to which packets went through tunnels."""
    return sorted((crossing.from_chassis, crossing.to_chassis) for crossing in walk.on_core)


def nothing(walk: Walk) -> bool:
    return not (walk.deliveries or walk.on_core or walk.on_physical or walk.to_controller)


def stays_at_home(walk: Walk) -> bool:
    return not (walk.on_core or walk.on_physical)


def pair(cloud: Cloud, kind: str = "geneve", name: str = "red", **values) -> tuple[Network, Port, Port]:
    """A network with one port on hv1 and one on hv2."""
    network = cloud.network(name, kind)
    one = cloud.port(f"{name}1", network, "10.0.0.11", "hv1", **values)
    return network, one, cloud.port(f"{name}2", network, "10.0.0.12", "hv2", **values)


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


# ARP


@story
def arp_is_answered_where_it_is_asked(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        near = cloud.port(f"{kind}3", network, "10.0.0.13", "hv1")
        for target in (two, near):
            walk = cloud.inject(f"{one.id}@hv1", ask(one, address(target)))
            reply = arp_reply(target.mac_address, address(target), one.mac_address, address(one))
            assert walk.deliveries == [Delivery(f"{one.id}@hv1", reply)]
            assert stays_at_home(walk)


@story
def a_probe_for_the_ports_own_address_is_not_answered(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind)
        walk = cloud.inject(f"{one.id}@hv1", arp_probe(one.mac_address, address(one)))
        if kind in OVERLAYS:
            assert nothing(walk)
        else:
            # Strangers out there may hold the address; its owner is not told of a conflict that is none.
            assert reached(walk) == [f"{two.id}@hv2"] and len(walk.on_physical) == 1


@story
def a_probe_for_anothers_address_is_answered(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind)
        walk = cloud.inject(f"{one.id}@hv1", arp_probe(one.mac_address, address(two)))
        reply = arp_reply(two.mac_address, address(two), one.mac_address, "0.0.0.0")
        assert walk.deliveries == [Delivery(f"{one.id}@hv1", reply)]
        assert stays_at_home(walk)


@story
def an_announcement_of_ones_own_address_leaves_only_for_physical_networks(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind)
        walk = cloud.inject(f"{one.id}@hv1", gratuitous_arp(one.mac_address, address(one)))
        assert nothing(walk) if kind in OVERLAYS else reached(walk) == [f"{two.id}@hv2"]


@story
def gratuitous_arp_poisons_nothing(cloud: Cloud) -> None:
    for kind in KINDS:
        for guarded in (True, False):
            name = f"{kind}-{guarded}"
            network = cloud.network(name, kind)
            villain = cloud.port(f"{name}1", network, "10.0.0.11", "hv1", port_security_enabled=guarded)
            victim = cloud.port(f"{name}2", network, "10.0.0.12", "hv1")
            far = cloud.port(f"{name}3", network, "10.0.0.13", "hv2")
            claim = villain.mac_address, address(victim)
            for lie in (
                gratuitous_arp(*claim),
                arp_request(*claim, address(far)),
                arp_request(*claim, "10.0.0.99"),
                arp_reply(*claim, BROADCAST_MAC, address(victim)),
                arp_reply(*claim, far.mac_address, address(far)),
                gratuitous_arp(villain.mac_address, address(far)),
            ):
                walk = cloud.inject(f"{villain.id}@hv1", lie)
                assert set(reached(walk)) <= {f"{villain.id}@hv1"}, (name, lie)
                assert stays_at_home(walk)
            for port, at in ((villain, "hv1"), (victim, "hv1"), (far, "hv2")):
                cloud.unbind(port, at)


@story
def a_gateway_address_that_nobody_has_is_answered_for_dhcp(cloud: Cloud) -> None:
    for kind in KINDS:
        network = cloud.network(kind, kind)
        cloud.subnet(network, gateway_ip="10.0.0.1")
        one = cloud.port(f"{kind}1", network, "10.0.0.11", "hv1")
        walk = cloud.inject(f"{one.id}@hv1", ask(one, "10.0.0.1"))
        reply = arp_reply(SERVICE_MAC, "10.0.0.1", one.mac_address, address(one))
        if kind in OVERLAYS:
            assert walk.deliveries == [Delivery(f"{one.id}@hv1", reply)] and stays_at_home(walk)
            router = cloud.port(f"{kind}-router", network, "10.0.0.1", "hv2")
            walk = cloud.inject(f"{one.id}@hv1", ask(one, "10.0.0.1"))
            reply = arp_reply(router.mac_address, "10.0.0.1", one.mac_address, address(one))
            assert walk.deliveries == [Delivery(f"{one.id}@hv1", reply)]
        else:
            assert reached(walk) == [] and len(walk.on_physical) == 1, "the gateway is out there"


# Spoofing


@story
def what_claims_to_come_from_another_is_dropped(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind)
        good = ping(one, two)
        request = ask(one, "10.0.0.99")
        assert reached(cloud.inject(f"{one.id}@hv1", good)) == [f"{two.id}@hv2"]
        assert reached(cloud.inject(f"{one.id}@hv1", request)) == [f"{two.id}@hv2"]
        for lie in (
            good.but(eth_src=STRANGER),
            good.but(eth_src=two.mac_address),
            good.but(ipv4_src=address(two)),
            good.but(ipv4_src="0.0.0.0"),
            good.but(ipv4_src="10.0.0.99"),
            request.but(eth_src=STRANGER),
            request.but(arp_sha=STRANGER),
            request.but(eth_src=STRANGER, arp_sha=STRANGER),
            request.but(arp_spa=address(two)),
            request.but(arp_spa="10.0.0.98"),
            hello(one).but(eth_src=STRANGER),
            packets.dhcp_discover(STRANGER),
            packets.ipv6(one.mac_address, two.mac_address),
            packets.unknown_ethertype(one.mac_address, two.mac_address),
            packets.unknown_ethertype(one.mac_address),
        ):
            assert nothing(cloud.inject(f"{one.id}@hv1", lie)), (kind, lie)


@story
def allowed_address_pairs_pass(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        router = cloud.port(
            f"{kind}-r",
            network,
            "10.0.0.20",
            "hv1",
            mac_address="fa:16:3e:00:07:01",
            allowed_address_pairs=(
                AddressPair("10.0.0.50", "fa:16:3e:00:07:01"),
                AddressPair("172.16.0.0/12", "fa:16:3e:00:07:01"),
                AddressPair("10.0.0.60", "fa:16:3e:00:07:02"),
            ),
        )
        there = [f"{two.id}@hv2"]
        template = ping(router, two)
        for mac, source, passes in (
            (router.mac_address, "10.0.0.50", True),
            (router.mac_address, "172.16.0.1", True),
            (router.mac_address, "172.31.255.255", True),
            (router.mac_address, "172.32.0.0", False),
            (router.mac_address, "10.0.0.60", False),
            (router.mac_address, "10.0.0.51", False),
            ("fa:16:3e:00:07:02", "10.0.0.60", True),
            ("fa:16:3e:00:07:02", "10.0.0.50", False),
            ("fa:16:3e:00:07:02", "172.16.0.1", False),
        ):
            walk = cloud.inject(f"{router.id}@hv1", template.but(eth_src=mac, ipv4_src=source))
            assert reached(walk) == (there if passes else []), (kind, mac, source)
            request = arp_request(mac, source, "10.0.0.99")
            walk = cloud.inject(f"{router.id}@hv1", request)
            assert (f"{two.id}@hv2" in reached(walk)) == passes, (kind, request)
        for mac in (router.mac_address, "fa:16:3e:00:07:02"):
            assert reached(cloud.inject(f"{router.id}@hv1", arp_probe(mac, "10.0.0.60"))) == [f"{one.id}@hv1", *there]
        assert nothing(cloud.inject(f"{router.id}@hv1", arp_probe(STRANGER, "10.0.0.60")))


@story
def a_shared_address_is_found_wherever_it_is(cloud: Cloud) -> None:
    # VRRP: two ports may use one MAC address; packets to it go to the whole network, as it may move without notice.
    for kind in KINDS:
        network, one, two = pair(
            cloud, kind, kind, allowed_address_pairs=(AddressPair("10.0.0.9", "00:00:5e:00:01:01"),)
        )
        client = cloud.port(f"{kind}-c", network, "10.0.0.13", "hv3")
        to_shared = ping(client, one).but(eth_dst="00:00:5e:00:01:01", ipv4_dst="10.0.0.9")
        assert reached(cloud.inject(f"{client.id}@hv3", to_shared)) == sorted([f"{one.id}@hv1", f"{two.id}@hv2"])


@story
def without_port_security_everything_passes(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind, port_security_enabled=False)
        for packet in (
            ping(one, two).but(eth_src=STRANGER),
            ping(one, two).but(ipv4_src="198.51.100.7"),
            packets.unknown_ethertype(STRANGER, two.mac_address),
            packets.unknown_ethertype(one.mac_address),
            packets.ipv6(one.mac_address, two.mac_address),
            arp_request(STRANGER, "10.0.0.98", "10.0.0.99"),
        ):
            walk = cloud.inject(f"{one.id}@hv1", packet)
            assert walk.deliveries == [Delivery(f"{two.id}@hv2", packet)], (kind, packet)


# DHCP


@story
def dhcp_of_served_ports_goes_to_the_controller_and_nowhere_else(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        for request in (
            packets.dhcp_discover(one.mac_address),
            packets.dhcp_renew(one.mac_address, address(one), SERVICE_MAC, "10.0.0.1"),
            packets.dhcp_renew(one.mac_address, address(one), BROADCAST_MAC, "255.255.255.255"),
            # An address that is the port's no more: only an answer (NAK) ends its use.
            packets.dhcp_renew(one.mac_address, "10.0.0.250", BROADCAST_MAC, "255.255.255.255"),
        ):
            walk = cloud.inject(f"{one.id}@hv1", request)
            assert [(chassis, flow.owner, packet) for chassis, flow, packet in walk.to_controller] == [
                ("hv1", f"port/{one.id}", request)
            ]
            assert reached(walk) == [] and stays_at_home(walk)
        (subnet,) = cloud.store.find(Subnet, "network", network.id)
        cloud.change(subnet, enable_dhcp=False)
        walk = cloud.inject(f"{one.id}@hv1", packets.dhcp_discover(one.mac_address))
        assert walk.to_controller == [] and reached(walk) == [f"{two.id}@hv2"], "somebody else may serve it"
        foreign = packets.dhcp_renew(one.mac_address, "10.0.0.250", BROADCAST_MAC, "255.255.255.255")
        walk = cloud.inject(f"{one.id}@hv1", foreign)
        assert walk.to_controller == [] and reached(walk) == [] and stays_at_home(walk)
        cloud.change(subnet, enable_dhcp=True)
        assert cloud.inject(f"{one.id}@hv1", packets.dhcp_discover(one.mac_address)).to_controller


@story
def dhcp_from_outside_never_reaches_the_controller(cloud: Cloud) -> None:
    network, *_ = pair(cloud, "geneve", "red")
    pair(cloud, "flat", "lab")
    discover = packets.dhcp_discover(STRANGER)
    assert cloud.inject_core("hv1", discover, network.segment.segmentation_id or 0).to_controller == []
    assert cloud.inject_physical("physnet2", discover).to_controller == []


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
