"""The ways of packets that ``bench data_plane`` measures: from whom to whom, and where they set out."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.planes import ICMP, TCP, UDP, UPSTREAM, ControlPlane, Network, Plane

if TYPE_CHECKING:
    from stations import Instance

SAME, ACROSS, ROUTED_SAME, ROUTED_ACROSS = "same chassis", "across chassis", "routed, same chassis", "routed, across"
OUT, IN = "out by SNAT", "in by floating IP"
BESIDE_ROUTED = {ROUTED_SAME: SAME, ROUTED_ACROSS: ACROSS}
"""What routing is held against where nothing routes."""
_MAC = "02:00:00:00:01:{:02x}"


@dataclass(frozen=True)
class Way:
    """From whom to whom, by which address. ``first`` is the chassis whose switch a packet meets first."""

    name: str
    source: "Instance"
    target: "Instance"
    address: str
    first: str


def lay_out(plane: Plane) -> Iterator[Way]:
    """Start what each way needs, and yield it."""
    if not isinstance(plane, ControlPlane):
        network = Network("plain", "10.0.0.0/24", 1442)
        one, same, other = (
            plane.add_guest(plane.fresh("v"), chassis, network, _MAC.format(number), network.address(number))
            for number, chassis in ((10, "h1"), (11, "h1"), (12, "h2"))
        )
        yield Way(SAME, one, same, network.address(11), "h1")
        yield Way(ACROSS, one, other, network.address(12), "h1")
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
        yield Way(name, guests[10], guests[number], ports[number].address, "h1")
    world = plane.open_world()
    plane.lead_outside(tenant)
    floating = plane.add_floating_ip(tenant, ports[12])
    yield Way(OUT, guests[10], world, UPSTREAM, "h1")
    yield Way(IN, world, guests[12], floating, "h2")


def warm_up(way: Way, seconds: float = 60.0) -> None:
    """Ping until an answer comes. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while "ttl=" not in pinged(way, "-c", "1", "-W", "1"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{way.name}: {way.source.name} pings {way.address} in vain")


def pinged(way: Way, *options: str) -> str:
    """Ping along a way; return what ``ping`` printed."""
    ping = way.source.start("ping", "-n", *options, way.address, stdout=subprocess.PIPE, text=True)
    shown: str = ping.communicate(timeout=60)[0]
    return shown


def until_listening(station: "Instance", port: int) -> None:
    """Wait until something listens to a TCP port there. Raises TimeoutError."""
    deadline = time.monotonic() + 20
    while not station.run("ss", "-Hltn", "sport", "=", str(port)).strip():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{station.name} does not listen on {port}")
        time.sleep(0.02)
