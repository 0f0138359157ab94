"""What chassis report, as rows: claims come, stay, change and go, and the latest is known by its sequence."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology.placement import AT_ONCE, Plugged, forget, observe
from topology.store import Change, Store
from topology.values import Chassis, Claim, PortBinding

A, B = Chassis("a"), Chassis("b")


@pytest.fixture
def store() -> Store:
    return Store()


def claims(store: Store) -> dict[str, tuple[int, str]]:
    return {binding.id: (binding.ofport, binding.interface) for binding in store.all(PortBinding)}


def sequence(store: Store, binding_id: str) -> int:
    binding = store.get(PortBinding, binding_id)
    assert binding is not None
    return binding.sequence


def test_what_is_plugged_is_claimed_and_what_is_not_is_not(store: Store) -> None:
    observe(store, A, {"p1": Plugged(1, "tap1"), "p2": Plugged(2, "tap2")})
    observe(store, B, {"p3": Plugged(1, "tap3")})
    observe(store, A, {"p2": Plugged(2, "tap2"), "p4": Plugged(4, "tap4")})
    assert claims(store) == {"p2@a": (2, "tap2"), "p4@a": (4, "tap4"), "p3@b": (1, "tap3")}
    assert {binding.id for binding in store.find(PortBinding, "port", "p2")} == {"p2@a"}
    assert {binding.id for binding in store.find(PortBinding, "chassis", "b")} == {"p3@b"}


def test_a_claim_that_stands_keeps_its_sequence_under_another_number(store: Store) -> None:
    observe(store, A, {"p1": Plugged(1, "tap1")})
    observe(store, B, {"p1": Plugged(7, "tap1")})
    before = sequence(store, "p1@a")
    assert sequence(store, "p1@b") > before
    observe(store, A, {"p1": Plugged(9, "tap9")})
    assert claims(store)["p1@a"] == (9, "tap9")
    assert sequence(store, "p1@a") == before, "it is no newer for that"
    observe(store, A, {})
    observe(store, A, {"p1": Plugged(9, "tap9")})
    assert sequence(store, "p1@a") > sequence(store, "p1@b"), "a new claim is the latest"


def test_nothing_is_written_when_nothing_differs(store: Store) -> None:
    observe(store, A, {"p1": Plugged(1, "tap1")})
    changes: list[Change] = []
    store.watch(changes.append)
    observe(store, A, {"p1": Plugged(1, "tap1")})
    assert changes == []
    observe(store, replace(A, hostname="one"), {"p1": Plugged(1, "tap1")})
    assert [[row.kind for row in change.rows] for change in changes] == [[Chassis]]


def test_a_chassis_that_is_forgotten_claims_nothing(store: Store) -> None:
    observe(store, A, {"p1": Plugged(1, "tap1"), "p2": Plugged(2, "tap2")})
    observe(store, B, {"p1": Plugged(1, "tap1")})
    forget(store, "a")
    assert store.ids(Chassis) == ["b"] and set(claims(store)) == {"p1@b"}
    forget(store, "a")


def zone(store: Store, binding_id: str) -> int:
    binding = store.get(PortBinding, binding_id)
    assert binding is not None
    return binding.zone


def test_each_binding_has_a_zone_of_its_own_on_its_chassis_and_keeps_it(store: Store) -> None:
    observe(store, A, {"p1": Plugged(1, "tap1"), "p2": Plugged(2, "tap2")})
    first, second = zone(store, "p1@a"), zone(store, "p2@a")
    assert 0 < first < second < 1 << 16
    observe(store, A, {"p1": Plugged(9, "tap1")})
    assert zone(store, "p1@a") == first
    observe(store, A, {"p1": Plugged(9, "tap1"), "p2": Plugged(2, "tap2")})
    assert zone(store, "p2@a") > second, "connections of the former binding may still be remembered"


def test_a_chassis_that_is_forgotten_gives_its_zones_back(store: Store) -> None:
    observe(store, A, {"p1": Plugged(1, "tap1")})
    forget(store, "a")
    assert [claim for claim in store.all(Claim) if claim.scope == "zone:a"] == []


def test_a_binding_of_a_version_without_zones_gets_one(store: Store) -> None:
    observe(store, A, {"p1": Plugged(1, "tap1")})
    with store.transaction() as tx:
        binding = tx.get(PortBinding, "p1@a")
        assert binding is not None
        tx.put(replace(binding, zone=0))
    observe(store, A, {"p1": Plugged(1, "tap1")})
    assert zone(store, "p1@a") > 0
    assert sequence(store, "p1@a") == binding.sequence


def test_many_claims_are_recorded_some_at_a_time(store: Store) -> None:
    plugged = {f"p{number:03}": Plugged(number, f"tap{number}") for number in range(1, 3 * AT_ONCE)}
    changes: list[Change] = []
    store.watch(changes.append)
    seen: list[int] = []
    observe(store, A, plugged, lambda: seen.append(len(store.all(PortBinding))))
    assert seen == [0, AT_ONCE, 2 * AT_ONCE], "while what differs is looked for, and twice while it is written"
    assert len(changes) == 3 and all(len(change.rows) <= 3 * AT_ONCE for change in changes)
    assert claims(store) == {f"{id_}@a": tuple(where) for id_, where in plugged.items()}
    zones = {binding.zone for binding in store.all(PortBinding)}
    assert len(zones) == len(plugged)


def test_a_chassis_that_is_forgotten_halfway_stays_forgotten(store: Store) -> None:
    plugged = {f"p{number:03}": Plugged(number, f"tap{number}") for number in range(1, 3 * AT_ONCE)}
    observe(store, A, plugged, lambda: forget(store, "a"))
    assert store.all(PortBinding) == [] and store.all(Chassis) == []
    assert [claim for claim in store.all(Claim) if claim.scope == "zone:a"] == []


REPORTS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), st.sampled_from([Plugged(1, "tap1"), Plugged(2, "tap2")])),
        st.booleans(),
    ),
    max_size=6,
)
"""What is plugged, and whether the chassis is forgotten before that is told."""


@given(REPORTS)
def test_a_report_that_says_what_has_changed_records_as_much_as_one_that_does_not(
    reports: list[tuple[dict[str, Plugged], bool]],
) -> None:
    complete, by_difference = Store(), Store()
    before: dict[str, Plugged] | None = None
    for plugged, is_forgotten in reports:
        ids = {*plugged, *(before or ())}
        changed = {each for each in ids if plugged.get(each) != (before or {}).get(each)}
        for each in (complete, by_difference):
            if is_forgotten:
                forget(each, "a")
        observe(complete, A, plugged)
        observe(by_difference, A, plugged, changed=changed if before is not None else None)
        for kind in (Chassis, PortBinding, Claim):
            rows = ({row.id: row for row in each.all(kind)} for each in (complete, by_difference))
            assert next(rows) == next(rows)
        before = plugged


def test_many_ports_that_go_are_forgotten_some_at_a_time() -> None:
    store, changes, turns = Store(), [], []
    observe(store, Chassis("a"), {f"p{number}": Plugged(number + 1, f"tap{number}") for number in range(3 * AT_ONCE)})
    store.watch(changes.append)
    observe(store, Chassis("a"), {"p0": Plugged(1, "tap0")}, lambda: turns.append(None))
    assert [row.port_id for row in store.all(PortBinding)] == ["p0"]
    removed = [sum(row.after is None and row.kind is PortBinding for row in change.rows) for change in changes]
    assert sum(removed) == 3 * AT_ONCE - 1 and max(removed) <= AT_ONCE and len(turns) == 3
