"""Subnet pools: attributes good and bad, address scopes, default pools, roles; subnets cut from them."""

from collections import Counter
from typing import Any

import pytest
from webob import Request

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import BLUE, READER, RED, Answer, Api

FORBIDDEN = (403, "PolicyNotAuthorized")
UNKNOWN = "0f8fad5b-d9cb-469f-a165-70867728950e"


def pool_of(api: Api, *prefixes: str, who: dict[str, str] = RED, **attributes: Any) -> str:
    made = api.create("subnetpools", who, **({"name": "pool", "prefixes": list(prefixes)} | attributes))
    return str(made["id"])


def cut(api: Api, pool: str, who: dict[str, str] = RED, network: str | None = None, **attributes: Any) -> Answer:
    """Ask for a subnet of a pool, on a network of its own unless one is named."""
    attributes = {"network_id": network or api.network(who), "ip_version": 4, "subnetpool_id": pool} | attributes
    return api.post("subnets", who, **attributes)


def cidr(answer: Answer) -> str:
    assert answer.status == 201, answer.body
    return str(answer.first["cidr"])


def test_a_pool_with_little_said(api: Api) -> None:
    pool = api.create("subnetpools", RED, name="p", prefixes=["10.0.0.0/8"])
    assert pool == {
        "id": pool["id"],
        "name": "p",
        "tenant_id": "red",
        "project_id": "red",
        "description": "",
        "created_at": "2026-01-01T00:00:01Z",
        "updated_at": "2026-01-01T00:00:01Z",
        "revision_number": 1,
        "tags": [],
        "prefixes": ["10.0.0.0/8"],
        "ip_version": 4,
        "min_prefixlen": "8",
        "max_prefixlen": "32",
        "default_prefixlen": "8",
        "default_quota": None,
        "address_scope_id": None,
        "is_default": False,
        "shared": False,
    }
    assert api.get(f"subnetpools/{pool['id']}", RED).first == pool
    assert api.get("subnetpools", RED).first == [pool]


GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"prefixes": ["10.8.0.9/16"]}, {"prefixes": ["10.8.0.0/16"]}),
    ({"prefixes": ["10.0.0.0/24", "10.0.1.0/24", "10.9.0.0/16"]}, {"prefixes": ["10.0.0.0/23", "10.9.0.0/16"]}),
    ({"prefixes": ["10.0.0.0/8", "10.1.0.0/16"]}, {"prefixes": ["10.0.0.0/8"]}),
    (
        {"prefixes": ["2001:db8::/32"]},
        {"ip_version": 6, "min_prefixlen": "64", "max_prefixlen": "128", "default_prefixlen": "64"},
    ),
    ({"min_prefixlen": "24"}, {"min_prefixlen": "24", "default_prefixlen": "24"}),
    ({"min_prefixlen": 0}, {"min_prefixlen": "0", "default_prefixlen": "0"}),
    ({"min_prefixlen": 20, "default_prefixlen": 24, "max_prefixlen": 28}, {"default_prefixlen": "24"}),
    ({"default_quota": 0}, {"default_quota": 0}),
    ({"default_quota": "65536"}, {"default_quota": 65536}),
    ({"is_default": True, "shared": True}, {"is_default": True, "shared": True}),
    ({"description": "d"}, {"description": "d"}),
    ({"address_scope_id": None}, {"address_scope_id": None}),
]


@pytest.mark.parametrize(("given", "shown"), GOOD)
def test_good_attributes(api: Api, given: dict[str, Any], shown: dict[str, Any]) -> None:
    pool = api.create("subnetpools", **({"name": "p", "prefixes": ["10.0.0.0/8"]} | given))
    assert {name: pool[name] for name in shown} == shown


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"prefixes": []}, "EmptySubnetPoolPrefixList", "Empty subnet pool prefix list."),
    (
        {"prefixes": ["10.0.0.0/8", "2001:db8::/32"]},
        "PrefixVersionMismatch",
        "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.",
    ),
    ({"prefixes": ["10.0.0.0"]}, "HTTPBadRequest", "'10.0.0.0' is not a valid IP subnet"),
    ({"prefixes": "10.0.0.0/8"}, "HTTPBadRequest", "Invalid input for prefixes."),
    ({"name": " "}, "HTTPBadRequest", "Invalid input for name."),
    ({"min_prefixlen": -1}, "HTTPBadRequest", "'-1' should be non-negative"),
    (
        {"min_prefixlen": 24, "max_prefixlen": 16},
        "IllegalSubnetPoolPrefixBounds",
        "Illegal prefix bounds: min_prefixlen=24, max_prefixlen=16.",
    ),
    (
        {"max_prefixlen": 33},
        "IllegalSubnetPoolPrefixBounds",
        "Illegal prefix bounds: max_prefixlen=33, ip_version_max=32.",
    ),
    (
        {"min_prefixlen": 24, "default_prefixlen": 20},
        "IllegalSubnetPoolPrefixBounds",
        "Illegal prefix bounds: default_prefixlen=20, min_prefixlen=24.",
    ),
    (
        {"default_prefixlen": 30, "max_prefixlen": 28},
        "IllegalSubnetPoolPrefixBounds",
        "Illegal prefix bounds: default_prefixlen=30, max_prefixlen=28.",
    ),
    ({"default_quota": 1 << 40}, "InvalidInput", "default_quota may be 2147483647 at most"),
    ({"address_scope_id": UNKNOWN}, "AddressScopeNotFound", f"Address scope {UNKNOWN} could not be found."),
    ({"ip_version": 4}, "HTTPBadRequest", "Attribute 'ip_version' not allowed in POST"),
]


@pytest.mark.parametrize(("given", "kind", "message"), BAD)
def test_bad_attributes(api: Api, given: dict[str, Any], kind: str, message: str) -> None:
    answer = api.post("subnetpools", **({"name": "p", "prefixes": ["10.0.0.0/8"]} | given))
    assert answer.error == (404 if kind.endswith("NotFound") else 400, kind)
    assert message in answer.message


def test_update(api: Api) -> None:
    pool = pool_of(api, "10.0.0.0/24", min_prefixlen=24)
    changed = api.put(
        "subnetpools", pool, RED, name="new", description="d", prefixes=["10.0.0.0/24", "10.0.1.0/24"], default_quota=9
    ).first
    assert (changed["name"], changed["prefixes"], changed["default_quota"]) == ("new", ["10.0.0.0/23"], 9)
    assert changed["revision_number"] == 2
    lengths = api.put("subnetpools", pool, RED, min_prefixlen=20, default_prefixlen=26, max_prefixlen=28).first
    assert [lengths[f"{name}_prefixlen"] for name in ("min", "default", "max")] == ["20", "26", "28"]


BAD_CHANGES: list[tuple[dict[str, Any], str, str]] = [
    (
        {"prefixes": ["10.0.1.0/24"]},
        "IllegalSubnetPoolPrefixUpdate",
        "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.",
    ),
    ({"prefixes": []}, "IllegalSubnetPoolPrefixUpdate", "must be a subset"),
    ({"prefixes": ["10.0.0.0/24", "2001:db8::/32"]}, "PrefixVersionMismatch", "Cannot mix"),
    ({"min_prefixlen": 27}, "IllegalSubnetPoolPrefixBounds", "default_prefixlen=24, min_prefixlen=27"),
    ({"shared": True}, "HTTPBadRequest", "Cannot update read-only attribute shared"),
    ({"address_scope_id": UNKNOWN}, "AddressScopeNotFound", "could not be found"),
]


@pytest.mark.parametrize(("given", "kind", "message"), BAD_CHANGES)
def test_bad_changes(api: Api, given: dict[str, Any], kind: str, message: str) -> None:
    answer = api.put("subnetpools", pool_of(api, "10.0.0.0/24", min_prefixlen=24), **given)
    assert answer.error == (404 if kind.endswith("NotFound") else 400, kind)
    assert message in answer.message


def test_who_sees_and_does_what(api: Api) -> None:
    pool = pool_of(api, "10.0.0.0/24")
    for answer in (
        api.get(f"subnetpools/{pool}", BLUE),
        api.put("subnetpools", pool, BLUE, name="x"),
        api.delete("subnetpools", pool, BLUE),
        cut(api, pool, BLUE),
    ):
        assert answer.error == (404, "SubnetPoolNotFound")
    assert api.get("subnetpools", BLUE).first == []
    assert api.get(f"subnetpools/{pool}", READER).status == 200
    assert api.put("subnetpools", pool, READER, name="x").error == FORBIDDEN
    assert api.delete("subnetpools", pool, READER).error == FORBIDDEN
    for attributes in ({"shared": True}, {"is_default": True}):
        assert api.post("subnetpools", RED, name="p", prefixes=["10.0.0.0/8"], **attributes).error == FORBIDDEN
    assert api.put("subnetpools", pool, RED, is_default=True).error == FORBIDDEN


def test_a_shared_pool_is_for_all_to_cut_from(api: Api) -> None:
    pool = pool_of(api, "10.0.0.0/16", who={}, shared=True, default_prefixlen=24)
    assert [each["shared"] for each in api.get("subnetpools", BLUE).first] == [True]
    assert [cidr(cut(api, pool, who)) for who in (RED, BLUE)] == ["10.0.0.0/24", "10.0.1.0/24"]
    assert api.put("subnetpools", pool, BLUE, name="x").error == FORBIDDEN


def test_lists(api: Api) -> None:
    for name, length in (("a", 8), ("b", 24), ("c", 16)):
        pool_of(api, "10.0.0.0/8", name=name, min_prefixlen=length)
    assert [each["name"] for each in api.get("subnetpools", RED, min_prefixlen=[8, 16]).first] != []
    assert {each["name"] for each in api.get("subnetpools", RED, min_prefixlen=[8, 16]).first} == {"a", "c"}
    ordered = api.get("subnetpools", RED, sort_key="min_prefixlen", sort_dir="asc").first
    assert [each["name"] for each in ordered] == ["a", "c", "b"]
    assert api.get("subnetpools", RED, is_default=True).first == []
    assert len(api.get("subnetpools", RED, ip_version=4, limit=2).first) == 2
    assert api.get("subnetpools", RED, prefixes="10.0.0.0/8").error == (400, "HTTPBadRequest")


def test_subnets_of_a_pool(api: Api) -> None:
    pool = pool_of(api, "10.0.0.0/16", default_prefixlen=24, min_prefixlen=16)
    first = cut(api, pool).first
    assert (first["cidr"], first["gateway_ip"], first["subnetpool_id"]) == ("10.0.0.0/24", "10.0.0.1", pool)
    assert first["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    assert cidr(cut(api, pool, prefixlen=26)) == "10.0.1.0/26"
    assert cidr(cut(api, pool, cidr="10.0.200.0/24")) == "10.0.200.0/24"
    assert cidr(cut(api, pool, gateway_ip="10.0.100.9", prefixlen=28)) == "10.0.100.0/28"
    assert cut(api, pool, gateway_ip=None).first["gateway_ip"] is None
    assert len(api.get("subnets", RED, subnetpool_id=pool).first) == 5
    assert api.get("subnets", RED, subnetpool_id=UNKNOWN).first == []


BAD_CUTS: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    (
        {"prefixlen": 33},
        (400, "MaxPrefixSubnetAllocationError"),
        "Unable to allocate subnet with prefix length 33, maximum allowed prefix is 28.",
    ),
    (
        {"prefixlen": 8},
        (400, "MinPrefixSubnetAllocationError"),
        "Unable to allocate subnet with prefix length 8, minimum allowed prefix is 20.",
    ),
    (
        {"prefixlen": 20},
        (409, "SubnetAllocationError"),
        "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /20.",
    ),
    (
        {"cidr": "10.9.0.0/24"},
        (409, "SubnetAllocationError"),
        "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.",
    ),
    ({"cidr": "10.0.0.0/23"}, (409, "SubnetAllocationError"), "Cannot allocate requested subnet"),
    ({"gateway_ip": "10.9.0.1"}, (409, "SubnetAllocationError"), "Cannot allocate requested subnet"),
    ({"gateway_ip": "10.0.0.0"}, (400, "InvalidInput"), "Gateway is not valid on subnet"),
    ({"gateway_ip": "2001:db8::1"}, (400, "InvalidInput"), "does not match the ip_version"),
    ({"cidr": "10.0.0.0/25", "prefixlen": 25}, (400, "BadRequest"), "must not be supplied together"),
    ({"use_default_subnetpool": True}, (400, "BadRequest"), "subnetpool_id and use_default_subnetpool cannot both"),
    (
        {"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.9"}]},
        (400, "BadRequest"),
        "allocation_pools allowed only for specific subnet requests.",
    ),
    ({"ip_version": 6}, (400, "BadRequest"), "Cannot allocate IPv6 subnet from IPv4 subnet pool"),
    ({"subnetpool_id": UNKNOWN}, (404, "SubnetPoolNotFound"), f"Subnet pool {UNKNOWN} could not be found."),
    ({"subnetpool_id": "prefix_delegation"}, (404, "SubnetPoolNotFound"), "could not be found"),
    ({"subnetpool_id": None}, (400, "BadRequest"), "a subnetpool must be specified in the absence of a cidr"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD_CUTS)
def test_what_cannot_be_cut(api: Api, given: dict[str, Any], error: tuple[int, str], message: str) -> None:
    pool = pool_of(api, "10.0.0.0/24", min_prefixlen=20, default_prefixlen=24, max_prefixlen=28)
    answer = cut(api, pool, **given)
    assert answer.error == error
    assert message in answer.message


def test_exact_fit_and_release(api: Api) -> None:
    pool = pool_of(api, "10.0.0.0/25", default_prefixlen=26)
    first, second = cut(api, pool), cut(api, pool)
    assert {cidr(first), cidr(second)} == {"10.0.0.0/26", "10.0.0.64/26"}
    assert cut(api, pool, prefixlen=32, enable_dhcp=False).error == (409, "SubnetAllocationError")
    answer = api.delete("subnetpools", pool, RED)
    assert answer.error == (400, "SubnetPoolDeleteError")
    assert answer.message == "Unable to delete subnet pool: Subnet pool has existing allocations."
    assert api.delete("subnets", first.first["id"], RED).status == 204
    assert cidr(cut(api, pool, cidr="10.0.0.32/27")) == "10.0.0.32/27"
    assert api.delete("networks", second.first["network_id"], RED).status == 204
    assert cidr(cut(api, pool)) == "10.0.0.64/26"
    for network in api.get("networks", RED).first:
        assert api.delete("networks", network["id"], RED).status == 204
    assert cidr(cut(api, pool, prefixlen=25)) == "10.0.0.0/25"
    api.delete("subnets", api.get("subnets").first[0]["id"])
    assert api.delete("subnetpools", pool, RED).status == 204
    assert api.get("subnetpools").first == []


def test_a_pool_that_grows(api: Api) -> None:
    pool = pool_of(api, "10.0.0.0/24", default_prefixlen=24)
    assert cidr(cut(api, pool)) == "10.0.0.0/24"
    assert cut(api, pool).status == 409
    api.put("subnetpools", pool, RED, prefixes=["10.0.0.0/22"])
    assert [cidr(cut(api, pool)), cidr(cut(api, pool, prefixlen=23))] == ["10.0.1.0/24", "10.0.2.0/23"]


def test_prefix_quota_is_per_project(api: Api) -> None:
    pool = pool_of(api, "10.0.0.0/16", who={}, shared=True, default_prefixlen=25, default_quota=256)
    assert [cut(api, pool, who).status for who in (RED, RED, BLUE)] == [201, 201, 201]
    answer = cut(api, pool, RED, prefixlen=32, enable_dhcp=False)
    assert answer.error == (409, "SubnetPoolQuotaExceeded")
    assert answer.message == "Per-project subnet pool prefix quota exceeded."
    assert cut(api, pool, BLUE).status == 201
    api.put("subnetpools", pool, default_quota=0)
    assert cut(api, pool, RED).status == 201


def test_the_default_pool(api: Api) -> None:
    network = api.network(RED)
    wanted = {"network_id": network, "ip_version": 4, "use_default_subnetpool": True}
    answer = api.post("subnets", RED, **wanted)
    assert answer.error == (400, "BadRequest")
    assert "No default subnetpool found for IPv4" in answer.message
    hidden = pool_of(api, "10.0.0.0/8", who={}, is_default=True, default_prefixlen=24)
    assert api.post("subnets", RED, **wanted).status == 400
    again = api.post("subnetpools", name="q", prefixes=["11.0.0.0/8"], is_default=True)
    assert again.error == (400, "InvalidInput")
    assert "A default subnetpool for this IP family has already been set" in again.message
    assert api.post("subnetpools", name="six", prefixes=["2001:db8::/32"], is_default=True).status == 201
    assert api.put("subnetpools", hidden, is_default=False).status == 200
    shared = pool_of(api, "12.0.0.0/8", who={}, is_default=True, shared=True, default_prefixlen=24)
    assert api.put("subnetpools", hidden, is_default=True).error == (400, "InvalidInput")
    assert api.put("subnetpools", shared, is_default=True).status == 200
    subnet = api.create("subnets", RED, **wanted)
    assert (subnet["subnetpool_id"], subnet["cidr"]) == (shared, "12.0.0.0/24")
    assert "use_default_subnetpool" not in subnet


def test_ipv6_pools_exist_without_subnets(api: Api) -> None:
    pool = pool_of(api, "2001:db8::/32")
    answer = cut(api, pool, ip_version=6)
    assert answer.error == (400, "BadRequest")
    assert "IPv6 is not served yet" in answer.message
    assert "Cannot allocate IPv4 subnet from IPv6 subnet pool" in cut(api, pool).message
    assert api.put("subnetpools", pool, RED, prefixes=["2001:db8::/31"]).first["prefixes"] == ["2001:db8::/31"]
    assert api.delete("subnetpools", pool, RED).status == 204


def test_subnets_of_a_network_come_from_one_pool(api: Api) -> None:
    pool, other = pool_of(api, "10.0.0.0/16", default_prefixlen=24), pool_of(api, "10.1.0.0/16", default_prefixlen=24)
    network = api.network(RED)
    plain = api.subnet(network, "192.168.0.0/24", RED)
    mixed = (400, "NetworkSubnetPoolAffinityError")
    assert cut(api, pool, network=network).error == mixed
    api.delete("subnets", plain, RED)
    assert [cut(api, pool, network=network).status for _ in range(2)] == [201, 201]
    assert cut(api, other, network=network).error == mixed
    answer = api.post("subnets", RED, network_id=network, ip_version=4, cidr="192.168.0.0/24")
    assert answer.error == mixed


def test_pools_of_an_address_scope(api: Api) -> None:
    scope = api.create("address_scopes", RED, ip_version=4)["id"]
    pool = pool_of(api, "10.0.0.0/16", address_scope_id=scope, default_prefixlen=24)
    inside = api.post("subnetpools", RED, name="q", prefixes=["10.0.3.0/24"], address_scope_id=scope)
    assert inside.error == (409, "AddressScopePrefixConflict")
    beside = pool_of(api, "10.1.0.0/16", address_scope_id=scope, default_prefixlen=24)
    assert api.put("subnetpools", beside, RED, prefixes=["10.0.0.0/15"]).error == (409, "AddressScopePrefixConflict")
    assert {each["id"] for each in api.get("subnetpools", RED, address_scope_id=scope).first} == {pool, beside}
    answer = api.delete("address_scopes", scope, RED)
    assert answer.error == (409, "AddressScopeInUse")
    network = api.network(RED)
    assert [cut(api, each, network=network).status for each in (pool, beside)] == [201, 201]
    assert api.get(f"networks/{network}", RED).first["ipv4_address_scope"] == scope
    alone = pool_of(api, "10.2.0.0/16", default_prefixlen=24)
    assert cut(api, alone, network=network).error == (400, "NetworkAddressScopeAffinityError")
    elsewhere = api.create("address_scopes", RED, ip_version=4)["id"]
    moved = api.put("subnetpools", pool, RED, address_scope_id=elsewhere)
    assert moved.error == (400, "NetworkAddressScopeAffinityError")
    assert api.put("subnetpools", alone, RED, address_scope_id=elsewhere).first["address_scope_id"] == elsewhere
    assert api.put("subnetpools", alone, RED, address_scope_id=None).first["address_scope_id"] is None


def test_address_scopes_of_others(api: Api) -> None:
    hidden = api.create("address_scopes", BLUE, ip_version=4)["id"]
    six = api.create("address_scopes", RED, ip_version=6)["id"]
    shared = api.create("address_scopes", ip_version=4, shared=True)["id"]
    wanted = {"name": "p", "prefixes": ["10.0.0.0/8"]}
    assert api.post("subnetpools", RED, address_scope_id=hidden, **wanted).error == (404, "AddressScopeNotFound")
    answer = api.post("subnetpools", RED, address_scope_id=six, **wanted)
    assert answer.error == (400, "IllegalSubnetPoolIpVersionAssociationToAddressScope")
    pool = api.create("subnetpools", RED, address_scope_id=shared, **wanted)["id"]
    answer = api.put("subnetpools", pool, RED, name="new")
    assert answer.error == (400, "IllegalSubnetPoolUpdate")
    assert f"cannot be updated when associated with shared address scope {shared}" in answer.message
    assert api.put("subnetpools", pool, name="new").status == 200


def test_bulk_is_all_or_nothing(api: Api) -> None:
    pool = pool_of(api, "10.0.0.0/24", default_prefixlen=25)
    wanted = [{"network_id": api.network(RED), "ip_version": 4, "subnetpool_id": pool} for _ in range(3)]
    assert api.call("POST", "/v2.0/subnets", {"subnets": wanted}, RED).error == (409, "SubnetAllocationError")
    assert api.get("subnets").first == []
    made = api.call("POST", "/v2.0/subnets", {"subnets": wanted[:2]}, RED)
    assert [each["cidr"] for each in made.first] == ["10.0.0.0/25", "10.0.0.128/25"]


@pytest.mark.parametrize("alias", ["subnet_allocation", "default-subnetpools"])
def test_the_extensions_are_reported(api: Api, alias: str) -> None:
    assert api.get(f"extensions/{alias}").first["alias"] == alias


def test_what_is_cut_already_costs_nothing(read: Counter[str]) -> None:
    def rows_read(present: int) -> int:
        api = Api(Settings(quotas={}))
        pool = pool_of(api, "10.0.0.0/8", default_prefixlen=28)
        wanted = [{"network_id": api.network(RED), "ip_version": 4, "subnetpool_id": pool} for _ in range(present)]
        assert api.call("POST", "/v2.0/subnets", {"subnets": wanted}, RED).status == 201
        request = Request.blank("/v2.0/subnets", method="POST", headers=RED)
        request.json = {"subnet": {"network_id": api.network(RED), "ip_version": 4, "subnetpool_id": pool}}
        read.clear()
        assert request.get_response(api.app).status_int == 201
        return read.total()

    few, many = rows_read(16), rows_read(160)
    assert few > 0 and abs(many - few) < 2 * 32
