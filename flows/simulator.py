"""A cloud, simulated: packets walk through the flow tables of all chassis, and the tunnels and wires between them.

    walk = Fabric(chassis, flows, placements).inject(port_id, icmp_echo(...))
    assert walk.deliveries == [...]

A tunnel delivers to the chassis that owns the outer destination address. A physical network delivers to every other
chassis that maps it: what a switch that has learned nothing would do, so nothing is hidden by luck. Whoever asks for
one packet among very many flows may say what it has learned.
"""

from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import NamedTuple

from flows.flow import Flow
from flows.packets import Packet
from flows.pipeline import TABLES
from flows.simulated_connections import Connections
from flows.simulated_switch import Emission, Switch
from topology.turns import GiveWay, by_turns, nobody_waits
from topology.values import Chassis

MAX_ARRIVALS = 10_000
"""How often one injected packet may arrive at a switch before it counts as a loop."""


class Delivery(NamedTuple):
    """An instance's port got a packet."""

    port_id: str
    packet: Packet


class ToController(NamedTuple):
    """A flow sent a packet to the controller."""

    chassis_id: str
    flow: Flow
    packet: Packet


class Crossing(NamedTuple):
    """A tunnelled packet on the core; ``to_chassis`` is None where no chassis takes it."""

    from_chassis: str
    to_chassis: str | None
    tun_id: int
    packet: Packet


class PhysicalFrame(NamedTuple):
    """A frame that a chassis put on a physical network."""

    chassis_id: str
    physical_network: str
    packet: Packet


class Step(NamedTuple):
    """A table that a packet came to, and the flow that matched (None: nothing did). ``packet`` has metadata too."""

    chassis_id: str
    table: str
    flow: Flow | None
    packet: Packet


class Arrived(NamedTuple):
    """A switch that the packet came to: by what (an instance's ``port``, a ``tunnel`` or a ``patch``), and its steps.

    ``goes_on`` is whether anything left from there, or reached the controller.
    """

    chassis_id: str
    by: str
    steps: tuple[Step, ...]
    goes_on: bool


@dataclass
class Walk:
    """All that became of an injected packet, in order. ``faults`` are what a sound set of flows never causes."""

    deliveries: list[Delivery] = field(default_factory=list)
    to_controller: list[ToController] = field(default_factory=list)
    on_core: list[Crossing] = field(default_factory=list)
    on_physical: list[PhysicalFrame] = field(default_factory=list)
    arrivals: list[Arrived] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def steps(self) -> list[Step]:
        """All steps, on whatever switch."""
        return [step for arrived in self.arrivals for step in arrived.steps]


class _Place(NamedTuple):
    """What is behind an OpenFlow port: an instance's ``port``, a ``tunnel`` or a ``patch``, and which."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class _Arrival(NamedTuple):
    chassis_id: str
    ofport: int
    packet: Packet
    tun_id: int = 0
    tun_src: int = 0
    tun_dst: int = 0


class Fabric:
    """Chassis, the flows of each, and the ports of instances at their places: port id to (chassis id, ofport).

    ``connections`` is what the chassis's connection tracking remembers from other fabrics: by default nothing. ``dead``
    are ports, by chassis, whose other end does not answer. ``learnt`` are the flows that switches have added themselves
    on other fabrics, by chassis, to which those are added that they add here. ``where`` says at which chassis physical
    networks know a MAC address to be, None where they do not know. By ``give_way`` others have their turn while very
    many placements are noted, or a switch with very many flows is built.
    Raises ValueError for a placement on a chassis that is not there, and for two things at one OpenFlow port.
    """

    def __init__(
        self,
        chassis: Iterable[Chassis],
        flows: Mapping[str, Iterable[Flow]],
        placements: Mapping[str, tuple[str, int]],
        connections: Connections | None = None,
        dead: frozenset[tuple[str, int]] = frozenset(),
        *,
        learnt: dict[str, dict[Flow, None]] | None = None,
        where: Callable[[int], Container[str] | None] = lambda mac: None,
        give_way: GiveWay = nobody_waits,
    ) -> None:
        self._give_way = give_way
        self._dead = dead
        self._where = where
        self._learnt = learnt if learnt is not None else {}
        self._chassis = {row.id: row for row in chassis}
        self._flows = flows
        self._placements = placements
        self._connections = connections or Connections()
        self._switches: dict[str, Switch] = {}
        self._by_address = {_address(row.encap_ip): row for row in self._chassis.values() if row.encap_ip}
        self._places: dict[str, dict[int, _Place]] = {chassis_id: {} for chassis_id in self._chassis}
        for row in self._chassis.values():
            for name, ofport in row.tunnel_ports:
                self._put(row.id, ofport, _Place("tunnel", name))
            for name, ofport in row.patch_ports:
                self._put(row.id, ofport, _Place("patch", name))
            for address, ofport in row.watch_ports:
                self._put(row.id, ofport, _Place("watch", address))
        for port_id, (chassis_id, ofport) in by_turns(placements.items(), give_way):
            if chassis_id not in self._chassis:
                raise ValueError(f"port {port_id} is placed on chassis {chassis_id}, which is not there")
            self._put(chassis_id, ofport, _Place("port", port_id))

    def inject(self, port_id: str, *packets: Packet) -> Walk:
        """Let an instance send packets, one after the other. Raises ValueError for a port that is placed nowhere."""
        if port_id not in self._placements:
            raise ValueError(f"port {port_id} is not placed on a chassis")
        return self._run([_Arrival(*self._placements[port_id], packet) for packet in packets])

    def inject_physical(self, physical_network: str, packet: Packet, *, to: Container[str] | None = None) -> Walk:
        """Let a stranger send a frame on a physical network, which brings it ``to`` these chassis (None: to all).

        Raises ValueError where no such chassis maps it.
        """
        arrivals = self._on_wire(physical_network, packet, None, to)
        if not arrivals:
            raise ValueError(f"no chassis has a patch port to physical network {physical_network}")
        return self._run(arrivals)

    def inject_core(
        self, chassis_id: str, packet: Packet, tun_id: int, tun_src: str = "192.0.2.66", encapsulation: str = "geneve"
    ) -> Walk:
        """Let a stranger send a tunnelled frame to a chassis. Raises ValueError where it has no such tunnel port."""
        row = self._chassis.get(chassis_id)
        ofport = dict(row.tunnel_ports).get(encapsulation) if row else None
        if row is None or ofport is None:
            raise ValueError(f"chassis {chassis_id} has no tunnel port for {encapsulation}")
        return self._run([_Arrival(chassis_id, ofport, packet, tun_id, _address(tun_src), _address(row.encap_ip))])

    def switch(self, chassis_id: str) -> Switch:
        """Return a chassis's switch, built when it is first needed. Raises ValueError for an unknown chassis."""
        if chassis_id not in self._chassis:
            raise ValueError(f"there is no chassis {chassis_id}")
        if chassis_id not in self._switches:
            ports = {ofport: str(place) for ofport, place in self._places[chassis_id].items()}
            dead = frozenset(ofport for name, ofport in self._dead if name == chassis_id)
            flows, learnt = self._flows.get(chassis_id, ()), self._learnt.setdefault(chassis_id, {})
            self._switches[chassis_id] = Switch(
                chassis_id, flows, ports, self._connections, dead, learnt=learnt, give_way=self._give_way
            )
        return self._switches[chassis_id]

    def forget(self, table: str) -> None:
        """Let switches forget what they have learnt in a table."""
        for switch in self._switches.values():
            switch.forget(TABLES[table].number)

    def _put(self, chassis_id: str, ofport: int, place: _Place) -> None:
        other = self._places[chassis_id].setdefault(ofport, place)
        if other != place:
            raise ValueError(f"chassis {chassis_id} has both {other} and {place} at OpenFlow port {ofport}")

    def _run(self, arrivals: list[_Arrival]) -> Walk:
        walk = Walk()
        waiting = deque(arrivals)
        count = 0
        while waiting:
            count += 1
            if count > MAX_ARRIVALS:
                walk.faults.append(f"the packet is still on its way after {MAX_ARRIVALS} arrivals: a loop")
                break
            arrival = waiting.popleft()
            chassis_id = arrival.chassis_id
            passage = self.switch(chassis_id).receive(*arrival[1:])
            by = self._places[chassis_id][arrival.ofport].kind
            steps = tuple(Step(chassis_id, *visit) for visit in passage.visits)
            goes_on = bool(passage.emissions or passage.packet_ins)
            walk.arrivals.append(Arrived(chassis_id, by, steps, goes_on))
            walk.to_controller += [ToController(chassis_id, *packet_in) for packet_in in passage.packet_ins]
            walk.faults += passage.faults
            for emission in passage.emissions:
                place = self._places[chassis_id][emission.port]
                waiting.extend(_LEAVE[place.kind](self, walk, chassis_id, place.name, emission))
        return walk

    def _to_port(self, walk: Walk, chassis_id: str, port_id: str, emission: Emission) -> list[_Arrival]:
        walk.deliveries.append(Delivery(port_id, emission.packet))
        return []

    def _to_wire(self, walk: Walk, chassis_id: str, physical_network: str, emission: Emission) -> list[_Arrival]:
        walk.on_physical.append(PhysicalFrame(chassis_id, physical_network, emission.packet))
        return self._on_wire(physical_network, emission.packet, chassis_id, self._where(emission.packet["eth_dst"]))

    def _on_wire(
        self, physical_network: str, packet: Packet, sender: str | None, places: Container[str] | None
    ) -> list[_Arrival]:
        return [
            _Arrival(row.id, ofport, packet)
            for row in self._chassis.values()
            for name, ofport in row.patch_ports
            if name == physical_network and row.id != sender and (places is None or row.id in places)
        ]

    def _to_tunnel(self, walk: Walk, chassis_id: str, encapsulation: str, emission: Emission) -> list[_Arrival]:
        sender = self._chassis[chassis_id]
        receiver = self._by_address.get(emission.tun_dst)
        if receiver is sender:
            # Neither Open vSwitch nor a host sends to itself by way of the core.
            walk.faults.append(f"chassis {chassis_id}: a tunnel to its own address {sender.encap_ip}")
            return []
        ofport = dict(receiver.tunnel_ports).get(encapsulation) if receiver else None
        if receiver is None or ofport is None:
            walk.on_core.append(Crossing(chassis_id, None, emission.tun_id, emission.packet))
            address = IPv4Address(emission.tun_dst)
            walk.faults.append(f"chassis {chassis_id}: nobody at {address} takes {encapsulation}")
            return []
        walk.on_core.append(Crossing(chassis_id, receiver.id, emission.tun_id, emission.packet))
        source, target = _address(sender.encap_ip), emission.tun_dst
        return [_Arrival(receiver.id, ofport, emission.packet, emission.tun_id, source, target)]


_LEAVE: dict[str, Callable[[Fabric, Walk, str, str, Emission], list[_Arrival]]] = {
    "port": Fabric._to_port,
    "patch": Fabric._to_wire,
    "tunnel": Fabric._to_tunnel,
}


def _address(text: str | None) -> int:
    return int(IPv4Address(text)) if text else 0
