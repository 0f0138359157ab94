"""The operator's views."""

import pytest
from webob import Request

from tests.sdnapp.api.stand_ins import RED, Api

PATHS = [
    "/metrics",
    "/realized",
    "/sdnapp/status",
    "/sdnapp/chassis",
    "/sdnapp/chassis/hv1",
    "/sdnapp/flows/hv1",
    "/sdnapp/trace?port=a&to=b",
    "/sdnapp/trace?from_outside=a&to=b",
    "/sdnapp/drops",
    "/sdnapp/holds",
]


@pytest.mark.parametrize("path", PATHS)
def test_administrators_only(api: Api, path: str) -> None:
    assert api.call("GET", path).status == 200
    answer = api.call("GET", path, who=RED)
    assert answer.error == (403, "PolicyNotAuthorized")


def test_health_is_for_all(api: Api) -> None:
    assert api.call("GET", "/healthz", who=RED).body == {"status": "ok"}


def test_what_the_application_says_is_handed_out(api: Api) -> None:
    assert api.call("GET", "/sdnapp/chassis").body == {"chassis": [{"id": "hv1", "alive": True}]}
    assert api.call("GET", "/sdnapp/chassis/hv1").body == {"chassis": {"id": "hv1", "bridge": "br-int"}}
    assert api.call("GET", "/sdnapp/status").body == {"chassis": {"alive": 1}}
    assert api.call("GET", "/sdnapp/flows/hv1").body == {"flows": [{"table": "dhcp", "owner": "port/x"}]}
    chosen = api.call("GET", "/sdnapp/flows/hv1?owner=port/y&table=miss").body
    assert chosen == {"flows": [{"table": "miss", "owner": "port/y"}]}
    for query, sent in (
        ("", ["icmp", None]),
        ("&protocol=icmp", ["icmp", None]),
        ("&protocol=tcp&to_port=1", ["tcp", 1]),
    ):
        found = api.call("GET", f"/sdnapp/trace?port=a&to=10.0.0.1{query}").body
        assert found == {"from": "a", "to": "10.0.0.1", "sent": sent, "answer": False}
    found = api.call("GET", "/sdnapp/trace?from_outside=world&to=10.0.0.1").body
    assert found["from"] == "world" and found["sent"] == ["icmp", None]
    assert (found["source"], found["via"], found["answer"]) == (None, None, False)
    asked = "from_outside=world&source=10.0.0.2&via=10.0.0.3&to=10.0.0.1&protocol=udp&to_port=5"
    found = api.call("GET", f"/sdnapp/trace?{asked}").body
    assert (found["sent"], found["source"], found["via"]) == (["udp", 5], "10.0.0.2", "10.0.0.3")
    for begins in ("port=a", "from_outside=world"):
        assert api.call("GET", f"/sdnapp/trace?{begins}&to=10.0.0.1&answer=true").body["answer"] is True
    assert api.call("GET", "/metrics").body == b"sdnapp_chassis 1\n"


@pytest.mark.parametrize("path", ["/sdnapp/chassis/x", "/sdnapp/flows/x", "/sdnapp/drops?chassis=x"])
def test_a_chassis_that_is_not_there(api: Api, path: str) -> None:
    answer = api.call("GET", path)
    assert answer.error == (404, "HTTPNotFound")
    assert answer.message.startswith("No chassis has the id x, ") and "`sdnapp chassis list`" in answer.message


def test_drops_of_a_port_that_is_not_there(api: Api) -> None:
    answer = api.call("GET", "/sdnapp/drops?port=nowhere")
    assert answer.error == (404, "HTTPNotFound") and answer.message == "port nowhere is not there"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("protocol=gre", "protocol: 'gre' is none of icmp, tcp, udp"),
        ("protocol=tcp", "to_port: tcp needs the port that is sent to"),
        *(
            (f"protocol=udp&to_port={number}", "to_port: udp needs")
            for number in ("0", "65536", "x", "-1", "", "%C2%B2", "9" * 99)
        ),
        ("to_port=80", "to_port: ICMP has no ports"),
        ("answer=perhaps", "answer must be true or false and not 'perhaps'"),
    ],
)
def test_what_no_trace_can_send(api: Api, query: str, words: str) -> None:
    answer = api.call("GET", f"/sdnapp/trace?port=a&to=b&{query}")
    assert answer.error == (400, "HTTPBadRequest") and words in answer.message


@pytest.mark.parametrize(
    "query",
    [
        *("", "port=a", "to=b", "port=nowhere&to=b", "from_outside=a", "from_outside=nowhere&to=b"),
        *("port=a&from_outside=a&to=b", "from_outside=&to=b"),
    ],
)
def test_a_trace_needs_two_ends(api: Api, query: str) -> None:
    assert api.call("GET", f"/sdnapp/trace?{query}").error == (400, "HTTPBadRequest")


@pytest.mark.parametrize("name", ["source", "via"])
def test_what_a_trace_from_a_port_does_not_have(api: Api, name: str) -> None:
    answer = api.call("GET", f"/sdnapp/trace?port=a&to=b&{name}=10.0.0.1")
    assert answer.error == (400, "HTTPBadRequest")
    assert answer.message.startswith(f"{name}: only what begins outside has it; say from_outside in place of port")


def test_waiting_until_switches_hold_what_they_should(api: Api) -> None:
    api.network()
    assert api.call("GET", "/realized").body == {"realized": True, "revision": 1}
    assert api.call("GET", "/realized?wait=2.5&revision=7").body == {"realized": True, "revision": 7}
    assert api.services.operator.waited == [(1, 0.0), (7, 2.5)]
    api.services.operator.is_realized = False
    response = Request.blank("/realized?wait=0").get_response(api.app)
    assert (response.status_int, response.json) == (408, {"realized": False, "revision": 1})


@pytest.mark.parametrize(
    "query", ["wait=x", "wait=-1", "wait=nan", "wait=1e9", "revision=x", "revision=-1", "revision=\u00b2"]
)
def test_what_cannot_be_waited_for(api: Api, query: str) -> None:
    assert api.call("GET", f"/realized?{query}").error == (400, "HTTPBadRequest")
