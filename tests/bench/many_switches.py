"""The benchmark ``many_switches``: one controller process with hundreds of chassis, 100 ports on each.

The switches are emulated by another process, each with an OpenFlow and an OVSDB session of its own: they take and
confirm everything, and forward nothing. Tenants of 50 ports, each with a router and a security group, have 10 ports on
each of five chassis. The clock stops when all chassis have confirmed and all ports are ACTIVE. *One port more*: from
the request until it is ACTIVE. The emulation takes processor time, too, on the same machine.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.planes import ControlPlane
from tests.bench.workload import Aim, Found, Workload

PORTS = 100
TENANT, PLACES = 50, 5
TIMES = 20
_ADDRESS, _MAC = "192.0.2.9", "02:00:00:00:04:{:02x}"
_PROGRAM = Path(__file__).with_name("emulated_switches.py")


class Emulation:
    """The emulated switches, on a machine of the management network."""

    def __init__(self, plane: ControlPlane, count: int, interfaces: int) -> None:
        from fabric import CONTROLLER, MANAGEMENT
        from stations import Station

        station = plane.fabric.add("switches", Station)
        plane.fabric.connect(station, "mgmt", plane.fabric.management, "switches")
        plane.fabric.management.enslave("switches")
        station.ip(f"addr add {_ADDRESS}/{MANAGEMENT.prefixlen} dev mgmt", "link set mgmt up")
        self._process: subprocess.Popen[str] = station.start(
            *(sys.executable, "-m", f"tests.bench.{_PROGRAM.stem}", str(count), str(interfaces)),
            *(f"{CONTROLLER}:6653", f"{CONTROLLER}:6640"),
            cwd=_PROGRAM.parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    def claim(self, ports: Mapping[str, Mapping[str, str]]) -> None:
        """Say which interfaces belong to which ports, by chassis."""
        self._say(json.dumps(ports))

    def flows_sent(self) -> int:
        """Return how many changes of flows all switches have been sent so far."""
        self._say("")
        return sum(json.loads(self._hear()).values())

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("the emulated switches have ended: see what they said above")
        return line


def measure(plane: Any, size: int) -> Iterator[Found]:
    """Let chassis come, and their ports; ``plane`` is ours, with no hypervisors."""
    count = -(-size // PORTS)
    names = [f"e{number}" for number in range(1, count + 1)]
    started = time.monotonic()
    emulation = Emulation(plane, count, PORTS + TIMES)
    plane.api.wait_until_in_sync(names, timeout=600)
    yield Found("all chassis in step, without ports", "s", [time.monotonic() - started])
    before, cpu, started = plane.memory_mib(), plane.cpu_seconds(), time.monotonic()
    used = dict.fromkeys(names, 0)
    ports = []
    while len(ports) < size:
        tenant = plane.make_tenant(plane.fresh("tenant"), (TENANT // 2, TENANT // 2))
        claims: dict[str, dict[str, str]] = {}
        for number, port in enumerate(tenant.ports):
            chassis = names[(len(ports) // TENANT * PLACES + number % PLACES) % count]
            claims.setdefault(chassis, {})[f"i{used[chassis]}"] = port.id
            used[chassis] += 1
        emulation.claim(claims)
        ports += tenant.ports
    plane.wait_active(ports)
    seconds = time.monotonic() - started
    yield Found("all ports in force", "s", [seconds])
    yield Found("a port, on average", "ms", [seconds / len(ports) * 1e3])
    yield Found("processor time of the controller", "s", [plane.cpu_seconds() - cpu])
    yield Found("memory for each port", "KiB", [(plane.memory_mib() - before) * 1024 / len(ports)])
    yield Found("memory of the controller", "MiB", [plane.memory_mib()])
    yield Found("flows sent", "flows", [float(emulation.flows_sent())])
    (network, *_) = tenant.networks
    times = []
    for number in range(TIMES):
        asked = time.monotonic()
        port = plane.make_port(tenant, network, _MAC.format(number), network.address(100 + number))
        emulation.claim({names[0]: {f"i{used[names[0]]}": port.id}})
        used[names[0]] += 1
        while plane.api.show("port", port.id)["status"] != "ACTIVE":
            time.sleep(0.002)
        times.append((time.monotonic() - asked) * 1e3)
    yield Found("one port more, until it is ACTIVE", "ms", times)


WORKLOAD = Workload(
    title="Hundreds of chassis",
    text=__doc__ or "",
    measure=measure,
    sizes=(50_000,),
    quick=(1_000,),
    rounds=1,
    peers=(),
    chassis=0,
    aims=(Aim("memory for each port", 20), Aim("one port more, until it is ACTIVE", 100)),
)
