"""What all commands have in common: the URL, failures in one line, exit status, a quick start."""

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sdnapp.commands.main import main

ROOT = Path(__file__).parents[3]
STATUS = {
    "revision": 7,
    "chassis": [],
    "networks": 0,
    "ports": {"total": 0, "active": 0},
    "unrealized": [],
    "rejected": [],
    "failed": [],
}
LINE = "Revision 7: 0 networks, 0 of 0 ports active, 0 of 0 chassis alive.\n"


def test_the_url_is_the_options_or_the_environments(stub, sdnapp, monkeypatch):
    stub.answer("/sdnapp/status", STATUS)
    stub.answer("/deep/down/sdnapp/status", STATUS)
    assert sdnapp("status") == (0, LINE, "")
    monkeypatch.setenv("SDNAPP_URL", "http://192.0.2.1")
    assert sdnapp("--url", stub.url, "status") == (0, LINE, "")
    assert sdnapp("status", "--url", f"{stub.url}/deep/down/") == (0, LINE, "")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9696", "ftp://host", "http://", "http://host:port", "http://host:99999", "x"]
)
def test_a_url_that_is_none(sdnapp, url):
    status, out, err = sdnapp("--url", url, "status")
    assert (status, out) == (1, "")
    assert err == f"sdnapp: --url {url}: expected http://HOST:PORT, such as http://127.0.0.1:9696\n"


def test_json_is_taken_before_and_after_the_command(stub, sdnapp):
    stub.answer("/sdnapp/status", STATUS)
    before, after = sdnapp("--json", "status"), sdnapp("status", "--json")
    assert before == after and '"revision": 7' in before[1]


def test_a_controller_that_is_down(sdnapp):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        status, out, err = sdnapp("--url", url, "status")
    assert (status, out) == (1, "")
    assert err == (
        f"sdnapp: no controller answers at {url}: start one with `osken-manager sdnapp`, "
        "or name another with --url or SDNAPP_URL\n"
    )


def test_a_controller_elsewhere_may_listen_to_itself_only(sdnapp, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionRefusedError

    monkeypatch.setattr("http.client.HTTPConnection.request", refuse)
    status, _, err = sdnapp("--url", "http://192.0.2.1:9696", "status")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("sdnapp: no controller answers at http://192.0.2.1:9696: ")
    assert "only on its own 127.0.0.1" in err and "ssh -L 9696:127.0.0.1:9696 192.0.2.1" in err


def test_somebody_answers_in_another_language(sdnapp):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def speak() -> None:
            with server.accept()[0] as peer:
                # Closing with the request unread would be a reset, and the answer might never be seen.
                peer.recv(65536)
                peer.sendall(b'{"method":"monitor_cond","params":[]}')

        speaker = threading.Thread(target=speak)
        speaker.start()
        status, out, err = sdnapp("--url", url, "status")
        speaker.join()
    assert (status, out) == (1, "")
    assert err == f"sdnapp: what answers at {url} is no sdnapp controller (it does not speak HTTP): check --url\n"


def test_version(sdnapp):
    status, out, _ = sdnapp("--version")
    assert status == 0 and re.fullmatch(r"sdnapp \S+\n", out)


def test_a_name_that_nobody_has(sdnapp):
    status, _, err = sdnapp("--url", "http://nobody.invalid", "status")
    assert status == 1 and err.startswith("sdnapp: cannot reach a controller at http://nobody.invalid: ")
    assert err.count("\n") == 1


def test_somebody_else_answers(stub, sdnapp):
    stub.answer("/sdnapp/status", b"<html>welcome</html>")
    assert sdnapp("status") == (
        1,
        "",
        f"sdnapp: what answers at {stub.url} is no sdnapp controller (status 200 and no JSON): check --url\n",
    )


def test_the_controllers_own_words_are_shown(stub, sdnapp):
    stub.answer("/sdnapp/status", {"NeutronError": {"type": "X", "message": "Only\nadmins.", "detail": ""}}, 403)
    assert sdnapp("status") == (1, "", "sdnapp: Only admins.\n")
    stub.answer("/sdnapp/status", {"error": "?"}, 500)
    assert sdnapp("status") == (1, "", f"sdnapp: the controller at {stub.url} answered with status 500\n")


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["chassis"], ["chassis", "show"], ["flows"], ["trace", "--port", "p"], ["status", "--colour"]],
)
def test_wrong_usage(sdnapp, arguments):
    status, out, err = sdnapp(*arguments)
    assert (status, out) == (2, "") and "usage: sdnapp" in err


def test_help_names_every_command(sdnapp):
    status, out, _ = sdnapp("--help")
    assert status == 0
    for name in ("chassis", "apply", "export", "status", "flows", "trace", "wait"):
        assert f"\n    {name} " in out


def test_an_interruption_is_no_traceback(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sdnapp.commands.status.Client", interrupted)
    assert main(["status"]) == 130


def test_a_reader_that_leaves_early_is_no_traceback(stub):
    stub.answer("/sdnapp/status", STATUS)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", "from sdnapp.commands.main import main; raise SystemExit(main())", "status"],
        env={**os.environ, "SDNAPP_URL": stub.url},
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_it_starts_without_what_the_controller_needs():
    program = """
import sys
import sdnapp.commands.main
heavy = {"os_ken", "eventlet", "neutron_lib", "oslo_config", "webob", "netaddr", "yaml", "flows", "topology"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"
