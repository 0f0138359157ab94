"""Networks, external networks and subnets."""

from collections.abc import Iterator
from typing import Any

from tests.neutron.asking import BLUE, MEMBER, READER, RED, STRANGER, Ask
from tests.neutron.requesting import EXTERNAL, NOWHERE, NUMBER, PHYSICAL, TYPE, bodies_of, delete, get, post, put


def networks() -> Iterator[Ask]:
    """Networks: provider attributes, segments, MTU, sharing, external, zones, filters."""
    yield post("networks", MEMBER, "n", name="n", description="first")
    yield get("networks/{n}", MEMBER)
    yield get("networks/{n}")
    yield get("networks/{n}", STRANGER)
    yield get(f"networks/{NOWHERE}")
    yield get("networks/x")
    yield get("networks/{n}?fields=name&fields=id&fields=nope")
    yield put("networks/{n}", MEMBER, name="m", admin_state_up=False)
    yield put("networks/{n}", STRANGER, name="m")
    yield put("networks/{n}", READER, name="m")
    yield post("networks", READER, name="m")
    yield delete("networks/{n}", STRANGER)
    yield delete("networks/{n}", READER)
    yield from bodies_of(
        "POST",
        "networks",
        (
            {TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 150},
            {TYPE: "vlan", PHYSICAL: "physnet1"},
            {TYPE: "vlan"},
            {TYPE: "vlan", NUMBER: 5},
            {TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 0},
            {TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 4095},
            {TYPE: "flat", PHYSICAL: "physnet1"},
            {TYPE: "flat"},
            {TYPE: "flat", PHYSICAL: "physnet1", NUMBER: 5},
            {TYPE: "vxlan", NUMBER: 1999},
            {TYPE: "geneve", PHYSICAL: "physnet1"},
            {TYPE: "geneve", NUMBER: 1 << 24},
            {TYPE: "local"},
            {TYPE: "nope"},
            {NUMBER: 5},
            {PHYSICAL: "physnet1"},
            {"segments": [{TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 151}]},
            {"segments": [{TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 151}, {TYPE: "geneve"}]},
            {"segments": [{TYPE: "geneve"}], TYPE: "geneve"},
            {"segments": [{TYPE: "nope"}]},
            {"mtu": 1400},
            {"mtu": 9000},
            {"mtu": 67},
            {"mtu": 0},
            {"shared": True},
            {EXTERNAL: True},
            {"port_security_enabled": False},
            {"availability_zone_hints": ["mars"]},
            {"tenant_id": BLUE},
            {"project_id": BLUE},
            {"project_id": BLUE, "tenant_id": RED},
            {"id": NOWHERE},
            {"status": "ACTIVE"},
            {"nope": 1},
        ),
    )
    yield post("networks", save="v", **{TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 160})
    yield post("networks", **{TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 160})
    yield from bodies_of(
        "PUT",
        "networks/{v}",
        (
            {NUMBER: 161},
            {NUMBER: 5000},
            {TYPE: "geneve"},
            {TYPE: "vlan"},
            {PHYSICAL: "physnet2"},
            {"segments": [{TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 161}]},
            {"mtu": 1300},
            {"mtu": 9000},
            {"tenant_id": BLUE},
            {"id": NOWHERE},
            {"shared": True},
            {"shared": False},
            {"nope": 1},
            {"availability_zone_hints": []},
            {},
        ),
    )
    yield from bodies_of("PUT", "networks/{n}", ({NUMBER: 9}, {"shared": True}, {EXTERNAL: True}), MEMBER)
    yield from bodies_of("POST", "networks", ({"shared": True}, {TYPE: "geneve"}, {"tenant_id": BLUE}), MEMBER)
    yield delete("networks/{v}")
    yield delete("networks/{n}", MEMBER)
    yield delete("networks/{n}", MEMBER)


def external() -> Iterator[Ask]:
    """External networks and the RBAC policies behind them."""
    yield post("networks", save="e", name="e", router__external=True)
    yield post("subnets", save="es", network_id="{e}", ip_version=4, cidr="192.0.2.0/24")
    for path in ("networks/{e}", "subnets/{es}", "networks?router:external=True&id={e}", "subnets?id={es}"):
        yield get(path, STRANGER)
    yield get("networks?router:external=maybe")
    yield post("ports", STRANGER, network_id="{e}")
    yield post("subnets", STRANGER, network_id="{e}", ip_version=4, cidr="192.0.3.0/24")
    yield put("networks/{e}", STRANGER, name="mine")
    yield get("rbac-policies?object_id={e}")
    given = {"object_type": "network", "object_id": "{e}", "action": "access_as_external"}
    yield post("rbac-policies", **given, target_tenant="*")
    yield post("rbac-policies", save="er", **given, target_tenant=BLUE)
    yield post("rbac-policies", STRANGER, **given, target_tenant=BLUE)
    yield put("networks/{e}", router__external=False)
    yield get("rbac-policies?object_id={e}")
    yield get("networks/{e}", STRANGER)
    yield post("ports", save="ep", network_id="{e}", device_owner="network:router_gateway")
    yield put("networks/{e}", router__external=True)
    yield put("networks/{e}", router__external=False)
    yield delete("ports/{ep}")
    yield delete("networks/{e}")


def subnets() -> Iterator[Ask]:
    """Subnets: prefixes, gateways, pools, routes, name servers, owners."""
    yield post("networks", MEMBER, "sn")
    four: dict[str, Any] = {"network_id": "{sn}", "ip_version": 4}
    yield post("subnets", MEMBER, "s", **four, cidr="10.0.0.0/24", name="s", tags=["x"])
    yield post("subnets", MEMBER, "s", **four, cidr="10.0.0.0/24", name="s")
    yield get("subnets/{s}", MEMBER)
    yield get("subnets/{s}", STRANGER)
    yield get(f"subnets/{NOWHERE}")
    yield get("networks/{sn}", MEMBER)
    yield post("subnets", STRANGER, **four, cidr="10.0.9.0/24")
    yield post("subnets", READER, **four, cidr="10.0.9.0/24")
    base = four | {"cidr": "10.1.0.0/24"}
    yield from bodies_of(
        "POST",
        "subnets",
        (
            four | {"cidr": "10.0.0.0/25"},
            four | {"cidr": "10.0.0.128/30"},
            four | {"cidr": "10.1.0.77/24"},
            four | {"cidr": "10.1.0.0"},
            four | {"cidr": "10.1.0.0/33"},
            four | {"cidr": "junk"},
            four | {"cidr": "10.1.0.0/32"},
            four | {"cidr": "10.1.0.0/31"},
            four | {"cidr": "10.1.0.0/30"},
            four | {"cidr": "10.1.0.0/31", "enable_dhcp": False},
            four | {"cidr": "10.1.0.0/32", "enable_dhcp": False},
            four | {"cidr": "224.0.0.0/16"},
            four | {"cidr": "127.0.0.0/8"},
            four | {"cidr": "0.0.0.0/0"},
            four | {"cidr": "0.0.0.0/8"},
            four | {"cidr": "169.254.0.0/16"},
            four | {"cidr": "2001:db8::/64"},
            four,
            {"network_id": "{sn}", "cidr": "10.1.0.0/24"},
            {"ip_version": 4, "cidr": "10.1.0.0/24"},
            base | {"network_id": NOWHERE},
            base | {"network_id": "x"},
            base | {"ip_version": 5},
            base | {"gateway_ip": None},
            base | {"gateway_ip": "10.1.0.254"},
            base | {"gateway_ip": "10.1.0.0"},
            base | {"gateway_ip": "10.1.0.255"},
            base | {"gateway_ip": "10.9.9.9"},
            base | {"gateway_ip": "2001:db8::1"},
            base | {"allocation_pools": [{"start": "10.1.0.10", "end": "10.1.0.20"}]},
            base | {"allocation_pools": [{"start": "10.1.0.20", "end": "10.1.0.10"}]},
            base | {"allocation_pools": [{"start": "10.1.0.1", "end": "10.1.0.10"}], "gateway_ip": "10.1.0.1"},
            base | {"allocation_pools": [{"start": "10.2.0.1", "end": "10.2.0.10"}]},
            base | {"allocation_pools": [{"start": "10.1.0.0", "end": "10.1.0.10"}]},
            base | {"allocation_pools": [{"start": "10.1.0.2"}]},
            base | {"allocation_pools": []},
            base
            | {
                "allocation_pools": [
                    {"start": "10.1.0.2", "end": "10.1.0.9"},
                    {"start": "10.1.0.5", "end": "10.1.0.20"},
                ]
            },
            base | {"dns_nameservers": ["10.1.0.5", "192.0.2.1"]},
            base | {"dns_nameservers": ["10.1.0.5", "10.1.0.5"]},
            base | {"dns_nameservers": ["junk"]},
            base | {"dns_nameservers": ["2001:db8::1"]},
            base | {"dns_nameservers": [f"192.0.2.{last}" for last in range(1, 8)]},
            base | {"host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.1.0.9"}]},
            base | {"host_routes": [{"destination": "10.9.0.7/16", "nexthop": "10.1.0.9"}]},
            base | {"host_routes": [{"destination": "junk", "nexthop": "10.1.0.9"}]},
            base | {"host_routes": [{"destination": "10.9.0.0/16"}]},
            base | {"host_routes": [{"destination": "2001:db8::/64", "nexthop": "10.1.0.9"}]},
            base | {"host_routes": [{"destination": f"10.{n}.0.0/16", "nexthop": "10.1.0.9"} for n in range(30, 55)]},
            base | {"ipv6_ra_mode": "slaac"},
            base | {"service_types": ["compute:nova"]},
            base | {"service_types": ["junk"]},
            base | {"service_types": [7]},
            base | {"subnetpool_id": NOWHERE},
            base | {"use_default_subnetpool": True},
            base | {"tenant_id": BLUE},
            base | {"shared": True},
            base | {EXTERNAL: True},
            base | {"segment_id": None},
            base | {"nope": 1},
        ),
    )
    yield from bodies_of(
        "PUT",
        "subnets/{s}",
        (
            {"name": "t", "description": "d", "enable_dhcp": False},
            {"enable_dhcp": True},
            {"gateway_ip": "10.0.0.254"},
            {"gateway_ip": "10.0.0.5"},
            {"gateway_ip": "10.9.0.5"},
            {"gateway_ip": None},
            {"allocation_pools": [{"start": "10.0.0.10", "end": "10.0.0.20"}]},
            {"allocation_pools": [{"start": "10.9.0.10", "end": "10.9.0.20"}]},
            {"dns_nameservers": ["192.0.2.1"]},
            {"host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]},
            {"host_routes": []},
            {"cidr": "10.0.0.0/25"},
            {"ip_version": 6},
            {"network_id": NOWHERE},
            {"service_types": ["network:dhcp"]},
            {"nope": 1},
            {},
        ),
    )
    yield post("ports", MEMBER, "sp", network_id="{sn}", fixed_ips=[{"subnet_id": "{s}"}])
    yield delete("subnets/{s}", MEMBER)
    yield delete("ports/{sp}", MEMBER)
    yield delete("subnets/{s}", STRANGER)
    yield delete("subnets/{s}", MEMBER)
    yield delete("networks/{sn}", MEMBER)
