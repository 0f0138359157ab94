"""What is known of an Open vSwitch by its version."""

import pytest

from sdnapp.ovsdb.versions import alters_the_right_flow, version_of


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3.1.0", (3, 1, 0)), ("2.17.12", (2, 17, 12)), ("3.6.90-dev", (3, 6)), ("", ()), ("unknown", ()), (None, ())],
)
def test_the_numbers_of_a_version(text: str | None, numbers: tuple[int, ...]) -> None:
    assert version_of(text) == numbers


@pytest.mark.parametrize("mended", ["2.17.8", "2.17.12", "3.0.5", "3.1.3", "3.1.7", "3.2.0", "3.3.0", "3.10.1", "4.0"])
def test_these_alter_the_cached_flow_that_they_are_told_to(mended: str) -> None:
    assert alters_the_right_flow(version_of(mended))


@pytest.mark.parametrize("faulty", ["2.9.8", "2.16.7", "2.17.7", "3.0.4", "3.1.0", "3.1.2", "3.1", "3", None])
def test_these_may_alter_another(faulty: str | None) -> None:
    assert not alters_the_right_flow(version_of(faulty))
