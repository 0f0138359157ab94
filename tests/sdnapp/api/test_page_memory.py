"""Pages of a long list need memory for a page, however long the list is."""

import tracemalloc

import pytest
from webob import Request

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import ADMIN, RED, Api

PAGE = 50
SHORT, LONG = 1_000, 10_000
SPARE = 100_000
"""Bytes that are no sign of anything: a reference to each port, as what is sorted is of one moment. An id for each port
would be ten times as much."""


def filled(count: int) -> Api:
    api = Api(Settings(quotas={}))
    network = api.network(RED)
    api.subnet(network, "10.0.0.0/16", RED)
    request = Request.blank("/v2.0/ports", method="POST", headers=RED)
    request.json = {"ports": [{"network_id": network, "name": f"p{number % 7}"} for number in range(count)]}
    assert request.get_response(api.app).status_int == 201
    return api


@pytest.fixture(scope="module")
def lists() -> tuple[Api, Api]:
    return filled(SHORT), filled(LONG)


@pytest.mark.parametrize("who", [ADMIN, RED])
@pytest.mark.parametrize("query", ["", "sort_key=name&sort_dir=desc", "name=p3", "status=DOWN"])
def test_a_page_of_a_long_list_needs_no_more_memory(lists: tuple[Api, Api], who: dict[str, str], query: str) -> None:
    short, long = (peak(api, who, query) for api in lists)
    assert long <= short + SPARE


def peak(api: Api, who: dict[str, str], query: str) -> int:
    """Return the most bytes that the second page of a list took at any moment."""

    def page(after: str) -> str:
        answer = Request.blank(f"/v2.0/ports?limit={PAGE}&{query}{after}", headers=who).get_response(api.app)
        rows = answer.json["ports"]
        assert len(rows) == PAGE
        return str(rows[-1]["id"])

    marker = page("")
    page(f"&marker={marker}")
    tracemalloc.start()
    try:
        page(f"&marker={marker}")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
