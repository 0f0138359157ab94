"""Subnets: each attribute, good and bad; pools and gateway; overlap; update; deletion."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import RED, Api
from topology.values import Port


def test_a_subnet_with_little_said(api: Api) -> None:
    network = api.network(RED)
    subnet = api.create("subnets", RED, network_id=network, ip_version=4, cidr="10.0.0.0/24")
    assert subnet == {
        "id": subnet["id"],
        "name": "",
        "tenant_id": "red",
        "project_id": "red",
        "description": "",
        "tags": [],
        "created_at": "2026-01-01T00:00:02Z",
        "updated_at": "2026-01-01T00:00:02Z",
        "revision_number": 1,
        "network_id": network,
        "ip_version": 4,
        "cidr": "10.0.0.0/24",
        "gateway_ip": "10.0.0.1",
        "enable_dhcp": True,
        "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}],
        "dns_nameservers": [],
        "host_routes": [],
        "subnetpool_id": None,
        "service_types": [],
        "router:external": False,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
    }
    assert api.get(f"subnets/{subnet['id']}", RED).first == subnet
    assert api.get(f"networks/{network}", RED).first["subnets"] == [subnet["id"]]


def pools(*ends: tuple[str, str]) -> list[dict[str, str]]:
    return [{"start": f"10.0.0.{start}", "end": f"10.0.0.{end}"} for start, end in ends]


GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"cidr": "10.0.0.77/24"}, {"cidr": "10.0.0.0/24"}),
    ({"ip_version": "4"}, {"ip_version": 4}),
    ({"name": "web", "description": "d"}, {"name": "web", "description": "d"}),
    ({"enable_dhcp": False}, {"enable_dhcp": False}),
    ({"gateway_ip": None}, {"gateway_ip": None, "allocation_pools": pools(("1", "254"))}),
    ({"gateway_ip": "10.0.0.254"}, {"allocation_pools": pools(("1", "253"))}),
    ({"gateway_ip": "10.0.0.100"}, {"allocation_pools": pools(("1", "99"), ("101", "254"))}),
    ({"gateway_ip": "192.0.2.1"}, {"gateway_ip": "192.0.2.1", "allocation_pools": pools(("1", "254"))}),
    ({"allocation_pools": pools(("10", "20"))}, {"allocation_pools": pools(("10", "20"))}),
    ({"allocation_pools": pools(("30", "40"), ("10", "20"))}, {"allocation_pools": pools(("30", "40"), ("10", "20"))}),
    ({"allocation_pools": []}, {"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}]}),
    ({"gateway_ip": None, "allocation_pools": pools(("1", "9"))}, {"allocation_pools": pools(("1", "9"))}),
    ({"dns_nameservers": ["9.9.9.9", "1.1.1.1"]}, {"dns_nameservers": ["9.9.9.9", "1.1.1.1"]}),
    ({"dns_nameservers": None, "host_routes": None}, {"dns_nameservers": [], "host_routes": []}),
    (
        {"host_routes": [{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}]},
        {"host_routes": [{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}]},
    ),
    (
        {"cidr": "10.0.0.0/31", "enable_dhcp": False},
        {"gateway_ip": "10.0.0.1", "allocation_pools": pools(("0", "0"))},
    ),
    (
        {"cidr": "10.0.0.5/32", "enable_dhcp": False},
        {"gateway_ip": "10.0.0.6", "allocation_pools": pools(("5", "5"))},
    ),
    (
        {"cidr": "255.255.255.255/32", "enable_dhcp": False},
        {"gateway_ip": None, "allocation_pools": [{"start": "255.255.255.255", "end": "255.255.255.255"}]},
    ),
    ({"cidr": "10.0.0.0/30"}, {"allocation_pools": pools(("2", "2"))}),
    (
        {"cidr": "10.0.0.0/8"},
        {"cidr": "10.0.0.0/8", "allocation_pools": [{"start": "10.0.0.2", "end": "10.255.255.254"}]},
    ),
]


@pytest.mark.parametrize(("attributes", "shown"), GOOD)
def test_what_a_subnet_may_be(api: Api, attributes: dict[str, Any], shown: dict[str, Any]) -> None:
    subnet = api.create("subnets", **{"network_id": api.network(), "ip_version": 4, "cidr": "10.0.0.0/24"} | attributes)
    assert subnet | shown == subnet


INPUT, BAD_REQUEST = (400, "InvalidInput"), (400, "BadRequest")
HTTP_BAD_REQUEST = (400, "HTTPBadRequest")
BAD: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    ({"network_id": "x"}, HTTP_BAD_REQUEST, "'x' is not a valid UUID"),
    ({"ip_version": 5}, HTTP_BAD_REQUEST, "5 is not in valid_values"),
    ({"ip_version": "x"}, INPUT, "'x' is not an integer"),
    ({"cidr": "10.0.0.0/33"}, INPUT, "10.0.0.0/33 is not in a CIDR format"),
    ({"cidr": "junk"}, INPUT, "junk is not in a CIDR format"),
    ({"cidr": "0.0.0.0/0"}, INPUT, "0 is not allowed as CIDR prefix length"),
    ({"cidr": "2001:db8::/64"}, INPUT, "cidr '2001:db8::/64' does not match the ip_version '4'"),
    ({"ip_version": 6}, INPUT, "cidr '10.0.0.0/24' does not match the ip_version '6'"),
    ({"ip_version": 6, "cidr": "2001:db8::/64"}, BAD_REQUEST, "IPv6 is not served yet"),
    ({"prefixlen": 24}, BAD_REQUEST, "cidr and prefixlen must not be supplied together"),
    ({"cidr": "10.0.0.0/31"}, INPUT, "Subnet has a prefix length that is incompatible with DHCP service enabled"),
    ({"cidr": "224.0.0.0/24"}, INPUT, "Multicast IP subnet is not supported if enable_dhcp is True"),
    ({"cidr": "127.0.0.0/24"}, INPUT, "Loopback IP subnet is not supported if enable_dhcp is True"),
    ({"cidr": "0.0.0.0/8"}, INPUT, "First IP '0.0.0.0' of network is not supported if enable_dhcp is True."),
    ({"gateway_ip": "10.0.0.0"}, INPUT, "Gateway is not valid on subnet"),
    ({"gateway_ip": "10.0.0.255"}, INPUT, "Gateway is not valid on subnet"),
    ({"gateway_ip": "2001:db8::1"}, INPUT, "gateway_ip '2001:db8::1' does not match the ip_version '4'"),
    ({"gateway_ip": "x"}, HTTP_BAD_REQUEST, "'x' is not a valid IP address"),
    ({"gateway_ip": "010.0.0.1"}, HTTP_BAD_REQUEST, "is not an accepted IP address, '10.0.0.1' is recommended"),
    ({"allocation_pools": "x"}, INPUT, "Invalid data format for allocation pools"),
    ({"allocation_pools": [{"start": "10.0.0.2"}]}, HTTP_BAD_REQUEST, "Validation of dictionary's keys failed"),
    ({"allocation_pools": pools(("9", "2"))}, (400, "InvalidAllocationPool"), "'start': '10.0.0.9'"),
    (
        {"allocation_pools": [{"start": "2001:db8::2", "end": "2001:db8::9"}]},
        (400, "InvalidAllocationPool"),
        "is not valid",
    ),
    (
        {"allocation_pools": pools(("2", "255"))},
        (400, "OutOfBoundsAllocationPool"),
        "The allocation pool 10.0.0.2-10.0.0.255 spans beyond the subnet cidr 10.0.0.0/24.",
    ),
    (
        {"allocation_pools": pools(("2", "20"), ("20", "30"))},
        (409, "OverlappingAllocationPools"),
        "Found overlapping allocation pools: 10.0.0.2-10.0.0.20 10.0.0.20-10.0.0.30 for subnet 10.0.0.0/24.",
    ),
    (
        {"allocation_pools": pools(("1", "9"))},
        (409, "GatewayConflictWithAllocationPools"),
        "Gateway ip 10.0.0.1 conflicts with allocation pool 10.0.0.1-10.0.0.9.",
    ),
    ({"dns_nameservers": ["x"]}, HTTP_BAD_REQUEST, "'x' is not a valid nameserver."),
    ({"dns_nameservers": ["9.9.9.9", "9.9.9.9"]}, HTTP_BAD_REQUEST, "Duplicate nameserver '9.9.9.9'"),
    ({"dns_nameservers": ["2001:db8::1"]}, INPUT, "dns_nameserver '2001:db8::1' does not match the ip_version '4'"),
    ({"dns_nameservers": {"9.9.9.9": 1}}, INPUT, "must be a list of addresses"),
    (
        {"dns_nameservers": [f"9.9.9.{n}" for n in range(1, 7)]},
        (400, "DNSNameServersExhausted"),
        "The number of DNS nameservers exceeds the limit 5.",
    ),
    ({"host_routes": [{"destination": "192.0.2.1/24", "nexthop": "10.0.0.9"}]}, HTTP_BAD_REQUEST, "not a valid CIDR"),
    ({"host_routes": [{"destination": "192.0.2.0/24"}]}, HTTP_BAD_REQUEST, "Validation of dictionary's keys failed"),
    (
        {"host_routes": [{"destination": "2001:db8::/64", "nexthop": "10.0.0.9"}]},
        INPUT,
        "destination '2001:db8::/64' does not match the ip_version '4'",
    ),
    (
        {"host_routes": [{"destination": f"192.0.{n}.0/24", "nexthop": "10.0.0.9"} for n in range(21)]},
        (400, "HostRoutesExhausted"),
        "The number of host routes exceeds the limit 20.",
    ),
    ({"ipv6_ra_mode": "slaac"}, INPUT, "ipv6_ra_mode is not valid when ip_version is 4"),
    ({"ipv6_address_mode": "x"}, HTTP_BAD_REQUEST, "x is not in valid_values"),
    (
        {"subnetpool_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        (404, "SubnetPoolNotFound"),
        "could not be found",
    ),
    ({"shared": True}, HTTP_BAD_REQUEST, "Attribute 'shared' not allowed in POST"),
    ({"use_default_subnetpool": True}, BAD_REQUEST, "No default subnetpool found for IPv4"),
    ({"use_default_subnetpool": "perhaps"}, INPUT, "cannot be converted to boolean"),
]


@pytest.mark.parametrize(("attributes", "error", "message"), BAD)
def test_what_a_subnet_may_not_be(api: Api, attributes: dict[str, Any], error: tuple[int, str], message: str) -> None:
    network = api.network()
    answer = api.post("subnets", **{"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"} | attributes)
    assert answer.error == error
    assert message in answer.message


def test_a_prefix_must_come_from_somewhere(api: Api) -> None:
    answer = api.post("subnets", network_id=api.network(), ip_version=4)
    assert answer.error == BAD_REQUEST
    assert answer.message == "Bad subnets request: a subnetpool must be specified in the absence of a cidr."


def test_what_is_required(api: Api) -> None:
    answer = api.post("subnets", ip_version=4, cidr="10.0.0.0/24")
    assert answer.error == HTTP_BAD_REQUEST
    assert answer.message == "Failed to parse request. Required attribute 'network_id' not specified"


def test_a_network_that_is_not_there(api: Api) -> None:
    nowhere = "0f8fad5b-d9cb-469f-a165-70867728950e"
    answer = api.post("subnets", network_id=nowhere, ip_version=4, cidr="10.0.0.0/24")
    assert answer.error == (404, "NetworkNotFound")


def test_prefixes_of_one_network_do_not_overlap(api: Api) -> None:
    first, second = api.network(), api.network()
    api.subnet(first, "10.0.0.0/24")
    api.subnet(first, "10.0.1.0/24")
    api.subnet(second, "10.0.0.0/24")
    for cidr in ("10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16"):
        answer = api.post("subnets", network_id=first, ip_version=4, cidr=cidr)
        assert answer.error == INPUT
        assert f"Requested subnet with cidr: {cidr} for network: {first} overlaps with another subnet" in answer.message


def test_a_change_of_a_subnet_is_one_of_its_network(api: Api) -> None:
    network = api.network()
    revisions = [1]
    subnet = api.subnet(network)
    revisions.append(api.get(f"networks/{network}").first["revision_number"])
    api.put("subnets", subnet, name="x")
    revisions.append(api.get(f"networks/{network}").first["revision_number"])
    api.delete("subnets", subnet)
    revisions.append(api.get(f"networks/{network}").first["revision_number"])
    assert revisions == [1, 2, 3, 4]


UPDATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "x", "description": "d", "enable_dhcp": False}, {"name": "x", "description": "d", "enable_dhcp": False}),
    ({"gateway_ip": None}, {"gateway_ip": None}),
    ({"gateway_ip": "192.0.2.1"}, {"gateway_ip": "192.0.2.1"}),
    ({"allocation_pools": pools(("10", "20"))}, {"allocation_pools": pools(("10", "20"))}),
    (
        {"gateway_ip": "10.0.0.254", "allocation_pools": pools(("10", "20"))},
        {"gateway_ip": "10.0.0.254", "allocation_pools": pools(("10", "20"))},
    ),
    ({"dns_nameservers": ["9.9.9.9"]}, {"dns_nameservers": ["9.9.9.9"]}),
    ({"dns_nameservers": None}, {"dns_nameservers": []}),
    (
        {"host_routes": [{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}]},
        {"host_routes": [{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}]},
    ),
]


@pytest.mark.parametrize(("attributes", "shown"), UPDATES)
def test_what_an_update_may_change(api: Api, attributes: dict[str, Any], shown: dict[str, Any]) -> None:
    subnet = api.create(
        "subnets", network_id=api.network(), ip_version=4, cidr="10.0.0.0/24", dns_nameservers=["1.1.1.1"]
    )
    changed = api.put("subnets", subnet["id"], **attributes).first
    assert changed == subnet | shown | {"revision_number": 2, "updated_at": changed["updated_at"]}


BAD_UPDATES: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"cidr": "10.0.0.0/25"}, HTTP_BAD_REQUEST),
    ({"ip_version": 4}, HTTP_BAD_REQUEST),
    ({"network_id": "x"}, HTTP_BAD_REQUEST),
    ({"gateway_ip": "10.0.0.7"}, (409, "GatewayConflictWithAllocationPools")),
    ({"gateway_ip": "10.0.0.255"}, INPUT),
    ({"allocation_pools": pools(("1", "9"))}, (409, "GatewayConflictWithAllocationPools")),
    ({"allocation_pools": pools(("2", "9"), ("5", "7"))}, (409, "OverlappingAllocationPools")),
    ({"allocation_pools": [{"start": "10.0.1.2", "end": "10.0.1.9"}]}, (400, "OutOfBoundsAllocationPool")),
    ({"dns_nameservers": [f"9.9.9.{n}" for n in range(1, 7)]}, (400, "DNSNameServersExhausted")),
]


@pytest.mark.parametrize(("attributes", "error"), BAD_UPDATES)
def test_what_an_update_may_not_change(api: Api, attributes: dict[str, Any], error: tuple[int, str]) -> None:
    assert api.put("subnets", api.subnet(api.network()), **attributes).error == error


def test_dhcp_needs_room_when_it_is_switched_on_later(api: Api) -> None:
    subnet = api.subnet(api.network(), "10.0.0.0/31", enable_dhcp=False)
    assert api.put("subnets", subnet, enable_dhcp=True).error == INPUT


def test_a_routers_gateway_stays_while_the_router_has_it(api: Api) -> None:
    network = api.network()
    subnet = api.subnet(network)
    api.port(network, fixed_ips=[{"ip_address": "10.0.0.1"}], device_owner="network:router_interface", device_id="r")
    assert api.put("subnets", subnet, gateway_ip=None).error == (409, "GatewayIpInUse")


def test_a_subnet_in_use_stays(api: Api) -> None:
    network = api.network()
    subnet = api.subnet(network)
    port = api.port(network)
    answer = api.delete("subnets", subnet)
    assert answer.error == (409, "SubnetInUse")
    assert answer.message == (
        f"Unable to complete operation on subnet {subnet}: One or more ports have an IP allocation from this subnet."
    )
    api.delete("ports", port)
    assert api.delete("subnets", subnet).status == 204
    assert api.get(f"subnets/{subnet}").error == (404, "SubnetNotFound")


def test_ports_that_serve_the_network_give_their_addresses_back(api: Api) -> None:
    network = api.network()
    first, second = api.subnet(network), api.subnet(network, "10.0.1.0/24")
    port = api.port(network, device_owner="network:dhcp", fixed_ips=[{"subnet_id": first}, {"subnet_id": second}])
    assert api.delete("subnets", first).status == 204
    row = api.store.get(Port, port)
    assert row is not None and [fixed.subnet_id for fixed in row.fixed_ips] == [second]
