"""What a planted fault leads to: found by the isolation traffic, by a search that knows where it is, or not at all.

The search knows the flow that was weakened. It makes packets that come to the flow's table and match it as it is now,
from those that are known to come there, and packets made of the flow itself, and lets each of them vary in one more
field. What it finds is harmful, whoever has missed it. Where it finds nothing, nobody has proved that there is nothing.

What comes where it may not in the sound cloud, too, says nothing about a fault, but something about the cloud.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from random import Random
from typing import NamedTuple

from flows.flow import Flow, Term, field_named
from flows.packets import Packet
from tests.clouds import SimulatedCloud
from tests.faults.planting import Fault
from tests.isolation.attacks import instances
from tests.isolation.judge import Case, ForbiddenError, Judge, Outcome, Sent
from tests.isolation.near_flows import NearFlows, headers, shaped
from tests.isolation.port_rules import number, number_of_mac
from tests.storytelling import address

NEAR, VISITS = 150, 200
"""How many packets the search makes of a flow, and of those that have come to its table."""


class Effect(StrEnum):
    """What became of a fault."""

    FOUND = "harmful, found"
    MISSED = "harmful, missed"
    LOSES = "loses what is permitted"
    HARMLESS = "another way, no harm"
    NONE = "no effect seen"


class _Visit(NamedTuple):
    """A packet as it came to a table, the flow that matched it, and in which case."""

    case: int
    packet: Packet
    flow: Flow | None


@contextmanager
def deep_stack() -> Iterator[None]:
    """Let packets go in a circle, between routers or by a fault, until the switch has had enough: 64 times through."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class Known:
    """The isolation traffic of a cloud: what became of every packet, and by which tables it went."""

    @deep_stack()
    def __init__(self, cloud: SimulatedCloud, cases: list[Case]) -> None:
        self.cloud = cloud
        self.amiss: dict[str, None] = {}
        """What comes where it may not in the cloud as it is, in words, each once."""
        self.cases: list[Case] = []
        self.outcomes: list[list[Outcome]] = []
        judge = Judge(cloud)
        for case in cases:
            outcomes, harm = _played(judge, case)
            if harm:
                self.amiss[harm] = None
            else:
                self.cases.append(case)
                self.outcomes.append(outcomes)
        self.visits: dict[tuple[str, str], list[_Visit]] = defaultdict(list)
        for place, outcomes in enumerate(self.outcomes):
            for outcome in outcomes:
                for step in outcome.walk.steps:
                    self.visits[step.chassis_id, step.table].append(_Visit(place, step.packet, step.flow))

    def met_by(self, fault: Fault) -> list[int]:
        """Return the cases that find another flow with the fault: whatever becomes of all others is as before."""
        return sorted({visit.case for visit in self.visits[fault.chassis, fault.table] if _is_met(visit, fault)})


@deep_stack()
def effect(known: Known, fault: Fault, random: Random) -> tuple[Effect, str]:
    """Return what a fault leads to, and for one that was missed a packet that comes where it may not."""
    cloud = known.cloud
    weak, sound = Judge(cloud, {fault.chassis: fault.held(cloud)}), Judge(cloud)
    loses = differs = False
    for place in known.met_by(fault):
        after, harm = _played(weak, known.cases[place])
        if harm:
            return Effect.FOUND, ""
        loses, differs = _compared(known.outcomes[place], after, loses, differs)
    for case in _directed(known, fault, random):
        after, harm = _played(weak, case)
        if not harm and not any(step.flow == fault.changed for outcome in after for step in outcome.walk.steps):
            continue
        before, amiss = _played(sound, case)
        if amiss:
            known.amiss[amiss] = None
            continue
        if harm:
            return Effect.MISSED, harm
        loses, differs = _compared(before, after, loses, differs)
    return Effect.LOSES if loses else Effect.HARMLESS if differs else Effect.NONE, ""


def _played(judge: Judge, case: Case) -> tuple[list[Outcome], str]:
    """Return what became of a case, or what came where it may not."""
    try:
        return judge.play(case), ""
    except ForbiddenError as error:
        return [], str(error)


def _compared(before: list[Outcome], after: list[Outcome], loses: bool, differs: bool) -> tuple[bool, bool]:
    for one, other in zip(before, after, strict=True):
        loses = loses or bool((one.reached & one.may_reach) - other.reached)
        differs = differs or _seen(one) != _seen(other)
    return loses, differs


def _seen(outcome: Outcome) -> tuple[list[str], ...]:
    walk = outcome.walk
    return tuple(sorted(map(repr, part)) for part in (walk.deliveries, walk.on_physical, walk.to_controller))


def _is_met(visit: _Visit, fault: Fault) -> bool:
    if visit.flow == fault.flow:
        return True
    changed = fault.changed
    if changed is None or changed.priority < (visit.flow.priority if visit.flow is not None else 0):
        return False
    return not _failing(changed, visit.packet)


def _failing(flow: Flow, packet: Packet) -> list[Term]:
    """Return the conditions of a flow that a packet does not meet."""
    return [term for term in flow.match if (packet.get(term.field, 0) ^ term.value) & _mask(term)]


def _mask(term: Term) -> int:
    return (1 << field_named(term.field).bits) - 1 if term.mask is None else term.mask


def _directed(known: Known, fault: Fault, random: Random) -> Iterator[Case]:
    near = NearFlows(known.cloud, random)
    made = [near.beside(fault.chassis, fault.flow) for _ in range(NEAR)]
    for case in (*_from_visits(known, fault, random), *made):
        yield case
        yield _varied(known.cloud, case, random)


def _from_visits(known: Known, fault: Fault, random: Random) -> Iterator[Case]:
    """Change packets that have come to the table such that they match the flow as it is now."""
    flow = fault.changed or fault.flow
    lost = {term.field for term in fault.flow.match} - {term.field for term in flow.match}
    visits = known.visits[fault.chassis, fault.table]
    for visit in random.sample(visits, min(VISITS, len(visits))):
        failing = headers({term.field: term for term in _failing(flow, visit.packet)})
        if len(failing) < len(_failing(flow, visit.packet)):
            continue
        *before, last = known.cases[visit.case]
        fields = {
            name: last.packet.get(name, 0) & ~_mask(term) | term.value & _mask(term) for name, term in failing.items()
        }
        if fields or lost:
            yield (*before, Sent(last.sender, shaped(last.packet, fields)))


def _varied(cloud: SimulatedCloud, case: Case, random: Random) -> Case:
    """Change one field more: another address that somebody has, or another port."""
    *before, last = case
    other = random.choice(instances(cloud))
    values = {"eth_dst": number_of_mac(other.mac_address), "eth_src": number_of_mac(other.mac_address)}
    values |= dict.fromkeys(("ipv4_src", "ipv4_dst", "arp_spa", "arp_tpa"), number(address(other)))
    values |= dict.fromkeys(("tcp_dst", "udp_dst"), random.choice((67, 68, 80, 81, 8080, 8100)))
    values |= {"icmp_type": random.choice((0, 8, 13)), "arp_op": random.choice((1, 2))}
    name = random.choice([each for each in values if each in last.packet])
    return (*before, Sent(last.sender, shaped(last.packet, {name: values[name]})))
