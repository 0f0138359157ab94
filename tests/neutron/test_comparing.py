"""How answers are compared, without Neutron: what counts as a difference, and that each one on purpose is explained."""

from typing import Any

import pytest

from tests.neutron.asking import ABSENT, Answer, differences
from tests.neutron.compare import DOCUMENT, KNOWN, Difference, Known, known_differences


def error(status: int, kind: str, message: str) -> Answer:
    return Answer(status, {"NeutronError": {"type": kind, "message": message, "detail": ""}})


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        (Answer(200, {"port": {"a": 1}}), Answer(200, {"port": {"a": 1}}), []),
        (Answer(200, {"port": {"a": 1}}), Answer(200, {"port": {"a": 2}}), [("port.a", "1", "2")]),
        (Answer(200, {"port": {"a": None}}), Answer(200, {"port": {}}), [("port.a", "null", ABSENT)]),
        (Answer(200, {"port": {}}), Answer(200, {"port": {"a": None}}), [("port.a", ABSENT, "null")]),
        (Answer(200, {"ports": [{"a": 1}]}), Answer(200, {"ports": [{"a": 2}]}), [("ports.a", "1", "2")]),
        (Answer(200, {"ports": []}), Answer(200, {"ports": [{"a": 2}]}), [("ports", "[]", '[{"a": 2}]')]),
        (error(400, "A", "m"), error(400, "B", "m"), [("type", "A", "B")]),
        (error(400, "A", "m"), error(400, "A", "n"), [("message", "m", "n")]),
        (error(400, "A", "m"), Answer(201, {}), [("status", "400 A: m", "201")]),
    ],
)
def test_differences(ours: Answer, theirs: Answer, found: list[Any]) -> None:
    assert list(differences(ours, theirs)) == found


def test_a_known_difference_covers_what_it_names_only() -> None:
    known = Known("s", request="POST", what="type", ours="A", theirs="B")
    assert known.covers(Difference("POST ports", "type", "A", "B"))
    for other in (("PUT ports", "type", "A", "B"), ("POST", "status", "A", "B"), ("POST", "type", "C", "B")):
        assert not known.covers(Difference(*other))
    assert not known.covers(Difference("POST", "type", "A", "C"))


def test_each_difference_on_purpose_is_explained() -> None:
    assert known_differences(KNOWN.read_text(), DOCUMENT.read_text())
    with pytest.raises(ValueError, match="no row for \\['nowhere'\\]"):
        known_differences('[[difference]]\nsubject = "nowhere"\n', DOCUMENT.read_text())
