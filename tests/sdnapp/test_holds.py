"""How long jobs hold the event loop is measured, and whose job it was is said."""

import time
from collections.abc import Iterator

import greenlet
import pytest

from sdnapp.holds import LONG, Holds
from tests.sdnapp import holding


@pytest.fixture
def holds() -> Iterator[Holds]:
    holds = Holds()
    holds.watch(greenlet.getcurrent())
    yield holds
    greenlet.settrace(None)


def run(seconds: float) -> None:
    """Switch to a green thread that holds the loop before it gives others their turn, and let it end."""
    main = greenlet.getcurrent()
    green = greenlet.greenlet(holding.hold)
    green.switch(seconds, main.switch)
    green.switch()


def test_the_longest_is_kept_with_its_job(holds: Holds) -> None:
    run(0.002)
    run(LONG * 1.5)
    run(0.003)
    assert LONG * 1.5 <= holds.longest.seconds < 1
    assert holds.longest.job == "tests.sdnapp.holding.hold"
    assert holds.long == 1
    assert holds.lately() == holds.longest
    assert f'sdnapp_loop_longest_hold_seconds{{since="start",job="{holds.longest.job}"}} ' in "\n".join(holds.metrics())
    assert "sdnapp_loop_long_holds_total 1" in holds.metrics()


def test_waiting_is_no_hold(holds: Holds) -> None:
    run(0.0)
    time.sleep(LONG * 2)
    run(0.0)
    assert holds.longest.seconds < LONG and holds.long == 0


def test_the_last_minute_forgets(holds: Holds, monkeypatch: pytest.MonkeyPatch) -> None:
    run(0.004)
    run(0.002)
    longest = holds.longest
    now = time.monotonic()
    monkeypatch.setattr("sdnapp.holds.time.monotonic", lambda: now + 61)
    assert holds.lately().seconds == 0.0 and holds.longest == longest
