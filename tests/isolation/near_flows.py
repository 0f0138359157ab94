"""Packets made from the flows themselves, one header field at a time next to what they match.

Whoever knows what a flow asks for knows what is just beside it. That is where a flow that lets too much through does.
"""

from collections.abc import Iterator
from random import Random

from flows import packets
from flows.fields import ETH_TYPE_ARP, ETH_TYPE_IPV4, FIELDS, LATER_FRAGMENT
from flows.flow import Flow, Term
from flows.packets import METADATA, Packet
from flows.pipeline import TABLES
from tests.clouds import CHASSIS, ENCAP_IPS, TUNNEL_PORTS, UPSTREAM_MAC, SimulatedCloud
from tests.isolation.attacks import FAR, gateways, honest, instances
from tests.isolation.clouds import MACHINE, MACHINE_MAC
from tests.isolation.conversations import UNKNOWN_PEER
from tests.isolation.judge import Case, Outsider, Sent, Stranger
from tests.isolation.port_rules import ICMP, TCP, UDP
from tests.storytelling import address
from topology.values import Network, Port, SecurityGroup

OF_CONNECTIONS = {"ct_nw_src": "ipv4_src", "ct_nw_dst": "ipv4_dst", "ct_nw_proto": "ip_proto"}
"""Fields of the packet that begins a connection."""
ICMP_ERRORS = (3, 4, 5, 11, 12)
VLANS = (0, 100, 101, 300)
PORTS_OF = {ICMP: ("icmp_type", "icmp_code"), TCP: ("tcp_src", "tcp_dst"), UDP: ("udp_src", "udp_dst")}


class NearFlows:
    """Makes packets of a cloud's flows. Two flows that match alike on two chassis are as one."""

    def __init__(self, cloud: SimulatedCloud, random: Random) -> None:
        self._cloud, self._random = cloud, random
        self._ports = instances(cloud)
        self._by_key = {port.key: port for port in cloud.store.all(Port)}
        self._networks = {network.key: network for network in cloud.store.all(Network)}
        self._at = dict(place.split("@") for place in cloud.placements)
        self._by_ofport = {where: place.partition("@")[0] for place, where in cloud.placements.items()}
        self._in_group = {
            group.key: [port for port in self._ports if group.id in port.security_groups]
            for group in cloud.store.all(SecurityGroup)
        }

    def some(self, count: int) -> Iterator[Case]:
        """Yield cases near flows of all tables alike."""
        by_table: dict[int, list[tuple[str, Flow]]] = {}
        seen = set()
        for chassis in CHASSIS:
            for flow in flows_in_order(self._cloud, chassis):
                if flow.match and flow.table != TABLES["drops"].number and flow.key not in seen:
                    seen.add(flow.key)
                    by_table.setdefault(flow.table, []).append((chassis, flow))
        for flows in by_table.values():
            self._random.shuffle(flows)
        turn = 0
        while turn < count:
            for table in sorted(by_table):
                chassis, flow = by_table[table][turn // len(by_table) % len(by_table[table])]
                yield self.beside(chassis, flow)
                turn += 1

    def beside(self, chassis: str, flow: Flow) -> Case:
        """Return a packet that a flow matches or, more often, nearly matches."""
        random, terms = self._random, {term.field: term for term in flow.match}
        sender = self._sender(chassis, terms)
        target = self._target(sender, terms)
        packet = self._base(sender, target, terms)
        wanted = headers(terms)
        changed = random.choice([None, *wanted]) if wanted else None
        fields: dict[str, int] = {}
        for name, term in wanted.items():
            mask = (1 << FIELDS[name].bits) - 1 if term.mask is None else term.mask
            value = (packet.get(name, 0) & ~mask) | term.value & mask
            if name == changed:
                if random.randrange(3) == 0:
                    continue
                value ^= 1 << random.choice([bit for bit in range(mask.bit_length()) if mask >> bit & 1] or [0])
            fields[name] = value
        packet = shaped(packet, fields)
        if "vlan_vid" in terms and isinstance(sender, Port) and random.randrange(2):
            packet = packet.tagged(random.choice(VLANS))
        return (Sent(sender, packet),)

    # Who, and to whom

    def _sender(self, chassis: str, terms: dict[str, Term]) -> Port | Outsider | Stranger:
        random = self._random
        if "in_port" in terms:
            place = self._by_ofport.get((chassis, terms["in_port"].value))
            if place is not None:
                return next(port for port in self._ports if port.id == place)
            if "tun_id" in terms:
                return self._stranger(chassis, terms["tun_id"].value)
            return self._outsider(None)
        if "tun_src" in terms:
            return self._stranger(chassis, None)
        if "from_port" in terms and random.randrange(5):
            port = self._by_key.get(terms["from_port"].value)
            if port is not None and port.id in self._at:
                return port
        network = self._networks.get(terms["network"].value) if "network" in terms else None
        if network is not None and not network.segment.is_overlay and random.randrange(2):
            return self._outsider(network)
        if "from_core" in terms and terms["from_core"].value and network is not None and network.segment.is_overlay:
            return self._stranger(chassis, network.segment.segmentation_id)
        if terms.get("direction") == Term("direction", 0, None) and "security_group" in terms and random.randrange(4):
            return random.choice(self._in_group.get(terms["security_group"].value) or self._ports)
        near = [port for port in self._ports if network is not None and port.network_id == network.id]
        return random.choice(near if near and random.randrange(3) else self._ports)

    def _target(self, sender: Port | Outsider | Stranger, terms: dict[str, Term]) -> Port:
        random = self._random
        port = self._by_key.get(terms["to_port"].value) if "to_port" in terms else None
        if port is not None:
            return port
        if terms.get("direction") == Term("direction", 1, None) and "security_group" in terms and random.randrange(4):
            return random.choice(self._in_group.get(terms["security_group"].value) or self._ports)
        if isinstance(sender, Port) and random.randrange(3):
            return random.choice([each for each in self._ports if each.network_id == sender.network_id])
        return random.choice(self._ports)

    def _outsider(self, network: Network | None) -> Outsider | Port:
        physical = [each for each in self._networks.values() if not each.segment.is_overlay]
        if network is None and not physical:
            return self._random.choice(self._ports)
        return Outsider((network or self._random.choice(physical)).id)

    def _stranger(self, chassis: str, key: int | None) -> Stranger:
        overlays = [each.segment.segmentation_id or 0 for each in self._networks.values() if each.segment.is_overlay]
        peers = [ENCAP_IPS[each] for each in CHASSIS if each != chassis]
        source = self._random.choice([UNKNOWN_PEER, ENCAP_IPS[chassis], *peers])
        encapsulation = self._random.choice(sorted(TUNNEL_PORTS))
        return Stranger(chassis, encapsulation, self._random.choice(overlays) if key is None else key, source)

    # What

    def _base(self, sender: Port | Outsider | Stranger, target: Port, terms: dict[str, Term]) -> Packet:
        random, eth_type = self._random, terms.get("eth_type")
        if isinstance(sender, Port):
            mac, source = sender.mac_address, address(sender)
            ways = [target.mac_address] if sender.network_id == target.network_id else gateways(self._cloud, sender)
            to_mac = random.choice(ways or [target.mac_address])
        else:
            mac, source = (UPSTREAM_MAC, FAR) if random.randrange(2) else (MACHINE_MAC, MACHINE)
            to_mac = target.mac_address
        if eth_type is not None and eth_type.value == ETH_TYPE_ARP:
            if random.randrange(2):
                return packets.arp_request(mac, source, address(target))
            return packets.arp_reply(mac, source, to_mac, address(target))
        if eth_type is not None and eth_type.value not in (ETH_TYPE_IPV4,):
            return packets.unknown_ethertype(mac, to_mac, eth_type=eth_type.value)
        if isinstance(sender, Port) and sender.id != target.id:
            alike = [each for each in honest(self._cloud, sender, target) if _is_of(each, terms)]
            if alike:
                return random.choice(alike)
        ends = mac, to_mac, source, address(target)
        plain = [packets.icmp_echo(*ends), packets.tcp(*ends), packets.udp(*ends), packets.ipv4(*ends, 132)]
        return random.choice([each for each in plain if _is_of(each, terms)] or plain)


def flows_in_order(cloud: SimulatedCloud, chassis: str) -> list[Flow]:
    """Return a chassis's flows in the same order each time, so that what is drawn for each is the same."""
    return sorted(cloud.flows(chassis).values(), key=str)


def headers(terms: dict[str, Term]) -> dict[str, Term]:
    """Return the conditions on what is in the packet, or was in the one that began its connection."""
    found = {}
    for name, term in terms.items():
        if name in OF_CONNECTIONS:
            found[OF_CONNECTIONS[name]] = term
        elif name in ("ct_tp_src", "ct_tp_dst") and "ct_nw_proto" in terms:
            names = PORTS_OF.get(terms["ct_nw_proto"].value)
            if names is not None:
                found[names[name == "ct_tp_dst"]] = term
        elif name == "next_hop":
            found["ipv4_dst"] = term
        elif name not in METADATA and name != "eth_type":
            found[name] = term
    return found


def _is_of(packet: Packet, terms: dict[str, Term]) -> bool:
    protocol = terms.get("ip_proto") or terms.get("ct_nw_proto")
    return protocol is None or packet.get("ip_proto") == protocol.value


def shaped(packet: Packet, fields: dict[str, int]) -> Packet:
    """Return a packet with other fields; those that its protocol lacks stay out, those that it needs come in."""
    fields.pop("vlan_vid", None)
    protocol = fields.get("ip_proto", packet.get("ip_proto"))
    if "ip_frag" in fields:
        # The other bits say nothing.
        fields["ip_frag"] &= LATER_FRAGMENT
    if fields.get("ip_frag", 0) & 2:
        packet, fields["ip_frag"] = packet.without(*packets.TRANSPORT_FIELDS), LATER_FRAGMENT
        fields = {name: value for name, value in fields.items() if name not in packets.TRANSPORT_FIELDS}
    elif "ip_proto" in fields and protocol != packet.get("ip_proto"):
        names = PORTS_OF.get(protocol or 0, ())
        packet = packet.without(*packets.TRANSPORT_FIELDS).but(**dict.fromkeys(names, 80))
    known = {*packet, "ip_frag" if "ipv4_src" in packet else "", "ip_proto" if "ipv4_src" in packet else ""}
    changed = packet.but(**{name: value for name, value in fields.items() if name in known})
    # Only an error quotes another packet.
    return changed if changed.get("icmp_type") in ICMP_ERRORS else Packet(changed, changed.inner_vlans)
