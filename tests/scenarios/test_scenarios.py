"""Every scenario, run as a user runs it."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "mininet" / "scenarios").glob("*.py"))
DEMO = "overlay_tenants"


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "mininet/scenario.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def test_all_are_listed() -> None:
    listed = subprocess.run([ROOT / "run", "scenario", "list"], capture_output=True, text=True, check=True).stdout
    assert all(len(line.split()) > 5 for line in listed.splitlines())
    assert [line.split()[0] for line in listed.splitlines()] == NAMES
    assert {"flat", "flat_dhcp", "vlan", DEMO, "migration", "controller_restart", "switch_restart"} <= set(NAMES)
    assert {"router", "two_routers", "security_groups", "remote_group", "spoofing"} <= set(NAMES)


@pytest.mark.root
@pytest.mark.parametrize("name", [name for name in NAMES if name != DEMO])
def test_scenario(name: str) -> None:
    done = run(name)
    print(done.stdout)
    assert done.returncode == 0, done.stdout


@pytest.mark.root
def test_the_demo_and_its_prompt(tmp_path: Path) -> None:
    done = run(
        DEMO,
        "--keep",
        stdin="red1 ping -c 1 10.0.0.3\nh1 ovs-vsctl show\ncontroller sdnapp status\nexit\n",
        TMPDIR=str(tmp_path),
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert "1 packets transmitted, 1 received" in done.stdout
    assert "Bridge br-int" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.root
def test_a_controller_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    done = run(DEMO, TMPDIR=str(tmp_path), OS_SDNAPP__NO_SUCH_OPTION="1")
    assert done.returncode == 1, done.stdout
    assert "no_such_option" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.root
def test_ctrl_c_ends_a_command_at_the_prompt_and_then_the_cloud(tmp_path: Path) -> None:
    terminal, line = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "mininet/scenario.py", DEMO, "--keep"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=line,
        stdout=line,
        stderr=line,
        preexec_fn=lambda: os.login_tty(line),
    )
    os.close(line)
    seen = ""

    def wait_for(text: str) -> None:
        nonlocal seen
        deadline = time.monotonic() + 60
        while text not in seen:
            assert select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], seen
            seen += os.read(terminal, 65536).decode()
        seen = seen.partition(text)[2]

    try:
        wait_for("mininet> ")
        os.write(terminal, b"red1 ping 10.0.0.3\n")
        wait_for("icmp_seq=2")
        os.write(terminal, b"\x03")
        wait_for("0% packet loss")
        wait_for("mininet> ")
        deadline = time.monotonic() + 30
        while process.poll() is None:  # readline may miss the first one if it comes as the prompt is being set up
            assert time.monotonic() < deadline
            os.write(terminal, b"\x03")
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
        assert process.returncode == 128 + signal.SIGINT
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
