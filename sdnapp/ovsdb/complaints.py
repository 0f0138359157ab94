"""Why a command of Open vSwitch failed, in its own words."""

import subprocess


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return, in one line, why a command of Open vSwitch says that it failed."""
    lines = done.stderr.strip().splitlines()
    if len(lines) > 1 and lines[-1].endswith(": server returned an error"):
        del lines[-1]
    return lines[-1] if lines else f"exit status {done.returncode}"
