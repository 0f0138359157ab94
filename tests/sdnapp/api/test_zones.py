"""Lists that are the same for all: availability zones and service providers."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import READER, RED, Api

ZONE = {"name": "nova", "resource": "network", "state": "available"}


@pytest.mark.parametrize("who", [{}, RED, READER])
def test_there_is_one_zone(api: Api, who: dict[str, str]) -> None:
    assert api.get("availability_zones", who).body == {"availability_zones": [ZONE]}
    assert api.get("service-providers", who).body == {"service_providers": []}


def test_who_has_no_role_sees_none(api: Api) -> None:
    assert api.get("availability_zones", {"X-Project-Id": "red", "X-Roles": ""}).first == []


@pytest.mark.parametrize(
    ("query", "zones"),
    [
        ({"name": "nova"}, [ZONE]),
        ({"name": ["other", "nova"], "resource": "network"}, [ZONE]),
        ({"resource": "router"}, []),
        ({"state": "unavailable"}, []),
        ({"fields": "name"}, [{"name": "nova"}]),
        ({"fields": ["state", "x"]}, [{"state": "available"}]),
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
