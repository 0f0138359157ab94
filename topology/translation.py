"""Zones and blocks of source ports, taken for the chassis that translate addresses, and given back.

Each chassis translates with ports of its own: a power of two of them, so that a gateway finds the chassis of a
returning packet by one masked match. A block stays its chassis's as long as the router has its address, also while
no instance there needs it: its connections may live.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from topology.allocation import ExhaustedError, claim_in_turn, release
from topology.doors import floating, translators
from topology.facts import View
from topology.gateway import gateway
from topology.placement import ZONES, zones_of
from topology.store import Change, Store, Transaction
from topology.values import Chassis, FloatingIP, Network, Port, PortBinding, PortForwarding, Router, Subnet, Translation

PORTS = 1024
"""Source ports of a block, where nobody says otherwise: as many connections that a chassis may have by one router to
one port of one host. A power of two."""
_RESERVED, _ALL = 1024, 1 << 16
CONCERNS = frozenset({Chassis, FloatingIP, Network, Port, PortBinding, PortForwarding, Router, Subnet})


class Need(NamedTuple):
    """What a chassis needs to translate for an owner; ``subject`` as of a ``Translation``."""

    owner: str
    chassis_id: str
    subject: str
    block_of: str | None = None
    """The router whose external address the block is of."""


def concern(changes: Iterable[Change]) -> bool:
    """Return whether changes may make other translations needed."""
    return any(row.kind in CONCERNS for change in changes for row in change.rows)


def allocate(store: Store, view: View, ports: int = PORTS) -> list[str]:
    """Take what is needed and give back what is not; return what could not be taken, in words.

    ``view`` is up to date with the store. ``ports`` is the size of new blocks. Writes nothing when nothing differs.
    """
    if not view.find_ids(Network, "transit", True) and not store.find_ids(Translation, "every", True):
        return []
    needs = {f"{need.owner}@{need.chassis_id}": need for need in _needs(view)}
    present = {row.id: row for row in store.find(Translation, "every", True)}
    stale = [row for row in present.values() if not _stands(view, needs.get(row.id), row)]
    missing = [need for row_id, need in needs.items() if row_id not in present or present[row_id] in stale]
    problems: list[str] = []
    if not stale and not missing:
        return problems
    with store.transaction() as tx:
        for row in stale:
            _give_back(tx, row)
        for need in missing:
            try:
                _take(tx, need, ports)
            except ExhaustedError as error:
                problems.append(f"chassis {need.chassis_id} cannot translate for {need.owner}: {error}")
    return problems


def _needs(view: View) -> Iterator[Need]:
    for router_id in view.find_ids(Router, "every", True):
        own = view.ask(gateway, router_id)
        if own is None or not own.addresses:
            continue
        for chassis_id in view.ask(translators, router_id):
            yield Need(router_id, chassis_id, own.addresses[0], router_id if own.snat else None)
    for floatingip_id in view.find_ids(FloatingIP, "every", True):
        live = view.ask(floating, floatingip_id)
        if live is not None:
            yield Need(floatingip_id, live.holder, f"{live.port_id} {live.fixed_ip}")


def _stands(view: View, need: Need | None, row: Translation) -> bool:
    """Return whether a translation is to stay. A router's stays where nobody needs it now: its connections may live."""
    if need is not None:
        return need.subject == row.subject and bool(row.ports) == (need.block_of is not None)
    own = view.ask(gateway, row.owner)
    return own is not None and row.subject in own.addresses and view.get(Chassis, row.chassis_id) is not None


def _take(tx: Transaction, need: Need, ports: int) -> None:
    row_id = f"{need.owner}@{need.chassis_id}"
    first = 0
    if need.block_of is not None:
        # The first block has the ports of well-known services. Blocks of another size may be there from before.
        numbers = ((max(1, _RESERVED // ports), _ALL // ports - 1),)
        first = ports * claim_in_turn(tx, _blocks(need.block_of, ports), numbers, row_id)
    zone = claim_in_turn(tx, zones_of(need.chassis_id), ZONES, row_id)
    tx.put(Translation(row_id, need.owner, need.chassis_id, zone, need.subject, first, ports if first else 0))


def _give_back(tx: Transaction, row: Translation) -> None:
    release(tx, zones_of(row.chassis_id), row.zone)
    if row.ports:
        release(tx, _blocks(row.owner, row.ports), row.first_port // row.ports)
    tx.delete(Translation, row.id)


def _blocks(router_id: str, ports: int) -> str:
    """Name the claim scope of the blocks of a router's external address."""
    return f"block:{router_id}:{ports}"
