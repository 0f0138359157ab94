"""The command as a user meets it: a process of its own, its output and its end."""

import ctypes
import os
import platform
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdnapp import time_slices
from sdnapp.osken_manager import CannotStart, resolve
from sdnapp.sqlite_storage import open_storage
from topology.store import Store
from topology.values import Network, Segment

ROOT = Path(__file__).parents[2]
START = "import sys; from sdnapp.osken_manager import main; sys.exit(main())"
DEADLINE = 30.0

TINY = """
from os_ken.base.app_manager import OSKenApp

class Tiny(OSKenApp):
    def start(self):
        super().start()
        print("started", __name__, flush=True)

    def close(self):
        print("closed", __name__, flush=True)
"""

SWITCHES = """
from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls

class Switches(OSKenApp):
    @set_ev_cls(ofp_event.EventOFPStateChange, MAIN_DISPATCHER)
    def joined(self, event):
        print("joined", event.datapath.id, flush=True)
"""


def environment(*paths: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OSKEN", "PYTHONWARN"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *paths)))}


def run(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START, *arguments],
        env=environment(*([path] if path else [])),
        cwd=path,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@contextmanager
def running(directory: Path, *arguments: str):
    """Start the command in a directory; it is gone afterwards, whatever happened."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        env=environment(directory),
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=(directory / "stderr").open("w"),
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE)
        process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port: int) -> socket.socket:
    end = time.monotonic() + DEADLINE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        except ConnectionRefusedError:
            assert time.monotonic() < end, "the OpenFlow port must open"
            time.sleep(0.02)


@pytest.fixture
def apps(tmp_path):
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/__init__.py").write_text("")
    (tmp_path / "bundle/app.py").write_text(TINY.replace("Tiny", "Bundled"))
    (tmp_path / "switches.py").write_text(SWITCHES)
    return tmp_path


def test_it_says_its_version_and_its_options():
    done = run("--version")
    assert done.returncode == 0 and re.fullmatch(r"sdnapp .+, os-ken .+\n", done.stdout)
    done = run("--help")
    assert done.returncode == 0
    for option in ("--ofp-tcp-listen-port", "--sdnapp-api-listen-port", "--config-file", "--verbose", "--log-file"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--colour", "red"], "unrecognized arguments: --colour"),
        (["--sdnapp-api-listen-port", "http"], r"\[sdnapp\] api_listen_port: Invalid"),
        (["nonesuch"], "there is no module nonesuch"),
        (["bundle.nonesuch"], "there is no module bundle.nonesuch"),
        (["./nonesuch.py"], r"there is no file \./nonesuch\.py"),
        (["json"], "json is no os-ken application"),
        (["needy.py"], "needy.py cannot be imported: No module named 'what_nobody_has'"),
        (["needy"], "needy cannot be imported: No module named 'what_nobody_has'"),
        (["--config-file", "nonesuch.conf", "tiny"], r"config files: .*nonesuch\.conf"),
        (["--log-file", "nowhere/log", "tiny"], "nowhere/log: No such file"),
        (["--user-flags", "nonesuch.py", "tiny"], "--user-flags: there is no file nonesuch.py"),
    ],
)
def test_what_keeps_it_from_starting_is_one_line(apps, arguments, complaint):
    (apps / "needy.py").write_text("import what_nobody_has")
    done = run(*arguments, path=apps)
    assert done.returncode == 2
    last = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert len(last) == 1 and re.match(rf"osken-manager: .*{complaint}", last[0]), done.stderr


def test_a_bug_in_an_application_is_shown_as_one(apps):
    (apps / "buggy.py").write_text(TINY.replace("Tiny", "Buggy").replace("super().start()", "1 / 0"))
    done = run("tiny", "buggy", path=apps)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr and "buggy.py" in done.stderr
    assert "closed tiny" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_applications_of_all_sorts_run_together_and_end_together(apps, number):
    (apps / "options.py").write_text(
        "from os_ken import cfg\ncfg.CONF.register_cli_opts([cfg.StrOpt('colour', default='blue')])\n"
    )
    (apps / "asking.py").write_text(
        TINY.replace("Tiny", "Asking").replace('"started", __name__', '"colour", self.CONF.colour')
    )
    arguments = ["--user-flags", "options.py", "--colour", "red", "bundle", "./tiny.py", "asking"]
    with running(apps, *arguments) as process:
        lines = {process.stdout.readline() for _ in range(3)}
        assert lines == {"started bundle.app\n", "started tiny\n", "colour red\n"}
        process.send_signal(number)
        since = time.monotonic()
        rest, _ = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0
        assert time.monotonic() - since < 1.0
        assert sorted(rest.splitlines()) == ["closed asking", "closed bundle.app", "closed tiny"]


def test_its_log_is_clean_and_nothing_warns(apps):
    with running(apps, "tiny") as process:
        assert process.stdout.readline() == "started tiny\n"
        process.terminate()
        assert process.wait(DEADLINE) == 0
    for line in (apps / "stderr").read_text().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO [\w.]+: ", line), line


def test_linux_lets_it_have_short_slices_of_processor_time(apps):
    if platform.machine() != "x86_64":
        pytest.skip("knows the number of sched_getattr(2) on x86-64 only")
    told, own = ctypes.create_string_buffer(48), ctypes.create_string_buffer(48)
    with running(apps, "tiny") as process:
        assert process.stdout.readline() == "started tiny\n"
        for pid, attributes in ((process.pid, told), (os.getpid(), own)):
            assert ctypes.CDLL(None).syscall(315, pid, attributes, 48, 0) == 0
    slices = [struct.unpack_from("=Q", each, 24)[0] for each in (told, own)]
    if slices[1] == 0:
        pytest.skip("needs Linux 6.12 or newer, which tells slices")
    assert slices[0] == time_slices.SLICE < slices[1]


def test_it_ends_in_time_although_an_application_does_not(apps):
    (apps / "stuck.py").write_text(TINY.replace('print("closed"', "import time; time.sleep(60); print('never'"))
    with running(apps, "stuck") as process:
        assert process.stdout.readline() == "started stuck\n"
        process.terminate()
        since = time.monotonic()
        assert process.wait(DEADLINE) == 0
        assert time.monotonic() - since < 1.5
    assert "not every application closed within 0.7 s" in (apps / "stderr").read_text()


def test_it_ends_when_every_application_has_ended(apps):
    (apps / "brief.py").write_text(
        "from os_ken.base.app_manager import OSKenApp\nfrom os_ken.lib import hub\n"
        "class Brief(OSKenApp):\n    def start(self):\n        return hub.spawn(print, 'done', flush=True)\n"
    )
    done = run("brief", path=apps)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_switches_are_served_on_the_port_that_was_chosen(apps):
    port = free_port()
    with running(apps, "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(port), "switches") as process:
        switch = connect(port)
        version, kind = switch.recv(8)[:2]
        assert version >= 4 and kind == 0, "a hello of OpenFlow 1.3 or newer"
        process.terminate()
        assert process.wait(DEADLINE) == 0
        switch.close()


@pytest.mark.parametrize("sharing", [False, True])
def test_a_port_that_is_in_use_is_named(apps, sharing):
    with socket.socket() as other:
        if sharing:  # As every process does that listens through eventlet.
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(port), "switches", path=apps)
    assert done.returncode == 2
    assert (
        f"osken-manager: OpenFlow cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Stop who does, or choose another with --ofp-tcp-listen-port\n"
    ) in done.stderr
    assert "Traceback" not in done.stderr


def test_what_listens_does_not_share_its_port(apps):
    (apps / "listener.py").write_text(
        TINY.replace("super().start()", "from os_ken.lib import hub; self.s = hub.listen(('127.0.0.1', 0))").replace(
            '"started", __name__', "self.s.getsockname()[1]"
        )
    )
    with running(apps, "listener") as process, socket.socket() as other:
        port = int(process.stdout.readline())
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", port))


def ours(state: Path, *options: str) -> list[str]:
    """Arguments that start our application on loopback, on ports that are free."""
    return [
        *("--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(free_port())),
        *("--sdnapp-ovsdb-listen-host", "127.0.0.1", "--sdnapp-ovsdb-listen-port", "0"),
        *("--sdnapp-api-listen-port", "0", "--sdnapp-state-dir", str(state)),
        *options,
        "sdnapp",
    ]


def test_our_application_runs_beside_others_and_leaves_its_store_in_order(apps):
    with running(apps, *ours(apps / "state"), "tiny") as process:
        assert process.stdout.readline() == "started tiny\n"
        port = connect_to_api(apps / "stderr")
        port.close()
        process.terminate()
        since = time.monotonic()
        assert process.wait(DEADLINE) == 0
        assert time.monotonic() - since < 1.0
    log = (apps / "stderr").read_text()
    assert "stopping: SIGTERM" in log and "Traceback" not in log and "Warning" not in log
    assert f"the store is new: sqlite://{apps / 'state'}/store.sqlite;" in log
    assert {path.name for path in (apps / "state").iterdir()} == {"store.sqlite", "store.sqlite-lock"}


def connect_to_api(log: Path) -> socket.socket:
    end = time.monotonic() + DEADLINE
    while (found := re.search(r"API listens on http://127\.0\.0\.1:(\d+)", log.read_text())) is None:
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)
    return connect(int(found[1]))


def test_it_tells_where_its_store_is_and_what_is_in_it(apps):
    url = f"sqlite://{apps / 'state'}/store.sqlite"
    (apps / "state").mkdir()
    store = Store(open_storage(url))
    with store.transaction() as tx:
        tx.put(Network("n", "red", 1, Segment("geneve", 100)))
    store.close()
    with running(apps, *ours(apps / "state")):
        connect_to_api(apps / "stderr").close()
    assert f"the store is {url}, at revision 1\n" in (apps / "stderr").read_text()


def test_a_second_controller_on_the_same_store_is_turned_away(apps):
    with running(apps, *ours(apps / "state"), "tiny") as process:
        assert process.stdout.readline() == "started tiny\n"
        done = run(*ours(apps / "state"), path=apps)
        assert done.returncode == 2
        assert f"is in use by another controller (process {process.pid}): stop that one" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("option", "name"), [("api", "the API"), ("ovsdb", "OVSDB")])
def test_a_port_of_ours_that_is_in_use_is_named(apps, option, name):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = run(*ours(apps / "state", f"--sdnapp-{option}-listen-port", port), path=apps)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == (
        f"osken-manager: {name} cannot listen on 127.0.0.1:{port}: Address already in use. "
        "Stop who does, or choose another port; osken-manager --help lists the options"
    )


def test_options_are_checked_before_anything_starts(apps):
    done = run(*ours(apps / "state", "--sdnapp-api-listen-host", "0.0.0.0"), path=apps)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("osken-manager: api_listen_host: with auth_strategy = noauth, whoever reaches 0.0.0.0")


def test_a_rule_that_cannot_be_understood_is_named_before_anything_starts(apps):
    rules, conf = apps / "policy.yaml", apps / "sdnapp.conf"
    rules.write_text('"create_network": "role:member an rule:owner"')
    conf.write_text(f"[oslo_policy]\npolicy_file = {rules}\n")
    done = run("--config-file", str(conf), *ours(apps / "state"), path=apps)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        f"osken-manager: [oslo_policy] policy_file: {rules}: create_network:"
    )
    assert "Traceback" not in done.stderr


def test_it_prepares_eventlet_and_only_the_current_openflow_port():
    program = """
from sdnapp import osken_manager
osken_manager._prepare_eventlet()
import eventlet.patcher
osken_manager._parse([])
from os_ken.lib import hub
from os_ken.controller.controller import OpenFlowController
spawned = []
hub.spawn = lambda *arguments: spawned.append(arguments)
print(hub.HUB_TYPE, all(map(eventlet.patcher.is_monkey_patched, ("socket", "thread", "time", "select", "os"))))
print(OpenFlowController().ofp_tcp_listen_port, spawned)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert done.stdout == "eventlet True\n6653 []\n"


def test_a_package_stands_for_its_app():
    assert resolve("sdnapp") == "sdnapp.app"
    assert resolve("json.decoder") == "json.decoder"
    with pytest.raises(CannotStart, match=r"there is no module sdnapp\.nonesuch"):
        resolve("sdnapp.nonesuch")
    with pytest.raises(CannotStart, match="cannot be imported"):
        resolve(".")
