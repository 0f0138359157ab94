"""RBAC policies: shared with one project, with all, with none; what stands against withdrawal; who may do it."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import BLUE, READER, RED, Api

GREEN = {"X-Project-Id": "green", "X-User-Id": "gil", "X-Roles": "member"}
FORBIDDEN = (403, "PolicyNotAuthorized")
IN_USE = (409, "RbacPolicyInUse")
SHARED = "access_as_shared"
KINDS = ("network", "subnetpool", "address_scope")
COLLECTIONS = {"network": "networks", "subnetpool": "subnetpools", "address_scope": "address_scopes"}


def an_object(api: Api, kind: str, who: dict[str, str] = RED, **attributes: Any) -> str:
    needed: dict[str, dict[str, Any]] = {
        "subnetpool": {"name": "p", "prefixes": ["10.0.0.0/8"], "default_prefixlen": 24},
        "address_scope": {"ip_version": 4},
    }
    return str(api.create(COLLECTIONS[kind], who, **needed.get(kind, {}), **attributes)["id"])


def policy_on(kind: str, object_id: str, target: str) -> dict[str, str]:
    return {"object_type": kind, "object_id": object_id, "action": SHARED, "target_tenant": target}


def share(api: Api, kind: str, object_id: str, target: str, who: dict[str, str] = RED) -> str:
    return str(api.create("rbac_policies", who, **policy_on(kind, object_id, target))["id"])


def path(kind: str, object_id: str = "") -> str:
    return f"{COLLECTIONS[kind].replace('_', '-')}/{object_id}".rstrip("/")


def use(api: Api, kind: str, object_id: str, who: dict[str, str]) -> tuple[str, str]:
    """Let a project use an object; return the collection and id of what it made."""
    if kind == "network":
        return "ports", api.port(object_id, who)
    if kind == "subnetpool":
        wanted = {"network_id": api.network(who), "ip_version": 4, "subnetpool_id": object_id}
        return "subnets", api.create("subnets", who, **wanted)["id"]
    wanted = {"name": "q", "prefixes": ["11.0.0.0/8"], "address_scope_id": object_id}
    return "subnetpools", api.create("subnetpools", who, **wanted)["id"]


def test_a_policy(api: Api) -> None:
    network = api.network(RED)
    policy = api.create("rbac_policies", RED, **policy_on("network", network, "blue"))
    assert policy == policy_on("network", network, "blue") | {
        "id": policy["id"],
        "tenant_id": "red",
        "project_id": "red",
    }
    assert api.get(f"rbac-policies/{policy['id']}", RED).body == {"rbac_policy": policy}
    assert api.get("rbac-policies", RED).body == {"rbac_policies": [policy]}
    assert api.get("rbac-policies", object_id=network, object_type="network", action=SHARED).first == [policy]
    assert api.get("rbac-policies", target_tenant="green").first == []
    assert api.delete("rbac_policies", policy["id"], RED).status == 204
    assert api.get(f"rbac-policies/{policy['id']}", RED).error == (404, "RbacPolicyNotFound")


@pytest.mark.parametrize("kind", KINDS)
def test_shared_with_one_project(api: Api, kind: str) -> None:
    row = an_object(api, kind)
    assert api.get(path(kind, row), BLUE).status == 404
    policy = share(api, kind, row, "blue")
    assert api.get(path(kind, row), BLUE).first["shared"] is True
    assert [each["id"] for each in api.get(path(kind), BLUE, shared=True).first] == [row]
    assert api.get(path(kind), GREEN).first == []
    assert api.get(path(kind, row), GREEN).status == 404
    assert api.get(path(kind, row), RED).first["shared"] is False
    assert api.put(COLLECTIONS[kind], row, BLUE, name="mine").error == FORBIDDEN
    assert api.delete(COLLECTIONS[kind], row, BLUE).error == FORBIDDEN
    collection, used = use(api, kind, row, BLUE)
    refused = api.delete("rbac_policies", policy, RED)
    assert refused.error == IN_USE
    assert refused.message == (
        f"RBAC policy on object {row} cannot be removed because other objects depend on it.\nDetails: project_id=blue"
    )
    assert api.put("rbac_policies", policy, RED, target_tenant="green").error == IN_USE
    assert api.delete(collection, used, BLUE).status == 204
    assert api.delete("rbac_policies", policy, RED).status == 204
    assert api.get(path(kind), BLUE).first == []


@pytest.mark.parametrize("kind", KINDS)
def test_shared_with_all(api: Api, kind: str) -> None:
    row = an_object(api, kind)
    wildcard = policy_on(kind, row, "*")
    assert api.post("rbac_policies", RED, **wildcard).error == FORBIDDEN
    policy = api.create("rbac_policies", **wildcard)["id"]
    for who in (RED, BLUE, GREEN):
        assert api.get(path(kind, row), who).first["shared"] is True
    named = share(api, kind, row, "blue")
    use(api, kind, row, BLUE)
    assert api.delete("rbac_policies", policy).status == 204
    assert api.get(path(kind, row), GREEN).status == 404
    assert api.delete("rbac_policies", named, RED).error == IN_USE
    again = api.create("rbac_policies", **wildcard)["id"]
    assert api.delete("rbac_policies", named, RED).status == 204
    assert api.delete("rbac_policies", again).error == IN_USE


@pytest.mark.parametrize("kind", KINDS)
def test_shared_at_creation(api: Api, kind: str) -> None:
    row = an_object(api, kind, {}, shared=True, tenant_id="red")
    policies = api.get("rbac-policies", RED, object_id=row).first
    assert [(each["target_tenant"], each["project_id"], each["object_type"]) for each in policies] == [
        ("*", "red", kind)
    ]
    assert api.delete(COLLECTIONS[kind], row).status == 204
    assert api.get("rbac-policies").first == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_its_owners_stands_against_nothing(api: Api, kind: str) -> None:
    row = an_object(api, kind)
    policies = [share(api, kind, row, target, {}) for target in ("red", "blue", "*")]
    use(api, kind, row, RED)
    assert [api.delete("rbac_policies", policy).status for policy in policies] == [204] * 3


def test_a_policy_goes_that_whoever_uses_the_object_does_not_use_it_by(api: Api) -> None:
    """An administrator may have made a port for somebody who sees nothing of the network."""
    network = api.network(RED)
    of_blue = share(api, "network", network, "blue")
    api.create("ports", network_id=network, project_id="green")
    assert api.delete("rbac_policies", of_blue, RED).status == 204


def test_sharing_a_network_shows_its_subnets_but_no_foreign_ports(api: Api) -> None:
    network = api.network(RED)
    subnet, port = api.subnet(network, who=RED), api.port(network, RED)
    share(api, "network", network, "blue")
    assert [each["id"] for each in api.get("subnets", BLUE).first] == [subnet]
    assert [each["id"] for each in api.get("subnets", BLUE, shared=True).first] == [subnet]
    assert api.get("subnets", GREEN).first == []
    assert api.get("ports", BLUE).first == []
    own = api.create("ports", BLUE, network_id=network, fixed_ips=[{"subnet_id": subnet}])
    assert own["project_id"] == "blue"
    assert api.get(f"ports/{port}", BLUE).status == 404
    assert api.post("ports", BLUE, network_id=network, mac_address="02:00:00:00:00:01").error == FORBIDDEN
    answer = api.post("subnets", BLUE, network_id=network, ip_version=4, cidr="10.9.0.0/24")
    assert answer.error == FORBIDDEN


def test_the_shared_attribute_of_a_network_is_its_wildcard_policy(api: Api) -> None:
    network = api.network(RED)
    shared = api.put("networks", network, shared=True).first
    assert (shared["shared"], shared["revision_number"]) == (True, 2)
    [policy] = api.get("rbac-policies", object_id=network).first
    assert (policy["target_tenant"], policy["project_id"]) == ("*", "red")
    api.port(network, BLUE)
    assert api.put("networks", network, shared=False).error == (409, "InvalidSharedSetting")
    named = share(api, "network", network, "blue")
    assert api.put("networks", network, shared=False).first["shared"] is False
    assert [each["id"] for each in api.get("rbac-policies").first] == [named]
    policy = share(api, "network", network, "*", {})
    assert api.get(f"networks/{network}").first["shared"] is True
    assert api.delete("rbac_policies", policy).status == 204
    assert api.get(f"networks/{network}").first["shared"] is False
    assert api.get(f"networks/{network}").first["revision_number"] == 6


def test_another_target(api: Api) -> None:
    network = api.network(RED)
    policy = share(api, "network", network, "blue")
    assert api.put("rbac_policies", policy, RED, target_tenant="green").first["target_tenant"] == "green"
    assert [len(api.get("networks", who).first) for who in (BLUE, GREEN)] == [0, 1]
    assert api.put("rbac_policies", policy, RED, target_tenant="*").error == FORBIDDEN
    api.port(network, GREEN)
    assert api.put("rbac_policies", policy, target_tenant="*").first["target_tenant"] == "*"
    assert api.get(f"networks/{network}", BLUE).first["shared"] is True
    assert api.put("rbac_policies", policy, target_tenant="blue").error == IN_USE
    assert api.put("rbac_policies", policy, RED, object_id=network).error == (400, "HTTPBadRequest")
    other = share(api, "network", network, "blue")
    assert api.put("rbac_policies", other, target_tenant="*").error == (409, "DuplicateRbacPolicy")


UNKNOWN = "0f8fad5b-d9cb-469f-a165-70867728950e"
BAD: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    ({"object_type": "port"}, (400, "InvalidInput"), "'port' is not a valid RBAC object type"),
    ({"object_type": None}, (400, "InvalidInput"), "'None' is not a valid RBAC object type"),
    ({"object_type": ["network"]}, (400, "InvalidInput"), "is not a valid RBAC object type"),
    ({"object_id": "x"}, (400, "HTTPBadRequest"), "'x' is not a valid UUID"),
    ({"object_id": UNKNOWN}, (400, "InvalidInput"), f"there is no network {UNKNOWN}"),
    ({"object_type": "subnetpool"}, (400, "InvalidInput"), "there is no subnetpool"),
    (
        {"action": "access_as_owner"},
        (400, "InvalidActionForType"),
        "Invalid action 'access_as_owner' for object type 'network'. Valid actions: "
        "('access_as_shared', 'access_as_external')",
    ),
    ({"action": 7}, (400, "HTTPBadRequest"), "Invalid input for action"),
    ({"target_tenant": ""}, (400, "HTTPBadRequest"), "Invalid input for target_tenant"),
    ({"target_tenant": None}, (400, "HTTPBadRequest"), "Invalid input for target_tenant"),
    ({"name": "x"}, (400, "HTTPBadRequest"), "Unrecognized attribute(s) 'name'"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD)
def test_bad_policies(api: Api, given: dict[str, Any], error: tuple[int, str], message: str) -> None:
    answer = api.post("rbac_policies", **(policy_on("network", api.network(), "blue") | given))
    assert answer.error == error
    assert message in answer.message


def test_the_type_is_read_kindly(api: Api) -> None:
    wanted = policy_on("network", api.network(RED), "blue") | {"object_type": " Network "}
    assert api.create("rbac_policies", RED, **wanted)["object_type"] == "network"


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_same(api: Api, kind: str) -> None:
    row = an_object(api, kind)
    share(api, kind, row, "blue")
    answer = api.post("rbac_policies", RED, **policy_on(kind, row, "blue"))
    assert answer.error == (409, "DuplicateRbacPolicy")
    assert answer.message == "An RBAC policy already exists with those values."
    share(api, kind, row, "*", {})
    assert api.post("rbac_policies", **policy_on(kind, row, "*")).error == (409, "DuplicateRbacPolicy")


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_shares_what_is_not_his(api: Api, kind: str) -> None:
    row = an_object(api, kind)
    assert "there is no" in api.post("rbac_policies", BLUE, **policy_on(kind, row, "green")).message
    policy = share(api, kind, row, "blue")
    answer = api.post("rbac_policies", BLUE, **policy_on(kind, row, "green"))
    assert answer.error == (400, "InvalidInput")
    assert "Only admins can manipulate policies on" in answer.message
    for answer in (
        api.get(f"rbac-policies/{policy}", BLUE),
        api.put("rbac_policies", policy, BLUE, target_tenant="green"),
        api.delete("rbac_policies", policy, BLUE),
    ):
        assert answer.error == (404, "RbacPolicyNotFound")
    assert api.get(f"rbac-policies/{policy}", READER).status == 200
    assert api.post("rbac_policies", READER, **policy_on(kind, row, "green")).error == FORBIDDEN
    assert api.delete("rbac_policies", policy, READER).error == FORBIDDEN
    assert api.post("rbac_policies", **policy_on(kind, row, "green")).status == 201


def test_the_message_of_a_refused_wildcard(api: Api) -> None:
    answer = api.post("rbac_policies", RED, **policy_on("network", api.network(RED), "*"))
    parts = ("object_type", "object_id", "target_tenant", "action")
    rule = "rule:create_rbac_policy"
    for part in parts:
        rule = f"({rule} and rule:create_rbac_policy:{part})"
    assert answer.message == f"{rule} is disallowed by policy"


def test_a_pool_is_shared_only_with_those_who_may_use_its_address_scope(api: Api) -> None:
    scope = an_object(api, "address_scope")
    pool = an_object(api, "subnetpool", address_scope_id=scope)
    answer = api.post("rbac_policies", RED, **policy_on("subnetpool", pool, "blue"))
    assert answer.error == (400, "InvalidInput")
    assert "target project doesn't have access to associated address scope" in answer.message
    share(api, "address_scope", scope, "blue")
    share(api, "subnetpool", pool, "blue")
    assert api.post("rbac_policies", **policy_on("subnetpool", pool, "*")).error == (400, "InvalidInput")
    wanted = {"name": "q", "prefixes": ["12.0.0.0/8"], "address_scope_id": scope, "shared": True}
    assert api.post("subnetpools", **wanted).error == (400, "InvalidInput")
    api.put("address_scopes", scope, shared=True)
    assert api.post("subnetpools", **wanted).status == 201


def test_bulk_is_all_or_nothing(api: Api) -> None:
    network = api.network(RED)
    wanted = [policy_on("network", network, target) for target in ("blue", "green", "blue")]
    answer = api.call("POST", "/v2.0/rbac-policies", {"rbac_policies": wanted}, RED)
    assert answer.error == (409, "DuplicateRbacPolicy")
    assert api.call("POST", "/v2.0/rbac-policies", {"rbac_policies": wanted[:2]}, RED).status == 201
    assert [len(api.get("networks", who).first) for who in (BLUE, GREEN)] == [1, 1]


@pytest.mark.parametrize("alias", ["rbac-policies", "rbac-subnetpool", "rbac-address-scope"])
def test_the_extensions_are_reported(api: Api, alias: str) -> None:
    assert api.get(f"extensions/{alias}").first["alias"] == alias
