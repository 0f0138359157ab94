"""Where a benchmark ran: the machine, who else kept it busy, and what a process and its children took of it."""

import os
import platform
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WAKE_UP = Path("/dev/cpu_dma_latency")
"""As long as a file holds it open, processors sleep only so deeply that they wake within the microseconds in it."""
_TICKS = os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, Any]:
    """Return processor, cores, memory (GiB), kernel and Python of this machine."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": model[1].strip() if model else platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(pages / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


@contextmanager
def awake(device: Path = _WAKE_UP) -> Iterator[bool]:
    """Keep the processors from sleeping between packets; yield whether that is so.

    What sleeps has to be woken for each packet, which may take longer than the packet. Servers for which latency
    matters do the same (Linux, "PM Quality Of Service Interface"; ``tuned-adm profile latency-performance``). Where
    the device is not there, or is not ours to open, the processors are left alone.
    """
    try:
        held = os.open(device, os.O_WRONLY)
    except OSError:
        yield False
        return
    try:
        os.write(held, struct.pack("=i", 0))
        yield True
    finally:
        os.close(held)


@contextmanager
def ahead_of_others() -> Iterator[None]:
    """Let this thread run as soon as it is woken, whoever has the processor: as if it had its own. Needs root."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    # What it starts meanwhile is not ahead.
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


@dataclass(frozen=True)
class ProcessTree:
    """A process and all its descendants."""

    pid: int

    def cpu_seconds(self) -> float:
        """Return the seconds of processor time that its members have taken so far, and their children that are gone."""
        return sum(_cpu_seconds(pid) for pid in self._members())

    def memory_mib(self) -> float:
        """Return its resident memory in MiB; what processes share is counted once (proportional set size)."""
        return sum(_memory_kib(pid) for pid in self._members()) / 1024

    def _members(self) -> list[int]:
        found, waiting = [], [self.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting.extend(int(child) for child in _read(task).split())
        return found


class Others:
    """Measures how busy processes other than the given trees keep the machine, from its making on."""

    def __init__(self, *ours: ProcessTree) -> None:
        self._ours = ours
        self._start = self._clocks()

    def cores_busy(self) -> float:
        """Return how many cores they have kept busy on average; whatever a hypervisor took away counts."""
        (all_cores, busy, mine), (all_before, busy_before, mine_before) = self._clocks(), self._start
        elapsed = (all_cores - all_before) / (os.cpu_count() or 1)
        return max(0.0, (busy - busy_before - (mine - mine_before)) / elapsed) if elapsed else 0.0

    def _clocks(self) -> tuple[float, float, float]:
        user, nice, system, idle, iowait, irq, softirq, steal = map(
            int, Path("/proc/stat").read_text().split(None, 9)[1:9]
        )
        busy = user + nice + system + irq + softirq + steal
        mine = sum(tree.cpu_seconds() for tree in self._ours)
        return (busy + idle + iowait) / _TICKS, busy / _TICKS, mine


def _cpu_seconds(pid: int) -> float:
    # The name of a process, in parentheses, may hold anything.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0


def _memory_kib(pid: int) -> int:
    found = re.search(r"^Pss:\s+(\d+) kB", _read(Path(f"/proc/{pid}/smaps_rollup")), re.MULTILINE)
    return int(found[1]) if found else 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # It ended in the meantime.
        return ""
