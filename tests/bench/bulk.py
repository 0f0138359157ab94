"""The benchmark ``bulk``: many ports at once, from the first request until all are in force on every chassis.

Tenants of 50 ports with the same addresses, each with two networks, a router between them, and a security group. Each
tenant's ports are spread over four chassis, so that every chassis is concerned with every tenant. Tenants are made one
after the other, and their interfaces, which are there before, are claimed as soon as the ports exist. The clock stops
when each chassis has confirmed everything and each port is up. Processor time and memory are those of the whole control
plane, agents on chassis included, Open vSwitch not. What a switch takes for one flow more on another of its bridges,
afterwards and not by the control plane, shows what so many interfaces cost it by themselves at each change of flows.
Each run has a fresh fabric.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.planes import ControlPlane, Port, Tenant
from tests.bench.workload import Aim, Found, Workload

TENANT = 50


@dataclass
class Loaded:
    """A control plane with many ports in force, and what it took until then (seconds)."""

    tenants: list[Tenant]
    interfaces: dict[str, dict[str, Port]]
    """Ports by chassis and interface."""
    answered: float
    active: float
    cpu: float
    switch_cpu: float


def load(plane: ControlPlane, size: int) -> Loaded:
    """Make so many ports, on all chassis in turn, and wait until they are in force."""
    chassis = list(plane.hypervisors)
    counts = [TENANT] * (size // TENANT) + ([size % TENANT] if size % TENANT else [])
    idle = [plane.fresh("i") for _ in range(size)]
    plane.plug_idle({name: idle[at :: len(chassis)] for at, name in enumerate(chassis)})
    cpu, switch_cpu = plane.cpu_seconds(), plane.switch_cpu_seconds()
    started = time.monotonic()
    tenants: list[Tenant] = []
    ports: list[Port] = []
    interfaces: dict[str, dict[str, Port]] = {name: {} for name in chassis}
    for count in counts:
        tenant = plane.make_tenant(plane.fresh("tenant"), (count - count // 2, count // 2))
        claims: dict[str, dict[str, str]] = {name: {} for name in chassis}
        for place, port in enumerate(tenant.ports, len(ports)):
            at = chassis[place % len(chassis)]
            interfaces[at][idle[place]] = port
            claims[at][idle[place]] = port.id
        plane.claim(claims)
        tenants.append(tenant)
        ports += tenant.ports
    answered = time.monotonic() - started
    plane.wait_active(ports)
    active = time.monotonic() - started
    cpu, switch_cpu = plane.cpu_seconds() - cpu, plane.switch_cpu_seconds() - switch_cpu
    return Loaded(tenants, interfaces, answered, active, cpu, switch_cpu)


def measure(plane: ControlPlane, size: int) -> Iterator[Found]:
    """Load one fresh control plane."""
    loaded = load(plane, size)
    yield Found("all ports in force", "s", [loaded.active])
    yield Found("a port, on average", "ms", [loaded.active * 1e3 / size])
    yield Found("requests answered and interfaces claimed", "s", [loaded.answered])
    yield Found("processor time of the control plane", "s", [loaded.cpu])
    yield Found("processor time of the control plane, a port", "ms", [loaded.cpu * 1e3 / size])
    yield Found("processor time of Open vSwitch", "s", [loaded.switch_cpu])
    yield Found("processor time of Open vSwitch, a port", "ms", [loaded.switch_cpu * 1e3 / size])
    yield Found("memory of the control plane", "MiB", [plane.memory_mib()])
    yield Found("flows on a chassis", "flows", [float(max(plane.flow_counts().values()))])
    holds = plane.longest_holds()
    if holds is not None:
        yield Found("longest hold of the event loop", "ms", [holds[0]])
        yield Found("longest hold of the event loop, by its processor time", "ms", [holds[1]])
    costs = [each.cost_of_a_change() for each in plane.interfaces.values()]
    yield Found("processor time of a switch for one flow more", "ms", [cost * 1e3 for cost in costs])


WORKLOAD = Workload(
    title="Many ports at once",
    text=__doc__ or "",
    measure=measure,
    sizes=(400, 1_000, 4_000),
    quick=(400, 1_000),
    aims=(
        Aim("all ports in force", 0.5, of="ovn", present=1_000),
        Aim("all ports in force", 0.2, of="ovn", present=4_000),
        Aim("processor time of the control plane", 15, present=4_000),
        Aim("memory of the control plane", 300, present=4_000),
        Aim("flows on a chassis", 30_000, present=4_000),
        Aim("longest hold of the event loop", 20),
        Aim("longest hold of the event loop, by its processor time", 20),
    ),
)
