"""How much an instance's port may ask of the controller: one meter for all flows of the port that lead there.

The switch drops what is above it, so that a flood costs its own chassis alone. A DHCP client sends two requests when it
starts, and repeats one after seconds (RFC 2131, section 4.1): nobody honest comes near the budget.
"""

from flows.actions import Controller, Meter

PACKETS_A_SECOND = 10
BURST = 20
"""Packets that may come at once after a silence."""


def to_controller(port_key: int) -> tuple[Meter, Controller]:
    """Return the actions that send a packet to the controller on account of a port. The meter's number is its key."""
    return Meter(port_key, PACKETS_A_SECOND, BURST), Controller()
