"""What is written to a draft is as if it had been written at once, and nobody sees any of it before all of it."""

import contextlib
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdnapp.sqlite_storage import SqliteStorage
from tests.topology.rows import any_row, claim, port
from tests.topology.test_steady import as_read, keys_of
from tests.topology.test_store_history import Stop, everything, expected_indexes, write
from topology.draft import drafted
from topology.steady import Steady
from topology.storage import MemoryStorage, StorageError
from topology.store import Store
from topology.turns import nobody_waits
from topology.values import Claim, Port

_deletions = any_row.map(lambda row: (type(row), row.id))
_writes = st.lists(any_row | _deletions, max_size=8)
_parts = st.lists(st.tuples(_writes, st.booleans()), min_size=1, max_size=4)


def carry_out(store, tx, parts):
    for writes, fails in parts:
        with contextlib.suppress(Stop), store.transaction():
            write(tx, writes)
            if fails:
                raise Stop


def indexes(store):
    return {name: dict(index.items()) for name, index in store._indexes.items()}


def as_tuples(found):
    return {name: {key: tuple(ids) for key, ids in keys.items()} for name, keys in found.items()}


def reads(store, names):
    """Return all that can be read of a store, claims and index keys included."""
    claims = {scope: list(store.claimed(scope)) for scope in {row.scope for row in store.all(Claim)}}
    counts = {name: store.count(*name) for name in names}
    found = {name: store.find(*name) for name in names}
    return everything(store), {name: tuple(store.find_ids(*name)) for name in names}, claims, counts, found


@given(_writes, _parts)
def test_a_draft_reads_and_commits_as_a_transaction_does(before, parts):
    at_once, aside = Store(), Store()
    told = {at_once: [], aside: []}
    for store in (at_once, aside):
        with store.transaction() as tx:
            write(tx, before)
        store.watch(told[store].append)
    untouched = everything(aside), indexes(aside)
    with at_once.transaction() as tx:
        carry_out(at_once, tx, parts)
        names = {*keys_of(at_once), *keys_of(aside)}
        within = reads(at_once, names)
    with drafted(aside, nobody_waits) as (draft, tx):
        carry_out(draft, tx, parts)
        assert reads(draft, names) == within
        assert (everything(aside), indexes(aside)) == untouched, "nobody else sees any of it"
    assert reads(aside, names) == reads(at_once, names)
    assert indexes(aside) == indexes(at_once) == as_tuples(expected_indexes(aside))
    assert aside._claimed == at_once._claimed
    assert (aside.revision, aside._revisions, told[aside]) == (at_once.revision, at_once._revisions, told[at_once])


@given(_writes, _writes)
def test_a_draft_that_fails_leaves_nothing(before, writes):
    store = Store()
    with store.transaction() as tx:
        write(tx, before)
    then = everything(store), store.revision
    with contextlib.suppress(Stop), drafted(store, nobody_waits) as (_, tx):
        write(tx, writes)
        raise Stop
    assert (everything(store), store.revision) == then
    assert indexes(store) == as_tuples(expected_indexes(store))
    with store.transaction() as tx:
        tx.put(port("after"))


@given(_writes, _writes)
def test_a_held_moment_stays_while_a_draft_is_put_in_place(before, writes):
    store = Store()
    with store.transaction() as tx:
        write(tx, before)
    then = store.revision, everything(store), keys_of(store)
    steady = Steady(store)
    steady.hold()
    with drafted(store, nobody_waits) as (_, tx):
        write(tx, writes)
    assert as_read(steady, {*then[2], *keys_of(store)}) == then
    steady.let_go()


def test_others_write_after_it_and_who_drafts_cannot_write_past_it():
    store = Store()
    done = threading.Event()

    def others():
        with store.transaction() as tx:
            tx.put(port("other", key=store.count(Port, "every", True)))
        done.set()

    with drafted(store, nobody_waits) as (draft, tx):
        assert store.is_being_written
        thread = threading.Thread(target=others)
        thread.start()
        tx.put(port("own"))
        with pytest.raises(RuntimeError), store.transaction():
            pass
        assert not done.wait(0.05)
        with pytest.raises(RuntimeError), drafted(store, nobody_waits):
            pass
    thread.join(10)
    assert store.get(Port, "other").key == 1, "it sees all of the draft"
    with store.transaction(), pytest.raises(RuntimeError), drafted(store, nobody_waits):
        pass
    assert draft._open is None


def test_what_the_engine_refuses_is_not_put_in_place():
    class Broken(MemoryStorage):
        def commit(self, expected, writes, give_way=nobody_waits):
            raise StorageError("full")

    store = Store(Broken())
    with pytest.raises(StorageError), drafted(store, nobody_waits) as (_, tx):
        tx.put(port())
    assert everything(store) == {} and not store.is_being_written


def test_a_large_commit_gives_way_to_others(tmp_path):
    store = Store(SqliteStorage(tmp_path / "store.sqlite"))
    seen = []
    with drafted(store, lambda: seen.append(len(store.all(Claim)))) as (_, tx):
        for value in range(2000):
            tx.put(claim("scope", value))
    assert seen.count(0) > 10 and set(seen) == {0, 2000} and seen == sorted(seen)
    assert len(store.all(Claim)) == 2000
    store.close()
    store = Store(SqliteStorage(tmp_path / "store.sqlite"))
    assert len(store.all(Claim)) == 2000
    store.close()


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr("topology.turns.STRIDE", 1)


def written(rows):
    store = Store(MemoryStorage())
    with store.transaction() as tx:
        write(tx, rows)
    return store


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_writes, _writes)
def test_while_a_draft_is_put_in_place_all_is_shown_as_it_was(small_steps, before, writes):
    store = written(before)
    keys = keys_of(store)
    then = store.revision, reads(store, keys)
    seen = []
    with drafted(store, lambda: seen.append((store.revision, reads(store, keys)))) as (_, tx):
        write(tx, writes)
    now = store.revision, reads(store, keys)
    shown = seen.index(now) if now in seen else len(seen)
    assert seen == [then] * shown + [now] * (len(seen) - shown)
    assert indexes(store) == as_tuples(expected_indexes(store))


def test_putting_a_draft_in_place_gives_others_their_turn_for_each_row_and_index_key(small_steps):
    store = written([port(f"p{number}", key=number) for number in range(50)])
    turns = {"before": 0, "committed": 0, "afterwards": 0}

    def give_way():
        is_committed, is_shown = store._storage.revision == 2, store.revision == 2
        turns["afterwards" if is_shown else "committed" if is_committed else "before"] += 1
        assert len(store.all(Port)) == store.count(Port, "every", True) == (0 if is_shown else 50)

    with drafted(store, give_way) as (_, tx):
        for number in range(50):
            tx.delete(Port, f"p{number}")
    assert store.all(Port) == [] and store.count(Port, "every", True) == 0
    # Of the difference: what was written, what differs, what is handed over. In place: revisions, rows, their indexes.
    # All of that is forgotten afterwards, and what was shown meanwhile, too.
    assert min(turns.values()) > 3 * 50


def test_whoever_breaks_off_in_between_leaves_all_of_a_draft_or_nothing(small_steps):
    outcomes = []
    while not outcomes or outcomes[-1] != "done":
        store = written([port("old"), port("gone", key=2)])
        told, left = [], len(outcomes)
        store.watch(told.append)

        def give_way():
            nonlocal left
            left -= 1
            if left < 0:
                raise Stop

        try:
            with drafted(store, give_way) as (_, tx):
                tx.put(port("old", key=7))
                tx.put(port("new", key=8))
                tx.delete(Port, "gone")
            outcomes.append("done")
        except Stop:
            outcomes.append("all" if told else "nothing")
        assert {row.id: row.key for row in store.all(Port)} == ({"old": 7, "new": 8} if told else {"old": 1, "gone": 2})
        assert store.revision == store._storage.revision == (2 if told else 1)
        assert indexes(store) == as_tuples(expected_indexes(store))
        with store.transaction() as tx:
            tx.put(port("old", key=9))
    assert outcomes == sorted(outcomes, key=["nothing", "all", "done"].index) and len(set(outcomes)) == 3
