"""What ``sdnapp gateways`` says."""

import json
from typing import Any

from cloud import Cloud
from controller import sdnapp


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
