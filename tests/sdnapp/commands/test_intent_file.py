"""YAML is read as it looks, errors name line and column, and what is written is read the same."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sdnapp.commands.errors import CommandError
from sdnapp.commands.intent_file import IntentFile, read, write

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8"))
hard = st.sampled_from(["no", "On", "y", "089", "0o7", "1_0", "1e3", "1.5", ".inf", "=", "<<", "~", "", "2026-01-01"])
documents = st.recursive(
    scalars | hard,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(scalars.filter(lambda key: isinstance(key, str)) | hard, inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.dictionaries(st.text("abc", min_size=1), documents, min_size=1, max_size=3))
def test_what_is_written_is_read_the_same(document: dict) -> None:
    assert IntentFile("x", write(document)).document == document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("fa:16:3e:00:00:01", "fa:16:3e:00:00:01"),
        ("no", "no"),
        ("2026-01-01", "2026-01-01"),
        ("0123", "0123"),
        ("1.0", "1.0"),
        ("0x1f", "0x1f"),
        ("true", True),
        ("", None),
        ("null", None),
        ("-7", -7),
    ],
)
def test_a_value_is_what_it_looks_like(text: str, value: object) -> None:
    assert IntentFile("x", f"a: {text}\n").document == {"a": value}


def test_parts_can_be_named_and_merged() -> None:
    text = "a: &base {x: 1, y: 2}\nb:\n  <<: *base\n  y: 3\n"
    assert IntentFile("x", text).document["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("a: [1\nb: 2\n", "lab.yaml:2:2: ", "expected ',' or ']'"),
        ("a:\n\t- 1\n", "lab.yaml:2:1: ", "cannot start any token"),
        ("a: 1\nb: 2\na: 3\n", "lab.yaml:3:1: ", "the key 'a' is there twice"),
        ("a: 1\n---\nb: 2\n", "lab.yaml:2:1: ", "another document"),
        ("a: *nobody\n", "lab.yaml:1:4: ", "undefined alias"),
        ("a: !!python/object:os.system {}\n", "lab.yaml:1:4: ", "could not determine a constructor"),
        ("a: &a [*a]\n", "lab.yaml: ", "cannot be sent"),
        ("? [a]\n: 1\n", "lab.yaml:1:3: ", "unhashable key"),
        ("a: \x00\n", "lab.yaml: ", "special characters are not allowed"),
        ("a: " + "[" * 5000 + "]" * 5000, "lab.yaml: ", "cannot be sent"),
    ],
)
def test_what_is_no_yaml(text: str, where: str, words: str) -> None:
    with pytest.raises(CommandError) as caught:
        IntentFile("lab.yaml", text)
    assert str(caught.value).startswith(where)
    assert words in str(caught.value)


def test_places_have_lines() -> None:
    file = IntentFile("x", "project: red\nnetworks:\n  - name: a\n    subnets:\n      - cidr: x\n  - {name: b}\n")
    lines = [file.line(place) for place in ("networks[0].subnets[0].cidr", "networks[1].name", "networks[0].mtu", "")]
    assert lines == [5, 6, 3, None]
    assert file.line("networks[7].name") == 2


def test_files_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(CommandError, match=r"nothing\.yaml: No such file"):
        read(str(tmp_path / "nothing.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(CommandError, match=r"latin\.yaml: is not UTF-8 at octet 3"):
        read(str(tmp_path / "latin.yaml"))
