"""What a flow that drops keeps back, and what a flow that permits would permit if it looked at a bit or a network less.

Chance finds most faults, but not each bit of an address, nor each reason to drop at each port. So every drop flow is
met by every port on its chassis that it may concern, and every permission to send is missed by every single bit. Each
packet is but for that one that has been seen to arrive, so that nothing else stops it. And what a network's flows do
is asked for from every other network on the chassis, of routers wherever they lead.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import islice
from random import Random

from flows import packets
from flows.actions import Goto, Resubmit
from flows.fields import (
    ETH_TYPE_ARP,
    ETH_TYPE_IPV4,
    ETH_TYPE_RARP,
    FIELDS,
    FIRST_FRAGMENT,
    LATER_FRAGMENT,
    mac_to_int,
)
from flows.flow import Flow, Term
from flows.packets import BROADCAST_MAC, ETH_TYPE_IPV6, Packet
from flows.pipeline import (
    ADDRESSES,
    ARP_ANSWER,
    ARP_GUARD,
    ARP_RESPONDER,
    CLASSIFICATION,
    CORE_OUTPUT,
    FORWARDING,
    INBOUND_VERDICT,
    INGRESS_TRACKING,
    NEIGHBOURS,
    PORT_SECURITY,
    ROUTING,
    TABLES,
    UPSTREAM,
)
from tests.clouds import CHASSIS, ENCAP_IPS, TUNNEL_PORTS, UPSTREAM_MAC, SimulatedCloud
from tests.isolation.attacks import FAR, gateways, honest, instances
from tests.isolation.clouds import MACHINE, MACHINE_MAC
from tests.isolation.conversations import answer_to, externals
from tests.isolation.judge import Case, Judge, Outsider, Sent, Stranger
from tests.isolation.near_flows import flows_in_order, headers, shaped
from tests.storytelling import STRANGER, address
from topology.addressing import SERVICE_MAC
from topology.gateway_values import Translation
from topology.values import Network, Port

PATHS = 2
"""How many targets of a sender are tried."""
NOBODY = "10.0.7.7"
"""An address on no network."""
TARGETS = 4
"""How many instances a router is asked for from each port that is none of its network's."""
OF_A_NETWORK = tuple(table.number for table in (ARP_RESPONDER, ARP_ANSWER, ADDRESSES, ROUTING, FORWARDING))
OF_SENDERS = ("eth_src", "ipv4_src", "arp_spa", "arp_sha")


class Systematic:
    """Makes packets of all drops and of all permissions to send in a cloud."""

    def __init__(self, cloud: SimulatedCloud, judge: Judge, random: Random) -> None:
        self._cloud, self._random = cloud, random
        self._ports = instances(cloud)
        self._networks = {network.key: network for network in cloud.store.all(Network)}
        placed = [place.split("@") for place in cloud.placements]
        self._here = {name: [port for port in self._ports if [port.id, name] in placed] for name in CHASSIS}
        self._arriving = {port.id: list(self._paths(judge, port)) for port in self._ports}
        self._coming_in = list(self._ways_in(judge))

    def all(self) -> Iterator[Case]:
        """Yield every one."""
        for chassis in CHASSIS:
            for flow in flows_in_order(self._cloud, chassis):
                if not flow.match or flow.table == TABLES["drops"].number:
                    continue
                terms = {term.field: term for term in flow.match}
                if flow.actions and flow.actions[-1] == Goto("drops"):
                    yield from self._dropped(chassis, flow, terms)
                elif flow.table in (PORT_SECURITY.number, ARP_GUARD.number) and "from_port" in terms:
                    yield from self._missed(terms)
                elif flow.table == CLASSIFICATION.number and "tun_id" in terms:
                    yield from self._by_tunnel(chassis, terms)
                elif flow.table == CORE_OUTPUT.number and "eth_src" in terms:
                    yield from self._as_a_router(chassis, terms)
                elif flow.table == UPSTREAM.number and "next_hop" in terms:
                    yield from self._past_translation(chassis, terms)
                elif flow.table == NEIGHBOURS.number and flow.actions[-1] == Resubmit("routes"):
                    yield from self._for_a_router(chassis, terms)
                elif flow.table in OF_A_NETWORK and "network" in terms:
                    yield from self._elsewhere(chassis, terms)
                    if flow.table == ROUTING.number:
                        yield from self._routed_from_elsewhere(chassis, terms)
                        yield from self._beside_a_router(chassis, terms)
                    elif flow.table == FORWARDING.number and "eth_dst" in terms and terms["eth_dst"].mask is None:
                        yield from self._beside_an_address(chassis, flow, terms)
                        yield from self._coming_in_beside(terms)
        for sender in self._ports:
            yield from self._asked_by_the_way(sender)

    def _paths(self, judge: Judge, sender: Port) -> Iterator[Packet]:
        """Packets of a sender that arrive, or leave for a physical network: of each kind that a target takes, one."""
        found = 0
        for target in self._random.sample(self._ports, len(self._ports)):
            if target.id == sender.id or found == PATHS:
                continue
            arriving = []
            for packet in honest(self._cloud, sender, target):
                judge.forget()
                walk = judge.inject(Sent(sender, packet))
                if walk.on_physical or target.id in {place.partition("@")[0] for place, _ in walk.deliveries}:
                    arriving.append(packet)
            found += bool(arriving)
            yield from {packet["ip_proto"]: packet for packet in arriving}.values()

    def _ways_in(self, judge: Judge) -> Iterator[Case]:
        """What comes in from external networks: asked for by somebody, or by nobody; for each address in one way."""
        for network in externals(self._cloud):
            for port in self._cloud.store.find(Port, "network", network.id):
                targets = [address(port), *(address(each) for each in self._ports)]
                ends = [(UPSTREAM_MAC, port.mac_address, FAR, target) for target in targets]
                begun = (said for each in ends for said in (packets.icmp_echo(*each), packets.tcp(*each, tcp_dst=8080)))
                cases = ((Sent(Outsider(network.id), said),) for said in begun)
                yield from islice((case for case in cases if self._arrives(judge, case)), 1)
        for sender in self._ports:
            for mac in gateways(self._cloud, sender):
                asked = Sent(sender, packets.icmp_echo(sender.mac_address, mac, address(sender), FAR))
                judge.forget()
                for _, _, frame in judge.inject(asked).on_physical:
                    for network in externals(self._cloud):
                        case = asked, Sent(Outsider(network.id), answer_to(frame.untagged()))
                        if self._arrives(judge, case):
                            yield case

    def _arrives(self, judge: Judge, case: Case) -> bool:
        judge.forget()
        return [bool(judge.inject(sent).deliveries) for sent in case][-1]

    # What is dropped

    def _dropped(self, chassis: str, flow: Flow, terms: dict[str, Term]) -> Iterator[Case]:
        if flow.table == INBOUND_VERDICT.number:
            yield from self._still_for_outside(chassis, terms)
            return
        if flow.table == INGRESS_TRACKING.number:
            for target in self._here[chassis]:
                yield from self._for_receiver(target, terms)
            return
        for sender in self._here[chassis]:
            if "from_port" in terms and terms["from_port"].value != sender.key:
                continue
            if flow.table <= ARP_GUARD.number and not self._is_on(sender, terms.get("network")):
                continue
            for base in self._bases(sender, terms):
                for wanted in _either_fragment(headers(terms)):
                    packet = self._exactly(base, wanted)
                    yield (Sent(sender, packet.tagged(1) if "vlan_vid" in terms else packet),)
            if flow.table == PORT_SECURITY.number and "ipv4_dst" in terms:
                yield from self._past_routers(sender, terms)

    def _past_routers(self, sender: Port, terms: dict[str, Term]) -> Iterator[Case]:
        """What is for addresses of nobody, to each neighbour, to all and to machines outside: routers would stop it."""
        near = [port.mac_address for port in self._ports if port.network_id == sender.network_id]
        for said in honest(self._cloud, sender, sender):
            for mac in sorted({*near, BROADCAST_MAC, MACHINE_MAC} - {sender.mac_address}):
                yield (Sent(sender, self._exactly(said.but(eth_dst=mac), headers(terms))),)

    def _still_for_outside(self, chassis: str, terms: dict[str, Term]) -> Iterator[Case]:
        """What a router's chassis gets for source ports of its own, and for no connection."""
        network, asked = self._networks[terms["network"].value], str(IPv4Address(terms["ipv4_dst"].value))
        blocks = [
            block.first_port
            for row in self._cloud.store.all(Translation)
            for block in row.blocks
            if row.chassis_id == chassis and block.address == asked
        ]
        for port in self._cloud.store.find(Port, "network", network.id):
            if any(each.ip_address == asked for each in port.fixed_ips):
                for first in blocks:
                    ends = UPSTREAM_MAC, port.mac_address, FAR, asked
                    yield (Sent(Outsider(network.id), packets.tcp(*ends, tcp_src=80, tcp_dst=first)),)
        # From inside, it comes back as an answer to itself.
        for sender in self._here[chassis]:
            for mac in gateways(self._cloud, sender):
                for first in blocks:
                    for source in (address(sender), NOBODY):
                        yield (Sent(sender, packets.udp(sender.mac_address, mac, source, asked, udp_dst=first)),)

    def _is_on(self, port: Port, network: Term | None) -> bool:
        return network is None or self._networks[network.value].id == port.network_id

    def _for_receiver(self, target: Port, terms: dict[str, Term]) -> Iterator[Case]:
        for sender in self._ports:
            if sender.id != target.id and sender.network_id == target.network_id:
                for base in self._frames(sender.mac_address, target.mac_address):
                    yield (Sent(sender, base),)
                for base in honest(self._cloud, sender, target):
                    yield (Sent(sender, self._exactly(base, headers(terms))),)
        network = self._cloud.store.get(Network, target.network_id)
        if network is not None and not network.segment.is_overlay:
            for base in self._frames("00:00:5e:00:53:c8", target.mac_address):
                yield (Sent(Outsider(network.id), base),)

    def _frames(self, mac: str, to_mac: str) -> Iterator[Packet]:
        """What is neither IPv4 nor ARP."""
        for to, eth_type in ((to_mac, ETH_TYPE_IPV6), (to_mac, ETH_TYPE_RARP), (BROADCAST_MAC, ETH_TYPE_RARP)):
            yield packets.unknown_ethertype(mac, to, eth_type=eth_type)

    def _bases(self, sender: Port, terms: dict[str, Term]) -> list[Packet]:
        """What a sender says in honesty, of the kind that a flow asks for."""
        eth_type = terms["eth_type"].value if "eth_type" in terms else ETH_TYPE_IPV4
        if eth_type == ETH_TYPE_ARP:
            return self._arp(sender)
        if eth_type == ETH_TYPE_IPV4:
            protocol = terms.get("ip_proto")
            mac, own = sender.mac_address, address(sender)
            ways = gateways(self._cloud, sender)[:1] if "ipv4_src" in terms else ()
            nowhere = [packets.icmp_echo(mac, way, own, FAR) for way in ways]
            # Who may say nothing else may still ask for an address.
            said = [*self._arriving[sender.id], *nowhere] or [packets.dhcp_renew(mac, own, STRANGER, FAR)]
            return [each for each in said if protocol is None or each["ip_proto"] == protocol.value]
        return [packets.unknown_ethertype(sender.mac_address, BROADCAST_MAC, eth_type=eth_type)]

    def _arp(self, sender: Port) -> list[Packet]:
        near = [port for port in self._ports if port.network_id == sender.network_id and port.id != sender.id]
        own = sender.mac_address, address(sender)
        # Questions are answered on the spot: only what is told goes further.
        told = [packets.arp_reply(*own, port.mac_address, address(port)) for port in near[:1]]
        asked = [packets.arp_request(*own, address(port)) for port in near[:1]]
        return [packets.arp_reply(*own, BROADCAST_MAC, address(sender)), *told, *asked, packets.gratuitous_arp(*own)]

    # What is nearly permitted

    def _missed(self, terms: dict[str, Term]) -> Iterator[Case]:
        (sender,) = [port for port in self._ports if port.key == terms["from_port"].value] or [None]
        if sender is None:
            return
        wanted = headers(terms)
        for base in self._bases(sender, terms)[:1]:
            exact = self._exactly(base, wanted)
            for name in OF_SENDERS:
                term = wanted.get(name)
                for bit in _bits(term) if term is not None else ():
                    yield (Sent(sender, shaped(exact, {name: exact[name] ^ bit})),)

    def _elsewhere(self, chassis: str, terms: dict[str, Term]) -> Iterator[Case]:
        there = [port for port in self._ports if self._is_on(port, terms["network"])]
        wanted = headers(terms)
        for sender in self._here[chassis]:
            if self._is_on(sender, terms["network"]):
                continue
            if "next_hop" in terms:
                whose = terms["next_hop"].value
                yield (Sent(sender, packets.arp_request(sender.mac_address, address(sender), whose)),)
                continue
            if "arp_tpa" in wanted or "arp_op" in wanted:
                asked = packets.arp_request(sender.mac_address, address(sender), "10.0.0.1")
                yield (Sent(sender, self._exactly(asked, wanted)),)
                continue
            for target in self._random.sample(there, min(PATHS, len(there))):
                for build in (packets.icmp_echo, packets.tcp, packets.udp):
                    said = build(sender.mac_address, target.mac_address, address(sender), address(target))
                    yield (Sent(sender, self._exactly(said, wanted)),)

    def _by_tunnel(self, chassis: str, terms: dict[str, Term]) -> Iterator[Case]:
        """What comes from each other chassis for a network: to all, and to nobody."""
        (kind,) = (each for each, port in TUNNEL_PORTS.items() if port == terms["in_port"].value)
        ends = MACHINE_MAC, STRANGER, FAR, MACHINE
        to_nobody = packets.icmp_echo(*ends), packets.tcp(*ends), packets.udp(*ends, udp_dst=8190)
        for peer in (encap_ip for name, encap_ip in ENCAP_IPS.items() if name != chassis):
            sender = Stranger(chassis, kind, terms["tun_id"].value, peer)
            for said in (packets.arp_request(STRANGER, FAR, MACHINE), *to_nobody):
                yield (Sent(sender, said),)

    def _routed_from_elsewhere(self, chassis: str, terms: dict[str, Term]) -> Iterator[Case]:
        """What a network's router takes, from other networks: wherever that leads, and where it leads nowhere."""
        targets = [*(address(port) for port in self._random.sample(self._ports, min(TARGETS, len(self._ports)))), FAR]
        for sender, mac, source in self._others(chassis, terms):
            for target in targets:
                for build, port in ((packets.icmp_echo, {}), (packets.tcp, {}), (packets.udp, {"udp_dst": 8190})):
                    said = build(mac, BROADCAST_MAC, source, target, **port)
                    yield (Sent(sender, shaped(said, {"eth_dst": terms["eth_dst"].value})),)

    def _as_a_router(self, chassis: str, terms: dict[str, Term]) -> Iterator[Case]:
        """What is for everybody, in other networks, with the MAC address of a router of this one."""
        for sender, mac, source in self._others(chassis, {"network": terms["network"]}):
            # Outside, it is a machine that nobody knows.
            asked = packets.arp_request(mac if isinstance(sender, Port) else STRANGER, source, MACHINE)
            yield (Sent(sender, shaped(asked, {"eth_src": terms["eth_src"].value})),)

    def _others(self, chassis: str, terms: dict[str, Term]) -> Iterator[tuple[Port | Outsider, str, str]]:
        """Who sends in other networks than a flow's, as it asks for: ports on its chassis, and machines outside."""
        from_core = terms["from_core"].value if "from_core" in terms else None
        for port in self._here[chassis] if not from_core else ():
            if not self._is_on(port, terms["network"]):
                yield port, port.mac_address, address(port)
        for key, network in self._networks.items() if from_core != 0 else ():
            if key != terms["network"].value and not network.segment.is_overlay:
                yield Outsider(network.id), *((UPSTREAM_MAC, FAR) if network.external else (MACHINE_MAC, MACHINE))

    def _beside_an_address(self, chassis: str, flow: Flow, terms: dict[str, Term]) -> Iterator[Case]:
        """What is for a MAC address that somebody has, or that several have, and what is but for one bit."""
        network = self._networks[terms["network"].value]
        senders: list[Port | Outsider | Stranger] = [
            port for port in self._here[chassis] if port.network_id == network.id
        ]
        if not network.segment.is_overlay:
            senders.append(Outsider(network.id))
        elif not senders:
            peer = next(encap_ip for name, encap_ip in ENCAP_IPS.items() if name != chassis)
            key = network.segment.segmentation_id or 0
            senders.append(Stranger(chassis, network.segment.network_type, key, peer))
        is_shared = flow.actions == (Goto("flooding"),)
        beside = senders if is_shared else self._random.sample(senders, min(1, len(senders)))
        for sender in senders:
            ends = (sender.mac_address, address(sender)) if isinstance(sender, Port) else (MACHINE_MAC, MACHINE)
            for bit in (0, *(_bits(terms["eth_dst"]) if sender in beside else ())):
                to = {"eth_dst": terms["eth_dst"].value ^ bit}
                yield (Sent(sender, shaped(packets.arp_request(*ends, FAR), to)),)

    def _past_translation(self, chassis: str, terms: dict[str, Term]) -> Iterator[Case]:
        """What no router can translate, for a next hop outside: what answers nothing, and comes from nobody."""
        hop = terms["next_hop"].value
        for sender in self._here[chassis]:
            for mac in gateways(self._cloud, sender):
                for source in (address(sender), NOBODY):
                    said = packets.icmp_echo(sender.mac_address, mac, source, str(IPv4Address(hop)))
                    yield (Sent(sender, said.but(icmp_type=0)),)

    def _for_a_router(self, chassis: str, terms: dict[str, Term]) -> Iterator[Case]:
        """What is for a router's own address, by each router that is near: it ends there."""
        own = str(IPv4Address(terms["next_hop"].value))
        for sender in self._here[chassis]:
            for mac in gateways(self._cloud, sender):
                ends = sender.mac_address, mac, address(sender), own
                yield (Sent(sender, packets.icmp_echo(*ends)),)
                yield (Sent(sender, packets.tcp(*ends)),)

    def _coming_in_beside(self, terms: dict[str, Term]) -> Iterator[Case]:
        """What comes in from outside, but is for another MAC address: by one bit, a stranger's, or a chassis's."""
        to = terms["eth_dst"].value
        others = {to ^ bit for bit in _bits(terms["eth_dst"])} | {mac_to_int(STRANGER), mac_to_int(SERVICE_MAC)}
        for *before, last in self._coming_in:
            if last.packet["eth_dst"] == to:
                for other in sorted(others - {to}):
                    yield *before, Sent(last.sender, shaped(last.packet, {"eth_dst": other}))

    def _beside_a_router(self, chassis: str, terms: dict[str, Term]) -> Iterator[Case]:
        """What a router would take, but for one bit of its MAC address."""
        there = [port for port in self._here[chassis] if self._is_on(port, terms["network"])]
        said = [
            (port, packet)
            for port in there
            for packet in self._arriving[port.id]
            if packet["eth_dst"] == terms["eth_dst"].value
        ]
        for sender, packet in said[:1]:
            for bit in _bits(terms["eth_dst"]):
                yield (Sent(sender, shaped(packet, {"eth_dst": packet["eth_dst"] ^ bit})),)

    def _asked_by_the_way(self, sender: Port) -> Iterator[Case]:
        """Questions about a neighbour's address, and answers with one's own, that are sent to nobody or to oneself."""
        for port in self._ports:
            if port.network_id == sender.network_id and port.id != sender.id:
                own, other = (sender.mac_address, address(sender)), address(port)
                for mac in (STRANGER, sender.mac_address):
                    yield (Sent(sender, packets.arp_request(*own, other).but(eth_dst=mac)),)
                    yield (Sent(sender, packets.arp_reply(*own, mac, other)),)

    def _exactly(self, base: Packet, wanted: dict[str, Term]) -> Packet:
        """A packet that meets these conditions, and is otherwise as it was; what a mask leaves open is at random."""
        fields = {}
        for name, term in wanted.items():
            mask = _mask(term)
            beyond = self._random.getrandbits(FIELDS[name].bits) & ~mask if term.mask is not None else 0
            fields[name] = beyond | term.value & mask
        return shaped(base, fields)


def _either_fragment(wanted: dict[str, Term]) -> list[dict[str, Term]]:
    """The conditions as they are or, where they ask for any fragment, for a first and for a later one."""
    if wanted.get("ip_frag") != Term("ip_frag", FIRST_FRAGMENT, FIRST_FRAGMENT):
        return [wanted]
    return [{**wanted, "ip_frag": Term("ip_frag", each, None)} for each in (FIRST_FRAGMENT, LATER_FRAGMENT)]


def _mask(term: Term) -> int:
    return (1 << FIELDS[term.field].bits) - 1 if term.mask is None else term.mask


def _bits(term: Term) -> list[int]:
    mask = _mask(term)
    return [1 << place for place in range(mask.bit_length()) if mask >> place & 1]
