"""Availability zones. There is one: every chassis serves every network and router, so none is tied to some of them."""

from collections.abc import Iterable

from neutron_lib.exceptions.availability_zone import AvailabilityZoneNotFound

ZONE = "nova"
"""The name that clients know: Neutron's default."""
ZONES = (
    {"name": ZONE, "resource": "network", "state": "available"},
    {"name": ZONE, "resource": "router", "state": "available"},
)


def check_hints(hints: Iterable[str]) -> None:
    """Raise AvailabilityZoneNotFound for a zone that is not there."""
    for hint in hints:
        if hint != ZONE:
            raise AvailabilityZoneNotFound(availability_zone=hint)
