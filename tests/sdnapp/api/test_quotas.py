"""Quotas: who sees and sets them, what they refuse, and what usage they tell."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webob import Request

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import ADMIN, BLUE, READER, RED, Answer, Api
from topology.values import Network, Port, Quota

DEFAULTS = {"network": 100, "subnet": 100, "port": 500, "rbac_policy": 10}
MANAGER = {"X-Project-Id": "red", "X-Roles": "manager"}
NOBODY = {"X-Roles": "member"}
OVER = (409, "OverQuota")


@pytest.fixture
def tight() -> Api:
    """One network, two subnets and three ports for each project."""
    return Api(Settings(quotas={"network": 1, "subnet": 2, "port": 3}))


def limits_of(answer: Answer) -> dict[str, int]:
    return {name: answer.first[name] for name in DEFAULTS}


def test_what_is_there_by_default(api: Api) -> None:
    for path in ("quotas/red", "quotas/red/default", "quotas/red/default.json"):
        assert limits_of(api.get(path, RED)) == DEFAULTS
    assert api.get("quotas").body == {"quotas": []}
    assert limits_of(Api(Settings(quotas=DEFAULTS | {"port": 7})).get("quotas/red")) == DEFAULTS | {"port": 7}


def test_limits_are_set_shown_and_taken_back(api: Api) -> None:
    answer = api.put("quotas", "red", network=5, port="-1")
    assert (answer.status, limits_of(answer)) == (200, DEFAULTS | {"network": 5, "port": -1})
    assert limits_of(api.put("quotas", "red", subnet=6)) == DEFAULTS | {"network": 5, "subnet": 6, "port": -1}
    assert limits_of(api.get("quotas/red", READER)) == DEFAULTS | {"network": 5, "subnet": 6, "port": -1}
    assert limits_of(api.get("quotas/red/default")) == DEFAULTS
    assert limits_of(api.get("quotas/blue")) == DEFAULTS
    (listed,) = api.get("quotas").first
    assert (listed["project_id"], listed["tenant_id"], listed["network"]) == ("red", "red", 5)
    assert api.delete("quotas", "red").status == 204
    assert limits_of(api.get("quotas/red")) == DEFAULTS
    answer = api.delete("quotas", "red")
    assert answer.error == (404, "TenantQuotaNotFound")
    assert answer.message == "Quota for project red could not be found."


def test_setting_nothing_sets_nothing(api: Api) -> None:
    assert limits_of(api.put("quotas", "red")) == DEFAULTS
    assert api.get("quotas").first == []


def test_usage(api: Api) -> None:
    network = api.network(RED)
    api.subnet(network, who=RED)
    for who in (RED, RED, BLUE):
        api.port(network if who is RED else api.network(who), who)
    for path in ("quotas/red/details", "quotas/red/details.json"):
        quota = api.get(path, RED).first
        assert quota["network"] == {"limit": 100, "used": 1, "reserved": 0}
        assert quota["subnet"] == {"limit": 100, "used": 1, "reserved": 0}
        assert quota["port"] == {"limit": 500, "used": 2, "reserved": 0}
    assert api.get("quotas/nobody/details").first["port"]["used"] == 0


def test_a_project_has_no_more_than_it_may(tight: Api) -> None:
    network = tight.network(RED)
    answer = tight.post("networks", RED)
    assert answer.error == OVER
    assert answer.message == "Quota exceeded for resources: ['network']."
    tight.network(BLUE)
    for number in range(2):
        tight.subnet(network, f"10.{number}.0.0/24", RED)
    assert tight.post("subnets", RED, network_id=network, ip_version=4, cidr="10.9.0.0/24").error == OVER
    ports = [tight.port(network, RED) for _ in range(3)]
    assert tight.post("ports", RED, network_id=network).error == OVER
    tight.delete("ports", ports[0], RED)
    assert tight.post("ports", RED, network_id=network).status == 201


def test_administrators_are_held_to_the_owners_quota(tight: Api) -> None:
    assert tight.post("networks", tenant_id="red").status == 201
    assert tight.post("networks", tenant_id="red").error == OVER
    assert tight.post("networks", tenant_id="green").status == 201


def test_bulk_requests_count_as_a_whole(tight: Api) -> None:
    network = tight.network()
    ports = [{"network_id": network, "tenant_id": tenant} for tenant in ("red", "blue", "red", "red", "blue")]
    assert tight.call("POST", "/v2.0/ports", {"ports": [*ports, ports[0]]}).error == OVER
    assert tight.store.all(Port) == []
    assert tight.call("POST", "/v2.0/ports", {"ports": ports}).status == 201
    assert tight.call("POST", "/v2.0/ports", {"ports": ports[:1]}).error == OVER
    assert tight.call("POST", "/v2.0/ports", {"ports": ports[1:2]}).status == 201


@pytest.mark.parametrize(("limit", "status"), [(0, 409), (1, 201), (-1, 201)])
def test_limits_of_a_project_rule_over_the_default(tight: Api, limit: int, status: int) -> None:
    tight.put("quotas", "red", network=limit)
    assert tight.post("networks", RED).status == status
    assert tight.call("POST", "/v2.0/networks", {"networks": [{}] * 2}, RED).status == (201 if limit < 0 else 409)


def test_no_limit_is_set_below_what_is_there(api: Api) -> None:
    for _ in range(3):
        api.network(RED)
    answer = api.put("quotas", "red", network=2, port=9)
    assert answer.error == (400, "HTTPBadRequest")
    assert answer.message == "Quota limit 2 for network must be greater than or equal to already used 3"
    assert limits_of(api.get("quotas/red")) == DEFAULTS
    assert api.put("quotas", "red", network=2, check_limit=True).status == 400
    assert api.put("quotas", "red", network=2, force="true").status == 400
    assert api.put("quotas", "red", network=3).status == 200
    assert api.put("quotas", "red", network=-1).status == 200
    assert api.put("quotas", "red", network=0, force=True).first["network"] == 0
    assert api.post("networks", RED).error == OVER


BAD: list[tuple[Any, str]] = [
    ({"network": -2}, "Invalid input for network. Reason: '-2' is too small - must be at least '-1'."),
    ({"network": 1 << 31}, "Invalid input for network. Reason: '2147483648' is too large"),
    ({"network": "many"}, "Invalid input for operation: 'many' is not an integer."),
    ({"network": None}, "Invalid input for operation: 'None' is not an integer."),
    ({"network": [1]}, "Invalid input for operation: '[1]' is not an integer."),
    ({"cores": 5}, "Unrecognized attribute(s) 'cores'"),
]


@pytest.mark.parametrize(("limits", "message"), BAD)
def test_limits_that_are_none(api: Api, limits: Any, message: str) -> None:
    answer = api.call("PUT", "/v2.0/quotas/red", {"quota": limits})
    assert answer.status == 400
    assert answer.message.startswith(message)
    assert api.store.all(Quota) == []


@pytest.mark.parametrize("body", [None, [], {}, {"quota": None}, {"quota": []}, {"quotas": [{}]}, {"network": 1}])
def test_bodies_that_are_none(api: Api, body: Any) -> None:
    assert api.call("PUT", "/v2.0/quotas/red", body).error == (400, "HTTPBadRequest")


def test_a_project_id_has_a_length(api: Api) -> None:
    assert api.put("quotas", "x" * 256, network=1).error == (400, "HTTPBadRequest")
    assert api.put("quotas", "x" * 255, network=1).status == 200


def test_who_sees_and_sets_quotas(api: Api) -> None:
    for who in (READER, RED, MANAGER, ADMIN):
        for end in ("", "/default", "/details"):
            assert api.get(f"quotas/red{end}", who).status == 200
    for who in (READER, RED, MANAGER):
        refused = {
            "get_quota": [api.get("quotas", who), api.get("quotas/blue", who), api.get("quotas/blue/default", who)],
            "update_quota": [api.put("quotas", "red", who, network=1000)],
            "delete_quota": [api.delete("quotas", "red", who)],
        }
        for rule, answers in refused.items():
            for answer in answers:
                assert answer.error == (403, "PolicyNotAuthorized")
                assert answer.message == f"rule:{rule} is disallowed by policy"
        answer = api.get("quotas/blue/details", who)
        assert answer.error == (403, "AdminRequired")
        assert answer.message == (
            "User does not have admin privileges: Only admin is authorized to access quotas for another project."
        )


def test_the_callers_project(api: Api) -> None:
    assert api.get("quotas/project", RED).body == {"project": {"project_id": "red"}}
    assert api.get("quotas/tenant", RED).body == {"tenant": {"tenant_id": "red"}}
    answer = api.get("quotas/project", NOBODY)
    assert answer.error == (400, "QuotaMissingTenant")


def test_quotas_are_not_created(api: Api) -> None:
    response = Request.blank("/v2.0/quotas", method="POST", body=b'{"quota": {}}').get_response(api.app)
    assert response.status_int == 501
    assert response.json["NeutronError"]["message"] == "POST requests are not supported on this resource."
    answer = api.call("DELETE", "/v2.0/quotas/red", {"quota": {}})
    assert answer.message == "Request body is not supported in DELETE."


def test_quotas_survive_a_restart(api: Api) -> None:
    api.put("quotas", "red", network=5)
    assert api.store.get(Quota, "red") == Quota("red", (("network", 5),))


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1),
    st.dictionaries(
        st.sampled_from([*DEFAULTS, "force", "check_limit", "project_id", "tenant_id"]) | st.text(max_size=3),
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.just([[]]),
    ),
)
def test_odd_values(project_id: str, values: dict[str, Any]) -> None:
    api = Api()
    path = f"/v2.0/quotas/{quote(project_id)}"
    answer = api.call("PUT", path, {"quota": values})
    assert answer.status in (200, 400, 404, 405)
    for each in (path, f"{path}/default", f"{path}/details"):
        assert api.call("GET", each).status in (200, 404)
    assert api.post("networks", tenant_id="red").status in (201, 409)
    assert len(api.store.all(Network)) <= 1
