"""Random clouds of several tenants with the same addresses, and what attackers in them send: for properties."""

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from flows import packets
from flows.fields import ETH_TYPE_RARP, LATER_FRAGMENT
from flows.packets import BROADCAST_MAC, TRANSPORT_FIELDS, Packet
from tests.clouds import CHASSIS, OPEN, OVERLAYS, Cloud, SimulatedCloud
from tests.permitted_paths import interfaces_on
from tests.storytelling import STRANGER, address
from topology.addressing import SERVICE_MAC
from topology.values import ROUTER_INTERFACE, AddressPair, Network, Port

ICMP, TCP, UDP = 1, 6, 17
TENANTS = ("red", "blue", "pink")
SHARED_MAC = "00:00:5e:00:01:01"
EVERYBODY = ({}, {"remote_ip_prefix": "10.0.0.0/28"}, {"remote_ip_prefix": "10.0.1.11/32"})
TRAFFIC: tuple[dict[str, Any], ...] = (
    {},
    {"protocol": TCP, "port_range_min": 80, "port_range_max": 80},
    {"protocol": UDP, "port_range_min": 8001, "port_range_max": 8190},
    {"protocol": ICMP, "port_range_min": 8},
    {"ethertype": "IPv6"},
)

_mostly = st.sampled_from((True, True, True, False))


@st.composite
def clouds(draw: st.DrawFn) -> SimulatedCloud:
    """Two or three tenants, each with two networks of the same prefixes, and mostly a router between them."""
    cloud = SimulatedCloud()
    tenants = TENANTS[: draw(st.integers(2, 3))]
    groups = [cloud.security_group(f"{tenant} {n}", stateful=draw(_mostly)) for tenant in tenants for n in (0, 1)]
    remotes = [*EVERYBODY, {"remote_address_group_id": cloud.address_group("offices", "10.0.0.12", "10.0.1.0/28").id}]
    remotes += [{"remote_group_id": group.id} for group in groups]
    for group in groups:
        for direction in ("egress", "ingress", "ingress"):
            if draw(_mostly):
                rule = draw(st.sampled_from(TRAFFIC)) | draw(st.sampled_from(remotes))
                cloud.rule(group, direction, **rule)
    kinds = iter(draw(st.permutations(["geneve", "geneve", "geneve", "vxlan", "vlan", "flat"])))
    for number, tenant in enumerate(tenants):
        own = [group.id for group in groups if group.id.startswith(tenant)] + [OPEN]
        joined = []
        for subnet in (0, 1):
            network = cloud.network(f"{tenant}{subnet}", kind := next(kinds), vlan=100 + number)
            cloud.subnet(network, f"10.0.{subnet}.0/24", gateway_ip=f"10.0.{subnet}.1", enable_dhcp=draw(_mostly))
            joined += [network] if kind in OVERLAYS else []
            for host in (11, 12):
                _port(draw, cloud, network, f"10.0.{subnet}.{host}", own)
        if draw(_mostly):
            cloud.router(f"{tenant}-router", *joined)
    return cloud


def _port(draw: st.DrawFn, cloud: Cloud, network: Network, address: str, groups: list[str]) -> None:
    """A port whose MAC address others have on other networks."""
    host = address.rpartition(".")[2]
    mac, secured = f"fa:16:3e:00:00:{host}", draw(_mostly)
    pairs = ((), (AddressPair("10.0.0.50", SHARED_MAC),), (AddressPair("10.0.0.12", mac),),
             (AddressPair("10.0.1.0/28", mac),), (AddressPair("0.0.0.0/0", mac),))  # fmt: skip
    cloud.port(
        f"{network.id}-{host}",
        network,
        address,
        draw(st.sampled_from(CHASSIS)),
        mac_address=mac,
        port_security_enabled=secured,
        allowed_address_pairs=draw(st.sampled_from(((), *pairs))) if secured else (),
        security_groups=tuple(draw(st.sets(st.sampled_from(groups), max_size=2))) if secured else (),
    )


def instances(cloud: Cloud) -> list[Port]:
    """The ports that send."""
    return [port for port in cloud.store.all(Port) if port.device_owner != ROUTER_INTERFACE]


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


def _if_ip(packet: Packet, **changes: str | int) -> dict[str, str | int]:
    return changes if "ipv4_src" in packet else {}


def _with(**changes: str | int) -> Trick:
    """Some header fields different, where the packet has them."""
    return lambda cloud, sender, victim, packet: packet.but(**{k: v for k, v in changes.items() if k in packet})


def _instead(build: Callable[[Port, Port], Packet]) -> Trick:
    return lambda cloud, sender, victim, packet: build(sender, victim)


TRICKS: tuple[Trick, ...] = (
    _in_arp,
    _as_a_neighbour_in_arp,
    _through_a_router,
    _through_the_victims_router,
    _as_its_victims_neighbour,
    _on_the_victims_vlan,
    _a_later_fragment,
    *(_with(eth_dst=mac) for mac in (BROADCAST_MAC, "01:00:5e:00:00:fb", SHARED_MAC, SERVICE_MAC)),
    *(_with(eth_src=mac) for mac in (STRANGER, SHARED_MAC, "fa:16:3e:00:00:12")),
    *(_with(ipv4_src=source) for source in ("10.0.0.1", "10.0.0.12", "10.0.1.11", "10.0.0.50", "198.51.100.7")),
    *(_with(ipv4_src=source) for source in ("0.0.0.0", "127.0.0.1")),
    *(_with(ipv4_dst=target) for target in ("255.255.255.255", "224.0.0.251", "10.0.1.1", "10.0.0.12", "10.0.1.12")),
    _with(udp_src=67, udp_dst=68),
    _with(udp_src=68, udp_dst=67),
    _with(udp_src=8100, tcp_src=80, icmp_type=0),
    _with(ip_ttl=1),
    _instead(lambda sender, victim: packets.ipv6(sender.mac_address, victim.mac_address)),
    _instead(lambda sender, victim: packets.unknown_ethertype(sender.mac_address, victim.mac_address)),
    _instead(lambda sender, victim: packets.unknown_ethertype(sender.mac_address, eth_type=ETH_TYPE_RARP)),
    _instead(lambda sender, victim: packets.dhcp_discover(sender.mac_address)),
)

_openings: tuple[Callable[..., Packet], ...] = (packets.icmp_echo, packets.tcp, packets.udp)


def _played(build: Callable[..., Packet], tricks: list[Trick]) -> Callable[[Cloud, Port, Port], Packet]:
    def send(cloud: Cloud, sender: Port, victim: Port) -> Packet:
        packet = build(sender.mac_address, victim.mac_address, address(sender), address(victim))
        for trick in tricks:
            packet = trick(cloud, sender, victim, packet)
        return packet

    return send


attacks = st.builds(_played, st.sampled_from(_openings), st.lists(st.sampled_from(TRICKS), max_size=3))
"""Each is a function of the cloud, the sender and the victim that returns what is sent."""
