"""Python's garbage collector, kept from holding the event loop.

A full collection looks at every object that there is: with 4,000 ports that holds everything else for half a second,
with 40,000 for longer than a switch's database waits, and Python does it whenever a quarter more have come. But rows,
flows and what is remembered of them are in no cycles, and go without its help. So only young objects are looked at, and
the others once: each time that the process has grown by some MiB, what has come since and is still there is set aside
for good (``gc.freeze``). What was in use then, and left a cycle behind later, stays; that is little.
"""

import gc
import logging
import time
from pathlib import Path

LOG = logging.getLogger(__name__)

YOUNG, MIDDLE, NEVER = 5_000, 5, 1 << 30
"""Collections of young objects come after so many new ones, of middle-aged ones after so many of those: some
milliseconds each."""
STEP = 8 << 20
"""Bytes by which the process grows between two collections of all that is not set aside: some 30 ms each."""
_PAGE = 4096
_MEMORY = Path("/proc/self/statm")


class Garbage:
    """Decides when to collect. ``tick`` is called once a second or so."""

    def __init__(self) -> None:
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        gc.freeze()
        self._size = _size()
        """Bytes of memory after the last collection."""

    def tick(self) -> None:
        """Collect, and set aside, if memory has grown."""
        size = _size()
        if size <= self._size + STEP:
            return
        started = time.monotonic()
        found = gc.collect()
        gc.freeze()
        self._size = _size()
        milliseconds = (time.monotonic() - started) * 1000
        LOG.debug(
            "memory has grown to %d MiB: %d objects were unreachable, found in %d ms", size >> 20, found, milliseconds
        )


def _size() -> int:
    """Return the bytes of memory that this process has; 0 where the system does not tell."""
    try:
        return int(_MEMORY.read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
