"""The audit log: one line for each write, whatever came of it."""

import logging
import re

import pytest

from tests.sdnapp.api.stand_ins import ADMIN, BLUE, READER, RED, Api


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sdnapp.audit")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """What was logged and is not looked at yet: names with values."""
    found = [dict(part.split("=", 1) for part in message.split(" ")) for message in caplog.messages]
    caplog.clear()
    return found


def test_a_write_is_told_with_what_it_made(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    network = api.network(RED | {"X-User-Id": "alice"})
    [line] = lines(caplog)
    assert re.fullmatch(r"req-[0-9a-f-]{36}", line.pop("request"))
    assert line == {
        "user": "alice",
        "project": "red",
        "roles": "member,reader",
        "method": "POST",
        "path": "/v2.0/networks",
        "status": "201",
        "revision": str(api.store.revision),
        "created": network,
    }
    ports = [api.port(network), api.port(network)]
    assert [line["created"] for line in lines(caplog)] == ports
    body = {"ports": [{"network_id": network}] * 2}
    made = [port["id"] for port in api.call("POST", "/v2.0/ports", body).first]
    assert lines(caplog)[0]["created"] == ",".join(made)


def test_reading_is_not_told(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.get("networks")
    assert lines(caplog) == []


def test_what_was_refused_is_told(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    network = api.network(RED)
    caplog.clear()
    api.post("networks", READER)
    api.put("networks", network, BLUE, name="mine")
    api.call("POST", "/v2.0/networks", raw=b"{")
    api.call("DELETE", "/nothing")
    found = [(line["method"], line["path"], line["status"]) for line in lines(caplog)]
    assert found == [
        ("POST", "/v2.0/networks", "403"),
        ("PUT", f"/v2.0/networks/{network}", "404"),
        ("POST", "/v2.0/networks", "400"),
        ("DELETE", "/nothing", "404"),
    ]


def test_actions_are_told(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    router, subnet = api.create("routers")["id"], api.subnet(api.network())
    caplog.clear()
    path = f"/v2.0/routers/{router}/add_router_interface"
    assert api.call("PUT", path, {"subnet_id": subnet}).status == 200
    assert api.call("PUT", path, {"subnet_id": subnet}).status == 400
    assert [(line["path"], line["status"]) for line in lines(caplog)] == [(path, "200"), (path, "400")]


def test_a_file_is_told_with_its_project(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    document = {"project": "red", "networks": [{"name": "lan"}]}
    for dry_run in ("true", "false"):
        assert api.call("POST", f"/sdnapp/apply?dry_run={dry_run}", document, ADMIN).status == 200
    first, second = lines(caplog)
    assert (first["path"], first["target"], first["dry_run"]) == ("/sdnapp/apply", "red", "True")
    assert (second["target"], second["dry_run"]) == ("red", "False")
    assert second["changes"] != "0"


def test_nobody_forges_a_line_or_fills_the_disk(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.call("DELETE", "/v2.0/networks/x%0Auser=admin%20status=200" + "y" * 5000)
    [message] = caplog.messages
    assert "\n" not in message and len(message) < 1000
    assert 'path="/v2.0/networks/x\\nuser=admin status=200yyy' in message
