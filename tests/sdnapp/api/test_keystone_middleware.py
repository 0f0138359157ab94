"""The middleware of Keystone before an application of one line: who gets in, and what the operator reads."""

import logging
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from oslo_config import cfg
from webob import Request, Response

from sdnapp.api import identity, keystone
from sdnapp.api.token_cache import TokenCache
from sdnapp.certificates import issue
from sdnapp.config import OptionError
from tests.sdnapp.identity_service import ASKED, identity_service

PATIENCE = {"http_connect_timeout": "1", "http_request_max_retries": "0"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with identity_service() as place:
        yield place


@dataclass
class Door:
    """The API behind the middleware. ``now`` is its clock; ``seen`` are those that got in."""

    conf: cfg.ConfigOpts
    now: float = 1000.0
    seen: list[identity.Identity] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._app = keystone.protect(self._answer, self.conf, 5, lambda: self.now)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.seen.append(identity.confirmed(Request(environ)))
        return Response("in")(environ, start_response)

    def ask(self, token: str, method: str = "GET", path: str = "/v2.0/networks", **headers: str) -> Response:
        given = {"X-Auth-Token": token} | {name.replace("_", "-"): value for name, value in headers.items()}
        return Request.blank(path, method=method, headers=given, remote_addr="192.0.2.7").get_response(self._app)


Open = Callable[..., Door]


@pytest.fixture
def door(url: str, tmp_path: Path) -> Open:
    def opened(**options: str) -> Door:
        said = {
            "auth_url": url,
            "www_authenticate_uri": url,
            "auth_type": "password",
            "username": "sdnapp",
            "password": "right",
            "project_name": "service",
            "user_domain_id": "default",
            "project_domain_id": "default",
            **options,
        }
        file = tmp_path / "sdnapp.conf"
        file.write_text("\n".join(["[keystone_authtoken]", *(f"{name} = {value}" for name, value in said.items())]))
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[str(file)])
        return Door(conf)

    return opened


def test_who_has_a_token_for_a_project_gets_in(door: Open) -> None:
    opened = door()
    assert opened.ask("token-of-alice").text == "in"
    [alice] = opened.seen
    assert (alice.user_id, alice.project_id, alice.roles) == ("alice", "red", {"member", "reader"})


@pytest.mark.parametrize("scope", ["domain", "system"])
def test_the_administrator_of_less_or_more_than_a_project_is_nobody_here(
    door: Open, scope: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    opened = door()
    answer = opened.ask(f"token-for-{scope}", "POST")
    assert (answer.status_int, answer.json["NeutronError"]["type"]) == (403, "InvalidScope")
    assert f"request was made with {scope} scope: take one for a project" in answer.json["NeutronError"]["message"]
    assert not opened.seen
    assert "from=192.0.2.7 method=POST path=/v2.0/networks status=403" in caplog.text
    assert f"user={ {'domain': 'dora', 'system': 'sid'}[scope] } " in caplog.text


def test_a_token_for_nothing_is_not_for_a_project_either(door: Open) -> None:
    opened = door()
    assert opened.ask("token-for-nothing").status_int == 403
    forged = opened.ask("token-for-nothing", X_Project_Id="red", X_Roles="admin", OpenStack_System_Scope="all")
    assert forged.status_int == 403
    assert "with no scope" in forged.json["NeutronError"]["message"]


def test_access_rules_of_an_application_credential_hold_and_what_they_allow_goes_on(door: Open) -> None:
    opened, token = door(), "token-for-reading-networks"
    assert opened.ask(token).status_int == 200
    assert opened.ask(token, "POST").status_int == 401
    assert opened.ask(token, path="/v2.0/ports").status_int == 401
    assert opened.ask(token).status_int == 200, "refused as it had asked for too much before"
    assert all(opened.ask(token, "POST").status_int == 401 for _ in range(60)), "it is no guess, and takes no tries"


def test_unknown_service_tokens_are_guesses_though_the_user_is_known(door: Open) -> None:
    opened = door()
    answers = [opened.ask("token-of-alice", X_Service_Token=f"try-{number}").status_int for number in range(60)]
    assert (answers.count(401), answers.count(429)) == (50, 10)
    assert opened.ask("token-of-alice", X_Service_Token="token-of-sdnapp").status_int == 429


def test_roles_may_have_any_name(door: Open) -> None:
    opened = door()
    assert opened.ask("token-of-rita").status_int == 200
    assert opened.seen[0].roles == {"prüferin", "審査", "reader"}


@pytest.mark.parametrize("token", ["a\x01b", "a\x7fb", "t\xf6ken", "\x00"])
def test_what_no_token_looks_like_keystone_is_not_asked_about(door: Open, token: str) -> None:
    opened, asked = door(), ASKED.total()
    assert opened.ask(token).status_int == 401
    assert ASKED.total() == asked


def refused(opened: Door, caplog: pytest.LogCaptureFixture) -> str:
    """Ask in vain; return what the operator reads."""
    caplog.clear()
    answer = opened.ask("token-of-alice")
    assert (answer.status_int, answer.json["NeutronError"]["type"]) == (503, "HTTPServiceUnavailable")
    assert not any(record.exc_info for record in caplog.records)
    return caplog.text


def test_keystone_that_refuses_the_controller_is_told_with_what_to_look_at(
    door: Open, caplog: pytest.LogCaptureFixture
) -> None:
    said = refused(door(password="wrong"), caplog)
    assert "it does not know the controller itself: look at username, password and project_name" in said
    assert "openstack role add --user USER --project PROJECT service" in refused(door(username="powerless"), caplog)
    assert "look at interface and region_name" in refused(door(interface="admin"), caplog)


def test_keystone_that_is_not_there_or_silent_lets_nobody_in(door: Open, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        place = f"http://127.0.0.1:{nobody.getsockname()[1]}/v3"
        assert "timed out): look whether it runs, and at auth_url" in refused(door(auth_url=place, **PATIENCE), caplog)
    assert f"Unable to establish connection to {place}/auth/tokens" in refused(door(auth_url=place, **PATIENCE), caplog)


def test_keystone_behind_tls_is_asked_if_its_authority_is_known(
    door: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = issue(tmp_path / "ca", "keystone", ("127.0.0.1",))
    with identity_service(files.context(demanding=False)) as place:
        assert "its certificate is not trusted" in refused(door(auth_url=place), caplog)
        assert "look at auth_url, and at cafile" in caplog.text
        assert door(auth_url=place, cafile=str(files.ca)).ask("token-of-alice").status_int == 200


def test_by_default_a_silent_keystone_is_waited_for_some_seconds(door: Open) -> None:
    opened = door()
    assert opened.conf.keystone_authtoken.http_connect_timeout == 5
    assert door(http_connect_timeout="30").conf.keystone_authtoken.http_connect_timeout == 30


def test_an_outage_is_told_now_and_then_and_its_end(
    door: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    opened = door(**PATIENCE)
    assert opened.ask("token-of-alice").status_int == 200
    with monkeypatch.context() as away:
        away.setattr(socket.socket, "connect", _unreachable)
        away.setattr("http.client.HTTPConnection.getresponse", _unreachable)
        assert opened.ask("token-of-alice").status_int == 200, "what is remembered goes on"
        for _ in range(3):
            assert opened.ask("token-of-bob").status_int == 503
            opened.now += 4
        opened.ask("token-of-alice")
    told = [record.message for record in caplog.records if record.name == "sdnapp.api.keystone"]
    assert [each[:13] for each in told] == ["nobody gets i"]
    assert opened.ask("token-of-bob").status_int == 200
    assert caplog.records[-1].message == "Keystone says again who holds a token"


def _unreachable(*_: Any, **__: Any) -> None:
    raise requests.exceptions.ConnectionError("refused")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"auth_type": ""}, r"keystone needs a section \[keystone_authtoken\] with auth_type"),
        ({"auth_type": "magic"}, r"\[keystone_authtoken\]: The plugin magic could not be found"),
        ({"auth_url": ""}, r"\[keystone_authtoken\] auth_url: say where Keystone is"),
        ({"memcached_servers": "127.0.0.1:9"}, r"\[keystone_authtoken\] memcached_servers: it needs more packages"),
        ({"memcache_security_strategy": "MAC"}, r"\[keystone_authtoken\]: memcache_secret_key must be defined"),
    ],
)
def test_a_section_that_cannot_be_used_keeps_the_controller_from_starting(
    door: Open, option: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "memcache", None)
    with pytest.raises(OptionError, match=words):
        door(**option)


def test_what_keystone_said_is_believed_for_as_long_as_the_operator_wants(door: Open) -> None:
    for seconds, asked in (("300", 1), ("0", 3), ("-1", 3)):
        opened, before = door(token_cache_time=seconds), ASKED["token-of-rob"]
        for _ in range(3):
            assert opened.ask("token-of-rob").status_int == 200
        assert ASKED["token-of-rob"] - before == asked
        opened.now += 301
    opened, before = door(token_cache_time="300"), ASKED["token-of-rob"]
    opened.ask("token-of-rob")
    opened.now += 299
    opened.ask("token-of-rob")
    assert ASKED["token-of-rob"] - before == 1
    opened.now += 1
    opened.ask("token-of-rob")
    assert ASKED["token-of-rob"] - before == 2


def test_many_tokens_take_no_memory_for_long() -> None:
    cache = TokenCache(lambda: 1.0)
    for number in range(5_100):
        cache.set(str(number), b"", 300)
    assert len(cache._kept) == 5_000
    assert cache.get("99") is None and cache.get("100") == b""


def test_the_log_has_no_complaints_of_the_middleware_about_our_memory(
    door: Open, caplog: pytest.LogCaptureFixture
) -> None:
    door().ask("token-of-alice")
    assert "deprecated" not in caplog.text
