"""Emulated switches, seen from the benchmark that has them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bench.planes import ControlPlane

_ADDRESS = "192.0.2.9"
_PROGRAM = Path(__file__).with_name("emulated_switches.py")


class Emulation:
    """The emulated switches, on a machine of the management network."""

    def __init__(self, plane: ControlPlane, count: int, interfaces: int, *options: str) -> None:
        """Start so many with so many interfaces each; options as the program has them."""
        from fabric import CONTROLLER, MANAGEMENT
        from stations import Station

        station = plane.fabric.add("switches", Station)
        plane.fabric.connect(station, "mgmt", plane.fabric.management, "switches")
        plane.fabric.management.enslave("switches")
        station.ip(f"addr add {_ADDRESS}/{MANAGEMENT.prefixlen} dev mgmt", "link set mgmt up")
        self._process: subprocess.Popen[str] = station.start(
            *(sys.executable, "-m", f"tests.bench.{_PROGRAM.stem}", str(count), str(interfaces)),
            *(f"{CONTROLLER}:6653", f"{CONTROLLER}:6640", *options),
            cwd=_PROGRAM.parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    def claim(self, ports: Mapping[str, Mapping[str, str]]) -> None:
        """Say which interfaces belong to which ports, by chassis; one that is not there comes."""
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
