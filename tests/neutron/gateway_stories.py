"""The way outside: gateways of routers, floating IPs and port forwardings."""

from collections.abc import Iterator
from typing import Any

from tests.neutron.asking import BLUE, MANAGER, MEMBER, READER, RED, STRANGER, Ask
from tests.neutron.requesting import EXTERNAL, NOWHERE, PHYSICAL, TYPE, bodies_of, delete, get, post, put
from tests.neutron.router_stories import add, remove

GATEWAY = "external_gateway_info"


def cloud(prefix: str, octet: int) -> Iterator[Ask]:
    """Make an external network and a member's, with their subnets: ``{prefix}w``, ``...ws``, ``...l``, ``...ls``."""
    flat = {EXTERNAL: True, TYPE: "flat", PHYSICAL: f"outside-{prefix}"}
    yield Ask("POST", "networks", {"name": f"{prefix}w", **flat}, save=f"{prefix}w")
    outside = {"network_id": f"{{{prefix}w}}", "ip_version": 4, "cidr": f"203.0.{octet}.0/28", "enable_dhcp": False}
    # Addresses that are named here are none of those that servers draw.
    pools = [{"start": f"203.0.{octet}.2", "end": f"203.0.{octet}.9"}]
    yield post("subnets", save=f"{prefix}ws", **outside, allocation_pools=pools)
    yield post("networks", MEMBER, f"{prefix}l", name=f"{prefix}l")
    inside = {"network_id": f"{{{prefix}l}}", "ip_version": 4, "cidr": f"10.0.{octet}.0/24"}
    yield post("subnets", MEMBER, f"{prefix}ls", **inside)


def gateways() -> Iterator[Ask]:
    """Gateways: whom they lead to, by which addresses, who may choose, and what keeps them."""
    yield from cloud("g", 10)
    to = {"network_id": "{gw}"}
    yield post("routers", MEMBER, "gr", name="gr", **{GATEWAY: to})
    for who in (MEMBER, READER, STRANGER):
        yield get("routers/{gr}", who)
    yield get("ports?device_id={gr}")
    yield get("ports?device_id={gr}", MEMBER)
    yield get("ports?device_owner=network:router_gateway&network_id={gw}&fields=status&fields=name&fields=project_id")
    bodies: tuple[Any, ...] = (
        None,
        to,
        {},
        to | {"enable_snat": True},
        to | {"enable_snat": False},
        to | {"enable_snat": "maybe"},
        to | {"enable_snat": None},
        to | {"external_fixed_ips": [{"ip_address": "203.0.10.11"}]},
        to | {"external_fixed_ips": [{"subnet_id": "{gws}"}]},
        to | {"external_fixed_ips": [{"subnet_id": "{gws}", "ip_address": "203.0.10.12"}]},
        to | {"external_fixed_ips": [{"ip_address": "203.0.10.11"}, {"ip_address": "203.0.10.13"}]},
        to | {"external_fixed_ips": [{"ip_address": "203.0.10.11"}, {"ip_address": "203.0.10.11"}]},
        to | {"external_fixed_ips": [{"ip_address": "203.0.10.1"}]},
        to | {"external_fixed_ips": [{"ip_address": "203.0.10.0"}]},
        to | {"external_fixed_ips": [{"ip_address": "203.0.10.15"}]},
        to | {"external_fixed_ips": [{"ip_address": "192.0.2.5"}]},
        to | {"external_fixed_ips": [{"ip_address": "junk"}]},
        to | {"external_fixed_ips": [{"subnet_id": "{gls}"}]},
        to | {"external_fixed_ips": [{"subnet_id": NOWHERE}]},
        to | {"external_fixed_ips": [{"subnet_id": "{gws}", "ip_address": "10.0.10.5"}]},
        to | {"external_fixed_ips": []},
        to | {"external_fixed_ips": None},
        to | {"external_fixed_ips": [{}]},
        to | {"external_fixed_ips": "x"},
        to | {"external_fixed_ips": [7]},
        to | {"nope": 1},
        {"network_id": "{gl}"},
        {"network_id": NOWHERE},
        {"network_id": "x"},
        {"network_id": None},
        {"enable_snat": True},
        {"external_fixed_ips": [{"ip_address": "203.0.10.11"}]},
        "x",
        7,
        [to],
    )
    yield from bodies_of("POST", "routers", ({"name": "g", GATEWAY: body} for body in bodies))
    for body in bodies:
        yield put("routers/{gr}", **{GATEWAY: body})
        yield put("routers/{gr}", MEMBER, **{GATEWAY: body})
    yield put("routers/{gr}", STRANGER, **{GATEWAY: to})
    yield put("routers/{gr}", READER, **{GATEWAY: to})
    yield from _needed_gateways(to)
    yield delete("routers/{gr}", MEMBER)
    yield get("ports?network_id={gw}")
    yield delete("networks/{gl}", MEMBER)
    yield delete("networks/{gw}")


def gateways_without_addresses() -> Iterator[Ask]:
    """A gateway on a network that has no subnet yet."""
    yield Ask("POST", "networks", {"name": "bw", EXTERNAL: True, TYPE: "flat", PHYSICAL: "outside-b"}, save="bw")
    yield post("routers", MEMBER, "br", name="br", **{GATEWAY: {"network_id": "{bw}"}})
    yield put("routers/{br}", MEMBER, **{GATEWAY: {"network_id": "{bw}"}})
    yield put("routers/{br}", **{GATEWAY: {"network_id": "{bw}", "external_fixed_ips": [{"ip_address": "203.0.15.4"}]}})
    yield post("floatingips", MEMBER, floating_network_id="{bw}")
    yield get("ports?network_id={bw}&fields=fixed_ips&fields=status&fields=device_owner")
    yield post("subnets", save="bs", network_id="{bw}", ip_version=4, cidr="203.0.15.0/29")
    yield get("routers/{br}", MEMBER)
    yield post("subnets", save="bt", network_id="{bw}", ip_version=4, cidr="203.0.115.0/29")
    yield get("routers/{br}", MEMBER)
    yield delete("subnets/{bs}")
    yield delete("routers/{br}", MEMBER)
    yield delete("networks/{bw}")


def external_access() -> Iterator[Ask]:
    """Policies by which a network is external: withdrawn while routers need them."""
    yield from cloud("x", 14)
    access = {"object_type": "network", "object_id": "{xw}", "action": "access_as_external"}
    yield put("networks/{xw}", router__external=False)
    yield post("rbac-policies", save="xr", **access, target_tenant=RED)
    yield post("rbac-policies", save="xb", **access, target_tenant=BLUE)
    yield get("networks/{xw}", MEMBER)
    yield post("routers", MEMBER, "xm", name="xm", **{GATEWAY: {"network_id": "{xw}"}})
    yield post("routers", STRANGER, "xs", name="xs", **{GATEWAY: {"network_id": "{xw}"}})
    yield delete("rbac-policies/{xr}")
    yield delete("rbac-policies/{xb}")
    yield put("rbac-policies/{xb}", target_tenant="c" * 32)
    yield post("rbac-policies", save="xa", **access, target_tenant="*")
    yield delete("rbac-policies/{xb}")
    yield delete("rbac-policies/{xa}")
    yield post("rbac-policies", save="xb", **access, target_tenant=BLUE)
    yield delete("rbac-policies/{xa}")
    yield put("networks/{xw}", router__external=False)
    yield delete("routers/{xs}", STRANGER)
    yield delete("rbac-policies/{xb}")
    yield get("networks/{xw}", STRANGER)
    yield delete("routers/{xm}", MEMBER)
    yield delete("rbac-policies/{xr}")
    yield get("networks/{xw}", MEMBER)
    yield delete("networks/{xw}")
    yield delete("networks/{xl}", MEMBER)


def _needed_gateways(to: dict[str, Any]) -> Iterator[Ask]:
    """What stands in the way of a gateway, and what a gateway stands in the way of."""
    yield put("routers/{gr}", MEMBER, **{GATEWAY: to})
    yield add("gr", subnet_id="{gls}")
    yield delete("networks/{gw}")
    yield delete("subnets/{gws}")
    yield put("networks/{gw}", router__external=False)
    yield post("networks", MEMBER, "go")
    yield post("subnets", MEMBER, "gos", network_id="{go}", ip_version=4, cidr="203.0.10.0/24")
    yield add("gr", subnet_id="{gos}")
    yield add("gr", subnet_id="{gws}")
    yield delete("networks/{go}", MEMBER)
    yield post("routers", MEMBER, "g2", name="g2")
    yield put("routers/{g2}", **{GATEWAY: to | {"external_fixed_ips": [{"ip_address": "203.0.10.14"}]}})
    yield put("routers/{gr}", **{GATEWAY: to | {"external_fixed_ips": [{"ip_address": "203.0.10.14"}]}})
    yield delete("routers/{g2}", MEMBER)
    yield put("routers/{gr}", **{GATEWAY: to | {"external_fixed_ips": [{"ip_address": "203.0.10.14"}]}})
    yield get("routers/{gr}", MEMBER)
    yield put("routers/{gr}", MEMBER, routes=[{"destination": "10.9.0.0/16", "nexthop": "203.0.10.3"}])
    yield put("routers/{gr}", MEMBER, routes=[{"destination": "0.0.0.0/0", "nexthop": "203.0.10.3"}])
    yield put("routers/{gr}", MEMBER, routes=[])
    yield put("routers/{gr}", MEMBER, admin_state_up=False)
    yield delete("routers/{gr}", MEMBER)
    yield remove("gr", subnet_id="{gls}")


def floating_ips() -> Iterator[Ask]:
    """Floating IPs: taken, associated, moved and given back, lists of them, and whose they are."""
    yield from cloud("f", 11)
    network = {"floating_network_id": "{fw}"}
    yield post("floatingips", MEMBER, "fa", **network, description="first")
    for who in (MEMBER, READER, STRANGER):
        yield get("floatingips/{fa}", who)
    yield get(f"floatingips/{NOWHERE}")
    yield get("ports?device_id={fa}")
    yield get("ports?device_id={fa}", MEMBER)
    yield post("ports", MEMBER, "fp", network_id="{fl}", name="fp", fixed_ips=[{"ip_address": "10.0.11.20"}])
    yield put("floatingips/{fa}", MEMBER, port_id="{fp}")
    yield post("routers", MEMBER, "fr", name="fr")
    yield add("fr", subnet_id="{fls}")
    yield put("floatingips/{fa}", MEMBER, port_id="{fp}")
    yield put("routers/{fr}", MEMBER, **{GATEWAY: {"network_id": "{fw}"}})
    yield post("ports", MEMBER, "fn", network_id="{fl}", name="fn", fixed_ips=[])
    both = [{"ip_address": "10.0.11.30"}, {"ip_address": "10.0.11.31"}]
    yield post("ports", MEMBER, "fb", network_id="{fl}", name="fb", fixed_ips=both)
    yield post("networks", STRANGER, "fx")
    yield post("subnets", STRANGER, network_id="{fx}", ip_version=4, cidr="10.8.0.0/24")
    yield post("ports", STRANGER, "fy", network_id="{fx}")
    bodies = (
        network,
        {},
        {"floating_network_id": "{fl}"},
        {"floating_network_id": NOWHERE},
        {"floating_network_id": "x"},
        {"floating_network_id": None},
        network | {"floating_ip_address": "203.0.11.12"},
        network | {"floating_ip_address": "203.0.11.1"},
        network | {"floating_ip_address": "203.0.11.0"},
        network | {"floating_ip_address": "192.0.2.9"},
        network | {"floating_ip_address": "junk"},
        network | {"floating_ip_address": None},
        network | {"subnet_id": "{fws}"},
        network | {"subnet_id": "{fls}"},
        network | {"subnet_id": NOWHERE},
        network | {"subnet_id": "x"},
        network | {"port_id": "{fp}"},
        network | {"port_id": "{fp}", "fixed_ip_address": "10.0.11.20"},
        network | {"port_id": "{fp}", "fixed_ip_address": "10.0.11.99"},
        network | {"port_id": "{fn}"},
        network | {"port_id": "{fb}"},
        network | {"port_id": "{fb}", "fixed_ip_address": "10.0.11.31"},
        network | {"port_id": "{fy}"},
        network | {"port_id": NOWHERE},
        network | {"port_id": "x"},
        network | {"port_id": None},
        network | {"fixed_ip_address": "10.0.11.20"},
        network | {"fixed_ip_address": "junk", "port_id": "{fp}"},
        network | {"tags": ["x"]},
        network | {"status": "ACTIVE"},
        network | {"router_id": "{fr}"},
        network | {"name": "x"},
        network | {"id": NOWHERE},
        network | {"tenant_id": BLUE},
        network | {"tenant_id": RED},
        network | {"description": "d" * 256},
        network | {"nope": 1},
    )
    for who in (MANAGER, MEMBER, READER):
        yield from bodies_of("POST", "floatingips", bodies, who)
    yield from bodies_of(
        "POST", "floatingips", (body | {"tenant_id": RED} for body in bodies if "tenant_id" not in body)
    )
    yield Ask("POST", "floatingips", raw=b'{"floatingips": [{}, {}]}')
    yield from _associations(network)
    yield from _lists_of_floating_ips()
    yield from _needed_floating_ips(network)
    yield delete("networks/{fx}", STRANGER)
    yield delete("networks/{fw}")


def _associations(network: dict[str, Any]) -> Iterator[Ask]:
    """Changes of what a floating IP stands for."""
    for body in (
        {"port_id": "{fp}"},
        {"port_id": "{fp}", "fixed_ip_address": "10.0.11.20"},
        {"fixed_ip_address": "10.0.11.20"},
        {"fixed_ip_address": "10.0.11.99"},
        {"fixed_ip_address": None},
        {"description": "changed"},
        {"description": "d" * 256},
        {"port_id": "{fn}"},
        {"port_id": "{fb}"},
        {"port_id": "{fb}", "fixed_ip_address": "10.0.11.30"},
        {"port_id": "{fy}"},
        {"port_id": NOWHERE},
        {"port_id": "x"},
        {"port_id": 7},
        {"floating_network_id": "{fw}"},
        {"floating_ip_address": "203.0.11.12"},
        {"router_id": "{fr}"},
        {"status": "DOWN"},
        {"subnet_id": "{fws}"},
        {"tenant_id": BLUE},
        {"nope": 1},
        {"port_id": None},
        {"port_id": "{fp}"},
        {},
        {"port_id": "{fp}"},
    ):
        yield put("floatingips/{fa}", MEMBER, **body)
    for who in (READER, STRANGER):
        yield put("floatingips/{fa}", who, port_id=None)
        yield delete("floatingips/{fa}", who)
    yield get("floatingips/{fa}", MEMBER)
    yield post("floatingips", save="f2", **network, floating_ip_address="203.0.11.13", tenant_id=RED)
    yield put("floatingips/{f2}", MEMBER, port_id="{fp}")
    yield put("floatingips/{f2}", MEMBER, port_id="{fb}", fixed_ip_address="10.0.11.30")


def _lists_of_floating_ips() -> Iterator[Ask]:
    """Lists: each filter, fields and sort keys."""
    some = "floatingips?fields=description&fields=fixed_ip_address&sort_key=fixed_ip_address&sort_dir=asc"
    for query in (
        "description=changed",
        "floating_network_id={fw}",
        f"floating_network_id={NOWHERE}",
        "port_id={fp}",
        "port_id=",
        "router_id={fr}",
        "router_id=",
        "fixed_ip_address=10.0.11.20",
        "fixed_ip_address=",
        "floating_ip_address=192.0.2.1",
        "status=DOWN&id={fa}",
        "id={fa}",
        "tenant_id=x",
        "tags=x",
        "nope=1",
        "name=x",
        "subnet_id={fws}",
        "port_details=x",
        "port_forwardings=x",
        "sort_key=status&sort_dir=asc&limit=0",
        "sort_key=port_details&sort_dir=asc",
    ):
        yield get(f"{some}&{query}", MEMBER)
    yield get("floatingips", STRANGER)
    yield put("floatingips/{fa}/tags/red", MEMBER)
    yield get("floatingips?tags=red&fields=tags", MEMBER)
    yield get("floatingips/{fa}/tags/red", MEMBER)


def _needed_floating_ips(network: dict[str, Any]) -> Iterator[Ask]:
    """What stands in the way of floating IPs, and what they stand in the way of."""
    yield put("routers/{fr}", MEMBER, **{GATEWAY: {}})
    yield remove("fr", subnet_id="{fls}")
    yield delete("routers/{fr}", MEMBER)
    yield get("ports?device_id={fa}&fields=id")
    yield delete("networks/{fw}")
    yield put("ports/{fp}", MEMBER, fixed_ips=[{"ip_address": "10.0.11.21"}])
    yield get("floatingips/{fa}", MEMBER)
    yield put("floatingips/{fa}", MEMBER, port_id="{fp}")
    yield delete("ports/{fp}", MEMBER)
    yield get("floatingips/{fa}", MEMBER)
    yield put("quotas/" + RED, floatingip=2)
    yield post("floatingips", MEMBER, **network)
    yield put("quotas/" + RED, floatingip=-1)
    for number in range(8):
        yield post("floatingips", MEMBER, f"fq{number}", **network)
    for number in range(8):
        yield delete(f"floatingips/{{fq{number}}}", MEMBER)
    yield delete("quotas/" + RED)
    yield delete("floatingips/{f2}", MEMBER)
    yield delete("floatingips/{f2}", MEMBER)
    yield delete("ports/{fb}", MEMBER)
    yield delete("ports/{fn}", MEMBER)
    yield remove("fr", subnet_id="{fls}")
    yield delete("routers/{fr}", MEMBER)
    yield delete("networks/{fl}", MEMBER)


def port_forwardings() -> Iterator[Ask]:
    """Port forwardings: single ports and ranges, what overlaps, and what they keep in use."""
    yield from cloud("p", 12)
    yield post("routers", MEMBER, "pr", name="pr", **{GATEWAY: {"network_id": "{pw}"}})
    yield add("pr", subnet_id="{pls}")
    yield post("floatingips", MEMBER, "pf", floating_network_id="{pw}")
    yield post("ports", MEMBER, "pp", network_id="{pl}", name="pp", fixed_ips=[{"ip_address": "10.0.12.20"}])
    yield post("ports", MEMBER, "pq", network_id="{pl}", name="pq", fixed_ips=[{"ip_address": "10.0.12.21"}])
    path = "floatingips/{pf}/port_forwardings"
    base = {"protocol": "tcp", "internal_port_id": "{pp}", "internal_ip_address": "10.0.12.20"}
    one = base | {"internal_port": 22, "external_port": 2222}
    yield post(path, MEMBER, "pa", **one, description="ssh")
    for who in (MEMBER, READER, STRANGER):
        yield get(f"{path}/{{pa}}", who)
        yield get(path, who)
    yield get("floatingips/{pf}", MEMBER)
    yield get(f"{path}/{NOWHERE}", MEMBER)
    yield get(f"floatingips/{NOWHERE}/port_forwardings", MEMBER)
    two = base | {"internal_port": 80, "external_port": 8080}
    bodies: tuple[dict[str, Any], ...] = (
        two,
        {},
        one,
        base,
        base | {"internal_port": 22},
        base | {"external_port": 22},
        two | {"external_port": 2222},
        two | {"internal_port": 22},
        two | {"protocol": "udp", "external_port": 2222},
        two | {"protocol": "TCP"},
        two | {"protocol": "sctp"},
        two | {"protocol": "icmp"},
        two | {"protocol": "junk"},
        two | {"protocol": None},
        two | {"protocol": 6},
        two | {"internal_port_id": "{pq}", "internal_ip_address": "10.0.12.21"},
        two | {"internal_port_id": NOWHERE},
        two | {"internal_port_id": "x"},
        two | {"internal_ip_address": "10.0.12.99"},
        two | {"internal_ip_address": "junk"},
        two | {"internal_ip_address": None},
        {name: value for name, value in two.items() if name != "internal_ip_address"},
        {name: value for name, value in two.items() if name != "internal_port_id"},
        {name: value for name, value in two.items() if name != "protocol"},
        two | {"internal_port": 0},
        two | {"internal_port": 65536},
        two | {"internal_port": "x"},
        two | {"internal_port": None},
        two | {"external_port": 0},
        two | {"external_port": 65536},
        two | {"external_port": -1},
        base | {"internal_port_range": "80:89", "external_port_range": "8080:8089"},
        base | {"internal_port_range": "80:80", "external_port_range": "8080:8089"},
        base | {"internal_port_range": "80:89", "external_port_range": "8080:8084"},
        base | {"internal_port_range": "80:89", "external_port_range": "2220:2229"},
        base | {"internal_port_range": "20:29", "external_port_range": "8080:8089"},
        base | {"internal_port_range": "89:80", "external_port_range": "8089:8080"},
        base | {"internal_port_range": "80", "external_port_range": "8080"},
        base | {"internal_port_range": "junk", "external_port_range": "8080:8089"},
        base | {"internal_port_range": "80:99999", "external_port_range": "8080:99999"},
        two | {"internal_port_range": "80:89", "external_port_range": "8080:8089"},
        base | {"internal_port": 80, "external_port_range": "8080:8089"},
        base | {"internal_port": 80, "external_port_range": "8080:8080"},
        two | {"description": "d" * 256},
        two | {"tenant_id": BLUE},
        two | {"id": NOWHERE},
        two | {"nope": 1},
    )
    for who in (MEMBER, READER, STRANGER):
        yield from bodies_of("POST", path, bodies, who)
    for raw in (b"", b"[]", b'{"port_forwardings": []}', b'{"port_forwardings": [{}, {}]}', b'{"port_forwarding": []}'):
        yield Ask("POST", path, raw=raw)
    yield from _changed_forwardings(path)
    yield from _needed_forwardings(path, one)


def _changed_forwardings(path: str) -> Iterator[Ask]:
    """Changes of port forwardings, and lists of them."""
    for body in (
        {"external_port": 2223},
        {"internal_port": 23},
        {"protocol": "udp"},
        {"protocol": "junk"},
        {"description": "changed"},
        {"internal_port_range": "30:39", "external_port_range": "3000:3009"},
        {"internal_port_range": "30:39"},
        {"external_port_range": "3000:3003"},
        {"internal_port": 40},
        {"internal_port": 40, "external_port": 4000},
        {"internal_port_id": "{pq}"},
        {"internal_port_id": "{pq}", "internal_ip_address": "10.0.12.21"},
        {"internal_ip_address": "10.0.12.20"},
        {"internal_port_id": "{pp}", "internal_ip_address": "10.0.12.20"},
        {"internal_port_id": NOWHERE},
        {"external_port": 0},
        {"external_port": None},
        {"nope": 1},
        {"id": NOWHERE},
        {},
    ):
        yield put(f"{path}/{{pa}}", MEMBER, **body)
    for who in (READER, STRANGER):
        yield put(f"{path}/{{pa}}", who, external_port=9)
        yield delete(f"{path}/{{pa}}", who)
    for query in ("protocol=udp", "protocol=tcp", "external_port=4000", "internal_port_id={pp}", "id={pa}", "nope=1"):
        yield get(f"{path}?{query}", MEMBER)
    for query in ("fields=protocol", "sort_key=protocol&sort_dir=asc", "limit=1", "internal_ip_address=10.0.12.20"):
        yield get(f"{path}?{query}", MEMBER)


def _beside_a_floating_ip(path: str, one: dict[str, Any]) -> Iterator[Ask]:
    """Port forwardings to a port that a floating IP stands for, and by one that stands for another port."""
    chosen = {"floating_network_id": "{pw}", "floating_ip_address": "203.0.12.14"}
    yield post("floatingips", MANAGER, "pt", **chosen, port_id="{pp}")
    other = one | {"internal_port_id": "{pq}", "internal_ip_address": "10.0.12.21", "external_port": 7000}
    yield put(f"{path}/{{pa}}", MEMBER, description="beside")
    yield post("floatingips/{pt}/port_forwardings", MEMBER, **other)
    yield post("floatingips/{pt}/port_forwardings", MEMBER, **one | {"internal_port": 7000})
    yield delete("floatingips/{pt}", MEMBER)
    both = {"network_id": "{pl}", "fixed_ips": [{"ip_address": "10.0.12.30"}, {"ip_address": "10.0.12.31"}]}
    yield post("ports", MEMBER, "pw2", **both)
    yield post("floatingips", MANAGER, "pt", **chosen, port_id="{pw2}", fixed_ip_address="10.0.12.30")
    beside = other | {"internal_port_id": "{pw2}", "external_port": 7001}
    for address in ("10.0.12.30", "10.0.12.31"):
        yield post(path, MEMBER, **beside | {"internal_ip_address": address})
    yield delete("floatingips/{pt}")
    yield delete("ports/{pw2}")


def _forwardings_that_lead_nowhere(path: str, one: dict[str, Any]) -> Iterator[Ask]:
    """To a port of another project, and to addresses that a port has no more."""
    yield post("ports", save="pz", network_id="{pl}", tenant_id=BLUE, fixed_ips=[{"ip_address": "10.0.12.40"}])
    to_blue = one | {"internal_port_id": "{pz}", "internal_ip_address": "10.0.12.40", "external_port": 7100}
    yield Ask("POST", path, to_blue, clean=True)
    yield delete("ports/{pz}")
    both = [{"ip_address": "10.0.12.41"}, {"ip_address": "10.0.12.42"}]
    yield post("ports", MEMBER, "py", network_id="{pl}", fixed_ips=both)
    for number, fixed in enumerate(both, 7101):
        own = {"internal_port_id": "{py}", "internal_ip_address": fixed["ip_address"], "external_port": number}
        yield post(path, MEMBER, f"py{number}", **one | own)
    for left in (both[1:], []):
        yield put("ports/{py}", MEMBER, fixed_ips=left)
        yield get(f"{path}/{{py7101}}", MEMBER)
        yield get(f"{path}/{{py7102}}", MEMBER)
    yield delete("ports/{py}", MEMBER)
    yield get(f"{path}?sort_key=external_port&sort_dir=asc&fields=external_port", MEMBER)


def _needed_forwardings(path: str, one: dict[str, Any]) -> Iterator[Ask]:
    """What port forwardings keep in use."""
    yield put("floatingips/{pf}", MEMBER, port_id="{pq}")
    yield put("floatingips/{pf}", MEMBER, port_id=None)
    yield put("floatingips/{pf}", MEMBER, description="busy")
    yield delete("floatingips/{pf}", MEMBER)
    yield put("routers/{pr}", MEMBER, **{GATEWAY: {}})
    yield remove("pr", subnet_id="{pls}")
    taken = {"floating_network_id": "{pw}", "floating_ip_address": "203.0.12.13", "tenant_id": RED}
    yield post("floatingips", save="po", **taken, port_id="{pq}")
    yield post("floatingips/{po}/port_forwardings", MEMBER, **one)
    yield from _beside_a_floating_ip(path, one)
    yield delete("floatingips/{po}", MEMBER)
    yield post("networks", MEMBER, "pn")
    yield post("subnets", MEMBER, network_id="{pn}", ip_version=4, cidr="10.0.112.0/24")
    far = {"network_id": "{pn}", "fixed_ips": [{"ip_address": "10.0.112.20"}]}
    yield from _forwardings_that_lead_nowhere(path, one)
    yield post("ports", MEMBER, "pu", **far)
    yield post(path, MEMBER, **one | {"internal_port_id": "{pu}", "internal_ip_address": "10.0.112.20"})
    yield delete("ports/{pu}", MEMBER)
    yield delete("networks/{pn}", MEMBER)
    yield post(path, MEMBER, "pb", **one)
    yield delete(f"{path}/{{pa}}", MEMBER)
    yield delete(f"{path}/{{pa}}", MEMBER)
    yield delete("ports/{pp}", MEMBER)
    yield get(path, MEMBER)
    yield get("floatingips/{pf}", MEMBER)
    yield delete("floatingips/{pf}", MEMBER)
    yield delete("ports/{pq}", MEMBER)
    yield remove("pr", subnet_id="{pls}")
    yield delete("routers/{pr}", MEMBER)
    yield delete("networks/{pl}", MEMBER)
    yield delete("networks/{pw}")
