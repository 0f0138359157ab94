"""Which chassis serve the gateways of routers, and with which source ports the others translate."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from topology.doors import active_gateway, gateway_chassis, translators
from topology.facts import View
from topology.gateway import Gateway, gateway
from topology.gateway_values import Alone, Fence, GatewayBinding, NoUpstream, Outage, Translation
from topology.port_blocks import PORTS, blocks_left, left
from topology.store import Store
from topology.translation import Place, taken_of
from topology.values import Chassis, FloatingIP, Network, Router

ACTIVE, STANDBY, OUT, NO_UPSTREAM = "active", "standby", "out", "no upstream"
HANDING_OVER, ALONE = "handing over", "alone"


Bfd = Mapping[str, Mapping[str, str]]
"""By chassis, the states of its BFD sessions by the other end's tunnel address, as its database has told."""
NOT_HEARD: Bfd = MappingProxyType({})


def told(
    store: Store,
    view: View,
    is_short: Callable[[Place], bool] = lambda place: False,
    bfd: Bfd = NOT_HEARD,
    block_size: int = PORTS,
    *,
    awaited: Callable[[str], list[str]] = lambda chassis_id: [],
) -> list[dict[str, Any]]:
    """Return a row for each router with a gateway, by name: its chassis, the preferred one first, and its blocks.

    ``is_short`` says whether a chassis finds too few source ports for a router; ``block_size`` is that of first blocks;
    ``awaited`` which witnesses must withdraw before another takes the place of a chassis that cannot be reached.
    """
    rows = []
    for router in store.all(Router):
        own = view.ask(gateway, router.id)
        if own is not None:
            chassis = [
                _served(store, view, own, bfd, each) | {"awaited": awaited(each)}
                for each in view.ask(gateway_chassis, router.id)
            ]
            ports = _source_ports(store, view, own, is_short, block_size)
            rows.append(_row(store, router, own) | ports | {"chassis": chassis})
    return sorted(rows, key=lambda row: (row["router_name"], row["router_id"]))


def hear_one_another(store: Store, bfd: Bfd, one: str, other: str) -> bool:
    """Return whether all that databases tell of the BFD sessions between two chassis is that they are up."""
    ends = {each: row.encap_ip for each in (one, other) if (row := store.get(Chassis, each)) is not None}
    pairs = ((one, other), (other, one))
    states = [bfd[watcher].get(ends.get(watched) or "") for watcher, watched in pairs if watcher in bfd]
    return bool(states) and all(state == "up" for state in states)


def _row(store: Store, router: Router, own: Gateway) -> dict[str, Any]:
    network = store.get(Network, own.network.id)
    return {
        "router_id": router.id,
        "router_name": router.name,
        "project_id": router.project_id,
        "network_id": own.network.id,
        "network_name": network.name if network is not None else "",
        "addresses": list(own.addresses),
        "enable_snat": own.snat,
        "since": _since(store, router.id),
        "floating_ips": len(store.find_ids(FloatingIP, "router", router.id)),
    }


def _source_ports(
    store: Store, view: View, own: Gateway, is_short: Callable[[Place], bool], block_size: int
) -> dict[str, Any]:
    router_id = own.router_id
    taken = sorted(store.find(Translation, "owner", router_id), key=lambda row: row.first_port)
    spans = [taken_of(taken, address) for address in own.addresses] if own.snat else []
    needing = set(view.ask(translators, router_id)) if own.snat else set()
    return {
        "blocks": [
            {
                "chassis": row.chassis_id,
                "address": block.address,
                "first_port": block.first_port,
                "last_port": block.last_port,
                "in_use": row.chassis_id in needing,
                "deleted": store.get(Chassis, row.chassis_id) is None,
            }
            for row in taken
            for block in row.blocks
        ],
        "blocks_left": sum(blocks_left(block_size, each) for each in spans),
        "ports_left": sum(map(left, spans)),
        "short": sorted(row.chassis_id for row in taken if row.ports and is_short((router_id, row.chassis_id))),
        "without_block": sorted(needing - {row.chassis_id for row in taken if row.ports}),
    }


def _served(store: Store, view: View, own: Gateway, bfd: Bfd, chassis_id: str) -> dict[str, Any]:
    row = store.get(Chassis, chassis_id)
    states = {watcher: each.get((row and row.encap_ip) or "") for watcher, each in sorted(bfd.items())}
    fence = store.get(Fence, chassis_id)
    return {
        "id": chassis_id,
        "state": _state(store, view, own, chassis_id),
        "witnesses": list(fence.witnesses) if fence is not None else [],
        "bfd": {watcher: state for watcher, state in states.items() if state is not None},
    }


def _state(store: Store, view: View, own: Gateway, chassis_id: str) -> str:
    if chassis_id == view.ask(active_gateway, own.router_id):
        return ACTIVE
    if store.get(Outage, chassis_id) is not None:
        return OUT
    if store.get(NoUpstream, f"{own.network.id}/{chassis_id}") is not None:
        return NO_UPSTREAM
    if store.get(Alone, chassis_id) is not None:
        return ALONE
    row = _binding(store, own.router_id)
    return HANDING_OVER if row is not None and row.former == chassis_id else STANDBY


def _since(store: Store, router_id: str) -> str | None:
    row = _binding(store, router_id)
    return row.since if row is not None else None


def _binding(store: Store, router_id: str) -> GatewayBinding | None:
    return store.get(GatewayBinding, f"router/{router_id}")
