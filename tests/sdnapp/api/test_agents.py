"""Agents: chassis as operators of Neutron know them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webob import Request

from tests.sdnapp.api.stand_ins import READER, RED, Api
from topology.values import Chassis, ChassisNote, PortBinding

HV1 = Chassis(
    "hv1",
    hostname="node1",
    datapath_id="00000000000000a1",
    encap_ip="192.0.2.1",
    encap_types=("geneve", "vxlan"),
    bridge_mappings=(("physnet1", "br-ex"),),
    gateway=True,
)
REPORT = {
    "id": "hv1",
    "alive": True,
    "state": "in sync",
    "openflow": {"connected": True, "since": "2026-01-01T10:00:00+02:00"},
}


@pytest.fixture
def api() -> Api:
    """A chassis that is alive, and a dead one that has no name."""
    api = Api()
    api.services.operator.reports = [REPORT]
    with api.store.transaction() as tx:
        tx.put(HV1)
        tx.put(Chassis("hv2"))
        for port in "ab":
            tx.put(PortBinding(f"{port}@hv1", port, "hv1", 1, f"tap{port}", 1))
        tx.put(PortBinding("c@hv2", "c", "hv2", 1, "tapc", 1))
    return api


def test_what_an_agent_is(api: Api) -> None:
    alive, dead = api.get("agents").first
    assert alive == {
        "id": "hv1",
        "agent_type": "Open vSwitch agent",
        "binary": "sdnapp-chassis",
        "topic": "N/A",
        "host": "node1",
        "admin_state_up": True,
        "created_at": None,
        "started_at": "2026-01-01 08:00:00",
        "heartbeat_timestamp": alive["heartbeat_timestamp"],
        "alive": True,
        "configurations": {
            "bridge": "br-int",
            "bridge_mappings": {"physnet1": "br-ex"},
            "datapath_id": "00000000000000a1",
            "devices": 2,
            "gateway": True,
            "state": "in sync",
            "tunnel_types": ["geneve", "vxlan"],
            "tunneling_ip": "192.0.2.1",
        },
        "description": "",
        "availability_zone": "nova",
    }
    assert alive["heartbeat_timestamp"].startswith("2026-01-01 00:00:")
    assert (dead["host"], dead["alive"], dead["configurations"]["devices"]) == ("hv2", False, 1)
    assert (dead["heartbeat_timestamp"], dead["started_at"]) == (None, None)
    assert api.get("agents/hv2").first == dead
    answer = api.get("agents/none")
    assert (answer.error, answer.message) == ((404, "AgentNotFound"), "Agent none could not be found.")


def test_chassis_are_asked_for_once_in_a_request(api: Api) -> None:
    asked = []
    api.services.operator.chassis = lambda: asked.append(1) or [REPORT]  # type: ignore[method-assign, func-returns-value]
    with api.store.transaction() as tx:
        for number in range(50):
            tx.put(Chassis(f"more{number}"))
    assert len(api.get("agents", alive="true").first) == 1
    assert len(asked) == 1


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"host": "node1"}, ["hv1"]),
    ({"host": ["node1", "hv2"]}, ["hv1", "hv2"]),
    ({"id": "hv2"}, ["hv2"]),
    ({"alive": "True"}, ["hv1"]),
    ({"alive": "false"}, ["hv2"]),
    ({"alive": ["0", "1"]}, ["hv1", "hv2"]),
    ({"agent_type": "Open vSwitch agent"}, ["hv1", "hv2"]),
    ({"agent_type": "DHCP agent"}, []),
    ({"binary": "sdnapp-chassis", "admin_state_up": "true"}, ["hv1", "hv2"]),
    ({"admin_state_up": "no"}, []),
    ({"availability_zone": "nova", "description": ""}, ["hv1", "hv2"]),
    ({"limit": 1, "marker": "hv1"}, ["hv2"]),
]


@pytest.mark.parametrize(("query", "ids"), FILTERS)
def test_filters(api: Api, query: dict[str, Any], ids: list[str]) -> None:
    assert [agent["id"] for agent in api.get("agents", **query).first] == ids


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"alive": "perhaps"}, "InvalidInput"),
        ({"admin_state_up": "x"}, "InvalidInput"),
        ({"configurations": "x"}, "HTTPBadRequest"),
        ({"x": "x"}, "HTTPBadRequest"),
    ],
)
def test_filters_that_are_none(api: Api, query: dict[str, Any], kind: str) -> None:
    assert api.get("agents", **query).error == (400, kind)


@pytest.mark.parametrize("agent", ["hv1", "hv2"])
def test_descriptions_are_kept(api: Api, agent: str) -> None:
    changed = api.put("agents", agent, description="in the corner", admin_state_up=True)
    assert (changed.status, changed.first["description"]) == (200, "in the corner")
    assert [each["id"] for each in api.get("agents", description="in the corner").first] == [agent]
    with api.store.transaction() as tx:
        tx.put(Chassis(agent, hostname="renamed"))
    assert api.get(f"agents/{agent}").first["description"] == "in the corner"
    assert api.put("agents", agent, description=None).first["description"] == ""


BAD: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    (
        {"admin_state_up": False},
        (400, "InvalidInput"),
        "admin_state_up: a chassis serves for as long as it is connected",
    ),
    ({"admin_state_up": "x"}, (400, "InvalidInput"), "'x' cannot be converted to boolean"),
    ({"description": "x" * 256}, (400, "HTTPBadRequest"), "exceeds maximum length of 255"),
    ({"description": 5}, (400, "HTTPBadRequest"), "is not a valid string"),
    ({"host": "x"}, (400, "HTTPBadRequest"), "Cannot update read-only attribute host"),
    ({"alive": True}, (400, "HTTPBadRequest"), "Cannot update read-only attribute alive"),
    ({"name": "x"}, (400, "HTTPBadRequest"), "Unrecognized attribute(s) 'name'"),
]


@pytest.mark.parametrize(("attributes", "error", "message"), BAD)
def test_what_is_observed_is_not_changed(
    api: Api, attributes: dict[str, Any], error: tuple[int, str], message: str
) -> None:
    answer = api.put("agents", "hv1", **attributes)
    assert answer.error == error
    assert message in answer.message


def test_a_dead_one_is_forgotten(api: Api) -> None:
    answer = api.delete("agents", "hv1")
    assert answer.error == (409, "AgentAlive")
    assert answer.message.startswith("Agent hv1 is alive. Disconnect the chassis first")
    api.put("agents", "hv2", description="x")
    assert api.delete("agents", "hv2").status == 204
    assert [agent["id"] for agent in api.get("agents").first] == ["hv1"]
    assert api.store.get(ChassisNote, "hv2") is None
    assert api.store.find(PortBinding, "chassis", "hv2") == []
    assert api.delete("agents", "hv2").error == (404, "AgentNotFound")


def test_administrators_only(api: Api) -> None:
    for who in (RED, READER):
        assert api.get("agents", who).first == []
        for answer in (
            api.get("agents/hv1", who),
            api.put("agents", "hv1", who, description="x"),
            api.delete("agents", "hv2", who),
        ):
            assert answer.error == (404, "AgentNotFound")


def test_agents_come_by_themselves(api: Api) -> None:
    response = Request.blank("/v2.0/agents", method="POST", body=b'{"agent": {}}').get_response(api.app)
    assert response.status_int == 405
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_agents_have_no_revision(api: Api) -> None:
    answer = api.call("PUT", "/v2.0/agents/hv1", {"agent": {"description": "x"}}, If_Match="revision_number=7")
    assert answer.status == 200


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["admin_state_up", "description", "alive", "host", "configurations"]) | st.text(max_size=3),
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}),
    )
)
def test_odd_values(attributes: dict[str, Any]) -> None:
    api = Api()
    with api.store.transaction() as tx:
        tx.put(HV1)
    answer = api.call("PUT", "/v2.0/agents/hv1", {"agent": attributes})
    assert answer.status in (200, 400)
    kept = attributes.get("description") if answer.status == 200 else None
    assert api.get("agents/hv1").first["description"] == (kept or "")
