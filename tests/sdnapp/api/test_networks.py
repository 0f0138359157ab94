"""Networks: each attribute, good and bad; provider segments; MTU; sharing; deletion."""

from typing import Any

import pytest

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import BLUE, RED, Api
from topology.values import Network, Port, Subnet


def test_a_network_with_nothing_said(api: Api) -> None:
    network = api.create("networks", RED)
    assert network == {
        "id": network["id"],
        "name": "",
        "tenant_id": "red",
        "project_id": "red",
        "description": "",
        "tags": [],
        "created_at": "2026-01-01T00:00:01Z",
        "updated_at": "2026-01-01T00:00:01Z",
        "revision_number": 1,
        "admin_state_up": True,
        "mtu": 1450,
        "status": "ACTIVE",
        "subnets": [],
        "shared": False,
        "port_security_enabled": True,
        "router:external": False,
        "availability_zone_hints": [],
        "availability_zones": ["nova"],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
    }
    assert api.get(f"networks/{network['id']}", RED).first == network


def test_administrators_see_the_segment(api: Api) -> None:
    network = api.create("networks")
    assert network["provider:network_type"] == "geneve"
    assert network["provider:physical_network"] is None
    assert network["provider:segmentation_id"] == 1
    assert network["project_id"] == "default"


GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "web"}, {"name": "web"}),
    ({"name": "ä ö"}, {"name": "ä ö"}),
    ({"name": "x" * 255}, {"name": "x" * 255}),
    ({"description": "of the web"}, {"description": "of the web"}),
    ({"admin_state_up": False}, {"admin_state_up": False}),
    ({"admin_state_up": "no"}, {"admin_state_up": False}),
    ({"shared": True}, {"shared": True}),
    ({"mtu": 1400}, {"mtu": 1400}),
    ({"mtu": "1400"}, {"mtu": 1400}),
    ({"mtu": 0}, {"mtu": 1450}),
    ({"port_security_enabled": False}, {"port_security_enabled": False}),
    ({"tenant_id": "green"}, {"project_id": "green", "tenant_id": "green"}),
    (
        {"provider__network_type": "vxlan"},
        {"provider:network_type": "vxlan", "provider:segmentation_id": 1, "mtu": 1450},
    ),
    (
        {"provider__network_type": "geneve", "provider__segmentation_id": "77"},
        {"provider:segmentation_id": 77},
    ),
    (
        {"provider__network_type": "geneve", "provider__segmentation_id": 16777215},
        {"provider:segmentation_id": 16777215},
    ),
    (
        {"provider__network_type": "vlan", "provider__physical_network": "p", "provider__segmentation_id": 4094},
        {"provider:physical_network": "p", "provider:segmentation_id": 4094, "mtu": 1500},
    ),
    (
        {"provider__network_type": "flat", "provider__physical_network": "p"},
        {"provider:network_type": "flat", "provider:segmentation_id": None, "mtu": 1500},
    ),
]


@pytest.mark.parametrize(("attributes", "shown"), GOOD)
def test_what_a_network_may_be(api: Api, attributes: dict[str, Any], shown: dict[str, Any]) -> None:
    network = api.create("networks", **attributes)
    assert network | shown == network


BAD: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    ({"name": 5}, (400, "HTTPBadRequest"), "Invalid input for name. Reason: '5' is not a valid string."),
    ({"name": None}, (400, "HTTPBadRequest"), "Invalid input for name. Reason: 'None' is not a valid string."),
    ({"name": "x" * 256}, (400, "HTTPBadRequest"), "exceeds maximum length of 255"),
    ({"name": "a\nb"}, (400, "HTTPBadRequest"), "is not a valid string"),
    ({"description": "x" * 256}, (400, "HTTPBadRequest"), "exceeds maximum length of 255"),
    ({"admin_state_up": "maybe"}, (400, "InvalidInput"), "'maybe' cannot be converted to boolean"),
    ({"admin_state_up": []}, (400, "InvalidInput"), "cannot be converted to boolean"),
    ({"shared": "x"}, (400, "InvalidInput"), "cannot be converted to boolean"),
    ({"mtu": 1451}, (400, "InvalidInput"), "Requested MTU is too big, maximum is 1450"),
    ({"mtu": -1}, (400, "HTTPBadRequest"), "should be non-negative"),
    ({"mtu": "x"}, (400, "InvalidInput"), "'x' is not an integer"),
    ({"port_security_enabled": "x"}, (400, "InvalidInput"), "cannot be converted to boolean"),
    ({"tenant_id": "a", "project_id": "b"}, (400, "HTTPBadRequest"), "'project_id' and 'tenant_id' do not match"),
    ({"colour": "red"}, (400, "HTTPBadRequest"), "Unrecognized attribute(s) 'colour'"),
    ({"id": "x"}, (400, "HTTPBadRequest"), "Attribute 'id' not allowed in POST"),
    ({"status": "DOWN"}, (400, "HTTPBadRequest"), "Attribute 'status' not allowed in POST"),
    ({"revision_number": 3}, (400, "HTTPBadRequest"), "Attribute 'revision_number' not allowed in POST"),
    ({"provider__segmentation_id": 5}, (400, "InvalidInput"), "network_type required"),
    ({"provider__physical_network": "p"}, (400, "InvalidInput"), "network_type required"),
    ({"provider__network_type": "gre"}, (400, "InvalidInput"), "network_type value 'gre' not supported"),
    (
        {"provider__network_type": "geneve", "provider__physical_network": "p"},
        (400, "InvalidInput"),
        "provider:physical_network specified for geneve network",
    ),
    (
        {"provider__network_type": "geneve", "provider__segmentation_id": 1 << 24},
        (400, "InvalidInput"),
        "segmentation_id out of range (1 through 16777215)",
    ),
    (
        {"provider__network_type": "vlan", "provider__segmentation_id": 5},
        (400, "InvalidInput"),
        "segmentation_id requires physical_network for VLAN provider network",
    ),
    (
        {"provider__network_type": "vlan", "provider__physical_network": "p", "provider__segmentation_id": 4095},
        (400, "InvalidInput"),
        "segmentation_id out of range (1 through 4094)",
    ),
    (
        {"provider__network_type": "vlan", "provider__physical_network": "p"},
        (400, "InvalidInput"),
        "physical_network 'p' has no VLAN ids to give out",
    ),
    ({"provider__network_type": "vlan"}, (503, "NoNetworkAvailable"), "No project network is available"),
    (
        {"provider__network_type": "flat"},
        (400, "InvalidInput"),
        "physical_network required for flat provider network",
    ),
    (
        {"provider__network_type": "flat", "provider__physical_network": "p", "provider__segmentation_id": 5},
        (400, "InvalidInput"),
        "segmentation_id prohibited for flat provider network",
    ),
    ({"provider__network_type": "x" * 33}, (400, "HTTPBadRequest"), "exceeds maximum length of 32"),
]


@pytest.mark.parametrize(("attributes", "error", "message"), BAD)
def test_what_a_network_may_not_be(api: Api, attributes: dict[str, Any], error: tuple[int, str], message: str) -> None:
    answer = api.post("networks", **attributes)
    assert answer.error == error
    assert message in answer.message


TAKEN: list[tuple[dict[str, Any], str]] = [
    ({"provider__network_type": "geneve", "provider__segmentation_id": 9}, "TunnelIdInUse"),
    (
        {"provider__network_type": "vlan", "provider__physical_network": "p", "provider__segmentation_id": 9},
        "VlanIdInUse",
    ),
    ({"provider__network_type": "flat", "provider__physical_network": "p"}, "FlatNetworkInUse"),
]


@pytest.mark.parametrize(("attributes", "kind"), TAKEN)
def test_a_segment_belongs_to_one_network_until_it_is_deleted(api: Api, attributes: dict[str, Any], kind: str) -> None:
    first = api.network(**attributes)
    assert api.post("networks", **attributes).error == (409, kind)
    assert api.delete("networks", first).status == 204
    assert api.post("networks", **attributes).status == 201


def test_overlays_number_their_networks_apart() -> None:
    api = Api(Settings(vni_ranges=((5, 6),)))
    vnis = [
        api.create("networks", provider__network_type=kind)["provider:segmentation_id"] for kind in ("geneve", "vxlan")
    ]
    assert vnis == [5, 5]
    api.network(provider__network_type="geneve")
    assert api.post("networks", provider__network_type="geneve").error == (503, "NoNetworkAvailable")


def test_the_default_type_may_be_vlan() -> None:
    api = Api(Settings(default_network_type="vlan", vlan_ranges={"a": ((7, 7),), "b": ((100, 199),)}))
    networks = [api.create("networks") for _ in range(3)]
    assert [n["provider:physical_network"] for n in networks] == ["a", "b", "b"]
    assert [n["provider:segmentation_id"] for n in networks] == [7, 100, 101]


def test_the_underlay_bounds_the_mtu() -> None:
    api = Api(Settings(underlay_mtu=9000))
    assert api.create("networks")["mtu"] == 8950
    assert api.create("networks", provider__network_type="flat", provider__physical_network="p")["mtu"] == 9000
    assert api.post("networks", mtu=8951).error == (400, "InvalidInput")


def test_keys_are_never_given_twice(api: Api) -> None:
    first = api.network()
    row = api.store.get(Network, first)
    api.delete("networks", first)
    second = api.store.get(Network, api.network())
    assert row is not None and second is not None and row.key < second.key


def test_an_update_counts_only_if_something_changes(api: Api) -> None:
    network = api.create("networks", RED, name="web")
    same = api.put("networks", network["id"], RED, name="web", admin_state_up=True).first
    assert same == network
    changed = api.put("networks", network["id"], RED, name="db", description="d", admin_state_up=False, mtu=1300).first
    assert changed == network | {
        "name": "db",
        "description": "d",
        "admin_state_up": False,
        "mtu": 1300,
        "revision_number": 2,
        "updated_at": "2026-01-01T00:00:02Z",
    }


CANNOT_UPDATE: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    ({"id": "x"}, (400, "HTTPBadRequest"), "Cannot update read-only attribute id"),
    ({"tenant_id": "default"}, (400, "HTTPBadRequest"), "Cannot update read-only attribute tenant_id"),
    ({"created_at": "x"}, (400, "HTTPBadRequest"), "Cannot update read-only attribute created_at"),
    ({"mtu": 1451}, (400, "InvalidInput"), "maximum is 1450"),
    ({"provider__network_type": "vxlan"}, (400, "InvalidInput"), "does not support updating the following provider"),
    ({"provider__physical_network": "p"}, (400, "InvalidInput"), "does not support updating the following provider"),
    ({"provider__segmentation_id": 9}, (400, "InvalidInput"), "Only VLAN type networks can be updated."),
]


@pytest.mark.parametrize(("attributes", "error", "message"), CANNOT_UPDATE)
def test_what_an_update_may_not_change(
    api: Api, attributes: dict[str, Any], error: tuple[int, str], message: str
) -> None:
    answer = api.put("networks", api.network(), **attributes)
    assert answer.error == error
    assert message in answer.message


def test_naming_the_present_segment_changes_nothing(api: Api) -> None:
    network = api.create("networks")
    segment = {name: network[name] for name in network if name.startswith("provider:") and network[name]}
    assert api.put("networks", network["id"], **segment).first == network


def test_a_vlan_network_may_get_another_vlan(api: Api) -> None:
    vlan = {"provider__network_type": "vlan", "provider__physical_network": "p"}
    first, second = (api.network(**vlan, provider__segmentation_id=number) for number in (10, 20))
    assert api.put("networks", first, provider__segmentation_id=20).error == (409, "VlanIdInUse")
    assert api.put("networks", first, provider__segmentation_id=30).first["provider:segmentation_id"] == 30
    assert api.put("networks", second, provider__segmentation_id=10).first["provider:segmentation_id"] == 10


def test_an_mtu_too_small_for_ipv4_is_refused_where_there_are_subnets(api: Api) -> None:
    network = api.network()
    assert api.put("networks", network, mtu=60).status == 200
    answer = api.post("subnets", network_id=network, ip_version=4, cidr="10.0.0.0/24")
    assert answer.error == (409, "NetworkMTUSubnetConflict")
    api.put("networks", network, mtu=1400)
    api.subnet(network)
    assert api.put("networks", network, mtu=60).error == (409, "NetworkMTUSubnetConflict")


def test_sharing_cannot_end_while_others_use_it(api: Api) -> None:
    network = api.network(shared=True)
    port = api.port(network, BLUE)
    assert api.put("networks", network, shared=False).error == (409, "InvalidSharedSetting")
    api.delete("ports", port, BLUE)
    assert api.put("networks", network, shared=False).first["shared"] is False
    assert api.get(f"networks/{network}", BLUE).error == (404, "NetworkNotFound")


def test_a_network_with_ports_stays(api: Api) -> None:
    network = api.network(RED)
    api.subnet(network, who=RED)
    port = api.port(network, RED)
    answer = api.delete("networks", network, RED)
    assert answer.error == (409, "NetworkInUse")
    assert answer.message == (
        f"Unable to complete operation on network {network}. There are one or more ports still in use on the network, "
        f"id for these ports is: {port}."
    )
    api.delete("ports", port, RED)
    assert api.delete("networks", network, RED).status == 204
    assert api.store.all(Subnet) == []


def test_ports_that_serve_a_network_go_with_it(api: Api) -> None:
    network = api.network()
    api.subnet(network)
    api.port(network, device_owner="network:dhcp")
    assert api.delete("networks", network).status == 204
    assert api.store.all(Port) == []


def test_a_network_that_is_not_there(api: Api) -> None:
    for answer in (api.get("networks/x"), api.put("networks", "x", name="y"), api.delete("networks", "x")):
        assert answer.error == (404, "NetworkNotFound")
        assert answer.message == "Network x could not be found."
