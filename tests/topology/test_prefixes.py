"""Prefixes of pools: what is taken and what is free are, at every step, exactly the pool."""

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from topology.allocation import ExhaustedError
from topology.prefixes import NotFreeError, give, take, take_any
from topology.store import Store
from topology.values import Claim

POOL = "pool"


def store_of(*prefixes: str, kind: type[IPv4Network] | type[IPv6Network] = IPv4Network) -> Store:
    store = Store()
    with store.transaction() as tx:
        for prefix in prefixes:
            give(tx, POOL, kind(prefix))
    return store


def free(store: Store, kind: type[IPv4Network] | type[IPv6Network] = IPv4Network) -> list[str]:
    found = [kind((claim.value, int(claim.scope.split(":")[-1]))) for claim in store.all(Claim)]
    return [str(prefix) for prefix in sorted(found)]


def taken_any(store: Store, *lengths: int) -> list[str]:
    with store.transaction() as tx:
        return [str(take_any(tx, POOL, IPv4Network, length)) for length in lengths]


def test_the_lowest_of_the_smallest_that_has_room() -> None:
    store = store_of("10.0.0.0/16", "10.2.0.0/24")
    assert taken_any(store, 26, 26, 24, 25) == ["10.2.0.0/26", "10.2.0.64/26", "10.0.0.0/24", "10.2.0.128/25"]


def test_an_exact_fit_leaves_nothing() -> None:
    store = store_of("10.0.0.0/24")
    assert taken_any(store, 24) == ["10.0.0.0/24"]
    assert free(store) == []
    with pytest.raises(ExhaustedError):
        taken_any(store, 32)


def test_neighbours_join() -> None:
    assert free(store_of("10.0.0.0/24", "10.0.1.0/24", "10.0.3.0/24", "10.0.2.0/24")) == ["10.0.0.0/22"]
    assert free(store_of("10.0.1.0/24", "10.0.2.0/24")) == ["10.0.1.0/24", "10.0.2.0/24"]
    assert free(store_of("0.0.0.0/1", "128.0.0.0/1")) == ["0.0.0.0/0"]


@pytest.mark.parametrize("prefix", ["10.0.0.0/23", "10.0.1.0/24", "10.0.0.0/8", "0.0.0.0/0", "10.0.0.0/25"])
def test_what_is_not_free(prefix: str) -> None:
    store = store_of("10.0.0.0/24")
    with store.transaction() as tx:
        take(tx, POOL, IPv4Network("10.0.0.64/32"))
    before = free(store)
    with pytest.raises(NotFreeError, match=prefix), store.transaction() as tx:
        take(tx, POOL, IPv4Network(prefix))
    assert free(store) == before


def test_ipv6() -> None:
    store = store_of("2001:db8::/32", kind=IPv6Network)
    with store.transaction() as tx:
        assert take_any(tx, POOL, IPv6Network, 64) == IPv6Network("2001:db8::/64")
        take(tx, POOL, IPv6Network("2001:db8:ffff::/48"))
        give(tx, POOL, IPv6Network("2001:db8:ffff::/48"))
        give(tx, POOL, IPv6Network("2001:db8::/64"))
    assert free(store, IPv6Network) == ["2001:db8::/32"]


@pytest.mark.parametrize("present", [10, 1000])
def test_what_is_taken_costs_nothing(present: int, read: Counter[str]) -> None:
    store = Store()
    with store.transaction() as tx:
        give(tx, POOL, IPv4Network("10.0.0.0/8"))
        for _ in range(present):
            take_any(tx, POOL, IPv4Network, 28)
        read.clear()
        take(tx, POOL, IPv4Network("10.255.0.16/28"))
        give(tx, POOL, IPv4Network("10.255.0.16/28"))
        take_any(tx, POOL, IPv4Network, 30)
        assert 0 < read.total() < 5 * 32


prefixes = st.builds(
    lambda value, length: IPv4Network((value >> (32 - length) << (32 - length), length)),
    st.integers(0, 15).map(lambda low: (10 << 24) + low * 8) | st.integers(10 << 24, (10 << 24) + 127),
    st.integers(24, 32),
)


class Pool(RuleBasedStateMachine):
    """Against a set of addresses."""

    taken: Bundle[IPv4Network] = Bundle("taken")

    @initialize(space=st.sets(prefixes, min_size=1, max_size=4))
    def make(self, space: set[IPv4Network]) -> None:
        self.space = list(collapse_addresses(space))
        self.store = store_of(*map(str, self.space))
        self.out: list[IPv4Network] = []

    def free_addresses(self) -> set[int]:
        return _addresses(self.space) - _addresses(self.out)

    @rule(target=taken, length=st.integers(24, 32))
    def take_any(self, length: int) -> IPv4Network | MultipleResults[IPv4Network]:
        expected = [prefix for prefix in _fewest(self.free_addresses()) if prefix.prefixlen <= length]
        try:
            with self.store.transaction() as tx:
                prefix = take_any(tx, POOL, IPv4Network, length)
        except ExhaustedError:
            assert not expected
            return multiple()
        smallest = max(each.prefixlen for each in expected)
        lowest = min(each for each in expected if each.prefixlen == smallest)
        assert prefix == IPv4Network((int(lowest.network_address), length))
        self.out.append(IPv4Network(prefix))
        return self.out[-1]

    @rule(target=taken, prefix=prefixes)
    def take(self, prefix: IPv4Network) -> IPv4Network | MultipleResults[IPv4Network]:
        is_free = _addresses([prefix]) <= self.free_addresses()
        try:
            with self.store.transaction() as tx:
                take(tx, POOL, prefix)
        except NotFreeError:
            assert not is_free
            return multiple()
        assert is_free
        self.out.append(prefix)
        return prefix

    @rule(prefix=consumes(taken))
    def give_back(self, prefix: IPv4Network) -> None:
        self.out.remove(prefix)
        with self.store.transaction() as tx:
            give(tx, POOL, prefix)

    @invariant()
    def free_and_taken_are_the_pool(self) -> None:
        if hasattr(self, "store"):
            assert free(self.store) == [str(prefix) for prefix in _fewest(self.free_addresses())]

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.transaction() as tx:
            for prefix in self.out:
                give(tx, POOL, prefix)
        assert free(self.store) == [str(prefix) for prefix in sorted(self.space)]


def _addresses(prefixes: Iterable[IPv4Network]) -> set[int]:
    return {
        number
        for prefix in prefixes
        for number in range(int(prefix.network_address), int(prefix.broadcast_address) + 1)
    }


def _fewest(numbers: set[int]) -> list[IPv4Network]:
    return sorted(collapse_addresses(IPv4Network(number) for number in numbers))


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(st.lists(st.integers(24, 32), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_no_two_overlap_and_all_come_back(lengths: list[int]) -> None:
    store, out = store_of("10.0.0.0/24"), []
    for length in lengths:
        try:
            out += taken_any(store, length)
        except ExhaustedError:
            continue
    assert sum(IPv4Network(prefix).num_addresses for prefix in out) == len(_addresses(map(IPv4Network, out)))
    with store.transaction() as tx:
        for prefix in out:
            give(tx, POOL, IPv4Network(prefix))
    assert free(store) == ["10.0.0.0/24"]
