"""Source ports beyond the first: what finds none where it was tried is tried with the chassis's next ones.

Of the newest block, half is a reserve: that it is used at all tells that the chassis needs more, in time. The switch's
own counters of these flows tell it to the controller (``sdnapp/source_ports.py``), so that no packet has to. A packet
is tried three times at most, as Open vSwitch lets it begin anew six times in all.
"""

from flows.actions import Action, SetField, Translate
from flows.drops import drop
from flows.fields import ETH_TYPE_IPV4, parse_ipv4
from flows.flow import Flow, flow
from flows.pipeline import EXTERNAL_SOURCE
from flows.units import Published, Unit, on_chassis
from topology.doors import translation, translators
from topology.facts import View
from topology.gateway import Gateway, gateway
from topology.gateway_values import Translation
from topology.values import Router

FEATURE = "source_ports"
MOST_ATTEMPTS = 3
"""What the last of them has in the register ``attempt``."""
Range = tuple[int, int, int]
"""An address, and the first and last port, inclusive."""


def ranges_of(own: Gateway, taken: Translation) -> tuple[Range, ...]:
    """Return what new connections of a chassis are tried with, in order; the last one has the reserve in it."""
    blocks = [block for block in taken.blocks if block.address in own.addresses]
    if not own.snat or not blocks:
        return ()
    whole = [(parse_ipv4(block.address), block.first_port, block.last_port) for block in blocks]
    address, first, _ = whole[-1]
    half = blocks[-1].ports // 2
    return (*whole[:-1], *([(address, first, first + half - 1)] if half else []), whole[-1])


def by_chassis(view: View, router_id: str, chassis_id: str) -> Published:
    """What a chassis has not translated for a router so far: a new connection for which no port was left."""
    for each in further(view, router_id, chassis_id):
        yield on_chassis(chassis_id), each


def further(view: View, router_id: str, chassis_id: str) -> tuple[Flow, ...]:
    """Return these flows: for each further range, and last for what found no port at all."""
    own, taken = view.ask(gateway, router_id), view.ask(translation, router_id, chassis_id)
    ranges = ranges_of(own, taken) if own is not None and taken is not None else ()
    if own is None or not ranges:
        return ()
    owner = f"router/{router_id}"
    found = []
    for attempt in range(1, len(ranges) + 1):
        tried: dict[str, int | str] = {"network": own.network.key, "interface": own.key, "attempt": attempt}
        tried["eth_type"] = ETH_TYPE_IPV4
        if attempt < len(ranges):
            again: tuple[Action, ...] = (
                SetField("attempt", attempt + 1),
                Translate("zone", "external_source", source=ranges[attempt]),
            )
        else:
            again = drop("no_source_port")
        found.append(flow(EXTERNAL_SOURCE, "retry", FEATURE, owner, *again, ct_state="+trk+new", **tried))
    return tuple(found)


UNITS = (Unit(by_chassis, over=Router, each=translators),)
