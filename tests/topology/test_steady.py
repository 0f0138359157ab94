"""A held moment of a store reads as the store did then, whatever is written, or undone, meanwhile."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.topology.rows import any_row, port
from tests.topology.test_store_history import Stop, everything, expected_indexes, write
from topology.kinds import KINDS
from topology.steady import Steady
from topology.store import Store
from topology.values import Port

_deletions = any_row.map(lambda row: (type(row), row.id))
_transactions = st.lists(
    st.tuples(st.lists(any_row | _deletions, min_size=1, max_size=5), st.booleans()), min_size=1, max_size=5
)


def carry_out(store, transactions):
    for writes, fails in transactions:
        with contextlib.suppress(Stop), store.transaction() as tx:
            write(tx, writes)
            if fails:
                raise Stop


def as_read(reader, names):
    rows = {(kind.row, row.id): row for kind in KINDS for row in reader.all(kind.row)}
    assert {(kind.row, row_id) for kind in KINDS for row_id in reader.ids(kind.row)} == rows.keys()
    assert all(reader.get(*name) == row for name, row in rows.items())
    found = {name: reader.find_ids(*name) for name in names}
    return reader.revision, rows, {name: ids for name, ids in found.items() if ids}


def keys_of(store):
    return {(*index, key): tuple(ids) for index, keys in expected_indexes(store).items() for key, ids in keys.items()}


@given(_transactions, _transactions)
def test_a_moment_stays_as_it_was(before, after):
    store = Store()
    steady = Steady(store)
    carry_out(store, before)
    then = store.revision, everything(store), keys_of(store)
    steady.hold()
    carry_out(store, after)
    names = {*then[2], *keys_of(store)}
    assert as_read(steady, names) == then
    assert all(steady.get(*name) is None for name in everything(store).keys() - then[1].keys())
    steady.let_go()
    assert as_read(steady, names) == (store.revision, everything(store), keys_of(store))


def test_a_moment_is_between_transactions_and_one_at_a_time():
    store = Store()
    with store.transaction() as tx:
        tx.put(port())
        with pytest.raises(RuntimeError):
            Steady(store).hold()
    first = Steady(store)
    first.hold()
    with pytest.raises(RuntimeError):
        Steady(store).hold()
    with store.transaction() as tx:
        tx.delete(Port, "port-1")
    assert first.get(Port, "port-1") is not None
    first.let_go()
    assert first.get(Port, "port-1") is None


def test_what_was_kept_is_forgotten_in_slices_when_the_moment_is_over(monkeypatch):
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    store, turns = Store(), []
    steady = Steady(store)
    steady.hold()
    with store.transaction() as tx:
        tx.put(port())
    steady.let_go(lambda: turns.append(steady.get(Port, "port-1") is not None))
    assert len(turns) > 2 and all(turns), "and whoever reads meanwhile reads the store"
