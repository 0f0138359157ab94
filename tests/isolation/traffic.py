"""All that a cloud's instances, machines outside and strangers on the core send, to see whether anything is amiss."""

from collections.abc import Iterator
from itertools import chain
from random import Random

from tests.clouds import SimulatedCloud
from tests.isolation.attacks import attack, disguised, honest, instances
from tests.isolation.conversations import answer_to, by_gateways, conversations, from_outside, from_strangers
from tests.isolation.judge import Case, Judge, Sent
from tests.isolation.near_flows import NearFlows
from tests.isolation.near_rules import NearRules
from tests.isolation.systematic import Systematic
from topology.values import Port

TRICKS_A_PAIR = 3
FROM_ELSEWHERE = 250
"""How many cases come from machines outside, and how many from the core, at most."""
NEAR_FLOWS = 2500
"""How many are made of the flows."""


def pairs(cloud: SimulatedCloud) -> list[tuple[Port, Port]]:
    """Every instance's port with every other one."""
    ports = instances(cloud)
    return [(one, other) for one in ports for other in ports if one.id != other.id]


def plain(cloud: SimulatedCloud) -> Iterator[Case]:
    """What is honest, a packet at a time."""
    for sender, target in pairs(cloud):
        for packet in honest(cloud, sender, target):
            yield (Sent(sender, packet),)


def answered(cloud: SimulatedCloud, judge: Judge, random: Random) -> Iterator[Case]:
    """What is honest, and the answer to it where it has arrived."""
    for sender, target in pairs(cloud):
        opening = random.choice(list(honest(cloud, sender, target)) or [None])
        if opening is None:
            continue
        opened = Sent(sender, opening)
        received = [packet for place, packet in judge.inject(opened).deliveries if place.startswith(f"{target.id}@")]
        for packet in received:
            yield opened, Sent(target, answer_to(packet))


def traffic(cloud: SimulatedCloud, judge: Judge, random: Random) -> Iterator[Case]:
    """Everything that is known to be tried."""
    yield from plain(cloud)
    for sender, target in pairs(cloud):
        for _ in range(TRICKS_A_PAIR):
            yield attack(random, cloud, sender, target)
        yield from disguised(random, cloud, sender, target)
        yield from conversations(judge, cloud, random, sender, target)
    for sender in instances(cloud):
        yield from by_gateways(judge, cloud, sender)
    for many in (from_outside(cloud), from_strangers(cloud, random)):
        cases = list(many)
        yield from random.sample(cases, min(len(cases), FROM_ELSEWHERE))


def all_traffic(cloud: SimulatedCloud, judge: Judge, random: Random) -> Iterator[Case]:
    """All that is known to be tried, what each drop keeps back, and what is just beside the rules and the flows.

    Each case comes once: flows that are alike, on several chassis for instance, would have the same one sent again.
    """
    yield from dict.fromkeys(
        chain(
            traffic(cloud, judge, random),
            Systematic(cloud, judge, random).all(),
            NearRules(cloud, random).all(),
            NearFlows(cloud, random).some(NEAR_FLOWS),
        )
    )
