"""Spaces of addresses: what prefixes cover, as ranges of numbers that are sorted and apart.

Sets of prefixes as netaddr has them take several times as long, and a subnet pool may have a thousand.
"""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from itertools import islice, pairwise
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

from netaddr import IPNetwork

from topology.prefixes import Prefix

_FAMILIES = {4: AF_INET, 6: AF_INET6}
_BITS = {4: 32, 6: 128}


class Span(NamedTuple):
    """Addresses from the first to the one behind the last."""

    first: int
    end: int


Space = list[Span]


def covered(prefixes: Iterable[IPNetwork]) -> Space:
    """Return what prefixes cover; host bits that are set do not matter."""
    return _joined(sorted(Span(prefix.first, prefix.last + 1) for prefix in prefixes))


def of_pool(prefixes: Iterable[str], ip_version: int) -> Space:
    """Return what prefixes cover as a subnet pool's row keeps them: written by ``texts``."""
    family, bits, found = _FAMILIES[ip_version], _BITS[ip_version], []
    for prefix in prefixes:
        address, _, length = prefix.partition("/")
        first = int.from_bytes(inet_pton(family, address), "big")
        found.append(Span(first, first + (1 << bits - int(length))))
    return _joined(sorted(found))


def texts(space: Space, ip_version: int) -> tuple[str, ...]:
    """Return the fewest prefixes that cover a space, as text."""
    family, octets = _FAMILIES[ip_version], _BITS[ip_version] // 8
    cut = _fewest(space, _BITS[ip_version])
    return tuple(f"{inet_ntop(family, first.to_bytes(octets, 'big'))}/{length}" for first, length in cut)


def prefixes(space: Space, ip_version: int) -> Iterator[Prefix]:
    """Yield the fewest prefixes that cover a space."""
    kind = IPv4Network if ip_version == 4 else IPv6Network
    return (kind(prefix) for prefix in _fewest(space, _BITS[ip_version]))


def without(space: Space, other: Space) -> Space:
    """Return what is in a space and not in another one."""
    left: Space = []
    at = 0
    for first, end in space:
        begin = first
        while at < len(other) and other[at].end <= begin:
            at += 1
        # The last of these may reach into the next span, too.
        for taken in islice(other, at, None):
            if taken.first >= end:
                break
            if begin < taken.first:
                left.append(Span(begin, taken.first))
            begin = taken.end
        if begin < end:
            left.append(Span(begin, end))
    return left


def overlap(one: Sequence[Span], other: Sequence[Span]) -> bool:
    """Return whether two spaces have an address in common."""
    merged = sorted([*one, *other])
    return any(after.first < before.end for before, after in pairwise(merged))


def _joined(spans: Iterable[Span]) -> Space:
    """Return sorted spans without what they share and without seams."""
    found: Space = []
    for span in spans:
        if found and span.first <= found[-1].end:
            if span.end > found[-1].end:
                found[-1] = Span(found[-1].first, span.end)
        else:
            found.append(span)
    return found


def _fewest(space: Space, bits: int) -> Iterator[tuple[int, int]]:
    """Yield first address and length of the fewest prefixes that cover a space."""
    for first, end in space:
        at = first
        while at < end:
            # As large as where it begins allows, and as what is left.
            size = min((at & -at).bit_length() - 1 if at else bits, (end - at).bit_length() - 1)
            yield at, bits - size
            at += 1 << size
