"""Which gateway chassis stands for a router on a physical network: chosen, stored, and handed over.

Everybody sends by a new one at once, as any gateway chassis can carry any packet. But only one may answer ARP: the new
one does not before its predecessor has let go, which is when it has confirmed that it answers no more, or when it
cannot be reached and is silenced (``Fence``).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from topology.doors import gateway_chassis
from topology.facts import View
from topology.gateway import gateway, preferred
from topology.gateway_values import GatewayBinding, Outage
from topology.interfaces import interfaces, live_interface
from topology.provider import interface_doors
from topology.store import Store
from topology.values import Network, Router

HasLetGo = Callable[[GatewayBinding], bool]


class Choice(NamedTuple):
    """Who can stand for an ``owner`` of a ``GatewayBinding``, and who should; None while none of them is reached."""

    owner: str
    able: tuple[str, ...]
    first: str | None


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


def bind(store: Store, view: View, router_ids: Iterable[str], now: str, has_let_go: HasLetGo) -> None:
    """Write down who stands for some routers, which need not be there.

    ``view`` is up to date with the store, ``now`` is ISO 8601. ``has_let_go`` is asked of a binding with a ``former``,
    be it stored or about to be. Writes nothing when nothing differs.
    """
    with store.transaction() as tx:
        for router_id in router_ids:
            present = {row.id: row for row in tx.find(GatewayBinding, "router", router_id)}
            chosen = view.ask(choices, router_id) if present or view.get(Router, router_id) is not None else ()
            for each in chosen:
                row = _next(present.get(each.owner), router_id, each, now, has_let_go)
                if row != present.get(each.owner):
                    tx.put(row)
            for owner in present.keys() - {each.owner for each in chosen}:
                tx.delete(GatewayBinding, owner)


def every_router(store: Store) -> set[str]:
    """Return all routers that have somebody stand for them, or may have: for a start."""
    return {*store.ids(Router), *(row.router_id for row in store.all(GatewayBinding))}


def _choice(view: View, owner: str, able: tuple[str, ...], network_id: str) -> Choice:
    is_reached = any(view.get(Outage, chassis_id) is None for chassis_id in able)
    return Choice(owner, able, preferred(view, able, network_id) if is_reached else None)


def _next(row: GatewayBinding | None, router_id: str, choice: Choice, now: str, has_let_go: HasLetGo) -> GatewayBinding:
    if choice.first is None and row is not None and row.chassis_id in choice.able:
        # It may well carry on by itself, and nobody can tell it to stop.
        return row
    chassis_id = choice.first or choice.able[0]
    if row is None or row.former == chassis_id:
        # The one in between has never answered.
        return GatewayBinding(choice.owner, router_id, chassis_id, now)
    if row.chassis_id != chassis_id:
        row = GatewayBinding(choice.owner, router_id, chassis_id, now, row.former or row.chassis_id)
    return replace(row, former=None) if row.former is not None and has_let_go(row) else row
