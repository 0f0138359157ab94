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
SIZES = tuple(1 << bits for bits in range(6, 16))
"""Source ports that a first block may have. Blocks of different sizes stand side by side."""
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
    spans = _free(taken)
    room = min(max(SHARE, ports), max((span.ports for span in spans), default=0))
    if room < ports:
        return None
    wide = (span for span in spans if span.ports >= room)
    places = (first for span in wide for first in range(span.first, span.first + span.ports, room))
    return room, Span(min(places, key=lambda first: (first // room - turn) % (_ALL // room)), ports)


def doubled(block: Span, taken: Iterable[Span]) -> Span | None:
    """Return a block together with its other half's ports, None where some are taken by others than itself."""
    ports = block.ports * 2
    whole = Span(block.first // ports * ports, ports)
    others = [each for each in taken if each != block]
    return whole if whole.first >= _WELL_KNOWN and _is_free(whole, others) else None


def left(taken: Iterable[Span]) -> int:
    """Return how many ports of an address are nobody's."""
    return _ALL - _WELL_KNOWN - sum(each.ports for each in taken)


def largest(taken: Iterable[Span]) -> int:
    """Return how many ports the largest block may have that is free; 0 where none is."""
    return max((span.ports for span in _free(taken)), default=0)


def blocks_left(ports: int, taken: Iterable[Span]) -> int:
    """Return how many blocks of so many ports are free, with the smaller ones that there are where none of these is."""
    return sum(max(1, span.ports // ports) for span in _free(taken))


def _free(taken: Iterable[Span]) -> list[Span]:
    """Return what is nobody's, in order, as the largest spans that could be blocks."""
    spans, first = list[Span](), _WELL_KNOWN
    for each in (*sorted(taken), Span(_ALL, 0)):
        while first < each.first:
            ports = min(first & -first, 1 << ((each.first - first).bit_length() - 1))
            spans.append(Span(first, ports))
            first += ports
        first = max(first, each.first + each.ports)
    return spans


def _is_free(span: Span, taken: list[Span]) -> bool:
    return all(span.first + span.ports <= each.first or each.first + each.ports <= span.first for each in taken)
