"""What a benchmark finds: figures of one or more subjects, as values that go to JSON and come back."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

OURS = "sdnapp"
BUSY = 0.15
"""Cores kept busy by others from which on figures are called noisy."""


@dataclass(frozen=True)
class Value:
    """One subject's figure, in the figure's unit; ``cpu_ms`` is the server's processor time for one request.

    ``p99`` and ``cpu_ms`` are None where they would say nothing.
    """

    median: float
    p99: float | None
    samples: int
    cpu_ms: float | None


@dataclass(frozen=True)
class Ratio:
    """How many times better than a peer ours is: the median over turns, and its range with a certainty of 95 %."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """What was measured, with so many ports present, by subject.

    ``aim`` is for our median; ``ratios`` are aims, too: so much of the median of each of these peers. ``against``, of
    subjects that took turns side by side: how many times better than each peer ours is. ``of`` is what is present.
    Where ``held_by`` says whose holds of the event loop they were, the values are those by each measure, all of them
    ours.
    """

    what: str
    present: int
    unit: str
    aim: float | None
    values: dict[str, Value]
    more_is_better: bool = False
    ratios: dict[str, float] = field(default_factory=dict)
    against: dict[str, Ratio] = field(default_factory=dict)
    of: str = "ports"
    held_by: dict[str, str] = field(default_factory=dict)

    @property
    def aim_is_met(self) -> bool | None:
        """Whether our median reaches every aim; None if there is none, or if nobody was measured for it."""
        if self.against and self.ratios and self.aim is None:
            return all(self.against[peer].median >= self._least(peer) for peer in self.ratios if peer in self.against)
        limits = [ratio * self.values[peer].median for peer, ratio in self.ratios.items() if peer in self.values]
        limits += [] if self.aim is None else [self.aim]
        ours = [self.values[name].median for name in (self.held_by or (OURS,)) if name in self.values]
        if not limits or not ours:
            return None
        return all(each >= limit if self.more_is_better else each <= limit for limit in limits for each in ours)

    @property
    def undecided(self) -> list[str]:
        """Return the peers of which this run does not decide whether the aim is met: it is within the range."""
        known = [(peer, self.against[peer]) for peer in self.ratios if peer in self.against]
        return [peer for peer, ratio in known if ratio.low < self._least(peer) <= ratio.high]

    def _least(self, peer: str) -> float:
        """Return how many times better than a peer's ours has to be."""
        return self.ratios[peer] if self.more_is_better else 1 / self.ratios[peer]

    def times_better(self, peer: str) -> float | None:
        """Return how many times better than a peer's our median is; None if either is missing, or there is no ratio."""
        if peer in self.against:
            return self.against[peer].median
        if peer not in self.values or OURS not in self.values:
            return None
        ours, theirs = self.values[OURS].median, self.values[peer].median
        better, worse = (theirs, ours) if self.more_is_better else (ours, theirs)
        return worse / better if better > 0 <= worse else None


def growth(figures: Iterable[Figure]) -> dict[str, float]:
    """Return how many times longer what took time of ours takes at the last size than at the first."""
    found: dict[str, list[Figure]] = {}
    for figure in figures:
        if figure.unit == "ms" and OURS in figure.values:
            found.setdefault(figure.what, []).append(figure)
    ends = {what: (each[0], each[-1]) for what, each in found.items() if len(each) > 1}
    return {what: last.values[OURS].median / first.values[OURS].median for what, (first, last) in ends.items()}


@dataclass(frozen=True)
class Result:
    """A whole run: what each subject was, how many cores others kept busy, how many seconds it took."""

    benchmark: str
    command: str
    date: str
    machine: dict[str, Any]
    others_busy: float
    seconds: float
    versions: dict[str, str]
    figures: list[Figure]

    @property
    def is_noisy(self) -> bool:
        """Whether other work on the machine makes the figures doubtful."""
        return self.others_busy >= BUSY

    def to_json(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(read: dict[str, Any]) -> "Result":
        """Return the run that ``to_json`` wrote."""
        figures = [
            Figure(
                **each
                | {"values": {name: Value(**value) for name, value in each["values"].items()}}
                | {"against": {name: Ratio(**ratio) for name, ratio in each.get("against", {}).items()}}
            )
            for each in read["figures"]
        ]
        return Result(**{**read, "figures": figures})


def value_of(samples: Sequence[float], cpu_ms: float | None = None) -> Value:
    """Return median and, from 100 samples on, the 99th percentile (nearest rank: an observed value)."""
    ordered = sorted(samples)
    p99 = ordered[math.ceil(0.99 * len(ordered)) - 1] if len(ordered) >= 100 else None
    return Value(_rounded(median(ordered)), _rounded(p99), len(ordered), _rounded(cpu_ms))


def once(figure: float) -> Value:
    """Return a figure that was taken once."""
    return Value(_rounded(figure), None, 1, None)


def ratio_of(samples: Sequence[float]) -> Ratio:
    """Return the median of ratios, and the range that holds the true median with a certainty of at least 95 %.

    Whatever their distribution: each sample is above it as likely as below, so that the number of those below is
    binomial (David and Nagaraja, Order Statistics, 7.1). Of fewer than six samples the range is less certain.
    """
    ordered, outside = sorted(samples), 0
    count = len(ordered)
    while 2 * sum(math.comb(count, below) for below in range(outside + 1)) <= 0.05 * 2**count:
        outside += 1
    aside = max(0, outside - 1)
    return Ratio(_rounded(median(ordered)), _rounded(ordered[aside]), _rounded(ordered[-1 - aside]))


def _rounded(value: Any) -> Any:
    """Four significant digits: more would only make differences of pages long."""
    return None if value is None else float(f"{value:.4g}")
