"""How much an instance's port may ask of the controller: one meter for all flows of the port that lead there.

The switch drops what is above it, so that a flood costs its own chassis alone. A DHCP client sends two requests when it
starts, and repeats one after seconds (RFC 2131, section 4.1): nobody honest comes near the budget.

What is heard on a physical network has budgets apart from that, lest somebody there keeps a router's packets from the
controller; and what known neighbours confirm has another one, lest he drowns the truth in lies. What routers report to
outsiders has one more: whoever scans a router's address keeps it from nothing else.
"""

from flows.actions import Controller, Meter
from topology.allocation import PORT_KEY_BITS

PACKETS_A_SECOND = 10
BURST = 20
"""Packets that may come at once after a silence."""
SENT, HEARD, CONFIRMED, REPORTED = range(4)
"""What each port has a budget for: what is sent by it or for it, what anybody tells it, what known neighbours do, and
what it reports to those outside."""


def to_controller(port_key: int, budget: int = SENT) -> tuple[Meter, Controller]:
    """Return the actions that send a packet to the controller on account of a port.

    The meter's number is the port's key, behind the budget's.
    """
    return Meter(budget << PORT_KEY_BITS | port_key, PACKETS_A_SECOND, BURST), Controller()
