"""Runs a scenario by name: ``python mininet/scenario.py NAME [--keep]``, as root.

A scenario is a module in ``scenarios/`` with a function ``run(cloud, checks)`` and a docstring whose first line says
what it shows. ``HYPERVISORS`` in it is how many it needs, if not three, and ``SETTINGS`` are options of its controller.
The exit status is 0 only if all its checks held.
"""

import argparse
import importlib
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import FrameType

from checks import Checks
from cloud import Cloud
from mininet.cli import CLI
from mininet.log import setLogLevel

SCENARIOS = Path(__file__).resolve().parent / "scenarios"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Run:
    """One run of a scenario. From its creation on, SIGINT, SIGTERM and SIGHUP remove the cloud and end the process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scenario = importlib.import_module(f"scenarios.{name}")
        self.cloud = Cloud(getattr(self.scenario, "HYPERVISORS", 3))
        self.cloud.settings = getattr(self.scenario, "SETTINGS", {})
        self.checks = Checks()
        self._at_prompt = False
        for number in SIGNALS:
            signal.signal(number, self._end)

    def perform(self) -> bool:
        """Build the cloud and make all checks; whether they hold."""
        started = time.monotonic()
        print(
            f"Building {self.cloud.size} hypervisors over a static core, and starting osken-manager sdnapp", flush=True
        )
        try:
            self.cloud.build()
            print(f"The cloud is up after {time.monotonic() - started:.1f} s", flush=True)
            self.scenario.run(self.cloud, self.checks)
        except Exception:
            self.checks.check("the scenario ran to its end", "yes", "no, see above")
            traceback.print_exc()
        print(f"\n{self.checks}\n", flush=True)
        if not self.checks.hold:
            print(f"The end of the controller's log:\n{self.cloud.controller_log()}\n", flush=True)
        print(f"{self.name}: {'all checks held' if self.checks.hold else 'FAILED'}", flush=True)
        return self.checks.hold

    def prompt(self) -> None:
        """Mininet's prompt, until the user leaves it."""
        print("The cloud stays up until exit or Ctrl-C. The machines, each of which can be told a command:")
        print(" ".join(self.cloud.network.nameToNode))
        print("For example: h1 ovs-vsctl show; controller sdnapp status", flush=True)
        self._at_prompt = True
        CLI(self.cloud.network)

    def stop(self) -> None:
        """Remove the cloud. Signals have no effect from here on, as there is nothing else left to do."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.cloud.stop()
        if self._at_prompt and sys.stdin.isatty():
            subprocess.run(["stty", "sane"], check=False)  # an interrupted prompt leaves the terminal without echo

    def _end(self, number: int, _: FrameType | None) -> None:
        """Do all of it here, as an exception might be swallowed by code that it passes through."""
        busy = [node for node in self.cloud.network.values() if node.waiting]
        if number == signal.SIGINT and self._at_prompt and busy:
            for node in busy:  # Ctrl-C ends only the command that was typed at the prompt
                node.sendInt()
            return
        print("\nInterrupted: removing the cloud", flush=True)
        self.stop()
        os._exit(128 + number)


def main() -> int:
    """Run the scenario named on the command line."""
    parser = argparse.ArgumentParser(description="Run a scenario on an emulated cloud.")
    parser.add_argument("name", choices=sorted(path.stem for path in SCENARIOS.glob("*.py")))
    parser.add_argument("--keep", action="store_true", help="leave the cloud up with a Mininet prompt")
    arguments = parser.parse_args()
    setLogLevel("output")
    run = Run(arguments.name)
    held = run.perform()
    if arguments.keep:
        run.prompt()
    run.stop()
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
