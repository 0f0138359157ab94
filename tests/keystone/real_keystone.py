"""Real Keystone: its API on a port of the loopback, over SQLite, with Fernet tokens.

``with RealKeystone() as keystone`` serves for as long as the block runs. Keystone has a hundred packages of its own:
they go to a virtual environment in the cache directory, made at the first start.
"""

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.foreign_python import python_with

PACKAGES = ("keystone==30.0.*", "waitress==3.0.*")
ADMIN, REGION = "admin", "one"
"""Name of the first user and of his project; the region of all endpoints."""
TOKEN_SECONDS = 3600
ADMIN_PASSWORD = "password-of-the-administrator"
_SERVER = Path(__file__).with_name("keystone_server.py")
# What is revoked shows at once (no cache), and passwords are hashed as little as can be: users here come and go.
_SETTINGS = """\
[DEFAULT]
log_file = {state}/keystone.log

[database]
connection = sqlite:///{state}/keystone.sqlite

[cache]
enabled = false

[token]
expiration = {seconds}

[fernet_tokens]
key_repository = {state}/fernet-keys

[fernet_receipts]
key_repository = {state}/fernet-keys

[credential]
key_repository = {state}/credential-keys

[identity]
password_hash_rounds = 4
"""


class RealKeystone:
    """One Keystone. ``stop`` and ``start`` again keep its port and what it knows; ``hang`` makes it silent."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="keystone-")
        self._state = Path(self._directory.name)
        self._python = python_with("keystone", PACKAGES)
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self._configure()
        owner = ("--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid()))
        self._manage("db_sync")
        self._manage("fernet_setup", *owner)
        self._manage("credential_setup", *owner)
        self.start()
        self._manage("bootstrap", "--bootstrap-password", ADMIN_PASSWORD, *self._first_endpoint())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._directory.cleanup()

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self._port}/v3"

    @property
    def version(self) -> str:
        """The version of Keystone's package."""
        program = "from importlib.metadata import version; print(version('keystone'))"
        return subprocess.run([self._python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()

    def restart(self, token_seconds: int = TOKEN_SECONDS) -> None:
        """Stop, and start again so that new tokens expire after so many seconds."""
        self.stop()
        self._configure(token_seconds)
        self.start()

    def start(self) -> None:
        """Serve. Raises RuntimeError with the end of its output if it does not start."""
        with (self._state / "output").open("a+") as output:
            self._process = subprocess.Popen(
                [self._python, "-W", "ignore", _SERVER, self._settings, str(self._port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
            assert self._process.stdout is not None
            port = self._process.stdout.readline().strip()
            if not port:
                output.seek(0)
                raise RuntimeError(f"Keystone does not start:\n{output.read()[-4000:]}")
            self._port = int(port)

    def stop(self) -> None:
        """End it, if it runs: its port refuses connections."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def hang(self) -> None:
        """Stop it in the middle of whatever it does: its port accepts connections, and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def _settings(self) -> Path:
        return self._state / "keystone.conf"

    def _configure(self, token_seconds: int = TOKEN_SECONDS) -> None:
        self._settings.write_text(_SETTINGS.format(state=self._state, seconds=token_seconds))

    def _first_endpoint(self) -> list[str]:
        urls = [part for name in ("public", "internal", "admin") for part in (f"--bootstrap-{name}-url", self.url)]
        return [*urls, "--bootstrap-region-id", REGION]

    def _manage(self, *command: str) -> None:
        """Run ``keystone-manage``. Raises RuntimeError with what it says if it fails."""
        program = self._python.with_name("keystone-manage")
        done = subprocess.run(
            [program, "--config-file", self._settings, *command], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"keystone-manage {command[0]} failed:\n{done.stdout}{done.stderr}"[-4000:])
