"""Answers are encoded in pieces, and are as if they had not been."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnapp import turns
from sdnapp.api.encoding import encoded
from sdnapp.api.errors import json_response

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
)
LONG = [{"name": "\u00e4", "in": [number]} for number in range(1000)]


@given(_values)
def test_whatever_is_encoded_is_json(value: Any) -> None:
    assert b"".join(encoded(value)) == json.dumps(value).encode()


def test_items_may_come_one_after_the_other() -> None:
    for items in [], LONG:
        assert (
            b"".join(encoded({"ports": iter(items), "links": []})) == json.dumps({"ports": items, "links": []}).encode()
        )


def test_an_iterator_may_be_in_the_place_of_a_list_wherever_that_is() -> None:
    for items in [], LONG:
        for one, other in (
            ({"floatingip": {"id": "f", "port_forwardings": iter(items)}}, {"id": "f", "port_forwardings": items}),
            ({"floatingips": [{"id": "f", "port_forwardings": iter(items)}]}, [{"id": "f", "port_forwardings": items}]),
        ):
            (name,) = one
            assert b"".join(encoded(one)) == json.dumps({name: other}).encode()


@pytest.mark.parametrize(
    "body",
    [
        {"a": list(range(1000)), "b": [{"c": 1}], "d": None},
        {"ports": LONG},
        {"networks": [{"name": "n", "ports": LONG, "subnets": []}, {"name": "m"}]},
        {"security_group": {"name": "g", "security_group_rules": LONG}},
        {"chassis": "hv1", "tables": [{"name": "dhcp", "flows": LONG}, {"name": "routes", "flows": LONG}]},
        LONG,
    ],
)
def test_what_is_long_is_encoded_and_sent_in_pieces_between_which_others_have_their_turn(
    body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_way: list[float] = []
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr(turns.hub, "sleep", given_way.append)
    monkeypatch.setattr("sdnapp.api.encoding._PIECE", 1000)
    response = json_response(body)
    assert len(given_way) >= 10, "one for each hundred items"
    given_way.clear()
    pieces = list(response.app_iter)
    assert b"".join(pieces) == json.dumps(body).encode()
    assert response.content_length == sum(map(len, pieces))
    assert len(given_way) == len(pieces) >= 4
    assert max(map(len, pieces)) < 10_000
