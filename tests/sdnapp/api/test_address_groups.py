"""Address groups: prefixes that rules name together."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import BLUE, READER, RED, Answer, Api
from topology.values import AddressGroup, SecurityGroup

NOWHERE = "11111111-2222-4333-8444-555555555555"


def act(api: Api, group: str, action: str, *addresses: str, who: dict[str, str] = RED) -> Answer:
    return api.call("PUT", f"/v2.0/address-groups/{group}/{action}", {"addresses": addresses}, who)


def test_a_group_with_little_said(api: Api) -> None:
    group = api.create("address_groups", RED)
    assert group == {
        "id": group["id"],
        "name": "",
        "description": "",
        "addresses": [],
        "tenant_id": "red",
        "project_id": "red",
        "created_at": group["created_at"],
        "updated_at": group["created_at"],
        "revision_number": 1,
    }
    assert api.get(f"address-groups/{group['id']}", RED).first == group


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, []),
        (["10.0.0.0/24", "10.1.0.1/32"], ["10.0.0.0/24", "10.1.0.1/32"]),
        (["2001:DB8::/64", "10.0.0.0/8"], ["2001:db8::/64", "10.0.0.0/8"]),
        (["10.0.0.5/24", "10.0.0.6/24"], ["10.0.0.0/24"]),
    ],
)
def test_prefixes(api: Api, given: list[str] | None, kept: list[str]) -> None:
    assert api.create("address_groups", RED, addresses=given)["addresses"] == kept


BAD: list[dict[str, Any]] = [
    {"addresses": ["10.0.0.5"]},
    {"addresses": ["x"]},
    {"addresses": ["10.0.0.0/8", "10.0.0.0/8"]},
    {"addresses": "10.0.0.0/8"},
    {"addresses": [5]},
    {"addresses": ["10.0.0.0/8"] * 1001},
    {"name": None},
    {"name": " x"},
    {"description": "x" * 1025},
    {"shared": True},
]


@pytest.mark.parametrize("attributes", BAD)
def test_what_a_group_may_not_be(api: Api, attributes: dict[str, Any]) -> None:
    assert api.post("address_groups", RED, **attributes).error == (400, "HTTPBadRequest")


def test_updates(api: Api) -> None:
    group = api.create("address_groups", RED, addresses=["10.0.0.0/24"])
    changed = api.put("address_groups", group["id"], RED, name="n", description="d").first
    new = {"name": "n", "description": "d", "revision_number": 2, "updated_at": changed["updated_at"]}
    assert changed == group | new
    assert api.put("address_groups", group["id"], RED, addresses=[]).error == (400, "HTTPBadRequest")


def test_addresses_come_and_go(api: Api) -> None:
    group = api.create("address_groups", RED, addresses=["10.0.0.0/24"])["id"]
    added = act(api, group, "add_addresses", "10.0.1.5/24", "10.0.2.5", "10.0.2.5")
    assert added.first["addresses"] == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.5/32"]
    assert added.first["revision_number"] == 2
    assert api.get(f"address-groups/{group}", RED).first == added.first
    answer = act(api, group, "add_addresses", "10.0.3.0/24", "10.0.0.0/24")
    assert answer.error == (400, "AddressesAlreadyExist")
    assert answer.message == f"Addresses ['10.0.0.0/24'] already exist in the address group {group}."
    removed = act(api, group, "remove_addresses", "10.0.0.0/24", "10.0.2.5")
    assert removed.first["addresses"] == ["10.0.1.0/24"]
    answer = act(api, group, "remove_addresses", "10.0.0.0/24", "10.0.1.0/24")
    assert answer.error == (404, "AddressesNotFound")
    assert answer.message == f"Addresses ['10.0.0.0/24'] not found in the address group {group}."
    assert act(api, group, "remove_addresses").first == removed.first


@pytest.mark.parametrize("address", ["x", "", "10.0.0.0/8/8", "\x00", "10.0.0.0/33"])
def test_addresses_that_are_none(api: Api, address: str) -> None:
    group = api.create("address_groups", RED)["id"]
    answer = act(api, group, "add_addresses", address)
    assert (answer.error, answer.message) == ((400, "AddrFormatError"), f"invalid IPNetwork {address}")


@pytest.mark.parametrize("body", [None, [], {}, {"addresses": "x"}, {"addresses": [5]}, {"addresses": ["x"] * 1001}])
def test_bodies_without_addresses(api: Api, body: object) -> None:
    group = api.create("address_groups", RED)["id"]
    answer = api.call("PUT", f"/v2.0/address-groups/{group}/add_addresses", body, RED)
    assert answer.error == (400, "InvalidInput")
    assert "addresses: " in answer.message


def test_a_change_of_addresses_can_name_the_revision(api: Api) -> None:
    group = api.create("address_groups", RED)["id"]
    path, body = f"/v2.0/address-groups/{group}/add_addresses", {"addresses": ["10.0.0.0/8"]}
    assert api.call("PUT", path, body, RED, If_Match="revision_number=9").status == 412
    assert api.call("PUT", path, body, RED, If_Match="revision_number=1").status == 200
    assert api.call("POST", path, body, RED).status == 405


def test_groups_of_others_are_not_there(api: Api) -> None:
    group = api.create("address_groups", BLUE)["id"]
    mine = api.create("security_groups", RED)["id"]
    rule = {"security_group_id": mine, "direction": "ingress", "remote_address_group_id": group}
    for answer in (
        api.get(f"address-groups/{group}", RED),
        api.put("address_groups", group, RED, name="x"),
        api.delete("address_groups", group, RED),
        act(api, group, "add_addresses", "10.0.0.0/8"),
        api.post("security_group_rules", RED, **rule),
    ):
        assert answer.error == (404, "AddressGroupNotFound")
    assert api.get("address-groups", RED).first == []


def test_readers_only_read(api: Api) -> None:
    group = api.create("address_groups", RED)["id"]
    assert api.get(f"address-groups/{group}", READER).status == 200
    for action in ("add_addresses", "remove_addresses"):
        answer = act(api, group, action, "10.0.0.0/8", who=READER)
        assert answer.error == (403, "PolicyNotAuthorized")
        assert answer.message == f"rule:{action} is disallowed by policy"


def test_a_group_in_use_stays(api: Api) -> None:
    group = api.create("address_groups", RED)["id"]
    rule = api.create(
        "security_group_rules",
        RED,
        security_group_id=api.create("security_groups", RED)["id"],
        direction="egress",
        remote_address_group_id=group,
    )
    assert rule["remote_address_group_id"] == group
    (found,) = api.get("security-group-rules", RED, remote_address_group_id=group).first
    assert found == rule
    assert api.delete("address_groups", group, RED).error == (409, "AddressGroupInUse")
    api.delete("security_group_rules", rule["id"], RED)
    assert api.delete("address_groups", group, RED).status == 204


def test_keys_are_those_of_security_groups_too(api: Api) -> None:
    api.create("address_groups", RED)
    api.create("security_groups", RED)
    api.create("address_groups", RED)
    keys = [row.key for kind in (AddressGroup, SecurityGroup) for row in api.store.all(kind)]
    assert sorted(keys) == [1, 2, 3, 4]


def test_filters(api: Api) -> None:
    for name in ("a", "b"):
        api.create("address_groups", RED, name=name, description=name * 2)
    for query, found in (
        ({"name": "a"}, ["a"]),
        ({"description": "bb"}, ["b"]),
        ({"sort_key": "name", "sort_dir": "desc"}, ["b", "a"]),
        ({"sort_key": "name", "sort_dir": "asc", "limit": 1}, ["a"]),
    ):
        assert [group["name"] for group in api.get("address-groups", RED, **query).first] == found
    for wrong in ({"addresses": "10.0.0.0/24"}, {"shared": "true"}, {"tags": "x"}):
        assert api.get("address-groups", RED, **wrong).error == (400, "HTTPBadRequest")
