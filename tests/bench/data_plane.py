"""The benchmark ``data_plane``: what packets cost on each path, once everything is in force.

Instances on two chassis, in two networks of one router, with a security group; a machine on the external network. TCP:
one connection of iperf3 for two seconds. Small UDP: as many packets of 64 bytes as one sender can send, counted where
they arrive. Round trip: the median of 300 pings, two milliseconds apart. New connections: TCP to a listening port,
opened and closed one after another by four clients; a switch may die of that (Open vSwitch 3.1's connection tracking in
user space has a fault), and has no figure then. With *plain*, bridges forward on layer 2 and check nothing; its figures
within a chassis and across stand beside the routed ones, too, as what routing is held against.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.planes import ICMP, TCP, UDP, UPSTREAM, ControlPlane, Network, Plane
from tests.bench.workload import Aim, Found, Workload

if TYPE_CHECKING:
    from stations import Instance

SECONDS = 2.0
CLIENTS = 4
SAME, ACROSS, ROUTED_SAME, ROUTED_ACROSS = "same chassis", "across chassis", "routed, same chassis", "routed, across"
OUT, IN = "out by SNAT", "in by floating IP"
_MAC = "02:00:00:00:01:{:02x}"
_LISTENING = 7000
_CONNECTING = Path(__file__).with_name("connecting.py")
_SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
_ROUND_TRIP = re.compile(r"time=([\d.]+) ms")


@dataclass(frozen=True)
class Way:
    """From whom to whom, and by which address."""

    name: str
    source: "Instance"
    target: "Instance"
    address: str


def measure(plane: Plane, size: int) -> Iterator[Found]:
    """Measure each path that a plane has, and then new connections, which not every switch survives."""
    ways = {}
    for each in lay_out(plane):
        warm_up(each)
        ways[each.name] = each
        found = (
            Found("TCP", "Gbit/s", [_throughput(each)], more_is_better=True),
            Found("small UDP", "packets/s", [_small_packets(each)], more_is_better=True),
            Found("round trip", "ms", [_round_trip(each)]),
        )
        for what in found:
            for name in _names(plane, each):
                yield Found(f"{what.what}, {name}", what.unit, list(what.samples), what.more_is_better)
    for each in (ways[name] for name in (SAME, ACROSS) if name in ways):
        before = plane.packet_ins() if isinstance(plane, ControlPlane) else None
        rate, opened = _new_connections(each)
        if plane.dead_switches():
            break
        yield Found(f"new connections, {each.name}", "connections/s", [rate], more_is_better=True)
        if isinstance(plane, ControlPlane) and before is not None:
            sent = (plane.packet_ins() or 0) - before
            yield Found(f"packet-ins for each new connection, {each.name}", "packets", [sent / opened])
    yield Found("switches that died of new connections", "switches", [float(len(plane.dead_switches()))])


def lay_out(plane: Plane) -> Iterator[Way]:
    """Start what each path needs, and yield it."""
    if not isinstance(plane, ControlPlane):
        network = Network("plain", "10.0.0.0/24", 1442)
        one, same, other = (
            plane.add_guest(plane.fresh("v"), chassis, network, _MAC.format(number), network.address(number))
            for number, chassis in ((10, "h1"), (11, "h1"), (12, "h2"))
        )
        yield Way(SAME, one, same, network.address(11))
        yield Way(ACROSS, one, other, network.address(12))
        return
    tenant = plane.make_tenant(plane.fresh("ways"), (0, 0))
    for protocol in (ICMP, TCP, UDP):
        plane.permit(tenant.group, protocol)
    first, second = tenant.networks
    guests, ports = {}, {}
    places = ((10, "h1", first), (11, "h1", first), (12, "h2", first), (13, "h1", second), (14, "h2", second))
    for number, chassis, network in places:
        mac, address, name = _MAC.format(number), network.address(number), plane.fresh("v")
        guests[number] = plane.add_guest(name, chassis, network, mac, address)
        ports[number] = plane.make_port(tenant, network, mac, address)
        plane.claim({chassis: {name: ports[number].id}})
    plane.wait_active(ports.values())
    for name, number in ((SAME, 11), (ACROSS, 12), (ROUTED_SAME, 13), (ROUTED_ACROSS, 14)):
        yield Way(name, guests[10], guests[number], ports[number].address)
    world = plane.open_world()
    plane.lead_outside(tenant)
    floating = plane.add_floating_ip(tenant, ports[12])
    yield Way(OUT, guests[10], world, UPSTREAM)
    yield Way(IN, world, guests[12], floating)


def _names(plane: Plane, path: Way) -> tuple[str, ...]:
    if isinstance(plane, ControlPlane):
        return (path.name,)
    return (path.name, {SAME: ROUTED_SAME, ACROSS: ROUTED_ACROSS}[path.name])


def warm_up(path: Way, seconds: float = 60.0) -> None:
    """Ping until an answer comes. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while "ttl=" not in _pinged(path, "-c", "1", "-W", "1"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path.name}: {path.source.name} pings {path.address} in vain")


def _pinged(path: Way, *options: str) -> str:
    ping = path.source.start("ping", "-n", *options, path.address, stdout=subprocess.PIPE, text=True)
    shown: str = ping.communicate(timeout=60)[0]
    return shown


def _round_trip(path: Way) -> float:
    return median(float(each) for each in _ROUND_TRIP.findall(_pinged(path, "-c", "300", "-i", "0.002")))


def _throughput(path: Way) -> float:
    shown = json.loads(_with_server(path, "-t", f"{SECONDS:g}", "-O", "1", "-J"))
    return float(shown["end"]["sum_received"]["bits_per_second"]) / 1e9


def _small_packets(path: Way) -> float:
    server = path.target.start("iperf3", "-s", "-1", **_SILENT)
    _until_listening(path.target, 5201)
    options = ("-u", "-b", "0", "-l", "64", "-t", f"{SECONDS + 2:g}")
    client = path.source.start("iperf3", "-c", path.address, *options, **_SILENT)
    try:
        time.sleep(1)
        before, started = _received(path.target), time.monotonic()
        time.sleep(SECONDS)
        after, ended = _received(path.target), time.monotonic()
    finally:
        # Their own last words may not get through, and say nothing that is wanted.
        for process in (client, server):
            process.kill()
            process.wait()
    return (after - before) / (ended - started)


def _received(station: "Instance") -> int:
    (link,) = json.loads(station.run("ip", "-s", "-j", "link", "show", "eth0"))
    return int(link["stats64"]["rx"]["packets"])


def _with_server(path: Way, *options: str) -> str:
    server = path.target.start("iperf3", "-s", "-1", **_SILENT)
    try:
        _until_listening(path.target, 5201)
        return path.source.run("iperf3", "-c", path.address, *options, timeout=60)
    finally:
        server.kill()
        server.wait()


def _until_listening(station: "Instance", port: int) -> None:
    deadline = time.monotonic() + 20
    while not station.run("ss", "-Hltn", "sport", "=", str(port)).strip():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{station.name} does not listen on {port}")
        time.sleep(0.02)


def _new_connections(path: Way) -> tuple[float, int]:
    """Return the connections that were opened in a second, and how many there were."""
    server = path.target.start(sys.executable, str(_CONNECTING), "listen", str(_LISTENING), stdout=subprocess.DEVNULL)
    try:
        _until_listening(path.target, _LISTENING)
        command = (sys.executable, str(_CONNECTING), "connect", str(_LISTENING), path.address, f"{SECONDS:g}")
        clients = [path.source.start(*command, stdout=subprocess.PIPE, text=True) for _ in range(CLIENTS)]
        opened = sum(int(client.communicate(timeout=60)[0]) for client in clients)
    finally:
        server.kill()
        server.wait()
    return opened / SECONDS, max(1, opened)


_L2_OR_ROUTED = (SAME, ACROSS, ROUTED_SAME, ROUTED_ACROSS)
_MEASURES = ("TCP", "small UDP")

WORKLOAD = Workload(
    title="What packets cost",
    text=__doc__ or "",
    measure=measure,
    peers=("ovn", "plain"),
    aims=(
        *(Aim(f"{what}, {path}", 1.0, of="ovn") for what in _MEASURES for path in (*_L2_OR_ROUTED, OUT, IN)),
        *(Aim(f"{what}, {path}", 0.9, of="plain") for what in _MEASURES for path in _L2_OR_ROUTED),
        *(Aim(f"new connections, {path}", 1.0, of="ovn") for path in (SAME, ACROSS)),
        *(Aim(f"packet-ins for each new connection, {path}", 0) for path in (SAME, ACROSS)),
    ),
)
