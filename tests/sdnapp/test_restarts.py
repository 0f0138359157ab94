"""Receipts of restarts: kept for a while, told newest first, and silent about chassis that are gone."""

from datetime import UTC, datetime, timedelta

import pytest

from sdnapp.openflow.receipt import Receipt
from sdnapp.restarts import EVERYTHING, KEPT, NOTHING, POSSIBLY, RETURN, START, Restarts
from topology.store import Store
from topology.values import Chassis

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RIGHT = Receipt(100, 0, (), 0, 0, 0, 0)


@pytest.fixture
def store() -> Store:
    store = Store()
    with store.transaction() as tx:
        tx.put(Chassis("a", hostname="hv1"))
        tx.put(Chassis("b"))
    return store


def test_what_was_dark_is_told_from_what_was_lacking(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    restarts = Restarts(store)
    for seconds, receipt in enumerate(
        (Receipt(0, 7, ("port/p1",), 7, 0, 0, 0), RIGHT, Receipt(9, 2, ("port/p2",), 0, 1, 3, 1))
    ):
        restarts.reconciled("a", receipt, 0.25, NOON + timedelta(seconds=seconds))
    rows = restarts.told()
    assert [(row["dark"], row["occasion"]) for row in rows] == [
        (POSSIBLY, RETURN), (NOTHING, RETURN), (EVERYTHING, START)
    ]  # fmt: skip
    assert rows[0]["at"] == "2026-01-01T12:00:02.000+00:00"
    assert (rows[0]["hostname"], rows[0]["milliseconds"], rows[0]["owners"]) == ("hv1", 250, ["port/p2"])
    assert (
        "chassis a (start): 0 flows read, 7 added, 0 changed, 0 removed, 0 refused in 250 ms; dark: everything, "
        in (caplog.messages[0])
    )
    assert caplog.messages[1].endswith("dark: nothing")


def test_metrics_are_of_the_newest(store: Store) -> None:
    restarts = Restarts(store)
    restarts.reconciled("a", Receipt(0, 7, ("port/p1",), 7, 0, 0, 0), 2.0, NOON)
    restarts.reconciled("a", RIGHT, 0.5, NOON)
    restarts.reconciled("b", RIGHT, 0.5, NOON)
    lines = restarts.metrics()
    assert 'sdnapp_reconciliations_total{chassis="a"} 2' in lines
    assert 'sdnapp_reconciliation_seconds{chassis="a"} 0.5' in lines
    assert 'sdnapp_reconciliation_flows{chassis="a",flows="read"} 100' in lines
    assert 'sdnapp_reconciliation_flows{chassis="b",flows="lacking"} 0' in lines


def test_the_last_few_are_kept_and_none_of_chassis_that_are_gone(store: Store) -> None:
    restarts = Restarts(store)
    for number in range(KEPT + 5):
        restarts.reconciled("a", RIGHT, number, NOON + timedelta(seconds=number))
    restarts.reconciled("b", RIGHT, 1, NOON)
    assert [row["milliseconds"] for row in restarts.told()][:2] == [(KEPT + 4) * 1000, (KEPT + 3) * 1000]
    assert len(restarts.told()) == KEPT + 1
    with store.transaction() as tx:
        tx.delete(Chassis, "a")
    assert [row["chassis"] for row in restarts.told()] == ["b"]
