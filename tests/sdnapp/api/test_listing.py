"""Lists: filters, fields, sort keys, pages and their links."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from webob import Request

from sdnapp.api import listing
from sdnapp.turns import Turns
from tests.sdnapp.api.stand_ins import BLUE, RED, Api
from topology.values import Port


@pytest.fixture
def ports(api: Api) -> dict[str, str]:
    """Six ports of two projects, name to id."""
    network = api.network(shared=True)
    api.subnet(network, "10.0.0.0/24", name="low")
    api.subnet(network, "10.0.1.0/24", name="high")
    found = {}
    for number, name in enumerate(["a", "b", "c", "d", "", ""]):
        found[name or f"unnamed{number}"] = api.port(
            network,
            RED if number % 2 else BLUE,
            name=name,
            device_id=f"vm{number}" if number < 3 else "",
            admin_state_up=number != 2,
        )
    return found


def names(api: Api, ports: dict[str, str], query: dict[str, Any], who: dict[str, str] | None = None) -> set[str]:
    by_id = {row_id: name for name, row_id in ports.items()}
    answer = api.get("ports", who or {}, **query)
    assert answer.status == 200, answer.body
    return {by_id[port["id"]] for port in answer.body["ports"]}


def test_all_are_listed_in_order_of_their_ids(api: Api, ports: dict[str, str]) -> None:
    assert [port["id"] for port in api.get("ports").body["ports"]] == sorted(ports.values())
    assert "ports_links" not in api.get("ports").body


FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"name": "a"}, {"a"}),
    ({"name": ["a", "c", "z"]}, {"a", "c"}),
    ({"name": ""}, {"unnamed4", "unnamed5"}),
    ({"name": ["", "d"]}, {"d", "unnamed4", "unnamed5"}),
    ({"name": "A"}, set()),
    ({"device_id": "vm1"}, {"b"}),
    ({"device_id": ""}, {"d", "unnamed4", "unnamed5"}),
    ({"device_id": ["", "vm1"]}, {"b", "d", "unnamed4", "unnamed5"}),
    ({"project_id": "red"}, {"b", "d", "unnamed5"}),
    ({"tenant_id": ["red", "blue"], "name": ["a", "b"]}, {"a", "b"}),
    ({"admin_state_up": "false"}, {"c"}),
    ({"admin_state_up": ["true", "false"], "name": "c"}, {"c"}),
    ({"status": "DOWN", "name": "a"}, {"a"}),
    ({"status": "ACTIVE"}, set()),
    ({"description": ""}, {"a", "b", "c", "d", "unnamed4", "unnamed5"}),
    ({"revision_number": "1", "name": "a"}, {"a"}),
    ({"fixed_ips": "ip_address=10.0.0.3"}, {"b"}),
    ({"fixed_ips": ["ip_address=10.0.0.3", "ip_address=10.0.0.4"]}, {"b", "c"}),
    ({"fixed_ips": "ip_address_substr=0.0.5"}, {"d"}),
    ({"fixed_ips": "ip_address_substr=10.0.1."}, set()),
    ({"binding:host_id": "x"}, set()),
    ({"mac_address": "02:00:00:00:00:01"}, set()),
    ({"network_id": "0f8fad5b-d9cb-469f-a165-70867728950e"}, set()),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_filters(api: Api, ports: dict[str, str], query: dict[str, Any], expected: set[str]) -> None:
    assert names(api, ports, query) == expected


def test_filters_by_what_the_cloud_made(api: Api, ports: dict[str, str]) -> None:
    shown = api.get(f"ports/{ports['b']}").first
    assert names(api, ports, {"id": [ports["a"], ports["b"], "x"]}) == {"a", "b"}
    assert names(api, ports, {"mac_address": shown["mac_address"].upper()}) == {"b"}
    assert names(api, ports, {"network_id": shown["network_id"]}) == set(ports)
    low = api.get("subnets", name="low").first[0]["id"]
    assert names(api, ports, {"fixed_ips": f"subnet_id={low}"}) == set(ports)
    assert names(api, ports, {"fixed_ips": [f"subnet_id={low}", "ip_address=10.0.0.3"]}) == {"b"}
    high = api.get("subnets", name="high").first[0]["id"]
    assert names(api, ports, {"fixed_ips": [f"subnet_id={high}", "ip_address=10.0.0.3"]}) == set()


def test_filters_of_networks_and_subnets(api: Api, ports: dict[str, str]) -> None:
    api.network(RED, mtu=1400)
    assert len(api.get("networks", shared="true").first) == 1
    assert len(api.get("networks", mtu=1400).first) == 1
    assert len(api.get("networks", **{"provider:segmentation_id": 1}).first) == 1
    assert len(api.get("networks", **{"provider:network_type": "geneve"}).first) == 2
    assert [s["name"] for s in api.get("subnets", cidr="10.0.1.9/24").first] == ["high"]
    assert [s["name"] for s in api.get("subnets", gateway_ip="10.0.0.1").first] == ["low"]
    assert len(api.get("subnets", shared="true", ip_version=4, enable_dhcp="1").first) == 2
    assert len(api.get("subnets", subnetpool_id="x").first) == 0


def test_nobody_learns_by_filters_what_he_may_not_see(api: Api) -> None:
    api.network(RED)
    assert len(api.get("networks", RED, **{"provider:segmentation_id": 1}).first) == 0


BAD: list[tuple[str, tuple[int, str], str]] = [
    ("colour=red", (400, "HTTPBadRequest"), "['colour'] is invalid attribute for filtering"),
    ("changed_since=2020-01-01", (400, "HTTPBadRequest"), "is invalid attribute for filtering"),
    ("admin_state_up=maybe", (400, "InvalidInput"), "cannot be converted to boolean"),
    ("fixed_ips=10.0.0.1", (400, "InvalidInput"), "'10.0.0.1' is not of the form <key>=[value]"),
    ("limit=-1", (400, "BadRequest"), "Bad limit request: Limit must be an integer 0 or greater and not '-1'."),
    ("limit=x", (400, "BadRequest"), "not 'x'"),
    ("sort_key=name", (400, "HTTPBadRequest"), "The number of sort_keys and sort_dirs must be same"),
    ("sort_key=colour&sort_dir=asc", (400, "HTTPBadRequest"), "['colour'] is invalid attribute for sort_keys"),
    ("sort_key=fixed_ips&sort_dir=asc", (400, "HTTPBadRequest"), "['fixed_ips'] is invalid attribute for sort_keys"),
    (
        "sort_key=name&sort_dir=up",
        (400, "HTTPBadRequest"),
        "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
    ),
    ("limit=1&marker=x", (404, "PortNotFound"), "Port x could not be found."),
    ("name=%ff", (400, "HTTPBadRequest"), "The URL is not UTF-8"),
]


@pytest.mark.parametrize(("query", "error", "message"), BAD)
def test_what_a_list_may_not_be_asked(
    api: Api, ports: dict[str, str], query: str, error: tuple[int, str], message: str
) -> None:
    answer = api.call("GET", f"/v2.0/ports?{query}")
    assert answer.error == error
    assert message in answer.message


def test_odd_values_of_filters(api: Api) -> None:
    assert api.get("subnets", cidr="x").error == (400, "InvalidInput")
    assert api.get("subnets", ip_version="x").error == (400, "InvalidInput")
    assert api.get("networks", mtu="9" * 5000).error == (400, "InvalidInput")
    assert api.get("ports", mac_address="x").first == []


def test_fields(api: Api, ports: dict[str, str]) -> None:
    assert api.get("ports", fields=["id", "name"], name="a").first == [{"id": ports["a"], "name": "a"}]
    assert api.get("ports", fields="project_id", name="a").first == [{"project_id": "blue"}]
    assert api.get("ports", fields="colour", name="a").first == [{}]
    assert set(api.get("ports", fields="", name="a").first[0]) > {"id", "name"}
    assert api.get(f"ports/{ports['a']}", fields="name").first == {"name": "a"}
    assert api.get(f"ports/{ports['a']}", BLUE, fields=["name", "binding:host_id"]).first == {"name": "a"}


def test_sorting(api: Api, ports: dict[str, str]) -> None:
    def ordered(*keys: str) -> list[str]:
        query = {
            "sort_key": [key.lstrip("-") for key in keys],
            "sort_dir": ["desc" if k[0] == "-" else "asc" for k in keys],
        }
        return [port["device_id"] + port["name"] for port in api.get("ports", **query).first]

    assert ordered("name") == ["", "", "vm0a", "vm1b", "vm2c", "d"]
    assert ordered("-name") == ["d", "vm2c", "vm1b", "vm0a", "", ""]
    assert ordered("admin_state_up", "-name")[:2] == ["vm2c", "d"]
    assert ordered("-project_id", "name") == ["", "vm1b", "d", "", "vm0a", "vm2c"]


def test_nothing_sorts_before_something(api: Api) -> None:
    network = api.network()
    api.subnet(network, "10.0.0.0/24", gateway_ip=None)
    api.subnet(network, "10.0.1.0/24")
    found = [s["gateway_ip"] for s in api.get("subnets", sort_key="gateway_ip", sort_dir="asc").first]
    assert found == [None, "10.0.1.1"]


@pytest.mark.parametrize("sort", [{}, {"sort_key": "name", "sort_dir": "desc"}, {"sort_key": "id", "sort_dir": "desc"}])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6, 7])
@pytest.mark.parametrize("who", [{}, RED])
def test_links_lead_forth_and_back(
    api: Api, ports: dict[str, str], limit: int, sort: dict[str, str], who: dict[str, str]
) -> None:
    whole = [port["id"] for port in api.get("ports", who, **sort).first]
    forth, page = [], api.get("ports", who, limit=limit, **sort)
    while True:
        found = [port["id"] for port in page.body["ports"]]
        assert len(found) <= limit
        forth += found
        links = {link["rel"]: link["href"] for link in page.body["ports_links"]}
        if "next" not in links:
            break
        page = api.call("GET", relative(links["next"]), who=who)
    assert forth == whole
    back: list[str] = []
    page = api.get("ports", who, limit=limit, page_reverse="True", **sort)
    while True:
        back = [port["id"] for port in page.body["ports"]] + back
        links = {link["rel"]: link["href"] for link in page.body["ports_links"]}
        if "previous" not in links:
            break
        page = api.call("GET", relative(links["previous"]), who=who)
    assert back == whole


def relative(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_links_are_made_from_the_host_header(api: Api, ports: dict[str, str]) -> None:
    answer = api.call("GET", "/v2.0/ports?limit=1&name=a", Host="cloud.example:8080", X_Forwarded_Proto="https")
    assert answer.body["ports_links"][0] == {
        "rel": "next",
        "href": f"https://cloud.example:8080/v2.0/ports?limit=1&name=a&marker={ports['a']}",
    }


def test_a_marker_without_a_limit_is_ignored(api: Api, ports: dict[str, str]) -> None:
    assert len(api.get("ports", marker="x").first) == 6
    assert len(api.get("ports", limit=0, marker="x").first) == 6


def test_somebody_elses_object_is_no_marker(api: Api, ports: dict[str, str]) -> None:
    assert api.get("ports", RED, limit=2, marker=ports["a"]).error == (404, "PortNotFound")


def test_a_list_without_limit_is_of_one_moment(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    network = api.network()
    for number in range(5):
        api.port(network, name=f"before-{number}")
    ports = api.store.all(Port)

    def change(turns: Turns) -> None:
        with api.store.transaction() as tx:
            tx.delete(Port, ports[0].id)
            for port in ports[1:]:
                tx.put(replace(port, name="after"))
            tx.put(replace(ports[0], id="new", name="after"))

    def names(path: str) -> list[str]:
        response = Request.blank(path).get_response(api.app)
        with api.store.transaction() as tx:
            tx.delete(Port, "new")
            for port in ports:
                tx.put(port)
        return sorted(port["name"] for port in response.json["ports"])

    monkeypatch.setattr(Turns, "give_way", change)
    for query in ("", "&sort_key=mac_address&sort_dir=asc", "&admin_state_up=true"):
        assert names(f"/v2.0/ports?network_id={network}{query}") == ["after"] * 5, query
    # Nobody writes while the rows are put together, but while they are shown.
    monkeypatch.setattr(Turns, "give_way", lambda turns: change(turns) if _is_showing() else None)
    wanted = [f"before-{number}" for number in range(5)]
    for query in ("", "&sort_key=mac_address&sort_dir=asc", "&admin_state_up=true"):
        assert names(f"/v2.0/ports?network_id={network}{query}") == wanted, query


def test_others_have_their_turn_while_the_rows_of_a_list_are_put_together(
    api: Api, ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[bool] = []
    monkeypatch.setattr(Turns, "give_way", lambda _: turns.append(_is_within(listing._at_one_moment)))
    assert len(api.get("ports").first) == len(ports)
    assert turns.count(True) == len(ports)


def _is_showing() -> bool:
    return not _is_within(listing._at_one_moment)


def _is_within(function: Callable[..., Any]) -> bool:
    """Whether whoever asks was called from a function, however far above."""
    return any(frame.f_code is function.__code__ for frame, _ in traceback.walk_stack(None))
