"""Bodies are read in pieces, and say what they would say if they were read at once."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnapp import decoding, turns
from sdnapp.decoding import TooDeepError, TooManyError, decoded

DEEPEST = 6
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)
_texts = st.builds(
    json.dumps,
    _values,
    ensure_ascii=st.booleans(),
    indent=st.none() | st.sampled_from([0, 3]),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r\n ")]),
)
_broken = st.tuples(
    _texts, st.integers(0, 50), st.integers(0, 3), st.sampled_from(["", "]", "}", ",", '"', "1", "nul"])
)


def outcome(read: Any, text: str) -> Any:
    """What a text says, with what has the same value but another type told apart; or the error."""
    try:
        return repr(read(text))
    except (ValueError, RecursionError) as error:
        return TooDeepError if isinstance(error, TooDeepError) else ValueError


def at_once(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    value = json.loads(text, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()
    if depth(value) > DEEPEST:
        raise TooDeepError
    return value


def depth(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(depth, parts), default=0)


def agree(text: str, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_WINDOW", window)
        found = outcome(lambda text: decoded(text, DEEPEST), text)
    wanted = outcome(at_once, text)
    # What is too deep need not be read to its end.
    assert found == wanted or (found is TooDeepError and wanted is ValueError)


@given(_texts, st.integers(1, 30))
def test_what_is_read_in_pieces_is_what_is_read_at_once(text: str, window: int) -> None:
    agree(text, window)


@given(_broken, st.integers(1, 30))
def test_what_is_wrong_is_wrong_in_pieces_too(broken: tuple[str, int, int, str], window: int) -> None:
    text, at, length, instead = broken
    agree(text[:at] + instead + text[at + length :], window)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "[1]]", "[1] []", '{"a"}', '{"a":}', "{1:2}"),
        *(
            '{"a":1,}',
            '{"a":1]',
            '{"a" 1}',
            "{,}",
            "[nan]",
            "[NaN]",
            "[-Infinity]",
            "[1e]",
            "[01]",
            '["\t"]',
            "\ufeff[]",
        ),
        *(r'["\ud800"]', r'{"\ud800": 1}', r'["\ud83d\ude00"]', "[" * 5000, "[" * 5000 + "]" * 5000, "[[[[[[]]]]]]"),
        *("[1, [[[[[[]]]]]]]", '{"a": 1, "b": [1, 2.5e3, -0], "a": 2}', "[" + "9" * 5000 + "]", '[tru, "x"]'),
    ],
)
def test_odd_bodies(text: str) -> None:
    for window in range(1, 12):
        agree(text, window)


def test_others_have_their_turn_while_a_large_body_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    given_way: list[float] = []
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr(turns.hub, "sleep", given_way.append)
    body = {"networks": [{"name": "n", "ports": [{"name": f"vm{number}"} for number in range(20_000)]}, {"name": "m"}]}
    text = json.dumps(body)
    assert decoded(text, 32) == body
    assert len(given_way) >= 20_000, "after each of what is read at once"


@given(_values, st.integers(1, 30))
def test_values_are_counted_alike_in_pieces(value: Any, window: int) -> None:
    text, many = json.dumps(value), count(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_WINDOW", window)
        assert decoded(text, 100, many) == value
        with pytest.raises(TooManyError):
            decoded(text, 100, many - 1)


def count(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, parts))
