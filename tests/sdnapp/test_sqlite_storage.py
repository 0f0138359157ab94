"""What the SQLite engine promises, and what it says when it cannot be had. Any history: tests/topology."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sdnapp.sqlite_storage import FOLD_AFTER, SqliteStorage, open_storage
from topology.storage import ConflictError, StorageError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def storage(path):
    storage = SqliteStorage(path)
    yield storage
    storage.close()


def test_what_was_committed_is_there_after_reopening(path):
    storage = SqliteStorage(path)
    assert storage.load() == (0, [])
    assert storage.commit({"a/1": 0, "a/2": 0}, {"a/1": "one", "a/2": "two"}) == 1
    assert storage.commit({"a/1": 1, "a/2": 1}, {"a/1": "changed", "a/2": None}) == 2
    storage.close()
    storage = SqliteStorage(path)
    assert storage.load() == (2, [("a/1", 2, "changed")])
    assert storage.commit({"a/3": 0}, {"a/3": "three"}) == 3
    storage.close()


def test_the_revision_goes_on_when_nothing_is_left(path):
    storage = SqliteStorage(path)
    storage.commit({}, {"a/1": "one"})
    storage.commit({}, {"a/1": None})
    storage.close()
    storage = SqliteStorage(path)
    assert storage.load() == (2, [])
    storage.close()


@pytest.mark.parametrize(("key", "expected", "found"), [("a/1", 0, 1), ("a/1", 2, 1), ("a/2", 1, 0)])
def test_a_key_at_another_revision_conflicts_and_nothing_is_written(storage, key, expected, found):
    storage.commit({}, {"a/1": "one"})
    before = storage.load()
    with pytest.raises(ConflictError, match=f"{key} is at revision {found}, expected {expected}"):
        storage.commit({"a/3": 0, key: expected}, {"a/3": "three", key: "new"})
    assert storage.load() == before
    assert storage.commit({"a/1": 1}, {"a/1": "again"}) == 2


@pytest.fixture
def disk(monkeypatch, path):
    """Have each wait for the disk noted: the size that the log had then."""
    waits, really = [], os.fdatasync

    def noted(file):
        assert os.path.samestat(os.fstat(file), os.stat(f"{path}-wal"))
        waits.append(os.fstat(file).st_size)
        really(file)

    monkeypatch.setattr(os, "fdatasync", noted)
    return waits


def log_size(path):
    return os.stat(f"{path}-wal").st_size


def test_a_flush_waits_until_the_log_with_all_commits_is_on_the_disk(storage, path, disk):
    assert storage._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    storage.commit({}, {"a/1": "one"})
    storage.commit({}, {"a/2": "two"})
    assert disk == []
    storage.flush()
    assert disk == [log_size(path)]
    storage.flush()
    assert len(disk) == 1, "nothing has come since"
    storage.commit({}, {"a/2": None})
    storage.flush()
    assert len(disk) == 2


def test_what_a_former_controller_wrote_is_flushed_before_anybody_is_told(path, disk):
    storage = SqliteStorage(path)
    storage.commit({}, {"a/1": "one"})
    storage.close()
    storage = SqliteStorage(path)
    assert len(storage.load()[1]) == 1
    storage.flush()
    assert len(disk) == 1
    storage.close()


def test_one_wait_for_the_disk_serves_all_commits_before_it(path):
    waiting, released, waits = threading.Event(), threading.Event(), []

    def aside(act):
        waits.append(act)
        waiting.set()
        assert released.wait(10)
        act()

    storage = SqliteStorage(path, aside)
    storage.commit({}, {"a/1": "one"})
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(storage.flush)
        assert waiting.wait(10)
        others = []
        for number in range(8):
            storage.commit({}, {f"b/{number}": "text"})
            others.append(threads.submit(storage.flush))
        assert not first.done() and not any(each.done() for each in others), "commits go on, nobody is told"
        released.set()
        for each in (first, *others):
            each.result(10)
    assert len(waits) == 2, "the one under way, and one for all who came meanwhile"
    storage.close()


def test_who_comes_when_the_disk_is_done_waits_for_nobody(path):
    synced, returned = threading.Event(), threading.Event()

    def aside(act):
        act()
        synced.set()
        assert returned.wait(10)

    storage = SqliteStorage(path, aside)
    storage.commit({}, {"a/1": "one"})
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(storage.flush)
        assert synced.wait(10)
        threads.submit(storage.flush).result(5)
        assert not first.done()
        storage.commit({}, {"a/2": "two"})
        later = threads.submit(storage.flush)
        time.sleep(0.05)
        assert not later.done(), "what came later is not on the disk"
        returned.set()
        later.result(10)
    storage.close()


def test_what_takes_long_to_commit_is_committed_aside_by_who_lets_others_have_their_turn(path):
    acts = []

    def aside(act):
        acts.append(act.__name__)
        with ThreadPoolExecutor(1) as threads:
            threads.submit(act).result()

    storage = SqliteStorage(path, aside)
    many = {f"a/{number}": "text" for number in range(600)}
    assert storage.commit(dict.fromkeys(many, 0), many) == 1 and acts == [], "nobody may see what is not committed"
    assert storage.commit({"b/1": 0}, {"b/1": "one"}, lambda: None) == 2 and acts == [], "it takes no time"
    changed = dict.fromkeys(many, "changed")
    assert storage.commit(dict.fromkeys(many, 1), changed, lambda: None) == 3 and acts == ["_end"]
    with pytest.raises(ConflictError):
        storage.commit(dict.fromkeys(many, 1), changed, lambda: None)
    storage.close()
    storage = SqliteStorage(path)
    assert len(storage.load()[1]) == 601 and ("a/7", 3, "changed") in storage.load()[1]
    storage.close()


def test_after_a_failed_flush_nothing_is_written_any_more(path, monkeypatch):
    storage = SqliteStorage(path)
    storage.commit({}, {"a/1": "one"})
    storage.flush()
    storage.commit({"a/1": 1}, {"a/1": "two"})

    def fail(file):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    told = r"store\.sqlite: the disk has not confirmed the last changes \(Input/output error\).*started anew"
    with pytest.raises(StorageError, match=told):
        storage.flush()
    monkeypatch.undo()
    # A second attempt would succeed, though the system has forgotten what it could not write.
    with pytest.raises(StorageError, match=told):
        storage.flush()
    with pytest.raises(StorageError, match=told):
        storage.commit({}, {"a/2": "two"})
    storage.close()


def test_the_log_is_folded_into_the_file_now_and_then(storage, path):
    for number in range(3 * FOLD_AFTER // 100):
        storage.commit({}, {f"a/{number}-{each}": "x" * 500 for each in range(100)})
        storage.flush()
    documents = 3 * FOLD_AFTER * 500
    assert path.stat().st_size > documents / 2
    assert log_size(path) < documents


def test_a_log_that_cannot_be_folded_is_kept(storage, path, caplog):
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM documents").fetchall()
    for number in range(2 * FOLD_AFTER // 100):
        storage.commit({}, {f"a/{number}-{each}": "x" for each in range(100)})
        storage.flush()
    reader.close()
    storage.commit({}, {f"b/{each}": "x" for each in range(FOLD_AFTER)})
    storage.flush()
    assert len(storage.load()[1]) == 3 * FOLD_AFTER
    assert not caplog.records


def test_nobody_else_may_read_the_file(storage, path):
    storage.commit({}, {"a/1": "one"})
    for name in ("store.sqlite", "store.sqlite-wal", "store.sqlite-lock"):
        assert (path.parent / name).stat().st_mode & 0o077 == 0, name


def test_a_running_controllers_file_can_be_copied(storage, path, tmp_path):
    storage.commit({}, {"a/1": "one"})
    reader, copy = sqlite3.connect(path), sqlite3.connect(tmp_path / "copy")
    reader.backup(copy)
    reader.close()
    copy.close()
    storage.commit({}, {"a/2": "two"})
    restored = SqliteStorage(tmp_path / "copy")
    assert restored.load() == (1, [("a/1", 1, "one")])
    restored.close()


def test_a_full_disk_is_an_error_that_leaves_everything_as_it_was(storage):
    storage.commit({}, {"a/1": "one"})
    before = storage.load()
    pages = storage._connection.execute("PRAGMA page_count").fetchone()[0]
    storage._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match=r"store\.sqlite cannot be written: database or disk is full"):
        storage.commit({}, {"a/1": "two", "a/2": "x" * 100_000})
    assert storage.load() == before
    storage._connection.execute("PRAGMA max_page_count = 10000")
    assert storage.commit({"a/1": 1}, {"a/1": "two"}) == 2


def test_a_foreign_writers_lock_is_waited_for_and_then_reported(storage, path):
    storage._connection.execute("PRAGMA busy_timeout = 10")
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="database is locked"):
        storage.commit({}, {"a/1": "one"})
    foreign.execute("ROLLBACK")
    foreign.close()
    assert storage.commit({}, {"a/1": "one"}) == 1


def test_a_second_controller_is_kept_out_and_told_by_whom(path, tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from sdnapp.sqlite_storage import open_storage\n"
            "storage = open_storage('sqlite://' + sys.argv[1]); print('open', flush=True); sys.stdin.read()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "open\n"
        alias = tmp_path / "alias.sqlite"
        alias.symlink_to(path)
        for name in (path, alias):
            with pytest.raises(
                StorageError, match=rf"in use by another controller \(process {holder.pid}\): stop that one, or give"
            ):
                SqliteStorage(name)
        holder.send_signal(signal.SIGKILL)
    SqliteStorage(path).close()


def test_one_process_cannot_open_it_twice_either(storage, path):
    with pytest.raises(StorageError, match=f"process {os.getpid()}"):
        SqliteStorage(path)
    assert storage.commit({}, {"a/1": "one"}) == 1


def test_closing_twice_is_harmless(path):
    storage = SqliteStorage(path)
    storage.close()
    again = SqliteStorage(path)
    storage.close()
    with pytest.raises(StorageError):
        SqliteStorage(path)
    again.close()


def test_a_newer_file_is_refused_untouched(path):
    SqliteStorage(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"newer sdnapp \(schema 2, this one knows 1\): start that version"):
        SqliteStorage(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_untouched(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cookies (id)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="belongs to another program"):
        SqliteStorage(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_untouched(path):
    path.write_bytes(b"#!/bin/sh\n" * 500)
    with pytest.raises(StorageError, match=r"is damaged \(file is not a database\): restore it from a backup"):
        SqliteStorage(path)
    assert path.read_bytes() == b"#!/bin/sh\n" * 500


def test_damage_inside_is_found_at_the_start(path):
    storage = SqliteStorage(path)
    storage.commit({}, {f"a/{n}": "x" * 500 for n in range(1000)})
    storage.close()
    content = bytearray(path.read_bytes())
    content[8192:12288] = os.urandom(4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged"):
        SqliteStorage(path)


def test_a_truncated_file_is_found_at_the_start(path):
    storage = SqliteStorage(path)
    storage.commit({}, {f"a/{n}": "x" * 500 for n in range(1000)})
    storage.close()
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StorageError, match="is damaged"):
        SqliteStorage(path)


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    storage = SqliteStorage(path)
    assert storage.load() == (0, [])
    storage.close()


def test_a_failed_opening_leaves_no_lock(path):
    path.write_bytes(b"#!/bin/sh\n" * 500)
    with pytest.raises(StorageError, match="damaged"):
        SqliteStorage(path)
    path.unlink()
    SqliteStorage(path).close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("etcd://10.0.0.1:2379", "etcd is not available yet, use sqlite:///PATH"),
        ("mysql://root@localhost/x", "expected sqlite:///PATH"),
        ("/var/lib/store", "expected sqlite:///PATH"),
        ("sqlite", "expected sqlite:///PATH"),
        ("etcd", "expected sqlite:///PATH"),
        ("", "expected sqlite:///PATH"),
        ("sqlite://", "an absolute path must follow"),
        ("sqlite:///", "an absolute path must follow"),
        ("sqlite://store.sqlite", "an absolute path must follow"),
        ("sqlite:////nowhere/at/all/store.sqlite", "directory /nowhere/at/all does not exist: create it"),
        ("sqlite:///proc/store.sqlite", "/proc/store.sqlite-lock cannot be opened"),
    ],
)
def test_a_url_that_cannot_be_served_says_why(url, complaint):
    with pytest.raises(StorageError, match=complaint):
        open_storage(url)


def test_a_directory_is_no_store(tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(StorageError, match="store cannot be opened: Is a directory"):
        open_storage(f"sqlite://{tmp_path}/store")


@pytest.mark.parametrize("slashes", ["//", "///"])
def test_both_ways_to_write_an_absolute_path_name_one_file(path, slashes):
    storage = open_storage(f"sqlite:{slashes}{path}")
    storage.commit({}, {"a/1": "one"})
    storage.close()
    again = open_storage(f"sqlite://{path}")
    assert again.load() == (1, [("a/1", 1, "one")])
    again.close()
