"""However a cloud ends, nothing of it stays: no process, and so no namespace, bridge or interface; no file."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.root

BUILD = """
import sys
sys.path.insert(0, "mininet")
import scenario
import scenarios.overlay_tenants as demo
run = scenario.Run("overlay_tenants")
print("begun", flush=True)
run.cloud.build()
print("built", flush=True)
sys.stdin.readline()
demo.run(run.cloud, run.checks)
print("over", flush=True)
sys.stdin.readline()
run.stop()
"""

WAIT = """
import os, signal, sys
sys.path.insert(0, "mininet")
from fence import Fence

def end(*_):
    fence.tear_down()
    os._exit(7)

fence = Fence()
fence.raise_up()
process = fence.popen(["sleep", "60"])
signal.signal(signal.SIGALRM, end)
signal.setitimer(signal.ITIMER_REAL, 0.3)
process.wait()
"""


class Builder:
    """A process that builds the demo's cloud, runs the demo after a line of input, and ends after one more, or none.

    All that it starts is known by the variable TMPDIR.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-c", BUILD],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def go_on(self) -> None:
        """Let it run the demo once the cloud is built; or end, once that is over."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def family(self) -> set[int]:
        """The living processes that it or its children started, itself included."""
        mark = f"TMPDIR={self.directory}".encode()
        found = set()
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    if mark in (process / "environ").read_bytes().split(b"\0"):
                        found.add(int(process.name))
                except OSError:  # it has ended meanwhile
                    continue
        return found

    def wait_for_the_end_of_all(self) -> None:
        self.process.communicate(timeout=30)
        deadline = time.monotonic() + 10
        while left := self.family():
            assert time.monotonic() < deadline, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Builder]:
    builder = Builder(tmp_path)
    builder.wait_for("begun")
    yield builder
    builder.process.kill()
    builder.process.communicate()


def own_interfaces_and_mounts() -> tuple[set[str], str]:
    names = {name for _, name in socket.if_nameindex()}
    ours = names & {"mgmt", "lan", "underlay", "br-phy", "br-ex", "br-int", "core1", "core2", "lan1", "lan2", "h1"}
    return ours, Path("/proc/self/mountinfo").read_text()


# The cloud is built within some two seconds, and the demo over after one or two more; it ends by the signal alone.
@pytest.mark.parametrize("moment", [0.0, 0.03, 0.1, 0.2, 0.4, 0.7, 1.1, 1.6, 2.1, 2.6, 3.1])
def test_a_signal_at_any_moment_removes_all(builder: Builder, moment: float) -> None:
    number = random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    builder.go_on()
    time.sleep(moment)
    builder.process.send_signal(number)
    builder.wait_for_the_end_of_all()
    assert list(builder.directory.iterdir()) == []
    assert builder.process.returncode == 128 + number


@pytest.mark.parametrize("moment", [0.0, 0.1])
def test_a_signal_while_it_ends_by_itself_removes_all(builder: Builder, moment: float) -> None:
    builder.go_on()
    builder.go_on()
    assert builder.process.stdout is not None and "over\n" in iter(builder.process.stdout.readline, "")
    time.sleep(moment)
    builder.process.send_signal(signal.SIGTERM)
    builder.wait_for_the_end_of_all()
    assert list(builder.directory.iterdir()) == []
    assert builder.process.returncode in (0, 128 + signal.SIGTERM), "it may have been done already"


def test_a_signal_while_a_process_is_waited_for() -> None:
    # The interrupted wait holds the lock of its process, and goes on only when the signal has been dealt with.
    interrupted = subprocess.run([sys.executable, "-c", WAIT], cwd=ROOT, timeout=30, check=False)
    assert interrupted.returncode == 7


def test_nothing_is_made_outside_its_own_namespaces(builder: Builder) -> None:
    before = own_interfaces_and_mounts()
    builder.wait_for("built")
    assert len(builder.family()) > 10
    assert own_interfaces_and_mounts() == before
    builder.go_on()
    builder.wait_for_the_end_of_all()
    assert builder.process.returncode == 0
    assert list(builder.directory.iterdir()) == []


def test_ctrl_c_when_all_is_up_and_once_more_while_it_is_removed(builder: Builder) -> None:
    builder.wait_for("built")
    builder.process.send_signal(signal.SIGINT)
    builder.process.send_signal(signal.SIGINT)
    builder.wait_for_the_end_of_all()
    assert list(builder.directory.iterdir()) == []


def test_kill_9_leaves_no_process(builder: Builder) -> None:
    builder.wait_for("built")
    builder.process.kill()
    builder.wait_for_the_end_of_all()


def test_several_clouds_stand_side_by_side(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Builder(tmp_path / "other")
    try:
        builder.wait_for("built")
        other.wait_for("begun")
        other.wait_for("built")
        builder.process.send_signal(signal.SIGTERM)
        builder.wait_for_the_end_of_all()
        assert len(other.family()) > 10
    finally:
        other.process.terminate()
        other.wait_for_the_end_of_all()
