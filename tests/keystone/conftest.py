"""Leaves these tests out unless they are asked for: ``./run keystone``. They share one cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keystone.cloud import Cloud, running_cloud


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if config.getoption("--keystone") else True


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        print(f"\nKeystone {running.keystone.version}")
        yield running
