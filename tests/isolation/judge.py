"""Sends packets through a cloud's flows, and holds that each comes only where the network's rows let it.

    judge = Judge(cloud)
    judge.play((Sent(port, packet),))  # raises ForbiddenError

Switches forget what they remember between two cases, and so does the reference, so that cases do not meddle.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from flows.fields import ETH_TYPE_ARP, VLAN_PRESENT
from flows.flow import Flow
from flows.packets import Packet
from flows.simulated_connections import Connections
from flows.simulator import Fabric, Walk
from tests.clouds import CHASSIS, ENCAP_IPS, SimulatedCloud
from tests.isolation.reference import Arrival, Reference, interfaces_on
from topology.store import Store
from topology.values import ROUTER_GATEWAY, Chassis, Network, Port


class Outsider(NamedTuple):
    """A machine on a physical network that is no port; its frames get the network's tag."""

    network_id: str


class Stranger(NamedTuple):
    """Somebody on the core who sends to a chassis's tunnel port."""

    chassis: str
    encapsulation: str
    tun_id: int
    tun_src: str


class Sent(NamedTuple):
    """A packet, and who sends it."""

    sender: Port | Outsider | Stranger
    packet: Packet


Case = tuple[Sent, ...]
COMPARED = ("eth_type", "ipv4_src", "ipv4_dst", "ip_proto", "tcp_dst", "udp_dst", "icmp_type", "arp_op", "arp_spa",
            "arp_sha", "arp_tpa")  # fmt: skip
"""By what a packet that arrived is recognised as one that may: routers change the rest."""


class ForbiddenError(AssertionError):
    """A packet has come where it may not."""


class Outcome(NamedTuple):
    """What became of a packet, and where it might have come."""

    walk: Walk
    permitted: set[Arrival]

    @property
    def reached(self) -> set[str]:
        """The ports that got it."""
        return {place.partition("@")[0] for place, _ in self.walk.deliveries}

    @property
    def may_reach(self) -> set[str]:
        """The ports that may get it."""
        return {place.removeprefix("port/") for place, _ in self.permitted if place.startswith("port/")}


class Judge:
    """Plays cases in a cloud, with its own flows or with others on some chassis."""

    def __init__(self, cloud: SimulatedCloud, flows: Mapping[str, Iterable[Flow]] | None = None) -> None:
        self._cloud, self._store, self._is_sound = cloud, cloud.store, flows is None
        held = {name: list(cloud.flows(name).values()) for name in CHASSIS} | dict(flows or {})
        self._connections = Connections()
        self.fabric = Fabric(cloud.store.all(Chassis), held, cloud.placements, self._connections)
        self._places = {place.partition("@")[0]: place for place in cloud.placements}
        self._networks = {_wire(network): network for network in cloud.store.all(Network)}

    def play(self, case: Case) -> list[Outcome]:
        """Send the packets of a case. Raises ForbiddenError for the first that comes where it may not."""
        self.forget()
        reference, outcomes = Reference(self._store), []
        for sent in case:
            believed = self._as_believed(sent)
            outcome = Outcome(self.inject(sent), self._permitted(reference, believed))
            self._hold(reference, believed, outcome)
            # Two flows of one priority for one packet, say: a planted fault shall be found by where packets come out.
            assert not (self._is_sound and outcome.walk.faults), outcome.walk.faults
            outcomes.append(outcome)
        return outcomes

    def forget(self) -> None:
        """Let switches forget all connections, and that they were told to be silent."""
        self._connections.forget()
        self.fabric.forget("fences")

    def inject(self, sent: Sent) -> Walk:
        """Send a packet, whatever becomes of it."""
        match sent.sender:
            case Outsider():
                return self.fabric.inject_physical(*framed(self._store, sent))
            case Stranger(chassis, encapsulation, tun_id, tun_src):
                return self.fabric.inject_core(chassis, sent.packet, tun_id, tun_src, encapsulation)
            case Port(id=port_id):
                return self.fabric.inject(self._places[port_id], sent.packet)
        raise TypeError(sent.sender)

    def _permitted(self, reference: Reference, sent: Sent) -> set[Arrival]:
        match sent.sender:
            case Outsider(network_id):
                return reference.send_outside(self._network(network_id), sent.packet)
            case Stranger():
                network = self._tunnelled(sent.sender)
                return reference.send_on_core(network, sent.packet) if network is not None else set()
        return reference.send(sent.sender, sent.packet)

    def _as_believed(self, sent: Sent) -> Sent:
        """Another chassis that sends on a physical network's tunnel hands on what a machine there has sent."""
        network = self._tunnelled(sent.sender) if isinstance(sent.sender, Stranger) else None
        is_physical = network is not None and not network.segment.is_overlay
        return Sent(Outsider(network.id), sent.packet) if network is not None and is_physical else sent

    def _tunnelled(self, stranger: Stranger) -> Network | None:
        """The network that another chassis sends on, if it is one."""
        peers = {address for name, address in ENCAP_IPS.items() if name != stranger.chassis}
        if stranger.tun_src not in peers:
            return None
        way = stranger.encapsulation, stranger.tun_id
        for network in self._store.all(Network):
            segment = network.segment if network.segment.is_overlay else network.transit
            if segment is not None and (segment.network_type, segment.segmentation_id) == way:
                return network
        return None

    def _hold(self, reference: Reference, sent: Sent, outcome: Outcome) -> None:
        for place, packet in outcome.walk.deliveries:
            port_id = place.partition("@")[0]
            if isinstance(sent.sender, Port) and port_id == sent.sender.id:
                if _is_arp(packet) and not self._answers(reference, sent, port_id, packet):
                    raise ForbiddenError(f"{sent}\nwas answered by a lie: {packet}")
            elif not self._answers(reference, sent, port_id, packet):
                self._hold_arrival(sent, outcome.permitted, f"port/{port_id}", packet)
            reference.observe(packet)
        for _, wire, frame in outcome.walk.on_physical:
            vlan_id = frame["vlan_vid"] & ~VLAN_PRESENT if "vlan_vid" in frame else None
            network, packet = self._networks.get((wire, vlan_id)), frame.untagged()
            if network is None or frame.inner_vlans:
                raise ForbiddenError(f"{sent}\nleft on {wire} as {frame}")
            if not self._answers(reference, sent, network.id, packet):
                self._hold_arrival(sent, outcome.permitted, f"network/{network.id}", packet)
            reference.observe(packet)
        for _, flow, packet in outcome.walk.to_controller:
            if flow.owner not in self._may_ask(reference, sent):
                raise ForbiddenError(f"{sent}\ncame to the controller as {packet} by {flow} of {flow.owner}")

    def _hold_arrival(self, sent: Sent, permitted: set[Arrival], place: str, packet: Packet) -> None:
        if not any(each == place and _is_alike(packet, other) for each, other in permitted):
            raise ForbiddenError(f"{sent}\ncame to {place} as {packet}")

    def _answers(self, reference: Reference, sent: Sent, place: str, packet: Packet) -> bool:
        """Whether a packet at a port or on a physical network tells its sender's network by ARP who has an address.

        Answers to machines outside come to whoever may have their MAC address, too.
        """
        if not _is_arp(packet) or packet == sent.packet or isinstance(sent.sender, Stranger):
            return False
        port = self._store.get(Port, place)
        network_id = port.network_id if port is not None else place
        is_there = isinstance(sent.sender, Outsider) or place == sent.sender.id
        return is_there and sent.sender.network_id == network_id and reference.tells_the_truth(network_id, packet)

    def _may_ask(self, reference: Reference, sent: Sent) -> set[str]:
        """The owners of flows that may send a packet to the controller: the sender, and the routers it has come to."""
        owners = {f"router/{router_id}" for router_id in reference.routers}
        owners |= {f"port/{port.id}" for port in self._store.all(Port) if port.device_id in reference.routers}
        network_id = ""
        match sent.sender:
            case Port(id=port_id):
                owners.add(f"port/{port_id}")
                network_id = sent.sender.network_id
            case Outsider(network_id):
                pass
        # What is said on a physical network, routers there may hear.
        network = self._store.get(Network, network_id)
        if network is not None and not network.segment.is_overlay:
            there = self._store.find(Port, "network", network_id)
            owners |= {f"router/{port.device_id}" for port in there if port.device_owner == ROUTER_GATEWAY}
            owners |= {f"port/{port.id}" for port in interfaces_on(self._store, network_id)} | {f"network/{network_id}"}
        return owners

    def _network(self, network_id: str) -> Network:
        network = self._store.get(Network, network_id)
        assert network is not None
        return network


def framed(store: Store, sent: Sent) -> tuple[str, Packet]:
    """Return the physical network on which a machine sends, and its frame with the network's tag."""
    assert isinstance(sent.sender, Outsider)
    network = store.get(Network, sent.sender.network_id)
    assert network is not None
    wire, vlan_id = _wire(network)
    return wire, sent.packet.tagged(vlan_id) if vlan_id is not None else sent.packet


def _wire(network: Network) -> tuple[str, int | None]:
    segment = network.segment
    return segment.physical_network or network.id, segment.segmentation_id if segment.network_type == "vlan" else None


def _is_arp(packet: Packet) -> bool:
    return packet["eth_type"] == ETH_TYPE_ARP


def _is_alike(one: Packet, other: Packet) -> bool:
    return all(one.get(name) == other.get(name) for name in COMPARED)
