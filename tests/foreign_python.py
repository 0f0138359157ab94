"""Pythons with packages that must not meet ours: each in a virtual environment of its own in the cache directory."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sdnapp"


def python_with(name: str, packages: Sequence[str]) -> Path:
    """Return an interpreter that has the packages; install them if they are not there yet."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = CACHE / f"{name}-{version}"
    stamp, interpreter, wanted = place / "stamp", place / "bin" / "python", " ".join(packages)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"Installing {wanted} in {place}: some minutes, once", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
            subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *packages], check=True)
            stamp.write_text(wanted)
    return interpreter
