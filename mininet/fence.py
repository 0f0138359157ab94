"""What holds a cloud together when it ends: one PID namespace for all its processes, one directory for all its files.

The kernel ends every process of a PID namespace with that namespace's init. The cloud's init only waits for the end of
a pipe that this process holds, so whichever way this process ends (``kill -9`` too), every process of the cloud ends
with it, daemons and their children included, and with them go the network namespaces, interfaces and bridges that
only they kept alive.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import namespaces


class Fence:
    """Starts processes that cannot outlive it. ``directory`` is theirs and goes with them."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[Any]] = []
        self._init: subprocess.Popen[Any] | None = None
        self.directory = Path(tempfile.gettempdir()) / f"sdnapp-{os.getpid()}-{secrets.token_hex(3)}"

    def raise_up(self) -> None:
        """Begin: make the directory and the namespace."""
        self.directory.mkdir(mode=0o700)
        with namespaces.new_pid_namespace():
            # In a session of its own, so that a Ctrl-C of the terminal does not reach it.
            self._init = subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True)

    def popen(self, command: list[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a process inside the fence; options as for ``subprocess.Popen``."""
        if self._init is None:
            raise RuntimeError("the fence is down: nothing can be started inside")
        with namespaces.visiting(namespaces.PID_FOR_CHILDREN, self._init.pid):
            process = subprocess.Popen(command, **options)
        self._processes.append(process)
        self._processes = [one for one in self._processes if one.poll() is None]
        return process

    def tear_down(self) -> None:
        """End all processes and remove the directory; returns when they are gone. May be called again."""
        if self._init is not None:
            self._init.kill()
            # The kernel keeps the namespace's init until those started from outside are reaped from outside.
            for process in self._processes:
                _reap(process)
            # One interrupted while it was being started may be nobody's to reap: it is dead, only its number stays.
            with suppress(subprocess.TimeoutExpired):
                self._init.wait(timeout=3)
            if self._init.stdin is not None:
                self._init.stdin.close()
            self._init = None
        shutil.rmtree(self.directory, ignore_errors=True)


def _reap(process: subprocess.Popen[Any]) -> None:
    """Wait for a process that has been killed, also from a signal's handler that interrupted another wait for it."""
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        # The wait without an end holds the process's lock, and goes on only when the handler is done.
        with suppress(ChildProcessError):
            os.waitpid(process.pid, 0)
