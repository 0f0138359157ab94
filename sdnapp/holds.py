"""How long one job has held the event loop: nothing else runs until it waits for something or gives others their turn.

A hold is from the moment in which a green thread is switched to until it is switched from, by the wall clock: what the
machine took away meanwhile counts, as others waited for that, too.
"""

import time
from collections import deque
from dataclasses import dataclass
from types import FrameType
from typing import Any

import greenlet

LONG = 0.02
"""Seconds that no job should hold the loop for longer."""
WORTH_A_LOOK = 0.001
MINUTE = 60.0


@dataclass(frozen=True)
class Hold:
    """One hold: when it ended (monotonic seconds), how long it was (seconds), and whose."""

    at: float
    seconds: float
    job: str


class Holds:
    """Watches the switches of this thread's green threads, at less than a microsecond each."""

    def __init__(self) -> None:
        self.longest = Hold(0.0, 0.0, "")
        """Since the start."""
        self.long = 0
        """How many were longer than ``LONG``."""
        self._lately: deque[Hold] = deque()
        """Each is longer than all that came after it."""
        self._since = time.monotonic()
        self._hub: Any = None

    def watch(self, hub: Any) -> None:
        """Begin. ``hub`` is the green thread that waits for sockets and timers while there is nothing to do."""
        self._hub = hub
        self._since = time.monotonic()
        greenlet.settrace(self._switched)

    def lately(self) -> Hold:
        """Return the longest of the last minute; one of no length if all were short."""
        self._forget(time.monotonic())
        return self._lately[0] if self._lately else Hold(0.0, 0.0, "")

    def metrics(self) -> list[str]:
        """Return lines in Prometheus's text format."""
        lines = [f"sdnapp_loop_long_holds_total {self.long}"]
        for span, hold in (("start", self.longest), ("minute", self.lately())):
            lines.append(f'sdnapp_loop_longest_hold_seconds{{since="{span}",job="{hold.job}"}} {hold.seconds:.6f}')
        return lines

    def _switched(self, _: str, ends: tuple[Any, Any]) -> None:
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        if seconds > WORTH_A_LOOK and ends[0] is not self._hub:
            self._note(Hold(now, seconds, _job(ends[0])))

    def _note(self, hold: Hold) -> None:
        self.long += hold.seconds > LONG
        if hold.seconds > self.longest.seconds:
            self.longest = hold
        while self._lately and self._lately[-1].seconds <= hold.seconds:
            self._lately.pop()
        self._lately.append(hold)
        self._forget(hold.at)

    def _forget(self, now: float) -> None:
        while self._lately and self._lately[0].at < now - MINUTE:
            self._lately.popleft()


def _job(green: Any) -> str:
    """Name what a green thread does: the outermost function of ours that it is in, or of others'."""
    frame: FrameType | None = green.gr_frame
    ours, others = "", ""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        name = f"{module}.{frame.f_code.co_qualname}"
        if module.startswith("sdnapp."):
            ours = name
        elif not module.startswith(("eventlet.greenthread", "eventlet.hubs")):
            others = name
        frame = frame.f_back
    return ours or others or "a green thread that has ended"
