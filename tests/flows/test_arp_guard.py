"""ARP that speaks for an address: whose word is heard, and by whom.

Hosts believe what the sender of any ARP packet says of itself (RFC 826), so what reaches nobody poisons nobody.
"""

from itertools import product

import pytest

from flows.fields import ETH_TYPE_RARP
from flows.packets import (
    BROADCAST_MAC,
    Packet,
    arp_probe,
    arp_reply,
    arp_request,
    gratuitous_arp,
    unknown_ethertype,
)
from tests.clouds import KINDS, OVERLAYS, SimulatedCloud
from topology.values import AddressPair, Port

UNKNOWN = "10.0.0.99"
VIRTUAL_MAC = "00:00:5e:00:01:01"


def reached(cloud: SimulatedCloud, place: str, packet: Packet) -> set[str]:
    walk = cloud.inject(place, packet)
    return {at for at, _ in walk.deliveries} | {f"wire of {frame.chassis_id}" for frame in walk.on_physical}


def claims(mac: str, address: str, target: Port) -> list[Packet]:
    """All ways to say that an address is at a MAC address."""
    return [
        gratuitous_arp(mac, address),
        arp_reply(mac, address, BROADCAST_MAC, address),
        arp_reply(mac, address, target.mac_address, target.fixed_ips[0].ip_address),
        arp_request(mac, address, UNKNOWN),
        arp_request(mac, address, target.fixed_ips[0].ip_address),
        arp_request(mac, address, UNKNOWN).but(eth_dst=target.mac_address),
        arp_request(mac, address, UNKNOWN).but(arp_op=3),
    ]


@pytest.mark.parametrize(("kind", "guarded"), list(product(KINDS, (True, False))))
def test_nobody_hears_a_port_speak_for_another(kind: str, guarded: bool) -> None:
    cloud = SimulatedCloud()
    network = cloud.network("n", kind)
    wide = (AddressPair("10.0.0.0/24", "fa:16:3e:00:07:01"),)
    villain = cloud.port(
        "villain", network, "10.0.0.11", "hv1", port_security_enabled=guarded, allowed_address_pairs=wide
    )
    near, far = (cloud.port(at, network, f"10.0.0.1{n}", at) for n, at in ((2, "hv1"), (3, "hv2")))
    for victim, listener in ((near, far), (far, near)):
        for mac in (villain.mac_address, "fa:16:3e:00:07:01", victim.mac_address):
            for lie in claims(mac, victim.fixed_ips[0].ip_address, listener):
                assert reached(cloud, "villain@hv1", lie) <= {"villain@hv1"}, (victim.id, lie)


@pytest.mark.parametrize(("kind", "guarded"), list(product(KINDS, (True, False))))
def test_a_port_speaks_for_itself(kind: str, guarded: bool) -> None:
    cloud = SimulatedCloud()
    network = cloud.network("n", kind)
    one = cloud.port("one", network, "10.0.0.11", "hv1", port_security_enabled=guarded)
    two = cloud.port("two", network, "10.0.0.12", "hv2")
    wire = set() if kind in OVERLAYS else {"wire of hv1"}
    for packet in (
        arp_request(one.mac_address, "10.0.0.11", UNKNOWN),
        arp_reply(one.mac_address, "10.0.0.11", BROADCAST_MAC, "10.0.0.11"),
        arp_reply(one.mac_address, "10.0.0.11", two.mac_address, "10.0.0.12"),
        arp_probe(one.mac_address, UNKNOWN),
    ):
        assert reached(cloud, "one@hv1", packet) == {"two@hv2"} | wire, packet
    assert reached(cloud, "one@hv1", arp_request(one.mac_address, "10.0.0.11", "10.0.0.12")) == {"one@hv1"}
    cloud.unbind(two, "hv2")
    cloud.bind(one, "hv2")
    assert reached(cloud, "one@hv1", arp_request(one.mac_address, "10.0.0.11", UNKNOWN)) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_address_may_be_announced_by_those_who_share_it(kind: str) -> None:
    """VRRP: the address is nobody's own. Both routers announce it from their own or the virtual MAC address."""
    cloud = SimulatedCloud()
    network = cloud.network("n", kind)
    pairs = {f"fa:16:3e:00:07:0{n}": AddressPair("10.0.0.9", f"fa:16:3e:00:07:0{n}") for n in (1, 2)}
    shared = AddressPair("10.0.0.9", VIRTUAL_MAC)
    for number, mac in enumerate(pairs, 1):
        cloud.port(
            f"r{number}",
            network,
            f"10.0.0.1{number}",
            f"hv{number}",
            mac_address=mac,
            allowed_address_pairs=(shared, pairs[mac]),
        )
    client = cloud.port("client", network, "10.0.0.20", "hv3")
    for place, mac in zip(("r1@hv1", "r2@hv2"), pairs, strict=True):
        for sender in (mac, VIRTUAL_MAC):
            assert "client@hv3" in reached(cloud, place, gratuitous_arp(sender, "10.0.0.9"))
            assert "client@hv3" in reached(cloud, place, arp_reply(sender, "10.0.0.9", client.mac_address, "10.0.0.20"))
    cloud.change(client, port_security_enabled=False)
    for lie in claims(client.mac_address, "10.0.0.9", cloud.port("heard", network, "10.0.0.21", "hv1")):
        assert reached(cloud, "client@hv3", lie) <= {"client@hv3"}, lie
    wide = (AddressPair("10.0.0.0/24", client.mac_address),)
    cloud.change(client, port_security_enabled=True, allowed_address_pairs=wide)
    assert "r1@hv1" in reached(cloud, "client@hv3", gratuitous_arp(client.mac_address, "10.0.0.9"))


@pytest.mark.parametrize(("kind", "text"), list(product(KINDS, ("10.0.0.9", "10.0.0.9/32"))))
def test_an_address_that_a_port_shares_with_another_is_found_where_it_is(kind: str, text: str) -> None:
    """The primary has the address as its own, and the backup as an allowed pair."""
    cloud = SimulatedCloud()
    network = cloud.network("n", kind)
    primary = cloud.port("primary", network, "10.0.0.9", "hv1")
    backup_mac = "fa:16:3e:00:07:02"
    backup = cloud.port("backup", network, "10.0.0.12", "hv2", mac_address=backup_mac)
    client = cloud.port("client", network, "10.0.0.20", "hv3")
    ask = arp_request(client.mac_address, "10.0.0.20", "10.0.0.9")
    assert reached(cloud, "client@hv3", ask) == {"client@hv3"}
    cloud.change(backup, allowed_address_pairs=(AddressPair(text, backup_mac),))
    assert {"primary@hv1", "backup@hv2"} <= reached(cloud, "client@hv3", ask), "whoever has it answers"
    for place, mac in (("primary@hv1", primary.mac_address), ("backup@hv2", backup_mac)):
        assert "client@hv3" in reached(cloud, place, gratuitous_arp(mac, "10.0.0.9"))
        assert reached(cloud, place, arp_reply(mac, "10.0.0.9", client.mac_address, "10.0.0.20")) >= {"client@hv3"}
    cloud.change(backup, allowed_address_pairs=())
    assert reached(cloud, "client@hv3", ask) == {"client@hv3"}


def test_a_pair_on_another_network_shares_nothing() -> None:
    cloud = SimulatedCloud()
    network, other = cloud.network("n"), cloud.network("other")
    cloud.subnet(network, gateway_ip="10.0.0.1")
    one = cloud.port("one", network, "10.0.0.9", "hv1")
    pairs = tuple(AddressPair(address, "fa:16:3e:00:07:01") for address in ("10.0.0.9", "10.0.0.1"))
    stranger = cloud.port("stranger", other, "10.0.0.12", "hv1", allowed_address_pairs=pairs)
    two = cloud.port("two", network, "10.0.0.13", "hv1")
    for address in ("10.0.0.9", "10.0.0.1"):
        assert reached(cloud, "two@hv1", arp_request(two.mac_address, "10.0.0.13", address)) == {"two@hv1"}
    assert reached(cloud, "stranger@hv1", gratuitous_arp("fa:16:3e:00:07:01", "10.0.0.9")) == set()
    cloud.change(one, allowed_address_pairs=(AddressPair("10.0.0.1", one.mac_address),))
    ask = arp_request(two.mac_address, "10.0.0.13", "10.0.0.1")
    assert reached(cloud, "two@hv1", ask) == {"one@hv1"}, "the gateway is an instance, which answers by itself"
    assert stranger.network_id != network.id


def test_a_gateway_address_is_answered_for_dhcp_only_where_there_is_dhcp() -> None:
    cloud = SimulatedCloud()
    network = cloud.network("n")
    subnet = cloud.subnet(network, gateway_ip="10.0.0.1")
    one = cloud.port("one", network, "10.0.0.9", "hv1")
    ask = arp_request(one.mac_address, "10.0.0.9", "10.0.0.1")
    assert reached(cloud, "one@hv1", ask) == {"one@hv1"}
    cloud.change(subnet, enable_dhcp=False)
    assert reached(cloud, "one@hv1", ask) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_migrated_instances_announcement_reaches_the_switches_of_a_physical_network(kind: str) -> None:
    cloud = SimulatedCloud()
    network = cloud.network("n", kind)
    one = cloud.port("one", network, "10.0.0.11", "hv1")
    cloud.port("two", network, "10.0.0.12", "hv2")
    expected = set() if kind in OVERLAYS else {"wire of hv1"}
    assert reached(cloud, "one@hv1", unknown_ethertype(one.mac_address, eth_type=ETH_TYPE_RARP)) == expected
    assert reached(cloud, "one@hv1", unknown_ethertype("fa:16:3e:99:99:99", eth_type=ETH_TYPE_RARP)) == set()
