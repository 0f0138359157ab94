"""Every scenario, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "mininet" / "scenarios").glob("*.py"))
DEMO = "overlay_tenants"

pytestmark = pytest.mark.root


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
    listed = run("list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == NAMES
    assert {"flat", "flat_dhcp", "vlan", DEMO, "migration", "controller_restart", "switch_restart"} <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name != DEMO])
def test_scenario(name: str) -> None:
    done = run(name)
    print(done.stdout)
    assert done.returncode == 0, done.stdout


def test_the_demo_and_its_prompt(tmp_path: Path) -> None:
    done = run(DEMO, "--keep", stdin="red1 ping -c 1 10.0.0.3\nh1 ovs-vsctl show\nexit\n", TMPDIR=str(tmp_path))
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert "1 packets transmitted, 1 received" in done.stdout
    assert "Bridge br-int" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_controller_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    done = run(DEMO, TMPDIR=str(tmp_path), OS_SDNAPP__NO_SUCH_OPTION="1")
    assert done.returncode == 1, done.stdout
    assert "no_such_option" in done.stdout
    assert list(tmp_path.iterdir()) == []
