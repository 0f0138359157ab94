"""Which chassis answers ARP for a router's gateway while one hands over to another. Facts as in ``topology.facts``.

Each question is answered by exactly one, in every step, whichever is the last that is ever made:

- *Getting ready*: the former answers. The successor would answer what the former passes on, which is nothing yet.
- *Passing on*: the former passes on each question that it hears, by tunnel, and the successor answers those alone.
- *Taking over*: the successor answers what it hears itself, and heeds no more what the former goes on to pass on.

Each step is made when the one before has been confirmed by the chassis that it changes. The former alone decides about
each question until the successor takes over, in one bundle; that is not before all that it heard earlier than the
former's last own answer has long been worked off.

Where they have not both an ear at the network, the former cannot pass on: it falls silent first (*letting go*).

Whoever knows a router asks it again by unicast, which comes to the one chassis where the network has seen the router's
MAC address last. So these questions may be answered without the controller, too, by whichever chassis now carries the
packets: the first that is alive (``stand_ins``).
"""

from typing import NamedTuple

from topology.doors import gateway_chassis, watch_ports
from topology.facts import View
from topology.gateway import gateway
from topology.gateway_values import GETTING_READY, LETTING_GO, PASSING_ON, TAKING_OVER, GatewayBinding, Outage


class Pair(NamedTuple):
    """A gateway chassis and the one that it hands over to."""

    former: str
    successor: str


class Answering(NamedTuple):
    """Who ``answers`` what he hears; who passes on what he hears (``passing``); who answers that (``heeding``)."""

    answers: str | None = None
    passing: Pair | None = None
    heeding: Pair | None = None


class StandIn(NamedTuple):
    """A gateway chassis that answers what is sent to the router's own MAC address if nobody ``before`` it is alive.

    ``before`` are the ports by which it watches those, never none.
    """

    chassis_id: str
    before: tuple[int, ...]


def answering(view: View, router_id: str) -> Answering:
    """Return who answers ARP for a router's gateway."""
    row, able = view.get(GatewayBinding, f"router/{router_id}"), view.ask(gateway_chassis, router_id)
    if row is None or row.chassis_id not in able:
        return Answering()
    if row.former is None:
        return Answering(_unless_out(view, row.chassis_id))
    pair = Pair(row.former, row.chassis_id)
    if row.step == LETTING_GO or row.former not in able:
        return Answering()
    hears = {GETTING_READY: row.former, TAKING_OVER: row.chassis_id}.get(row.step, "")
    passes = row.step in (PASSING_ON, TAKING_OVER) and _unless_out(view, row.former) is not None
    return Answering(_unless_out(view, hears), pair if passes else None, pair if row.step != TAKING_OVER else None)


def stand_ins(view: View, router_id: str) -> tuple[StandIn, ...]:
    """Return the chassis that answer for a router's gateway in the place of others that fail, by what BFD says."""
    own, row = view.ask(gateway, router_id), view.get(GatewayBinding, f"router/{router_id}")
    able, found = view.ask(gateway_chassis, router_id), view.ask(answering, router_id)
    if own is None or row is None or row.chassis_id not in able:
        return ()
    pair = (row.chassis_id, row.former) if row.step == TAKING_OVER else (row.former, row.chassis_id)
    order = tuple(dict.fromkeys(each for each in (*pair, *able) if each in able))
    before = {each: order[:place] for place, each in enumerate(order)}
    if found.passing is not None:
        # Whoever passes questions on answers them himself if there is nobody to pass them on to.
        before[found.passing.former] = (found.passing.successor,)
    ports = {each: tuple(watch_ports(view, each, others, own).values()) for each, others in before.items()}
    return tuple(StandIn(each, ports[each]) for each in order if ports[each] and all(ports[each]))


def _unless_out(view: View, chassis_id: str) -> str | None:
    """Return a chassis unless it is silenced."""
    return chassis_id if chassis_id and view.get(Outage, chassis_id) is None else None
