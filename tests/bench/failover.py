"""The benchmark ``failover``: the gateway chassis that serves a router is killed, and another takes its place.

An instance on a third chassis pings the router beyond the external network a thousand times a second, and holds a TCP
connection to it, both by source translation. The ``ovs-vswitchd`` of the serving gateway chassis is killed (SIGKILL).
Everything is set as it comes: OVN's gateway chassis watch one another by BFD, too.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.bench.lab import Lab
from tests.bench.planes import GATEWAYS, UPSTREAM, ControlPlane
from tests.bench.workload import Aim, Found, Workload

if TYPE_CHECKING:
    from stations import Station

WATCHED, SETTLING = 8.0, 8.0
"""Seconds after the kill that count, and before it, in which the chassis find one another by BFD."""
_ECHO = 80


def measure(plane: ControlPlane, size: int) -> Iterator[Found]:
    """Kill one gateway."""
    from conversations import Conversation, last_heard, serve

    from tests.bench.echoes import Echoes

    world = plane.open_world()
    serve(world, [f"tcp/{_ECHO}"])
    lab = Lab(plane)
    plane.lead_outside(lab.tenant)
    with Echoes(lab.prober, UPSTREAM) as echoes:
        echoes.first_after(time.monotonic())
        talk = Conversation(lab.prober, UPSTREAM, _ECHO)
        last_heard([talk], time.monotonic(), SETTLING)
        serving = _serving(plane, world)
        killed = time.monotonic()
        plane.hypervisors[serving].kill_switch()
        heard = last_heard([talk], killed, WATCHED)[talk.name]
    yield Found("longest time dark", "ms", [echoes.longest_gap(killed) * 1e3])
    yield Found("pings lost", "pings", [float(echoes.lost())])
    yield Found("TCP connections that ended", "connections", [float(heard < WATCHED - 2)])


def _serving(plane: ControlPlane, world: "Station") -> str:
    """Return the gateway chassis by which the external network reaches the router, as its switches have learnt."""
    neighbours = [line.split() for line in world.run("ip", "neigh", "show", "dev", "eth0").splitlines()]
    macs = {words[words.index("lladdr") + 1] for words in neighbours if "lladdr" in words}
    for lan in plane.fabric.lans:
        for line in lan.run("bridge", "fdb", "show").splitlines():
            mac, _, interface, *_ = line.split()
            if mac in macs and interface in GATEWAYS:
                return interface
    raise TimeoutError(f"none of {GATEWAYS} serves the router")


WORKLOAD = Workload(
    title="Death of a gateway chassis",
    text=__doc__ or "",
    measure=measure,
    rounds=5,
    aims=(Aim("longest time dark", 500), Aim("TCP connections that ended", 0)),
)
