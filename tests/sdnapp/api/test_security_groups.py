"""Security groups: the default group of each project, what new groups hold, and what keeps them."""

from typing import Any

import pytest

from sdnapp import turns
from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import ADMIN, BLUE, READER, RED, Api
from topology.values import SecurityGroup, SecurityGroupRule

NOWHERE = "11111111-2222-4333-8444-555555555555"


def default_of(api: Api, who: dict[str, str] = RED) -> dict[str, Any]:
    (group,) = api.get("security-groups", who, name="default", project_id=who.get("X-Project-Id", "default")).first
    return dict(group)


def said(rule: dict[str, Any]) -> tuple[Any, ...]:
    return rule["direction"], rule["ethertype"], rule["remote_group_id"]


def test_a_group_with_nothing_said(api: Api) -> None:
    group = api.create("security_groups", RED)
    rules = group.pop("security_group_rules")
    assert group == {
        "id": group["id"],
        "name": "",
        "description": "",
        "stateful": True,
        "shared": False,
        "tags": [],
        "tenant_id": "red",
        "project_id": "red",
        "created_at": group["created_at"],
        "updated_at": group["created_at"],
        "revision_number": 1,
    }
    assert sorted(map(said, rules)) == [("egress", "IPv4", None), ("egress", "IPv6", None)]
    assert api.get(f"security-groups/{group['id']}", RED).first == group | {"security_group_rules": rules}


def test_a_project_has_a_default_group_when_it_first_looks(api: Api) -> None:
    assert api.store.all(SecurityGroup) == []
    group = default_of(api)
    assert (group["name"], group["description"], group["stateful"]) == ("default", "Default security group", True)
    own = group["id"]
    assert sorted(map(said, group["security_group_rules"]), key=str) == [
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", own),
        ("ingress", "IPv6", own),
    ]
    assert default_of(api)["id"] == own
    assert default_of(api, BLUE)["id"] != own


@pytest.mark.parametrize("collection", ["security-groups", "security-group-rules"])
@pytest.mark.parametrize("who", [RED, READER])
def test_lists_make_the_default_group_of_ones_own_project(api: Api, collection: str, who: dict[str, str]) -> None:
    assert api.get(collection, who).first != []
    assert [group.project_id for group in api.store.all(SecurityGroup)] == ["red"]
    assert api.get(collection, BLUE, project_id="green").first == []
    assert [group.project_id for group in api.store.all(SecurityGroup)] == ["red"]
    assert api.get(collection, ADMIN, tenant_id="green").first != []
    assert api.get(collection, ADMIN, project_id="x" * 256).first == []


@pytest.mark.parametrize("collection", ["security-groups", "security-group-rules", "default-security-group-rules"])
@pytest.mark.parametrize("wrong", [{"sort_key": "x", "sort_dir": "asc"}, {"marker": "x", "limit": 1}, {"x": "y"}])
def test_a_list_that_is_refused_makes_nothing(api: Api, collection: str, wrong: dict[str, Any]) -> None:
    assert api.get(collection, **wrong).status in (400, 404)
    assert api.store.revision == 0


@pytest.mark.parametrize("collection", ["networks", "security_groups"])
def test_networks_and_groups_bring_the_default_group(api: Api, collection: str) -> None:
    api.create(collection, RED, name="x")
    assert "default" in [group.name for group in api.store.all(SecurityGroup)]


def test_the_default_group_stays_and_keeps_its_name(api: Api) -> None:
    group = default_of(api)["id"]
    assert api.put("security_groups", group, RED, name="x").error == (409, "SecurityGroupCannotUpdateDefault")
    assert api.put("security_groups", group, RED, description="x").first["description"] == "x"
    assert api.delete("security_groups", group, RED).error == (409, "SecurityGroupCannotRemoveDefault")
    assert api.delete("security_groups", group, ADMIN).status == 204
    assert default_of(api)["id"] != group


@pytest.mark.parametrize("name", ["default", "Default"])
def test_no_other_group_is_called_default(api: Api, name: str) -> None:
    error = (409, "SecurityGroupDefaultAlreadyExists")
    assert api.post("security_groups", RED, name=name).error == error
    group = api.create("security_groups", RED)["id"]
    assert api.put("security_groups", group, RED, name=name).error == error


@pytest.mark.parametrize("name", [None, 5, "x" * 256, ["x"]])
def test_a_name_is_text(api: Api, name: object) -> None:
    assert api.post("security_groups", RED, name=name).error == (400, "HTTPBadRequest")


def test_what_an_update_may_change(api: Api) -> None:
    group = api.create("security_groups", RED, name="a", stateful=False)
    changed = api.put("security_groups", group["id"], RED, name="b", description="c", stateful="yes").first
    new = {"name": "b", "description": "c", "stateful": True, "revision_number": 2}
    assert changed == group | new | {"updated_at": changed["updated_at"]}
    assert api.put("security_groups", group["id"], RED, shared=True).error == (400, "HTTPBadRequest")


def test_a_group_of_ports_stays_as_it_is(api: Api) -> None:
    group = api.create("security_groups", RED)["id"]
    port = api.port(api.network(RED), RED, security_groups=[group])
    assert api.delete("security_groups", group, RED).error == (409, "SecurityGroupInUse")
    assert api.put("security_groups", group, RED, stateful=False).error == (409, "SecurityGroupInUse")
    assert api.put("security_groups", group, RED, stateful=True).status == 200
    api.delete("ports", port, RED)
    assert api.delete("security_groups", group, RED).status == 204
    assert api.get(f"security-groups/{group}", RED).error == (404, "SecurityGroupNotFound")


def test_a_group_takes_its_rules_along_and_those_that_name_it(api: Api) -> None:
    group, other = (api.create("security_groups", RED)["id"] for _ in range(2))
    naming = api.create(
        "security_group_rules", RED, security_group_id=other, direction="ingress", remote_group_id=group
    )
    before = api.get(f"security-groups/{other}", RED).first
    assert api.delete("security_groups", group, RED).status == 204
    assert api.get("security-group-rules", RED, security_group_id=group).first == []
    assert api.get(f"security-group-rules/{naming['id']}", RED).error == (404, "SecurityGroupRuleNotFound")
    after = api.get(f"security-groups/{other}", RED).first
    assert len(after["security_group_rules"]) == 2
    assert after["revision_number"] == before["revision_number"] + 1


def test_groups_of_others_are_not_there(api: Api) -> None:
    group = api.create("security_groups", BLUE)["id"]
    assert group not in [each["id"] for each in api.get("security-groups", RED).first]
    for answer in (
        api.get(f"security-groups/{group}", RED),
        api.put("security_groups", group, RED, name="x"),
        api.delete("security_groups", group, RED),
        api.post("security_group_rules", RED, security_group_id=group, direction="ingress"),
    ):
        assert answer.error == (404, "SecurityGroupNotFound")
        assert answer.message == f"Security group {group} does not exist"


def test_readers_only_read(api: Api) -> None:
    group = api.create("security_groups", RED)["id"]
    assert api.get(f"security-groups/{group}", READER).status == 200
    for answer in (
        api.post("security_groups", READER),
        api.put("security_groups", group, READER, name="x"),
        api.delete("security_groups", group, READER),
        api.post("security_group_rules", READER, security_group_id=group, direction="ingress"),
    ):
        assert answer.error == (403, "PolicyNotAuthorized")


def test_groups_and_first_rules_count(api: Api) -> None:
    tight = Api(Settings(quotas={"security_group": 2, "security_group_rule": 6}))
    group = tight.create("security_groups", RED)["id"]
    answer = tight.post("security_groups", RED)
    assert (answer.error, answer.message) == (
        (409, "OverQuota"),
        "Quota exceeded for resources: ['security_group'].",
    )
    tight.put("quotas", "red", security_group=-1)
    answer = tight.post("security_groups", RED)
    assert answer.message == "Quota exceeded for resources: ['security_group_rule']."
    rule = {"security_group_id": group, "direction": "ingress"}
    assert tight.post("security_group_rules", RED, **rule).error == (409, "OverQuota")
    used = tight.get("quotas/red/details").first
    assert (used["security_group"]["used"], used["security_group_rule"]["used"]) == (2, 6)


def test_filters(api: Api) -> None:
    names = {"a": True, "b": False}
    groups = {name: api.create("security_groups", RED, name=name, stateful=each)["id"] for name, each in names.items()}
    api.call("PUT", f"/v2.0/security-groups/{groups['a']}/tags/blue", who=RED)
    for query, found in (
        ({"name": "a"}, ["a"]),
        ({"stateful": "false"}, ["b"]),
        ({"id": groups["b"]}, ["b"]),
        ({"tags": "blue"}, ["a"]),
        ({"shared": "true"}, []),
        ({"sort_key": "name", "sort_dir": "desc", "limit": 2}, ["default", "b"]),
    ):
        assert [group["name"] for group in api.get("security-groups", RED, **query).first] == found
    assert api.get("security-groups", RED, security_group_rules="x").error == (400, "HTTPBadRequest")


def test_others_have_their_turn_while_a_group_of_many_rules_is_shown_and_while_it_goes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = api.call("POST", "/v2.0/security-groups", {"security_group": {"name": "g"}}).body["security_group"]["id"]
    rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}
    wanted = [rule | {"port_range_min": port, "port_range_max": port} for port in range(1, 61)]
    assert api.call("POST", "/v2.0/security-group-rules", {"security_group_rules": wanted}).status == 201
    given_way: list[float] = []
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr(turns.hub, "sleep", given_way.append)
    for method, status in (("GET", 200), ("DELETE", 204)):
        given_way.clear()
        assert api.call(method, f"/v2.0/security-groups/{group}").status == status
        assert len(given_way) >= len(wanted), method
    assert api.store.find_ids(SecurityGroupRule, "security_group", group) == ()
