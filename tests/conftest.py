"""Leaves out the tests that cannot run here, and says why: those marked ``root`` and those marked ``ovs``."""

import importlib.util
import os
import shutil
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from topology.store import Store

# Modules that tests share explain their failed assertions as tests do.
pytest.register_assert_rewrite(
    "tests.address_stories",
    "tests.clouds",
    "tests.gateway_stories",
    "tests.packet_size_stories",
    "tests.packet_stories",
    "tests.provider_stories",
    "tests.router_stories",
    "tests.real_ovs.real_cloud",
)

# A busy machine is slow now and then. What has to be fast says so in a test of its own.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--openapi-examples", type=int, default=3, help="how often each operation of the API is fuzzed")
    parser.addoption("--keystone", action="store_true", help="tests/keystone, too, which install Keystone")
    parser.addoption("--traced-clouds", type=int, default=2, help="how many random clouds Open vSwitch traces")


def why_no_root_tests() -> str | None:
    if os.geteuid() != 0:
        return "needs root: sudo ./run test"
    if importlib.util.find_spec("mininet") is None or importlib.util.find_spec("mininet.node") is None:
        return "needs Mininet: sudo ./run setup"
    return why_no_ovs_tests()


def why_no_ovs_tests() -> str | None:
    return None if shutil.which("ovs-vswitchd") else "needs Open vSwitch: sudo ./run setup"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for marker, reason in (("root", why_no_root_tests()), ("ovs", why_no_ovs_tests())):
        if reason is not None:
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many rows of each kind all stores, and drafts over them, have handed out."""
    counted: Counter[str] = Counter()
    get, find, every = Store.get, Store.find, Store.all

    def getting(store: Store, kind: Any, row_id: str) -> Any:
        counted[kind.__name__] += 1
        return get(store, kind, row_id)

    def finding(store: Store, kind: Any, index: str, key: Any) -> Any:
        found = find(store, kind, index, key)
        counted[kind.__name__] += len(found)
        return found

    def listing(store: Store, kind: Any) -> Any:
        found = every(store, kind)
        counted[kind.__name__] += len(found)
        return found

    for name, method in (("get", getting), ("find", finding), ("all", listing)):
        monkeypatch.setattr(Store, name, method)
    return counted
