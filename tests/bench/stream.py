"""A stream of packets that flows in its turns only, and what arrives of it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.bench.json_rpc import call
from tests.bench.ways import Way, until_listening

if TYPE_CHECKING:
    from hypervisor import Hypervisor
    from stations import Instance

TCP_OPTIONS = ("-w", "96K")
"""A window that the sockets of switches have room for: one of 128 KiB loses packets, without `-w` very many."""
UDP_OPTIONS = ("-u", "-b", "0", "-l", "64")
"""As many packets of 64 bytes as one sender can send."""
_HEADERS = 66
"""Bytes of each TCP packet on an interface that are no payload: Ethernet 14, IPv4 20, TCP with timestamps 32."""
_PORT = 5201
_PATIENCE = 20.0
_SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@dataclass(frozen=True)
class Arrived:
    """What an interface has received so far, at a moment of the monotonic clock."""

    packets: int
    octets: int
    moment: float

    def packets_per_second(self, before: "Arrived") -> float:
        """Return the rate since an earlier moment."""
        return (self.packets - before.packets) / (self.moment - before.moment)

    def payload_gbit_per_second(self, before: "Arrived") -> float:
        """Return the rate of TCP's payload since an earlier moment."""
        payload = self.octets - before.octets - _HEADERS * (self.packets - before.packets)
        return payload * 8 / 1e9 / (self.moment - before.moment)


@dataclass(frozen=True)
class Work:
    """What one switch has done so far: packets that it has received, and seconds of processor time for them."""

    packets: int
    seconds: float

    def since(self, before: "Work") -> "Work":
        """Return what it has done since an earlier moment."""
        return Work(self.packets - before.packets, self.seconds - before.seconds)


class Stream:
    """``iperf3`` from one end of a way to the other, stopped unless it is its turn. Use it as a context manager.

    It is not ended and begun anew, so that a turn measures neither a slow start nor a process that starts.
    """

    def __init__(self, way: Way, *options: str) -> None:
        self._way = way
        self._server = way.target.start("iperf3", "-s", "-1", **_SILENT)
        until_listening(way.target, _PORT)
        self._client = way.source.start("iperf3", "-c", way.address, "-t", "3600", *options, **_SILENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for process in (self._client, self._server):
            process.kill()
            process.wait()

    def pin(self, cpu: int) -> None:
        """Let both ends run on this processor only."""
        for process in (self._client, self._server):
            pin(process.pid, cpu)

    def wait_until_it_flows(self) -> None:
        """Wait until something arrives, and stop it. Raises TimeoutError."""
        before, deadline = arrived(self._way.target), time.monotonic() + 20
        while arrived(self._way.target).packets < before.packets + 1000:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._way.name}: nothing arrives of iperf3's packets")
            time.sleep(0.02)
        self.stop()

    @contextmanager
    def flowing(self, settling: float) -> Iterator[None]:
        """Let it flow during the block, and for some seconds before."""
        self._client.send_signal(signal.SIGCONT)
        time.sleep(settling)
        yield
        self.stop()

    def stop(self) -> None:
        """Let it flow no more."""
        self._client.send_signal(signal.SIGSTOP)


def arrived(station: "Instance") -> Arrived:
    """Return what ``eth0`` of a station has received (proc_pid_net(5)); reading it starts no process."""
    for line in Path(f"/proc/{station.pid}/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "eth0":
            octets, packets, *_ = map(int, counters.split())
            return Arrived(packets, octets, time.monotonic())
    raise LookupError(f"{station.name} has no eth0")


class Worker:
    """One switch, asked what it has done so far. Use it as a context manager.

    Its control socket stays open: a process for each question would take time from what is measured.
    """

    def __init__(self, hypervisor: "Hypervisor") -> None:
        self._tasks = Path(f"/proc/{hypervisor.daemons['ovs-vswitchd'].pid}/task")
        (control,) = hypervisor.directory.glob("ovs-vswitchd.*.ctl")
        self._control = socket.socket(socket.AF_UNIX)
        self._control.settimeout(_PATIENCE)
        self._control.connect(str(control))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._control.close()

    def work(self) -> Work:
        """Return what it has done so far."""
        shown: str = call(self._control, {"method": "dpif-netdev/pmd-stats-show", "params": [], "id": 0})
        received = (line.rpartition(":")[2] for line in shown.splitlines() if "packets received:" in line)
        on_processors = sum(int((task / "schedstat").read_text().split()[0]) for task in self._tasks.iterdir())
        return Work(sum(map(int, received)), on_processors / 1e9)


def microseconds_a_packet(done: Sequence[Work]) -> float:
    """Return the processor time that a packet takes on its way, of switches of which some have nearly none of them.

    Each switch has its share by the packets that it has received: one that cannot follow loses what comes after.
    """
    most = max(each.packets for each in done)
    return sum(each.seconds * 1e6 / each.packets for each in done if each.packets > most / 10)


def pin(process_id: int, cpu: int) -> None:
    """Let a process with all its threads run on one processor only."""
    for task in Path(f"/proc/{process_id}/task").iterdir():
        with suppress(ProcessLookupError):  # A thread that has ended meanwhile.
            os.sched_setaffinity(int(task.name), {cpu})
