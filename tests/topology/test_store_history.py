"""Any history of transactions, over each storage engine at once: what the store promises after every step."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sdnapp.sqlite_storage import SqliteStorage
from tests.topology.rows import any_row
from topology.documents import to_document
from topology.kinds import KINDS
from topology.storage import MemoryStorage
from topology.store import Change, Store
from topology.values import Claim


class Stop(Exception):
    """What a transaction's body raises halfway."""


_deletions = any_row.map(lambda row: (type(row), row.id))
_writes = st.lists(any_row | _deletions, min_size=1, max_size=6)
_parts = st.lists(_writes | st.tuples(st.just("caught failure"), _writes), min_size=1, max_size=3)


def write(tx, writes) -> None:
    for item in writes:
        if isinstance(item, tuple):
            tx.delete(*item)
        else:
            tx.put(item)


def expected_indexes(store: Store) -> dict:
    found: dict = {(kind.row, name): {} for kind in KINDS for name in kind.indexes}
    for kind in KINDS:
        for row in store.all(kind.row):
            for name, keys_of in kind.indexes.items():
                for key in keys_of(row):
                    found[kind.row, name].setdefault(key, []).append(row.id)
    return {name: {key: tuple(sorted(ids)) for key, ids in index.items()} for name, index in found.items()}


def everything(store: Store) -> dict:
    return {(kind.row, row.id): row for kind in KINDS for row in store.all(kind.row)}


class AnyHistory(RuleBasedStateMachine):
    """One history on a store in memory and on one in SQLite, beside a plain dictionary that says what must be there."""

    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "store.sqlite"
        self.expected: dict = {}
        self.commits = 0
        self.replica: dict = {}
        self.changes: list[Change] = []

    @initialize()
    def begin(self):
        self.memory, self.file = MemoryStorage(), SqliteStorage(self.path)
        self.open()

    def open(self):
        self.stores = [Store(self.memory), Store(self.file)]
        for store in self.stores:
            store.watch(self.changes.append)

    def run(self, body) -> None:
        """Run one body on both stores; both must do alike."""
        self.changes.clear()
        outcomes = []
        for store in self.stores:
            try:
                with store.transaction() as tx:
                    body(tx)
                outcomes.append("committed")
            except Stop:
                outcomes.append("failed")
        assert outcomes[0] == outcomes[1]
        self.told = list(self.changes)
        assert self.told[: len(self.told) // 2] == self.told[len(self.told) // 2 :], "the engines differ"

    @rule(parts=_parts)
    def commit(self, parts):
        before = dict(self.expected)

        def body(tx):
            for part in parts:
                if isinstance(part, tuple):
                    try:
                        with tx._store.transaction() as inner:
                            write(inner, part[1])
                            raise Stop
                    except Stop:
                        continue
                write(tx, part)

        for part in parts:
            for item in part if isinstance(part, list) else ():
                if isinstance(item, tuple):
                    self.expected.pop(item, None)
                else:
                    self.expected[type(item), item.id] = item
        self.run(body)
        if before == self.expected:
            assert self.told == [], "a commit that changes nothing is none"
            return
        self.commits += 1
        change = self.told[0]
        assert change.revision == self.commits
        differing = {key for key in before.keys() | self.expected.keys() if before.get(key) != self.expected.get(key)}
        assert {(row.kind, row.id) for row in change.rows} == differing and len(change.rows) == len(differing)
        for row in change.rows:
            assert row.before == before.get((row.kind, row.id))
            assert row.after == self.expected.get((row.kind, row.id))

    @rule(parts=st.lists(_writes, min_size=1, max_size=2))
    def fail_halfway(self, parts):
        def body(tx):
            for part in parts:
                write(tx, part)
            raise Stop

        self.run(body)
        assert self.told == []

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def repeat_what_is_there(self, data):
        row = data.draw(st.sampled_from(sorted(self.expected.values(), key=repr)))
        self.run(lambda tx: tx.put(row))
        assert self.told == []

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def remove_and_restore(self, data):
        rows = data.draw(st.lists(st.sampled_from(sorted(self.expected.values(), key=repr)), min_size=1, max_size=3))

        def body(tx):
            for row in rows:
                tx.delete(type(row), row.id)
            for row in rows:
                tx.put(row)

        self.run(body)
        assert self.told == []

    @rule()
    def reopen(self):
        self.stores[1].close()
        self.file = SqliteStorage(self.path)
        self.open()

    @invariant()
    def rows_are_as_expected(self):
        for store in getattr(self, "stores", []):
            assert everything(store) == self.expected
            assert store.revision == self.commits

    @invariant()
    def indexes_are_what_the_rows_say(self):
        for store in getattr(self, "stores", []):
            assert {name: dict(index.items()) for name, index in store._indexes.items()} == expected_indexes(store)

    @invariant()
    def claims_are_what_the_rows_say(self):
        for store in getattr(self, "stores", []):
            scopes: dict[str, list[int]] = {}
            for row in sorted(store.all(Claim), key=lambda row: row.value):
                scopes.setdefault(row.scope, []).append(row.value)
            assert store._claimed == scopes

    @invariant()
    def both_engines_keep_the_same_documents(self):
        if hasattr(self, "stores"):
            (revision, documents), (file_revision, file_documents) = self.memory.load(), self.file.load()
            assert revision == file_revision
            assert sorted(documents) == sorted(file_documents)
            names = {kind.row: kind.name for kind in KINDS}
            assert {key: text for key, _, text in file_documents} == {
                f"{names[kind]}/{row_id}": to_document(row) for (kind, row_id), row in self.expected.items()
            }

    def teardown(self):
        if hasattr(self, "stores"):
            self.stores[1].close()
        self.directory.cleanup()


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
