"""Security groups and address groups that are shared: who sees them, who uses them, who changes them."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import ADMIN, BLUE, RED, Api

GREEN = {"X-Project-Id": "green", "X-Roles": "member"}


def share(api: Api, object_type: str, object_id: str, target: str = "blue", who: dict[str, str] = RED) -> str:
    policy = {"object_type": object_type, "object_id": object_id, "action": "access_as_shared"}
    return str(api.create("rbac_policies", who, target_tenant=target, **policy)["id"])


@pytest.fixture
def group(api: Api) -> str:
    return str(api.create("security_groups", RED, name="ours")["id"])


@pytest.fixture
def addresses(api: Api) -> str:
    return str(api.create("address_groups", RED, name="ours", addresses=["10.0.0.0/24"])["id"])


@pytest.mark.parametrize(("target", "who"), [("blue", RED), ("*", ADMIN)])
def test_a_shared_group_is_seen_and_used(api: Api, group: str, target: str, who: dict[str, str]) -> None:
    share(api, "security_group", group, target, who)
    shown = api.get(f"security-groups/{group}", BLUE).first
    assert (shown["shared"], len(shown["security_group_rules"])) == (True, 2)
    assert [each["id"] for each in api.get("security-groups", BLUE, shared="true").first] == [group]
    assert api.get(f"security-groups/{group}", RED).first["shared"] is (target == "*")
    assert (api.get(f"security-groups/{group}", GREEN).status == 200) is (target == "*")
    port = api.create("ports", BLUE, network_id=api.network(BLUE), security_groups=[group])
    assert port["security_groups"] == [group]
    own = api.create("security_groups", BLUE)["id"]
    rule = {"security_group_id": own, "direction": "ingress", "remote_group_id": group}
    assert api.create("security_group_rules", BLUE, **rule)["remote_group_id"] == group


def test_a_shared_group_is_changed_by_its_owner(api: Api, group: str) -> None:
    share(api, "security_group", group)
    own_rule = api.get("security-group-rules", RED, security_group_id=group).first[0]["id"]
    for answer in (
        api.put("security_groups", group, BLUE, name="x"),
        api.delete("security_groups", group, BLUE),
        api.post("security_group_rules", BLUE, security_group_id=group, direction="ingress"),
        api.call("PUT", f"/v2.0/security-groups/{group}/tags/x", who=BLUE),
    ):
        assert answer.error == (403, "PolicyNotAuthorized")
    assert api.get("security-group-rules", BLUE, security_group_id=group).first == []
    assert api.delete("security_group_rules", own_rule, BLUE).error == (404, "SecurityGroupRuleNotFound")


def test_a_group_that_others_have_on_ports_stays_shared(api: Api, group: str) -> None:
    policy = share(api, "security_group", group)
    port = api.port(api.network(BLUE), BLUE, security_groups=[group])
    answer = api.delete("rbac_policies", policy, RED)
    assert answer.error == (409, "RbacPolicyInUse")
    assert "project_id=blue" in answer.message
    api.delete("ports", port, BLUE)
    assert api.delete("rbac_policies", policy, RED).status == 204
    assert api.get(f"security-groups/{group}", BLUE).error == (404, "SecurityGroupNotFound")


def test_shared_addresses_are_seen_used_and_kept(api: Api, addresses: str) -> None:
    policy = share(api, "address_group", addresses)
    assert api.get(f"address-groups/{addresses}", BLUE).first["addresses"] == ["10.0.0.0/24"]
    assert [each["id"] for each in api.get("address-groups", BLUE).first] == [addresses]
    assert api.get(f"address-groups/{addresses}", GREEN).error == (404, "AddressGroupNotFound")
    own = api.create("security_groups", BLUE)["id"]
    said = {"security_group_id": own, "direction": "ingress", "remote_address_group_id": addresses}
    rule = api.create("security_group_rules", BLUE, **said)["id"]
    path = f"/v2.0/address-groups/{addresses}"
    for answer in (
        api.put("address_groups", addresses, BLUE, name="x"),
        api.call("PUT", f"{path}/add_addresses", {"addresses": ["10.0.0.0/8"]}, BLUE),
        api.call("PUT", f"{path}/remove_addresses", {"addresses": ["10.0.0.0/24"]}, BLUE),
    ):
        assert answer.error == (404, "AddressGroupNotFound")
    assert api.delete("address_groups", addresses, BLUE).error == (403, "PolicyNotAuthorized")
    assert api.delete("rbac_policies", policy, RED).error == (409, "RbacPolicyInUse")
    api.delete("security_group_rules", rule, BLUE)
    assert api.delete("rbac_policies", policy, RED).status == 204


@pytest.mark.parametrize(
    ("object_type", "collection"), [("security_group", "security_groups"), ("address_group", "address_groups")]
)
def test_policies_go_with_their_object(api: Api, object_type: str, collection: str) -> None:
    row = api.create(collection, RED)["id"]
    policy = share(api, object_type, row)
    assert api.delete(collection, row, RED).status == 204
    assert api.get(f"rbac-policies/{policy}", RED).status == 404


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"target_tenant": "*"}, (403, "PolicyNotAuthorized")),
        ({"object_type": "address_group"}, (400, "InvalidInput")),
        ({"action": "access_as_external"}, (400, "InvalidActionForType")),
    ],
)
def test_policies_that_cannot_be(api: Api, group: str, attributes: dict[str, Any], error: tuple[int, str]) -> None:
    wanted = {
        "object_type": "security_group",
        "object_id": group,
        "action": "access_as_shared",
        "target_tenant": "blue",
    }
    assert api.post("rbac_policies", RED, **wanted | attributes).error == error
