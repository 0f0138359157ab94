"""The benchmark ``many_switches``: one controller process with hundreds of chassis, 100 ports on each.

The switches are emulated by another process, each with an OpenFlow and an OVSDB session of its own: they take and
confirm everything, and forward nothing; their processor time is not counted, though it is of the same machine. Tenants
of 50 ports, each with two networks, a router and a security group, are spread over 4 to 10 chassis, those with the
fewest ports so far; so a chassis has some 14 tenants, and shares them with some 80 other chassis.

*All ports in force*: all chassis have confirmed and each port is ACTIVE. *Processor time for each port* is that of the
controller for the next 500 ports, the requests of their tenants included, with so many present; *one port more* is from
the request until the port is ACTIVE, as its user sees it, who asks again and again.
"""

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from tests.bench.emulation import Emulation
from tests.bench.planes import PATIENCE, Port, Tenant
from tests.bench.workload import Aim, Found, Workload

PORTS = 100
TENANT, SPREADS = 50, (4, 5, 6, 7, 8, 9, 10)
"""Ports of a tenant, and over how many chassis they are spread."""
MILESTONES = (100, 1_000, 10_000, 50_000)
"""With so many ports present, it is measured what more of them cost."""
STEP, TIMES = 500, 20
MARGIN = 60
"""Interfaces of a chassis beyond its share: no two have the same number of ports."""
ONE_MORE, EACH_MORE = "one port more, until it is ACTIVE", "processor time for each port"
_MAC = "02:00:00:00:04:{:02x}"


class Filling:
    """Chassis that fill with the ports of tenants."""

    def __init__(self, plane: Any, names: Sequence[str], emulation: Emulation) -> None:
        self.ports: list[Port] = []
        self._plane, self._emulation = plane, emulation
        self._used = dict.fromkeys(names, 0)
        self._random = random.Random(1)
        self._tenants = 0

    def add_tenant(self) -> Tenant:
        """Make a tenant, and claim its ports on the chassis with the fewest ports."""
        tenant: Tenant = self._plane.make_tenant(self._plane.fresh("tenant"), (TENANT // 2, TENANT // 2))
        order = sorted(self._used, key=lambda name: (self._used[name], self._random.random()))
        places = order[: SPREADS[self._tenants % len(SPREADS)]]
        claims: dict[str, dict[str, str]] = {}
        for number, port in enumerate(tenant.ports):
            self._claim(port, places[number % len(places)], claims)
        self._emulation.claim(claims)
        self._tenants += 1
        self._last = places[0]
        return tenant

    def add_port(self, tenant: Tenant, number: int) -> None:
        """Make one port more for the newest tenant, on a chassis where it has some; wait until it is ACTIVE."""
        network = tenant.networks[0]
        port = self._plane.make_port(tenant, network, _MAC.format(number), network.address(100 + number))
        claims: dict[str, dict[str, str]] = {}
        self._claim(port, self._last, claims)
        self._emulation.claim(claims)
        while self._plane.api.show("port", port.id)["status"] != "ACTIVE":
            time.sleep(0.002)

    def wait(self) -> None:
        """Wait until the newest port is ACTIVE, and all chassis have confirmed."""
        self._plane.api.wait_for_status(self.ports[-1].id, timeout=PATIENCE)
        self._plane.api.wait_until_realized(PATIENCE)

    def _claim(self, port: Port, chassis: str, claims: dict[str, dict[str, str]]) -> None:
        claims.setdefault(chassis, {})[f"i{self._used[chassis]}"] = port.id
        self._used[chassis] += 1
        self.ports.append(port)


def measure(plane: Any, size: int) -> Iterator[Found]:
    """Let chassis come, and their ports; ``plane`` is ours, with no hypervisors."""
    count = -(-size // PORTS)
    names = [f"e{number}" for number in range(1, count + 1)]
    started = time.monotonic()
    milestones = [each for each in MILESTONES if each < size] + [size]
    more = (TIMES + STEP + TENANT) * len(milestones)
    emulation = Emulation(plane, count, PORTS + more // count + MARGIN)
    plane.api.wait_until_in_sync(names, timeout=PATIENCE)
    yield Found("all chassis in step, without ports", "s", [time.monotonic() - started])
    filling = Filling(plane, names, emulation)
    before, began, cpu, paused = plane.memory_mib(), time.monotonic(), plane.cpu_seconds(), 0.0
    costs: list[Found] = []
    for milestone in milestones:
        while len(filling.ports) < milestone:
            tenant = filling.add_tenant()
        if milestone == size:
            plane.wait_active(filling.ports)
            seconds, made = time.monotonic() - began - paused, len(filling.ports)
            yield Found("all ports in force", "s", [seconds])
            yield Found("a port, on average", "ms", [seconds / made * 1e3])
            yield Found("processor time of the controller", "s", [plane.cpu_seconds() - cpu])
            yield Found("memory for each port", "KiB", [(plane.memory_mib() - before) * 1024 / made])
            yield Found("memory of the controller", "MiB", [plane.memory_mib()])
            yield Found("flows sent", "flows", [float(emulation.flows_sent())])
        pause = time.monotonic()
        costs += _cost_of_more(plane, filling, tenant, milestone)
        paused += time.monotonic() - pause
    yield from costs


def _cost_of_more(plane: Any, filling: Filling, tenant: Tenant, present: int) -> Iterator[Found]:
    """Add ports one by one, and then tenants."""
    filling.wait()
    times = []
    for number in range(TIMES):
        asked = time.monotonic()
        filling.add_port(tenant, number)
        times.append((time.monotonic() - asked) * 1e3)
    cpu, already = plane.cpu_seconds(), len(filling.ports)
    while len(filling.ports) < already + STEP:
        filling.add_tenant()
    filling.wait()
    cpu = (plane.cpu_seconds() - cpu) / (len(filling.ports) - already)
    yield Found(f"{ONE_MORE}, {present:,} present", "ms", times)
    yield Found(f"{EACH_MORE}, {present:,} present", "ms", [cpu * 1e3])


WORKLOAD = Workload(
    title="Hundreds of chassis",
    text=__doc__ or "",
    measure=measure,
    sizes=(50_000,),
    quick=(1_000,),
    rounds=1,
    peers=(),
    chassis=0,
    aims=(
        Aim("memory for each port", 20, present=50_000),
        *(Aim(f"{ONE_MORE}, {present:,} present", 100) for present in MILESTONES),
        *(Aim(f"{EACH_MORE}, {present:,} present", 10) for present in MILESTONES),
    ),
)
