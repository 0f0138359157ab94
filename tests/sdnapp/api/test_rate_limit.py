"""A project that asks too often waits; nobody else does."""

from dataclasses import dataclass

import pytest
from webob import Request, Response

from sdnapp.api.services import Settings
from sdnapp.api.token_buckets import BURST_SECONDS, TokenBuckets
from sdnapp.api.wsgi import make_app
from tests.sdnapp.api.stand_ins import ADMIN, BLUE, RED, StandInServices
from topology.store import Store

RATE = 2
BURST = RATE * BURST_SECONDS


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Door:
    """The API behind a limit."""

    def __init__(self, rate: int = RATE) -> None:
        self.clock = Clock()
        self._app = make_app(Store(), StandInServices(Settings(rate_limit=rate)), clock=self.clock)

    def ask(self, who: dict[str, str], path: str = "/v2.0/networks") -> Response:
        return Request.blank(path, headers=who).get_response(self._app)

    def use_up(self, who: dict[str, str]) -> None:
        assert {self.ask(who).status_int for _ in range(BURST)} == {200}


def test_who_asks_too_often_is_told_how_long_to_wait() -> None:
    door = Door()
    door.use_up(RED)
    answer = door.ask(RED)
    assert (answer.status_int, answer.headers["Retry-After"]) == (429, "1")
    error = answer.json["NeutronError"]
    assert error["type"] == "HTTPTooManyRequests"
    assert "more than 2 requests a second: try again in 1 s" in error["message"]
    door.clock.now += 0.5
    assert [door.ask(RED).status_int for _ in range(2)] == [200, 429]
    door.clock.now += 3600
    door.use_up(RED)
    assert door.ask(RED).status_int == 429


def test_others_do_not_wait() -> None:
    door = Door()
    door.use_up(RED)
    assert door.ask(RED).status_int == 429
    assert door.ask(BLUE).status_int == 200
    assert {door.ask(ADMIN).status_int for _ in range(BURST + 1)} == {200}
    assert {door.ask(ADMIN, "/healthz").status_int for _ in range(BURST)} == {200}


def test_refused_requests_change_nothing_and_cost_nothing_later() -> None:
    door = Door()
    door.use_up(RED)
    assert {door.ask(RED).status_int for _ in range(100)} == {429}
    door.clock.now += 1
    assert [door.ask(RED).status_int for _ in range(RATE + 1)] == [200] * RATE + [429]


def test_without_a_limit() -> None:
    door = Door(rate=0)
    assert {door.ask(RED).status_int for _ in range(BURST + 1)} == {200}


@pytest.mark.parametrize("names", [5_000])
def test_made_up_names_take_no_memory_for_long(names: int) -> None:
    clock = Clock()
    buckets = TokenBuckets(1, clock)
    for number in range(names):
        clock.now += 0.1
        assert buckets.take(f"name{number}") == 0
    assert len(buckets._buckets) <= 1024
