"""Python's garbage collector, kept from holding the event loop.

A full collection looks at every object that there is: with 4,000 ports that holds everything else for half a second,
with 40,000 for longer than a switch's database waits, and Python does it whenever a quarter more have come. But rows,
flows and what is remembered of them are in no cycles, and go without its help. So each object is looked at while it is
young, and what is still there after a full collection is set aside for good (``gc.freeze``). What was in use then, and
left a cycle behind later, stays; that is little.

Each full collection looks at what has come since the one before. How much that is follows from how long it took, so
that a slow machine makes smaller steps.
"""

import gc
import time
from typing import Any

FIRST, LEAST, MOST = 1_000, 250, 1_000
"""New objects between two collections of the youngest: at first, and at least and at most later. More would not be
cheaper, and a table that is being filled meanwhile, which is looked at with all that is in it, would be larger."""
OLDER, OLDEST = 2, 1
"""Collections of the next older come after more than so many, full ones after more than so many of those: every ninth
to twelfth collection is a full one."""
AIM = 0.005
"""Seconds that a full collection should take at most: of the thread's processor time, as what others take of a busy
machine says nothing about the step."""


def set_aside() -> None:
    """Let collections pass over what is there now, and over large containers above all.

    For one that is new and has, or is about to be given, very much: it would be looked at as a whole, each time until a
    full collection has seen it. A dictionary counts from its first entry on. What is in a cycle just now and in use by
    nobody stays for good, so this is for what is rare, as a chassis that attaches.
    """
    gc.freeze()


class Garbage:
    """Sets aside what full collections have seen. One for a process: a second one takes the first one's place."""

    def __init__(self) -> None:
        self.young = FIRST
        """New objects between two collections of the youngest, now."""
        self._started = 0.0
        gc.callbacks[:] = [each for each in gc.callbacks if not isinstance(getattr(each, "__self__", None), Garbage)]
        gc.callbacks.append(self._collecting)
        gc.set_threshold(self.young, OLDER, OLDEST)
        gc.freeze()

    def _collecting(self, phase: str, info: dict[str, Any]) -> None:
        """Python calls this before and after each collection, in the thread that happens to do it."""
        if info["generation"] < 2:
            return
        if phase == "start":
            self._started = time.thread_time()
            return
        gc.freeze()
        self.took(time.thread_time() - self._started)

    def took(self, seconds: float) -> None:
        """Choose the next step: in proportion if the last one was too long, slowly larger if it was short."""
        if seconds > AIM:
            self.young = max(LEAST, int(self.young * AIM / seconds))
        elif seconds < AIM / 2:
            self.young = min(MOST, self.young + self.young // 8)
        gc.set_threshold(self.young, OLDER, OLDEST)
