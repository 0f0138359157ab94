"""Python's garbage collector, kept from holding the event loop.

A full collection looks at every object that there is: with 4,000 ports that holds everything else for half a second,
with 40,000 for longer than a switch's database waits, and Python does it whenever a quarter more have come. But rows,
flows and what is remembered of them are in no cycles, and go without its help. So each object is looked at while it is
young, and what is still there after a full collection is set aside for good (``gc.freeze``). What was in use then, and
left a cycle behind later, stays; that is little.

Each full collection looks at what has come since the one before. How much that is follows from how long it took, so
that a slow machine makes smaller steps. Python counts how many more have come than gone, so that where very much goes
it would come late, and meet ten times as many; and it never counts how many a list has. So who does long work has the
youngest looked at in each of its turns (``look``), when the tables that it fills are small.
"""

import gc
import time
from collections import deque
from typing import Any, ClassVar

FIRST, LEAST, MOST = 1_000, 250, 1_000
"""New objects between two collections of the youngest: at first, and at least and at most later. More would not be
cheaper, and a table that is being filled meanwhile, which is looked at with all that is in it, would be larger."""
OLDER, OLDEST = 2, 1
"""Collections of the next older come after more than so many, full ones after more than so many of those: every ninth
to twelfth collection is a full one."""
AIM = 0.005
"""Seconds that a full collection should take at most: of the thread's processor time, as what others take of a busy
machine says nothing about the step."""
TOGETHER = 5
"""Full collections come after so many times as many objects, too, where turns are taken."""
LARGE = 1_000
"""A table that has more, and may soon have many more, is set aside as soon as it is seen."""
_TABLES = frozenset({dict, list, set, tuple, deque})


def set_aside() -> None:
    """Let collections pass over what is there now, and over large containers above all.

    For one that is new and has, or is about to be given, very much: it would be looked at as a whole, each time until a
    full collection has seen it. A dictionary counts from its first entry on. What is in a cycle just now and in use by
    nobody stays for good, so this is for what is rare, as a chassis that attaches.
    """
    gc.freeze()


def look() -> None:
    """Look at the youngest, after a turn of long work; nothing, where nobody has begun with ``Garbage``."""
    if Garbage.present is not None:
        Garbage.present.look()


class Garbage:
    """Sets aside what full collections have seen. One for a process: a second one takes the first one's place."""

    present: ClassVar["Garbage | None"] = None
    """The one of this process."""

    def __init__(self) -> None:
        self.young = FIRST
        """New objects between two collections of the youngest, now."""
        self._left = 0
        """Objects that were there after a turn of long work, since the last full collection."""
        self._started = 0.0
        gc.callbacks[:] = [each for each in gc.callbacks if not isinstance(getattr(each, "__self__", None), Garbage)]
        gc.callbacks.append(self._collecting)
        gc.set_threshold(self.young, OLDER, OLDEST)
        gc.freeze()
        Garbage.present = self

    def look(self) -> None:
        """Look at the youngest, and at all that are not set aside if these are many, or one of them is large."""
        youngest = gc.get_objects(generation=0)
        self._left += len(youngest)
        is_large = any(type(each) in _TABLES and len(each) > LARGE for each in youngest)
        del youngest
        gc.collect(2 if is_large or self._left > self.young * TOGETHER else 0)

    def _collecting(self, phase: str, info: dict[str, Any]) -> None:
        """Python calls this before and after each collection, in the thread that happens to do it."""
        if info["generation"] < 2:
            return
        if phase == "start":
            self._started = time.thread_time()
            return
        gc.freeze()
        self._left = 0
        self.took(time.thread_time() - self._started)

    def took(self, seconds: float) -> None:
        """Choose the next step: in proportion if the last one was too long, slowly larger if it was short."""
        if seconds > AIM:
            self.young = max(LEAST, int(self.young * AIM / seconds))
        elif seconds < AIM / 2:
            self.young = min(MOST, self.young + self.young // 8)
        gc.set_threshold(self.young, OLDER, OLDEST)
