"""Ports: each attribute, good and bad; addresses; MAC addresses; port security; DHCP options; binding."""

import json
from typing import Any
from uuid import UUID

import pytest
from webob import Request

from tests.sdnapp.api.stand_ins import RED, Api
from topology.addressing import SERVICE_MAC
from topology.allocation import allocate_mac, claim_mac
from topology.placement import Plugged, forget, observe
from topology.store import Transaction
from topology.values import Chassis, Network, Port

HTTP_BAD_REQUEST, INPUT = (400, "HTTPBadRequest"), (400, "InvalidInput")
NOWHERE = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def network(api: Api) -> str:
    network = api.network()
    api.subnet(network, "10.0.0.0/24", name="first")
    return network


def addresses(port: dict[str, Any]) -> list[str]:
    return [fixed["ip_address"] for fixed in port["fixed_ips"]]


def test_a_port_with_little_said(api: Api) -> None:
    network = api.network(RED)
    subnet = api.subnet(network, who=RED)
    port = api.create("ports", RED, network_id=network)
    assert port == {
        "id": str(UUID(port["id"], version=4)),
        "name": "",
        "tenant_id": "red",
        "project_id": "red",
        "description": "",
        "tags": [],
        "created_at": port["created_at"],
        "updated_at": port["created_at"],
        "revision_number": 1,
        "network_id": network,
        "admin_state_up": True,
        "mac_address": port["mac_address"],
        "status": "DOWN",
        "device_id": "",
        "device_owner": "",
        "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.0.0.2"}],
        "allowed_address_pairs": [],
        "port_security_enabled": True,
        "security_groups": [group["id"] for group in api.get("security-groups", RED).first],
        "extra_dhcp_opts": [],
        "binding:vnic_type": "normal",
    }
    assert port["mac_address"].startswith("fa:16:3e:")
    assert api.get(f"ports/{port['id']}", RED).first == port


def test_administrators_see_binding_and_realization(api: Api, network: str) -> None:
    port = api.port(network)
    api.services.active.add(port)
    shown = api.get(f"ports/{port}").first
    assert shown["status"] == "ACTIVE"
    assert shown["sdnapp:realization"] == {"hv1": "confirmed"}
    assert (shown["binding:host_id"], shown["binding:vif_type"]) == ("", "unbound")
    assert (shown["binding:vif_details"], shown["binding:profile"]) == ({}, {})


GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "p", "description": "d"}, {"name": "p", "description": "d"}),
    ({"admin_state_up": "false"}, {"admin_state_up": False}),
    ({"mac_address": "02-00-00-00-00-AA"}, {"mac_address": "02:00:00:00:00:aa"}),
    ({"device_id": "vm", "device_owner": "compute:a"}, {"device_id": "vm", "device_owner": "compute:a"}),
    ({"port_security_enabled": False}, {"port_security_enabled": False}),
    ({"device_owner": "network:dhcp"}, {"port_security_enabled": False}),
    (
        {"mac_address": "02:00:00:00:00:01", "allowed_address_pairs": [{"ip_address": "10.9.0.7/16"}]},
        {"allowed_address_pairs": [{"ip_address": "10.9.0.0/16", "mac_address": "02:00:00:00:00:01"}]},
    ),
    (
        {"allowed_address_pairs": [{"ip_address": "2001:DB8::1", "mac_address": "02-00-00-00-00-02"}]},
        {"allowed_address_pairs": [{"ip_address": "2001:db8::1", "mac_address": "02:00:00:00:00:02"}]},
    ),
    ({"allowed_address_pairs": None}, {"allowed_address_pairs": []}),
    ({"allowed_address_pairs": [], "port_security_enabled": False}, {"allowed_address_pairs": []}),
    (
        {"extra_dhcp_opts": [{"opt_name": "bootfile-name", "opt_value": "pxe.0"}]},
        {"extra_dhcp_opts": [{"opt_name": "bootfile-name", "opt_value": "pxe.0", "ip_version": 4}]},
    ),
    ({"extra_dhcp_opts": None}, {"extra_dhcp_opts": []}),
    ({"extra_dhcp_opts": [{"opt_name": "bootfile-name", "opt_value": None}]}, {"extra_dhcp_opts": []}),
    (
        {"extra_dhcp_opts": [{"opt_name": "router", "opt_value": ""}]},
        {"extra_dhcp_opts": [{"opt_name": "router", "opt_value": "", "ip_version": 4}]},
    ),
    ({"binding__vnic_type": "direct"}, {"binding:vnic_type": "direct"}),
    ({"binding__profile": {"a": [1]}}, {"binding:profile": {"a": [1]}}),
    ({"binding__profile": None}, {"binding:profile": {}}),
    ({"binding__host_id": "nowhere"}, {"binding:host_id": "nowhere", "binding:vif_type": "binding_failed"}),
    ({"binding__host_id": None}, {"binding:host_id": "", "binding:vif_type": "unbound"}),
    ({"fixed_ips": []}, {"fixed_ips": []}),
]


@pytest.mark.parametrize(("attributes", "shown"), GOOD)
def test_what_a_port_may_be(api: Api, network: str, attributes: dict[str, Any], shown: dict[str, Any]) -> None:
    port = api.create("ports", network_id=network, **{k.replace("__", ":"): v for k, v in attributes.items()})
    assert port | shown == port


BAD: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    ({"network_id": NOWHERE}, (404, "NetworkNotFound"), f"Network {NOWHERE} could not be found."),
    ({"network_id": ["x"]}, HTTP_BAD_REQUEST, "is not a valid UUID"),
    ({"mac_address": "x"}, HTTP_BAD_REQUEST, "'x' is not a valid MAC address"),
    ({"mac_address": "00:00:00:00:00:00"}, HTTP_BAD_REQUEST, "is not a valid MAC address"),
    ({"mac_address": "01:00:5e:00:00:01"}, INPUT, "is a multicast address"),
    ({"mac_address": SERVICE_MAC}, (409, "MacAddressInUse"), "is in use"),
    ({"device_id": 5}, HTTP_BAD_REQUEST, "'5' is not a valid string"),
    ({"device_owner": "x" * 256}, HTTP_BAD_REQUEST, "exceeds maximum length of 255"),
    ({"status": "ACTIVE"}, HTTP_BAD_REQUEST, "Attribute 'status' not allowed in POST"),
    ({"sdnapp__realization": {}}, HTTP_BAD_REQUEST, "Attribute 'sdnapp:realization' not allowed in POST"),
    ({"security_group": []}, HTTP_BAD_REQUEST, "Unrecognized attribute(s) 'security_group'"),
    ({"fixed_ips": "x"}, HTTP_BAD_REQUEST, "Invalid data format for fixed IP"),
    ({"fixed_ips": None}, HTTP_BAD_REQUEST, "Invalid data format for fixed IP"),
    ({"fixed_ips": [{}]}, INPUT, "IP allocation requires subnet_id or ip_address"),
    ({"fixed_ips": [{"ip_address": "x"}]}, HTTP_BAD_REQUEST, "'x' is not a valid IP address"),
    ({"fixed_ips": [{"ip_address": None}]}, HTTP_BAD_REQUEST, "'None' is not a valid IP address"),
    ({"fixed_ips": [{"subnet_id": "x"}]}, HTTP_BAD_REQUEST, "'x' is not a valid UUID"),
    ({"fixed_ips": [{"subnet_id": NOWHERE}]}, (404, "SubnetNotFound"), f"Subnet {NOWHERE} could not be found."),
    ({"fixed_ips": [{"ip_address": "10.0.1.1"}]}, (400, "InvalidIpForNetwork"), "is not a valid IP for any of the"),
    ({"fixed_ips": [{"ip_address": "10.0.0.255"}]}, (400, "InvalidIpForNetwork"), "is not a valid IP"),
    ({"fixed_ips": [{"ip_address": "2001:db8::1"}]}, (400, "InvalidIpForNetwork"), "is not a valid IP"),
    ({"fixed_ips": [{"ip_address": "10.0.0.9"}] * 2}, HTTP_BAD_REQUEST, "Duplicate IP address '10.0.0.9'"),
    ({"fixed_ips": [{"ip_address": "10.0.0.9"}] * 1001}, HTTP_BAD_REQUEST, "more than 1000 items"),
    ({"allowed_address_pairs": {}}, HTTP_BAD_REQUEST, "Allowed address pairs must be a list."),
    ({"allowed_address_pairs": [{}]}, (400, "AllowedAddressPairsMissingIP"), "must contain ip_address"),
    ({"allowed_address_pairs": [{"ip_address": 5}]}, HTTP_BAD_REQUEST, "Invalid input for allowed_address_pairs"),
    ({"allowed_address_pairs": [{"ip_address": []}]}, HTTP_BAD_REQUEST, "Invalid input for allowed_address_pairs"),
    ({"allowed_address_pairs": [{"ip_address": "224.0.0.1"}]}, HTTP_BAD_REQUEST, "is a multicast address"),
    (
        {"allowed_address_pairs": [{"ip_address": "10.0.0.9", "mac_address": SERVICE_MAC}]},
        INPUT,
        "belongs to the network itself",
    ),
    (
        {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}] * 2},
        (400, "DuplicateAddressPairInRequest"),
        "duplicate address pair",
    ),
    (
        {
            "mac_address": "02:00:00:00:00:01",
            "allowed_address_pairs": [
                {"ip_address": "10.0.0.9"},
                {"ip_address": "10.0.0.9", "mac_address": "02:00:00:00:00:01"},
            ],
        },
        (400, "DuplicateAddressPairInRequest"),
        "mac_address 02:00:00:00:00:01 ip_address 10.0.0.9",
    ),
    (
        {"allowed_address_pairs": [{"ip_address": f"10.0.0.{n}"} for n in range(11)]},
        (400, "AllowedAddressPairExhausted"),
        "exceeds the maximum 10",
    ),
    (
        {"port_security_enabled": False, "allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
        (409, "AddressPairAndPortSecurityRequired"),
        "Port Security must be enabled",
    ),
    ({"extra_dhcp_opts": {}}, INPUT, "is not a list"),
    ({"extra_dhcp_opts": [{"opt_name": "x"}]}, INPUT, "No valid key specs matched"),
    ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "many"}]}, INPUT, "DHCP option mtu: 'many' is not valid"),
    ({"extra_dhcp_opts": [{"opt_name": "no-such", "opt_value": "1"}]}, INPUT, "there is no DHCP option 'no-such'"),
    (
        {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}, {"opt_name": "mtu", "opt_value": "1300"}]},
        INPUT,
        "option mtu is named twice for IPv4",
    ),
    ({"binding__vnic_type": "x"}, HTTP_BAD_REQUEST, "x is not in valid_values"),
    ({"binding__profile": "x"}, HTTP_BAD_REQUEST, "'x' is not a dictionary"),
    ({"binding__profile": {"a": "x" * 4095}}, INPUT, "binding:profile value too large"),
    ({"binding__host_id": 5}, HTTP_BAD_REQUEST, "'5' is not a valid string"),
    ({"binding__vif_type": "ovs"}, HTTP_BAD_REQUEST, "Attribute 'binding:vif_type' not allowed in POST"),
]


@pytest.mark.parametrize(("attributes", "error", "message"), BAD)
def test_what_a_port_may_not_be(
    api: Api, network: str, attributes: dict[str, Any], error: tuple[int, str], message: str
) -> None:
    answer = api.post("ports", **{"network_id": network} | attributes)
    assert answer.error == error
    assert message in answer.message


def test_a_network_without_subnets_gives_no_address(api: Api) -> None:
    network = api.network()
    assert api.create("ports", network_id=network)["fixed_ips"] == []
    answer = api.post("ports", network_id=network, fixed_ips=[{"ip_address": "10.0.0.9"}])
    assert answer.error == INPUT
    assert "IP allocation requires subnets for network" in answer.message


def test_addresses_by_subnet_by_address_and_both(api: Api, network: str) -> None:
    second = api.subnet(network, "10.0.1.0/24")
    wanted = [
        {"subnet_id": second},
        {"ip_address": "10.0.0.2"},
        {"subnet_id": second, "ip_address": "10.0.1.2"},
        {"subnet_id": second},
    ]
    port = api.create("ports", network_id=network, fixed_ips=wanted)
    assert addresses(port) == ["10.0.1.3", "10.0.0.2", "10.0.1.2", "10.0.1.4"]


def test_an_address_must_be_of_the_subnet_named(api: Api, network: str) -> None:
    second = api.subnet(network, "10.0.1.0/24")
    answer = api.post("ports", network_id=network, fixed_ips=[{"subnet_id": second, "ip_address": "10.0.0.9"}])
    assert answer.error == (400, "InvalidIpForSubnet")


def test_the_subnet_must_be_of_the_ports_network(api: Api, network: str) -> None:
    elsewhere = api.subnet(api.network())
    answer = api.post("ports", network_id=network, fixed_ips=[{"subnet_id": elsewhere}])
    assert answer.error == INPUT
    assert f"because fixed_ips included invalid subnet {elsewhere}" in answer.message


def test_an_address_is_given_once_until_it_is_given_back(api: Api, network: str) -> None:
    subnet = api.get("subnets").first[0]["id"]
    port = api.port(network, fixed_ips=[{"ip_address": "10.0.0.9"}])
    answer = api.post("ports", network_id=network, fixed_ips=[{"ip_address": "10.0.0.9"}])
    assert answer.error == (409, "IpAddressAlreadyAllocated")
    assert answer.message == f"IP address 10.0.0.9 already allocated in subnet {subnet}"
    api.delete("ports", port)
    assert api.post("ports", network_id=network, fixed_ips=[{"ip_address": "10.0.0.9"}]).status == 201


def test_when_a_pool_is_used_up_the_next_subnet_serves_and_then_none(api: Api) -> None:
    network = api.network()
    api.subnet(network, "10.0.0.0/30")
    api.subnet(network, "10.0.1.0/30")
    assert [addresses(api.create("ports", network_id=network)) for _ in range(2)] == [["10.0.0.2"], ["10.0.1.2"]]
    answer = api.post("ports", network_id=network)
    assert answer.error == (409, "IpAddressGenerationFailure")
    assert answer.message == f"No more IP addresses available on network {network}."


def test_a_named_subnet_may_be_used_up(api: Api) -> None:
    network = api.network()
    full = api.subnet(network, "10.0.0.0/30")
    api.subnet(network, "10.0.1.0/24")
    api.port(network)
    answer = api.post("ports", network_id=network, fixed_ips=[{"subnet_id": full}])
    assert answer.error == (409, "IpAddressGenerationFailure")


def test_addresses_outside_the_pools_are_given_by_name_only(api: Api) -> None:
    network = api.network()
    api.subnet(network, allocation_pools=[{"start": "10.0.0.10", "end": "10.0.0.10"}])
    named = api.create("ports", network_id=network, fixed_ips=[{"ip_address": "10.0.0.99"}])
    assert addresses(named) == ["10.0.0.99"]
    assert addresses(api.create("ports", network_id=network)) == ["10.0.0.10"]
    assert api.post("ports", network_id=network).error == (409, "IpAddressGenerationFailure")


def test_a_mac_address_is_given_once_on_a_network(api: Api, network: str) -> None:
    mac = "02:00:00:00:00:01"
    port = api.port(network, mac_address=mac)
    answer = api.post("ports", network_id=network, mac_address=mac)
    assert answer.error == (409, "MacAddressInUse")
    assert answer.message == f"Unable to complete operation for network {network}. The mac address {mac} is in use."
    assert api.post("ports", network_id=api.network(), mac_address=mac).status == 201
    api.delete("ports", port)
    assert api.post("ports", network_id=network, mac_address=mac).status == 201


def test_the_networks_own_mac_address_is_never_given(api: Api, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def next_in_line(tx: Transaction, network_id: str, owner: str, base: str) -> str:
        """Search from the address before the network's own."""
        if not tx.claimed(f"mac:{network_id}"):
            claim_mac(tx, network_id, SERVICE_MAC, owner)
            return SERVICE_MAC
        return allocate_mac(tx, network_id, owner, base)

    monkeypatch.setattr("sdnapp.api.resources.mac_addresses.allocate_mac", next_in_line)
    request = Request.blank("/v2.0/ports", method="POST", body=json.dumps({"port": {"network_id": network}}).encode())
    port = request.get_response(api.app).json["port"]
    assert port["mac_address"] != SERVICE_MAC
    assert api.call("DELETE", f"/v2.0/ports/{port['id']}").status == 204


def test_port_security_comes_from_the_network(api: Api) -> None:
    network = api.network(port_security_enabled=False)
    assert api.create("ports", network_id=network)["port_security_enabled"] is False
    assert api.create("ports", network_id=network, port_security_enabled=True)["port_security_enabled"] is True
    answer = api.post("ports", network_id=network, allowed_address_pairs=[{"ip_address": "10.0.0.9"}])
    assert answer.error == (409, "AddressPairAndPortSecurityRequired")


def test_keys_are_never_given_twice(api: Api, network: str) -> None:
    first = api.port(network)
    key = api.store.get(Port, first).key  # type: ignore[union-attr]
    api.delete("ports", first)
    assert api.store.get(Port, api.port(network)).key > key  # type: ignore[union-attr]


UPDATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "n", "description": "d"}, {"name": "n", "description": "d"}),
    ({"admin_state_up": False}, {"admin_state_up": False}),
    ({"device_id": "vm", "device_owner": "compute:a"}, {"device_id": "vm", "device_owner": "compute:a"}),
    ({"mac_address": "02:00:00:00:00:09"}, {"mac_address": "02:00:00:00:00:09"}),
    ({"port_security_enabled": False}, {"port_security_enabled": False}),
    ({"binding__vnic_type": "macvtap"}, {"binding:vnic_type": "macvtap"}),
    ({"binding__profile": {"a": 1}}, {"binding:profile": {"a": 1}}),
    ({"binding__host_id": "h"}, {"binding:host_id": "h", "binding:vif_type": "binding_failed"}),
    ({"fixed_ips": []}, {"fixed_ips": []}),
    (
        {"allowed_address_pairs": [{"ip_address": "10.0.0.9", "mac_address": "02:00:00:00:00:09"}]},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.9", "mac_address": "02:00:00:00:00:09"}]},
    ),
]


@pytest.mark.parametrize(("attributes", "shown"), UPDATES)
def test_what_an_update_may_change(api: Api, network: str, attributes: dict[str, Any], shown: dict[str, Any]) -> None:
    port = api.create("ports", network_id=network, security_groups=[])
    changed = api.put("ports", port["id"], **attributes).first
    assert changed == port | shown | {"revision_number": 2, "updated_at": changed["updated_at"]}
    assert api.put("ports", port["id"], **attributes).first == changed


BAD_UPDATES: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"network_id": NOWHERE}, HTTP_BAD_REQUEST),
    ({"status": "ACTIVE"}, HTTP_BAD_REQUEST),
    ({"mac_address": "x"}, HTTP_BAD_REQUEST),
    ({"mac_address": "02:00:00:00:00:02"}, (409, "MacAddressInUse")),
    ({"mac_address": "02:00:00:00:00:09", "device_owner": "network:x"}, (409, "UnsupportedPortDeviceOwner")),
    ({"fixed_ips": [{"ip_address": "10.0.0.2"}]}, (409, "IpAddressAlreadyAllocated")),
    ({"fixed_ips": [{"ip_address": "192.0.2.1"}]}, (400, "InvalidIpForNetwork")),
    (
        {"port_security_enabled": False, "allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
        (409, "AddressPairAndPortSecurityRequired"),
    ),
    ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "x"}]}, INPUT),
    ({"binding__profile": {"a": "x" * 4095}}, INPUT),
]


@pytest.mark.parametrize(("attributes", "error"), BAD_UPDATES)
def test_what_an_update_may_not_change(
    api: Api, network: str, attributes: dict[str, Any], error: tuple[int, str]
) -> None:
    api.port(network, mac_address="02:00:00:00:00:02")
    assert api.put("ports", api.port(network), **attributes).error == error


def test_address_pairs_keep_port_security_on(api: Api, network: str) -> None:
    port = api.port(network, allowed_address_pairs=[{"ip_address": "10.0.0.9"}])
    assert api.put("ports", port, port_security_enabled=False).error == (409, "AddressPairAndPortSecurityRequired")
    changed = api.put("ports", port, port_security_enabled=False, allowed_address_pairs=[], security_groups=[])
    assert changed.first["port_security_enabled"] is False


def test_null_asks_for_another_mac_address(api: Api, network: str) -> None:
    port = api.create("ports", network_id=network, mac_address="02:00:00:00:00:02")
    changed = api.put("ports", port["id"], mac_address=None).first
    assert changed["mac_address"].startswith("fa:16:3e:")
    assert api.post("ports", network_id=network, mac_address="02:00:00:00:00:02").status == 201


def test_addresses_that_are_still_wanted_stay(api: Api, network: str) -> None:
    first = api.get("subnets").first[0]["id"]
    second = api.subnet(network, "10.0.1.0/24")
    port = api.port(network, fixed_ips=[{"subnet_id": first}, {"ip_address": "10.0.0.9"}, {"subnet_id": second}])

    def change(*wanted: dict[str, str]) -> list[str]:
        return addresses(api.put("ports", port, fixed_ips=list(wanted)).first)

    assert change({"subnet_id": second}, {"subnet_id": first}) == ["10.0.1.2", "10.0.0.2"]
    assert change({"ip_address": "10.0.0.2"}, {"subnet_id": first}) == ["10.0.0.2", "10.0.0.3"]
    assert change({"subnet_id": first}, {"ip_address": "10.0.0.2"}) == ["10.0.0.3", "10.0.0.2"]
    assert change({"subnet_id": first, "ip_address": "10.0.0.50"}) == ["10.0.0.50"]
    assert change() == []
    assert change({"subnet_id": first}) == ["10.0.0.2"]


def test_dhcp_options_are_set_one_by_one(api: Api, network: str) -> None:
    port = api.port(network, extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1400"}])

    def change(*options: tuple[str, str | None]) -> dict[str, str]:
        given = [{"opt_name": name, "opt_value": value} for name, value in options]
        shown = api.put("ports", port, extra_dhcp_opts=given).first["extra_dhcp_opts"]
        return {option["opt_name"]: option["opt_value"] for option in shown}

    assert change(("bootfile-name", "pxe.0")) == {"mtu": "1400", "bootfile-name": "pxe.0"}
    assert change(("mtu", "1300")) == {"mtu": "1300", "bootfile-name": "pxe.0"}
    assert change(("mtu", None)) == {"bootfile-name": "pxe.0"}
    assert change() == {"bootfile-name": "pxe.0"}


def test_a_plugged_port_is_bound_and_keeps_its_mac_address(api: Api, network: str) -> None:
    port = api.create("ports", network_id=network)
    observe(api.store, Chassis("hv1", hostname="host1", bridge="br-x"), {port["id"]: Plugged(5, "tap5")})
    bound = api.get(f"ports/{port['id']}").first
    assert (bound["binding:host_id"], bound["binding:vif_type"]) == ("host1", "ovs")
    assert bound["binding:vif_details"] == {"port_filter": True, "connectivity": "l2", "bridge_name": "br-x"}
    answer = api.put("ports", port["id"], mac_address="02:00:00:00:00:09")
    assert answer.error == (409, "PortBound")
    assert api.put("ports", port["id"], binding__vnic_type="direct").error == (409, "PortInUse")
    forget(api.store, "hv1")
    assert api.put("ports", port["id"], mac_address="02:00:00:00:00:09").status == 200


@pytest.mark.parametrize("host", ["hv1", "host1"])
def test_a_port_is_bound_to_the_host_that_it_is_meant_for(api: Api, network: str, host: str) -> None:
    observe(api.store, Chassis("hv1", hostname="host1"), {})
    port = api.create("ports", network_id=network, binding__host_id=host)
    assert (port["binding:host_id"], port["binding:vif_type"]) == (host, "ovs")


def test_a_port_plugged_elsewhere_than_its_host_says_is_bound_all_the_same(api: Api, network: str) -> None:
    port = api.port(network, binding__host_id="unknown")
    observe(api.store, Chassis("hv1"), {port: Plugged(5, "tap5")})
    shown = api.get(f"ports/{port}").first
    assert (shown["binding:host_id"], shown["binding:vif_type"]) == ("unknown", "ovs")
    assert api.put("ports", port, mac_address="02:00:00:00:00:09").error == (409, "PortBound")


def test_a_port_passed_off_as_a_routers_is_refused(api: Api) -> None:
    network = api.network(RED)
    answer = api.post("ports", RED, network_id=network, device_owner="network:router_interface", device_id="r")
    assert answer.error == (409, "DeviceIDNotOwnedByTenant")


def test_deleting_a_port(api: Api, network: str) -> None:
    port = api.port(network)
    assert api.delete("ports", port).status == 204
    for answer in (api.get(f"ports/{port}"), api.delete("ports", port), api.put("ports", port, name="x")):
        assert answer.error == (404, "PortNotFound")
        assert answer.message == f"Port {port} could not be found."
    assert api.store.get(Network, network) is not None
