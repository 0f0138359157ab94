"""Answers and errors, asked for or not; and what comes from outside and from the core."""

from collections.abc import Iterator
from random import Random

from flows import packets
from flows.packets import BROADCAST_MAC, Packet
from tests.clouds import CHASSIS, ENCAP_IPS, TUNNEL_PORTS, UPSTREAM, UPSTREAM_MAC, SimulatedCloud
from tests.isolation.attacks import FAR, gateways, honest, instances
from tests.isolation.clouds import MACHINE, MACHINE_MAC
from tests.isolation.judge import Case, Judge, Outsider, Sent, Stranger
from tests.isolation.port_rules import ANSWERED_BY
from tests.storytelling import address
from topology.addressing import SERVICE_MAC, int_to_mac
from topology.values import Network, Port

SOURCE_PORTS = ("tcp_src", "udp_src")
UNKNOWN_PEER = "192.0.2.66"
OTHER_HOST = "198.51.100.10"


def conversations(judge: Judge, cloud: SimulatedCloud, random: Random, sender: Port, target: Port) -> Iterator[Case]:
    """What follows on something honest: answers and errors, by whom they are expected and by whom not."""
    openings = list(honest(cloud, sender, target))
    if not openings:
        return
    opening = random.choice(openings)
    opened = Sent(sender, opening)
    received = next((p for _, p in judge.inject(opened).deliveries), opening.but(eth_dst=target.mac_address))
    if sender.network_id != target.network_id and received["eth_src"] == opening["eth_src"]:
        received = received.but(eth_src=next(iter(gateways(cloud, target)), sender.mac_address))
    yield from _answers(opened, target, received)
    third = random.choice(instances(cloud))
    forged = answer_to(received).but(eth_src=third.mac_address, eth_dst=_way(cloud, third, sender))
    yield opened, Sent(third, forged)
    yield (
        opened,
        Sent(third, packets.icmp_error(opening, third.mac_address, _way(cloud, third, sender), address(third))),
    )


def by_gateways(judge: Judge, cloud: SimulatedCloud, sender: Port) -> Iterator[Case]:
    """What instances say to the world, and what comes back from there."""
    for mac in gateways(cloud, sender):
        for network in externals(cloud):
            for port in cloud.store.find(Port, "network", network.id):
                ends = sender.mac_address, mac, address(sender), address(port)
                yield (Sent(sender, packets.icmp_echo(*ends)),)
                yield (Sent(sender, packets.tcp(*ends, tcp_dst=8080)),)
        ends = sender.mac_address, mac, address(sender), FAR
        for opening in (packets.icmp_echo(*ends), packets.tcp(*ends), packets.udp(*ends, udp_dst=8100)):
            opened = Sent(sender, opening)
            yield (opened,)
            # A chassis has one source port for a router here: no more than one connection to a host gets out.
            again = Sent(sender, opening.but(**{name: opening[name] ^ 1 for name in SOURCE_PORTS if name in opening}))
            yield opened, again
            for _, _, frame in judge.inject(opened).on_physical:
                for network in externals(cloud):
                    yield from _answers(opened, Outsider(network.id), frame.untagged())


def from_outside(cloud: SimulatedCloud) -> Iterator[Case]:
    """What machines on physical networks send: to ports there, and to routers for all that may be behind them."""
    everybody = sorted({address(port) for port in instances(cloud)})
    for network in cloud.store.all(Network):
        if network.segment.is_overlay:
            continue
        mac, source = (UPSTREAM_MAC, FAR) if network.external else (MACHINE_MAC, MACHINE)
        local = cloud.store.find(Port, "network", network.id)
        own = [address(port) for port in local]
        macs = [*(port.mac_address for port in local), BROADCAST_MAC, SERVICE_MAC]
        for target in own:
            asked = source if not network.external else UPSTREAM
            for arp in (packets.arp_request(mac, asked, target), packets.gratuitous_arp(mac, target)):
                yield (Sent(Outsider(network.id), arp),)
            yield (Sent(Outsider(network.id), packets.arp_reply(mac, asked, macs[0], target)),)
        for to_mac in macs:
            for target in sorted({*own, *everybody}):
                ends = mac, to_mac, source, target
                yield (Sent(Outsider(network.id), packets.icmp_echo(*ends)),)
                yield (Sent(Outsider(network.id), packets.tcp(*ends)),)
                yield (Sent(Outsider(network.id), packets.tcp(*ends, tcp_dst=8080)),)
                yield (Sent(Outsider(network.id), packets.udp(*ends, udp_src=53, udp_dst=1025)),)


def from_strangers(cloud: SimulatedCloud, random: Random) -> Iterator[Case]:
    """Tunnel packets with every network's key and none's, from an unknown address, the chassis's own, and a peer's.

    ARP comes to every port that hears it.
    """
    networks = cloud.store.all(Network)
    keys = {each.segment.segmentation_id or 0 for each in networks if each.segment.is_overlay} | {0, 1}
    keys |= {each.transit.segmentation_id or 0 for each in networks if each.transit is not None}
    sender, target = instances(cloud)[:2]
    for chassis in CHASSIS:
        peers = [each for name, each in ENCAP_IPS.items() if name != chassis]
        for encapsulation in TUNNEL_PORTS:
            for key in sorted(keys):
                for tun_src in (UNKNOWN_PEER, ENCAP_IPS[chassis], *peers):
                    asking = packets.arp_request(sender.mac_address, address(sender), address(target))
                    yield (Sent(Stranger(chassis, encapsulation, key, tun_src), asking),)
    for target in instances(cloud):
        network, chassis = cloud.store.get(Network, target.network_id), random.choice(CHASSIS)
        if network is None or not network.segment.is_overlay:
            continue
        for sender in cloud.store.find(Port, "network", target.network_id):
            for packet in honest(cloud, sender, target) if sender.id != target.id else ():
                key, peer = network.segment.segmentation_id or 0, random.choice(list(ENCAP_IPS.values()))
                yield (Sent(Stranger(chassis, network.segment.network_type, key, peer), packet),)


def externals(cloud: SimulatedCloud) -> list[Network]:
    """The external networks."""
    return [network for network in cloud.store.all(Network) if network.external]


def answer_to(packet: Packet) -> Packet:
    """Return what its receiver would answer to a packet."""
    ends = {"eth_src": packet["eth_dst"], "eth_dst": packet["eth_src"]}
    ends |= {"ipv4_src": packet["ipv4_dst"], "ipv4_dst": packet["ipv4_src"], "ip_ttl": packets.INITIAL_TTL}
    for one, other in (("tcp_src", "tcp_dst"), ("udp_src", "udp_dst")):
        if one in packet:
            ends |= {one: packet[other], other: packet[one]}
    if "icmp_type" in packet:
        ends["icmp_type"] = ANSWERED_BY.get(packet["icmp_type"], packet["icmp_type"])
    return packet.but(**ends)


def _answers(opened: Sent, target: Port | Outsider, received: Packet) -> Iterator[Case]:
    """An answer and an error, both also unasked; and answers in other connections than the one that was begun."""
    answer = answer_to(received)
    macs = int_to_mac(received["eth_dst"]), int_to_mac(received["eth_src"])
    error = packets.icmp_error(received, *macs, received["ipv4_dst"])
    for packet in (answer, error):
        yield opened, Sent(target, packet)
        yield (Sent(target, packet),)
    for name in ("tcp_src", "udp_src", "tcp_dst", "udp_dst"):
        if name in answer:
            yield opened, Sent(target, answer.but(**{name: answer[name] ^ 1}))
    yield opened, Sent(target, answer.but(ipv4_src=OTHER_HOST))
    yield opened, Sent(target, packets.icmp_error(received.but(ipv4_dst=OTHER_HOST), *macs, received["ipv4_dst"]))


def _way(cloud: SimulatedCloud, sender: Port, target: Port) -> str:
    """The MAC address by which a port sends to another."""
    if sender.network_id == target.network_id:
        return target.mac_address
    return next(iter(gateways(cloud, sender)), target.mac_address)
