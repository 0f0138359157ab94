"""Which gateway chassis stands for a router on a physical network: chosen, stored, and handed over.

Everybody sends by a new one at once, as any gateway chassis can carry any packet. But only one may answer ARP: the new
one does not before its predecessor has let go, which is when it has confirmed that it answers no more, or when it
cannot be reached and is silenced (``Fence``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from topology.doors import gateway_chassis
from topology.facts import View
from topology.gateway import gateways_on, preferred
from topology.provider import interface_doors, provider_interfaces
from topology.store import Change, RowChange, Store
from topology.values import (
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    Chassis,
    GatewayBinding,
    Network,
    NoUpstream,
    Outage,
    Port,
    Router,
    Subnet,
)

CONCERNS = frozenset({Chassis, GatewayBinding, Network, NoUpstream, Outage, Router, Subnet})
HasLetGo = Callable[[GatewayBinding], bool]


def concern(changes: Iterable[Change]) -> bool:
    """Return whether after these changes others may have to stand for routers."""
    return any(row.kind in CONCERNS or (row.kind is Port and _is_routers(row)) for each in changes for row in each.rows)


def bind(store: Store, view: View, now: str, has_let_go: HasLetGo) -> None:
    """Write down who stands for what.

    ``view`` is up to date with the store, ``now`` is ISO 8601. ``has_let_go`` is asked of a binding with a ``former``,
    be it stored or about to be. Writes nothing when nothing differs.
    """
    present = {row.id: row for row in store.find(GatewayBinding, "every", True)}
    chosen = dict(_chosen(view, present))
    coming = [_next(present.get(owner), owner, chassis_id, now, has_let_go) for owner, chassis_id in chosen.items()]
    changed = [row for row in coming if row != present.get(row.id)]
    gone = present.keys() - chosen.keys()
    if changed or gone:
        with store.transaction() as tx:
            for row in changed:
                tx.put(row)
            for owner in gone:
                tx.delete(GatewayBinding, owner)


def _next(row: GatewayBinding | None, owner: str, chassis_id: str, now: str, has_let_go: HasLetGo) -> GatewayBinding:
    if row is None or row.former == chassis_id:
        # The one in between has never answered.
        return GatewayBinding(owner, chassis_id, now)
    if row.chassis_id != chassis_id:
        row = GatewayBinding(owner, chassis_id, now, row.former or row.chassis_id)
    return replace(row, former=None) if row.former is not None and has_let_go(row) else row


def _chosen(view: View, present: Mapping[str, GatewayBinding]) -> Iterator[tuple[str, str]]:
    def reached(chassis_id: str) -> bool:
        return view.get(Outage, chassis_id) is None

    for network_id in view.find_ids(Network, "transit", True):
        able = [(f"router/{each}", view.ask(gateway_chassis, each)) for each in view.ask(gateways_on, network_id)]
        able += [
            (f"port/{each}", view.ask(interface_doors, each)) for each in view.ask(provider_interfaces, network_id)
        ]
        for owner, chassis_ids in able:
            row = present.get(owner)
            if row is not None and row.chassis_id in chassis_ids and not any(map(reached, chassis_ids)):
                # It may well carry on by itself, and nobody can tell it to stop.
                yield owner, row.chassis_id
            elif (first := preferred(view, chassis_ids, network_id)) is not None:
                yield owner, first


def _is_routers(row: RowChange) -> bool:
    ports = (port for port in (row.before, row.after) if port is not None)
    return any(port.device_owner in (ROUTER_GATEWAY, ROUTER_INTERFACE) for port in ports)
