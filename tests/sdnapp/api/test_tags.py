"""Tags: set, taken away and found, by whom, how many and how long."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sdnapp.api.stand_ins import BLUE, READER, RED, Answer, Api

COLLECTIONS = ("networks", "subnets", "ports", "routers")
FORBIDDEN = (403, "PolicyNotAuthorized")
LIMIT = "The number of tags exceed the per-resource limit of 50"


def make(api: Api, collection: str, who: dict[str, str] = RED, network: str | None = None) -> str:
    if collection == "networks":
        return api.network(who)
    if collection == "routers":
        return str(api.create("routers", who)["id"])
    network = network or api.network(who)
    return api.subnet(network, who=who) if collection == "subnets" else api.port(network, who)


def put(api: Api, path: str, tags: Any, who: dict[str, str] = RED) -> Answer:
    return api.call("PUT", f"/v2.0/{path}/tags", {"tags": tags}, who)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_tags_come_and_go(api: Api, collection: str) -> None:
    path = f"{collection}/{make(api, collection)}"

    def shown() -> list[str]:
        tags: list[str] = api.get(path, RED).first["tags"]
        assert api.get(f"{path}/tags", READER).body == {"tags": tags}
        return tags

    assert shown() == []
    assert put(api, path, ["red", "blue"]).body == {"tags": ["red", "blue"]}
    assert shown() == ["blue", "red"]
    answer = api.call("PUT", f"/v2.0/{path}/tags/green", who=RED)
    assert (answer.status, answer.body) == (201, None)
    assert shown() == ["blue", "green", "red"]
    answer = api.call("POST", f"/v2.0/{path}/tags", {"tags": ["red", "\u00e4 \u20ac,x"]}, RED)
    assert (answer.status, answer.body) == (200, {"tags": ["red", "\u00e4 \u20ac,x"]})
    assert shown() == ["blue", "green", "red", "\u00e4 \u20ac,x"]
    assert api.call("GET", f"/v2.0/{path}/tags/{quote('ä €,x')}", who=READER).status == 204
    assert api.call("DELETE", f"/v2.0/{path}/tags/red", who=RED).status == 204
    answer = api.call("DELETE", f"/v2.0/{path}/tags/red", who=RED)
    assert (answer.error, answer.message) == ((404, "TagNotFound"), "Tag red could not be found.")
    assert api.get(f"{path}/tags/red", RED).error == (404, "TagNotFound")
    assert put(api, path, []).status == 200
    assert shown() == []
    put(api, path, ["x"])
    assert api.call("DELETE", f"/v2.0/{path}/tags", who=RED).status == 204
    assert shown() == []


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_change_of_tags_is_one_of_the_object(api: Api, collection: str) -> None:
    path = f"{collection}/{make(api, collection)}"
    before = api.get(path, RED).first
    put(api, path, ["a"])
    after = api.get(path, RED).first
    assert after["revision_number"] == before["revision_number"] + 1
    assert after["updated_at"] > before["updated_at"]
    put(api, path, ["a"])
    api.call("PUT", f"/v2.0/{path}/tags/a", who=RED)
    assert api.get(path, RED).first == after
    stale = f"revision_number={before['revision_number']}"
    for method, end in (("PUT", "/b"), ("DELETE", ""), ("DELETE", "/a")):
        answer = api.call(method, f"/v2.0/{path}/tags{end}", who=RED, If_Match=stale)
        assert answer.error == (412, "RevisionNumberConstraintFailed")


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_other_changes_leave_tags_alone(api: Api, collection: str) -> None:
    row_id = make(api, collection)
    put(api, f"{collection}/{row_id}", ["a"])
    assert api.put(collection, row_id, RED, name="new").first["tags"] == ["a"]
    answer = api.put(collection, row_id, RED, tags=["b"])
    assert (answer.error, answer.message) == ((400, "HTTPBadRequest"), "Cannot update read-only attribute tags")


TAGGED = {"a": ["red"], "b": ["blue", "red"], "c": ["blue", "green", "red"], "d": ["green"], "e": []}
FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"tags": "red"}, "abc"),
    ({"tags": "red,blue"}, "bc"),
    ({"tags": ["red", "blue"]}, "bc"),
    ({"tags": "red,blue,black"}, ""),
    ({"tags": ""}, ""),
    ({"tags-any": "red,green"}, "abcd"),
    ({"tags-any": "black"}, ""),
    ({"not-tags": "red"}, "de"),
    ({"not-tags": "red,blue"}, "ade"),
    ({"not-tags": ""}, "abcde"),
    ({"not-tags-any": "red,blue"}, "de"),
    ({"not-tags-any": "black"}, "abcde"),
    ({"tags": "red", "not-tags-any": "green"}, "ab"),
    ({"tags-any": "blue,green", "not-tags": "red,blue"}, "d"),
    ({"tags": "red", "name": "b"}, "b"),
]


@pytest.mark.parametrize("collection", COLLECTIONS)
@pytest.mark.parametrize(("query", "names"), FILTERS)
def test_filters(api: Api, collection: str, query: dict[str, Any], names: str) -> None:
    network = api.network(RED)
    for number, (name, tags) in enumerate(TAGGED.items()):
        needed: dict[str, Any] = {} if collection in ("networks", "routers") else {"network_id": network}
        if collection == "subnets":
            needed |= {"ip_version": 4, "cidr": f"10.{number}.0.0/24"}
        row_id = api.create(collection, RED, name=name, **needed)["id"]
        put(api, f"{collection}/{row_id}", tags)
    put(api, f"{collection}/{make(api, collection, BLUE)}", ["red"], BLUE)
    found = api.get(collection, RED, **query).first
    assert sorted(each["name"] for each in found if each["name"]) == list(names)


def test_ports_may_have_tags_from_the_beginning(api: Api) -> None:
    network = api.network(RED)
    assert api.create("ports", RED, network_id=network, tags=["b", "a"])["tags"] == ["a", "b"]
    wanted = [{"network_id": network, "tags": tags} for tags in (["x"], [], ["y", "z"])]
    answer = api.call("POST", "/v2.0/ports", {"ports": wanted}, RED)
    assert [port["tags"] for port in answer.first] == [["x"], [], ["y", "z"]]
    assert len(api.get("ports", RED, tags="y").first) == 1
    for tags in (["a", "a"], "a", [1], ["x" * 256], None, [["a"]]):
        assert api.post("ports", RED, network_id=network, tags=tags).error == (400, "HTTPBadRequest")
    answer = api.post("ports", RED, network_id=network, tags=[str(n) for n in range(51)])
    assert answer.error == (400, "BadRequest")
    assert LIMIT in answer.message
    answer = api.post("networks", RED, tags=["a"])
    assert (answer.error, answer.message) == ((400, "HTTPBadRequest"), "Attribute 'tags' not allowed in POST")


def test_there_is_a_limit(api: Api) -> None:
    path = f"networks/{make(api, 'networks')}"
    fifty = [str(number) for number in range(50)]
    assert put(api, path, fifty).status == 200
    for answer in (
        put(api, path, [*fifty, "x"]),
        api.call("PUT", f"/v2.0/{path}/tags/x", who=RED),
        api.call("POST", f"/v2.0/{path}/tags", {"tags": ["x"]}, RED),
    ):
        assert answer.error == (400, "BadRequest")
        assert answer.message == f"Bad networks request: {LIMIT}."
    assert api.call("PUT", f"/v2.0/{path}/tags/7", who=RED).status == 201


BODIES: list[tuple[Any, str]] = [
    (None, "Invalid tags body"),
    ([], "Invalid tags body"),
    ({}, "Invalid tags body"),
    ({"tag": ["a"]}, "Invalid tags body"),
    ({"tags": None}, "'None' is not a list"),
    ({"tags": "a"}, "'a' is not a list"),
    ({"tags": {"a": 1}}, "'{'a': 1}' is not a list"),
    ({"tags": ["a", "a"]}, "Duplicate items in the list: 'a'"),
    ({"tags": [1]}, "'1' is not a valid string"),
    ({"tags": [None]}, "'None' is not a valid string"),
    ({"tags": [["a"]]}, "'['a']' is not a valid string"),
    ({"tags": [str(number) for number in range(1001)]}, "more than 1000 tags"),
    ({"tags": ["x" * 256]}, f"'{'x' * 256}' exceeds maximum length of 255"),
]


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(("body", "message"), BODIES)
def test_what_is_no_list_of_tags(api: Api, method: str, body: Any, message: str) -> None:
    answer = api.call(method, f"/v2.0/networks/{make(api, 'networks')}/tags", body, RED)
    assert answer.error == (400, "InvalidInput")
    assert answer.message.startswith(f"Invalid input for operation: {message}")


def test_a_tag_has_a_length(api: Api) -> None:
    path = f"/v2.0/networks/{make(api, 'networks')}/tags"
    for method in ("PUT", "GET", "DELETE"):
        assert api.call(method, f"{path}/{'x' * 256}", who=RED).error == (400, "InvalidInput")
    assert api.call("PUT", f"{path}/{'x' * 255}", who=RED).status == 201


def test_deleting_takes_no_body(api: Api) -> None:
    path = f"/v2.0/networks/{make(api, 'networks')}/tags"
    for each in (path, f"{path}/a"):
        assert api.call("DELETE", each, {"tags": ["a"]}, RED).error == (400, "HTTPBadRequest")


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_who_may_tag(api: Api, collection: str) -> None:
    path = f"{collection}/{make(api, collection)}"
    put(api, path, ["a"])
    for method, end, verb in (("PUT", "", "update"), ("PUT", "/b", "update"), ("POST", "", "create")):
        body = {"tags": ["b"]} if not end else None
        answer = api.call(method, f"/v2.0/{path}/tags{end}", body, READER)
        assert answer.error == FORBIDDEN
        assert answer.message == f"rule:{verb}_{collection[:-1]}:tags is disallowed by policy"
    for end in ("", "/a"):
        answer = api.call("DELETE", f"/v2.0/{path}/tags{end}", who=READER)
        assert answer.message == f"rule:delete_{collection[:-1]}:tags is disallowed by policy"
    for method, end in (("GET", ""), ("GET", "/a"), ("PUT", "/b"), ("DELETE", ""), ("DELETE", "/a")):
        assert api.call(method, f"/v2.0/{path}/tags{end}", who=BLUE).status == 404
    assert api.get("networks/none/tags").error == (404, "NetworkNotFound")


def test_a_networks_owner_takes_tags_off_the_ports_on_it(api: Api) -> None:
    network = api.network(tenant_id="red", shared=True)
    port = make(api, "ports", BLUE, network)
    put(api, f"ports/{port}", ["a"], BLUE)
    assert put(api, f"ports/{port}", ["b"], RED).error == FORBIDDEN
    assert api.call("DELETE", f"/v2.0/ports/{port}/tags", who=RED).status == 204


@settings(max_examples=200, deadline=None)
@given(
    st.none() | st.lists(st.text(st.characters(codec="utf-8"), max_size=6) | st.integers() | st.none(), max_size=4),
    st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=6),
)
def test_odd_tags(tags: Any, tag: str) -> None:
    api = Api()
    path = f"networks/{api.network(RED)}"
    answer = put(api, path, tags)
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert api.get(f"{path}/tags", RED).first == sorted(tags)
    one = f"/v2.0/{path}/tags/{quote(tag)}"
    assert api.call("PUT", one, who=RED).status in (201, 400, 404, 405)
    assert api.call("GET", one, who=RED).status in (200, 204, 404)
    assert api.call("DELETE", one, who=RED).status in (204, 404)
    assert api.call("GET", f"/v2.0/networks?tags={quote(tag)}").status == 200
