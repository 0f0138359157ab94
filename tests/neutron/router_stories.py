"""Routers: their interfaces by subnet and by port, their extra routes, and what stands in each other's way."""

from collections.abc import Iterator
from typing import Any

from tests.neutron.asking import BLUE, MEMBER, READER, RED, STRANGER, Ask
from tests.neutron.requesting import NOWHERE, bodies_of, delete, get, post, put


def add(router: str, who: tuple[str, str] = MEMBER, **by: Any) -> Ask:
    """Join a router to a subnet, or take a port for it."""
    return put(f"routers/{{{router}}}/add_router_interface", who, **by)


def remove(router: str, who: tuple[str, str] = MEMBER, **by: Any) -> Ask:
    """Part a router from a subnet."""
    return put(f"routers/{{{router}}}/remove_router_interface", who, **by)


def _two_subnets(prefix: str) -> Iterator[Ask]:
    """Make the networks ``{prefix}1`` and ``{prefix}2``, each with a subnet: ``{prefix}s1``, ``{prefix}s2``."""
    for n in (1, 2):
        yield post("networks", MEMBER, f"{prefix}{n}", name=f"{prefix}{n}")
        cidr = f"10.0.{n}.0/24"
        yield post("subnets", MEMBER, f"{prefix}s{n}", network_id=f"{{{prefix}{n}}}", ip_version=4, cidr=cidr)


def routers() -> Iterator[Ask]:
    """Routers without interfaces: their attributes, lists, tags and who may do what."""
    yield post("routers", MEMBER, "r", name="r", description="first")
    yield get("routers/{r}", MEMBER)
    yield get("routers/{r}", READER)
    yield get("routers/{r}", STRANGER)
    yield get(f"routers/{NOWHERE}")
    yield get("routers/x")
    yield post("routers", READER, name="x")
    yield put("routers/{r}", READER, name="x")
    yield put("routers/{r}", STRANGER, name="x")
    yield delete("routers/{r}", READER)
    yield delete("routers/{r}", STRANGER)
    yield from bodies_of(
        "POST",
        "routers",
        (
            {},
            {"name": "a", "admin_state_up": False},
            {"name": "b", "tags": ["x"]},
            {"name": "n" * 256},
            {"routes": []},
            {"routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.1.9"}]},
            {"status": "ACTIVE"},
            {"id": NOWHERE},
            {"external_gateway_info": None},
            {"external_gateway_info": {}},
            {"availability_zone_hints": ["mars"]},
            {"tenant_id": BLUE},
            {"project_id": BLUE, "tenant_id": RED},
            {"nope": 1},
        ),
    )
    yield from bodies_of("POST", "routers", ({"tenant_id": BLUE}, {"name": "c", "tenant_id": RED}), MEMBER)
    yield from bodies_of(
        "PUT",
        "routers/{r}",
        (
            {"name": "s", "description": "d", "admin_state_up": False},
            {"admin_state_up": True},
            {"admin_state_up": "maybe"},
            {"tenant_id": BLUE},
            {"id": NOWHERE},
            {"status": "DOWN"},
            {"availability_zone_hints": []},
            {"external_gateway_info": None},
            {"routes": []},
            {"routes": None},
            {"nope": 1},
            {},
        ),
        MEMBER,
    )
    for query in ("name=s", "admin_state_up=true", "name=", "id={r}", "nope=1", "status=ACTIVE", "routes=x"):
        yield get(f"routers?fields=name&{query}", MEMBER)
    yield get("routers?sort_key=nope", MEMBER)
    yield get("routers?description=d", STRANGER)
    yield put("routers/{r}/tags/red", MEMBER)
    yield get("routers/{r}/tags", MEMBER)
    yield get("routers?tags=red&fields=name", MEMBER)
    yield Ask("POST", "routers", raw=b'{"routers": [{"name": "one"}, {"name": 7}]}')
    yield get("routers?name=one")
    yield Ask("PUT", "routers/{r}/nope", raw=b"{}")
    yield delete("routers/{r}", MEMBER)
    yield delete("routers/{r}", MEMBER)


def interfaces() -> Iterator[Ask]:
    """Interfaces: by subnet, by port, of others, twice, overlapping, in use."""
    yield from _two_subnets("i")
    yield post("routers", MEMBER, "ir", name="ir")
    yield post("routers", MEMBER, "io", name="io")
    yield add("ir", subnet_id="{is1}")
    yield get("ports?device_id={ir}", MEMBER)
    yield get("routers/{ir}", MEMBER)
    yield add("ir", subnet_id="{is1}")
    yield add("io", subnet_id="{is1}")
    yield delete("routers/{ir}", MEMBER)
    yield delete("subnets/{is1}", MEMBER)
    yield delete("networks/{i1}", MEMBER)
    yield put("subnets/{is1}", MEMBER, gateway_ip="10.0.1.254")
    yield put("subnets/{is1}", MEMBER, gateway_ip=None)
    for body in (
        {},
        {"subnet_id": "{is2}", "port_id": NOWHERE},
        {"subnet_id": NOWHERE},
        {"port_id": NOWHERE},
        {"subnet_id": "x"},
        {"port_id": "x"},
        {"subnet_id": None},
        {"subnet_id": 7},
        {"nope": 1},
    ):
        yield add("ir", **body)
        yield remove("ir", **body)
    for raw in (b"", b"[]", b"7", b"null", b'{"router": {"subnet_id": "x"}}'):
        yield Ask("PUT", "routers/{ir}/add_router_interface", raw=raw)
    yield put(f"routers/{NOWHERE}/add_router_interface", MEMBER, subnet_id="{is2}")
    for who in (READER, STRANGER):
        yield add("ir", who, subnet_id="{is2}")
        yield remove("ir", who, subnet_id="{is1}")
    yield remove("ir", subnet_id="{is2}")
    yield post("ports", MEMBER, "ip", network_id="{i2}", name="by-port", fixed_ips=[{"ip_address": "10.0.2.200"}])
    yield remove("ir", port_id="{ip}")
    yield add("ir", port_id="{ip}")
    yield get("ports/{ip}", MEMBER)
    yield add("io", port_id="{ip}")
    yield delete("ports/{ip}", MEMBER)
    yield put("ports/{ip}", MEMBER, name="renamed")
    yield put("ports/{ip}", MEMBER, fixed_ips=[{"ip_address": "10.0.2.201"}])
    yield put("ports/{ip}", MEMBER, device_id="")
    yield put("ports/{ip}", MEMBER, device_owner="")
    yield remove("ir", port_id="{ip}", subnet_id="{is1}")
    yield remove("ir", port_id="{ip}", subnet_id="{is2}")
    yield get("ports/{ip}", MEMBER)
    yield from _odd_interfaces()
    yield remove("ir", subnet_id="{is1}")
    yield remove("ir", subnet_id="{is1}")
    for router in ("ir", "io"):
        yield delete(f"routers/{{{router}}}", MEMBER)
    for network in ("i1", "i2"):
        yield delete(f"networks/{{{network}}}", MEMBER)


def _odd_interfaces() -> Iterator[Ask]:
    """What cannot be an interface, or not of this router: used ports, no gateway, no address, others' networks."""
    yield post("ports", MEMBER, "ud", network_id="{i2}", device_id="vm")
    yield add("ir", port_id="{ud}")
    yield post("ports", MEMBER, "uo", network_id="{i2}", device_owner="compute:nova")
    yield add("ir", port_id="{uo}")
    yield post("ports", MEMBER, "ua", network_id="{i2}", fixed_ips=[])
    yield add("ir", port_id="{ua}")
    both = [{"ip_address": "10.0.2.50"}, {"ip_address": "10.0.2.51"}]
    yield post("ports", MEMBER, "ub", network_id="{i2}", fixed_ips=both)
    yield add("ir", port_id="{ub}")
    yield post("ports", MEMBER, "uw", network_id="{i2}", fixed_ips=[{"ip_address": "10.0.2.1"}])
    yield add("ir", subnet_id="{is2}")
    for port in ("ud", "uo", "ua", "ub", "uw"):
        yield delete(f"ports/{{{port}}}")
    yield post("networks", MEMBER, "un")
    four = {"network_id": "{un}", "ip_version": 4}
    yield post("subnets", MEMBER, "us", **four, cidr="10.5.0.0/24", gateway_ip=None)
    yield add("ir", subnet_id="{us}")
    yield post("subnets", MEMBER, "uv", **four, cidr="10.0.1.0/25")
    yield add("ir", subnet_id="{uv}")
    yield add("io", subnet_id="{uv}")
    yield remove("io", subnet_id="{uv}")
    yield delete("networks/{un}", MEMBER)
    yield post("networks", STRANGER, "uz", name="of-blue")
    yield post("subnets", STRANGER, "ux", network_id="{uz}", ip_version=4, cidr="10.8.0.0/24")
    yield add("ir", subnet_id="{ux}")
    yield put("networks/{uz}", shared=True)
    yield add("ir", subnet_id="{ux}")
    yield post("ports", MEMBER, "up", network_id="{uz}")
    yield add("ir", port_id="{up}")
    yield remove("ir", port_id="{up}")
    yield delete("networks/{uz}", STRANGER)


def extra_routes() -> Iterator[Ask]:
    """Extra routes: set as a whole, added and taken one by one, and in the way of interfaces that go."""
    yield from _two_subnets("e")
    yield post("routers", MEMBER, "er", name="er")
    yield add("er", subnet_id="{es1}")
    there = {"destination": "10.9.0.0/16", "nexthop": "10.0.1.9"}
    more = {"destination": "10.8.0.0/16", "nexthop": "10.0.1.8"}
    same = {"destination": "10.9.0.0/16", "nexthop": "10.0.1.7"}
    odd: tuple[Any, ...] = (
        [there],
        [there, more],
        [there, there],
        [there, same],
        [{"destination": "10.9.0.1/16", "nexthop": "10.0.1.9"}],
        [{"destination": "0.0.0.0/0", "nexthop": "10.0.1.9"}],
        [{"destination": "10.9.0.0/16", "nexthop": "10.0.2.9"}],
        [{"destination": "10.9.0.0/16", "nexthop": "10.0.1.1"}],
        [{"destination": "10.9.0.0/16", "nexthop": "junk"}],
        [{"destination": "junk", "nexthop": "10.0.1.9"}],
        [{"destination": "10.9.0.0/16"}],
        [{"nexthop": "10.0.1.9"}],
        [there | {"nope": 1}],
        [{"destination": "10.0.1.0/24", "nexthop": "10.0.1.9"}],
        [{"destination": f"10.{n}.0.0/16", "nexthop": "10.0.1.9"} for n in range(50, 81)],
        "x",
        {},
        [7],
        None,
        [],
    )
    for routes in odd:
        yield put("routers/{er}", MEMBER, routes=routes)
    for action in ("add_extraroutes", "remove_extraroutes"):
        path = f"routers/{{er}}/{action}"
        for routes in odd:
            yield put(path, MEMBER, routes=routes)
        for body in ({}, {"name": "x"}, {"routes": [there], "name": "x"}):
            yield put(path, MEMBER, **body)
        for raw in (b"", b"[]", b"{}", b'{"routes": []}', b'{"router": []}'):
            yield Ask("PUT", path, raw=raw)
        for who in (READER, STRANGER):
            yield put(path, who, routes=[there])
        yield put(f"routers/{NOWHERE}/{action}", MEMBER, routes=[there])
    yield put("routers/{er}/add_extraroutes", MEMBER, routes=[there])
    yield put("routers/{er}/add_extraroutes", MEMBER, routes=[there, more])
    yield put("routers/{er}/add_extraroutes", MEMBER, routes=[same])
    yield put("routers/{er}/remove_extraroutes", MEMBER, routes=[more, same])
    yield remove("er", subnet_id="{es1}")
    yield put("routers/{er}", MEMBER, routes=[])
    yield remove("er", subnet_id="{es1}")
    yield put("routers/{er}", MEMBER, routes=[there])
    yield delete("routers/{er}", MEMBER)
    for network in ("e1", "e2"):
        yield delete(f"networks/{{{network}}}", MEMBER)
