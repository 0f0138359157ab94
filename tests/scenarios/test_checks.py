"""A scenario passes only by claims that held."""

from checks import Checks, table


def test_no_claims_are_not_good_claims() -> None:
    assert not Checks().hold


def test_one_claim_that_does_not_hold_is_enough() -> None:
    checks = Checks()
    assert checks.check("answers", 3, 3)
    assert checks.hold
    assert not checks.check("answers", 3, 2)
    assert not checks.check("some answers", "some", 0, ok=False)
    assert not checks.hold


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert table(("name", "n"), [("red", "10"), ("bluish", "7")]) == "name    n\n------  --\nred     10\nbluish  7"
