"""The network as Neutron's rows describe it: where a packet may come to, by an oracle that knows nothing of flows.

    network = Reference(store)
    network.send(port, packet)  # {Arrival("port/db", <packet as it comes there>), Arrival("network/plant", <...>)}

It has no chassis: every port is on its network, every network is a switch, routers and translations are what the rows
say, and each filtered port and each router with an external address remembers what has begun there. It errs on the side
of yes where nobody's isolation is at stake: hops to live do not count, and of several next hops all are taken. Source
ports of translated connections are learnt from what comes out (``observe``).
"""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import NamedTuple

from flows.fields import ETH_TYPE_IPV4
from flows.packets import FiveTuple, Packet
from tests.isolation.port_rules import (
    GROUP_BIT,
    TCP,
    Connections,
    addresses,
    answer,
    holds,
    may_receive,
    may_send,
    number,
    number_of_mac,
)
from topology.addressing import SERVICE_MAC
from topology.store import Store
from topology.values import (
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    FloatingIP,
    Network,
    Port,
    PortForwarding,
    Router,
    Subnet,
    SubnetPool,
)

MAX_HOPS = 6
PORT_FIELDS = {TCP: ("tcp_src", "tcp_dst"), 17: ("udp_src", "udp_dst")}


class Arrival(NamedTuple):
    """A packet as it comes to ``port/<id>``, or to machines that are no ports on a physical ``network/<id>``."""

    place: str
    packet: Packet


class _Translated(NamedTuple):
    """A connection by a router: as it was begun, and as the other side of the translation sees it.

    ``outward``: begun inside, so that the source is translated. Its port outside is None until it is seen.
    """

    router_id: str
    begun: FiveTuple
    seen: FiveTuple
    outward: bool
    is_known: bool = True


class Reference:
    """A cloud's network, and what it remembers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._remembered = Connections()
        self._translated: list[_Translated] = []
        self._found: set[Arrival] = set()
        self.routers: set[str] = set()
        """The routers that the last packet has come to."""

    def send(self, sender: Port, packet: Packet) -> set[Arrival]:
        """Return where what a port sends may come to."""
        self._found, self.routers = set(), set()
        if may_send(self._store, self._remembered, sender, packet):
            self._on_network(sender.network_id, packet, 0)
        return self._found

    def send_outside(self, network: Network, packet: Packet) -> set[Arrival]:
        """Return where the frame of a machine may come to that is no port, on a physical network, its tag removed."""
        self._found, self.routers = set(), set()
        self._on_network(network.id, packet, 0)
        return self._found

    def send_on_core(self, network: Network, packet: Packet) -> set[Arrival]:
        """Return where a frame may come to that another chassis sends on an overlay network: what it says is taken.

        It has been routed before.
        """
        self._found, self.routers = set(), set()
        for port in self._switched(network.id, packet):
            self._arrive(port, packet)
        return self._found

    def observe(self, packet: Packet) -> None:
        """Learn from a packet that has come out by which source port a connection is translated."""
        if packet["eth_type"] != ETH_TYPE_IPV4:
            return
        out = packet.five_tuple
        for place, each in enumerate(self._translated):
            if not each.is_known and each.seen.ipv4_src == out.ipv4_src and each.seen.ip_proto == out.ip_proto:
                self._translated[place] = each._replace(seen=each.seen._replace(tp_src=out.tp_src), is_known=True)

    def tells_the_truth(self, network_id: str, told: Packet) -> bool:
        """Whether who is said by ARP to have an address has it, or shares it, or nobody has it."""
        ports = self._store.find(Port, "network", network_id)
        owners = {number_of_mac(port.mac_address) for port in ports if told["arp_spa"] in addresses(port)}
        sharing = {
            number_of_mac(pair.mac_address)
            for port in ports
            for pair in port.allowed_address_pairs
            if holds(pair.ip_address, told["arp_spa"])
        }
        return told["arp_sha"] in (owners or {number_of_mac(SERVICE_MAC)}) | sharing

    # On a network

    def _on_network(self, network_id: str, packet: Packet, hops: int) -> None:
        network = self._store.get(Network, network_id)
        assert network is not None
        if not network.segment.is_overlay:
            self._found.add(Arrival(f"network/{network_id}", packet))
        for port in self._switched(network_id, packet):
            self._arrive(port, packet)
        if packet["eth_type"] != ETH_TYPE_IPV4:
            return
        for interface in interfaces_on(self._store, network_id):
            if number_of_mac(interface.mac_address) == packet["eth_dst"]:
                self._route(interface.device_id, packet, hops, network_id)
        if network.external:
            self._come_in(network_id, packet, packet["eth_dst"], hops)

    def _switched(self, network_id: str, packet: Packet) -> Iterator[Port]:
        """By the receiver's MAC address, to all, or by a MAC address that may move between ports."""
        neighbours = self._store.find(Port, "network", network_id)
        owners = [port for port in neighbours if number_of_mac(port.mac_address) == packet["eth_dst"]]
        shared = {number_of_mac(pair.mac_address) for port in neighbours for pair in port.allowed_address_pairs}
        to_all = packet["eth_dst"] & GROUP_BIT or packet["eth_dst"] in shared
        yield from owners or (neighbours if to_all else ())

    def _arrive(self, port: Port, packet: Packet) -> None:
        if not is_instance(port):
            return
        if may_receive(self._store, self._remembered, port, packet):
            self._found.add(Arrival(f"port/{port.id}", packet))

    # By routers

    def _route(self, router_id: str, packet: Packet, hops: int, origin: str | None = None) -> None:
        """The way of the longest prefix; a router's own addresses answer echo requests.

        ``origin`` is the network that it comes from, where that is inside.
        """
        router = self._store.get(Router, router_id)
        if router is None or hops > MAX_HOPS:
            return
        self.routers.add(router_id)
        ports = [port for port in self._store.find(Port, "device", router_id) if _is_of_router(port)]
        target = packet["ipv4_dst"]
        own = [port for port in ports if target in addresses(port)]
        if own and packet.get("icmp_type") == 8:
            self._route(router_id, _echo_reply(packet), hops + 1, origin)
            return
        # What is for its address outside may go there first: it comes back like anybody's.
        if any(port.device_owner == ROUTER_INTERFACE for port in own):
            return
        if origin is not None and self._is_apart(ports, origin, target):
            return
        for port, hop in self._ways(router, ports, target):
            if port.device_owner == ROUTER_GATEWAY:
                self._leave(router, port, hop, packet, hops)
            else:
                self._to_neighbour(port.network_id, hop, packet, hops)

    def _ways(self, router: Router, ports: list[Port], target: int) -> list[tuple[Port, int]]:
        """The ports by which a router sends, and the next hops there."""
        known: list[tuple[int, int, Port, int]] = []
        for port in ports:
            for subnet in self._subnets(port):
                if holds(subnet.cidr, target):
                    known.append((IPv4Network(subnet.cidr).prefixlen, 1, port, target))
                known += [
                    (IPv4Network(route.destination).prefixlen, 0, port, number(route.nexthop))
                    for route in router.routes
                    if holds(route.destination, target) and holds(subnet.cidr, number(route.nexthop))
                ]
                if port.device_owner == ROUTER_GATEWAY and subnet.gateway_ip is not None:
                    known.append((0, -1, port, number(subnet.gateway_ip)))
        best = max((each[:2] for each in known), default=None)
        return [(port, hop) for length, rank, port, hop in known if (length, rank) == best]

    # Address scopes

    def _scope(self, network_id: str) -> str | None:
        """The address scope of the pools that a network's subnets are cut from."""
        names = [subnet.subnetpool_id for subnet in self._store.find(Subnet, "network", network_id)]
        pools = [self._store.get(SubnetPool, name) for name in names if name is not None]
        return next((pool.address_scope_id for pool in pools if pool is not None and pool.address_scope_id), None)

    def _is_apart(self, ports: list[Port], origin: str, target: int) -> bool:
        """Whether an address is on a network of a router that is in another scope than the one a packet comes from."""
        inside = [port for port in ports if port.device_owner == ROUTER_INTERFACE]
        there = [port for port in inside if any(holds(subnet.cidr, target) for subnet in self._subnets(port))]
        is_joined = any(port.network_id == origin for port in inside)
        return is_joined and any(self._scope(port.network_id) != self._scope(origin) for port in there)

    def _is_spared(self, router: Router, gateway: Port, inside: int) -> bool:
        """Whether an address on a network of a router is in the scope of its external network."""
        scope = self._scope(gateway.network_id)
        return scope is not None and any(
            self._scope(port.network_id) == scope
            for port in self._store.find(Port, "device", router.id)
            if port.device_owner == ROUTER_INTERFACE
            and any(holds(subnet.cidr, inside) for subnet in self._subnets(port))
        )

    def _subnets(self, port: Port) -> list[Subnet]:
        found = (self._store.get(Subnet, fixed.subnet_id) for fixed in port.fixed_ips)
        return [subnet for subnet in found if subnet is not None]

    def _to_neighbour(self, network_id: str, hop: int, packet: Packet, hops: int) -> None:
        network = self._store.get(Network, network_id)
        assert network is not None
        if not network.segment.is_overlay:
            self._found.add(Arrival(f"network/{network_id}", packet))
        for port in self._store.find(Port, "network", network_id):
            if hop in addresses(port):
                if port.device_owner == ROUTER_INTERFACE:
                    self._route(port.device_id, packet, hops + 1, network_id)
                else:
                    self._arrive(port, packet)

    # Out and in by gateways

    def _leave(self, router: Router, gateway: Port, hop: int, packet: Packet, hops: int) -> None:
        for each in self._outside(router, gateway, packet):
            self._found.add(Arrival(f"network/{gateway.network_id}", each))
            owners = [p for p in self._store.find(Port, "network", gateway.network_id) if hop in addresses(p)]
            for owner in owners:
                self._come_in(gateway.network_id, each, number_of_mac(owner.mac_address), hops + 1)

    def _outside(self, router: Router, gateway: Port, packet: Packet) -> Iterator[Packet]:
        """What a packet may look like outside: as part of a connection, or with an address that stands for its own."""
        said = packet.quoted or packet.five_tuple
        inward = (each for each in self._translated if each.router_id == router.id and not each.outward)
        answered = [each for each in inward if said == (each.seen if packet.quoted else answer(each.seen))]
        for each in answered:
            yield _with_ends(packet, source=each.begun.ipv4_dst, source_port=each.begun.tp_dst)
        if answered:
            return
        floating = [
            each
            for each in self._store.all(FloatingIP)
            if each.router_id == router.id
            and each.fixed_ip_address is not None
            and number(each.fixed_ip_address) == packet["ipv4_src"]
        ]
        for each in floating:
            yield _with_ends(packet, source=number(each.address))
        if not router.enable_snat or self._is_spared(router, gateway, packet["ipv4_src"]):
            yield packet
            return
        own = number(gateway.fixed_ips[0].ip_address)
        outside = _with_ends(packet, source=own)
        begun = packet.five_tuple
        if packet.quoted is None and begun not in {each.begun for each in self._translated if each.outward}:
            unknown = begun.ip_proto in PORT_FIELDS
            seen = outside.five_tuple
            self._translated.append(_Translated(router.id, begun, seen, outward=True, is_known=not unknown))
        yield outside

    def _come_in(self, network_id: str, packet: Packet, to_mac: int, hops: int) -> None:
        """What is for an address of an external network, as somebody there has sent it to one of the MAC addresses."""
        there = self._store.find(Port, "network", network_id)
        if hops > MAX_HOPS or to_mac not in {number_of_mac(port.mac_address) for port in there}:
            return
        target = packet["ipv4_dst"]
        for router_id, inside in self._addressed(network_id, packet):
            new = _Translated(router_id, packet.five_tuple, inside.five_tuple, outward=False)
            if packet.quoted is None and new not in self._translated:
                self._translated.append(new)
            self._route(router_id, inside, hops + 1)
        for gateway in there:
            router = self._store.get(Router, gateway.device_id)
            if gateway.device_owner != ROUTER_GATEWAY or router is None:
                continue
            if target in addresses(gateway):
                self.routers.add(router.id)
                if packet.get("icmp_type") == 8:
                    reply = _echo_reply(packet)
                    self._found.add(Arrival(f"network/{network_id}", reply))
                    # Whoever has asked gets it, be it a router that does not translate.
                    for port in there:
                        self._come_in(network_id, reply, number_of_mac(port.mac_address), hops + 1)
                for inside in self._answered(router, packet):
                    self._route(router.id, inside, hops + 1)
            elif number_of_mac(gateway.mac_address) == to_mac and (
                not router.enable_snat or self._is_spared(router, gateway, target)
            ):
                self._route(router.id, packet, hops + 1)

    def _addressed(self, network_id: str, packet: Packet) -> Iterator[tuple[str, Packet]]:
        """For floating addresses and forwarded ports: the router that leads to whom they stand for."""
        for each in self._store.all(FloatingIP):
            if each.network_id != network_id or number(each.address) != packet["ipv4_dst"] or each.router_id is None:
                continue
            # Of ports that are nobody's, the router reports.
            self.routers.add(each.router_id)
            if each.fixed_ip_address is not None:
                quoted = packet.quoted and packet.quoted._replace(ipv4_src=number(each.fixed_ip_address))
                yield each.router_id, _with_ends(packet, target=number(each.fixed_ip_address), quoted=quoted)
                continue
            for row in self._store.find(PortForwarding, "floatingip", each.id):
                name = f"{row.protocol}_dst"
                if row.external_first <= packet.get(name, -1) <= row.external_last:
                    inside = row.internal_first + packet[name] - row.external_first
                    target = number(row.internal_ip_address)
                    yield each.router_id, _with_ends(packet, target=target, target_port=inside)

    def _answered(self, router: Router, packet: Packet) -> Iterator[Packet]:
        """What comes in a connection that has left by a router, or is about one."""
        said = packet.quoted or packet.five_tuple
        for each in self._translated:
            if each.router_id != router.id or not each.outward:
                continue
            seen = each.seen
            if seen.ipv4_src == seen.ipv4_dst and not packet.quoted:
                # To the router's own address: from the source port outside that it is for, it answers itself.
                said = said._replace(tp_src=said.tp_dst)
            if not each.is_known:
                seen = seen._replace(tp_src=said.tp_src if packet.quoted else said.tp_dst)
            if packet.quoted and said == seen:
                yield _with_ends(packet, target=each.begun.ipv4_src, quoted=each.begun)
            elif said == answer(seen):
                yield _with_ends(packet, target=each.begun.ipv4_src, target_port=each.begun.tp_src)


def is_instance(port: Port) -> bool:
    """Whether a port is one that an instance may be at."""
    return not port.device_owner.startswith("network:")


def interfaces_on(store: Store, network_id: str) -> list[Port]:
    """The interfaces of routers on a network."""
    ports = store.find(Port, "network", network_id)
    return [port for port in ports if port.device_owner == ROUTER_INTERFACE and store.get(Router, port.device_id)]


def _is_of_router(port: Port) -> bool:
    return port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY)


def _echo_reply(packet: Packet) -> Packet:
    return packet.but(ipv4_src=packet["ipv4_dst"], ipv4_dst=packet["ipv4_src"], icmp_type=0)


def _with_ends(
    packet: Packet,
    *,
    source: int | None = None,
    source_port: int | None = None,
    target: int | None = None,
    target_port: int | None = None,
    quoted: FiveTuple | None = None,
) -> Packet:
    """Return a packet with other addresses and ports, and perhaps about another one."""
    changes = {} if source is None else {"ipv4_src": source}
    changes |= {} if target is None else {"ipv4_dst": target}
    names = PORT_FIELDS.get(packet["ip_proto"], ())
    for name, value in zip(names, (source_port, target_port), strict=False):
        if value is not None and name in packet:
            changes[name] = value
    return Packet({**packet, **changes}, packet.inner_vlans, quoted or packet.quoted)
