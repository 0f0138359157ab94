import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from topology.allocation import (
    ExhaustedError,
    TakenError,
    address_scope,
    allocate_address,
    allocate_mac,
    claim,
    claim_address,
    claim_in_turn,
    claim_lowest,
    claim_mac,
    lowest_free,
    next_number,
    release,
    release_address,
    release_mac,
)
from topology.store import Store
from topology.values import AddressRange, Claim

POOLS = (AddressRange("10.0.0.10", "10.0.0.12"), AddressRange("10.0.0.20", "10.0.0.21"))


class Sorted(list):
    """A sorted list that counts the elements looked at and refuses to be walked."""

    looks = 0

    def __getitem__(self, position):
        assert isinstance(position, int), "a slice copies the list"
        self.looks += 1
        return super().__getitem__(position)

    def _refuse(self, *_):
        raise AssertionError("allocation must not walk what is claimed")

    __iter__ = __reversed__ = __contains__ = index = count = copy = _refuse


@pytest.fixture
def store() -> Store:
    return Store()


@given(st.sets(st.integers(0, 40)), st.integers(0, 40), st.integers(0, 40))
def test_lowest_free_is_what_a_walk_would_find(used, first, last):
    naive = next((n for n in range(first, last + 1) if n not in used), None)
    assert lowest_free(sorted(used), first, last) == naive


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_lowest_free_looks_at_a_logarithm_of_the_list(size, gap, first):
    used = Sorted(n for n in range(size) if n != gap)
    lowest_free(used, first, 10**6)
    # One binary search for the beginning of the range, one for the gap.
    assert used.looks <= 2 * (math.log2(size + 1) + 1)


def test_claiming_does_not_walk_the_scope(store):
    with store.transaction() as tx:
        for value in range(100):
            claim(tx, "vni", value, "network/1")
    store._claimed["vni"] = Sorted(store._claimed["vni"])
    with store.transaction() as tx:
        assert claim_lowest(tx, "vni", [(0, 1 << 24)], "network/2") == 100
        release(tx, "vni", 50)
        assert claim_lowest(tx, "vni", [(0, 1 << 24)], "network/3") == 50
    assert isinstance(store._claimed["vni"], Sorted)


def test_ranges_are_tried_in_their_order(store):
    with store.transaction() as tx:
        taken = [claim_lowest(tx, "vlan", [(5, 6), (1, 2)], "network/1") for _ in range(4)]
        with pytest.raises(ExhaustedError, match="nothing is left to allocate in vlan"):
            claim_lowest(tx, "vlan", [(5, 6), (1, 2)], "network/1")
    assert taken == [5, 6, 1, 2]


def test_a_claim_stands_against_others_and_not_against_its_owner(store):
    with store.transaction() as tx:
        claim(tx, "vlan", 7, "network/1")
        claim(tx, "vlan", 7, "network/1")
        with pytest.raises(TakenError, match="7 in vlan is taken by network/1"):
            claim(tx, "vlan", 7, "network/2")
    assert store.claimed("vlan") == [7]


def test_addresses_come_lowest_first_from_the_pools_and_return_to_them(store):
    with store.transaction() as tx:
        given_out = [allocate_address(tx, "s", POOLS, f"port/{n}") for n in range(5)]
        with pytest.raises(ExhaustedError):
            allocate_address(tx, "s", POOLS, "port/5")
        release_address(tx, "s", "10.0.0.11")
        assert allocate_address(tx, "s", POOLS, "port/6") == "10.0.0.11"
    assert given_out == ["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.20", "10.0.0.21"]


def test_a_subnet_without_pools_gives_nothing(store):
    with store.transaction() as tx, pytest.raises(ExhaustedError):
        allocate_address(tx, "s", (), "port/1")


def test_addresses_of_two_subnets_do_not_meet(store):
    with store.transaction() as tx:
        assert allocate_address(tx, "s1", POOLS, "port/1") == allocate_address(tx, "s2", POOLS, "port/2")


@pytest.mark.parametrize("low", ["2001:db8::10", "::5", "::ffff:10.0.0.5"])
def test_ipv6_addresses_stay_ipv6(store, low):
    from ipaddress import IPv6Address

    with store.transaction() as tx:
        address = allocate_address(tx, "s", [AddressRange(low, low)], "port/1")
    assert IPv6Address(address) == IPv6Address(low)


def test_an_address_asked_for_is_not_given_again(store):
    with store.transaction() as tx:
        claim_address(tx, "s", "10.0.0.10", "port/1")
        with pytest.raises(TakenError):
            claim_address(tx, "s", "10.0.0.10", "port/2")
        assert allocate_address(tx, "s", POOLS, "port/2") == "10.0.0.11"


def test_macs_are_unicast_unique_on_a_network_and_return(store):
    with store.transaction() as tx:
        macs = [allocate_mac(tx, "n", f"port/{n}") for n in range(200)]
        again = [allocate_mac(tx, "other", "port/0"), allocate_mac(tx, "other", "port/0")]
        release_mac(tx, "n", macs[3])
        assert allocate_mac(tx, "n", "port/3") == macs[3]
    assert len(set(macs)) == 200
    assert all(mac.startswith("fa:16:3e:") and len(mac) == 17 for mac in macs)
    assert again[0] == macs[0] and again[1] != macs[0]


def test_a_mac_asked_for_is_not_given_again(store):
    with store.transaction() as tx:
        mine = allocate_mac(tx, "n", "port/0")
        release_mac(tx, "n", mine)
        claim_mac(tx, "n", mine, "port/9")
        assert allocate_mac(tx, "n", "port/0") != mine
        with pytest.raises(TakenError):
            claim_mac(tx, "n", mine, "port/0")


def test_macs_use_the_whole_prefix_before_they_run_out(store):
    with store.transaction() as tx:
        start = int(allocate_mac(tx, "n", "port/0").replace(":", "")[6:], 16)
        prefix = 0xFA163E << 24
        # A scope where everything from the start to the end is taken; only what is below is left.
        store._claimed["mac:n"] = list(range(prefix | start, (prefix | 0xFFFFFF) + 1))
        assert allocate_mac(tx, "n", "port/0") == "fa:16:3e:00:00:00"
        store._claimed["mac:n"] = Full()
        with pytest.raises(ExhaustedError):
            allocate_mac(tx, "n", "port/0")


class Full(list):
    """All 2**24 addresses of the prefix, without the memory."""

    def __len__(self):
        return 1 << 24

    def __getitem__(self, position):
        return (0xFA163E << 24) + position


def test_counters_only_go_up_and_end(store):
    with store.transaction() as tx:
        assert [next_number(tx, "port", 3) for _ in range(7)] == [1, 2, 3, 4, 5, 6, 7]
        with pytest.raises(ExhaustedError, match="port"):
            next_number(tx, "port", 3)
        assert next_number(tx, "network", 3) == 1


def test_a_counter_does_not_return_numbers_after_a_restart():
    from topology.storage import MemoryStorage

    storage = MemoryStorage()
    with Store(storage).transaction() as tx:
        assert next_number(tx, "port", 32) == 1
    with Store(storage).transaction() as tx:
        assert next_number(tx, "port", 32) == 2


class AnyAllocation(RuleBasedStateMachine):
    """Addresses taken, asked for and given back in any order."""

    held = Bundle("held")

    def __init__(self):
        super().__init__()
        self.store = Store()
        self.owned: dict[str, str] = {}
        self.owners = 0
        self.highest = 0

    def owner(self) -> str:
        self.owners += 1
        return f"port/{self.owners}"

    @rule(target=held)
    def allocate(self):
        free = [f"10.0.0.{n}" for n in (10, 11, 12, 20, 21) if f"10.0.0.{n}" not in self.owned]
        owner = self.owner()
        with self.store.transaction() as tx:
            if not free:
                with pytest.raises(ExhaustedError):
                    allocate_address(tx, "s", POOLS, owner)
                return "none"
            address = allocate_address(tx, "s", POOLS, owner)
        assert address == free[0]
        self.owned[address] = owner
        return address

    @rule(last=st.integers(8, 22))
    def ask(self, last):
        address, owner = f"10.0.0.{last}", self.owner()
        with self.store.transaction() as tx:
            if address in self.owned:
                with pytest.raises(TakenError):
                    claim_address(tx, "s", address, owner)
            else:
                claim_address(tx, "s", address, owner)
                self.owned[address] = owner

    @rule(address=consumes(held))
    def give_back(self, address):
        if address != "none":
            with self.store.transaction() as tx:
                release_address(tx, "s", address)
            self.owned.pop(address, None)

    @rule(held=held)
    def fail_halfway(self, held):
        with pytest.raises((LookupError, ExhaustedError)), self.store.transaction() as tx:
            if held != "none":
                release_address(tx, "s", held)
            allocate_address(tx, "s", POOLS, "port/never")
            raise LookupError

    @rule()
    def count(self):
        with self.store.transaction() as tx:
            number = next_number(tx, "port", 32)
        assert number == self.highest + 1
        self.highest = number

    @rule()
    def restart(self):
        self.store = Store(self.store._storage)

    @invariant()
    def claims_are_what_is_owned(self):
        from ipaddress import ip_address

        numbers = {int(ip_address(address)): owner for address, owner in self.owned.items()}
        assert self.store.claimed(address_scope("s")) == sorted(numbers)
        assert {row.value: row.owner for row in self.store.all(Claim)} == numbers


TestAnyAllocation = AnyAllocation.TestCase


def test_a_number_taken_in_turn_comes_back_only_after_all_others() -> None:
    store = Store()
    with store.transaction() as tx:
        assert [claim_in_turn(tx, "vni", [(1, 2), (5, 6)], "network/1") for _ in range(2)] == [1, 2]
        release(tx, "vni", 2)
        release(tx, "vni", 1)
        assert [claim_in_turn(tx, "vni", [(1, 2), (5, 6)], "network/2") for _ in range(4)] == [5, 6, 1, 2]
        with pytest.raises(ExhaustedError):
            claim_in_turn(tx, "vni", [(1, 2), (5, 6)], "network/3")
        release(tx, "vni", 5)
        assert claim_in_turn(tx, "vni", [(1, 2), (5, 6)], "network/3") == 5


def test_what_is_taken_by_name_is_passed_over_in_turn() -> None:
    store = Store()
    with store.transaction() as tx:
        claim(tx, "vni", 2, "network/1")
        assert [claim_in_turn(tx, "vni", [(1, 9)], "network/2") for _ in range(2)] == [1, 3]
