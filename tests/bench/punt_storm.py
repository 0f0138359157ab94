"""The benchmark ``punt_storm``: one tenant's instance floods, and instances of another tenant wait for DHCP.

It sends 20,000 frames a second: requests by DHCP, each of a new transaction; ARP for ever new addresses; junk. Before
each flood and during it, four instances beside it, and four on another chassis, ask in turn by DHCP, no more often than
a port's budget allows. *Rise*: by how much the 99th percentile is higher during a flood than before it. Memory is that
of the whole control plane, and has grown from before the first flood to the end of the last one.
"""

import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.dhcp import Client
from tests.bench.lab import Lab
from tests.bench.planes import ControlPlane
from tests.bench.workload import Aim, Found, Workload

KINDS = ("dhcp", "arp", "junk")
RATE = 20_000
CHASSIS = ("h1", "h2")
"""Where those who ask are; the first one is the flooder's own."""
ASKING, ROUNDS = 4, 26
"""Instances on each chassis that ask, and how often: the 99th percentile needs a hundred answers."""
_PAUSE = 0.12
_PATIENCE = 1.0
_FLOOD = Path(__file__).resolve().parents[2] / "mininet" / "flood.py"


def measure(plane: ControlPlane, size: int) -> Iterator[Found]:
    """Let an instance flood; those who ask are of another tenant, with the same addresses."""
    flooding, asking = Lab(plane), Lab(plane)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(Client(asking.guests[name], port, _PATIENCE))
            for chassis in CHASSIS
            for name, port in asking.launch_all(chassis, ASKING).items()
        ]
        _ask(clients)  # The first answers are of a cold cache.
        memory = plane.memory_mib()
        for kind in KINDS:
            before, _ = _ask(clients)
            with _flood(flooding, kind):
                during, unanswered = _ask(clients)
            yield Found(f"latency before a flood of {kind}", "ms", before)
            yield Found(f"latency during a flood of {kind}", "ms", during or [_PATIENCE * 1e3])
            yield Found(f"rise of the 99th percentile, {kind}", "ms", [_p99(during) - _p99(before)])
            yield Found(f"not answered during a flood of {kind}", "requests", [float(unanswered)])
        yield Found("memory grown", "MiB", [plane.memory_mib() - memory])


def _ask(clients: Sequence[Client]) -> tuple[list[float], int]:
    """Let all ask in turn; return the milliseconds that answers took, and how many requests had none."""
    answers, unanswered = [], 0
    for _ in range(ROUNDS):
        begun = time.monotonic()
        for client in clients:
            try:
                answers.append(client.lease() * 1e3)
            except TimeoutError:
                unanswered += 1
        time.sleep(max(0.0, begun + _PAUSE - time.monotonic()))
    return answers, unanswered


def _p99(answers: Sequence[float]) -> float:
    """Return the 99th percentile, an observed value; where nothing was answered, as long as answers are waited for."""
    return sorted(answers)[math.ceil(0.99 * len(answers)) - 1] if answers else _PATIENCE * 1e3


@contextmanager
def _flood(lab: Lab, kind: str) -> Iterator[None]:
    """Let the first instance of a tenant flood; it has begun, and ends with the block."""
    flood = lab.prober.start(
        *(sys.executable, str(_FLOOD), kind, str(RATE), "3600", lab.port.mac, lab.port.address),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert flood.stdout is not None
        flood.stdout.readline()
        yield
        if flood.poll() is not None:
            raise ChildProcessError(f"the flood of {kind} has ended by itself")
    finally:
        flood.kill()
        flood.communicate()


WORKLOAD = Workload(
    title="One tenant floods, others ask by DHCP",
    text=__doc__ or "",
    measure=measure,
    rounds=1,
    aims=(
        *(Aim(f"rise of the 99th percentile, {kind}", 5) for kind in KINDS),
        *(Aim(f"not answered during a flood of {kind}", 0) for kind in KINDS),
        Aim("memory grown", 16),
    ),
)
