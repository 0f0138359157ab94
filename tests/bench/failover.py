"""The benchmark ``failover``: the gateway chassis that serves a router is killed, and another takes its place.

An instance on a third chassis pings the router beyond the external network a thousand times a second, and holds a TCP
connection to it, both by source translation. The ``ovs-vswitchd`` of the serving gateway chassis is killed (SIGKILL).
Everything is set as it comes: OVN's gateway chassis watch one another by BFD, too.

Before that, every chassis hears by BFD as often as it wants to, and so much time has passed that the other gateway
chassis has forgotten what it may have carried in the beginning: what Open vSwitch has cached of that would cost the
half second until it looks at its cache again.
"""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tests.bench.lab import Lab
from tests.bench.planes import GATEWAYS, UPSTREAM, ControlPlane, wait_until
from tests.bench.workload import Aim, Found, Workload

if TYPE_CHECKING:
    from hypervisor import Hypervisor
    from stations import Station

WATCHED, SETTLING = 8.0, 12.0
"""Seconds after the kill that count; and before it, in which Open vSwitch forgets what was not used for ten."""
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
        wait_until(lambda: _all_hear(plane.hypervisors.values()), "gateway chassis are heard by BFD", pause=0.1)
        talk = Conversation(lab.prober, UPSTREAM, _ECHO)
        last_heard([talk], time.monotonic(), SETTLING)
        serving = _serving(plane, world)
        killed = time.monotonic()
        plane.hypervisors[serving].kill_switch()
        heard = last_heard([talk], killed, WATCHED)[talk.name]
    yield Found("longest time dark", "ms", [echoes.longest_gap(killed) * 1e3])
    yield Found("pings lost", "pings", [float(echoes.lost())])
    yield Found("TCP connections that ended", "connections", [float(heard < WATCHED - 2)])


def _all_hear(hypervisors: Iterable["Hypervisor"]) -> bool:
    heard = [session for each in hypervisors for session in each.hears_by_bfd()]
    return bool(heard) and all(heard)


def _serving(plane: ControlPlane, world: "Station") -> str:
    """Return the gateway chassis by which the external network reaches the router that talks to it, as its switches
    have learnt."""
    (talking,) = world.run("ss", "-Htn", "state", "established", f"sport = :{_ECHO}").splitlines()
    router = talking.split()[-1].rpartition(":")[0]
    neighbours = [line.split() for line in world.run("ip", "neigh", "show", router, "dev", "eth0").splitlines()]
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
