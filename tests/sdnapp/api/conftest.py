"""One API over an empty store for each test."""

import pytest

from tests.sdnapp.api.stand_ins import Api


@pytest.fixture
def api() -> Api:
    return Api()
