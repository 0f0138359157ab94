"""When a provisioning step may be tried again, so that a switch that refuses it, or undoes it, is not flooded. Pure.

Two that disagree about a bridge (an agent left from before, a second controller) would else write against each other as
fast as they can.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

AFTER_SUCCESS = 1.0
"""Seconds until a step that worked may be repeated."""
AFTER_FAILURE = 10.0
"""Seconds until a step that failed is tried again."""
WINDOW = 60.0
UNDONE = 4
"""A step that is needed this often within WINDOW seconds is being undone by somebody."""


@dataclass
class _Attempts:
    times: deque[float] = field(default_factory=lambda: deque(maxlen=UNDONE))
    not_before: float = 0.0
    error: str | None = None


class Pace:
    """What was tried, and how it went. Steps are known by what they do."""

    def __init__(self) -> None:
        self._attempts: dict[str, _Attempts] = {}

    def due(self, what: str, now: float) -> bool:
        """Return whether the step may be tried now."""
        attempts = self._attempts.get(what)
        return attempts is None or now >= attempts.not_before

    def tried(self, what: str, now: float) -> None:
        """Note that the step has been sent."""
        attempts = self._attempts.setdefault(what, _Attempts())
        attempts.times.append(now)
        attempts.not_before = now + AFTER_SUCCESS

    def failed(self, what: str, error: str, now: float) -> None:
        """Note that the switch refused the step."""
        attempts = self._attempts.setdefault(what, _Attempts())
        attempts.error = error
        attempts.not_before = now + AFTER_FAILURE

    def succeeded(self, what: str) -> None:
        """Note that the step was committed."""
        self._attempts.setdefault(what, _Attempts()).error = None

    def forget(self, needed: Collection[str], now: float) -> None:
        """Forget failures of steps that are not needed any more, and all that is long past."""
        for what in [what for what in self._attempts if what not in needed]:
            attempts = self._attempts[what]
            attempts.error = None
            if not attempts.times or now - attempts.times[-1] > WINDOW:
                del self._attempts[what]

    def problems(self, now: float) -> list[str]:
        """Return what an operator should know."""
        problems = []
        for what, attempts in self._attempts.items():
            if attempts.error is not None:
                problems.append(f"{what}: refused, and tried again every {AFTER_FAILURE:.0f} s: {attempts.error}")
            elif len(attempts.times) == UNDONE and now - attempts.times[0] < WINDOW:
                problems.append(
                    f"{what}: {UNDONE} times in a minute, as something undoes it: "
                    "is another controller or agent at work on this switch?"
                )
        return problems
