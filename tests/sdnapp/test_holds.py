"""How long jobs hold the event loop is measured, and whose job it was is said."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

import greenlet
import pytest
from webob import Request

from sdnapp.api.wsgi import make_app
from sdnapp.holds import LONG, Hold, Holds
from tests.sdnapp import holding
from tests.sdnapp.api.stand_ins import StandInServices
from tests.sdnapp.holding import compute
from topology.store import Store


@pytest.fixture
def holds() -> Iterator[Holds]:
    holds = Holds()
    holds.watch(greenlet.getcurrent())
    yield holds
    greenlet.settrace(None)


def run(seconds: float, spend: Callable[[float], None] = compute) -> None:
    """Switch to a green thread that holds the loop before it gives others their turn, and let it end."""
    main = greenlet.getcurrent()
    green = greenlet.greenlet(holding.hold)
    green.switch(seconds, main.switch, spend)
    green.switch()


def test_the_longest_is_kept_with_its_job(holds: Holds) -> None:
    run(0.002)
    run(LONG * 1.5)
    run(0.003)
    longest = holds.by_clock.ever
    assert LONG * 1.5 <= longest.processor <= longest.seconds + 0.001
    assert longest.seconds < 1
    assert longest.job == "tests.sdnapp.holding.hold"
    assert holds.by_processor.ever == holds.by_clock.lately() == holds.by_processor.lately() == longest
    for by in "clock", "processor":
        labels = f'{{by="{by}",since="start",job="{longest.job}"}}'
        assert f"sdnapp_loop_longest_hold_seconds{labels} {longest.seconds:.6f}" in holds.metrics()
        assert f"sdnapp_loop_longest_hold_processor_seconds{labels} {longest.processor:.6f}" in holds.metrics()
        assert f'sdnapp_loop_long_holds_total{{by="{by}"}} 1' in holds.metrics()


def test_those_of_the_last_minute_are_told_that_were_longer_than_all_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    holds = Holds()
    for at, seconds in ((10.0, 0.05), (30.0, 0.002), (40.0, 0.012), (50.0, 0.004), (60.0, 0.008), (70.5, 0.003)):
        holds.by_clock.note(Hold(at, seconds, seconds / 4, f"job at {at:g}"))
    holds.by_processor.note(Hold(70.5, 0.003, 0.00075, "job at 70.5"))
    monkeypatch.setattr("sdnapp.holds.time.monotonic", lambda: 71.0)
    last = {"seconds_ago": 0.5, "milliseconds": 3.0, "processor_milliseconds": 0.75, "job": "job at 70.5"}
    assert holds.report() == [
        {"by": "clock", "seconds_ago": 31.0, "milliseconds": 12.0, "processor_milliseconds": 3.0, "job": "job at 40"},
        {"by": "clock", "seconds_ago": 11.0, "milliseconds": 8.0, "processor_milliseconds": 2.0, "job": "job at 60"},
        {"by": "clock", **last},
        {"by": "processor", **last},
    ]


def test_what_a_job_did_not_compute_is_told_apart(holds: Holds) -> None:
    run(LONG / 4)
    run(LONG * 3, time.sleep)
    assert holds.by_clock.ever.seconds >= LONG * 3 and holds.by_clock.ever.processor < LONG / 4
    assert holds.by_clock.long == 1 and holds.by_processor.long == 0
    assert LONG / 4 <= holds.by_processor.ever.processor < LONG
    assert holds.by_processor.lately() == holds.by_processor.ever != holds.by_clock.lately()


def test_waiting_is_no_hold(holds: Holds) -> None:
    run(0.0)
    time.sleep(LONG * 2)
    run(0.0)
    assert holds.by_clock.ever.seconds < LONG and holds.by_clock.long == 0


def test_the_last_minute_forgets(holds: Holds, monkeypatch: pytest.MonkeyPatch) -> None:
    run(0.004)
    run(0.002)
    longest = holds.by_clock.ever
    now = time.monotonic()
    monkeypatch.setattr("sdnapp.holds.time.monotonic", lambda: now + 61)
    assert holds.by_clock.lately().seconds == 0.0 and holds.by_clock.ever == longest


def test_of_a_request_the_job_is_what_answers_it(holds: Holds) -> None:
    main = greenlet.getcurrent()

    class Services(StandInServices):
        def now(self) -> datetime:
            compute(0.02)
            main.switch()
            return super().now()

    app = make_app(Store(), Services())
    request = Request.blank("/v2.0/networks", method="POST", json={"network": {}})
    asking = greenlet.greenlet(request.get_response)
    asking.switch(app)
    while not asking.dead:
        asking.switch()
    assert holds.by_processor.ever.job == "sdnapp.api.controller.Controller.create"
