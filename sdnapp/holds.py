"""How long one job has held the event loop: nothing else runs until it waits for something or gives others their turn.

A hold is from the moment in which a green thread is switched to until it is switched from. By the clock it counts what
the machine took away meanwhile, as others waited for that, too; by the processor time of this thread, only what the job
itself did. Where the two differ, the job waited for a processor that other processes had, for Python, which other
threads had, or for the disk.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import greenlet

CLOCK, PROCESSOR = "clock", "processor"
"""By what a hold is measured."""
LONG = 0.02
"""Seconds that no job should hold the loop for longer."""
WORTH_A_LOOK = 0.001
MINUTE = 60.0
_ENTRANCES = frozenset({"sdnapp.api.server", "sdnapp.api.wsgi"})
"""Where every request to the API comes through."""


@dataclass(frozen=True)
class Hold:
    """One hold: when it ended (monotonic seconds), how long it was (seconds, by clock and processor), and whose."""

    at: float
    seconds: float
    processor: float
    job: str


NONE = Hold(0.0, 0.0, 0.0, "")


class Longest:
    """The longest holds by one measure."""

    def __init__(self, measure: Callable[[Hold], float]) -> None:
        self._measure = measure
        self.ever = NONE
        """Since the start."""
        self.long = 0
        """How many were longer than ``LONG``."""
        self._lately: deque[Hold] = deque()
        """Each is longer than all that came after it."""

    def note(self, hold: Hold) -> None:
        """Take one in."""
        length = self._measure(hold)
        self.long += length > LONG
        if length > self._measure(self.ever):
            self.ever = hold
        while self._lately and self._measure(self._lately[-1]) <= length:
            self._lately.pop()
        self._lately.append(hold)
        self._forget(hold.at)

    def lately(self) -> Hold:
        """Return the longest of the last minute; one of no length if all were short."""
        return next(iter(self.of_the_last_minute()), NONE)

    def of_the_last_minute(self) -> list[Hold]:
        """Return those of the last minute that were longer than all after them, so the longest first."""
        self._forget(time.monotonic())
        return list(self._lately)

    def _forget(self, now: float) -> None:
        while self._lately and self._lately[0].at < now - MINUTE:
            self._lately.popleft()


class Holds:
    """Watches the switches of this thread's green threads, at a microsecond each."""

    def __init__(self) -> None:
        self.by_clock = Longest(lambda hold: hold.seconds)
        self.by_processor = Longest(lambda hold: hold.processor)
        self._since, self._computed = time.monotonic(), time.thread_time()
        self._hub: Any = None

    def watch(self, hub: Any) -> None:
        """Begin. ``hub`` is the green thread that waits for sockets and timers while there is nothing to do."""
        self._hub = hub
        self._since, self._computed = time.monotonic(), time.thread_time()
        greenlet.settrace(self._switched)

    def report(self) -> list[dict[str, Any]]:
        """Return the holds of the last minute that were longer than all after them, by each measure, as JSON values."""
        now = time.monotonic()
        return [
            {
                "by": by,
                "seconds_ago": round(max(0.0, now - hold.at), 3),
                "milliseconds": round(hold.seconds * 1e3, 3),
                "processor_milliseconds": round(hold.processor * 1e3, 3),
                "job": hold.job,
            }
            for by, longest in self._measures()
            for hold in longest.of_the_last_minute()
        ]

    def metrics(self) -> list[str]:
        """Return lines in Prometheus's text format."""
        lines = []
        for by, longest in self._measures():
            lines.append(f'sdnapp_loop_long_holds_total{{by="{by}"}} {longest.long}')
            for since, hold in (("start", longest.ever), ("minute", longest.lately())):
                labels = f'{{by="{by}",since="{since}",job="{hold.job}"}}'
                lines.append(f"sdnapp_loop_longest_hold_seconds{labels} {hold.seconds:.6f}")
                lines.append(f"sdnapp_loop_longest_hold_processor_seconds{labels} {hold.processor:.6f}")
        return lines

    def _measures(self) -> tuple[tuple[str, Longest], ...]:
        return (CLOCK, self.by_clock), (PROCESSOR, self.by_processor)

    def _switched(self, _: str, ends: tuple[Any, Any]) -> None:
        now, computed = time.monotonic(), time.thread_time()
        seconds, self._since = now - self._since, now
        processor, self._computed = computed - self._computed, computed
        if seconds > WORTH_A_LOOK and ends[0] is not self._hub:
            hold = Hold(now, seconds, processor, _job(ends[0]))
            self.by_clock.note(hold)
            self.by_processor.note(hold)


def _job(green: Any) -> str:
    """Name what a green thread does: the outermost function of ours that it is in, or of others'.

    Of requests to the API, that is the one that answers them, and not what all of them go through.
    """
    frame: FrameType | None = green.gr_frame
    ours, others = "", ""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        name = f"{module}.{frame.f_code.co_qualname}"
        if module.startswith("sdnapp."):
            if not (ours and module in _ENTRANCES):
                ours = name
        elif not module.startswith(("eventlet.greenthread", "eventlet.hubs")):
            others = name
        frame = frame.f_back
    return ours or others or "a green thread that has ended"
