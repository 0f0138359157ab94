"""The embedded storage engine: one SQLite file, one controller.

A commit is with the operating system when ``commit`` returns: it survives ``kill -9`` at any moment. It survives the
loss of power when ``flush`` has returned. One wait for the disk serves all commits before it (group commit), and is
spent aside, so that others go on. With ``synchronous=NORMAL`` SQLite keeps the file whole, but does not wait for the
write-ahead log; ``flush`` does. Folding the log into the file is done aside, too.

The write-ahead log (``PATH-wal``, ``PATH-shm``) belongs to the file while a controller runs. ``PATH-lock`` carries the
lock that keeps a second controller out; it names the process that holds it, and it stays behind when nobody runs.
Reading the file with ``sqlite3 PATH`` or copying it with ``sqlite3 PATH '.backup COPY'`` is safe at any time.
"""

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from topology.storage import ConflictError, Storage, StorageError
from topology.turns import GiveWay, nobody_waits

LOG = logging.getLogger(__name__)

SCHEMA = 1
"""Kept in ``PRAGMA user_version``. Raise it when an older controller could no longer understand the file."""

APPLICATION_ID = 0x73646E61
"""Kept in ``PRAGMA application_id``: tells our files from those of other programs ("sdna")."""

FOLD_AFTER = 1000
"""Documents written until the log is folded into the file, so that neither it nor a start grows without bounds."""

_PIECE = 250
"""Documents written between two turns of others: a millisecond or two."""
T = TypeVar("T")

Aside = Callable[[Callable[[], None]], None]
"""Has a function run, and returns when it has; others may go on meanwhile. What it raises is raised."""

_CREATE = f"""
BEGIN IMMEDIATE;
CREATE TABLE documents (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE current (revision INTEGER NOT NULL);
INSERT INTO current VALUES (0);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA};
COMMIT;
"""


def _at_once(act: Callable[[], None]) -> None:
    act()


def open_storage(url: str, aside: Aside = _at_once) -> Storage:
    """Open the storage engine that a ``store_url`` names: ``sqlite:///PATH``, with an absolute path.

    ``sqlite:////PATH`` names the same file. Waits for the disk are spent ``aside``: in a thread, where others shall go
    on meanwhile. Raises StorageError, which says what is wrong and what to do.
    """
    engine, separator, rest = url.partition("://")
    if engine == "etcd" and separator:
        raise StorageError(f"store_url = {url}: etcd is not available yet, use sqlite:///PATH")
    if engine != "sqlite" or not separator:
        raise StorageError(f"store_url = {url}: expected sqlite:///PATH")
    if not rest.startswith("/") or not rest.strip("/"):
        raise StorageError(
            f"store_url = {url}: an absolute path must follow, as in sqlite:///var/lib/sdnapp/store.sqlite"
        )
    return SqliteStorage(Path("/" + rest.lstrip("/")), aside)


class SqliteStorage:
    """Documents in an SQLite file, which only one controller may have open. See ``topology.storage.Storage``."""

    def __init__(self, path: Path, aside: Aside = _at_once) -> None:
        """Open the file, or create it where there is none. Raises StorageError."""
        self._path = path.resolve()
        self._aside = aside
        self._flushing = threading.Lock()
        self._written, self._flushed = 1, 0
        """Commits so far, and how many of them are on the disk. What is found counts as one: who wrote it may not have
        waited for the disk any more."""
        self._unfolded = 0
        self._failure = ""
        self._lock = _lock(self._path)
        try:
            self._connection = self._open()
        except BaseException:
            self._lock.close()
            raise
        # Another connection, as it is used from another thread, while commits go on.
        self._folding = self._connect()

    def load(self) -> tuple[int, Iterable[tuple[str, int, str]]]:
        """Return the current revision and every (key, revision, document). Raises StorageError."""
        with self._errors("cannot be read"):
            (revision,) = self._connection.execute("SELECT revision FROM current").fetchone()
            return revision, self._connection.execute("SELECT key, revision, document FROM documents").fetchall()

    def commit(
        self, expected: Mapping[str, int], writes: Mapping[str, str | None], give_way: GiveWay = nobody_waits
    ) -> int:
        """Write documents (None deletes), all or none. Raises ConflictError or StorageError."""
        connection = self._connection
        if self._failure:
            raise StorageError(self._failure)
        with self._errors("cannot be written"):
            try:
                connection.execute("BEGIN IMMEDIATE")
                for wanted_ones in _pieces(expected, give_way):
                    for key, wanted in wanted_ones:
                        row = connection.execute("SELECT revision FROM documents WHERE key = ?", (key,)).fetchone()
                        found = row[0] if row else 0
                        if found != wanted:
                            raise ConflictError(key, wanted, found)
                revision: int = connection.execute(
                    "UPDATE current SET revision = revision + 1 RETURNING revision"
                ).fetchone()[0]
                for some in _pieces(writes, give_way):
                    connection.executemany(
                        "DELETE FROM documents WHERE key = ?", [(key,) for key, text in some if text is None]
                    )
                    connection.executemany(
                        "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
                        [(key, revision, text) for key, text in some if text is not None],
                    )
                if len(writes) > _PIECE and give_way is not nobody_waits:
                    # 14 ms for 16,000 ports. Whoever gives way lets nobody see, nor write, anything until it returns.
                    self._aside(self._end)
                else:
                    self._end()
            except BaseException:
                # SQLite itself rolls back after some errors (a full disk), and then there is nothing left to undo.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        self._written += 1
        self._unfolded += len(writes)
        return revision

    def _end(self) -> None:
        self._connection.execute("COMMIT")

    def flush(self) -> None:
        """Return when every commit so far is on the disk. Raises StorageError, from then on always, if one is not."""
        wanted = self._written
        if self._flushed >= wanted and not self._failure:
            return
        # Whoever comes while another waits for the disk finds, when it is his turn, that somebody has waited for him.
        with self._flushing:
            if self._failure:
                raise StorageError(self._failure)
            if self._flushed >= wanted:
                return
            wanted = self._written
            try:
                self._aside(partial(self._sync, wanted))
            except OSError as error:
                # What the system could not write it may have forgotten: a second attempt would prove nothing.
                self._failure = (
                    f"{self._path}: the disk has not confirmed the last changes ({error.strerror}), which may be lost "
                    "with the power: nothing more is written until the controller is started anew"
                )
                raise StorageError(self._failure) from error

    def _sync(self, wanted: int) -> None:
        """Wait for the disk, for so many commits; fold the log into the file now and then. In a thread of its own."""
        log = os.open(f"{self._path}-wal", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fdatasync(log)
        finally:
            os.close(log)
        # Here, as whoever is in the midst of a pass has nothing to wait for when it ends, and goes on at once.
        self._flushed = wanted
        if self._unfolded >= FOLD_AFTER:
            self._unfolded = 0
            try:
                # Without waiting for anybody; what cannot be folded yet is the next time.
                self._folding.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:
                LOG.warning("%s: its log could not be folded into it, which is tried again: %s", self._path, error)

    def close(self) -> None:
        """Fold the log into the file and let another controller have it."""
        self._folding.close()
        self._connection.close()
        self._lock.close()

    def _open(self) -> sqlite3.Connection:
        with self._errors("cannot be opened"):
            # Created by us and not by SQLite, so that nobody else may read what tenants keep here.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = self._connect()
            try:
                self._check(connection)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA wal_autocheckpoint = 0")
            except BaseException:
                connection.close()
                raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        # The store serialises commits, and flushes are: so connections may pass from thread to thread.
        return sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)

    def _check(self, connection: sqlite3.Connection) -> None:
        """Create the tables in an empty file; refuse a file that is not ours, too new, or damaged."""
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            connection.executescript(_CREATE)
            return
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StorageError(f"{self._path} belongs to another program: choose another file in store_url")
        schema = connection.execute("PRAGMA user_version").fetchone()[0]
        if schema != SCHEMA:
            raise StorageError(
                f"{self._path} was written by a newer sdnapp (schema {schema}, this one knows {SCHEMA}): "
                "start that version, or choose another file in store_url"
            )
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn the errors of SQLite and of the system into StorageErrors that say what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            # Full disk, no permission, a lock held by somebody's sqlite3 session, input or output error.
            raise StorageError(f"{self._path} {what}: {error}") from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # Its subclasses tell of our own mistakes.
                raise
            raise StorageError(
                f"{self._path} is damaged ({error}): restore it from a backup, "
                "or move it away to begin with an empty store"
            ) from error
        except OSError as error:
            raise StorageError(f"{self._path} {what}: {error.strerror}") from error


def _pieces(items: Mapping[str, T], give_way: GiveWay) -> Iterator[list[tuple[str, T]]]:
    """Yield the items, some at a time, and give way in between."""
    left = iter(items.items())
    some = list(islice(left, _PIECE))
    while some:
        yield some
        some = list(islice(left, _PIECE))
        if some:
            give_way()


def _lock(path: Path) -> BinaryIO:
    """Take the lock of a store's file and return what holds it until it is closed.

    A lock of our own: with SQLite's exclusive mode nobody could copy the store of a running controller.
    The kernel drops it with the process, however that ends.
    """
    lock_path = path.with_name(path.name + "-lock")
    if not path.parent.is_dir():
        raise StorageError(f"directory {path.parent} does not exist: create it, or choose another path in store_url")
    try:
        lock = open(lock_path, "a+b", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
    except OSError as error:
        raise StorageError(f"{lock_path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read(20).decode(errors="replace").strip() or "unknown"
        lock.close()
        raise StorageError(
            f"{path} is in use by another controller (process {holder}): stop that one, or give this one "
            "a store_url of its own"
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n".encode())
    return lock
