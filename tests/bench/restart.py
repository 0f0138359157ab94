"""The benchmark ``restart``: what programs the switches is killed (SIGKILL) under traffic, and then a switch itself.

One instance pings another on the next chassis a thousand times a second, from a second before until everything is in
step again and three seconds more. Ours is one process; of OVN, ovn-northd and the ovn-controller of each chassis are
killed, its databases stay. *In step again*: each chassis has confirmed all that it should hold, as the control plane
says. *Flows changed*: flows of all chassis that are younger than the crash, without the counters of drops that switches
make themselves.

Then the ``ovs-vswitchd`` of the pinged one's chassis is killed, and started a second later, with no flows. Times are
from its start, which takes a while in itself: all of its interfaces are opened anew.
"""

import time
from collections.abc import Iterator

from tests.bench import bulk
from tests.bench.lab import Lab
from tests.bench.planes import ControlPlane, Port
from tests.bench.workload import Aim, Found, Workload

AFTER = 3.0
"""Seconds that count once everything is in step again."""
_CRASHED = 1.0
"""Seconds without a control plane."""


def measure(plane: ControlPlane, size: int) -> Iterator[Found]:
    """Load a control plane, and kill it."""
    from tests.bench.echoes import Echoes

    if size:
        bulk.load(plane, size)
    lab = Lab(plane)
    port, _ = lab.launch("h2")
    with Echoes(lab.prober, port.address) as echoes:
        echoes.first_after(time.monotonic())
        time.sleep(1)
        crashed = time.monotonic()
        plane.crash()
        time.sleep(_CRASHED)
        returned = time.monotonic()
        plane.return_after_crash()
        answers = time.monotonic() - returned
        plane.list_ports()
        lists = time.monotonic() - returned
        plane.wait_in_step()
        in_step = time.monotonic() - returned
        time.sleep(AFTER)
    yield Found("pings lost", "pings", [float(echoes.lost())])
    yield Found("longest time dark", "ms", [echoes.longest_gap(crashed) * 1e3])
    if plane.has_api:
        yield Found("its API answers again", "s", [answers])
        yield Found("its API has listed all ports", "s", [lists])
    yield Found("in step again", "s", [in_step])
    yield Found("flows changed", "flows", [float(_younger(plane, crashed))])
    yield from _lose_switch(plane, lab, port)


def _lose_switch(plane: ControlPlane, lab: Lab, port: Port) -> Iterator[Found]:
    """Kill the switch of h2, where the pinged port is, and start it again."""
    from tests.bench.echoes import Echoes

    switch = plane.hypervisors["h2"]
    with Echoes(lab.prober, port.address) as echoes:
        echoes.first_after(time.monotonic())
        switch.kill_switch()
        time.sleep(_CRASHED)
        returned = time.monotonic()
        switch.start_switch()
        started = time.monotonic() - returned
        switch.meet_gateway()
        answered = echoes.first_after(returned)
        plane.wait_in_step()
        in_step = time.monotonic() - returned
    yield Found("a killed switch has started", "s", [started])
    yield Found("a killed switch, pings answered again", "s", [answered])
    yield Found("a killed switch, in step again", "s", [in_step])


def _younger(plane: ControlPlane, moment: float) -> int:
    """Count the flows that were made after a moment, but for counters that a switch makes itself of what it drops."""
    found = 0
    for each in plane.hypervisors.values():
        asked = time.monotonic()
        found += sum(age < asked - moment for age in each.flow_ages())
    return found


WORKLOAD = Workload(
    title="Kill and restart of the controller, and of a switch",
    text=__doc__ or "",
    measure=measure,
    sizes=(4_000,),
    quick=(400,),
    rounds=1,
    aims=(
        Aim("pings lost", 0),
        Aim("flows changed", 0),
        Aim("its API answers again", 3),
        Aim("its API has listed all ports", 3),
    ),
)
