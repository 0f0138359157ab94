"""What ``sdnapp gateways`` says, and when a gateway chassis is watched so well that its end is noticed at once."""

import json
import time
from typing import Any

from cloud import Cloud
from controller import sdnapp
from hypervisor import Hypervisor

SLOW = 1.0
"""Seconds between the hellos with which a BFD session begins, less up to a quarter (RFC 5880, section 6.8.3)."""


def rows(cloud: Cloud) -> list[dict[str, Any]]:
    """One for each router that has a gateway."""
    assert cloud.controller is not None
    told: list[dict[str, Any]] = json.loads(sdnapp(cloud.controller, "gateways", "--json"))["gateways"]
    return told


def chassis(cloud: Cloud) -> list[dict[str, Any]]:
    """The chassis that can serve the only router that there is."""
    (row,) = rows(cloud)
    found: list[dict[str, Any]] = row["chassis"]
    return found


def states(cloud: Cloud) -> dict[str, str]:
    """Their states, by id."""
    return {each["id"]: each["state"] for each in chassis(cloud)}


def active(cloud: Cloud) -> str:
    """The one that serves the router."""
    (found,) = (name for name, state in states(cloud).items() if state == "active")
    return found


def until_witnessed(cloud: Cloud, timeout: float = 30) -> None:
    """Wait until all of them have witnesses, by which they fall silent when they hear nobody. Raises AssertionError."""
    deadline = time.monotonic() + timeout
    while not all(each["witnesses"] for each in chassis(cloud)):
        if time.monotonic() > deadline:
            raise AssertionError(f"there are gateway chassis without witnesses: {chassis(cloud)}")
        time.sleep(0.1)
    cloud.api.wait_until_realized()


def until_watched(watcher: Hypervisor, gateways: int) -> None:
    """Wait until a hypervisor hears so many gateway chassis by BFD, as often as it wants to, and looks whether it does.

    Open vSwitch looks when its own next hello is due, and when the hellos that it had heard when it sent the last one
    would be missed. Both are as of then, when hellos may have been slow. Raises AssertionError.
    """
    for _ in range(200):
        if sum(watcher.hears_by_bfd()) == gateways:
            time.sleep(1.2 * SLOW)
            return
        time.sleep(0.1)
    raise AssertionError(f"{watcher.name} does not hear {gateways} gateways as often as it wants to")
