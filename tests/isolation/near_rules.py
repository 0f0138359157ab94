"""What the rules of security groups nearly permit: each bit of what they ask for missed once, and asked for by others.

The same for what passes without a rule, as DHCP does.

Who sends such a packet, or receives it, is somebody whom nothing else stops, so that the rule alone decides: an
instance that may speak as anybody, a machine outside, another chassis, or whoever has the address that is wanted.
"""

from collections.abc import Iterator
from random import Random

from flows import packets
from flows.fields import FIELDS, FIRST_FRAGMENT
from flows.flow import Term
from flows.packets import BROADCAST_MAC, Packet
from flows.pipeline import EGRESS_FILTER, EGRESS_TRACKING, INGRESS_TRACKING, PERMISSIONS, REMOTE_MEMBERS
from tests.clouds import CHASSIS, ENCAP_IPS, OPEN, UPSTREAM_MAC, SimulatedCloud
from tests.isolation.attacks import gateways, instances
from tests.isolation.clouds import MACHINE, MACHINE_MAC
from tests.isolation.conversations import answer_to
from tests.isolation.judge import Case, Outsider, Sent, Stranger
from tests.isolation.near_flows import ICMP_ERRORS, flows_in_order, headers, shaped
from tests.isolation.port_rules import ANSWERED_BY, CLIENT, ICMP, TCP, UDP, holds, number
from tests.storytelling import STRANGER, address
from topology.values import AddressGroup, Network, Port, SecurityGroup, SecurityGroupRule

EGRESS, INGRESS = 0, 1
DIRECTION_OF = {EGRESS_TRACKING.number: EGRESS, INGRESS_TRACKING.number: INGRESS}
"""Where rules are asked, and flows let pass what they are not asked about."""
SERVED = 8190
"""A port of a service that some rules permit."""
ENDS = 2
"""How many who are bound by a rule send or receive what misses it by a bit."""
OTHERS = 3
"""From how many others each of them gets what the rule permits from some."""


class NearRules:
    """Makes packets of all rules of security groups, and of their remote groups' members, in a cloud."""

    def __init__(self, cloud: SimulatedCloud, random: Random) -> None:
        self._cloud, self._random = cloud, random
        self._ports = instances(cloud)
        placed = [place.split("@") for place in cloud.placements]
        self._here = {name: [port for port in self._ports if [port.id, name] in placed] for name in CHASSIS}
        groups = (*cloud.store.all(SecurityGroup), *cloud.store.all(AddressGroup))
        self._key = {group.id: group.key for group in groups}
        self._named = {group.key: list(self._prefixes(group)) for group in groups}

    def all(self) -> Iterator[Case]:
        """Yield every one."""
        for chassis in CHASSIS:
            filtered = [port for port in self._here[chassis] if port.port_security_enabled]
            for flow in flows_in_order(self._cloud, chassis):
                terms = {term.field: term for term in flow.match}
                if flow.table == PERMISSIONS.number:
                    bound = [port for port in filtered if terms["security_group"].value in self._groups(port)]
                    yield from self._missed(bound, terms)
                    yield from self._exact(filtered, bound, terms)
                elif flow.table == REMOTE_MEMBERS.number:
                    yield from self._missed([port for port in filtered if self._naming(port, terms)], terms)
                elif flow.table in DIRECTION_OF and "udp_dst" in terms:
                    for port in filtered:
                        yield from self._unfiltered(port, DIRECTION_OF[flow.table], headers(terms))
                elif flow.table == EGRESS_FILTER.number and "ip_frag" in terms:
                    for port in filtered:
                        yield from self._for_clients(port)

    def _prefixes(self, group: SecurityGroup | AddressGroup) -> Iterator[str]:
        """The addresses of a group's members."""
        if isinstance(group, AddressGroup):
            yield from group.addresses
            return
        for port in self._ports:
            if group.id in port.security_groups:
                yield from (each.ip_address for each in (*port.fixed_ips, *port.allowed_address_pairs))

    def _groups(self, port: Port) -> set[int]:
        return {self._key[group] for group in port.security_groups}

    def _naming(self, port: Port, terms: dict[str, Term]) -> list[SecurityGroupRule]:
        """The rules of a port that permit something to members of the group that a flow is about."""
        groups = (self._cloud.store.get(SecurityGroup, each) for each in port.security_groups)
        return [
            rule
            for group in groups
            if group is not None and group.stateful == terms["stateful"].value
            for rule in self._cloud.store.find(SecurityGroupRule, "security_group", group.id)
            if (rule.direction == "ingress") == terms["direction"].value
            and rule.ethertype == "IPv4"
            and self._key.get(rule.remote_group_id or rule.remote_address_group_id or "") == terms["remote_group"].value
        ]

    def _missed(self, bound: list[Port], terms: dict[str, Term]) -> Iterator[Case]:
        """What those say or get whom a rule binds, by one bit beside it."""
        wanted = {name: term for name, term in headers(terms).items() if name not in ("direction", "ip_frag")}
        direction = terms["direction"].value
        for port in sorted(bound, key=lambda each: len(each.security_groups))[:ENDS]:
            remote = self._remote(port, terms)
            # What members may, the rules say that name them.
            is_member = "security_group" not in terms
            base = _meeting(_permitted(self._naming(port, terms)[0]) if is_member else _opening(terms), wanted)
            for name, term in wanted.items():
                for bit in _bits(name, term):
                    if name in ("ipv4_src", "ipv4_dst"):
                        yield from self._between(port, direction, term.value ^ bit, base)
                        continue
                    missed = base[name] ^ bit
                    if name != "icmp_type" or missed not in ICMP_ERRORS:
                        yield from self._between(port, direction, remote, shaped(base, {name: missed}))
            # Of all that is not a ping by a bit, nothing begins a connection. These do.
            for question in sorted(set(ANSWERED_BY) - {base["icmp_type"]}) if "icmp_type" in wanted else ():
                yield from self._between(port, direction, remote, base.but(icmp_type=question))
            if "ip_frag" in terms:
                # Of a service that nobody has permitted.
                yield from self._between(port, direction, remote, _opening(terms, 81).but(ip_frag=FIRST_FRAGMENT))

    def _exact(self, filtered: list[Port], bound: list[Port], terms: dict[str, Term]) -> Iterator[Case]:
        """What a rule permits: with those whom it does not bind, with others than it names, and the other way."""
        wanted = {name: term for name, term in headers(terms).items() if name not in ("direction", "ip_frag")}
        said, direction = _meeting(_opening(terms), wanted), terms["direction"].value
        for port in filtered:
            if port not in bound:
                yield from self._between(port, direction, self._remote(port, terms), said)
                continue
            yield from self._between(port, 1 - direction, self._remote(port, terms), said)
            others = self._random.sample(self._ports, min(OTHERS, len(self._ports)))
            # A member that is bound itself might be asked for its own address instead of theirs, and so take all.
            if self._is_named(terms["remote_group"].value, port):
                others = [each for each in self._ports if not self._is_named(terms["remote_group"].value, each)]
            for source in {number(address(other)): None for other in others if other.id != port.id}:
                yield from self._between(port, direction, source, said)

    def _is_named(self, group: int, port: Port) -> bool:
        """Whether a port's address is one of a remote group's; the group 0 is none."""
        return any(holds(prefix, number(address(port))) for prefix in self._named.get(group, ()))

    def _unfiltered(self, port: Port, direction: int, wanted: dict[str, Term]) -> Iterator[Case]:
        """What no security group is asked about, but for one bit of its ports."""
        exact = _meeting(packets.udp(MACHINE_MAC, MACHINE_MAC, MACHINE, MACHINE), wanted)
        for name in ("udp_src", "udp_dst"):
            for bit in _bits(name, wanted[name]):
                yield from self._between(port, direction, None, shaped(exact, {name: exact[name] ^ bit}))

    def _for_clients(self, port: Port) -> Iterator[Case]:
        """What only DHCP servers say, in a first fragment: to begin something, and in answer to whoever has done so."""
        to_client = packets.udp(MACHINE_MAC, MACHINE_MAC, MACHINE, MACHINE, udp_dst=CLIENT).but(ip_frag=FIRST_FRAGMENT)
        yield from self._sent(port, None, to_client)
        for (asking,) in self._received(port, None, to_client.but(udp_src=CLIENT, udp_dst=SERVED, ip_frag=0)):
            yield asking, Sent(port, answer_to(asking.packet).but(ip_frag=FIRST_FRAGMENT))

    def _remote(self, port: Port, terms: dict[str, Term]) -> int | None:
        """An address that a rule is for, of a port's neighbour if one has such an address; None where it is for all."""
        for term in headers(terms).values():
            if term.field in ("ipv4_src", "ipv4_dst", "ct_nw_src", "ct_nw_dst"):
                return term.value
        group = terms["remote_group"].value
        members = [port for port in self._ports if group in self._groups(port)]
        listed = [each.addresses for each in self._cloud.store.all(AddressGroup) if each.key == group]
        if listed:
            return number(self._random.choice(listed[0]).partition("/")[0])
        named = {number(address(each)) for each in members}
        near = [each for each in map(address, self._near(port)) if number(each) in named]
        return number(self._random.choice(near or [address(each) for each in members])) if members else None

    def _between(self, port: Port, direction: int, remote: int | None, said: Packet) -> Iterator[Case]:
        """What a port sends to a remote address, or receives from there."""
        yield from (self._sent if direction == EGRESS else self._received)(port, remote, said)

    def _sent(self, port: Port, remote: int | None, said: Packet) -> Iterator[Case]:
        """To somebody who takes whatever comes, out to a physical network, or to all; and to a router."""
        network = self._cloud.store.get(Network, port.network_id)
        assert network is not None
        taking = [each for each in self._near(port) if _takes_all(each)]
        near = taking[0].mac_address if taking else BROADCAST_MAC if network.segment.is_overlay else MACHINE_MAC
        target = remote if remote is not None else number(address(taking[0]) if taking else MACHINE)
        for mac in (near, *gateways(self._cloud, port)[:1]):
            ends = {"eth_src": port.mac_address, "eth_dst": mac, "ipv4_src": address(port), "ipv4_dst": target}
            yield (Sent(port, said.but(**ends)),)

    def _received(self, port: Port, remote: int | None, said: Packet) -> Iterator[Case]:
        """From who may speak as a remote address: a port without security, its owner, or who is beyond the chassis."""
        near = self._near(port)
        source = number(address(near[0]) if near else MACHINE) if remote is None else remote
        to = said.but(eth_dst=port.mac_address, ipv4_dst=address(port), ipv4_src=source)
        sending = [each for each in near if not each.port_security_enabled][:1]
        sending = sending or [each for each in near if number(address(each)) == remote][:1]
        for each in sending:
            yield (Sent(each, to.but(eth_src=each.mac_address)),)
        if not sending or sending[0].port_security_enabled:
            yield (self._from_beyond(port, to),)

    def _from_beyond(self, port: Port, to: Packet) -> Sent:
        """What comes to a port from a machine on its physical network, or from another chassis by tunnel."""
        network = self._cloud.store.get(Network, port.network_id)
        assert network is not None
        if not network.segment.is_overlay:
            mac = UPSTREAM_MAC if network.external else MACHINE_MAC
            return Sent(Outsider(network.id), to.but(eth_src=mac))
        here = next(name for name, ports in self._here.items() if port in ports)
        peer = next(encap_ip for name, encap_ip in ENCAP_IPS.items() if name != here)
        key = network.segment.segmentation_id or 0
        return Sent(Stranger(here, network.segment.network_type, key, peer), to.but(eth_src=STRANGER))

    def _near(self, port: Port) -> list[Port]:
        return [each for each in self._ports if each.network_id == port.network_id and each.id != port.id]


def _takes_all(port: Port) -> bool:
    return not port.port_security_enabled or OPEN in port.security_groups


def _opening(terms: dict[str, Term], port: int = 80) -> Packet:
    """A packet that opens a connection of the protocol that a rule asks for; its addresses come later."""
    protocol = (terms.get("ip_proto") or terms.get("ct_nw_proto") or Term("ip_proto", TCP, None)).value
    ends = MACHINE_MAC, MACHINE_MAC, MACHINE, MACHINE
    if protocol == ICMP:
        return packets.icmp_echo(*ends)
    if protocol == UDP:
        return packets.udp(*ends, udp_dst=port)
    return packets.tcp(*ends, tcp_dst=port)


def _permitted(rule: SecurityGroupRule) -> Packet:
    """A packet that a rule permits, but for its addresses."""
    protocol, first = rule.protocol if rule.protocol is not None else TCP, rule.port_range_min
    opening = _opening({"ip_proto": Term("ip_proto", protocol, None)}, 80 if first is None else first)
    return opening if protocol != ICMP or first is None else opening.but(icmp_type=first)


def _meeting(packet: Packet, wanted: dict[str, Term]) -> Packet:
    """A packet with what a rule asks for in it."""
    return shaped(packet, {name: term.value for name, term in wanted.items()})


def _bits(name: str, term: Term) -> list[int]:
    """The bits of a packet's field that a condition looks at."""
    full = (1 << FIELDS[name].bits) - 1
    mask = full if term.mask is None else term.mask & full
    return [1 << place for place in range(mask.bit_length()) if mask >> place & 1]
