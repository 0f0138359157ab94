"""The interface of a storage engine, and the one that keeps everything in memory.

An engine keeps documents (JSON text) under keys (``<kind>/<id>``), each with the revision that wrote it last. A commit
names the revision it expects of every key that it writes (0: absent); the engine applies all or nothing. The interface
is what etcd offers, so that several controllers can share one store.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from topology.turns import GiveWay, nobody_waits


class StorageError(Exception):
    """The engine cannot be opened, read or written; the text says why and what to do. Nothing was written."""


class ConflictError(Exception):
    """A key was not at the revision that the commit expected; nothing was written."""

    def __init__(self, key: str, expected: int, found: int) -> None:
        super().__init__(f"{key} is at revision {found}, expected {expected}")
        self.key = key


class Storage(Protocol):
    """Durable documents with revisions and compare-and-set."""

    def load(self) -> tuple[int, Iterable[tuple[str, int, str]]]:
        """Return the current revision and every (key, revision, document)."""
        ...

    def commit(
        self, expected: Mapping[str, int], writes: Mapping[str, str | None], give_way: GiveWay = nobody_waits
    ) -> int:
        """Write documents (None deletes) in one transaction and return its revision.

        ``give_way`` lets others have their turn meanwhile; none of them commits or loads.

        Raises ConflictError if a key in ``expected`` is not at its revision. On return the write survives the end of
        the process, however it ends.
        """
        ...

    def flush(self) -> None:
        """Return when every commit so far is durable: it survives the loss of power. Raises StorageError."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class MemoryStorage:
    """Keeps documents for the life of the process: tests, simulations, and the shape that others follow."""

    def __init__(self) -> None:
        self.revision = 0
        self.documents: dict[str, tuple[int, str]] = {}

    def load(self) -> tuple[int, Iterable[tuple[str, int, str]]]:
        """Return the revision and the documents; see ``Storage.load``."""
        return self.revision, [(key, revision, text) for key, (revision, text) in self.documents.items()]

    def commit(
        self, expected: Mapping[str, int], writes: Mapping[str, str | None], give_way: GiveWay = nobody_waits
    ) -> int:
        """Write documents if every expected revision holds; see ``Storage.commit``."""
        for key, revision in expected.items():
            found = self.documents.get(key, (0, ""))[0]
            if found != revision:
                raise ConflictError(key, revision, found)
        self.revision += 1
        for key, text in writes.items():
            if text is None:
                self.documents.pop(key, None)
            else:
                self.documents[key] = (self.revision, text)
        return self.revision

    def flush(self) -> None:
        """Nothing is durable here."""

    def close(self) -> None:
        """Nothing to release."""
