"""How many addresses are in use, counted exactly."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import READER, RED, Api

PATH = "network-ip-availabilities"


def counts(total: int, pool: int, used: int, used_pool: int) -> dict[str, int]:
    return {
        "total_ips_in_subnet": total,
        "total_ips_in_allocation_pool": pool,
        "used_ips_in_subnet": used,
        "used_ips_in_allocation_pool": used_pool,
    }


def test_a_network_and_its_subnets(api: Api) -> None:
    network = api.network(RED, name="web")
    pool = [{"start": "10.0.0.10", "end": "10.0.0.19"}, {"start": "10.0.0.30", "end": "10.0.0.39"}]
    small = api.subnet(network, "10.0.0.0/24", RED, name="small", allocation_pools=pool)
    large = api.subnet(network, "10.1.0.0/16", RED)
    for _ in range(3):
        api.port(network, RED, fixed_ips=[{"subnet_id": small}])
    api.port(network, RED, fixed_ips=[{"ip_address": "10.0.0.200"}, {"subnet_id": large}])
    shown = api.get(f"{PATH}/{network}").body["network_ip_availability"]
    subnets = {each["subnet_id"]: each for each in shown.pop("subnet_ip_availability")}
    assert shown == {
        "network_id": network,
        "network_name": "web",
        "tenant_id": "red",
        "project_id": "red",
        "total_ips": 20 + 65533,
        "used_ips": 5,
        "ip_availability_details": counts(254 + 65534, 20 + 65533, 5, 4),
    }
    assert subnets[small] == {
        "subnet_id": small,
        "subnet_name": "small",
        "cidr": "10.0.0.0/24",
        "ip_version": 4,
        "used_ips": 4,
        "total_ips": 20,
        "ip_availability_details": counts(254, 20, 4, 3),
    }
    assert subnets[large]["ip_availability_details"] == counts(65534, 65533, 1, 1)
    assert len(subnets) == 2


def test_counts_follow_what_is_taken_and_given_back(api: Api) -> None:
    network = api.network()
    api.subnet(network, "10.0.0.0/29")

    def used() -> int:
        return int(api.get(f"{PATH}/{network}").first["used_ips"])

    ports = [api.port(network) for _ in range(5)]
    assert used() == 5
    assert api.post("ports", network_id=network).error == (409, "IpAddressGenerationFailure")
    assert used() == 5
    api.delete("ports", ports[0])
    api.put("ports", ports[1], fixed_ips=[])
    assert used() == 3


def test_a_network_without_subnets(api: Api) -> None:
    network = api.network()
    shown = api.get(f"{PATH}/{network}").first
    assert (shown["total_ips"], shown["used_ips"], shown["subnet_ip_availability"]) == (0, 0, [])
    assert shown["ip_availability_details"] == counts(0, 0, 0, 0)


def test_a_subnet_without_pools_counts_all_its_addresses(api: Api) -> None:
    network = api.network()
    api.put("subnets", api.subnet(network, "10.0.0.0/24"), allocation_pools=[])
    assert api.get(f"{PATH}/{network}").first["total_ips"] == 256
    assert api.get(f"{PATH}/{network}").first["ip_availability_details"]["total_ips_in_subnet"] == 254


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "ab"),
    ({"network_name": "a"}, "a"),
    ({"network_name": ["a", "b"]}, "ab"),
    ({"project_id": "red"}, "a"),
    ({"tenant_id": "default"}, "b"),
    ({"ip_version": "4"}, "a"),
    ({"ip_version": "6"}, ""),
    ({"network_id": "none"}, ""),
]


@pytest.mark.parametrize(("query", "names"), FILTERS)
def test_filters(api: Api, query: dict[str, Any], names: str) -> None:
    api.subnet(api.network(RED, name="a"), who=RED)
    api.network(name="b")
    found = api.get(PATH, **query).body["network_ip_availabilities"]
    assert sorted(each["network_name"] for each in found) == list(names)


def test_one_network_of_many_fields_and_pages(api: Api) -> None:
    ids = sorted(api.network() for _ in range(3))
    assert api.get(PATH, network_id=ids[1]).first[0]["network_id"] == ids[1]
    query = {"limit": 2, "fields": "network_id", "sort_key": "network_id", "sort_dir": "asc"}
    assert api.get(PATH, **query).first == [{"network_id": each} for each in ids[:2]]
    assert api.get(PATH, marker=ids[1], **query).first == [{"network_id": ids[2]}]
    query["sort_dir"] = "desc"
    assert api.get(PATH, **query).first == [{"network_id": each} for each in ids[:0:-1]]
    assert api.get(PATH, x="y").error == (400, "HTTPBadRequest")
    assert api.get(PATH, used_ips="5").error == (400, "HTTPBadRequest")


def test_administrators_only(api: Api) -> None:
    network = api.network(RED)
    for who in (RED, READER):
        assert api.get(PATH, who).first == []
        assert api.get(f"{PATH}/{network}", who).error == (404, "NetworkNotFound")
    assert api.get(f"{PATH}/none").error == (404, "NetworkNotFound")


@pytest.mark.parametrize(("method", "end"), [("POST", ""), ("PUT", "/x"), ("DELETE", "/x")])
def test_nobody_changes_it(api: Api, method: str, end: str) -> None:
    assert api.call(method, f"/v2.0/{PATH}{end}", {}).status == 405
