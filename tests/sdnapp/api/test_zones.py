"""Lists that are the same for all: availability zones and service providers."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import READER, RED, Api

ZONE = {"name": "nova", "resource": "network", "state": "available"}
OF_ROUTERS = ZONE | {"resource": "router"}


@pytest.mark.parametrize("who", [{}, RED, READER])
def test_there_is_one_zone(api: Api, who: dict[str, str]) -> None:
    assert api.get("availability_zones", who).body == {"availability_zones": [ZONE, OF_ROUTERS]}
    assert api.get("service-providers", who).body == {"service_providers": []}


def test_who_has_no_role_sees_none(api: Api) -> None:
    assert api.get("availability_zones", {"X-Project-Id": "red", "X-Roles": ""}).first == []


@pytest.mark.parametrize(
    ("query", "zones"),
    [
        ({"name": "nova"}, [ZONE, OF_ROUTERS]),
        ({"name": ["other", "nova"], "resource": "network"}, [ZONE]),
        ({"resource": "router"}, [OF_ROUTERS]),
        ({"state": "unavailable"}, []),
        ({"fields": "name"}, [{"name": "nova"}] * 2),
        ({"fields": ["state", "x"]}, [{"state": "available"}] * 2),
    ],
)
def test_filters(api: Api, query: dict[str, Any], zones: list[dict[str, str]]) -> None:
    assert api.get("availability_zones", **query).first == zones


@pytest.mark.parametrize("path", ["availability_zones", "service-providers"])
def test_filters_that_are_none(api: Api, path: str) -> None:
    answer = api.get(path, x="y")
    assert answer.error == (400, "HTTPBadRequest")
    assert answer.message == "['x'] is invalid attribute for filtering"


@pytest.mark.parametrize("path", ["availability_zones", "service-providers"])
def test_nobody_changes_them(api: Api, path: str) -> None:
    assert api.call("POST", f"/v2.0/{path}", {}).status == 405


def test_a_network_is_in_the_zone_and_keeps_its_hints(api: Api) -> None:
    network = api.create("networks", RED, availability_zone_hints=["nova"])
    assert (network["availability_zone_hints"], network["availability_zones"]) == (["nova"], ["nova"])
    assert api.get(f"networks/{network['id']}", RED).first["availability_zone_hints"] == ["nova"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (["mars"], (404, "AvailabilityZoneNotFound"), "AvailabilityZone mars could not be found."),
        ("nova", (400, "HTTPBadRequest"), "'nova' is not a list"),
        (None, (400, "HTTPBadRequest"), "'None' is not a list"),
        ([1], (400, "HTTPBadRequest"), "'1' is not a valid string"),
        (["nova", "nova"], (400, "HTTPBadRequest"), "Duplicate items in the list: 'nova'"),
        (["a" * 300], (400, "InvalidInput"), "Too many availability_zone_hints specified"),
    ],
)
def test_bad_hints(api: Api, given: object, error: tuple[int, str], message: str) -> None:
    answer = api.post("networks", availability_zone_hints=given)
    assert answer.error == error
    assert message in answer.message


def test_hints_do_not_change(api: Api) -> None:
    answer = api.put("networks", api.network(), availability_zone_hints=["nova"])
    assert answer.error == (400, "HTTPBadRequest")
    assert answer.message == "Cannot update read-only attribute availability_zone_hints"
