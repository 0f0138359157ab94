"""Which gateway chassis stands for a router on a physical network: chosen, stored, and handed over.

Everybody sends by a new one at once, as any gateway chassis can carry any packet. But only one may answer ARP: that is
handed over in steps (``topology.handing_over``), each of which waits for what a switch confirms. Who cannot be reached
cannot confirm anything, but is silenced (``Fence``, ``topology.witnesses``): nobody else answers until that is certain.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from topology.doors import gateway_chassis
from topology.facts import View
from topology.gateway import gateway, is_well, preferred
from topology.gateway_values import (
    GETTING_READY,
    LETTING_GO,
    PASSING_ON,
    TAKING_OVER,
    GatewayBinding,
    Outage,
)
from topology.interfaces import interfaces, live_interface
from topology.provider import interface_doors
from topology.store import Store
from topology.values import Chassis, Network, Router

Says = Callable[[GatewayBinding], bool]
NEXT_STEP = {GETTING_READY: PASSING_ON, PASSING_ON: TAKING_OVER}


class Choice(NamedTuple):
    """Who can stand for an ``owner`` of a ``GatewayBinding``, and who should; None while none of them is reached.

    ``partners`` can pass on to one another what they are asked.
    """

    owner: str
    able: tuple[str, ...]
    first: str | None
    partners: frozenset[str]


def choices(view: View, router_id: str) -> tuple[Choice, ...]:
    """Return those for a router's gateway and its interfaces on physical networks (a fact)."""
    own = view.ask(gateway, router_id)
    found = [_choice(view, f"router/{router_id}", view.ask(gateway_chassis, router_id), own.network.id)] if own else []
    for port_id in view.ask(interfaces, router_id):
        interface, able = view.ask(live_interface, port_id), view.ask(interface_doors, port_id)
        network = view.get(Network, interface.network.id) if interface is not None else None
        if network is not None and network.transit is not None:
            found.append(_choice(view, f"port/{port_id}", able, network.id))
    return tuple(each for each in found if each.able)


def awaited(row: GatewayBinding) -> str:
    """Return the chassis that must have confirmed a step of a handover before the next one is made."""
    return row.former or "" if row.step in (PASSING_ON, LETTING_GO) else row.chassis_id


class Progress(NamedTuple):
    """What is known of handovers, by their bindings, be they stored or about to be.

    Whether a step is done, so that the next one may be made; whether the two cannot pass on what they are asked; and
    whether a chassis that cannot be reached is silent for certain.
    """

    is_done: Says
    are_parted: Says
    is_silent: Callable[[str], bool]


def bind(store: Store, view: View, router_ids: Iterable[str], now: str, progress: Progress) -> None:
    """Write down who stands for some routers, which need not be there.

    ``view`` is up to date with the store, ``now`` is ISO 8601. Writes nothing when nothing differs.
    """
    with store.transaction() as tx:
        for router_id in router_ids:
            present = {row.id: row for row in tx.find(GatewayBinding, "router", router_id)}
            chosen = view.ask(choices, router_id) if present or view.get(Router, router_id) is not None else ()
            for each in chosen:
                row = _next(view, present.get(each.owner), router_id, each, now=now, progress=progress)
                if row != present.get(each.owner):
                    tx.put(row)
            for owner in present.keys() - {each.owner for each in chosen}:
                tx.delete(GatewayBinding, owner)


def every_router(store: Store) -> set[str]:
    """Return all routers that have somebody stand for them, or may have: for a start."""
    return {*store.ids(Router), *(row.router_id for row in store.all(GatewayBinding))}


def _choice(view: View, owner: str, able: tuple[str, ...], network_id: str) -> Choice:
    reached = [chassis_id for chassis_id in able if view.get(Outage, chassis_id) is None]
    # A door of a provider network hears it only while it is one.
    hearing = reached if owner.startswith("router/") else []
    partners = (each for each in hearing if view.ask(is_well, each, network_id))
    return Choice(owner, able, preferred(view, able, network_id) if reached else None, frozenset(partners))


def _next(
    view: View, row: GatewayBinding | None, router_id: str, choice: Choice, *, now: str, progress: Progress
) -> GatewayBinding:
    if choice.first is None and row is not None and row.chassis_id in choice.able:
        # It may well carry on by itself, and nobody can tell it to stop.
        return row
    chassis_id = choice.first or choice.able[0]
    if row is not None and row.former and row.step == TAKING_OVER:
        # Until it has confirmed that, or is silent, nobody knows which of the two answers.
        if _is_lost(view, row.chassis_id):
            if not progress.is_silent(row.chassis_id):
                return row
        elif not progress.is_done(row):
            return row
        else:
            row = _alone(row)
    if row is None:
        return GatewayBinding(choice.owner, router_id, chassis_id, now)
    # Any other that was in between has never answered but what this one has passed on.
    holder = row.former or row.chassis_id
    if holder == chassis_id:
        return row if row.former is None else GatewayBinding(choice.owner, router_id, chassis_id, now)
    if row.former is None or row.chassis_id != chassis_id:
        row = GatewayBinding(choice.owner, router_id, chassis_id, now, holder, GETTING_READY)
    if not {holder, chassis_id} <= choice.partners or progress.are_parted(row):
        row = replace(row, step=LETTING_GO)
    if row.step == LETTING_GO:
        is_silent = progress.is_silent(holder) if _is_lost(view, holder) else progress.is_done(row)
        return _alone(row) if is_silent else row
    return replace(row, step=NEXT_STEP[row.step]) if progress.is_done(row) else row


def _alone(row: GatewayBinding) -> GatewayBinding:
    return GatewayBinding(row.id, row.router_id, row.chassis_id, row.since)


def _is_lost(view: View, chassis_id: str) -> bool:
    return view.get(Chassis, chassis_id) is None or view.get(Outage, chassis_id) is not None
