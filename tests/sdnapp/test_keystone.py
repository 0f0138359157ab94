"""With Keystone: the controller as a process, tokens from a stand-in, requests over HTTP."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sdnapp.identity_service import ASKED, SERVICE, identity_service

ROOT = Path(__file__).parents[2]
START = "import sys; from sdnapp.osken_manager import main; sys.exit(main())"
DEADLINE = 30.0


@dataclass
class Controller:
    url: str
    log: Path

    def call(self, method: str, path: str, token: str = "", body: Any = None, **headers: str) -> tuple[int, Any]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["X-Auth-Token"] = token
        octets = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, octets, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as response:
                status, answer = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, answer = error.code, error.read()
        return status, json.loads(answer) if answer.startswith(b"{") else answer.decode()


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    directory = tmp_path_factory.mktemp("keystone")
    with identity_service() as identity:
        (directory / "sdnapp.conf").write_text(
            f"""[sdnapp]
auth_strategy = keystone
api_listen_port = 0
ovsdb_listen_port = 0
ovsdb_listen_host = 127.0.0.1
state_dir = {directory}/state

[keystone_authtoken]
auth_url = {identity}
www_authenticate_uri = {identity}
auth_type = password
username = sdnapp
password = not-to-be-logged
project_name = service
user_domain_id = default
project_domain_id = default
"""
        )
        log = directory / "log"
        command = [sys.executable, "-c", START, "--config-file", "sdnapp.conf"]
        command += ["--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", "0", "sdnapp"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        process = subprocess.Popen(
            command, cwd=directory, env={**environment, "PYTHONPATH": str(ROOT)}, stderr=log.open("w")
        )
        try:
            yield Controller(_url(log, process), log)
        finally:
            process.terminate()
            process.wait(DEADLINE)


def _url(log: Path, process: "subprocess.Popen[bytes]") -> str:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"the API listens on (\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_without_a_token_there_is_only_what_anybody_may_read(controller: Controller) -> None:
    assert controller.call("GET", "/healthz")[0] == 200
    assert controller.call("GET", "/")[0] == 200
    for path in ("/v2.0/networks", "/v2.0/extensions", "/sdnapp/status", "/metrics", "/realized"):
        assert controller.call("GET", path)[0] == 401, path
        assert controller.call("GET", path, "made-up")[0] == 401, path


def test_nobody_becomes_somebody_by_headers(controller: Controller) -> None:
    forged = {"X_Identity_Status": "Confirmed", "X_Roles": "admin", "X_Project_Id": "red", "X_User_Id": "ann"}
    assert controller.call("GET", "/v2.0/networks", **forged)[0] == 401
    status, answer = controller.call("GET", "/sdnapp/status", "token-of-alice", **forged)
    assert (status, answer["NeutronError"]["type"]) == (403, "PolicyNotAuthorized")
    assert controller.call("GET", "/healthz", **forged)[0] == 200


def test_a_token_says_who_one_is_and_what_one_may(controller: Controller) -> None:
    body = {"network": {"name": "mine"}}
    status, made = controller.call("POST", "/v2.0/networks", "token-of-alice", body)
    assert (status, made["network"]["project_id"]) == (201, "red")
    network = f"/v2.0/networks/{made['network']['id']}"
    assert controller.call("GET", network, "token-of-rob")[0] == 200
    assert controller.call("DELETE", network, "token-of-rob")[0] == 403, "a reader only reads"
    assert controller.call("GET", network, "token-of-bob")[0] == 404, "another project's is not there"
    assert controller.call("DELETE", network, "token-of-bob")[0] == 404
    own_way = {"network": {"name": "n", "provider:network_type": "flat", "provider:physical_network": "p"}}
    assert controller.call("POST", "/v2.0/networks", "token-of-alice", own_way)[0] == 403
    assert "provider:network_type" not in controller.call("GET", network, "token-of-alice")[1]["network"]
    assert "provider:network_type" in controller.call("GET", network, "token-of-ann")[1]["network"]


def test_commands_take_a_token_from_the_environment(controller: Controller) -> None:
    def status(**environment: str) -> "subprocess.CompletedProcess[str]":
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        command = [sys.executable, "-m", "sdnapp.commands.main", "--url", controller.url, "status"]
        start = [command[0], "-c", "import sys; from sdnapp.commands.main import main; sys.exit(main())", *command[3:]]
        return subprocess.run(
            start, env={**kept, **environment}, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False
        )

    assert status(OS_TOKEN="token-of-ann").returncode == 0
    refused = status()
    assert refused.returncode == 1
    assert "wants a token: export OS_TOKEN=$(openstack token issue -f value -c id)" in refused.stderr


def test_each_write_is_in_the_audit_log_and_no_secret_is(controller: Controller) -> None:
    controller.call("POST", "/v2.0/networks", "token-of-alice", {"network": {"name": "audited"}})
    controller.call("DELETE", "/v2.0/networks/none", "token-of-bob")
    controller.call("GET", "/v2.0/networks", "token-of-bob")
    controller.call("PUT", "/v2.0/networks/none", "token-of-nobody", {"network": {"name": "x"}})
    text = controller.log.read_text()
    made, deleted, refused = [line for line in text.splitlines() if "sdnapp.audit" in line][-3:]
    assert refused.endswith("from=127.0.0.1 method=PUT path=/v2.0/networks/none status=401")
    who = 'user=alice project=red user_name="user alice" project_name="project red" roles=member,reader'
    assert f"{who} from=127.0.0.1" in made
    assert re.search(r"method=POST path=/v2.0/networks status=201 revision=[1-9]", made)
    assert re.search(r"user=bob project=blue .* method=DELETE path=/v2.0/networks/none status=404 ", deleted)
    assert "token-of" not in text
    assert SERVICE not in text
    assert "not-to-be-logged" not in text


@dataclass
class Client:
    """Whoever asks from an address of the loopback of his own."""

    controller: Controller
    address: str

    def ask(self, token: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body."""
        host, port = self.controller.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), DEADLINE, source_address=(self.address, 0))
        try:
            connection.request("GET", "/v2.0/networks", headers={"X-Auth-Token": token})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()


def test_made_up_tokens_of_one_host_cost_keystone_little_and_others_nothing(controller: Controller) -> None:
    attacker, neighbour = Client(controller, "127.0.0.3"), Client(controller, "127.0.0.4")
    assert neighbour.ask("new-token-of-rosa")[0] == 200
    assert attacker.ask("new-token-of-ron")[0] == 200
    started = time.monotonic()
    answers = [attacker.ask(f"guess-{number}") for number in range(150)]
    seconds = time.monotonic() - started
    statuses = [status for status, _, _ in answers]
    asked = sum(count for token, count in ASKED.items() if token.startswith("guess-"))
    assert set(statuses) == {401, 429}
    # Five a second (api_failed_tokens), and ten seconds' worth at once.
    assert asked == statuses.count(401) <= 50 + 5 * seconds + 1
    _, headers, body = next(answer for answer in answers if answer[0] == 429)
    message = json.loads(body)["NeutronError"]["message"]
    assert headers["retry-after"] == "1"
    assert message.startswith(
        "127.0.0.3 sends more than 5 tokens a second that Keystone does not know: try again in 1 s"
    )
    # What was known goes on from there, too; what is new waits there, and nowhere else.
    assert attacker.ask("new-token-of-ron")[0] == 200
    assert neighbour.ask("new-token-of-rosa")[0] == 200
    assert neighbour.ask("new-token-of-ruth")[0] == 200


def test_what_keystone_does_not_know_it_is_not_asked_again_at_once(controller: Controller) -> None:
    client = Client(controller, "127.0.0.5")
    for _ in range(5):
        status, headers, body = client.ask("mistyped")
        assert (status, headers["www-authenticate"][:12]) == (401, "Keystone uri")
        assert "requires authentication" in body
    assert ASKED["mistyped"] == 1
