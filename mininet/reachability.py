"""Who reaches whom, by what arrives: pings, and raw frames sent straight to the other's MAC address."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from captures import Capture, send
from checks import Checks, table
from frames import Frame, arp_request, udp_frame
from pings import Answers, Ping
from stations import Instance

Pair = tuple[str, str]
ROUNDS = 3


@dataclass(frozen=True)
class Reachability:
    """What was seen between every two instances, by (from, to). ``friends`` are the pairs of one tenant.

    ``asked`` counts the ARP requests that instances sent, ``told`` the replies that they got.
    ``answers`` to pings of the other's address; ``contacts`` counts frames of one that reached the other's interface.
    """

    friends: list[Pair]
    answers: dict[Pair, Answers]
    contacts: dict[Pair, int]
    asked: int
    told: int

    def check(self, checks: Checks) -> None:
        """Claim that friends reach each other, and strangers never."""
        strangers = [pair for pair in self.contacts if pair not in self.friends]
        answered = [pair for pair in self.friends if self.answers[pair].all and self.contacts[pair]]
        checks.check("pairs of one tenant that answer each other's ping", len(self.friends), len(answered))
        if strangers:
            crossed = sum(self.contacts[pair] for pair in strangers)
            checks.check(f"frames across {len(strangers)} pairs of different tenants", 0, crossed)

    def __str__(self) -> str:
        names = list(dict.fromkeys(name for name, _ in self.contacts))
        rows = [(name, *(self._cell((name, other)) for other in names)) for name in names]
        return table(("from \\ to", *names), rows)

    def _cell(self, pair: Pair) -> str:
        if pair not in self.contacts:
            return "-"
        return "yes" if self.contacts[pair] else "never"


def measure(tenants: Mapping[str, list[Instance]]) -> Reachability:
    """Let every instance try every other one: its address by ping, its MAC address by raw frames, ARP for its address.

    Frames are sent in rounds. What was wrongly let through in one round has arrived when those of the next are there.
    """
    tenant_of = {instance.name: tenant for tenant, members in tenants.items() for instance in members}
    instances = [instance for members in tenants.values() for instance in members]
    pairs = [(one, other) for one in instances for other in instances if one is not other]
    friends = [(one, other) for one, other in pairs if tenant_of[one.name] == tenant_of[other.name]]
    with ExitStack() as stack:
        captures = {each.name: stack.enter_context(Capture(each, "eth0")) for each in instances}
        for _ in range(ROUNDS):
            pings = {(one.name, other.name): Ping(one, other.address, count=2, interval=0.1) for one, other in pairs}
            answers = {pair: ping.result() for pair, ping in pings.items()}
            text = secrets.token_hex(8).encode()
            for one, other in pairs:
                probe = udp_frame(one.mac, other.mac, one.address, other.address, text)
                send(one, "eth0", probe, arp_request(one.mac, one.address, other.address))
            for one, other in friends:
                captures[other.name].wait_for(_carries(one.mac, text), timeout=2)
        contacts = {(one.name, other.name): captures[other.name].count(_comes_from(one.mac)) for one, other in pairs}
        asked = sum(captures[each.name].count(_asks(each.mac)) for each in instances)
        told = sum(captures[each.name].count(_tells(each.mac)) for each in instances)
    return Reachability([(one.name, other.name) for one, other in friends], answers, contacts, asked, told)


def _comes_from(source: str) -> Callable[[Frame], bool]:
    return lambda frame: frame.source == source


def _asks(source: str) -> Callable[[Frame], bool]:
    return lambda frame: frame.source == source and frame.is_arp_request


def _tells(destination: str) -> Callable[[Frame], bool]:
    return lambda frame: frame.destination == destination and frame.is_arp_reply


def _carries(source: str, text: bytes) -> Callable[[Frame], bool]:
    return lambda frame: frame.source == source and text in frame.data
