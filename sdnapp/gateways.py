"""Which chassis serve the gateways of routers, and with which source ports the others translate."""

from collections.abc import Callable
from typing import Any

from topology.doors import active_gateway, gateway_chassis, translators
from topology.facts import View
from topology.gateway import Gateway, gateway
from topology.port_blocks import PORTS, left
from topology.store import Store
from topology.translation import Place, taken_of
from topology.values import FloatingIP, Network, NoUpstream, Outage, Router, Translation

ACTIVE, STANDBY, OUT, NO_UPSTREAM = "active", "standby", "out", "no upstream"


def told(store: Store, view: View, is_short: Callable[[Place], bool] = lambda place: False) -> list[dict[str, Any]]:
    """Return a row for each router with a gateway, by name: its chassis, the preferred one first, and its blocks.

    ``is_short`` says whether a chassis finds too few source ports for a router.
    """
    rows = []
    for router in store.all(Router):
        own = view.ask(gateway, router.id)
        if own is not None:
            rows.append(_row(store, view, router, own, is_short))
    return sorted(rows, key=lambda row: (row["router_name"], row["router_id"]))


def _row(store: Store, view: View, router: Router, own: Gateway, is_short: Callable[[Place], bool]) -> dict[str, Any]:
    network = store.get(Network, own.network.id)
    active = view.ask(active_gateway, router.id)

    def state(chassis_id: str) -> str:
        if chassis_id == active:
            return ACTIVE
        if store.get(Outage, chassis_id) is not None:
            return OUT
        return NO_UPSTREAM if store.get(NoUpstream, f"{own.network.id}/{chassis_id}") is not None else STANDBY

    taken = sorted(store.find(Translation, "owner", router.id), key=lambda row: row.first_port)
    needing = set(view.ask(translators, router.id)) if own.snat else set()
    return {
        "router_id": router.id,
        "router_name": router.name,
        "project_id": router.project_id,
        "network_id": own.network.id,
        "network_name": network.name if network is not None else "",
        "addresses": list(own.addresses),
        "enable_snat": own.snat,
        "chassis": [{"id": each, "state": state(each)} for each in view.ask(gateway_chassis, router.id)],
        "blocks": [
            {
                "chassis": row.chassis_id,
                "address": block.address,
                "first_port": block.first_port,
                "last_port": block.last_port,
                "in_use": row.chassis_id in needing,
            }
            for row in taken
            for block in row.blocks
        ],
        "blocks_left": sum(left(taken_of(taken, address)) // PORTS for address in own.addresses) if own.snat else 0,
        "short": sorted(row.chassis_id for row in taken if row.ports and is_short((router.id, row.chassis_id))),
        "without_block": sorted(needing - {row.chassis_id for row in taken if row.ports}),
        "floating_ips": len(store.find_ids(FloatingIP, "router", router.id)),
    }
