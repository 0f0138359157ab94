"""The benchmark ``data_plane``: what packets cost on each path, once everything is in force.

Instances on two chassis, in two networks of one router, with a security group; a machine on the external network. All
subjects are there at the same time, each on its own fabric, and take short turns side by side: on each path a fifth of
a second each, one after the other and then in the opposite order, while the others' streams are stopped. The switch
that a packet meets first has one processor, further switches and both ends have the other, alike for all.

Both control planes tell senders outside of packets that are too large for the networks inside. OVN is asked for that as
Neutron's driver for it does (`gateway_mtu`: by default from Neutron 2025.1 on, always from 2026.1 on).

TCP: what arrives of one connection of iperf3, payload. Its window is 96 KiB, as much as the sockets have room for by
which these switches read; with a larger one they lose packets, and what is measured is how TCP recovers. Small UDP: as
many packets of 64 bytes as one sender can send, counted where they arrive; meanwhile, processor time of the switches on
the path for each packet that they receive.
Round trip: the median of 40 pings, two milliseconds apart. New connections: TCP to a listening port, opened and closed
one after another by four clients; a switch may die of that (Open vSwitch 3.1's connection tracking in user space has a
fault), and has no further turns then.

How many times better than a peer ours is, is the median over turns, each compared with the peer's turn beside it; in
parentheses, where the true median is with a certainty of 95 % (order statistics; of fewer than nine turns the least
and the greatest). With *plain*, bridges forward on layer 2 and check nothing; its figures within a chassis and across
stand beside the routed ones, too, as what routing is held against.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench import stream
from tests.bench.planes import ControlPlane, Plane
from tests.bench.stream import Stream, Worker, arrived, microseconds_a_packet, pin
from tests.bench.ways import (
    ACROSS,
    BESIDE_ROUTED,
    IN,
    OUT,
    ROUTED_ACROSS,
    ROUTED_SAME,
    SAME,
    Way,
    lay_out,
    pinged,
    until_listening,
    warm_up,
)
from tests.bench.workload import Aim, Found, SideBySide

SECONDS, SETTLING = 0.2, 0.05
"""How long a turn is measured, and how long what flows then has flowed before."""
OPENING = 0.33
"""Seconds in which connections are opened."""
TURNS = 27
CLIENTS = 4
_LISTENING = 7000
_CONNECTING = Path(__file__).with_name("connecting.py")
_ROUND_TRIP = re.compile(r"time=([\d.]+) ms")
_CPUS = sorted(os.sched_getaffinity(0))
FIRST_SWITCH, OTHERS = _CPUS[0], _CPUS[-1]
"""The processor of the switch that a packet meets first, and that of all others on its path."""


@dataclass(frozen=True)
class Runner:
    """A subject on one path."""

    name: str
    plane: Plane
    way: Way


def measure(planes: Mapping[str, Plane], turns: int) -> Iterator[dict[str, Found]]:
    """Measure each path, and then new connections, which not every switch survives; samples are in turns' order."""
    ways: dict[str, dict[str, Way]] = {}
    for name, plane in planes.items():
        ways[name] = {}
        for way in lay_out(plane):
            warm_up(way)
            ways[name][way.name] = way
    for path in _PATHS:
        runners = [
            Runner(name, planes[name], found[at])
            for name, found in ways.items()
            if (at := path if path in found else BESIDE_ROUTED.get(path, "")) in found
        ]
        if not runners:
            continue
        for runner in runners:
            _place(runner)
        yield from _small_packets(path, runners, turns)
        yield from _throughput(path, runners, turns)
        samples = _turns(runners, turns, lambda runner: [_round_trip(runner.way)])
        yield {name: Found(f"round trip, {path}", "ms", _column(each, 0)) for name, each in samples.items()}
    alive = dict(planes)
    for path in (SAME, ACROSS):
        runners = [Runner(name, plane, ways[name][path]) for name, plane in alive.items() if path in ways[name]]
        yield from _connections(path, runners, turns)
        alive = {name: plane for name, plane in alive.items() if not plane.dead_switches()}
    died = "switches that died of new connections"
    yield {name: Found(died, "switches", [float(len(plane.dead_switches()))]) for name, plane in planes.items()}


def _small_packets(path: str, runners: Sequence[Runner], turns: int) -> Iterator[dict[str, Found]]:
    with ExitStack() as stack:
        streams = _streams(stack, runners, stream.UDP_OPTIONS)
        workers = {
            runner.name: [stack.enter_context(Worker(each)) for each in runner.plane.hypervisors.values()]
            for runner in runners
        }

        def turn(runner: Runner) -> list[float]:
            switches = workers[runner.name]
            with streams[runner.name].flowing(SETTLING):
                before, worked = arrived(runner.way.target), [each.work() for each in switches]
                time.sleep(SECONDS)
                after, done = arrived(runner.way.target), [each.work() for each in switches]
            since = [now.since(then) for now, then in zip(done, worked, strict=True)]
            return [after.packets_per_second(before), microseconds_a_packet(since)]

        samples = _turns(runners, turns, turn)
    yield {
        name: Found(f"small UDP, {path}", "packets/s", _column(each, 0), more_is_better=True)
        for name, each in samples.items()
    }
    cost = f"switches' processor time, {path}"
    yield {name: Found(cost, "us/packet", _column(each, 1)) for name, each in samples.items()}


def _throughput(path: str, runners: Sequence[Runner], turns: int) -> Iterator[dict[str, Found]]:
    with ExitStack() as stack:
        streams = _streams(stack, runners, stream.TCP_OPTIONS)

        def turn(runner: Runner) -> list[float]:
            with streams[runner.name].flowing(SETTLING):
                before = arrived(runner.way.target)
                time.sleep(SECONDS)
                after = arrived(runner.way.target)
            return [after.payload_gbit_per_second(before)]

        samples = _turns(runners, turns, turn)
    yield {
        name: Found(f"TCP, {path}", "Gbit/s", _column(each, 0), more_is_better=True) for name, each in samples.items()
    }


def _connections(path: str, runners: Sequence[Runner], turns: int) -> Iterator[dict[str, Found]]:
    with ExitStack() as stack:
        for runner in runners:
            command = (sys.executable, str(_CONNECTING), "listen", str(_LISTENING))
            server = runner.way.target.start(*command, stdout=subprocess.DEVNULL)
            stack.callback(server.wait)
            stack.callback(server.kill)
            until_listening(runner.way.target, _LISTENING)

        def turn(runner: Runner) -> list[float]:
            plane = runner.plane
            before = plane.packet_ins() if isinstance(plane, ControlPlane) else None
            rate, opened = _new_connections(runner.way)
            if plane.dead_switches():
                return []
            sent = (plane.packet_ins() or 0) - before if isinstance(plane, ControlPlane) and before is not None else 0
            return [rate, sent / opened]

        samples = {name: each for name, each in _turns(runners, turns, turn).items() if each}
    if samples:
        yield {
            name: Found(f"new connections, {path}", "connections/s", _column(each, 0), more_is_better=True)
            for name, each in samples.items()
        }
    told = {
        runner.name
        for runner in runners
        if isinstance(runner.plane, ControlPlane) and runner.plane.packet_ins() is not None
    }
    if counted := {name: each for name, each in samples.items() if name in told}:
        what = f"packet-ins for each new connection, {path}"
        yield {name: Found(what, "packets", _column(each, 1)) for name, each in counted.items()}


def _turns(
    runners: Sequence[Runner], turns: int, turn: Callable[[Runner], list[float]]
) -> dict[str, list[list[float]]]:
    """Let runners take turns there and back; return what each turn of each has found. Who finds nothing, is out."""
    found: dict[str, list[list[float]]] = {runner.name: [] for runner in runners}
    going = list(runners)
    for number in range(turns):
        for runner in going if number % 2 == 0 else list(reversed(going)):
            if samples := turn(runner):
                found[runner.name].append(samples)
            else:
                going = [each for each in going if each is not runner]
    return found


def _column(samples: Sequence[Sequence[float]], place: int) -> list[float]:
    return [each[place] for each in samples]


def _place(runner: Runner) -> None:
    for name, hypervisor in runner.plane.hypervisors.items():
        pin(hypervisor.daemons["ovs-vswitchd"].pid, FIRST_SWITCH if name == runner.way.first else OTHERS)


def _streams(stack: ExitStack, runners: Sequence[Runner], options: Sequence[str]) -> dict[str, Stream]:
    streams = {}
    for runner in runners:
        flowing = streams[runner.name] = stack.enter_context(Stream(runner.way, *options))
        flowing.pin(OTHERS)
        flowing.wait_until_it_flows()
    return streams


def _round_trip(way: Way) -> float:
    return median(float(each) for each in _ROUND_TRIP.findall(pinged(way, "-c", "40", "-i", "0.002")))


def _new_connections(way: Way) -> tuple[float, int]:
    """Return the connections that were opened in a second, and how many there were."""
    command = (sys.executable, str(_CONNECTING), "connect", str(_LISTENING), way.address, f"{OPENING:g}")
    clients = [way.source.start(*command, stdout=subprocess.PIPE, text=True) for _ in range(CLIENTS)]
    opened = sum(int(client.communicate(timeout=60)[0]) for client in clients)
    return opened / OPENING, max(1, opened)


_L2_OR_ROUTED = (SAME, ACROSS, ROUTED_SAME, ROUTED_ACROSS)
_PATHS = (*_L2_OR_ROUTED, OUT, IN)
_MEASURES = ("TCP", "small UDP")

WORKLOAD = SideBySide(
    title="What packets cost",
    text=__doc__ or "",
    measure=measure,
    rounds=TURNS,
    peers=("ovn", "plain"),
    aims=(
        *(Aim(f"{what}, {path}", 1.0, of="ovn") for what in _MEASURES for path in _PATHS),
        *(Aim(f"{what}, {path}", 0.9, of="plain") for what in _MEASURES for path in _L2_OR_ROUTED),
        *(Aim(f"new connections, {path}", 1.0, of="ovn") for path in (SAME, ACROSS)),
        *(Aim(f"packet-ins for each new connection, {path}", 0) for path in (SAME, ACROSS)),
    ),
)
