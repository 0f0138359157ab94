"""Stories of attackers: what no instance may send, whatever its address pairs, and why it is dropped.

Each story says the reason that the drop is counted under, beside that nothing arrives. See ``tests.packet_stories``.
"""

from flows import packets
from flows.drops import REASONS, reason_of
from flows.packets import Packet, arp_request, gratuitous_arp
from flows.pipeline import DROPS
from tests.clouds import ENCAP_IPS, KINDS, OVERLAYS, Cloud, SimulatedCloud
from tests.storytelling import STRANGER, address, ask, hello, nothing, pair, ping, reached, story
from topology.values import AddressPair, Network, Port

WIDE_MAC = "fa:16:3e:00:09:01"


def wide_port(cloud: Cloud, network: Network) -> Port:
    """A port on hv1 with the widest pair that there is."""
    pairs = (AddressPair("0.0.0.0/0", WIDE_MAC),)
    name = f"{network.id}-wide"
    return cloud.port(name, network, "10.0.0.20", "hv1", mac_address=WIDE_MAC, allowed_address_pairs=pairs)


def is_refused(cloud: Cloud, port: Port, packet: Packet, reason: str, concerns: Port | None = None) -> None:
    """A port on hv1 sends what is dropped there; it is counted for that port, or for the one that it concerns."""
    place = f"{port.id}@hv1"
    assert nothing(cloud.inject(place, packet)), packet
    assert isinstance(cloud, SimulatedCloud)
    last = cloud.fabric.inject(place, packet).steps[-1]
    assert last.table == DROPS.name and last.flow is not None, (last.table, packet)
    assert (reason_of(last.flow), last.flow.owner) == (REASONS[reason], f"port/{(concerns or port).id}"), packet


@story
def every_lie_is_counted_under_its_name_and_its_teller(cloud: Cloud) -> None:
    for kind in KINDS:
        _, one, two = pair(cloud, kind, kind)
        good, request = ping(one, two), ask(one, "10.0.0.99")
        for lie, reason in (
            (good.but(eth_src=STRANGER), "spoofed_mac"),
            (good.but(eth_src=two.mac_address, ipv4_src=address(two)), "spoofed_mac"),
            (request.but(eth_src=STRANGER, arp_sha=STRANGER), "spoofed_mac"),
            (packets.dhcp_discover(STRANGER), "malformed"),
            (good.but(ipv4_src=address(two)), "spoofed_ip"),
            (good.but(ipv4_src="198.51.100.7"), "spoofed_ip"),
            (request.but(arp_spa=address(two)), "spoofed_arp"),
            (request.but(arp_sha=STRANGER), "spoofed_arp"),
            (packets.ipv6(one.mac_address, two.mac_address), "protocol"),
            (packets.ipv6(one.mac_address, "33:33:00:00:00:01"), "protocol"),
            (packets.unknown_ethertype(one.mac_address), "protocol"),
            (good.tagged(66), "vlan_tag"),
        ):
            is_refused(cloud, one, lie, reason)


@story
def nobody_speaks_as_nobody_or_as_many(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        wide = wide_port(cloud, network)
        foreign = ping(wide, two).but(ipv4_src="198.51.100.7")
        assert reached(cloud.inject(f"{wide.id}@hv1", foreign)) == [f"{two.id}@hv2"], "the pair is as wide as that"
        for port in (one, wide):
            good, request = ping(port, two), ask(port, "10.0.0.99")
            for odd in (
                *(good.but(ipv4_src=source) for source in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1")),
                good.but(ipv4_src="239.255.255.255"),
                good.but(ipv4_src="255.255.255.255"),
                good.but(ipv4_dst="127.0.0.1"),
                good.but(ipv4_dst="0.0.0.0"),
                good.but(eth_src="ff:ff:ff:ff:ff:ff"),
                good.but(eth_src="01:00:5e:00:00:01"),
                good.but(eth_src="00:00:00:00:00:00"),
                hello(port).but(ipv4_src="0.0.0.0"),
                *(request.but(arp_spa=source) for source in ("127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.9")),
            ):
                is_refused(cloud, port, odd, "malformed")


@story
def no_instance_is_a_dhcp_server(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind)
        for port in (one, wide_port(cloud, network)):
            to_all = packets.broadcast(port.mac_address, address(port), udp_dst=68)
            to_one = packets.udp(port.mac_address, two.mac_address, address(port), address(two), udp_dst=68)
            for offer in (to_all, to_one):
                for source in (67, 68, 40000):
                    is_refused(cloud, port, offer.but(udp_src=source), "dhcp_server")
        cloud.change(one, port_security_enabled=False)
        offer = packets.broadcast(one.mac_address, address(one), udp_dst=68).but(udp_src=67)
        assert f"{two.id}@hv2" in reached(cloud.inject(f"{one.id}@hv1", offer)), "a DHCP server of the tenant's own"


@story
def a_conflict_is_charged_to_who_begins_it(cloud: Cloud) -> None:
    for kind in KINDS:
        network, one, two = pair(cloud, kind, kind, port_security_enabled=False)
        third = cloud.port(f"{kind}3", network, "10.0.0.13", "hv1")
        for lie in (gratuitous_arp(one.mac_address, address(third)), arp_request(STRANGER, address(two), "10.0.0.99")):
            is_refused(cloud, one, lie, "arp_conflict")
        is_refused(cloud, one, ping(one, two).tagged(5), "vlan_tag")


@story
def whoever_could_speak_for_others_is_guarded_from_then_on_where_he_is(cloud: Cloud) -> None:
    network, one, two = pair(cloud)
    third = cloud.port("red3", network, "10.0.0.13", "hv1")
    lies = [gratuitous_arp(one.mac_address, address(each)) for each in (two, third)]

    def guarded() -> set[str]:
        held = {name: cloud.flows(name).values() for name in ("hv1", "hv2")}
        return {name for name, flows in held.items() if any(flow.feature == "arp_guard" for flow in flows)}

    for values, reason, where in (
        ({}, "spoofed_arp", set()),
        ({"port_security_enabled": False}, "arp_conflict", {"hv1"}),
        ({"allowed_address_pairs": (AddressPair("10.0.0.99", WIDE_MAC),)}, "spoofed_arp", {"hv1"}),
        ({"allowed_address_pairs": (AddressPair("10.0.0.0/24", one.mac_address),)}, "arp_conflict", {"hv1"}),
        ({}, "spoofed_arp", set()),
    ):
        cloud.change(one, **{"port_security_enabled": True, "allowed_address_pairs": (), **values})
        assert guarded() == where, values
        for lie in lies:
            is_refused(cloud, one, lie, reason)
        assert reached(cloud.inject("red1@hv1", ask(one, "10.0.0.99"))) == ["red2@hv2", "red3@hv1"]


@story
def what_finds_nobody_is_charged_to_its_sender(cloud: Cloud) -> None:
    for kind in OVERLAYS:
        _, one, two = pair(cloud, kind, kind)
        is_refused(cloud, one, ping(one, two).but(eth_dst=STRANGER), "unknown_destination")


@story
def what_security_groups_refuse_is_counted_for_the_port_whose_groups_they_are(cloud: Cloud) -> None:
    network = cloud.network("red")
    closed, mute = cloud.security_group("closed"), cloud.security_group("mute")
    one = cloud.port("red1", network, "10.0.0.11", "hv1")
    deaf = cloud.port("red2", network, "10.0.0.12", "hv1", security_groups=(closed.id,))
    is_refused(cloud, one, ping(one, deaf), "ingress_rules", concerns=deaf)
    cloud.change(one, security_groups=(mute.id,))
    is_refused(cloud, one, ping(one, deaf), "egress_rules")


@story
def what_begins_a_connection_too_many_is_counted_and_nothing_else_is(cloud: Cloud) -> None:
    network, client = cloud.network("red"), cloud.security_group("client")
    cloud.rule(client, "egress")
    one = cloud.port("red1", network, "10.0.0.11", "hv1", security_groups=(client.id,))
    two, three = (cloud.port(f"red{each}", network, f"10.0.0.1{each}", "hv1") for each in (2, 3))
    cloud.limit_connections(2)
    asked, answers = [], []
    for port in (1001, 1002, 1003):
        asked.append(packets.udp(one.mac_address, two.mac_address, address(one), address(two), udp_dst=port))
        answers.append(packets.udp(two.mac_address, one.mac_address, address(two), address(one), udp_src=port))
        answers[-1] = answers[-1].but(udp_dst=asked[-1]["udp_src"])
    for packet in (*asked[:2], *asked[:2]):
        assert reached(cloud.inject("red1@hv1", packet)) == ["red2@hv1"]
    assert [cloud.dropped(each) for each in (one, two)] == [{}, {}]
    for _ in range(2):
        assert reached(cloud.inject("red1@hv1", asked[2])) == ["red2@hv1"], "it is not remembered, and goes on"
    assert [cloud.dropped(each) for each in (one, two)] == [{"egress_connections": 2}, {"ingress_connections": 2}]
    assert nothing(cloud.inject("red2@hv1", answers[2])), "to nothing that is remembered"
    assert cloud.dropped(one) == {"egress_connections": 2, "ingress_rules": 1}
    for packet in answers[:2]:
        assert reached(cloud.inject("red2@hv1", packet)) == ["red1@hv1"], "what was begun before goes on"
    assert reached(cloud.inject("red3@hv1", ping(three, two))) == ["red2@hv1"]
    assert cloud.dropped(three) == {}, "it is the receiver who has so many"
    assert cloud.dropped(two) == {"ingress_connections": 3, "egress_connections": 1}


@story
def only_other_chassis_send_by_tunnel(cloud: Cloud) -> None:
    for kind in OVERLAYS:
        network, one, two = pair(cloud, kind, kind)
        vni = network.segment.segmentation_id or 0
        frame = ping(two, one)
        for known in ("hv2", "hv3"):
            assert reached(cloud.inject_core("hv1", frame, vni, kind, ENCAP_IPS[known])) == [f"{one.id}@hv1"]
        for stranger in ("192.0.2.66", "198.51.100.1", ENCAP_IPS["hv1"]):
            assert nothing(cloud.inject_core("hv1", frame, vni, kind, stranger)), stranger


@story
def a_drop_is_charged_on_the_chassis_where_the_port_is(cloud: Cloud) -> None:
    _, one, two = pair(cloud)
    for chassis, here, there in (("hv1", one, two), ("hv2", two, one)):
        owners = {flow.owner for flow in cloud.flows(chassis).values() if flow.feature == "drops"}
        assert f"port/{here.id}" in owners and f"port/{there.id}" not in owners
