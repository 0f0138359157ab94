"""Whatever JSON value is put into whichever attribute: never a 500, and after an error the store is as it was.

``Api.call`` asserts both on each request, and that claims and rows agree.
"""

from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdnapp.api.wsgi import RESOURCES
from tests.sdnapp.api.one_of_each import REQUIRED, one_of_each
from tests.sdnapp.api.stand_ins import RED, Api, name_of, path_of

ATTRIBUTES = {resource.collection: sorted(resource.attributes.specs) for resource in RESOURCES}
TAKING = {
    method: sorted(resource.collection for resource in RESOURCES if {"POST", method} <= resource.methods)
    for method in ("POST", "PUT")
}
COLLECTIONS = sorted(resource.collection for resource in RESOURCES)
FILTERS = sorted({name for resource in RESOURCES for name in resource.attributes.specs})
NEEDING = {
    "subnets": ("network_id", "networks"),
    "ports": ("network_id", "networks"),
    "rbac_policies": ("object_id", "networks"),
    "security_group_rules": ("security_group_id", "security_groups"),
}
AT_MOST = {
    **{"security_groups": 2, "security_group_rules": 7, "default_security_group_rules": 5},
    **{"networks": 2, "subnets": 2, "ports": 2, "rbac_policies": 2, "network_ip_availabilities": 2},
}
"""How many there are of what ``one_of_each`` makes more than one of."""

# What comes close to being right, next to what does not. ``filled`` puts ids in the place of names.
near_misses = st.sampled_from(
    [
        "10.0.0.5",
        "10.0.0.0/24",
        "10.0.0.0/255.255.255.0",
        "10.0.0.0/0.0.0.255",
        "0.0.0.0/0",
        "255.255.255.255/32",
        "2001:db8::1",
        "2001:db8::/64",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "02:00:00:00:00:01",
        "0200.0000.0001",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        *("{networks}", "{outside}", "{subnets}", "{ports}", "{routers}", "{security_groups}", "{floatingips}"),
        "geneve",
        "vlan",
        "flat",
        "network:dhcp",
        "network:router_interface",
        "default",
        "ingress",
        "ipv6",
        "bootfile-name",
        "true",
        "",
        " ",
        "\x00",
        "\u2028",
        "9" * 400,
        "-1",
        0,
        -1,
        4,
        6,
        1 << 24,
        1 << 70,
        10**400,
        0.5,
        1e308,
        -0.0,
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
keys = st.sampled_from(
    [
        *("start", "end", "destination", "nexthop", "subnet_id", "ip_address", "mac_address"),
        *("opt_name", "opt_value", "ip_version", "network_type", "network_id", "external_fixed_ips"),
    ]
)
values = st.recursive(
    near_misses | scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


addresses = st.ip_addresses().map(str) | st.ip_addresses(network="10.0.0.0/24").map(str) | near_misses | scalars
outside_addresses = st.ip_addresses(network="203.0.113.0/24").map(str) | addresses
tcp_ports = st.sampled_from([0, 1, "22", 80, 65535, 65536, -1, None, True, 0.5, "x"])
tcp_ranges = st.builds(lambda first, last: f"{first}:{last}", tcp_ports, tcp_ports) | near_misses
networks = st.builds(lambda address, length: f"{address}/{length}", addresses, st.integers(0, 130)) | near_misses
options = st.sampled_from(["mtu", "router", "bootfile-name", "classless-static-route", "150", "52", "no-such"])


def lists_of(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.fixed_dictionaries({}, optional=keys), max_size=4)


SHAPED: dict[str, st.SearchStrategy[Any]] = {
    "cidr": networks,
    "external_gateway_info": st.fixed_dictionaries(
        {"network_id": st.just("{outside}") | near_misses},
        optional={
            "enable_snat": scalars,
            "external_fixed_ips": lists_of(ip_address=outside_addresses, subnet_id=near_misses),
        },
    ),
    "floating_ip_address": outside_addresses,
    "fixed_ip_address": addresses,
    "internal_ip_address": addresses,
    "port_id": st.just("{ports}") | near_misses,
    "internal_port_id": st.just("{ports}") | near_misses,
    "internal_port": tcp_ports,
    "external_port": tcp_ports,
    "internal_port_range": tcp_ranges,
    "external_port_range": tcp_ranges,
    "routes": lists_of(destination=networks, nexthop=addresses),
    "gateway_ip": addresses,
    "prefixes": st.lists(networks, max_size=4),
    "service_types": st.lists(near_misses | st.sampled_from(["compute:nova", "network:dhcp"]), max_size=4),
    "dns_nameservers": st.lists(addresses, max_size=6),
    "allocation_pools": lists_of(start=addresses, end=addresses),
    "host_routes": lists_of(destination=networks, nexthop=addresses),
    "fixed_ips": lists_of(ip_address=addresses, subnet_id=near_misses),
    "allowed_address_pairs": lists_of(ip_address=addresses | networks, mac_address=near_misses),
    "extra_dhcp_opts": lists_of(opt_name=options, opt_value=near_misses | scalars, ip_version=near_misses),
    "addresses": st.lists(networks, max_size=4),
    "security_groups": st.lists(near_misses, max_size=4),
    "remote_ip_prefix": networks,
    "protocol": st.sampled_from(["tcp", "TCP", "6", 17, "icmp", "1", "icmpv6", "58", "any", None, "gre", "256", -1]),
    "port_range_min": st.sampled_from([1, 0, "22", 255, 256, 65535, 65536, None]),
    "port_range_max": st.sampled_from([1, 0, "22", 255, 256, 65535, 65536, None]),
    "binding:profile": st.dictionaries(st.text(), values, max_size=3),
}
"""Values of the right shape, so that what is wrong inside gets further in."""


@st.composite
def bodies(draw: st.DrawFn, method: str) -> tuple[str, dict[str, Any]]:
    collection = draw(st.sampled_from(TAKING[method]))
    names = draw(st.lists(st.sampled_from(ATTRIBUTES[collection]), min_size=1, max_size=3, unique=True))
    return collection, {name: draw(SHAPED.get(name, values) | values) for name in names}


def filled(value: Any, ids: dict[str, str]) -> Any:
    """Return a value with ids in the place of names such as ``{networks}``."""
    if isinstance(value, str):
        return ids.get(value[1:-1], value) if value.startswith("{") else value
    if isinstance(value, list):
        return [filled(each, ids) for each in value]
    return {key: filled(each, ids) for key, each in value.items()} if isinstance(value, dict) else value


relaxed = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(bodies("POST"), st.sampled_from([{}, RED]))
def test_odd_values_in_new_objects(body: tuple[str, dict[str, Any]], who: dict[str, str]) -> None:
    collection, attributes = body
    api = Api()
    row_ids = one_of_each(api, who)
    needed = dict(REQUIRED[collection])
    if collection in NEEDING:
        name, of = NEEDING[collection]
        needed[name] = row_ids[of]
    answer = api.call("POST", path_of(collection), {name_of(collection): needed | filled(attributes, row_ids)}, who)
    assert answer.status in (201, 400, 403, 404, 409, 503)
    if answer.status == 201:
        assert api.get(f"{path_of(collection)[6:]}/{answer.first['id']}", who).first == answer.first
        assert api.delete(collection, answer.first["id"]).status == 204


@relaxed
@given(bodies("PUT"), st.sampled_from([{}, RED]))
def test_odd_values_in_changes(body: tuple[str, dict[str, Any]], who: dict[str, str]) -> None:
    collection, attributes = body
    api = Api()
    row_ids = one_of_each(api, who)
    row_id, given = row_ids[collection], filled(attributes, row_ids)
    answer = api.call("PUT", f"{path_of(collection)}/{row_id}", {name_of(collection): given}, who)
    assert answer.status in (200, 400, 403, 404, 409)
    shown = api.get(f"{path_of(collection)[6:]}/{row_id}", who).first
    if answer.status == 200:
        assert shown == answer.first


@relaxed
@given(values, st.sampled_from([(method, each) for method, taking in TAKING.items() for each in taking]))
def test_odd_bodies(body: Any, action: tuple[str, str]) -> None:
    method, collection = action
    api = Api()
    network = api.network()
    path = path_of(collection) if method == "POST" else f"{path_of(collection)}/{network}"
    for each in (body, {collection: body}, {name_of(collection): body}):
        assert api.call(method, path, each).status in (200, 201, 400, 404)


@relaxed
@given(values | SHAPED["addresses"], st.sampled_from(["add_addresses", "remove_addresses"]))
def test_odd_addresses(addresses: Any, action: str) -> None:
    api = Api()
    group = api.create("address_groups", addresses=["10.0.0.0/24"])
    path = f"/v2.0/address-groups/{group['id']}/{action}"
    for body in (addresses, {"addresses": addresses}):
        assert api.call("PUT", path, body).status in (200, 400, 404)


@relaxed
@given(
    st.sampled_from(COLLECTIONS),
    st.dictionaries(
        st.sampled_from(["fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"])
        | st.sampled_from(FILTERS)
        | st.text(st.characters(codec="utf-8"), max_size=5),
        st.lists(near_misses.map(str) | st.text(st.characters(codec="utf-8")), min_size=1, max_size=2),
        max_size=3,
    ),
)
def test_odd_queries(collection: str, query: dict[str, list[str]]) -> None:
    api = Api()
    one_of_each(api, {})
    answer = api.call("GET", f"{path_of(collection)}?{urlencode(query, doseq=True)}")
    assert answer.status in (200, 400, 404)
    if answer.status == 200:
        assert len(answer.body[collection]) <= AT_MOST.get(collection, 1)


FORWARDED = [
    *("protocol", "description", "internal_port_id", "internal_ip_address"),
    *("internal_port", "external_port", "internal_port_range", "external_port_range"),
]
PATHS = {
    "add_router_interface": ("PUT", "/v2.0/routers/{routers}/add_router_interface", None, ["subnet_id", "port_id"]),
    "remove_router_interface": (
        *("PUT", "/v2.0/routers/{routers}/remove_router_interface"),
        *(None, ["subnet_id", "port_id"]),
    ),
    "add_extraroutes": ("PUT", "/v2.0/routers/{routers}/add_extraroutes", "router", ["routes"]),
    "remove_extraroutes": ("PUT", "/v2.0/routers/{routers}/remove_extraroutes", "router", ["routes"]),
    "quotas": ("PUT", "/v2.0/quotas/red", "quota", [*(resource.name for resource in RESOURCES), "no_such"]),
    "tags": ("PUT", "/v2.0/networks/{networks}/tags", None, ["tags"]),
    "more_tags": ("POST", "/v2.0/networks/{networks}/tags", None, ["tags"]),
    "bindings": ("POST", "/v2.0/ports/{ports}/bindings", "binding", ["host", "vnic_type", "profile", "vif_type"]),
    "binding": ("PUT", "/v2.0/ports/{ports}/bindings/node1", "binding", ["host", "vnic_type", "profile", "vif_type"]),
    "gateways": ("PUT", "/v2.0/routers/{routers}", "router", ["external_gateway_info", "routes", "admin_state_up"]),
    "association": ("PUT", "/v2.0/floatingips/{floatingips}", "floatingip", ["port_id", "fixed_ip_address"]),
    "forwardings": (*("POST", "/v2.0/floatingips/{floatingips}/port_forwardings"), "port_forwarding", FORWARDED),
    "forwarding": (
        *("PUT", "/v2.0/floatingips/{floatingips}/port_forwardings/{forwarding}"),
        "port_forwarding",
        FORWARDED,
    ),
    "apply": ("POST", "/sdnapp/apply", None, ["project", "quotas", *COLLECTIONS]),
}
"""What is asked for otherwise than by an object's attributes: method, path, what the body is about, and its keys."""


def routed(api: Api, who: dict[str, str]) -> dict[str, str]:
    """Make an object of each kind, joined so that a floating IP forwards a port; return their ids."""
    ids = one_of_each(api, who)
    joining = api.put("routers", ids["routers"], who, external_gateway_info={"network_id": ids["outside"]})
    path = f"/v2.0/routers/{ids['routers']}/add_router_interface"
    assert (joining.status, api.call("PUT", path, {"subnet_id": ids["subnets"]}, who).status) == (200, 200)
    api.put("ports", ids["ports"], device_owner="compute:nova")
    [fixed] = api.put("ports", ids["ports"], who, fixed_ips=[{"subnet_id": ids["subnets"]}]).first["fixed_ips"]
    inside = {"internal_port_id": ids["ports"], "internal_ip_address": fixed["ip_address"], "internal_port": 22}
    body = {"port_forwarding": inside | {"protocol": "tcp", "external_port": 22}}
    made = api.call("POST", f"/v2.0/floatingips/{ids['floatingips']}/port_forwardings", body, who)
    return ids | {"forwarding": made.first["id"]}


@relaxed
@given(st.data(), st.sampled_from(sorted(PATHS)), st.sampled_from([{}, RED]))
def test_odd_actions(data: st.DataObject, name: str, who: dict[str, str]) -> None:
    method, path, about, keys = PATHS[name]
    shaped = st.fixed_dictionaries({}, optional={key: SHAPED.get(key, values) | values for key in keys})
    body = data.draw(shaped | values)
    api = Api()
    ids = routed(api, who)
    body = filled(body, ids)
    for each in (body, {about: body}) if about else (body,):
        answer = api.call(method, path.format(**ids), each, who)
        assert answer.status in (200, 201, 400, 403, 404, 409, 412), (answer.body, each)


@relaxed
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=70), st.sampled_from(["PUT", "GET", "DELETE"]))
def test_odd_names_in_paths(text: str, method: str) -> None:
    api = Api()
    ids = one_of_each(api, {})
    end = quote(text, safe="")
    for path in (f"networks/{ids['networks']}/tags/{end}", f"ports/{ids['ports']}/bindings/{end}", f"quotas/{end}"):
        body = {"quota": {}} if path.startswith("quotas") else {"binding": {}} if "bindings" in path else None
        answer = api.call(method, f"/v2.0/{path}", body if method == "PUT" else None)
        assert answer.status in (200, 201, 204, 400, 404, 405, 409), (answer.body, path)
