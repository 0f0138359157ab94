"""Templates: the rules that new security groups begin with."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import ADMIN, READER, RED, Api, path_of

NOWHERE = "11111111-2222-4333-8444-555555555555"
COLLECTION = "default_security_group_rules"
BOTH = {"used_in_default_sg": True, "used_in_non_default_sg": True}
OTHERS = {"used_in_default_sg": False, "used_in_non_default_sg": True}
DEFAULTS = {"used_in_default_sg": True, "used_in_non_default_sg": False}


def templates(api: Api, **query: Any) -> list[dict[str, Any]]:
    return list(api.get("default-security-group-rules", RED, **query).first)


def rules_of(group: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {(rule["direction"], rule["ethertype"], rule["protocol"]) for rule in group["security_group_rules"]}


def default_rules(api: Api) -> set[tuple[Any, ...]]:
    (group,) = api.get("security-groups", RED, name="default").first
    return rules_of(group)


def test_the_first_templates(api: Api) -> None:
    found = templates(api)
    assert {(each["direction"], each["ethertype"], each["remote_group_id"]) for each in found} == {
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", "PARENT"),
        ("ingress", "IPv6", "PARENT"),
    }
    assert all(each["used_in_default_sg"] for each in found)
    assert {each["direction"] for each in found if each["used_in_non_default_sg"]} == {"egress"}
    assert templates(api) == found
    assert api.get(f"default-security-group-rules/{found[0]['id']}", READER).first == found[0]


def test_a_template_with_little_said(api: Api) -> None:
    template = api.create(COLLECTION, direction="ingress", protocol="TCP", **BOTH)
    assert (
        template
        == {
            "id": template["id"],
            "ethertype": "IPv4",
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": None,
            "port_range_max": None,
            "remote_ip_prefix": None,
            "remote_group_id": None,
            "remote_address_group_id": None,
            "description": "",
        }
        | BOTH
    )


def test_new_groups_follow_the_templates_and_old_ones_stay(api: Api) -> None:
    old = api.create("security_groups", RED)
    for protocol, uses in (("tcp", BOTH), ("udp", OTHERS), ("icmp", DEFAULTS)):
        api.create(COLLECTION, direction="ingress", protocol=protocol, **uses)
    new = api.create("security_groups", RED)
    first = {("egress", "IPv4", None), ("egress", "IPv6", None)}
    assert rules_of(new) == first | {("ingress", "IPv4", "tcp"), ("ingress", "IPv4", "udp")}
    assert rules_of(api.get(f"security-groups/{old['id']}", RED).first) == first
    (blue,) = api.get("security-groups", name="default", project_id="blue").first
    own = {("ingress", "IPv4", None), ("ingress", "IPv6", None)}
    assert rules_of(blue) == first | own | {("ingress", "IPv4", "tcp"), ("ingress", "IPv4", "icmp")}


def test_what_a_template_says_a_rule_says(api: Api) -> None:
    said = {
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "udp",
        "port_range_min": 5,
        "port_range_max": 9,
        "remote_ip_prefix": "10.0.0.5/8",
    }
    api.create(COLLECTION, **said, **OTHERS)
    group = api.create("security_groups", RED)
    (rule,) = (rule for rule in group["security_group_rules"] if rule["protocol"] == "udp")
    assert rule | said | {"normalized_cidr": "10.0.0.0/8", "remote_group_id": None} == rule


def test_a_rule_of_the_own_group(api: Api) -> None:
    api.create(COLLECTION, direction="ingress", protocol="tcp", remote_group_id="PARENT", **OTHERS)
    group = api.create("security_groups", RED)
    (rule,) = (rule for rule in group["security_group_rules"] if rule["protocol"] == "tcp")
    assert rule["remote_group_id"] == group["id"]


def test_deleted_templates_are_gone(api: Api) -> None:
    for template in templates(api):
        assert api.delete(COLLECTION, template["id"]).status == 204
    assert templates(api) == []
    assert api.create("security_groups", RED)["security_group_rules"] == []
    assert default_rules(api) == set()


def test_a_template_whose_remote_is_gone_gives_nothing(api: Api) -> None:
    remote, addresses = api.create("security_groups")["id"], api.create("address_groups")["id"]
    api.create(COLLECTION, direction="ingress", protocol="tcp", remote_group_id=remote, **OTHERS)
    api.create(COLLECTION, direction="ingress", protocol="udp", remote_address_group_id=addresses, **OTHERS)
    assert len(api.create("security_groups", RED)["security_group_rules"]) == 4
    group = api.create("security_groups", RED)
    for rule in group["security_group_rules"]:
        api.delete("security_group_rules", rule["id"])
    for rule in api.get("security-group-rules", remote_address_group_id=addresses).first:
        api.delete("security_group_rules", rule["id"])
    api.delete("security_groups", remote)
    api.delete("address_groups", addresses)
    assert len(api.create("security_groups", RED)["security_group_rules"]) == 2


BAD: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"used_in_default_sg": None}, (400, "InvalidInput")),
    ({"used_in_default_sg": "x"}, (400, "InvalidInput")),
    ({"direction": "up"}, (400, "HTTPBadRequest")),
    ({"protocol": "tcp", "port_range_min": 5}, (400, "SecurityGroupInvalidPortRange")),
    ({"remote_group_id": "PARENT", "remote_ip_prefix": "10.0.0.0/8"}, (400, "SecurityGroupMultipleRemoteEntites")),
    ({"remote_group_id": NOWHERE}, (404, "SecurityGroupNotFound")),
    ({"remote_address_group_id": NOWHERE}, (404, "AddressGroupNotFound")),
    ({"description": "x" * 1025}, (400, "HTTPBadRequest")),
    ({"direction": "egress"}, (409, "DefaultSecurityGroupRuleExists")),
    ({"direction": "egress"} | DEFAULTS, (409, "DefaultSecurityGroupRuleExists")),
]


@pytest.mark.parametrize(("attributes", "error"), BAD)
def test_what_a_template_may_not_say(api: Api, attributes: dict[str, Any], error: tuple[int, str]) -> None:
    assert api.post(COLLECTION, **{"direction": "ingress"} | BOTH | attributes).error == error


@pytest.mark.parametrize("missing", ["direction", "used_in_default_sg", "used_in_non_default_sg"])
def test_what_a_template_must_say(api: Api, missing: str) -> None:
    said = {name: value for name, value in ({"direction": "ingress"} | BOTH).items() if name != missing}
    answer = api.post(COLLECTION, **said)
    assert answer.error == (400, "HTTPBadRequest")
    assert f"Required attribute '{missing}' not specified" in answer.message


def test_templates_of_other_groups_may_say_the_same(api: Api) -> None:
    for uses in (DEFAULTS, OTHERS):
        api.create(COLLECTION, direction="ingress", protocol="tcp", **uses)
    answer = api.post(COLLECTION, direction="ingress", protocol=6, **OTHERS)
    assert answer.error == (409, "DefaultSecurityGroupRuleExists")
    answer = api.call("POST", path_of(COLLECTION), {COLLECTION: [{"direction": "ingress", "protocol": 9} | BOTH] * 2})
    assert answer.error == (409, "DefaultSecurityGroupRuleExists")


def test_administrators_choose(api: Api) -> None:
    template = templates(api)[0]["id"]
    assert api.post(COLLECTION, RED, direction="ingress", **BOTH).error == (403, "PolicyNotAuthorized")
    assert api.delete(COLLECTION, template, RED).error == (403, "PolicyNotAuthorized")
    assert api.put(COLLECTION, template, ADMIN, description="x").error == (405, "HTTPMethodNotAllowed")
    assert api.delete(COLLECTION, NOWHERE).error == (404, "DefaultSecurityGroupRuleNotFound")
    assert api.get("default-security-group-rules", {"X-Project-Id": "red", "X-Roles": "guest"}).first == []


def test_filters(api: Api) -> None:
    api.create(COLLECTION, direction="ingress", protocol="tcp", description="d", **DEFAULTS)
    for query, count in (
        ({"direction": "egress"}, 2),
        ({"used_in_non_default_sg": "true"}, 2),
        ({"protocol": "TCP"}, 1),
        ({"description": "d"}, 1),
        ({"limit": 2, "sort_key": "direction", "sort_dir": "desc"}, 2),
    ):
        assert len(templates(api, **query)) == count, query
    for wrong in ({"tenant_id": "red"}, {"revision_number": 0}, {"sort_key": "description", "sort_dir": "asc"}):
        assert api.get("default-security-group-rules", RED, **wrong).error == (400, "HTTPBadRequest")
