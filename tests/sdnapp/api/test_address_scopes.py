"""Address scopes: attributes good and bad, sharing, roles, deletion."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import BLUE, READER, RED, Api

FORBIDDEN = (403, "PolicyNotAuthorized")


def test_a_scope_with_little_said(api: Api) -> None:
    scope = api.create("address_scopes", RED, ip_version=4)
    expected = {"name": "", "tenant_id": "red", "project_id": "red", "ip_version": 4, "shared": False}
    assert scope == {"id": scope["id"], **expected}
    assert api.get(f"address-scopes/{scope['id']}", RED).body == {"address_scope": scope}
    assert api.get("address-scopes", RED).body == {"address_scopes": [scope]}


GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "public"}, {"name": "public"}),
    ({"ip_version": "6"}, {"ip_version": 6}),
    ({"shared": "true"}, {"shared": True}),
    ({"tenant_id": "blue"}, {"project_id": "blue"}),
]


@pytest.mark.parametrize(("given", "shown"), GOOD)
def test_good_attributes(api: Api, given: dict[str, Any], shown: dict[str, Any]) -> None:
    scope = api.create("address_scopes", **({"ip_version": 4} | given))
    assert {name: scope[name] for name in shown} == shown


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "Failed to parse request. Required attribute 'ip_version' not specified"),
    ({"ip_version": 5}, "Invalid input for ip_version. Reason: 5 is not in valid_values."),
    ({"ip_version": 4, "name": "x" * 256}, "exceeds maximum length of 255"),
    ({"ip_version": 4, "shared": "perhaps"}, "'perhaps' cannot be converted to boolean"),
    ({"ip_version": 4, "description": "x"}, "Unrecognized attribute(s) 'description'"),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_bad_attributes(api: Api, given: dict[str, Any], message: str) -> None:
    answer = api.post("address_scopes", **given)
    assert answer.status == 400
    assert message in answer.message


def test_update(api: Api) -> None:
    scope = api.create("address_scopes", RED, ip_version=4)["id"]
    assert api.put("address_scopes", scope, RED, name="new").first["name"] == "new"
    assert api.put("address_scopes", scope, RED, ip_version=6).message == "Cannot update read-only attribute ip_version"
    assert api.put("address_scopes", scope, RED, shared=True).error == FORBIDDEN
    assert api.put("address_scopes", scope, shared=True).first["shared"] is True
    assert api.put("address_scopes", scope, shared=True).first["shared"] is True
    answer = api.put("address_scopes", scope, shared=False)
    assert answer.error == (400, "AddressScopeUpdateError")
    assert answer.message == f"Unable to update address scope {scope} : Shared address scope can't be unshared."


def test_who_sees_and_does_what(api: Api) -> None:
    scope = api.create("address_scopes", RED, ip_version=4)["id"]
    missing = (404, "AddressScopeNotFound")
    for answer in (
        api.get(f"address-scopes/{scope}", BLUE),
        api.put("address_scopes", scope, BLUE, name="x"),
        api.delete("address_scopes", scope, BLUE),
    ):
        assert answer.error == missing
    assert api.get("address-scopes", BLUE).first == []
    assert api.get(f"address-scopes/{scope}", READER).status == 200
    assert api.put("address_scopes", scope, READER, name="x").error == FORBIDDEN
    assert api.delete("address_scopes", scope, READER).error == FORBIDDEN
    assert api.post("address_scopes", READER, ip_version=4).error == FORBIDDEN
    assert api.post("address_scopes", RED, ip_version=4, shared=True).error == FORBIDDEN
    api.put("address_scopes", scope, shared=True)
    assert [each["shared"] for each in api.get("address-scopes", BLUE).first] == [True]
    assert api.put("address_scopes", scope, BLUE, name="x").error == FORBIDDEN
    assert api.delete("address_scopes", scope, RED).status == 204


def test_lists(api: Api) -> None:
    for name, version in (("a", 4), ("b", 6), ("c", 4)):
        api.create("address_scopes", RED, name=name, ip_version=version)
    assert [each["name"] for each in api.get("address-scopes", RED, ip_version=6).first] == ["b"]
    assert [
        each["name"] for each in api.get("address-scopes", RED, name=["a", "c"], sort_key="name", sort_dir="desc").first
    ] == ["c", "a"]
    page = api.get("address-scopes", RED, limit=2).body
    assert len(page["address_scopes"]) == 2
    assert page["address_scopes_links"][0]["href"].startswith("http://localhost/v2.0/address-scopes?limit=2&marker=")
    bulk = {"address_scopes": [{"ip_version": 4}, {"ip_version": 7}]}
    assert api.call("POST", "/v2.0/address-scopes", bulk).status == 400
    assert len(api.get("address-scopes").first) == 3


def test_the_extension_is_reported(api: Api) -> None:
    assert api.get("extensions/address-scope").first["name"] == "Address scope"
    assert api.get("networks/" + api.network()).first["ipv4_address_scope"] is None
