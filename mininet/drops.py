"""What is dropped for an instance, as ``sdnapp drops`` tells it."""

import json
import time

from cloud import Cloud
from controller import sdnapp
from stations import Instance

PATIENCE = 10.0
"""Seconds after which a switch has told its counts: they reach its flows a little later than the packets do."""


def dropped(cloud: Cloud, instance: Instance) -> dict[str, int]:
    """What was dropped for an instance's port so far, by reason."""
    assert cloud.controller is not None
    told = json.loads(sdnapp(cloud.controller, "drops", "--json", "--port", instance.port["id"]))
    return {row["reason"]: row["packets"] for row in told["drops"]}


def dropped_since(cloud: Cloud, instance: Instance, before: dict[str, int], expected: dict[str, int]) -> dict[str, int]:
    """What was dropped for it after ``before``, for the expected reasons; waits a while for what is expected."""
    deadline = time.monotonic() + PATIENCE
    while (seen := _since(before, dropped(cloud, instance), expected)) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    return seen


def _since(before: dict[str, int], now: dict[str, int], reasons: dict[str, int]) -> dict[str, int]:
    return {reason: now.get(reason, 0) - before.get(reason, 0) for reason in reasons}
