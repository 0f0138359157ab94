"""Security groups of ports: which they get, which they may have, and finding ports by them."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import ADMIN, BLUE, RED, Api

NOWHERE = "11111111-2222-4333-8444-555555555555"
NO_SECURITY = (400, "PortSecurityAndIPRequiredForSecurityGroups")


@pytest.fixture
def network(api: Api) -> str:
    network = api.network(RED)
    api.subnet(network, who=RED)
    return network


def group(api: Api, who: dict[str, str] = RED, **attributes: Any) -> str:
    return str(api.create("security_groups", who, **attributes)["id"])


def groups_of(api: Api, network: str, who: dict[str, str] = RED, **attributes: Any) -> list[str]:
    return list(api.create("ports", who, network_id=network, **attributes)["security_groups"])


def test_a_port_gets_the_default_group_of_its_project(api: Api, network: str) -> None:
    (default,) = (each["id"] for each in api.get("security-groups", RED, name="default").first)
    assert groups_of(api, network) == [default]
    assert groups_of(api, network, ADMIN, project_id="red") == [default]
    (other,) = groups_of(api, network, ADMIN, project_id="blue")
    assert api.get(f"security-groups/{other}", BLUE).first["name"] == "default"


def test_a_port_gets_the_groups_that_it_names(api: Api, network: str) -> None:
    groups = [group(api), group(api)]
    assert groups_of(api, network, security_groups=groups) == groups
    assert groups_of(api, network, security_groups=[]) == []
    assert groups_of(api, network, security_groups=None) == []


@pytest.mark.parametrize("open_port", [{"port_security_enabled": False}, {"device_owner": "network:router_interface"}])
def test_ports_without_port_security_have_none(api: Api, network: str, open_port: dict[str, Any]) -> None:
    assert groups_of(api, network, **open_port) == []
    assert groups_of(api, network, security_groups=[], **open_port) == []
    answer = api.post("ports", RED, network_id=network, security_groups=[group(api)], **open_port)
    assert answer.error == NO_SECURITY


def test_port_security_off_for_a_whole_network(api: Api) -> None:
    network = api.network(RED, port_security_enabled=False)
    assert groups_of(api, network) == []
    assert api.post("ports", RED, network_id=network, security_groups=[group(api)]).error == NO_SECURITY
    mine = group(api)
    assert groups_of(api, network, security_groups=[mine], port_security_enabled=True) == [mine]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ([NOWHERE], (404, "SecurityGroupNotFound")),
        ("x", (400, "HTTPBadRequest")),
        (["x"], (400, "HTTPBadRequest")),
        ([NOWHERE, NOWHERE], (400, "HTTPBadRequest")),
        (5, (400, "HTTPBadRequest")),
    ],
)
def test_groups_that_are_none(api: Api, network: str, wanted: object, error: tuple[int, str]) -> None:
    assert api.post("ports", RED, network_id=network, security_groups=wanted).error == error
    assert api.put("ports", api.port(network, RED), RED, security_groups=wanted).error == error


def test_groups_of_others_are_not_there(api: Api, network: str) -> None:
    mine, foreign = group(api), group(api, BLUE)
    port = api.port(network, RED)
    for answer in (
        api.post("ports", RED, network_id=network, security_groups=[mine, foreign, NOWHERE]),
        api.put("ports", port, RED, security_groups=[mine, foreign, NOWHERE]),
    ):
        assert answer.error == (404, "SecurityGroupNotFound")
        assert answer.message == f"Security group {foreign}, {NOWHERE} does not exist"
    assert api.put("ports", port, ADMIN, security_groups=[foreign]).status == 200


def test_stateful_and_stateless_groups_do_not_mix(api: Api, network: str) -> None:
    mixed = [group(api), group(api, stateful=False)]
    for answer in (
        api.post("ports", RED, network_id=network, security_groups=mixed),
        api.put("ports", api.port(network, RED), RED, security_groups=mixed),
    ):
        assert answer.error == (409, "SecurityGroupConflict")
        assert "both stateful and stateless" in answer.message


def test_updates(api: Api, network: str) -> None:
    port, one, two = api.port(network, RED), group(api), group(api)

    def change(**attributes: Any) -> Any:
        return api.put("ports", port, RED, **attributes).first

    assert change(security_groups=[one, two])["security_groups"] == [one, two]
    before = change(name="x")
    assert before["security_groups"] == [one, two]
    assert change(security_groups=[two, one]) == before
    assert change(security_groups=None)["security_groups"] == []
    assert change(security_groups=[one])["security_groups"] == [one]
    answer = api.put("ports", port, RED, port_security_enabled=False)
    assert answer.error == (409, "PortSecurityPortHasSecurityGroup")
    answer = api.put("ports", port, RED, port_security_enabled=False, security_groups=[two])
    assert answer.error == NO_SECURITY
    assert change(port_security_enabled=False, security_groups=[])["security_groups"] == []
    assert api.put("ports", port, RED, security_groups=[one]).error == NO_SECURITY
    assert change(port_security_enabled=True)["security_groups"] == []
    assert change(security_groups=[one])["security_groups"] == [one]


def test_ports_are_found_by_their_groups(api: Api, network: str) -> None:
    one, two = group(api), group(api)
    ports = {
        name: api.port(network, RED, name=name, security_groups=groups)
        for name, groups in {"a": [one], "b": [one, two], "c": [two], "d": []}.items()
    }

    def found(*groups: str) -> str:
        return "".join(sorted(port["name"] for port in api.get("ports", RED, security_groups=list(groups)).first))

    assert (found(one), found(two), found(one, two), found(NOWHERE)) == ("ab", "bc", "abc", "")
    api.delete("ports", ports["a"], RED)
    assert found(one) == "b"
