"""What real Neutron and ours are asked: for each resource of the first group of extensions, good requests and bad.

Each story starts from what it makes itself. Then come odd values for each attribute that can be written.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from tests.neutron.asking import ADMIN, BLUE, MEMBER, READER, RED, STRANGER, Ask

NOWHERE = "00000000-0000-4000-8000-000000000000"
TYPE, PHYSICAL, NUMBER = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
EXTERNAL, HOST, VNIC, PROFILE = "router:external", "binding:host_id", "binding:vnic_type", "binding:profile"
ODD: tuple[Any, ...] = (None, -1, "x", "x" * 300, [1], {"a": 1})


def post(path: str, who: tuple[str, str] = ADMIN, save: str = "", **body: Any) -> Ask:
    """Create an object."""
    return Ask("POST", path, _renamed(body), who, save)


def put(path: str, who: tuple[str, str] = ADMIN, **body: Any) -> Ask:
    """Change an object."""
    return Ask("PUT", path, _renamed(body), who)


def get(path: str, who: tuple[str, str] = ADMIN) -> Ask:
    """Show an object or list some."""
    return Ask("GET", path, None, who)


def delete(path: str, who: tuple[str, str] = ADMIN) -> Ask:
    """Delete an object."""
    return Ask("DELETE", path, None, who)


def _renamed(body: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", ":"): value for name, value in body.items()}


def _bodies(method: str, path: str, bodies: Iterable[dict[str, Any]], who: tuple[str, str] = ADMIN) -> Iterator[Ask]:
    for body in bodies:
        yield Ask(method, path, body, who, clean=method == "POST")


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
    yield from _bodies(
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
    yield from _bodies(
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
    yield from _bodies("PUT", "networks/{n}", ({NUMBER: 9}, {"shared": True}, {EXTERNAL: True}), MEMBER)
    yield from _bodies("POST", "networks", ({"shared": True}, {TYPE: "geneve"}, {"tenant_id": BLUE}), MEMBER)
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
    yield from _bodies(
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
    yield from _bodies(
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


def ports() -> Iterator[Ask]:
    """Ports: addresses, MAC addresses, pairs, DHCP options, security, devices."""
    yield post("networks", MEMBER, "pn")
    yield post("ports", MEMBER, "bare", network_id="{pn}", name="bare")
    yield post("subnets", MEMBER, "ps", network_id="{pn}", ip_version=4, cidr="10.0.0.0/24")
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
    yield from _bodies(
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
    yield from _bodies(
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
    yield from _bodies(
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
    yield from _bodies("POST", "ports", (base | {HOST: "node1"}, base | {"device_owner": "network:x"}), MEMBER)
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
    yield from _bodies(
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


def pools() -> Iterator[Ask]:
    """Subnet pools and address scopes, and subnets cut from pools."""
    yield post("address-scopes", MEMBER, "a", name="a", ip_version=4)
    yield get("address-scopes/{a}", MEMBER)
    yield get("address-scopes/{a}", STRANGER)
    yield get(f"address-scopes/{NOWHERE}")
    yield from _bodies(
        "POST",
        "address-scopes",
        ({"name": "b", "ip_version": 6}, {"ip_version": 4}, {"name": "b"}, {"name": "b", "ip_version": 5}, {"nope": 1}),
    )
    yield post("address-scopes", MEMBER, name="c", ip_version=4, shared=True)
    yield put("address-scopes/{a}", name="aa")
    yield put("address-scopes/{a}", ip_version=6)
    yield put("address-scopes/{a}", shared=True)
    yield put("address-scopes/{a}", shared=False)
    yield post("subnetpools", MEMBER, "o", name="o", prefixes=["10.0.0.0/16"], default_prefixlen=24)
    yield get("subnetpools/{o}", MEMBER)
    yield get("subnetpools/{o}", STRANGER)
    base: dict[str, Any] = {"name": "p", "prefixes": ["10.8.0.0/16"]}
    yield from _bodies(
        "POST",
        "subnetpools",
        (
            base,
            {"name": "p"},
            {"prefixes": ["10.8.0.0/16"]},
            base | {"prefixes": []},
            base | {"prefixes": ["junk"]},
            base | {"prefixes": ["10.8.0.0/16", "10.8.0.0/16"]},
            base | {"prefixes": ["10.8.0.0/17", "10.8.128.0/17"]},
            base | {"prefixes": ["10.8.0.0/16", "2001:db8::/32"]},
            base | {"prefixes": ["2001:db8::/32"]},
            base | {"prefixes": ["10.8.0.9/16"]},
            base | {"min_prefixlen": 20, "max_prefixlen": 28, "default_prefixlen": 24},
            base | {"min_prefixlen": 28, "max_prefixlen": 20},
            base | {"min_prefixlen": 20, "default_prefixlen": 18},
            base | {"max_prefixlen": 20, "default_prefixlen": 24},
            base | {"max_prefixlen": 33},
            base | {"min_prefixlen": -1},
            base | {"default_quota": 100},
            base | {"default_quota": -1},
            base | {"address_scope_id": "{a}"},
            base | {"address_scope_id": NOWHERE},
            base | {"prefixes": ["2001:db8::/32"], "address_scope_id": "{a}"},
            base | {"is_default": True},
            base | {"shared": True},
            base | {"tenant_id": BLUE},
            base | {"nope": 1},
        ),
    )
    yield from _bodies("POST", "subnetpools", (base | {"is_default": True}, base | {"shared": True}), MEMBER)
    yield post("subnetpools", MEMBER, "w", **base, address_scope_id="{a}")
    yield post("subnetpools", MEMBER, name="y", prefixes=["10.8.4.0/24"], address_scope_id="{a}")
    yield delete("address-scopes/{a}")
    yield post("networks", MEMBER, "on")
    cut: dict[str, Any] = {"network_id": "{on}", "ip_version": 4, "subnetpool_id": "{o}"}
    yield post("subnets", MEMBER, "os", **cut)
    yield from _bodies(
        "POST",
        "subnets",
        (
            cut | {"prefixlen": 26},
            cut | {"prefixlen": 4},
            cut | {"prefixlen": 33},
            cut | {"prefixlen": "x"},
            cut | {"cidr": "10.0.77.0/24"},
            cut | {"cidr": "10.0.0.0/24"},
            cut | {"cidr": "10.9.0.0/24"},
            cut | {"cidr": "10.0.78.0/24", "prefixlen": 24},
            cut | {"ip_version": 6},
            cut | {"subnetpool_id": "{w}"},
            {"network_id": "{on}", "ip_version": 4, "prefixlen": 24},
        ),
    )
    yield from _bodies(
        "PUT",
        "subnetpools/{o}",
        (
            {"name": "oo", "description": "d"},
            {"prefixes": ["10.0.0.0/16", "10.1.0.0/16"]},
            {"prefixes": ["10.1.0.0/16"]},
            {"min_prefixlen": 30},
            {"max_prefixlen": 28},
            {"default_prefixlen": 26},
            {"default_quota": 1},
            {"address_scope_id": "{a}"},
            {"shared": True},
            {"is_default": True},
            {"is_default": False},
            {"nope": 1},
            {},
        ),
    )
    yield delete("subnetpools/{o}")
    yield delete("subnets/{os}")
    yield delete("subnetpools/{o}", STRANGER)
    yield delete("subnetpools/{o}")
    yield delete("subnetpools/{w}")
    yield delete("address-scopes/{a}")
    yield delete("networks/{on}")


def sharing() -> Iterator[Ask]:
    """RBAC policies."""
    yield post("networks", MEMBER, "r")
    base = {"object_type": "network", "object_id": "{r}", "action": "access_as_shared", "target_tenant": BLUE}
    yield post("rbac-policies", MEMBER, "g", **base)
    yield get("rbac-policies/{g}", MEMBER)
    yield get("rbac-policies/{g}", STRANGER)
    yield get(f"rbac-policies/{NOWHERE}")
    yield get("networks/{r}", STRANGER)
    yield post("ports", STRANGER, "rp", network_id="{r}")
    yield delete("rbac-policies/{g}", MEMBER)
    yield put("rbac-policies/{g}", MEMBER, target_tenant=RED)
    yield delete("ports/{rp}", STRANGER)
    for change in (
        {},
        {"target_tenant": "*"},
        {"object_type": "nope"},
        {"object_type": "port"},
        {"action": "access_as_nope"},
        {"object_id": NOWHERE},
        {"object_id": "x"},
        {"nope": 1},
    ):
        yield post("rbac-policies", MEMBER, **base | change)
    for missing in base:
        yield post("rbac-policies", **{name: value for name, value in base.items() if name != missing})
    yield post("rbac-policies", STRANGER, **base)
    yield put("rbac-policies/{g}", MEMBER, target_tenant="*")
    yield put("rbac-policies/{g}", MEMBER, action="access_as_external")
    yield put("rbac-policies/{g}", STRANGER, target_tenant=BLUE)
    yield delete("rbac-policies/{g}", STRANGER)
    yield delete("rbac-policies/{g}", MEMBER)
    yield post("networks", save="all", shared=True)
    yield get("rbac-policies?object_id={all}&fields=action&fields=target_tenant")
    yield get("networks/{all}", STRANGER)
    yield post("ports", STRANGER, "ap", network_id="{all}")
    yield put("networks/{all}", shared=False)
    yield delete("ports/{ap}")
    yield put("networks/{all}", shared=False)
    yield delete("networks/{all}")
    yield delete("networks/{r}")


def quotas() -> Iterator[Ask]:
    """Quotas with details and usage."""
    project = "c" * 32
    other = (project, "member,reader")
    for path in (f"quotas/{project}", f"quotas/{project}/default", f"quotas/{project}/details.json"):
        yield get(f"{path}?fields=network")
        yield get(path, STRANGER)
    yield get("quotas/tenant")
    yield get("quotas/project")
    for limit in (1, -1, -2, "x", 1 << 40):
        yield put(f"quotas/{project}?fields=network", network=limit)
    yield put(f"quotas/{project}", nope=1)
    yield put(f"quotas/{project}", STRANGER, network=5)
    yield put(f"quotas/{project}", network=1)
    yield post("networks", other, "q")
    yield post("networks", other)
    yield Ask("POST", "networks", raw=b'{"networks": [{"name": "a"}, {"name": "b"}]}', who=other)
    yield put(f"quotas/{project}", network=0, check_limit=True)
    yield put(f"quotas/{project}", network=0, force=True)
    yield Ask("POST", "quotas", {"network": 1})
    yield delete("networks/{q}")
    yield delete(f"quotas/{project}", STRANGER)
    yield delete(f"quotas/{project}")
    yield delete(f"quotas/{project}")
    yield get("quotas", STRANGER)


def tagging() -> Iterator[Ask]:
    """Tags on an object, and lists by tags."""
    yield post("networks", MEMBER, "t", name="tagged")
    path = "networks/{t}/tags"
    yield get(path, MEMBER)
    yield Ask("PUT", path, raw=b'{"tags": ["b", "a"]}', who=MEMBER)
    yield Ask("PUT", f"{path}/c", who=MEMBER)
    yield Ask("PUT", f"{path}/c", who=MEMBER)
    yield get(f"{path}/c", MEMBER)
    yield get(f"{path}/nope", MEMBER)
    yield get(path, STRANGER)
    for raw in (b"", b"{}", b'{"tags": "x"}', b'{"tags": [1]}', b'{"tags": ["a", "a"]}', b'{"nope": []}', b"[]"):
        yield Ask("PUT", path, raw=raw, who=MEMBER)
    yield Ask("POST", path, raw=b'{"tags": ["d"]}', who=MEMBER)
    yield Ask("PUT", f"{path}/{'x' * 300}", who=MEMBER)
    yield Ask("PUT", f"{path}/z", who=STRANGER)
    yield Ask("PUT", f"{path}/z", who=READER)
    for query in ("tags=a,b", "tags=a&tags=z", "tags-any=a,z", "not-tags=a,b", "not-tags-any=z", "tags="):
        yield get(f"networks?name=tagged&fields=name&{query}", MEMBER)
    yield delete(f"{path}/c", MEMBER)
    yield delete(f"{path}/c", MEMBER)
    yield delete(path, READER)
    yield delete(path, MEMBER)
    yield get(f"networks/{NOWHERE}/tags")
    yield get("nopes/{t}/tags")
    yield delete("networks/{t}")


def lists() -> Iterator[Ask]:
    """Filters, fields, sorting and pages."""
    for name in ("l1", "l2", "l3"):
        yield post("networks", MEMBER, name, name=name, description="listed")
    yield post("networks", MEMBER, "l4", description="listed")
    for query in (
        "sort_key=name&sort_dir=desc",
        "sort_key=name&sort_dir=asc&limit=2",
        "sort_key=name&sort_dir=asc&limit=2&marker={l2}",
        "sort_key=name&sort_dir=asc&limit=2&marker={l3}&page_reverse=True",
        "sort_key=name&sort_dir=asc&limit=0",
        "sort_key=name&sort_dir=asc&limit=1000",
        "limit=-1",
        "limit=x",
        f"limit=1&marker={NOWHERE}",
        "sort_key=name",
        "sort_key=nope&sort_dir=asc",
        "sort_key=name&sort_dir=up",
        "sort_key=name&sort_dir=asc&sort_key=id&sort_dir=asc",
        "name=l1",
        "name=l1&name=l2&sort_key=name&sort_dir=asc",
        "name=",
        "name=nope",
        "admin_state_up=true&name=l1",
        "admin_state_up=maybe",
        "shared=False&name=l1",
        "status=ACTIVE&name=l1",
        "mtu=1450&name=l1",
        "mtu=x",
        "tenant_id=" + RED + "&name=l1",
        "project_id=" + BLUE,
        "nope=1",
        "changed_since=2020-01-01T00:00:00Z&name=l1",
        "provider:network_type=geneve&name=l1",
        "revision_number=x",
        "id=x",
    ):
        yield get(f"networks?description=listed&fields=name&{query}", MEMBER)
    yield get("networks?description=listed&fields=name&provider:network_type=geneve&name=l1")
    yield post("subnets", MEMBER, "ls", network_id="{l1}", ip_version=4, cidr="10.3.0.0/24")
    yield post("ports", MEMBER, "lp", network_id="{l1}", name="lp", fixed_ips=[{"ip_address": "10.3.0.77"}])
    for query in (
        "fixed_ips=ip_address%3D10.3.0.77",
        "fixed_ips=ip_address_substr%3D3.0.7",
        "fixed_ips=ip_address_substr%3D9.9.9",
        "fixed_ips=subnet_id%3D{ls}",
        "fixed_ips=junk",
        "fixed_ips=nope%3D1",
        "fixed_ips=ip_address%3Djunk",
        "device_id=",
        "device_owner=",
        "mac_address=junk",
        "network_id={l2}",
        "security_groups=x",
        "binding:host_id=node1",
    ):
        yield get(f"ports?network_id={{l1}}&fields=name&{query}", MEMBER)
    for query in ("cidr=10.3.0.0/24", "cidr=10.3.0.77/24", "cidr=junk", "ip_version=4", "ip_version=x", "gateway_ip="):
        yield get(f"subnets?network_id={{l1}}&fields=cidr&{query}", MEMBER)
    yield get("network-ip-availabilities/{l1}")
    yield get("network-ip-availabilities/{l1}", MEMBER)
    yield get("network-ip-availabilities?network_name=l1")
    yield get("network-ip-availabilities?nope=1")
    yield get(f"network-ip-availabilities/{NOWHERE}")
    yield delete("ports/{lp}")
    for name in ("l1", "l2", "l3", "l4"):
        yield delete(f"networks/{{{name}}}")


def requests() -> Iterator[Ask]:
    """Bodies, methods and paths that are wrong whatever the resource."""
    yield get("/")
    yield get("extensions/nope")
    yield get("nopes")
    yield get("networks/x/nope")
    yield Ask("PATCH", "networks")
    yield Ask("PUT", "networks", {"name": "x"})
    yield delete("networks")
    yield Ask("POST", f"networks/{NOWHERE}", {"name": "x"})
    for raw in (
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"{}",
        b'{"network": null}',
        b'{"network": []}',
        b'{"network": "x"}',
        b'{"networks": []}',
        b'{"networks": {}}',
        b'{"networks": [7]}',
        b'{"networks": [{"name": 7}]}',
        b'{"networks": [{"network": {"name": 7}}]}',
        b'{"port": {}}',
        b'{"network": {"name": NaN}}',
        b'{"network": {"name": "\xff"}}',
    ):
        yield Ask("POST", "networks", raw=raw)
    yield Ask("DELETE", f"networks/{NOWHERE}", raw=b"{}")
    yield get("availability_zones")
    yield get("availability_zones?nope=1")
    yield get("service-providers")
    yield get("agents/nope")
    yield get("agents", MEMBER)
    yield get("agents?alive=maybe")
    yield get("agents?nope=1")


_WRITTEN: dict[str, tuple[dict[str, Any], str]] = {
    "networks": (
        {},
        "name description admin_state_up shared mtu port_security_enabled router:external availability_zone_hints "
        "provider:network_type provider:physical_network provider:segmentation_id segments tenant_id project_id",
    ),
    "subnets": (
        {"network_id": "{ds}", "ip_version": 4, "cidr": "10.7.0.0/24"},
        "name description network_id ip_version cidr gateway_ip enable_dhcp allocation_pools dns_nameservers "
        "host_routes subnetpool_id prefixlen use_default_subnetpool ipv6_ra_mode ipv6_address_mode service_types "
        "tenant_id",
    ),
    "ports": (
        {"network_id": "{dn}"},
        "name description network_id admin_state_up mac_address fixed_ips device_id device_owner tenant_id "
        "allowed_address_pairs port_security_enabled extra_dhcp_opts binding:host_id binding:vnic_type "
        "binding:profile tags",
    ),
    "subnetpools": (
        {"name": "d", "prefixes": ["10.0.0.0/16"]},
        "name description prefixes min_prefixlen max_prefixlen default_prefixlen default_quota address_scope_id "
        "shared is_default tenant_id",
    ),
    "address-scopes": ({"name": "d", "ip_version": 4}, "name ip_version shared tenant_id"),
    "rbac-policies": (
        {"object_type": "network", "object_id": "{dn}", "action": "access_as_shared", "target_tenant": BLUE},
        "object_type object_id action target_tenant tenant_id",
    ),
}


def odd_values() -> Iterator[Ask]:
    """Each attribute with values of every type of JSON, at creation and in a change."""
    yield post("networks", save="dn")
    yield post("networks", save="do")
    yield post("networks", save="ds")
    for collection, (base, attributes) in _WRITTEN.items():
        wanted = base | ({"object_id": "{do}"} if "object_id" in base else {})
        yield post(collection, save=f"d-{collection}", **wanted | ({"cidr": "10.6.0.0/24"} if "cidr" in base else {}))
        for name in attributes.split():
            for value in ODD:
                yield Ask("POST", collection, base | {name: value}, clean=True)
                yield Ask("PUT", f"{collection}/{{d-{collection}}}", {name: value})


STORIES = (
    networks,
    external,
    subnets,
    ports,
    bindings,
    pools,
    sharing,
    quotas,
    tagging,
    lists,
    requests,
    odd_values,
)
