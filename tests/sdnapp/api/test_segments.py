"""``segments`` of multi-provider: another way to write the provider attributes of a network, which has one segment."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import RED, Api

TYPE, PHYSICAL, NUMBER = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
VLAN = {TYPE: "vlan", PHYSICAL: "physnet1", NUMBER: 7}


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([VLAN], VLAN),
        ([{TYPE: "flat", PHYSICAL: "physnet1"}], {TYPE: "flat", PHYSICAL: "physnet1", NUMBER: None}),
        ([{TYPE: "vxlan", NUMBER: "9"}], {TYPE: "vxlan", PHYSICAL: None, NUMBER: 9}),
        ([{TYPE: "geneve", NUMBER: ""}], {TYPE: "geneve", PHYSICAL: None, NUMBER: 1}),
        ([], {TYPE: "geneve", PHYSICAL: None, NUMBER: 1}),
    ],
)
def test_one_segment(api: Api, segments: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    network = api.create("networks", segments=segments)
    assert {name: network[name] for name in expected} == expected
    assert "segments" not in network


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"segments": [VLAN, {TYPE: "geneve"}]}, "InvalidInput", "segments: a network has one segment here"),
        ({"segments": [VLAN, VLAN]}, "SegmentsContainDuplicateEntry", "Duplicate segment entry in request."),
        (
            {"segments": [VLAN], TYPE: "vlan"},
            "SegmentsSetInConjunctionWithProviders",
            "Segments and provider values cannot both be set.",
        ),
        ({"segments": [{}]}, "InvalidInput", "Invalid input for operation: network_type required."),
        ({"segments": [{PHYSICAL: "physnet1"}]}, "InvalidInput", "network_type required"),
        ({"segments": [VLAN | {"x": 1}]}, "HTTPBadRequest", "Unrecognized attribute(s) 'x'"),
        ({"segments": [VLAN | {NUMBER: "abc"}]}, "InvalidInput", "'abc' is not an integer"),
        ({"segments": [{TYPE: "nope"}]}, "InvalidInput", "network_type value 'nope' not supported"),
        ({"segments": None}, "HTTPBadRequest", "Invalid input for segments"),
        ({"segments": "x"}, "HTTPBadRequest", "Invalid input for segments"),
        ({"segments": [1]}, "HTTPBadRequest", "Invalid input for segments"),
    ],
)
def test_bad_segments(api: Api, given: dict[str, Any], error: str, message: str) -> None:
    answer = api.post("networks", **given)
    assert answer.error == (400, error)
    assert message in answer.message


def test_of_a_network_that_is_there_only_a_vlan_id_changes(api: Api) -> None:
    network = api.create("networks", segments=[VLAN])["id"]
    assert api.put("networks", network, segments=[VLAN]).first[NUMBER] == 7
    assert api.put("networks", network, segments=[VLAN | {NUMBER: 8}]).first[NUMBER] == 8
    answer = api.put("networks", network, segments=[{TYPE: "geneve"}])
    assert answer.error == (400, "InvalidInput")
    assert "Plugin does not support updating the following provider network attributes" in answer.message


def test_segments_are_for_administrators(api: Api) -> None:
    answer = api.post("networks", RED, segments=[VLAN])
    assert answer.error == (403, "PolicyNotAuthorized")
    assert answer.message.startswith("(rule:create_network and (rule:create_network:segments and (")
    network = api.network(RED)
    assert api.put("networks", network, RED, segments=[VLAN]).error == (403, "PolicyNotAuthorized")
