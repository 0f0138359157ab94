"""What instances say to one another, honestly and not.

The tricks are those that attackers know: each changes what its sender would say to a victim, if it could, into what may
reach it all the same.
"""

from collections.abc import Callable, Iterator
from random import Random

from flows import packets
from flows.fields import ETH_TYPE_RARP, FIRST_FRAGMENT, LATER_FRAGMENT
from flows.packets import BROADCAST_MAC, TRANSPORT_FIELDS, Packet
from tests.clouds import UPSTREAM, Cloud
from tests.isolation.clouds import MACHINE, SHARED_MAC
from tests.isolation.judge import Case, Sent
from tests.isolation.reference import interfaces_on, is_instance
from tests.storytelling import STRANGER, address
from topology.addressing import SERVICE_MAC
from topology.values import Network, Port

TAGS = ((0,), (100,), (101,), (102,), (300,), (100, 100))
ELSES = ("10.0.0.1", "10.0.0.12", "10.0.1.1", "10.0.1.11", "10.0.0.99", "14.0.0.11")
"""Tags of others' networks, and addresses of others and of nobody."""
FAR = "198.51.100.9"
"""A host behind the upstream router."""


def instances(cloud: Cloud) -> list[Port]:
    """The ports that send."""
    return [port for port in cloud.store.all(Port) if is_instance(port)]


def gateways(cloud: Cloud, port: Port) -> list[str]:
    """The MAC addresses of the routers on a port's network."""
    return [interface.mac_address for interface in interfaces_on(cloud.store, port.network_id)]


def honest(cloud: Cloud, sender: Port, target: Port) -> Iterator[Packet]:
    """What a port sends that knows the way to another: on its own network directly, else by its routers."""
    macs = [target.mac_address] if sender.network_id == target.network_id else gateways(cloud, sender)
    for mac in macs:
        ends = sender.mac_address, mac, address(sender), address(target)
        yield packets.icmp_echo(*ends)
        yield packets.tcp(*ends)
        yield packets.tcp(*ends, tcp_dst=81)
        yield packets.udp(*ends, udp_dst=8190)
        yield packets.udp(*ends, udp_dst=8191)


Trick = Callable[[Cloud, Port, Port, Packet], Packet]
"""From what a sender would say to its victim, if it could, to what it says to reach it all the same."""


def _as_the_gateway_in_arp(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packets.arp_reply(sender.mac_address, f"{address(victim).rpartition('.')[0]}.1", BROADCAST_MAC, UPSTREAM)


def _for_anothers_mac_in_arp(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packets.arp_request(victim.mac_address, address(sender), address(victim)).but(eth_src=sender.mac_address)


def _as_its_dhcp_server(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packets.udp(sender.mac_address, victim.mac_address, address(sender), address(victim), udp_src=67, udp_dst=68)


def _as_its_victim_in_dhcp(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packets.dhcp_renew(victim.mac_address, address(victim), BROADCAST_MAC, "255.255.255.255")


def _as_its_victim(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packet.but(**_if_ip(packet, ipv4_src=address(victim)))


def _in_arp(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packets.arp_reply(sender.mac_address, "10.0.0.1", victim.mac_address, address(victim))


def _as_a_neighbour_in_arp(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packets.arp_request(sender.mac_address, "10.0.0.12", "10.0.0.99")


def _through_a_router(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packet.but(eth_dst=next(iter(gateways(cloud, sender)), STRANGER))


def _through_the_victims_router(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packet.but(eth_dst=next(iter(gateways(cloud, victim)), STRANGER))


def _as_its_victims_neighbour(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    friends = [p for p in cloud.store.find(Port, "network", victim.network_id) if p.id != victim.id]
    return packet.but(eth_src=friends[0].mac_address, **_if_ip(packet, ipv4_src=address(friends[0])))


def _on_the_victims_vlan(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    network = cloud.store.get(Network, victim.network_id)
    assert network is not None
    vlan_id = network.segment.segmentation_id if network.segment.network_type == "vlan" else 100
    return packet.tagged(vlan_id or 0)


def _a_later_fragment(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packet.without(*TRANSPORT_FIELDS).but(**_if_ip(packet, ip_frag=LATER_FRAGMENT))


def _a_first_fragment(cloud: Cloud, sender: Port, victim: Port, packet: Packet) -> Packet:
    return packet.but(**_if_ip(packet, ip_frag=FIRST_FRAGMENT))


def _if_ip(packet: Packet, **changes: str | int) -> dict[str, str | int]:
    return changes if "ipv4_src" in packet else {}


def _with(**changes: str | int) -> Trick:
    """Some header fields different, where the packet has them."""
    return lambda cloud, sender, victim, packet: packet.but(**{k: v for k, v in changes.items() if k in packet})


def _instead(build: Callable[[Port, Port], Packet]) -> Trick:
    return lambda cloud, sender, victim, packet: build(sender, victim)


TRICKS: tuple[Trick, ...] = (
    _in_arp,
    _as_the_gateway_in_arp,
    _for_anothers_mac_in_arp,
    _as_its_dhcp_server,
    _as_its_victim_in_dhcp,
    _as_its_victim,
    _as_a_neighbour_in_arp,
    _through_a_router,
    _through_the_victims_router,
    _as_its_victims_neighbour,
    _on_the_victims_vlan,
    _a_later_fragment,
    _a_first_fragment,
    *(_with(eth_dst=mac) for mac in (BROADCAST_MAC, "01:00:5e:00:00:fb", SHARED_MAC, SERVICE_MAC)),
    *(_with(eth_src=mac) for mac in (STRANGER, SHARED_MAC, "fa:16:3e:00:00:12")),
    *(_with(ipv4_src=source) for source in ("10.0.0.1", "10.0.0.12", "10.0.1.11", "10.0.0.50", "198.51.100.7")),
    *(_with(ipv4_src=source) for source in ("0.0.0.0", "127.0.0.1")),
    *(_with(ipv4_dst=target) for target in ("255.255.255.255", "224.0.0.251", "10.0.1.1", "10.0.0.12", "10.0.1.12")),
    *(_with(ipv4_dst=target) for target in (FAR, UPSTREAM, "10.0.2.11", "10.0.9.2", MACHINE)),
    *(_with(ipv4_dst=f"203.0.113.{last}") for last in (10, 11, 20, 21, 30, 31)),
    _with(tcp_dst=8080),
    _with(udp_src=67, udp_dst=68),
    _with(udp_src=68, udp_dst=67),
    _with(udp_src=8100, tcp_src=80, icmp_type=0),
    _with(ip_ttl=1),
    _instead(lambda sender, victim: packets.ipv6(sender.mac_address, victim.mac_address)),
    _instead(lambda sender, victim: packets.unknown_ethertype(sender.mac_address, victim.mac_address)),
    _instead(lambda sender, victim: packets.unknown_ethertype(sender.mac_address, eth_type=ETH_TYPE_RARP)),
    _instead(lambda sender, victim: packets.dhcp_discover(sender.mac_address)),
)

_OPENINGS: tuple[Callable[..., Packet], ...] = (packets.icmp_echo, packets.tcp, packets.udp)


def disguised(random: Random, cloud: Cloud, sender: Port, victim: Port) -> Iterator[Case]:
    """What is honest but for who says it, or for a tag; and questions who has the victim's and the router's address."""
    said = list(honest(cloud, sender, victim))
    for packet in random.sample(said, min(2, len(said))):
        yield (Sent(sender, packet.but(eth_src=STRANGER)),)
        yield (Sent(sender, packet.but(ipv4_src=random.choice(ELSES))),)
        yield (Sent(sender, packet.tagged(*random.choice(TAGS))),)
    gateway = f"{address(sender).rpartition('.')[0]}.1"
    for claimed in (address(victim), gateway, "10.0.0.50", "10.0.0.12"):
        yield (Sent(sender, packets.gratuitous_arp(sender.mac_address, claimed)),)
    for target in (address(victim), gateway):
        asked = packets.arp_request(sender.mac_address, address(sender), target)
        yield (Sent(sender, asked),)
        yield (Sent(sender, asked.but(arp_spa=random.choice(ELSES))),)
        yield (Sent(sender, asked.tagged(*random.choice(TAGS))),)


def attack(random: Random, cloud: Cloud, sender: Port, victim: Port) -> Case:
    """Play up to three tricks on a victim at once."""
    packet = random.choice(_OPENINGS)(sender.mac_address, victim.mac_address, address(sender), address(victim))
    for trick in random.sample(TRICKS, random.randint(0, 3)):
        packet = trick(cloud, sender, victim, packet)
    return (Sent(sender, packet),)
