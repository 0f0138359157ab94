"""A private Open vSwitch for tests: real ``ovsdb-server`` and ``ovs-vswitchd``, dummy datapath, no root.

Everything lives in one directory: sockets, database, logs, pid files. Several run side by side and none touches the
machine's own Open vSwitch. Processes are ended by the ids that were recorded when they were started.

    with OvsDummy() as ovs:
        ovs.add_bridge("br-int", controller=("127.0.0.1", port))
        number = ovs.add_port("br-int", "p1", iface_id="5f6d...")
        ovs.receive("p1", frame)              # as if the frame had arrived on p1
        assert ovs.dump_flows("br-int") == [...]

Tests that take the ``ovs`` fixture (see conftest.py) get a fresh one and fail when ``ovs-vswitchd`` died under them.
"""

import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sdnapp.ovsdb.versions import version_of

PROGRAMS = ("ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl", "ovs-appctl")
_TLS_COLUMNS = {"private-key": "private_key", "certificate": "certificate", "ca-cert": "ca_cert"}
DEADLINE = 20.0
"""Seconds that any command or condition may take."""

T = TypeVar("T")


def version() -> tuple[int, ...]:
    """Return the version of the Open vSwitch in the PATH."""
    command = ["ovs-vswitchd", "--version"]
    said = subprocess.run(command, env=os.environ | {"PATH": _path()}, capture_output=True, text=True, check=True)
    return version_of(said.stdout.splitlines()[0].split()[-1])


def missing() -> list[str]:
    """Return the programs that this needs and the PATH lacks (Debian: ``openvswitch-switch``)."""
    return [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]


def wait_for(condition: Callable[[], T], what: str, seconds: float = DEADLINE) -> T:
    """Return the condition's first true value. Raises TimeoutError, which names ``what``, after the deadline."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


class OvsDummy:
    """One Open vSwitch. Use it as a context manager, or call ``start`` and ``stop``.

    Dummies take the place of every datapath and device type, as in Open vSwitch's own tests; with ``tunnels``, only of
    those that are asked for by ``type=dummy``, so that Geneve and VXLAN ports do encapsulate. ``schema`` is the
    database's, if it is not that of the Open vSwitch in the PATH.
    """

    def __init__(self, *, tunnels: bool = False, schema: Path | None = None) -> None:
        self._schema = schema
        self._dummies = "--enable-dummy" if tunnels else "--enable-dummy=override"
        self.directory = Path()
        self._server: subprocess.Popen[bytes] | None = None
        self._switch: subprocess.Popen[bytes] | None = None
        self._captures: dict[str, Path] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Processes

    def start(self) -> None:
        """Make an empty database and start both daemons. Returns when they answer."""
        # Short, as the path of a unix socket has 107 characters at most.
        self.directory = Path(tempfile.mkdtemp(prefix="ovs-"))
        try:
            self._run("ovsdb-tool", "create", self.database, *([str(self._schema)] if self._schema else []))
            self.start_server()
            self._run("ovs-vsctl", "--no-wait", "init")
            self.start_switch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both daemons and remove the directory."""
        self.kill_switch()
        self.kill_server()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start_server(self) -> None:
        """Start ``ovsdb-server``: a unix socket, and the managers that ``set_manager`` names."""
        self._server = self._spawn(
            "ovsdb-server",
            self.database,
            f"--remote=punix:{self.directory}/db.sock",
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
            *(f"--{option}=db:Open_vSwitch,SSL,{column}" for option, column in _TLS_COLUMNS.items()),
            f"--unixctl={self.directory}/server.ctl",
            f"--log-file={self.directory}/server.log",
        )
        wait_for(lambda: self._answers("server.ctl"), "ovsdb-server answers")

    def start_switch(self) -> None:
        """Start ``ovs-vswitchd``. Returns when every bridge of the database is up."""
        self._switch = self._spawn(
            "ovs-vswitchd",
            f"unix:{self.directory}/db.sock",
            self._dummies,
            "--disable-system",
            "--disable-system-route",
            f"--unixctl={self.directory}/switch.ctl",
            f"--log-file={self.directory}/switch.log",
        )
        wait_for(lambda: self._answers("switch.ctl"), "ovs-vswitchd answers")
        bridges = set(self.vsctl("--no-wait", "list-br").split())
        wait_for(lambda: bridges <= set(self.appctl("ofproto/list").split()), f"bridges {bridges} are up")

    def kill_switch(self) -> None:
        """``kill -9`` of ``ovs-vswitchd``: flows and connections are gone, the database stays."""
        _kill(self._switch)
        self._switch = None

    def pause_switch(self) -> None:
        """Stop ``ovs-vswitchd`` in its tracks: connections stay, nobody answers."""
        os.kill(self.switch_pid, signal.SIGSTOP)

    def resume_switch(self) -> None:
        """Let a paused ``ovs-vswitchd`` go on."""
        os.kill(self.switch_pid, signal.SIGCONT)

    def kill_server(self) -> None:
        """``kill -9`` of ``ovsdb-server``; the database's file stays."""
        _kill(self._server)
        self._server = None

    def restart_switch(self) -> None:
        """Kill ``ovs-vswitchd`` and start it again."""
        self.kill_switch()
        self.start_switch()

    @property
    def switch_pid(self) -> int:
        """Process id of ``ovs-vswitchd``. Raises RuntimeError when it does not run."""
        if self._switch is None:
            raise RuntimeError("ovs-vswitchd was not started")
        return self._switch.pid

    def died(self) -> str | None:
        """Return the end of the log of ``ovs-vswitchd`` if it ended by itself, else None."""
        if self._switch is None or self._switch.poll() is None:
            return None
        return f"ovs-vswitchd ended with {self._switch.returncode}:\n{self.log()[-3000:]}"

    def log(self) -> str:
        """What ``ovs-vswitchd`` has logged so far."""
        return (self.directory / "switch.log").read_text(errors="replace")

    # Commands

    @property
    def database(self) -> str:
        """Path of the database's file."""
        return f"{self.directory}/conf.db"

    @property
    def socket(self) -> str:
        """The database's unix socket, as ``ovs-vsctl --db`` takes it."""
        return f"unix:{self.directory}/db.sock"

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which ``ovs-vsctl`` and the other commands reach this instance."""
        places = dict.fromkeys(("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR"), str(self.directory))
        return os.environ | places | {"PATH": _path()}

    def vsctl(self, *arguments: str) -> str:
        """Run ``ovs-vsctl`` and return what it wrote. Raises RuntimeError."""
        return self._run("ovs-vsctl", f"--timeout={DEADLINE:.0f}", *arguments).strip()

    def ofctl(self, *arguments: str) -> str:
        """Run ``ovs-ofctl -O OpenFlow13`` and return what it wrote. Raises RuntimeError."""
        return self._run("ovs-ofctl", "-O", "OpenFlow13", f"--timeout={DEADLINE:.0f}", *arguments)

    def appctl(self, *arguments: str) -> str:
        """Run ``ovs-appctl`` on ``ovs-vswitchd`` and return what it wrote. Raises RuntimeError."""
        return self._run("ovs-appctl", "-t", f"{self.directory}/switch.ctl", *arguments)

    # Bridges and ports

    def add_bridge(
        self,
        name: str,
        *,
        datapath_id: int | None = None,
        controller: tuple[str, int] | None = None,
        protocols: str = "OpenFlow13",
    ) -> None:
        """Add a bridge in secure fail mode; with the controller at that address and port, if any."""
        settings = ["datapath_type=dummy", "fail_mode=secure", f"protocols={protocols}"]
        if datapath_id is not None:
            settings.append(f"other_config:datapath-id={datapath_id:016x}")
        more = ["--", "set-controller", name, _target(controller)] if controller else []
        self.vsctl("add-br", name, "--", "set", "Bridge", name, *settings, *more)

    def set_controller(self, bridge: str, address: tuple[str, int]) -> None:
        """Let a bridge connect to the controller at that address and port."""
        self.vsctl("set-controller", bridge, _target(address))

    def set_manager(self, address: tuple[str, int]) -> None:
        """Let the database connect to the OVSDB manager at that address and port."""
        self.vsctl("set-manager", _target(address))

    def add_port(self, bridge: str, name: str, *, iface_id: str | None = None, ofport: int | None = None) -> int:
        """Add a dummy interface, bound by ``iface-id`` if given, and return its OpenFlow port number.

        What the switch sends out of it is kept: see ``sent``.
        """
        self._captures[name] = self.directory / f"{name}.pcap"
        settings = ["type=dummy", f"options:tx_pcap={self._captures[name]}"]
        if iface_id is not None:
            settings.append(f"external_ids:iface-id={iface_id}")
        if ofport is not None:
            settings.append(f"ofport_request={ofport}")
        self.vsctl("add-port", bridge, name, "--", "set", "Interface", name, *settings)
        return self.ofport(name)

    def del_port(self, name: str) -> None:
        """Remove an interface from its bridge."""
        self.vsctl("del-port", name)

    def ofport(self, name: str) -> int:
        """Return the OpenFlow port number of an interface."""
        return int(self.vsctl("get", "Interface", name, "ofport"))

    def receive(self, port: str, frame: bytes) -> None:
        """Let a frame arrive on a dummy interface."""
        self.appctl("netdev-dummy/receive", port, frame.hex())

    def sent(self, port: str) -> list[bytes]:
        """Return every frame that the switch has sent out of a dummy interface, oldest first."""
        try:
            data = self._captures[port].read_bytes()
        except FileNotFoundError:
            return []
        frames, position = [], 24
        while position + 16 <= len(data):
            (length,) = struct.unpack_from("<I", data, position + 8)
            frames.append(data[position + 16 : position + 16 + length])
            position += 16 + length
        return frames

    # Flows

    def dump_flows(self, bridge: str, match: str = "", *, cookies: bool = False) -> list[str]:
        """Return the bridge's flows, sorted, as ``ovs-ofctl`` writes them, without counters and ages.

        Port numbers are numbers, and table numbers and priorities are always there.
        """
        lines = self.ofctl("--no-names", "dump-flows", bridge, *([match] if match else [])).splitlines()
        return sorted(_tidy(line, cookies) for line in lines if "actions=" in line)

    def trace(self, bridge: str, packet: str) -> str:
        """Return what ``ofproto/trace`` says about a packet, for example ``in_port=1,icmp,nw_dst=10.0.0.5``."""
        return self.appctl("ofproto/trace", bridge, packet)

    def datapath_actions(self, bridge: str, packet: str) -> str:
        """Return only the outcome of ``trace``, for example ``drop`` or ``set(...),2``."""
        return self.trace(bridge, packet).rpartition("Datapath actions: ")[2].splitlines()[0]

    # Inner parts

    def _answers(self, control: str) -> bool:
        if not (self.directory / control).exists():
            return False
        command = ["ovs-appctl", "-t", f"{self.directory}/{control}", "version"]
        return subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{command[0]}.out").open("ab") as out:
            return subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=DEADLINE * 3, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed with {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def _target(address: tuple[str, int]) -> str:
    host, port = address
    return f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE)


_COUNTERS = re.compile(r"(?:duration|n_packets|n_bytes|idle_age|hard_age)=[^ ,]*,? ?")
_COOKIE = re.compile(r"cookie=\w+, ?")


def _tidy(line: str, cookies: bool) -> str:
    line = _COUNTERS.sub("", line.strip())
    return line if cookies else _COOKIE.sub("", line)
