"""What a trouble costs those who talk meanwhile: requests of pings that stay unanswered, silence of streams."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from checks import Checks, table
from pings import Ping
from stations import Station
from streams import Streams

Pair = tuple[Station, str]
"""Who pings which address."""
INTERVAL = 0.01
UNNOTICED = 0.05
"""Seconds of pings that this machine may lose by itself, where nobody else should: it emulates all of a cloud."""


@dataclass
class Troubles:
    """Strikes while pings and streams go on, and notes what was lost; ``rows`` are for a table."""

    checks: Checks
    streams: Streams
    pairs: Mapping[str, Pair]
    """By whom they are known in the table."""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def strike(
        self,
        what: str,
        trouble: Callable[[], object],
        *,
        dark: Mapping[str, float],
        silent: float,
        seconds: float = 3.5,
    ) -> None:
        """Let it happen under pings, and look on for some seconds.

        Claims that pings are unanswered for so many seconds at most (``dark``, by name; others unnoticed), and each
        stream silent for ``silent``.
        """
        self.streams.silences()
        count = round(seconds / INTERVAL)
        pings = {name: Ping(*pair, count, INTERVAL) for name, pair in self.pairs.items()}
        time.sleep(0.2)
        trouble()
        row = [what]
        print(what, flush=True)
        for name, beside in pings.items():
            answers, most = beside.result(), dark.get(name, UNNOTICED)
            row.append(f"{answers.sent - answers.received}, {answers.dark:.2f} s")
            said = f"{what}: pings of {name} are lost for"
            self.checks.check(said, f"{most:g} s at most", f"{answers.dark:.2f} s", answers.dark <= most)
        silences = self.streams.silences()
        worst = max(silences, key=lambda name: silences[name])
        seen = silences[worst]
        self.rows.append((*row, f"{seen:.2f} s, {worst}"))
        said = "the longest silence of a stream"
        self.checks.check(f"{what}: {said}", f"{silent:g} s at most", f"{seen:.2f} s", seen <= silent)

    def __str__(self) -> str:
        return table(("pings lost", *self.pairs, "longest silence of a stream"), self.rows)
