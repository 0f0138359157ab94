"""Ports and their bindings."""

from collections.abc import Iterator
from typing import Any

from tests.neutron.asking import BLUE, MEMBER, READER, STRANGER, Ask
from tests.neutron.requesting import HOST, NOWHERE, PROFILE, VNIC, bodies_of, delete, get, post, put


def ports() -> Iterator[Ask]:
    """Ports: addresses, MAC addresses, pairs, DHCP options, security, devices."""
    yield post("networks", MEMBER, "pn")
    yield post("ports", MEMBER, "bare", network_id="{pn}", name="bare")
    # Addresses that are named here are none of those that servers draw.
    drawn = [{"start": "10.0.0.100", "end": "10.0.0.200"}]
    four = {"network_id": "{pn}", "ip_version": 4, "cidr": "10.0.0.0/24"}
    yield post("subnets", MEMBER, "ps", **four, allocation_pools=drawn)
    yield post("ports", MEMBER, "p", network_id="{pn}", name="p")
    yield get("ports/{p}", MEMBER)
    yield get("ports/{p}")
    yield get("ports/{p}", STRANGER)
    yield get(f"ports/{NOWHERE}")
    yield post("ports", STRANGER, network_id="{pn}")
    yield post("ports", READER, network_id="{pn}")
    taken = [{"ip_address": "10.0.0.9"}]
    yield post("ports", save="nine", network_id="{pn}", fixed_ips=taken, mac_address="02:00:00:00:00:09")
    base: dict[str, Any] = {"network_id": "{pn}"}
    yield from bodies_of(
        "POST",
        "ports",
        (
            {},
            {"network_id": NOWHERE},
            {"network_id": "x"},
            base | {"fixed_ips": []},
            base | {"fixed_ips": [{"subnet_id": "{ps}"}, {"subnet_id": "{ps}"}]},
            base | {"fixed_ips": [{"subnet_id": "{ps}", "ip_address": "10.0.0.7"}]},
            base | {"fixed_ips": taken},
            base | {"fixed_ips": [{"ip_address": "10.0.0.0"}]},
            base | {"fixed_ips": [{"ip_address": "10.0.0.255"}]},
            base | {"fixed_ips": [{"ip_address": "10.0.0.1"}]},
            base | {"fixed_ips": [{"ip_address": "10.9.0.9"}]},
            base | {"fixed_ips": [{"ip_address": "junk"}]},
            base | {"fixed_ips": [{"ip_address": "10.0.0.8"}, {"ip_address": "10.0.0.8"}]},
            base | {"fixed_ips": [{"subnet_id": NOWHERE}]},
            base | {"fixed_ips": [{"subnet_id": "x"}]},
            base | {"fixed_ips": [{"nope": 1}]},
            base | {"fixed_ips": [{"ip_address": f"10.0.0.{last}"} for last in range(20, 30)]},
            base | {"mac_address": "02:00:00:00:00:0A"},
            base | {"mac_address": "02-00-00-00-00-0b"},
            base | {"mac_address": "02:00:00:00:00:09"},
            base | {"mac_address": "00:00:00:00:00:00"},
            base | {"mac_address": "03:00:00:00:00:01"},
            base | {"mac_address": "junk"},
            base | {"allowed_address_pairs": [{"ip_address": "10.0.0.5"}]},
            base | {"allowed_address_pairs": [{"ip_address": "10.0.0.5/24"}]},
            base | {"allowed_address_pairs": [{"ip_address": "10.0.0.0/24", "mac_address": "02:00:00:00:00:05"}]},
            base | {"allowed_address_pairs": [{"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.5"}]},
            base | {"allowed_address_pairs": [{"mac_address": "02:00:00:00:00:05"}]},
            base | {"allowed_address_pairs": [{"ip_address": "junk"}]},
            base | {"allowed_address_pairs": [{"ip_address": "224.0.0.5"}]},
            base | {"allowed_address_pairs": [{"ip_address": "10.0.0.5", "nope": 1}]},
            base | {"allowed_address_pairs": [{"ip_address": f"10.0.0.{last}"} for last in range(12)]},
            base | {"port_security_enabled": False},
            base | {"port_security_enabled": False, "allowed_address_pairs": [{"ip_address": "10.0.0.5"}]},
            base | {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}]},
            base | {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 6}]},
            base | {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": None}]},
            base | {"extra_dhcp_opts": [{"opt_name": "mtu"}]},
            base | {"extra_dhcp_opts": [{"opt_name": "", "opt_value": "x"}]},
            base | {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400", "nope": 1}]},
            base | {"device_owner": "compute:nova", "device_id": "vm"},
            base | {"device_owner": "network:dhcp", "device_id": "x"},
            base | {VNIC: "direct"},
            base | {VNIC: "nope"},
            base | {PROFILE: {"a": 1}},
            base | {PROFILE: {"a": "x" * 5000}},
            base | {HOST: "nowhere"},
            base | {HOST: "node1"},
            base | {"binding:vif_type": "ovs"},
            base | {"status": "ACTIVE"},
            base | {"tags": ["b", "a"]},
            base | {"tags": ["a", "a"]},
            base | {"tenant_id": BLUE},
            base | {"project_id": BLUE},
            base | {"nope": 1},
        ),
    )
    yield from bodies_of(
        "PUT",
        "ports/{p}",
        (
            {"name": "q", "description": "d", "device_id": "vm", "device_owner": "compute:nova"},
            {"mac_address": "02:00:00:00:00:0c"},
            {"mac_address": "02:00:00:00:00:09"},
            {"mac_address": None},
            {"fixed_ips": [{"ip_address": "10.0.0.33"}]},
            {"fixed_ips": [{"ip_address": "10.0.0.9"}]},
            {"fixed_ips": []},
            {"fixed_ips": [{"subnet_id": "{ps}", "ip_address": "10.0.0.34"}]},
            {"allowed_address_pairs": [{"ip_address": "10.0.0.5"}]},
            {"port_security_enabled": False},
            {"allowed_address_pairs": []},
            {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}]},
            {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": None}]},
            {HOST: "node1"},
            {"mac_address": "02:00:00:00:00:0d"},
            {VNIC: "direct"},
            {HOST: ""},
            {VNIC: "direct"},
            {"network_id": NOWHERE},
            {"tenant_id": BLUE},
            {"id": NOWHERE},
            {"tags": []},
            {"nope": 1},
            {},
        ),
    )
    yield from bodies_of(
        "PUT",
        "ports/{bare}",
        (
            {"fixed_ips": [{"ip_address": "10.0.0.40"}]},
            {"mac_address": "02:00:00:00:00:0e"},
            {HOST: "node1"},
            {PROFILE: {}},
            {"device_owner": "network:dhcp"},
            {"device_owner": "network:router_interface", "device_id": "r"},
        ),
        MEMBER,
    )
    yield from bodies_of("POST", "ports", (base | {HOST: "node1"}, base | {"device_owner": "network:x"}), MEMBER)
    yield put("ports/{bare}", STRANGER, name="x")
    yield put("ports/{bare}", READER, name="x")
    yield delete("ports/{p}", MEMBER)
    yield delete("ports/{bare}", READER)
    yield delete("networks/{pn}", MEMBER)
    for name in ("p", "bare", "nine"):
        yield delete(f"ports/{{{name}}}")
    yield delete("ports/{p}")
    yield delete("networks/{pn}", MEMBER)


def bindings() -> Iterator[Ask]:
    """The bindings of a port. The second host is not there, as Neutron's agent of it could not be alive twice."""
    yield post("networks", save="bn")
    yield post("ports", save="b", network_id="{bn}", device_owner="compute:nova", **{HOST: "node1"})
    yield post("ports", save="bx", network_id="{bn}")
    path = "ports/{b}/bindings"
    yield get(path)
    yield get(f"{path}/node1")
    yield get(f"{path}/mars")
    yield get(f"{path}?status=ACTIVE&fields=host")
    yield get(f"{path}?nope=1")
    yield get(f"{path}?sort_key=host&sort_dir=asc")
    yield from bodies_of(
        "POST",
        path,
        (
            {"host": "node1"},
            {"host": "mars"},
            {},
            {"host": "mars", "nope": 1},
            {"host": "mars", "vnic_type": "nope"},
            {"host": "mars", "profile": "x"},
            {"host": "mars", "status": "ACTIVE"},
        ),
    )
    yield put(f"{path}/node1", profile={"b": 1})
    yield put(f"{path}/node1", status="ACTIVE")
    yield put(f"{path}/mars", profile={})
    for who in (MEMBER, STRANGER):
        yield get(path, who)
        yield get(f"{path}/node1", who)
        yield post(path, who, host="mars")
        yield delete(f"{path}/node1", who)
    yield Ask("PUT", f"{path}/mars/activate")
    yield delete(f"{path}/mars")
    yield delete(f"{path}/node1")
    yield post(path, host="node1")
    yield get(path)
    yield get("ports/{bx}/bindings")
    yield delete("ports/{bx}/bindings/x")
    yield get(f"ports/{NOWHERE}/bindings")
    yield delete("ports/{b}")
    yield delete("ports/{bx}")
    yield delete("networks/{bn}")
