"""Numbers and addresses, taken within a transaction and never given twice.

Two ways. *Claims* are unique keys in the store and can be given back: addresses of a subnet, MAC addresses,
VNIs and VLAN ids. *Counters* only go up, for numbers that somebody may still remember after their owner is gone:
network keys and port keys in flow tables.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable
from ipaddress import ip_address
from sys import intern

from topology.addressing import int_to_mac
from topology.store import Transaction
from topology.values import AddressRange, Claim, Counter

NETWORK_KEY_BITS = 24
PORT_KEY_BITS = 30
GROUP_KEY_BITS = 32
ROUTER_KEY_BITS = 24


class ExhaustedError(Exception):
    """Nothing is left to give in a scope."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"nothing is left to allocate in {scope}")
        self.scope = scope


class TakenError(Exception):
    """The value that was asked for belongs to somebody else."""

    def __init__(self, scope: str, value: int, owner: str) -> None:
        super().__init__(f"{value} in {scope} is taken by {owner}")
        self.scope, self.value, self.owner = scope, value, owner


def lowest_free(used: list[int], first: int, last: int) -> int | None:
    """Return the lowest number in [first, last] that the sorted list of distinct numbers lacks, or None.

    A binary search: before the first gap, the number at position i is first + i.
    """
    start = bisect_left(used, first)
    low, high = start, len(used)
    while low < high:
        middle = (low + high) // 2
        if used[middle] == first + (middle - start):
            low = middle + 1
        else:
            high = middle
    free = first + (low - start)
    return free if free <= last else None


def claim(tx: Transaction, scope: str, value: int, owner: str) -> None:
    """Take one value of a scope. Raises TakenError if another owner has it."""
    claim_id = f"{scope}/{value}"
    held = tx.get(Claim, claim_id)
    if held is not None and held.owner != owner:
        raise TakenError(scope, value, held.owner)
    tx.put(Claim(claim_id, intern(scope), value, owner))


def claim_lowest(tx: Transaction, scope: str, ranges: Iterable[tuple[int, int]], owner: str) -> int:
    """Take the lowest free value of the ranges (inclusive, in order). Raises ExhaustedError if none is free."""
    used = tx.claimed(scope)
    for first, last in ranges:
        value = lowest_free(used, first, last)
        if value is not None:
            claim(tx, scope, value, owner)
            return value
    raise ExhaustedError(scope)


def claim_in_turn(tx: Transaction, scope: str, ranges: Iterable[tuple[int, int]], owner: str) -> int:
    """Take the next free value after the one that was taken in turn last; begin anew behind the end of the ranges.

    For numbers that a switch may still remember after they were given back: a chassis that nobody reaches keeps the
    VNI of a network that is gone, and must not find another tenant's network behind it. Ranges are in rising order.
    Raises ExhaustedError if none is free.
    """
    ranges, turn = list(ranges), f"turn/{scope}"
    counter = tx.get(Counter, turn)
    last = counter.value if counter else -1
    ahead = [(max(first, last + 1), end) for first, end in ranges if end > last]
    value = claim_lowest(tx, scope, [*ahead, *ranges], owner)
    tx.put(Counter(turn, value))
    return value


def release(tx: Transaction, scope: str, value: int) -> None:
    """Give a value back, if it is taken."""
    tx.delete(Claim, f"{scope}/{value}")


def next_number(tx: Transaction, scope: str, bits: int) -> int:
    """Return the next number of a counter, from 1. Raises ExhaustedError after ``2**bits - 1``."""
    counter = tx.get(Counter, scope)
    value = counter.value + 1 if counter else 1
    if value >= 1 << bits:
        raise ExhaustedError(scope)
    tx.put(Counter(scope, value))
    return value


def address_scope(subnet_id: str) -> str:
    """Name the claim scope of a subnet's addresses."""
    return f"ip:{subnet_id}"


def claim_address(tx: Transaction, subnet_id: str, address: str, owner: str) -> None:
    """Take a given address of a subnet. Raises TakenError."""
    claim(tx, address_scope(subnet_id), int(ip_address(address)), owner)


def allocate_address(tx: Transaction, subnet_id: str, pools: Iterable[AddressRange], owner: str) -> str:
    """Take the lowest free address of a subnet's pools. Raises ExhaustedError."""
    ranges = [(ip_address(pool.start), ip_address(pool.end)) for pool in pools]
    value = claim_lowest(tx, address_scope(subnet_id), [(int(low), int(high)) for low, high in ranges], owner)
    return str(type(ranges[0][0])(value))


def release_address(tx: Transaction, subnet_id: str, address: str) -> None:
    """Give an address back to its subnet."""
    release(tx, address_scope(subnet_id), int(ip_address(address)))


def allocate_mac(tx: Transaction, network_id: str, owner: str, base: str = "fa:16:3e:00:00:00") -> str:
    """Take a MAC address that is free on the network, under the base's first three octets.

    The search starts at a digest of the owner, so that networks bridged together by hand seldom clash.
    """
    prefix = int(base.replace(":", "")[:6], 16) << 24
    start = int.from_bytes(hashlib.blake2b(owner.encode(), digest_size=3).digest(), "big")
    ranges = [(prefix | start, prefix | 0xFFFFFF), (prefix, prefix | start)]
    return int_to_mac(claim_lowest(tx, f"mac:{network_id}", ranges, owner))


def claim_mac(tx: Transaction, network_id: str, mac: str, owner: str) -> None:
    """Take a given MAC address on a network. Raises TakenError."""
    claim(tx, f"mac:{network_id}", int(mac.replace(":", ""), 16), owner)


def release_mac(tx: Transaction, network_id: str, mac: str) -> None:
    """Give a MAC address back."""
    release(tx, f"mac:{network_id}", int(mac.replace(":", ""), 16))
