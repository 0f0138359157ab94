"""``osken-manager sdnapp`` as a process of its own, and a client for its API: for tests on real Open vSwitch."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sdnapp.tls import Credentials
from tests.real_ovs.ovs_dummy import DEADLINE, wait_for

ROOT = Path(__file__).parents[2]


class RunningController:
    """One controller on loopback with its own state directory. ``kill`` and ``start`` again keep ports and state."""

    def __init__(self, *options: str, tls: Credentials | None = None, client: Credentials | None = None) -> None:
        self._options = options
        self._tls, self._client = tls, client
        self._directory = tempfile.TemporaryDirectory(prefix="sdnapp-")
        self._process: subprocess.Popen[bytes] | None = None
        self.api_port, self.ovsdb_port, self.openflow_port = _free_ports(3)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill(signal.SIGTERM)
        self._directory.cleanup()

    def start(self) -> None:
        """Start it, and return when its API answers."""
        command = [
            *(sys.executable, "-c", "from sdnapp.osken_manager import main; raise SystemExit(main())"),
            *("--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(self.openflow_port)),
            *self._tls_options(),
            *("--sdnapp-ovsdb-listen-host", "127.0.0.1", "--sdnapp-ovsdb-listen-port", str(self.ovsdb_port)),
            *("--sdnapp-api-listen-port", str(self.api_port), "--sdnapp-state-dir", self._directory.name),
            *self._options,
            "sdnapp",
        ]
        with self._log_file.open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        wait_for(self._answers, "the controller answers")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it with a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(DEADLINE)
            self._process = None

    def restart(self) -> None:
        """Kill -9, and start again."""
        self.kill()
        self.start()

    @property
    def pid(self) -> int:
        """Its process id, while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.api_port}"

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log_file.read_text(errors="replace")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API as administrator and return the JSON answer. Raises RuntimeError with the error's body."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE, context=self._context()) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text else None

    def create(self, kind: str, **attributes: Any) -> dict[str, Any]:
        """Create a network, subnet or port and return it."""
        created: dict[str, Any] = self.call("POST", f"/v2.0/{kind}s", {kind: attributes})[kind]
        return created

    def update(self, kind: str, row_id: str, **attributes: Any) -> dict[str, Any]:
        """Update a resource and return it."""
        updated: dict[str, Any] = self.call("PUT", f"/v2.0/{kind}s/{row_id}", {kind: attributes})[kind]
        return updated

    def port(self, port_id: str) -> dict[str, Any]:
        """Return a port."""
        shown: dict[str, Any] = self.call("GET", f"/v2.0/ports/{port_id}")["port"]
        return shown

    def wait_status(self, port_id: str, status: str = "ACTIVE") -> dict[str, Any]:
        """Wait until a port has a status; return the port."""

        def reached() -> dict[str, Any] | None:
            shown = self.port(port_id)
            return shown if shown["status"] == status else None

        return wait_for(reached, f"port {port_id} is {status}") or {}

    def wait_realized(self) -> None:
        """Wait until every live chassis has confirmed what was asked so far."""
        self.call("GET", f"/realized?wait={DEADLINE:.0f}")

    def chassis(self, chassis_id: str) -> dict[str, Any]:
        """Return the operator's view of one chassis. Raises RuntimeError if there is none."""
        answer: dict[str, Any] = self.call("GET", f"/sdnapp/chassis/{chassis_id}")["chassis"]
        return answer

    def metric(self, name: str) -> float:
        """Return the value of one metric, labels included in the name; 0 where it is not there."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=DEADLINE, context=self._context()) as response:
            found = re.search(rf"^{re.escape(name)} (\S+)$", response.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def _tls_options(self) -> list[str]:
        if self._tls is None:
            return []
        files = [f"--sdnapp-tls-{name}={getattr(self._tls, name)}" for name in ("cert", "key", "ca")]
        return [*files, "--ofp-ssl-listen-port", str(self.openflow_port)]

    def _context(self) -> ssl.SSLContext | None:
        if self._tls is None:
            return None
        context = ssl.create_default_context(cafile=str(self._tls.ca))
        if self._client is not None:
            context.load_cert_chain(self._client.cert, self._client.key)
        return context

    @property
    def _log_file(self) -> Path:
        return Path(self._directory.name) / "controller.log"

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"the controller ended with {self._process.returncode}:\n{self.log[-3000:]}")
        try:
            return bool(self.call("GET", "/healthz"))
        except OSError:
            return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return numbers
