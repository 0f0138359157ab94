"""What is measured: a server of the Neutron API that was started for the purpose, and how to reach it."""

import importlib.metadata
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.bench.client import Client
from tests.bench.machine import ProcessTree
from tests.bench.results import OURS
from tests.neutron.reference import neutron_process
from tests.neutron.reference import python as neutron_python
from tests.real_ovs.running_controller import ROOT, RunningController


@dataclass(frozen=True)
class Subject:
    """A running server with nothing in it. ``version`` says what it is, to readers of the page."""

    name: str
    version: str
    url: str
    tree: ProcessTree
    headers: dict[str, str] = field(default_factory=dict)

    def client(self) -> Client:
        """Return a client of its own, an administrator."""
        return Client(self.url, self.headers)


@contextmanager
def sdnapp() -> Iterator[Subject]:
    """``osken-manager sdnapp`` with a store on disk, no switches, and no quotas in the way."""
    no_limits = [f"--sdnapp-quota-{kind}=-1" for kind in ("network", "subnet", "port")]
    with RunningController(*no_limits) as controller:
        yield Subject(OURS, our_version(), f"http://127.0.0.1:{controller.api_port}", ProcessTree(controller.pid))


@contextmanager
def neutron() -> Iterator[Subject]:
    """Neutron's API server, likewise with SQLite, without agents and without quotas in the way."""
    project = "bench"
    headers = {"X-Project-Id": project, "X-User-Id": "bench", "X-Roles": "admin"}
    with neutron_process() as (url, pid):
        subject = Subject("neutron", _neutron_version(), url, ProcessTree(pid), headers)
        with subject.client() as client:
            client.call("PUT", f"quotas/{project}", {"quota": {"network": -1, "subnet": -1, "port": -1}})
        yield subject


PEERS = {"neutron": neutron}
"""What can be measured beside ours."""


def _neutron_version() -> str:
    program = "from importlib.metadata import version as v; print(v('neutron'), v('SQLAlchemy'), v('waitress'))"
    shown = subprocess.run([neutron_python(), "-c", program], capture_output=True, text=True, check=True).stdout.split()
    return "{} (ML2, openvswitch), SQLAlchemy {}, waitress {} with one thread, SQLite".format(*shown)


def our_version() -> str:
    parts = [f"{name} {importlib.metadata.version(name)}" for name in ("os-ken", "eventlet", "neutron-lib")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    at = f" at {commit.stdout.strip()}" if commit.returncode == 0 else ""
    own = importlib.metadata.version("sdnapp")
    return f"{own}{at}, {', '.join(parts)}, SQLite {sqlite3.sqlite_version} whose disk each answer waits for"
