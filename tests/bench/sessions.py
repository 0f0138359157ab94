"""Runs ``switch_session``, which measures one session with a switch, as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def measured(what: str, flows: int) -> dict[str, float]:
    """Return what it found. Raises RuntimeError with its last words."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.switch_session", what, str(flows)]
    environment = os.environ | {"OSKEN_HUB_TYPE": "eventlet"}
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"{what}: {done.stderr.strip()[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found
