"""Blocks of source ports of one external address: where there is room for one, and whether it can grow.

A block is a power of two of ports and begins at a multiple of that, so that one masked match tells whether a port is in
it. One that grows becomes its other half's, too, which changes nothing for the connections that it has. So that it can,
new blocks go where most room is around them.
"""

from collections.abc import Iterable
from typing import NamedTuple

PORTS = 1024
"""Source ports of a first block, where nobody says otherwise: as many connections that a chassis may have by one router
to one port of one host."""
SHARE = 1 << 14
"""Source ports of one address that a chassis may have at most, a quarter; a first block may be larger."""
SPARE = 1 << 14
"""Source ports of an address that no block grows into, so that chassis without any find some there."""
_WELL_KNOWN, _ALL = 1024, 1 << 16


class Span(NamedTuple):
    """Some ports of one address."""

    first: int
    ports: int


def room_for(ports: int, taken: Iterable[Span], turn: int) -> tuple[int, Span] | None:
    """Return how large a new block may become where it is best placed, and the block; None where none is free.

    Of equal places, the next one after ``turn``: others may remember what has been given back. Ports of well-known
    services are nobody's.
    """
    taken, room = list(taken), max(SHARE, ports)
    while room >= ports:
        places = _ALL // room
        for step in range(places):
            first = (turn + step) % places * room
            if first >= _WELL_KNOWN and _is_free(Span(first, room), taken):
                return room, Span(first, ports)
        room //= 2
    return None


def doubled(block: Span, taken: Iterable[Span]) -> Span | None:
    """Return a block together with its other half's ports, None where some are taken by others than itself."""
    ports = block.ports * 2
    whole = Span(block.first // ports * ports, ports)
    others = [each for each in taken if each != block]
    return whole if whole.first >= _WELL_KNOWN and _is_free(whole, others) else None


def left(taken: Iterable[Span]) -> int:
    """Return how many ports of an address are nobody's."""
    return _ALL - _WELL_KNOWN - sum(each.ports for each in taken)


def _is_free(span: Span, taken: list[Span]) -> bool:
    return all(span.first + span.ports <= each.first or each.first + each.ports <= span.first for each in taken)
