"""What a port may send and receive, read from the Neutron rows alone: anti-spoofing, and security groups.

    remembered = Connections()
    may_send(store, remembered, port, packet)
    may_receive(store, remembered, port, packet)

A packet that a stateful group permits begins a connection, which the port remembers: answers in it, and errors about
it, pass without a rule of their own. It errs on the side of yes only where no rule of Neutron's is at stake.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Address, IPv4Network

from flows.fields import ETH_TYPE_ARP, ETH_TYPE_IPV4, ETH_TYPE_RARP, LATER_FRAGMENT
from flows.packets import FiveTuple, Packet
from topology.store import Store
from topology.values import ROUTER_INTERFACE, AddressGroup, Network, Port, SecurityGroup, SecurityGroupRule, Subnet

ICMP, TCP, UDP = 1, 6, 17
GROUP_BIT = 1 << 40
NOBODY = 0
CLIENT, SERVER = 68, 67
CLIENT_ASKS, SERVER_ANSWERS = (CLIENT, SERVER), (SERVER, CLIENT)
NOBODYS = ("0.0.0.0/8", "127.0.0.0/8")
MANYS = ("224.0.0.0/4", "255.255.255.255/32")
"""Addresses that no host has, however wide a port's pairs are (docs/anti-spoofing.md)."""
ANSWERED_BY = {8: 0, 13: 14, 15: 16, 17: 18}
"""ICMP questions, and what answers them (RFC 792, RFC 950)."""


class Connections:
    """What each filtered port remembers: the packets that have begun its connections."""

    def __init__(self) -> None:
        self._begun: dict[str, set[FiveTuple]] = defaultdict(set)

    def begin(self, port: Port, packet: Packet) -> None:
        """Remember that a packet has passed that a stateful group permits."""
        self._begun[port.id].add(packet.five_tuple)

    def know(self, port: Port, packet: Packet) -> bool:
        """Whether a packet belongs to a connection, answers in it, or is about a packet of it."""
        begun = self._begun[port.id]
        said = packet.quoted or packet.five_tuple
        return said in begun or any(answer(each) == said for each in begun)


def may_send(store: Store, remembered: Connections, sender: Port, packet: Packet) -> bool:
    """Whether a port may give a packet to its network. What asks a DHCP server goes to ours where there is one."""
    if "vlan_vid" in packet:
        return False
    if packet["eth_type"] == ETH_TYPE_ARP and not _may_announce(store, sender, packet["arp_spa"]):
        return False
    if _udp_ports(packet) == CLIENT_ASKS and _is_served(store, sender):
        return False
    if not sender.port_security_enabled:
        return True
    if _is_malformed(packet):
        return False
    if packet["eth_type"] == ETH_TYPE_RARP:
        network = store.get(Network, sender.network_id)
        is_heard = network is not None and not network.segment.is_overlay
        return is_heard and packet["eth_src"] in {mac for mac, _ in _sources(sender)}
    if packet["eth_type"] == ETH_TYPE_ARP:
        is_own = packet["arp_sha"] == packet["eth_src"]
        return is_own and _speaks_as(sender, packet["eth_src"], packet["arp_spa"], or_nobody=True)
    if packet["eth_type"] != ETH_TYPE_IPV4 or packet.get("udp_dst") == CLIENT:
        return False
    asks = _udp_ports(packet) == CLIENT_ASKS
    speaks = _speaks_as(sender, packet["eth_src"], packet["ipv4_src"], or_nobody=asks)
    return speaks and (asks or _passes(store, remembered, sender, "egress", packet))


def may_receive(store: Store, remembered: Connections, receiver: Port, packet: Packet) -> bool:
    """Whether a port may be given a packet by its network."""
    if not receiver.port_security_enabled or packet["eth_type"] == ETH_TYPE_ARP:
        return True
    if packet["eth_type"] != ETH_TYPE_IPV4:
        return False
    return _udp_ports(packet) == SERVER_ANSWERS or _passes(store, remembered, receiver, "ingress", packet)


def answer(one: FiveTuple) -> FiveTuple | None:
    """Return the packet that answers a packet, if any does."""
    if one.ip_proto != ICMP:
        return FiveTuple(one.ipv4_dst, one.ipv4_src, one.ip_proto, one.tp_dst, one.tp_src)
    if one.tp_src not in ANSWERED_BY:
        return None
    return FiveTuple(one.ipv4_dst, one.ipv4_src, ICMP, ANSWERED_BY[one.tp_src], one.tp_dst)


# Anti-spoofing


def _is_served(store: Store, port: Port) -> bool:
    subnets = (store.get(Subnet, fixed.subnet_id) for fixed in port.fixed_ips)
    return any(subnet is not None and subnet.enable_dhcp for subnet in subnets)


def _is_malformed(packet: Packet) -> bool:
    if packet["eth_src"] == 0 or packet["eth_src"] & GROUP_BIT:
        return True
    source, target = packet.get("ipv4_src", packet.get("arp_spa")), packet.get("ipv4_dst")
    if packet["eth_type"] == ETH_TYPE_ARP or _udp_ports(packet) == CLIENT_ASKS:
        source = source or None
    of_nobody = any(each is not None and _is_in(NOBODYS, each) for each in (source, target))
    return of_nobody or (source is not None and _is_in(MANYS, source))


def _may_announce(store: Store, sender: Port, address: int) -> bool:
    """An address that is another port's own is not the sender's to announce, unless it shares it by a pair."""
    neighbours = store.find(Port, "network", sender.network_id)
    others = [port for port in neighbours if port.id != sender.id and address in addresses(port)]
    if any(port.device_owner == ROUTER_INTERFACE for port in others):
        return False
    alone = (pair.ip_address for pair in sender.allowed_address_pairs if "/" not in pair.ip_address)
    return not others or address in map(number, alone)


def _speaks_as(port: Port, mac: int, address: int, *, or_nobody: bool) -> bool:
    sources = [prefix for known, prefix in _sources(port) if known == mac]
    return any(holds(prefix, address) for prefix in sources) or (or_nobody and bool(sources) and address == NOBODY)


def _sources(port: Port) -> Iterator[tuple[int, str]]:
    """The MAC addresses of a port, each with an address or a prefix that it may speak as."""
    yield from ((number_of_mac(port.mac_address), fixed.ip_address) for fixed in port.fixed_ips)
    yield from ((number_of_mac(pair.mac_address), pair.ip_address) for pair in port.allowed_address_pairs)


# Security groups


def _passes(store: Store, remembered: Connections, port: Port, direction: str, packet: Packet) -> bool:
    """Whether a group permits a packet, by itself or as part of a connection that it has permitted."""
    if _permitted(store, port, direction, packet, stateful=False) or remembered.know(port, packet):
        return True
    answers_nothing = packet["ip_proto"] == ICMP and packet.get("icmp_type") not in (None, *ANSWERED_BY)
    if packet.quoted is None and not answers_nothing and _permitted(store, port, direction, packet, stateful=True):
        remembered.begin(port, packet)
        return True
    return False


def _permitted(store: Store, port: Port, direction: str, packet: Packet, *, stateful: bool) -> bool:
    groups = [group for each in port.security_groups if (group := store.get(SecurityGroup, each)) is not None]
    ids = [group.id for group in groups if group.stateful == stateful]
    rules = (rule for group_id in ids for rule in store.find(SecurityGroupRule, "security_group", group_id))
    other = packet["ipv4_dst" if direction == "egress" else "ipv4_src"]
    return any(
        rule.direction == direction and rule.ethertype == "IPv4" and _names(store, rule, other) and _says(rule, packet)
        for rule in rules
    )


def _names(store: Store, rule: SecurityGroupRule, address: int) -> bool:
    if rule.remote_ip_prefix is not None:
        return holds(rule.remote_ip_prefix, address)
    if rule.remote_address_group_id is not None:
        listed = store.get(AddressGroup, rule.remote_address_group_id)
        return listed is not None and any(holds(prefix, address) for prefix in listed.addresses)
    if rule.remote_group_id is not None:
        members = [port for port in store.all(Port) if rule.remote_group_id in port.security_groups]
        return any(holds(prefix, address) for port in members for _, prefix in _sources(port))
    return True


def _says(rule: SecurityGroupRule, packet: Packet) -> bool:
    if rule.protocol is None:
        return True
    if rule.protocol != packet["ip_proto"]:
        return False
    if rule.port_range_min is None or packet.get("ip_frag", 0) == LATER_FRAGMENT:
        return True
    if rule.protocol == ICMP:
        return packet["icmp_type"] == rule.port_range_min and rule.port_range_max in (None, packet["icmp_code"])
    last = rule.port_range_min if rule.port_range_max is None else rule.port_range_max
    return rule.port_range_min <= packet["tcp_dst" if rule.protocol == TCP else "udp_dst"] <= last


# Numbers


def addresses(port: Port) -> set[int]:
    """Return a port's own addresses."""
    return {number(fixed.ip_address) for fixed in port.fixed_ips}


def _udp_ports(packet: Packet) -> tuple[int | None, int | None]:
    if packet.get("ip_frag", 0):
        # They do not show them: DHCP is nobody's in fragments.
        return None, None
    return packet.get("udp_src"), packet.get("udp_dst")


def _is_in(prefixes: tuple[str, ...], address: int) -> bool:
    return any(holds(prefix, address) for prefix in prefixes)


@cache
def _network(prefix: str) -> tuple[int, int]:
    network = IPv4Network(prefix)
    return int(network.network_address), int(network.netmask)


def holds(prefix: str, address: int) -> bool:
    """Whether an address is in a prefix."""
    wanted, mask = _network(prefix)
    return address & mask == wanted


@cache
def number(address: str) -> int:
    """Return the bits of an IPv4 address."""
    return int(IPv4Address(address))


@cache
def number_of_mac(mac: str) -> int:
    """Return the bits of a MAC address."""
    return int(mac.replace(":", ""), 16)
