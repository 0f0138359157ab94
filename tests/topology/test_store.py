"""The store's promises one by one; test_store_history.py holds them together over any history."""

import threading

import pytest

from tests.topology.rows import claim, network, port
from topology.storage import ConflictError, MemoryStorage, StorageError
from topology.store import Change, RowChange, Store
from topology.turns import nobody_waits
from topology.values import Claim, FixedIP, Network, Port


class BrokenStorage(MemoryStorage):
    """Fails every commit, as a full disk does."""

    def commit(self, expected, writes, give_way=nobody_waits):
        raise StorageError("no space left on device")


def snapshot(store: Store) -> tuple:
    """Everything that a store knows, in comparable copies."""
    rows = {kind: dict(rows) for kind, rows in store._rows.items()}
    indexes = {name: dict(index.items()) for name, index in store._indexes.items()}
    claimed = {scope: list(values) for scope, values in store._claimed.items()}
    revisions = {kind: dict(revisions) for kind, revisions in store._revisions.items()}
    return rows, indexes, claimed, revisions, store.revision


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def changes(store) -> list[Change]:
    seen: list[Change] = []
    store.watch(seen.append)
    return seen


def test_a_transaction_sees_its_own_writes_and_others_see_them_after_it(store, changes):
    with store.transaction() as tx:
        tx.put(network())
        assert tx.get(Network, "net-1") == network()
        assert tx.find_ids(Network, "project", "red") == ("net-1",)
        assert changes == []
    assert store.find(Network, "project", "red") == [network()]
    assert changes == [Change(1, (RowChange(Network, "net-1", None, network()),))]


def test_a_failing_transaction_changes_nothing(store, changes):
    with store.transaction() as tx:
        tx.put(network())
        tx.put(claim("ip:a", 5))
    before = snapshot(store)
    with pytest.raises(RuntimeError, match="halfway"), store.transaction() as tx:
        tx.put(network(name="other", project_id="blue"))
        tx.put(port(fixed_ips=(FixedIP("sub-1", "10.0.0.5"),)))
        tx.delete(Claim, "ip:a/5")
        tx.put(claim("ip:a", 6))
        raise RuntimeError("halfway")
    assert snapshot(store) == before
    assert len(changes) == 1


def test_a_storage_that_fails_leaves_the_rows_as_they_were():
    store = Store(BrokenStorage())
    before = snapshot(store)
    with pytest.raises(StorageError), store.transaction() as tx:
        tx.put(network())
    assert snapshot(store) == before
    with pytest.raises(StorageError), store.transaction() as tx:
        tx.put(network("net-2"))


@pytest.mark.parametrize(
    "bad",
    [
        port(fixed_ips=None),
        port(fixed_ips=(FixedIP("sub-1", ["10.0.0.5"]),)),
        network(shared=True, project_id=["unhashable"]),
        port(fixed_ips=[FixedIP("sub-1", "10.0.0.5")]),
        network(name=object()),
    ],
)
def test_a_row_that_cannot_be_kept_is_refused_and_leaves_no_trace(store, bad):
    with store.transaction() as tx:
        tx.put(network())
        tx.put(port())
    before = snapshot(store)
    with pytest.raises((TypeError, AttributeError)), store.transaction() as tx:
        tx.put(bad)
    assert snapshot(store) == before


def test_what_ends_as_it_began_is_no_change(store, changes):
    with store.transaction() as tx:
        tx.put(network())
    with store.transaction() as tx:
        tx.put(network(name="brief"))
        tx.put(port())
        tx.delete(Port, "port-1")
        tx.put(network())
    with store.transaction() as tx:
        tx.delete(Network, "nobody")
    assert store.revision == 1 and len(changes) == 1


def test_a_transaction_within_a_transaction_is_part_of_it(store, changes):
    with store.transaction() as outer:
        outer.put(network())
        with store.transaction() as inner:
            inner.put(port())
    assert [len(change.rows) for change in changes] == [2]


def test_an_inner_failure_that_is_caught_undoes_the_inner_part_only(store, changes):
    with store.transaction() as outer:
        outer.put(network(name="outer"))
        try:
            with store.transaction() as inner:
                inner.put(network(name="inner"))
                inner.put(port())
                inner.put(claim("ip:a", 5))
                raise LookupError
        except LookupError:
            pass
        assert outer.get(Network, "net-1") == network(name="outer")
        assert outer.claimed("ip:a") == []
        outer.put(network("net-2"))
    assert {row.id: row.after for row in changes[0].rows} == {
        "net-1": network(name="outer"),
        "net-2": network("net-2"),
    }
    assert store.all(Port) == []
    assert snapshot(Store(store._storage)) == snapshot(store), "what is kept must be what is remembered"


def test_a_transaction_that_has_ended_takes_no_more_writes(store):
    with store.transaction() as tx:
        tx.put(network())
    with pytest.raises(RuntimeError, match="ended"):
        tx.put(network("net-2"))
    with pytest.raises(RuntimeError, match="ended"):
        tx.delete(Network, "net-1")
    assert store.ids(Network) == ["net-1"]


def test_threads_commit_one_after_another(store, changes):
    inside = threading.Event()
    go_on = threading.Event()

    def slow():
        with store.transaction() as tx:
            tx.put(network("net-1"))
            inside.set()
            assert go_on.wait(10)
            tx.put(network("net-2"))

    def quick():
        with store.transaction() as tx:
            tx.put(network("net-3"))

    first, second = threading.Thread(target=slow), threading.Thread(target=quick)
    first.start()
    assert inside.wait(10)
    second.start()
    second.join(0.05)
    assert second.is_alive(), "the second transaction must wait for the first"
    go_on.set()
    first.join(10)
    second.join(10)
    assert [[row.id for row in change.rows] for change in changes] == [["net-1", "net-2"], ["net-3"]]


def test_watchers_that_commit_do_not_disturb_the_order_for_others(store):
    seen: list[int] = []

    def follow_up(change: Change) -> None:
        if change.revision < 3:
            with store.transaction() as tx:
                tx.put(network(f"net-{change.revision + 1}"))

    store.watch(follow_up)
    store.watch(lambda change: seen.append(change.revision))
    with store.transaction() as tx:
        tx.put(network("net-1"))
    assert seen == [1, 2, 3]


def test_a_watcher_that_fails_harms_neither_the_commit_nor_the_others(store, caplog):
    seen: list[int] = []

    def broken(change: Change) -> None:
        raise ValueError("a bug in a watcher")

    store.watch(broken)
    store.watch(lambda change: seen.append(change.revision))
    for name in ("net-1", "net-2"):
        with store.transaction() as tx:
            tx.put(network(name))
    assert seen == [1, 2]
    assert "a bug in a watcher" in caplog.text


def test_a_watcher_that_left_hears_nothing_more(store):
    seen: list[Change] = []
    leave = store.watch(seen.append)
    leave()
    with store.transaction() as tx:
        tx.put(network())
    assert seen == []


def test_two_stores_on_one_storage_conflict_over_a_row_and_only_over_it():
    storage = MemoryStorage()
    with Store(storage).transaction() as tx:
        tx.put(network())
    one, other = Store(storage), Store(storage)
    with one.transaction() as tx:
        tx.put(network(name="one"))
    before = snapshot(other)
    with pytest.raises(ConflictError, match="network/net-1 is at revision 2, expected 1"), other.transaction() as tx:
        tx.put(port())
        tx.put(network(name="other"))
    assert snapshot(other) == before
    assert Store(storage).all(Network) == [network(name="one")]
    with other.transaction() as tx:
        tx.put(port())
    assert other.revision == 3
    assert Store(storage).all(Port) == [port()]


def test_two_stores_never_claim_one_value_twice():
    storage = MemoryStorage()
    one, other = Store(storage), Store(storage)
    with one.transaction() as tx:
        tx.put(claim("ip:a", 5, "port/1"))
    with pytest.raises(ConflictError), other.transaction() as tx:
        tx.put(claim("ip:a", 5, "port/2"))
    assert other.claimed("ip:a") == []


def test_a_document_that_cannot_be_read_costs_its_row_only_and_is_never_overwritten(caplog):
    storage = MemoryStorage()
    with Store(storage).transaction() as tx:
        tx.put(network("net-1"))
        tx.put(network("net-2"))
    for bad in ("{", "[]", "null", '{"id":"net-1"}', storage.documents["network/net-1"][1].replace("100", '"a"')):
        storage.documents["network/net-1"] = (1, bad)
        caplog.clear()
        store = Store(storage)
        assert store.ids(Network) == ["net-2"], bad
        assert "network/net-1" in caplog.text
        with pytest.raises(ConflictError), store.transaction() as tx:
            tx.put(network("net-1"))
        assert storage.documents["network/net-1"] == (1, bad)


def test_kinds_that_a_newer_controller_added_are_left_alone():
    storage = MemoryStorage()
    storage.commit({}, {"router/r1": '{"id":"r1"}'})
    store = Store(storage)
    with store.transaction() as tx:
        tx.put(network())
    assert storage.documents["router/r1"] == (1, '{"id":"r1"}')


def test_rows_under_a_key_are_counted(store):
    for number in range(3):
        with store.transaction() as tx:
            tx.put(network(f"n{number}"))
            assert tx.count(Network, "project", network("x").project_id) == number + 1
    assert store.count(Network, "project", "another") == 0


def test_an_unknown_index_is_an_error(store):
    with pytest.raises(KeyError):
        store.find(Network, "colour", "red")
    with pytest.raises(KeyError):
        store.find_ids(Network, "colour", "red")
