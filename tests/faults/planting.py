"""One flow of a cloud weakened at random, and whether what instances and strangers send brings it to light."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from itertools import cycle, islice
from random import Random
from typing import NamedTuple

from flows.flow import Flow, Term, field_named
from flows.packets import Packet
from flows.pipeline import TABLES
from flows.simulated_connections import Connections
from flows.simulated_switch import Switch
from flows.simulator import Fabric, Walk
from tests.clouds import CHASSIS, OVERLAYS, SimulatedCloud
from tests.permitted_paths import is_honest, may_arrive
from tests.random_clouds import honest, instances
from topology.values import Chassis, Network, Port

TRICKS_A_PAIR = 5
UNKNOWN_PEER = "192.0.2.66"


class Outcome(StrEnum):
    """What became of a fault."""

    FORBIDDEN = "a forbidden arrival"
    LOST = "an honest packet lost"
    UNMET = "no packet met it"
    UNSEEN = "met, but not noticed"


class Fault(NamedTuple):
    """A chassis's flow, what was done to it, and what the chassis then holds."""

    chassis: str
    flow: Flow
    done: str
    held: list[Flow]


class NothingBegun(Connections):
    """Remembers no connection, so that each packet is judged by itself."""

    def commit(self, chassis_id: str, zone: int, packet: Packet) -> bool:
        return True


class Sent(NamedTuple):
    """A packet, and who sends it: a port, or (None) a stranger on the core to ``chassis`` with a network's key."""

    sender: Port | None
    target: Port
    packet: Packet
    chassis: str = ""
    tun_id: int = 0
    encapsulation: str = ""


def plant(cloud: SimulatedCloud, random: Random) -> Fault:
    """Weaken a flow at random: every table that can be weakened is as likely as any other."""
    while True:
        chassis = random.choice(CHASSIS)
        flows = list(cloud.flows(chassis).values())
        table = random.choice(sorted({flow.table for flow in flows}))
        alike = sorted((flow for flow in flows if flow.table == table), key=str)
        chosen, other = random.choice(alike), random.choice(alike)
        done, changed = _weakened(chosen, other, random)
        if done:
            gone = {chosen.key, *(flow.key for flow in changed)} | ({other.key} if len(changed) == 2 else set())
            held = [flow for flow in flows if flow.key not in gone] + changed
            if _is_taken(chassis, held):
                return Fault(chassis, chosen, done, held)


def _is_taken(chassis: str, flows: list[Flow]) -> bool:
    """Whether a switch takes these flows: one whose action needs what it no longer asks for is refused."""
    try:
        Switch(chassis, flows, defaultdict(str), Connections())
    except ValueError:
        return False
    return True


def _weakened(chosen: Flow, other: Flow, random: Random) -> tuple[str, list[Flow]]:
    match random.randrange(3):
        case 0 if chosen.match:
            term = random.choice(chosen.match)
            return "field dropped", [replace(chosen, match=tuple(each for each in chosen.match if each != term))]
        case 1 if chosen.match:
            term = random.choice(chosen.match)
            wide = _wider(term, random)
            return "field widened", [
                replace(chosen, match=tuple(wide if each == term else each for each in chosen.match))
            ]
        case 2 if chosen.priority != other.priority:
            swapped = replace(chosen, priority=other.priority), replace(other, priority=chosen.priority)
            return "priorities swapped", list(swapped)
    return "", []


def _wider(term: Term, random: Random) -> Term:
    full = (1 << field_named(term.field).bits) - 1
    mask = full if term.mask is None else term.mask
    bit = random.choice([1 << n for n in range(mask.bit_length()) if mask >> n & 1])
    return Term(term.field, term.value & ~bit, mask & ~bit)


def traffic(cloud: SimulatedCloud, drawn: list) -> Iterator[Sent]:
    """Yield what every pair of ports sends, honest and not, and what a stranger on the core sends to every port."""
    turns, places = cycle(drawn), dict(place.split("@") for place in cloud._placements)
    for target in instances(cloud):
        network = cloud.store.get(Network, target.network_id)
        assert network is not None
        for sender in instances(cloud):
            if sender.id == target.id:
                continue
            for packet in honest(cloud, sender, target):
                yield Sent(sender, target, packet)
                if network.segment.network_type in OVERLAYS and sender.network_id == target.network_id:
                    way = network.segment.segmentation_id or 0, network.segment.network_type
                    yield Sent(None, target, packet, places[target.id], *way)
            for build in islice(turns, TRICKS_A_PAIR):
                yield Sent(sender, target, build(cloud, sender, target))


def judge(cloud: SimulatedCloud, sent: list[Sent], fault: Fault | None) -> Outcome:
    """Send it all in a cloud with a fault, until something is amiss."""
    flows = {name: list(cloud.flows(name).values()) for name in CHASSIS}
    if fault is not None:
        flows[fault.chassis] = fault.held
    fabric = Fabric(cloud.store.all(Chassis), flows, cloud._placements, NothingBegun())
    places, met = {place.partition("@")[0]: place for place in cloud._placements}, False
    concerned = set(fault.held) - set(cloud.flows(fault.chassis).values()) if fault is not None else set()
    for each in sent:
        if each.sender is None:
            walk = fabric.inject_core(each.chassis, each.packet, each.tun_id, UNKNOWN_PEER, each.encapsulation)
        else:
            walk = fabric.inject(places[each.sender.id], each.packet)
        if outcome := _amiss(cloud, each, walk):
            return outcome
        met = met or any(step.flow in concerned for step in walk.steps)
    return Outcome.UNSEEN if met else Outcome.UNMET


def _amiss(cloud: SimulatedCloud, sent: Sent, walk: Walk) -> Outcome | None:
    reached = {place.partition("@")[0] for place, _ in walk.deliveries}
    if sent.sender is None:
        return Outcome.FORBIDDEN if reached or walk.to_controller else None
    for port_id in reached - {sent.sender.id}:
        receiver = cloud.store.get(Port, port_id)
        if receiver is None or not may_arrive(cloud.store, sent.sender, receiver, sent.packet):
            return Outcome.FORBIDDEN
    owners = {flow.owner for _, flow, _ in walk.to_controller}
    if any(owner.startswith("port/") for owner in owners - {f"port/{sent.sender.id}"}):
        return Outcome.FORBIDDEN
    if sent.target.id not in reached and sent.packet.get("ipv4_src") and is_honest(sent.sender, sent.packet):
        direct = sent.packet in honest(cloud, sent.sender, sent.target)
        if direct and may_arrive(cloud.store, sent.sender, sent.target, sent.packet):
            return Outcome.LOST
    return None


def table_of(fault: Fault) -> str:
    """Return the name of the table that a fault is in."""
    return TABLES.by_number[fault.flow.table].name
