"""What stands between Tempest and us, and how its results are told. Tempest itself is run by ``./run tempest``."""

import json
from typing import Any

import pytest
from webob import Request, Response

from tests.tempest import report
from tests.tempest.__main__ import running_cloud
from tests.tempest.identity import ADMIN, Identity


def echo(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer with the caller that the headers name."""
    headers = Request(environ).headers
    who = [headers.get(name) for name in ("X-Project-Id", "X-User-Id", "X-Roles")]
    return Response(json=who)(environ, start_response)


@pytest.fixture
def identity() -> Identity:
    return Identity(echo)


def call(identity: Identity, method: str, path: str, body: Any = None, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request.blank(path, method=method, headers=named)
    if body is not None:
        request.body = json.dumps(body).encode()
    return request.get_response(identity)


def make(identity: Identity, kind: str, **values: Any) -> str:
    answer = call(identity, "POST", f"/identity/v3/{kind}s", {kind: values})
    assert answer.status_int == 201
    return str(answer.json[kind]["id"])


def token(identity: Identity, name: str, password: str, project: str) -> Response:
    user = {"name": name, "password": password, "domain": {"id": "default"}}
    scope = {"project": {"name": project, "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    return call(identity, "POST", "/identity/v3/auth/tokens", {"auth": auth})


def test_a_token_becomes_the_project_user_and_roles_that_it_stands_for(identity: Identity) -> None:
    project, user = make(identity, "project", name="red"), make(identity, "user", name="rita", password="secret")
    assert token(identity, "rita", "wrong", "red").status_int == 401
    assert call(identity, "PUT", f"/identity/v3/projects/{project}/users/{user}/roles/member").status_int == 204
    login = token(identity, "rita", "secret", "red")
    assert [role["name"] for role in login.json["token"]["roles"]] == ["member"]
    mine = {"X_Auth_Token": login.headers["X-Subject-Token"], "X_Roles": "admin"}
    assert call(identity, "GET", "/v2.0/ports", **mine).json == [project, user, "member"]


def test_nobody_comes_through_without_a_token(identity: Identity) -> None:
    assert call(identity, "GET", "/v2.0/ports", X_Roles="admin").status_int == 401
    assert call(identity, "GET", "/", X_Roles="admin").json == [None, None, None]


def test_the_cloud_answers_the_administrator() -> None:
    with running_cloud() as configuration:
        settings = dict(line.split(" = ") for line in configuration.splitlines() if " = " in line)
        address = settings["uri_v3"].removesuffix("/identity/v3")
        user = {"name": ADMIN, "password": ADMIN, "domain": {"name": "Default"}}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": ADMIN}},
        }
        login = send(f"{settings['uri_v3']}/auth/tokens", {"auth": auth})
        mine = {"X-Auth-Token": login.headers["X-Subject-Token"]}
        assert login.status_int == 201
        networks = send(f"{address}/v2.0/networks?limit=1", headers=mine)
    assert [network["id"] for network in networks.json["networks"]] == [settings["public_network_id"]]
    assert networks.json["networks_links"][0]["href"].startswith(address)
    assert "standard-attr-tag" in settings["api_extensions"]


def send(url: str, body: Any = None, headers: dict[str, str] | None = None) -> Response:
    request = Request.blank(url, headers=headers or {})
    if body is not None:
        request.method, request.body = "POST", json.dumps(body).encode()
    return request.send()


PORTS, TAGS = "tempest.api.network.test_ports.PortsTest", "neutron_tempest_plugin.api.admin.test_tag.TagTest"
TESTS = [
    {"id": f"{PORTS}.test_create[id-1,smoke]", "status": "success", "skipped": "", "text": ""},
    {
        "id": f"{PORTS}.test_router[id-2]",
        "status": "fail",
        "skipped": "",
        "text": "Unrecognized attribute(s) 'is_default'",
    },
    {"id": f"{PORTS}.test_odd[id-3]", "status": "fail", "skipped": "", "text": "201 POST http://x/v2.0/routers 0.1s"},
    {"id": f"setUpClass ({TAGS})", "status": "skip", "skipped": "trunk extension not enabled.", "text": ""},
    {"id": f"setUpClass ({TAGS}V6)", "status": "skip", "skipped": "IPv6 Tests are disabled.", "text": ""},
    {"id": "tempest.api.compute.test_x.X.test_y", "status": "success", "skipped": "", "text": ""},
]


def test_each_class_is_counted_with_its_reasons() -> None:
    found = report.outcomes(TESTS)
    assert report.counts(found) == "1 passed, 2 failed, 2 skipped"
    assert [each.name for each in report.unexplained(found)] == ["PortsTest"]
    text = report.render(found, {"tempest": "47.0.0", "neutron-tempest-plugin": "3.3.0"}, 38)
    why = f"{report.UNEXPLAINED}; `auto-allocated-topology` is not served"
    assert f"| `test_ports.PortsTest` | 1 | 2 |  | {why} |" in text
    assert "| `admin.test_tag.TagTest` |  |  | 1 | skipped without `trunk` |" in text
    assert "| `admin.test_tag.TagTestV6` |  |  | 1 | skipped without IPv6 |" in text
    assert (
        "With tempest 47.0.0, neutron-tempest-plugin 3.3.0: **1 passed, 2 failed, 2 skipped**, in 38 seconds." in text
    )
