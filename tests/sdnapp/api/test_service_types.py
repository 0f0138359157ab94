"""Subnets for ports of certain owners."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import RED, Api

COMPUTE, ROUTED = "compute:nova", "network:routed"


def subnet_for(api: Api, network: str, cidr: str, *owners: str, **attributes: Any) -> str:
    return api.subnet(network, cidr, service_types=list(owners), **attributes)


def subnets_of(port: dict[str, Any]) -> list[str]:
    return [fixed["subnet_id"] for fixed in port["fixed_ips"]]


def test_a_port_gets_an_address_of_a_subnet_for_its_owner(api: Api) -> None:
    network = api.network()
    plain = api.subnet(network, "10.0.0.0/24")
    instances = subnet_for(api, network, "10.0.1.0/24", COMPUTE, "compute:other")
    owners = {COMPUTE: instances, "": plain, "network:dhcp": instances, "baremetal:x": plain}
    for owner, expected in owners.items():
        assert subnets_of(api.create("ports", network_id=network, device_owner=owner)) == [expected]


def test_no_subnet_for_an_owner(api: Api) -> None:
    network = api.network()
    subnet = subnet_for(api, network, "10.0.1.0/24", COMPUTE, enable_dhcp=False)
    for attributes in ({}, {"device_owner": "network:dhcp"}, {"fixed_ips": [{"subnet_id": subnet}]}):
        answer = api.post("ports", network_id=network, **attributes)
        assert answer.error == (409, "IpAddressGenerationFailureNoMatchingSubnet")
        owner = attributes.get("device_owner", "")
        assert answer.message == (
            f"No valid service subnet for the given device owner, network {network}, service type {owner}."
        )
    assert api.post("ports", network_id=network, fixed_ips=[]).status == 201
    assert api.post("ports", network_id=network, device_owner=COMPUTE).status == 201


def test_named_addresses(api: Api) -> None:
    network = api.network()
    api.subnet(network, "10.0.0.0/24")
    instances = subnet_for(api, network, "10.0.1.0/24", COMPUTE)
    by_address, by_subnet = [{"ip_address": "10.0.1.9"}], [{"subnet_id": instances}]
    assert api.post("ports", network_id=network, fixed_ips=by_address).error == (400, "InvalidIpForNetwork")
    answer = api.post("ports", network_id=network, fixed_ips=by_subnet)
    assert answer.error == (400, "InvalidInput")
    assert f"fixed_ips included invalid subnet {instances}" in answer.message
    for fixed_ips in (by_address, by_subnet):
        assert api.post("ports", network_id=network, device_owner=COMPUTE, fixed_ips=fixed_ips).status == 201


def test_a_port_that_changes_keeps_its_address(api: Api) -> None:
    network = api.network()
    plain = api.subnet(network, "10.0.0.0/24")
    instances = subnet_for(api, network, "10.0.1.0/24", COMPUTE)
    port = api.create("ports", network_id=network)
    changed = api.put("ports", port["id"], device_owner=COMPUTE).first
    assert changed["fixed_ips"] == port["fixed_ips"]
    changed = api.put("ports", port["id"], fixed_ips=[{"subnet_id": plain}, {"subnet_id": instances}]).first
    assert subnets_of(changed) == [plain, instances]
    both = changed["fixed_ips"]
    assert api.put("ports", port["id"], device_owner="", fixed_ips=both).first["fixed_ips"] == both
    added = [*both, {"ip_address": "10.0.1.50"}]
    assert api.put("ports", port["id"], fixed_ips=added).error == (400, "InvalidIpForNetwork")
    api.put("subnets", plain, service_types=[ROUTED])
    assert api.put("ports", port["id"], fixed_ips=both[:1]).first["fixed_ips"] == both[:1]


GOOD: list[tuple[Any, list[str]]] = [
    ([], []),
    (None, []),
    ([COMPUTE], [COMPUTE]),
    ([ROUTED, COMPUTE, ROUTED], [ROUTED, COMPUTE]),
]


@pytest.mark.parametrize(("given", "shown"), GOOD)
def test_good_service_types(api: Api, given: Any, shown: list[str]) -> None:
    made = api.create("subnets", network_id=api.network(), ip_version=4, cidr="10.0.0.0/24", service_types=given)
    assert made["service_types"] == shown
    assert api.put("subnets", made["id"], service_types=["network:x"]).first["service_types"] == ["network:x"]
    assert api.put("subnets", made["id"], service_types=given).first["service_types"] == shown


BAD: list[tuple[Any, str, str]] = [
    (["x:y"], "InvalidSubnetServiceType", "Subnet service type x:y does not correspond to a valid device owner."),
    ([7], "InvalidInputSubnetServiceType", "Subnet service type 7 is not a string."),
    (COMPUTE, "HTTPBadRequest", "Subnet service types must be a list."),
    (["compute:" + "x" * 250], "InvalidInput", "255 characters at most"),
]


@pytest.mark.parametrize(("given", "kind", "message"), BAD)
def test_bad_service_types(api: Api, given: Any, kind: str, message: str) -> None:
    network = api.network()
    answer = api.post("subnets", network_id=network, ip_version=4, cidr="10.0.0.0/24", service_types=given)
    assert answer.error == (400, kind)
    assert message in answer.message
    answer = api.put("subnets", api.subnet(network), service_types=given)
    assert answer.error == (400, kind)


def test_members_may_say_so(api: Api) -> None:
    subnet = api.subnet(api.network(RED), who=RED)
    assert api.put("subnets", subnet, RED, service_types=[COMPUTE]).first["service_types"] == [COMPUTE]
    assert api.get("extensions/subnet-service-types").first["alias"] == "subnet-service-types"
