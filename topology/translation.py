"""Zones and blocks of source ports, taken for the chassis that translate addresses, and given back.

Each chassis translates with ports of its own: a power of two of them, so that a gateway finds the chassis of a
returning packet by one masked match. A block stays its chassis's as long as the router has its address, also while
no instance there needs it, and when the chassis has been deleted: it may have been cut off, and return, and its
connections may live. One that does not suffice grows, or a second one joins it, with
the next external address of the router where the first has no room. A chassis without a block comes before those that
want more. Where there is no room for a whole block, it gets the largest that there is; where nothing is left at all,
what a chassis has that has needed none for long is handed on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from topology.allocation import ExhaustedError, claim_in_turn, release
from topology.doors import floating, translators
from topology.draft import drafted
from topology.facts import View
from topology.gateway import gateway
from topology.gateway_values import PortBlock, Translation
from topology.placement import ZONES, zones_of
from topology.port_blocks import PORTS, SHARE, SPARE, Span, doubled, largest, left, room_for
from topology.store import Store, Transaction
from topology.turns import GiveWay, nobody_waits
from topology.values import Chassis, Counter, FloatingIP, Router

BLOCKS = 2
"""Blocks that a chassis may have for a router: a packet may not be tried by many in turn (``features/source_nat``)."""
OWNERS = (Router, FloatingIP)

Place = tuple[str, str]
"""A router's id and a chassis's."""


class Need(NamedTuple):
    """What a chassis needs to translate for an owner; one of ``subjects``, as of a ``Translation``, will do."""

    owner: str
    chassis_id: str
    subjects: tuple[str, ...]
    block: bool = False
    """Whether it needs source ports of an address, which is the subject."""


class Unsettled(NamedTuple):
    """What differs for one owner between what is needed and what is there.

    Ids of rows to be given back, ids of rows with blocks of an address that the router has no more, and needs.
    """

    stale: tuple[str, ...] = ()
    trimmed: tuple[str, ...] = ()
    missing: tuple[Need, ...] = ()


def unsettled(view: View, owner: str) -> Unsettled:
    """Return what differs for a router or a floating IP (a fact)."""
    needs = {f"{need.owner}@{need.chassis_id}": need for need in _needs(view, owner)}
    own = view.ask(gateway, owner)
    addresses = own.addresses if own is not None else ()
    found = (view.get(Translation, row_id) for row_id in view.find_ids(Translation, "owner", owner))
    rows = {row.id: row for row in found if row is not None}
    stale = tuple(row.id for row in rows.values() if not _stands(view, needs.get(row.id), addresses, row))
    return Unsettled(
        stale,
        tuple(
            row.id
            for row in rows.values()
            if row.id not in stale and any(each.address not in addresses for each in row.further)
        ),
        tuple(need for row_id, need in needs.items() if row_id not in rows or row_id in stale),
    )


def used_up(view: View, owner: str) -> bool:
    """Return whether a router has no source port left for one more chassis (a fact)."""
    own = view.ask(gateway, owner)
    found = (view.get(Translation, row_id) for row_id in view.find_ids(Translation, "owner", owner))
    rows = [row for row in found if row is not None]
    addresses = own.addresses if own is not None else ()
    return bool(addresses) and not any(left(taken_of(rows, address)) for address in addresses)


def settle(
    store: Store, view: View, owners: Iterable[str], ports: int = PORTS, give_way: GiveWay = nobody_waits
) -> dict[str, list[str]]:
    """Take what is needed and give back what is not; return, for each owner, what could not be taken, in words.

    ``view`` is up to date with the store, and nobody writes to that however often this is to ``give_way``. ``ports`` is
    the size of first blocks. Writes nothing when nothing differs.
    """
    problems: dict[str, list[str]] = {}
    differing: dict[str, Unsettled] = {}
    for owner in owners:
        give_way()
        problems[owner] = []
        if any(work := view.ask(unsettled, owner)):
            differing[owner] = work
    if not differing:
        return problems
    with drafted(store, give_way) as (draft, tx):
        for owner, work in differing.items():
            give_way()
            for row_id in work.stale:
                _give_back(tx, row_id)
            for row_id in work.trimmed:
                _trim(tx, view, row_id)
            problems[owner] = _take_all(draft, tx, work.missing, ports)
    return problems


def every_owner(store: Store) -> set[str]:
    """Return all that may own translations, and whoever does: for a start, where a former one was not settled."""
    return {row_id for kind in OWNERS for row_id in store.ids(kind)} | {row.owner for row in store.all(Translation)}


def grow(store: Store, view: View, places: Iterable[Place]) -> list[Place]:
    """Give chassis more source ports for routers; return those for which there are no more.

    A chassis may have a quarter of an address, and leaves a quarter to those that have no block yet.
    """
    refused = []
    with store.transaction() as tx:
        for owner, chassis_id in places:
            row, own = tx.get(Translation, f"{owner}@{chassis_id}"), view.ask(gateway, owner)
            if row is None or not row.ports or own is None or row.subject not in own.addresses:
                continue
            others_wait = view.ask(unsettled, owner).missing
            if others_wait or not _grow(tx, own.addresses, row):
                refused.append((owner, chassis_id))
    return refused


def idle(view: View, row: Translation) -> bool:
    """Return whether a chassis has source ports for a router, though no packet comes from it to that router."""
    return bool(row.ports) and row.chassis_id not in view.ask(translators, row.owner)


def hand_on(store: Store, view: View, places: Iterable[Place], ports: int = PORTS) -> list[Place]:
    """Give source ports of idle chassis to those that have found none, in order; return whose were given back.

    Those of deleted chassis are given back in any case. It is for the caller to know that their connections are over.
    ``ports`` is the size of first blocks.
    """
    given: list[Place] = []
    lacking: dict[str, list[Need]] = {}
    with store.transaction() as tx:
        for owner, chassis_id in places:
            row = tx.get(Translation, f"{owner}@{chassis_id}")
            missing = lacking.setdefault(owner, [need for need in view.ask(unsettled, owner).missing if need.block])
            if row is not None and idle(view, row) and (missing or view.get(Chassis, chassis_id) is None):
                _give_back(tx, row.id)
                _take_all(store, tx, missing[:1], ports)
                del missing[:1]
                given.append((owner, chassis_id))
    return given


def taken_of(rows: Iterable[Translation], address: str) -> list[Span]:
    """Return the blocks of an address that a router's translations have."""
    return [Span(each.first_port, each.ports) for row in rows for each in row.blocks if each.address == address]


def _needs(view: View, owner: str) -> Iterator[Need]:
    own, live = view.ask(gateway, owner), view.ask(floating, owner)
    if own is not None and own.addresses:
        for chassis_id in view.ask(translators, owner):
            yield Need(owner, chassis_id, own.addresses, own.snat)
    elif live is not None:
        yield Need(owner, live.holder, (f"{live.port_id} {live.fixed_ip}",))


def _stands(view: View, need: Need | None, addresses: tuple[str, ...], row: Translation) -> bool:
    """Return whether a translation is to stay. A router's stays where nobody needs it now: its connections may live."""
    if need is not None:
        return row.subject in need.subjects and bool(row.ports) == need.block
    return row.subject in addresses and (bool(row.ports) or view.get(Chassis, row.chassis_id) is not None)


def _take_all(store: Store, tx: Transaction, missing: Iterable[Need], ports: int) -> list[str]:
    """Take what is needed; return what could not be taken, in words."""
    problems = []
    for need in missing:
        try:
            with store.transaction():
                _take(tx, need, ports)
        except ExhaustedError as error:
            problems.append(f"chassis {need.chassis_id} cannot translate for {need.owner}: {error}")
    return problems


def _take(tx: Transaction, need: Need, ports: int) -> None:
    row_id, subject, first, size = f"{need.owner}@{need.chassis_id}", need.subjects[0], 0, 0
    if need.block:
        subject, (first, size) = _first_block(tx, need, ports)
    zone = claim_in_turn(tx, zones_of(need.chassis_id), ZONES, row_id)
    tx.put(Translation(row_id, need.owner, need.chassis_id, zone, subject, first, size))


def _first_block(tx: Transaction, need: Need, ports: int) -> tuple[str, Span]:
    """Take a block of so many ports, or the largest that there is. Raises ExhaustedError where nothing is left."""
    rows = tx.find(Translation, "owner", need.owner)
    taken = {address: taken_of(rows, address) for address in need.subjects}
    sizes = {address: min(ports, largest(spans)) for address, spans in taken.items()}
    # Of equal ones the first: an earlier address of the router is preferred.
    best = max(sizes, key=lambda address: sizes[address])
    found = room_for(sizes[best], taken[best], _turn(tx, need.owner, best)) if sizes[best] else None
    if found is None:
        raise ExhaustedError(f"the source ports of {', '.join(need.subjects)}")
    _next_turn(tx, need.owner, best)
    return best, found[1]


def _grow(tx: Transaction, addresses: tuple[str, ...], row: Translation) -> bool:
    """Make the newest block twice as large or, where it cannot be, add one."""
    rows, newest = tx.find(Translation, "owner", row.owner), row.blocks[-1]
    taken = {address: taken_of(rows, address) for address in {*addresses, newest.address}}

    def may_have(address: str, more: int) -> bool:
        own = sum(each.ports for each in row.blocks if each.address == address)
        return own + more <= SHARE and left(taken[address]) - more >= SPARE

    larger = doubled(Span(newest.first_port, newest.ports), taken[newest.address])
    if larger is not None and may_have(newest.address, newest.ports):
        block = PortBlock(newest.address, *larger)
        grown = (*row.further[:-1], block) if row.further else ()
        first = block if not row.further else row.blocks[0]
        tx.put(replace(row, first_port=first.first_port, ports=first.ports, further=grown))
        _next_turn(tx, row.owner, newest.address)
        return True
    if len(row.blocks) >= BLOCKS:
        return False
    found = {
        address: place
        for address in addresses
        if may_have(address, newest.ports)
        and (place := room_for(newest.ports, taken[address], _turn(tx, row.owner, address))) is not None
    }
    if not found:
        return False
    best = max(found, key=lambda address: found[address][0])
    tx.put(replace(row, further=(*row.further, PortBlock(best, *found[best][1]))))
    _next_turn(tx, row.owner, best)
    return True


def _trim(tx: Transaction, view: View, row_id: str) -> None:
    row = tx.get(Translation, row_id)
    own = view.ask(gateway, row.owner) if row is not None else None
    if row is not None and own is not None:
        tx.put(replace(row, further=tuple(each for each in row.further if each.address in own.addresses)))


def _give_back(tx: Transaction, row_id: str) -> None:
    row = tx.get(Translation, row_id)
    if row is None:
        return
    release(tx, zones_of(row.chassis_id), row.zone)
    tx.delete(Translation, row.id)
    if not tx.find_ids(Translation, "owner", row.owner):
        for each in row.blocks:
            tx.delete(Counter, _turn_of(row.owner, each.address))


def _turn(tx: Transaction, owner: str, address: str) -> int:
    counter = tx.get(Counter, _turn_of(owner, address))
    return counter.value if counter is not None else 0


def _next_turn(tx: Transaction, owner: str, address: str) -> None:
    """Count what was taken of an address. Two controllers that take of one at once both write this, and one fails."""
    tx.put(Counter(_turn_of(owner, address), _turn(tx, owner, address) + 1))


def _turn_of(owner: str, address: str) -> str:
    return f"turn/block:{owner}/{address}"
