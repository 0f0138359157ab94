"""Stories of addresses: ARP, spoofing and DHCP. See ``tests.packet_stories``."""

from flows import packets
from flows.packets import BROADCAST_MAC, arp_probe, arp_reply, arp_request, gratuitous_arp
from flows.simulator import Delivery
from tests.clouds import KINDS, OVERLAYS, Cloud
from tests.storytelling import STRANGER, address, ask, hello, nothing, pair, ping, reached, stays_at_home, story
from topology.addressing import SERVICE_MAC
from topology.values import AddressPair, Subnet

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
def only_dhcp_requests_are_taken_for_such(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        place, there = f"{one.id}@hv1", [f"{two.id}@hv2"]
        (subnet,) = cloud.store.find(Subnet, "network", network.id)
        for served in (True, False):
            cloud.change(subnet, enable_dhcp=served)
            for udp_src, udp_dst in ((68, 69), (68, 53), (67, 67), (67, 69)):
                honest = packets.broadcast(one.mac_address, address(one)).but(udp_src=udp_src, udp_dst=udp_dst)
                walk = cloud.inject(place, honest)
                assert reached(walk) == there and walk.to_controller == []
                for source in ("0.0.0.0", address(two)):
                    assert nothing(cloud.inject(place, honest.but(ipv4_src=source))), (kind, source, udp_dst)
        # Without an address, and without us to serve it, a client may only call out to servers.
        discover = packets.dhcp_discover(one.mac_address)
        assert reached(cloud.inject(place, discover)) == there
        assert nothing(cloud.inject(place, discover.but(ipv4_dst=address(two), eth_dst=two.mac_address)))
        assert nothing(cloud.inject(place, discover.but(ipv4_src=address(two))))


@story
def dhcp_from_outside_never_reaches_the_controller(cloud: Cloud) -> None:
    network, *_ = pair(cloud, "geneve", "red")
    pair(cloud, "flat", "lab")
    discover = packets.dhcp_discover(STRANGER)
    assert cloud.inject_core("hv1", discover, network.segment.segmentation_id or 0).to_controller == []
    assert cloud.inject_physical("physnet2", discover).to_controller == []
