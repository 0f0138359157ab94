"""The machine that the controller runs on."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fence import Fence
from neutron import Neutron
from stations import CommandFailed, Station

BIN = Path(sys.executable).parent
MANAGER = (str(BIN / "osken-manager"),)


class Controller(Station):
    """Runs ``osken-manager sdnapp`` with its state in its own directory; ``api`` speaks to it.

    ``settings`` are options of the group ``[sdnapp]``.
    """

    def __init__(self, name: str, fence: Fence, settings: Mapping[str, str] | None = None, **params: Any) -> None:
        directory = fence.directory / name
        options = {"state_dir": str(directory)} | dict(settings or {})
        super().__init__(name, fence, environment=_in_environment(options), **params)
        self.api = Neutron(self)
        self.log = directory / "osken-manager.log"
        self._process: subprocess.Popen[Any] | None = None

    def start_app(self, timeout: float = 30, manager: tuple[str, ...] = MANAGER) -> None:
        """Start the application and wait until its API answers. Raises CommandFailed with the end of its log.

        ``manager``: the command that runs it.
        """
        with self.log.open("ab") as log:
            self._process = self.start(
                *(*manager, "sdnapp"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + timeout
        while not self.api.is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise CommandFailed(f"osken-manager sdnapp does not answer; its last words:\n{self.last_words()}")
            time.sleep(0.05)

    def set_options(self, **options: str) -> None:
        """Set options of the group ``[sdnapp]``, for the next start of the application."""
        self.environment |= _in_environment(options)

    @property
    def process_id(self) -> int:
        """The application's. Raises RuntimeError if it was not started."""
        if self._process is None:
            raise RuntimeError("osken-manager sdnapp was not started")
        return self._process.pid

    @property
    def memory(self) -> float:
        """The MiB of memory that the application holds. Raises OSError if it does not run any more."""
        status = Path(f"/proc/{self.process_id}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def kill_app(self) -> None:
        """End the application as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def last_words(self) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


def _in_environment(options: Mapping[str, str]) -> dict[str, str]:
    return {f"OS_SDNAPP__{option.upper()}": value for option, value in options.items()}


def sdnapp(station: Station, *arguments: str) -> str:
    """Run the ``sdnapp`` command on a machine."""
    return station.run(str(BIN / "sdnapp"), *arguments)
