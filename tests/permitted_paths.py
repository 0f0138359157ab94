"""Who may reach whom, read from the Neutron rows alone: an oracle that knows nothing of flows.

    may_arrive(store, sender, receiver, packet)

answers for a packet that belongs to no connection yet, as the sender gives it to its network: may the receiver see it?
It errs on the side of yes only where no rule of Neutron's is at stake (a destination that makes no sense, a TTL of 0).
For an honest packet (``is_honest``) the answer is exact: what may arrive does. Routers are taken one at a time, and
without extra routes; chains of routers are for stories to tell.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from flows.fields import ETH_TYPE_ARP, ETH_TYPE_IPV4, ETH_TYPE_RARP, LATER_FRAGMENT
from flows.packets import Packet
from topology.store import Store
from topology.values import ROUTER_INTERFACE, AddressGroup, Port, Router, SecurityGroup, SecurityGroupRule

ICMP, TCP, UDP = 1, 6, 17
GROUP_BIT = 1 << 40
NOBODY = 0
CLIENT_ASKS, SERVER_ANSWERS = (68, 67), (67, 68)


def may_arrive(store: Store, sender: Port, receiver: Port, packet: Packet) -> bool:
    """Whether Neutron's rows let a packet that one port sends come to another one."""
    if "vlan_vid" in packet or not _may_send(store, sender, packet):
        return False
    if receiver.port_security_enabled and not _may_receive(store, receiver, packet):
        return False
    return _by_switch(store, sender, receiver, packet) or _by_router(store, sender, receiver, packet)


def is_honest(sender: Port, packet: Packet) -> bool:
    """Whether a port speaks as itself: by its own MAC address and first address, with a way to go."""
    own = number_of_mac(sender.mac_address), _number(sender.fixed_ips[0].ip_address)
    return (packet["eth_src"], packet.get("ipv4_src")) == own and packet["ip_ttl"] > 1


# The way


def _by_switch(store: Store, sender: Port, receiver: Port, packet: Packet) -> bool:
    """On one network, by the receiver's MAC address, to all, or by a MAC address that may move between ports."""
    if sender.network_id != receiver.network_id:
        return False
    neighbours = store.find(Port, "network", sender.network_id)
    owners = {port.id for port in neighbours if number_of_mac(port.mac_address) == packet["eth_dst"]}
    if owners:
        return receiver.id in owners
    pairs = (pair for port in neighbours for pair in port.allowed_address_pairs)
    return bool(packet["eth_dst"] & GROUP_BIT) or packet["eth_dst"] in {number_of_mac(p.mac_address) for p in pairs}


def _by_router(store: Store, sender: Port, receiver: Port, packet: Packet) -> bool:
    """IPv4, to a router on the sender's network that is on the receiver's too, for an address of the receiver."""
    if packet.get("ipv4_dst") not in _own_addresses(receiver):
        return False
    asked = {
        port.device_id
        for port in interfaces_on(store, sender.network_id)
        if number_of_mac(port.mac_address) == packet["eth_dst"]
    }
    return any(port.device_id in asked for port in interfaces_on(store, receiver.network_id))


def interfaces_on(store: Store, network_id: str) -> list[Port]:
    """The interfaces of routers on a network."""
    ports = store.find(Port, "network", network_id)
    return [port for port in ports if port.device_owner == ROUTER_INTERFACE and store.get(Router, port.device_id)]


# What a port may send and receive


def _may_send(store: Store, sender: Port, packet: Packet) -> bool:
    if packet["eth_type"] == ETH_TYPE_ARP and not _may_announce(store, sender, packet["arp_spa"]):
        return False
    if not sender.port_security_enabled:
        return True
    if packet["eth_type"] == ETH_TYPE_RARP:
        return packet["eth_src"] in {mac for mac, _ in _sources(sender)}
    if packet["eth_type"] == ETH_TYPE_ARP:
        is_own = packet["arp_sha"] == packet["eth_src"]
        return is_own and _speaks_as(sender, packet["eth_src"], packet["arp_spa"], or_nobody=True)
    if packet["eth_type"] != ETH_TYPE_IPV4 or _udp_ports(packet) == SERVER_ANSWERS:
        return False
    asks = _udp_ports(packet) == CLIENT_ASKS
    speaks = _speaks_as(sender, packet["eth_src"], packet["ipv4_src"], or_nobody=asks)
    return speaks and (asks or _permitted(store, sender, "egress", packet, packet["ipv4_dst"]))


def _may_receive(store: Store, receiver: Port, packet: Packet) -> bool:
    if packet["eth_type"] != ETH_TYPE_IPV4:
        return packet["eth_type"] == ETH_TYPE_ARP
    answers = _udp_ports(packet) == SERVER_ANSWERS
    return answers or _permitted(store, receiver, "ingress", packet, packet["ipv4_src"])


def _may_announce(store: Store, sender: Port, address: int) -> bool:
    """An address that is another port's own is not the sender's to announce, unless it shares it by a pair."""
    neighbours = store.find(Port, "network", sender.network_id)
    others = [port for port in neighbours if port.id != sender.id and address in _own_addresses(port)]
    if any(port.device_owner == ROUTER_INTERFACE for port in others):
        return False
    alone = (pair.ip_address for pair in sender.allowed_address_pairs if "/" not in pair.ip_address)
    return not others or address in map(_number, alone)


def _speaks_as(port: Port, mac: int, address: int, *, or_nobody: bool) -> bool:
    sources = [prefix for known, prefix in _sources(port) if known == mac]
    return any(_holds(prefix, address) for prefix in sources) or (or_nobody and bool(sources) and address == NOBODY)


def _sources(port: Port) -> Iterator[tuple[int, str]]:
    """The MAC addresses of a port, each with an address or a prefix that it may speak as."""
    yield from ((number_of_mac(port.mac_address), fixed.ip_address) for fixed in port.fixed_ips)
    yield from ((number_of_mac(pair.mac_address), pair.ip_address) for pair in port.allowed_address_pairs)


# Security groups


def _permitted(store: Store, port: Port, direction: str, packet: Packet, other: int) -> bool:
    """Whether any rule of any of a port's groups permits a packet from or to another address."""
    groups = [group_id for group_id in port.security_groups if store.get(SecurityGroup, group_id)]
    rules = (rule for group_id in groups for rule in store.find(SecurityGroupRule, "security_group", group_id))
    return any(
        rule.direction == direction and rule.ethertype == "IPv4" and _names(store, rule, other) and _says(rule, packet)
        for rule in rules
    )


def _names(store: Store, rule: SecurityGroupRule, address: int) -> bool:
    if rule.remote_ip_prefix is not None:
        return _holds(rule.remote_ip_prefix, address)
    if rule.remote_address_group_id is not None:
        listed = store.get(AddressGroup, rule.remote_address_group_id)
        return listed is not None and any(_holds(prefix, address) for prefix in listed.addresses)
    if rule.remote_group_id is not None:
        members = [port for port in store.all(Port) if rule.remote_group_id in port.security_groups]
        return any(_holds(prefix, address) for port in members for _, prefix in _sources(port))
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


def _own_addresses(port: Port) -> set[int]:
    return {_number(fixed.ip_address) for fixed in port.fixed_ips}


def _udp_ports(packet: Packet) -> tuple[int | None, int | None]:
    return packet.get("udp_src"), packet.get("udp_dst")


def _holds(prefix: str, address: int) -> bool:
    return IPv4Address(address) in IPv4Network(prefix)


def _number(address: str) -> int:
    return int(IPv4Address(address))


def number_of_mac(mac: str) -> int:
    return int(mac.replace(":", ""), 16)
