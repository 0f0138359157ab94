"""What holds for each kind of object that there is: its lists, and many of it in one request."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from sdnapp.api.wsgi import RESOURCES
from tests.sdnapp.api.one_of_each import REQUIRED, one_of_each
from tests.sdnapp.api.stand_ins import RED, Api, path_of
from topology.values import Chassis

RESOURCE_OF = {resource.collection: resource for resource in RESOURCES}


@pytest.fixture
def api() -> Api:
    """Two chassis, so that there are agents, too."""
    api = Api()
    api.services.operator.reports = [{"id": "hv1", "alive": True}, {"id": "hv2", "alive": False}]
    with api.store.transaction() as tx:
        tx.put(Chassis("hv1", hostname="node1"))
        tx.put(Chassis("hv2", hostname="node2"))
    return api


def lists(ids: dict[str, str]) -> Iterator[str]:
    """Yield the paths of all lists."""
    yield from (path_of(collection) for collection in RESOURCE_OF)
    yield from ("/v2.0/availability_zones", "/v2.0/service-providers")
    yield f"/v2.0/floatingips/{ids['floatingips']}/port_forwardings"
    yield f"/v2.0/ports/{ids['ports']}/bindings"


def test_no_list_takes_an_unknown_filter(api: Api) -> None:
    ids = one_of_each(api, {})
    api.put("ports", ids["ports"], device_owner="compute:nova")
    for path in lists(ids):
        for name in ("colour", "changed_since", "Name", "fixed_ips.ip_address", ""):
            answer = api.call("GET", f"{path}?{name}=red")
            assert answer.error == (400, "HTTPBadRequest"), (path, name, answer.body)
            assert answer.message == f"['{name}'] is invalid attribute for filtering"


def ids_of(rows: list[dict[str, Any]]) -> list[str]:
    return [each.get("id") or each["network_id"] for each in rows]


@pytest.mark.parametrize("collection", RESOURCE_OF)
def test_every_filter_finds_what_it_names(api: Api, collection: str) -> None:
    one_of_each(api, {})
    rows = api.call("GET", path_of(collection)).first
    assert rows
    for name in RESOURCE_OF[collection].attributes.filters():
        for each in rows:
            if isinstance(each.get(name), str | int):
                found = api.call("GET", f"{path_of(collection)}?{name}={each[name]}").body[collection]
                same = [other for other in rows if other.get(name) == each[name]]
                assert ids_of(found) == ids_of(same), (name, each[name])


@pytest.mark.parametrize("collection", RESOURCE_OF)
def test_every_two_sort_keys_order_a_list(api: Api, collection: str) -> None:
    one_of_each(api, {})
    rows = api.call("GET", path_of(collection)).first

    def order(row: dict[str, Any], name: str) -> tuple[bool, Any]:
        return row[name] is not None, row[name] if row[name] is not None else ""

    keys = sorted(name for name in RESOURCE_OF[collection].attributes.sort_keys() if name in rows[0])
    assert keys or collection in ("network_ip_availabilities", "rbac_policies")
    for first, second in ((first, second) for first in keys for second in keys):
        query = f"sort_key={first}&sort_dir=desc&sort_key={second}&sort_dir=asc"
        answer = api.call("GET", f"{path_of(collection)}?{query}")
        assert answer.status == 200, answer.body
        firsts = [order(row, first) for row in answer.first]
        assert firsts == sorted(firsts, reverse=True)
        for value in firsts:
            seconds = [order(row, second) for row in answer.first if order(row, first) == value]
            assert seconds == sorted(seconds)


@pytest.mark.parametrize("collection", RESOURCE_OF)
@pytest.mark.parametrize("who", [{}, RED], ids=["admin", "member"])
def test_pages_of_one_lead_forth_and_back(api: Api, collection: str, who: dict[str, str]) -> None:
    one_of_each(api, {})
    one_of_each(api, RED)
    path = path_of(collection)
    answer = api.call("GET", path, who=who)
    if answer.status in (403, 404):
        return
    whole = ids_of(answer.body[collection])
    for start, relation in (("limit=1", "next"), ("limit=1&page_reverse=True", "previous")):
        found: list[str] = []
        page = api.call("GET", f"{path}?{start}", who=who)
        while links := {link["rel"]: link["href"] for link in page.body.get(f"{collection}_links", ())}:
            found += ids_of(page.body[collection])
            if relation not in links:
                break
            parts = urlsplit(links[relation])
            page = api.call("GET", f"{parts.path}?{parts.query}", who=who)
        assert found == (whole if relation == "next" else whole[::-1])


def half_possible(ids: dict[str, str]) -> dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, str]]]:
    """Return for each kind an object that can be made, another that then cannot, and the error."""
    subnet = REQUIRED["subnets"] | {"network_id": ids["networks"]}
    port, policy = {"network_id": ids["networks"]}, REQUIRED["rbac_policies"] | {"object_id": ids["networks"]}
    rule = {"security_group_id": ids["security_groups"], "direction": "ingress"}
    pool, scope, forbidden = REQUIRED["subnetpools"], REQUIRED["address_scopes"], (403, "PolicyNotAuthorized")
    template = REQUIRED["default_security_group_rules"]
    floating = {"floating_network_id": ids["outside"]}
    return {
        "networks": ({}, {"shared": True}, forbidden),
        "subnets": (subnet, subnet | {"cidr": "10.7.0.128/25"}, (400, "InvalidInput")),
        "ports": (port, port | {"security_groups": [ids["networks"]]}, (404, "SecurityGroupNotFound")),
        "address_scopes": (scope, scope | {"shared": True}, forbidden),
        "subnetpools": (pool, pool | {"shared": True}, forbidden),
        "rbac_policies": (policy, policy, (409, "DuplicateRbacPolicy")),
        "address_groups": ({}, {"addresses": ["10.0.0.0/33"]}, (400, "HTTPBadRequest")),
        "routers": ({}, {"external_gateway_info": {"network_id": ids["subnets"]}}, (404, "NetworkNotFound")),
        "floatingips": (floating, floating | {"port_id": ids["subnets"]}, (404, "PortNotFound")),
        "security_groups": ({}, {"name": "default"}, (409, "SecurityGroupDefaultAlreadyExists")),
        "security_group_rules": (rule | {"protocol": "tcp"}, rule, (409, "SecurityGroupRuleExists")),
        "default_security_group_rules": (template, template, forbidden),
    }


def test_many_in_one_request_are_all_or_nothing(api: Api) -> None:
    ids = one_of_each(api, RED)
    ids["outside"] = api.get(f"floatingips/{ids['floatingips']}").first["floating_network_id"]
    pairs = half_possible(ids)
    assert set(pairs) == {name for name, resource in RESOURCE_OF.items() if "POST" in resource.methods}
    for collection, (possible, impossible, error) in pairs.items():
        before = api.call("GET", path_of(collection)).first
        answer = api.call("POST", path_of(collection), {collection: [possible, impossible]}, RED)
        assert answer.error == error, (collection, answer.body)
        assert api.call("GET", path_of(collection)).first == before, collection
