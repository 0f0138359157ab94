"""A host that obeys source routes passes on what is not its own, and its port refuses that: no detour, no way back."""

import itertools
import secrets
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import namespaces
from captures import Capture, send
from checks import Checks
from cloud import Cloud
from drops import dropped, dropped_since
from frames import checksum, ipv4_frame, source_route
from leases import lease
from neutron import Document
from pings import ping
from scan import segment
from stations import Instance

LOOSE, STRICT = 131, 137
PLACES = {"attacker": "h1", "hop": "h2", "near": "h1", "vault": "h3", "behind": "h3"}
ECHO_REQUEST, HTTP, DISCARD = 8, 80, 9
SOURCE_PORTS = itertools.count(20000)
SETTLED = 0.3
"""Seconds after which a packet is where it goes to."""


def run(cloud: Cloud, checks: Checks) -> None:
    """With the hop's port like any; and then without port security, where the same packets do go by it."""
    ports = cloud.apply("source_routes.yaml", "--member", "red")
    reds = [_start(cloud, name, ports[name], host) for name, host in PLACES.items()]
    attacker, hop, near, vault, behind = reds
    everybody = [*reds, _namesake(cloud, near)]
    cloud.api.wait_until_realized()
    for other in (near, vault, behind):
        answers = ping(hop, other.address)
        checks.check(f"the hop pings {other.name}", "all answered", answers, answers.all)
    answers = ping(attacker, vault.address)
    checks.check("the attacker pings vault, which admits the hop only", "none answered", answers, answers.none)

    to_near, to_vault, back = Attempt(attacker, near), Attempt(attacker, vault), Attempt(near, attacker)
    # A strict route leads through no router (RFC 791, section 3.1).
    to_behind = Attempt(attacker, behind, kinds=(LOOSE,))
    with ExitStack() as stack:
        captures = [(each, stack.enter_context(Capture(each, "eth0"))) for each in everybody]
        detours, counts = Detours(checks, hop, captures), Counts(cloud, checks, reds)
        detours.ask("by the hop to near", to_near, passed=6)
        detours.ask("by the hop to vault", to_vault, passed=6)
        detours.ask("by the hop to behind, by a router", to_behind, passed=3)
        detours.ask("by the hop from near to the attacker", back, passed=6)
        for other in (hop, near):
            detours.ask(f"by the hop to vault, as {other.name}", Attempt(attacker, vault, pretending=other))
        detours.answer(attacker, near)
        # Linux gives its TCP the checksum of the victim's address, and its UDP that of the hop's.
        detours.by_socket(attacker, near, socket.SOCK_STREAM, come=0)
        detours.by_socket(attacker, near, socket.SOCK_DGRAM, come=1)
        counts.check(hop, spoofed_ip=6 + 6 + 3 + 6 + 1)
        counts.check(attacker, spoofed_ip=6 + 6, egress_rules=1)
        counts.check(near, egress_rules=3)

        cloud.api.project("red").update("port", hop.port["id"], security_groups=[], port_security_enabled=False)
        cloud.api.wait_until_realized()
        counts = Counts(cloud, checks, reds)
        # A checksum of TCP is right for the hop or for the victim; for behind, whose address has the same sum, it is
        # right for both. Who is filtered gets no others.
        detours.ask("by the hop without port security to near", to_near, passed=6, arrive=4)
        detours.ask("by the hop without port security to vault", to_vault, passed=6)
        detours.ask("by the hop without port security to behind", to_behind, passed=3, arrive=3)
        detours.ask("by the hop without port security from near", back, passed=6, arrive=4)
        for instance, refused in ((near, 2), (vault, 6), (attacker, 2)):
            counts.check(instance, ingress_rules=refused)


@dataclass(frozen=True)
class Attempt:
    """TCP, UDP and ICMP to a victim by a hop, with each kind of source route; maybe with another one's source."""

    sender: Instance
    victim: Instance
    kinds: tuple[int, ...] = (LOOSE, STRICT)
    pretending: Instance | None = None

    def frames(self, hop: Instance) -> list[bytes]:
        """All of it."""
        source, macs = (self.pretending or self.sender).address, (self.sender.mac, hop.mac)
        return [
            ipv4_frame(macs, source, hop.address, *content, options=source_route(kind, self.victim.address))
            for kind in self.kinds
            for content in _contents(source, hop.address)
        ]


@dataclass
class Detours:
    """Packets that a hop is asked to pass on, and what comes of them; ``captures`` are everybody's."""

    checks: Checks
    hop: Instance
    captures: list[tuple[Instance, Capture]]

    def ask(self, what: str, attempt: Attempt, passed: int = 0, arrive: int = 0) -> None:
        """Try it; claim how many packets the hop passes on, and how many come to the victim; none to anybody else."""
        frames = attempt.frames(self.hop)
        send(attempt.sender, "eth0", *frames)
        time.sleep(SETTLED)
        contents = [_content(each) for each in frames]
        passed_on, heard = 0, {}
        for instance, capture in self.captures:
            seen = [frame for frame in capture.read() if _content(frame.data) in contents]
            if instance is self.hop:
                passed_on = sum(frame.source == instance.mac for frame in seen)
            elif instance is not attempt.sender and seen:
                heard[instance.name] = len(seen)
        self.checks.check(f"{what}: of {len(frames)} packets, the hop passes on", passed, passed_on)
        expected = {attempt.victim.name: arrive} if arrive else "nobody"
        self.checks.check(f"{what}: who gets any", expected, heard or "nobody")

    def answer(self, asking: Instance, asked: Instance) -> None:
        """Say of packets that they came by the hop: answers are to go by it, too (RFC 1122, section 3.2.1.8)."""
        macs, travelled = (asking.mac, asked.mac), source_route(LOOSE, self.hop.address, passed=1)
        frames = [
            ipv4_frame(macs, asking.address, asked.address, *content, options=travelled)
            for content in _contents(asking.address, asked.address)
        ]
        seen = self._by_the_hop(asked, asking, lambda: send(asking, "eth0", *frames))
        self.checks.check(f"answers of {asked.name} by the hop: sent, and come to the hop", (3, 0), seen)

    def by_socket(self, sender: Instance, victim: Instance, kind: socket.SocketKind, come: int) -> None:
        """Let the sender's kernel ask by itself, once; claim whether that comes to the hop."""
        with namespaces.visiting(namespaces.NET, sender.pid):
            asking = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)

        def ask() -> None:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, source_route(LOOSE, self.hop.address))
            with suppress(BlockingIOError):
                asking.connect((victim.address, DISCARD))
                asking.send(b"by the hop")

        with asking:
            seen = self._by_the_hop(sender, victim, ask)
        what = f"a {kind.name} of {sender.name} with a route by the hop: sent, and come to the hop"
        self.checks.check(what, (1, come), seen)

    def _by_the_hop(self, sender: Instance, target: Instance, act: Callable[[], None]) -> tuple[int, int]:
        """How many packets with a route to a target are sent by what is done now, and how many reach the hop."""
        captures = {instance.name: capture for instance, capture in self.captures}
        route, before = source_route(LOOSE, target.address), {name: len(each.read()) for name, each in captures.items()}
        act()
        time.sleep(SETTLED)

        def seen(name: str) -> int:
            new = captures[name].read()[before[name] :]
            return sum(each.source == sender.mac and route in each.payload[:60] for each in new)

        return seen(sender.name), seen(self.hop.name)


class Counts:
    """What ``sdnapp drops`` says of instances since this was made."""

    def __init__(self, cloud: Cloud, checks: Checks, instances: list[Instance]) -> None:
        self._cloud, self._checks = cloud, checks
        self._before = {each.name: dropped(cloud, each) for each in instances}

    def check(self, instance: Instance, **expected: int) -> None:
        """Claim how many packets were dropped for an instance, by reason."""
        seen = dropped_since(self._cloud, instance, self._before[instance.name], expected)
        for reason, count in expected.items():
            self._checks.check(f"sdnapp drops counts for {instance.name} as {reason}", count, seen[reason])


def _contents(source: str, target: str) -> list[tuple[int, bytes]]:
    """Protocol and content of a TCP, a UDP and an ICMP packet, of which there are no others. UDP has no checksum."""
    port, text = next(SOURCE_PORTS), secrets.token_bytes(8)
    echo = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, port, 1) + text
    return [
        (socket.IPPROTO_TCP, segment(source, target, port, HTTP)),
        (socket.IPPROTO_UDP, struct.pack("!HHHH", port, DISCARD, 8 + len(text), 0) + text),
        (socket.IPPROTO_ICMP, echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]),
    ]


def _content(frame: bytes) -> bytes:
    """What follows the IPv4 header in an untagged frame."""
    return frame[14 + (frame[14] & 0x0F) * 4 :]


def _start(cloud: Cloud, name: str, port: Document, host: str) -> Instance:
    """An instance that obeys whatever source routes ask for, which Linux does where it is told so twice."""
    instance = cloud.add(name, Instance)
    instance.silence()
    cloud.plug(instance, port, cloud.hypervisors[host])
    cloud.api.wait_for_status(port["id"])
    instance.sysctl(net__ipv4__ip_forward=1, net__ipv4__conf__all__accept_source_route=1)
    instance.sysctl(net__ipv4__conf__eth0__accept_source_route=1)
    lease(instance)
    return instance


def _namesake(cloud: Cloud, one: Instance) -> Instance:
    """Another tenant's instance with the address of this one, beside the hop."""
    api = cloud.api.project("blue")
    network = cloud.make_network(api, "10.0.0.0/24", name="blue")
    port = api.create("port", network_id=network["id"], fixed_ips=[{"ip_address": one.address}])
    return _start(cloud, "blue", port, PLACES["hop"])
