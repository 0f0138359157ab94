"""Requests as clients really send them: bodies, methods, paths, headers."""

import base64
import logging
from io import BytesIO
from typing import Any

import pytest
from webob import Request

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import RED, Api
from topology.storage import StorageError

HTTP_BAD_REQUEST = (400, "HTTPBadRequest")
INVALID = "Body contains invalid data"
MISSING = "Unable to find 'network' in request body"

BODIES: list[tuple[bytes, str]] = [
    (b"", MISSING),
    (b"{", INVALID),
    (b"\xff\xfe", INVALID),
    (b"null", INVALID),
    (b"[]", INVALID),
    (b'"network"', INVALID),
    (b"5", INVALID),
    (b"{}", MISSING),
    (b'{"port": {}}', MISSING),
    (b'{"network": null}', MISSING),
    (b'{"network": []}', "Object 'network' contains invalid data"),
    (b'{"network": "x"}', "Object 'network' contains invalid data"),
    (b'{"networks": []}', "Resources required"),
    (b'{"networks": {}}', "Resources required"),
    (b'{"networks": {"a": 1}}', INVALID),
    (b'{"networks": 5}', INVALID),
    (b'{"networks": [5]}', INVALID),
    (b'{"networks": [null]}', INVALID),
    (b'{"networks": [[]]}', "Object 'network' contains invalid data"),
    (b'{"networks": [{"network": null}]}', MISSING),
    (b'{"network": {"mtu": NaN}}', INVALID),
    (b'{"network": {"mtu": Infinity}}', INVALID),
    (b'{"network": {"mtu": 1e999}}', "Invalid input for mtu. Reason: cannot convert float infinity to integer."),
    (b'{"network": {"mtu": ' + b"9" * 5000 + b"}}", INVALID),
    (b'{"network": {"description": "\\ud800"}}', INVALID),
    (b'{"network": {"description": "\xed\xa0\x80"}}', INVALID),
    (b'{"network": ' + b"[" * 100000 + b"]" * 100000 + b"}", INVALID),
    (b'{"network": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}", INVALID),
]


@pytest.mark.parametrize(("body", "message"), BODIES, ids=range(len(BODIES)))
def test_bad_bodies(api: Api, body: bytes, message: str) -> None:
    answer = api.call("POST", "/v2.0/networks", raw=body)
    assert answer.error == HTTP_BAD_REQUEST
    assert answer.message.startswith(message)
    network = api.network()
    if message not in ("Resources required",):
        assert api.call("PUT", f"/v2.0/networks/{network}", raw=body).error == HTTP_BAD_REQUEST


def test_a_body_is_read_whatever_its_content_type_says(api: Api) -> None:
    answer = api.call("POST", "/v2.0/networks", raw=b'{"network": {}}', Content_Type="text/plain")
    assert answer.status == 201


def test_whole_surrogate_pairs_are_characters(api: Api) -> None:
    answer = api.call("POST", "/v2.0/networks", raw=b'{"network": {"description": "\\ud83d\\ude00"}}')
    assert answer.first["description"] == "\U0001f600"


def test_bulk_updates_are_refused(api: Api) -> None:
    network = api.network()
    answer = api.call("PUT", f"/v2.0/networks/{network}", {"networks": [{"name": "x"}]})
    assert answer.error == HTTP_BAD_REQUEST
    assert answer.message == "Bulk operation not supported"


def test_huge_bodies_are_refused_unread() -> None:
    api = Api(Settings(max_body=1000))
    assert api.call("POST", "/v2.0/networks", raw=b" " * 1001).error == (413, "HTTPRequestEntityTooLarge")
    body = b'{"network": {}}'
    assert api.call("POST", "/v2.0/networks", raw=body + b" " * (1000 - len(body))).status == 201


def test_a_request_creates_so_many_objects_at_most(api: Api) -> None:
    answer = api.call("POST", "/v2.0/networks", {"networks": [{}] * 50_001})
    assert answer.error == HTTP_BAD_REQUEST
    assert answer.message == "A request may create 50000 objects at most: make several of it."


@pytest.mark.parametrize(("size", "status"), [(1000, 201), (1001, 413)])
def test_bodies_of_unknown_length(size: int, status: int) -> None:
    api = Api(Settings(max_body=1000))
    request = Request.blank("/v2.0/networks", method="POST", headers={"Transfer-Encoding": "chunked"})
    request.body_file = BytesIO(b'{"network": {}}'.ljust(size))
    assert request.get_response(api.app).status_int == status


class Sent(BytesIO):
    """What a client sends; remembers in what pieces it is read."""

    def __init__(self, size: int) -> None:
        super().__init__(b" " * size)
        self.pieces: list[int] = []

    def read(self, size: int | None = -1, /) -> bytes:
        octets = super().read(size)
        self.pieces.append(len(octets))
        return octets


@pytest.mark.parametrize(
    ("size", "headers", "taken"),
    [
        (100_001, {}, 100_001),
        (900_000, {}, 800_000),
        (200_000, {"Transfer-Encoding": "chunked"}, 200_000),
        (1_000_000, {"Transfer-Encoding": "chunked"}, 900_001),
        (200_000, {"Expect": "100-continue"}, 0),
    ],
)
def test_so_much_of_a_body_that_is_too_large_is_taken(size: int, headers: dict[str, str], taken: int) -> None:
    """Or the client would meet a closed connection; but not without end, not in one piece, and not if he asks first."""
    request, sent = Request.blank("/v2.0/networks", method="POST", headers=headers), Sent(size)
    request.environ["wsgi.input"] = sent
    if "Transfer-Encoding" not in headers:
        request.content_length = size
    assert request.get_response(Api(Settings(max_body=100_000)).app).status_int == 413
    assert sum(sent.pieces) == taken
    assert max(sent.pieces[1:], default=0) <= 64 << 10


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_body_that_cannot_be_read(api: Api, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(100)
    monkeypatch.setattr(sent, "read", lambda size: (_ for _ in ()).throw(error))
    request = Request.blank("/v2.0/networks", method="POST", headers={"Content-Length": "100"})
    request.environ["wsgi.input"] = sent
    assert request.get_response(api.app).status_int == 400


def test_a_body_does_not_go_with_delete(api: Api) -> None:
    network = api.network()
    answer = api.call("DELETE", f"/v2.0/networks/{network}", {"network": {}})
    assert answer.error == HTTP_BAD_REQUEST
    assert answer.message == "Request body is not supported in DELETE."


METHODS = [
    ("POST", "/", "GET, HEAD, OPTIONS"),
    ("PATCH", "/v2.0/networks", "GET, POST, HEAD, OPTIONS"),
    ("DELETE", "/v2.0/networks", "GET, POST, HEAD, OPTIONS"),
    ("POST", "/v2.0/networks/x", "GET, PUT, DELETE, HEAD, OPTIONS"),
    ("BREW", "/v2.0/networks/x", "GET, PUT, DELETE, HEAD, OPTIONS"),
    ("HEAD", "/sdnapp/apply", "POST, OPTIONS"),
    ("PUT", "/healthz", "GET, HEAD, OPTIONS"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), METHODS)
def test_methods_that_a_path_does_not_have(api: Api, method: str, path: str, allowed: str) -> None:
    response = Request.blank(path, method=method).get_response(api.app)
    assert response.status_int == 405
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/v2.0/networks", "/v2.0/networks/x", "/healthz", "/openapi.json", "/nowhere"])
def test_head_is_get_without_the_body(api: Api, path: str) -> None:
    whole, head = (Request.blank(path, method=method).get_response(api.app) for method in ("GET", "HEAD"))
    assert (head.status, head.headers["Content-Length"]) == (whole.status, str(len(whole.body)))
    assert (head.body, head.content_type) == (b"", whole.content_type)


def test_options_says_what_can_be_done(api: Api) -> None:
    for path, allowed in (("/", "GET, HEAD, OPTIONS"), ("/v2.0/networks/x", "GET, PUT, DELETE, HEAD, OPTIONS")):
        response = Request.blank(path, method="OPTIONS").get_response(api.app)
        assert (response.status_int, response.headers["Allow"], response.body) == (200, allowed, b"")
    assert api.call("OPTIONS", "/nowhere").status == 404


@pytest.mark.parametrize(
    "path", ["/x", "/v2.0/routers", "/v3", "/v2.0/networks/a/b", "/v2.0/networks.json", "//", "/%00"]
)
def test_paths_that_are_not_there(api: Api, path: str) -> None:
    answer = api.call("GET", path)
    assert answer.status in (200, 404)
    if answer.status == 404:
        assert answer.error == (404, "HTTPNotFound")
        assert answer.message == "The resource could not be found."


@pytest.mark.parametrize("path", ["/v2.0/networks/%ff", "/%ff"])
def test_paths_that_are_not_utf_8(api: Api, path: str) -> None:
    assert api.call("GET", path).error == HTTP_BAD_REQUEST


@pytest.mark.parametrize("row_id", ["x", "%C3%A4", "a%20b", "a+b", "%7B%7D", "..", "a;b", "'", "x" * 5000])
def test_ids_may_be_anything(api: Api, row_id: str) -> None:
    assert api.call("GET", f"/v2.0/networks/{row_id}").status == 404


def test_a_slash_at_the_end_makes_no_difference(api: Api) -> None:
    network = api.network()
    assert api.call("GET", f"/v2.0/networks/{network}/").status == 200
    assert api.call("GET", "/v2.0/networks/").first[0]["id"] == network


def test_each_answer_has_a_request_id(api: Api) -> None:
    ids = [api.call("GET", path).headers["X-Openstack-Request-Id"] for path in ("/", "/x")]
    assert ids[0].startswith("req-") and ids[0] != ids[1]


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


IDENTITIES: list[tuple[dict[str, str], str, bool]] = [
    ({}, "default", True),
    ({"X-Auth-Token": "x"}, "default", True),
    ({"X-Project-Id": "red"}, "red", True),
    ({"X-Project-Id": "red", "X-Roles": "admin"}, "red", True),
    ({"X-Project-Id": "red", "X-Roles": "reader, Member"}, "red", False),
    ({"X-Project-Id": "rot\xc3\xa4", "X-Roles": "member"}, "rot\u00e4", False),
    ({"Authorization": basic("red:secret")}, "red", False),
    ({"Authorization": basic("red")}, "red", False),
    ({"Authorization": "Bearer x"}, "default", True),
    ({"X-Project-Id": "blue", "Authorization": basic("red:")}, "blue", True),
]


@pytest.mark.parametrize(("headers", "project_id", "is_admin"), IDENTITIES)
def test_who_asks(api: Api, headers: dict[str, str], project_id: str, is_admin: bool) -> None:
    network = api.create("networks", headers)
    assert network["project_id"] == project_id
    assert ("provider:network_type" in network) == is_admin


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Basic !"}, {"Authorization": basic(":x")}, {"X-Project-Id": "\xff"}, {"X-Roles": "\xff"}],
)
def test_identities_that_cannot_be_read(api: Api, headers: dict[str, str]) -> None:
    assert api.get("networks", headers).error == HTTP_BAD_REQUEST


def test_a_project_id_has_a_length(api: Api) -> None:
    assert api.post("networks", RED | {"X-Project-Id": "x" * 256}).error == HTTP_BAD_REQUEST


def test_if_match(api: Api) -> None:
    network = api.network()
    path = f"/v2.0/networks/{network}"
    for tag in ("revision_number=1", '"revision_number=2"', "other", "*"):
        name = {"network": {"name": tag}}
        assert api.call("PUT", path, name, If_Match=tag).status == 200, tag
    answer = api.call("PUT", path, {"network": {"name": "x"}}, If_Match="revision_number=1")
    assert answer.error == (412, "RevisionNumberConstraintFailed")
    assert answer.message == "Constrained to 1, but current revision is 5"
    assert api.call("PUT", path, {"network": {}}, If_Match="revision_number=x").error == (400, "BadRequest")
    twice = '"revision_number=1", "revision_number=5"'
    assert api.call("PUT", path, {"network": {}}, If_Match=twice).error == (400, "BadRequest")
    assert api.call("DELETE", path, If_Match="revision_number=4").error[0] == 412
    assert api.call("DELETE", path, If_Match="revision_number=5").status == 204


def test_what_nobody_foresaw_is_logged_and_answered(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def broken(port_id: str) -> str:
        raise ZeroDivisionError("secret")

    port = api.port(api.network())
    api.services.port_status = broken  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR):
        response = Request.blank(f"/v2.0/ports/{port}").get_response(api.app)
    assert response.status_int == 500
    assert response.json == {
        "NeutronError": {
            "type": "HTTPInternalServerError",
            "message": "Request Failed: internal server error while processing your request.",
            "detail": "",
        }
    }
    assert "ZeroDivisionError: secret" in caplog.text
    assert api.call("GET", "/v2.0/networks").status == 200


def test_messages_do_not_echo_megabytes(api: Api) -> None:
    answer = api.post("networks", name="x" * 1_000_000)
    assert answer.error == HTTP_BAD_REQUEST
    assert len(answer.message) < 70_000


def test_discovery(api: Api) -> None:
    versions: Any = api.call("GET", "/").body
    link = {"rel": "self", "href": "http://localhost/v2.0/"}
    assert versions == {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}
    for path in ("/v2.0", "/v2.0/"):
        assert api.call("GET", path).first[0] == {
            "name": "network",
            "collection": "networks",
            "links": [{"rel": "self", "href": "http://localhost/v2.0/networks"}],
        }


def test_extensions(api: Api) -> None:
    extensions = api.get("extensions").first
    for extension in extensions:
        assert set(extension) == {"alias", "name", "description", "updated", "links"}
        assert api.get(f"extensions/{extension['alias']}").first == extension
    aliases = {extension["alias"] for extension in extensions}
    assert {"provider", "binding", "net-mtu-writable", "revision-if-match", "standard-attr-timestamp"} < aliases
    assert {
        "security-group",
        "stateful-security-group",
        "address-group",
        "security-groups-remote-address-group",
        "security-groups-normalized-cidr",
        "security-groups-shared-filtering",
        "security-groups-default-rules",
        "security-groups-rules-belongs-to-default-sg",
        "port-security-groups-filtering",
        "rbac-security-groups",
        "rbac-address-group",
    } < aliases
    assert not aliases & {"dhcp_agent_scheduler", "trunk"}
    answer = api.get("extensions/x")
    assert answer.error == (404, "HTTPNotFound")
    assert answer.message == "Extension with alias x does not exist"


def test_a_store_that_cannot_write_is_said_and_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def full(expected: object, writes: object, give_way: object) -> int:
        raise StorageError("the disk is full")

    api.store._storage.commit = full  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR):
        answer = api.post("networks")
    assert answer.error == (503, "StorageError")
    assert "POST /v2.0/networks failed: the disk is full" in caplog.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"networks": [[[]] * 1000] * 300}, "A request may hold 300000 values at most: make several of it."),
        ({"network": {"name": [{"a": [0]}] * 10_000}}, "Invalid input for name. Reason: more than 1000 items."),
        ({"network": {"name": {"a": [[0] * 99] * 101}}}, "Invalid input for name. Reason: more than 10000 values."),
        ({"network": {str(number): {} for number in range(1001)}}, "An object may have 1000 attributes at most."),
    ],
)
def test_what_holds_too_much_is_refused_before_much_is_said_of_it(api: Api, body: Any, message: str) -> None:
    answer = api.call("POST", "/v2.0/networks", body)
    assert answer.status == 400 and answer.body["NeutronError"]["message"] == message
