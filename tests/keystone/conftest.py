"""Leaves these tests out unless they are asked for: ``./run keystone``. They share one cloud."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.keystone.cloud import Cloud


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if config.getoption("--keystone") else True


@pytest.fixture(scope="session")
def cloud() -> "Iterator[Cloud]":
    # Other tests need not wait for clients that they do not use.
    from tests.keystone.cloud import running_cloud

    with running_cloud() as running:
        print(f"\nKeystone {running.keystone.version}")
        yield running
