"""Prefixes cut from a pool's space, taken and given back in a few steps however much of the pool is taken.

What is free is kept as the fewest prefixes that make it up, each a claim of the pool: its scope names the pool and the
prefix length, its value is the prefix's first address. Taking a prefix takes one of these claims away and, where that
was larger, leaves its other halves; giving one back joins it with its free other half, again and again. So nothing is
given twice, whoever commits first: both would take away the same claim.
"""

from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

from topology.allocation import ExhaustedError, claim, release
from topology.store import Transaction
from topology.values import Claim

Prefix = IPv4Network | IPv6Network
P = TypeVar("P", IPv4Network, IPv6Network)


class NotFreeError(Exception):
    """The prefix that was asked for is not in the pool, or not all of it is free."""

    def __init__(self, pool_id: str, prefix: Prefix) -> None:
        super().__init__(f"{prefix} is not free in {pool_id}")
        self.pool_id, self.prefix = pool_id, prefix


def free_scope(pool_id: str, length: int) -> str:
    """Name the claim scope of a pool's free prefixes of one length."""
    return f"free:{pool_id}:{length}"


def give(tx: Transaction, pool_id: str, prefix: Prefix) -> None:
    """Make a prefix free: a new one of the pool, or one that was taken from it. No part of it may be free already."""
    value, length = int(prefix.network_address), prefix.prefixlen
    while length:
        half = 1 << (prefix.max_prefixlen - length)
        if not _is_free(tx, pool_id, value ^ half, length):
            break
        release(tx, free_scope(pool_id, length), value ^ half)
        value, length = value & ~half, length - 1
    claim(tx, free_scope(pool_id, length), value, pool_id)


def take_any(tx: Transaction, pool_id: str, kind: type[P], length: int) -> P:
    """Take a prefix of a length: the lowest from the smallest free ones that have it. Raises ExhaustedError."""
    for size in range(length, -1, -1):
        free = tx.claimed(free_scope(pool_id, size))
        if free:
            prefix = kind((free[0], length))
            _cut(tx, pool_id, prefix, size)
            return prefix
    raise ExhaustedError(pool_id)


def take(tx: Transaction, pool_id: str, prefix: Prefix) -> None:
    """Take a given prefix. Raises NotFreeError."""
    for size in range(prefix.prefixlen, -1, -1):
        around = int(prefix.network_address) >> (prefix.max_prefixlen - size) << (prefix.max_prefixlen - size)
        if _is_free(tx, pool_id, around, size):
            _cut(tx, pool_id, prefix, size)
            return
    raise NotFreeError(pool_id, prefix)


def _is_free(tx: Transaction, pool_id: str, value: int, length: int) -> bool:
    return tx.get(Claim, f"{free_scope(pool_id, length)}/{value}") is not None


def _cut(tx: Transaction, pool_id: str, prefix: Prefix, size: int) -> None:
    """Take a prefix out of the free one of length ``size`` around it."""
    value, bits = int(prefix.network_address), prefix.max_prefixlen
    release(tx, free_scope(pool_id, size), value >> (bits - size) << (bits - size))
    for length in range(size + 1, prefix.prefixlen + 1):
        half = 1 << (bits - length)
        other = (value >> (bits - length) << (bits - length)) ^ half
        claim(tx, free_scope(pool_id, length), other, pool_id)
