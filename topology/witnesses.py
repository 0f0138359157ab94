"""Witnesses: other chassis that a gateway chassis must hear to answer in roles that others may have.

It may be cut off from the controller, from the others, and from their part of the external network, so that nothing
tells it that it has been replaced. So it gives up its roles by itself while it hears none of its two witnesses by BFD.
The controller has these say so in each hello when it cannot reach the chassis (they *withdraw*), and lets another one
answer when both have done so. Of a partition, one side has both witnesses, or neither has: never do two answer.

One witness would be a second chassis whose end silences the first; so there are two or none.
"""

from collections.abc import Iterable
from typing import NamedTuple

from topology.facts import View
from topology.gateway_values import Fence, Outage
from topology.store import Store
from topology.values import Chassis

WITNESSES = 2


class Hearing(NamedTuple):
    """What a chassis's database tells of its BFD sessions, by the tunnel addresses of the other ends.

    Those that are ``up``; those ``heard``, which are up and whose other end has not withdrawn; those from which it has
    ``withdrawn`` itself, up or not.
    """

    up: frozenset[str] = frozenset()
    heard: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()


def witness_ports(view: View, chassis_id: str) -> tuple[int, ...] | None:
    """Return the ports by which a gateway chassis hears its witnesses (a fact); None where it needs none."""
    fence, chassis = view.get(Fence, chassis_id), view.get(Chassis, chassis_id)
    if fence is None or not fence.witnesses or chassis is None:
        return None
    ports, rows = dict(chassis.watch_ports), (view.get(Chassis, each) for each in fence.witnesses)
    found = (ports.get(row.encap_ip or "") for row in rows if row is not None)
    return tuple(port for port in found if port)


def withdrawals(store: Store) -> dict[str, frozenset[str]]:
    """Return, for each chassis that has to withdraw, the tunnel addresses of those that must not hear it."""
    found: dict[str, set[str]] = {}
    for outage in store.find(Outage, "every", True):
        lost = store.get(Chassis, outage.id)
        if lost is not None and lost.encap_ip is not None:
            for witness in outage.witnesses:
                found.setdefault(witness, set()).add(lost.encap_ip)
    return {witness: frozenset(addresses) for witness, addresses in found.items()}


def chosen(current: tuple[str, ...], lost: Iterable[str], candidates: Iterable[str]) -> tuple[str, ...]:
    """Return the witnesses that a chassis shall have, which are as many of the ``current`` ones as can be.

    ``lost`` are some of them that it does not hear any more, or that could not withdraw; ``candidates`` are all that it
    could have, the preferred one first. None of all these is a chassis that is gone. A lost one in whose place there is
    no other leaves it without: else nobody could take its place, either. Who has lost all that there are keeps them, as
    it may be the one that is cut off.
    """
    kept = [each for each in current if each not in set(lost)]
    pool = tuple(dict.fromkeys((*kept, *candidates)))[:WITNESSES]
    if not pool and len(current) == WITNESSES:
        return current
    if len(pool) < WITNESSES:
        return ()
    return current if {*pool} == {*current} else pool
