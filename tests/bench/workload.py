"""What a benchmark of control planes or of the data plane is, and how subjects take turns at it."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from tests.bench.planes import CHASSIS, Plane
from tests.bench.results import OURS, Figure, Ratio, ratio_of, value_of

Start = Callable[[int], Plane]
"""Makes a control plane with so many chassis, to be used as a context manager."""

Table = Callable[[Sequence[Figure]], Iterator[str]]
"""Makes the lines of a table of the page."""


@dataclass(frozen=True)
class Found:
    """Samples of one measure, from one run on one control plane."""

    what: str
    unit: str
    samples: list[float]
    more_is_better: bool = False


@dataclass(frozen=True)
class Aim:
    """What our median should reach: a figure in the measure's unit, or so much of that of a peer (``of``).

    ``present``: with so many ports; None is with any number.
    """

    what: str
    limit: float
    of: str | None = None
    present: int | None = None


@dataclass(frozen=True)
class Workload:
    """``measure`` is given a fresh control plane (or plane, of peers that are none) and a size (ports), and yields.

    ``sizes`` go up; ``quick`` are those of a quick run; a peer is measured up to its ``tops``. Each subject has its
    turn ``rounds`` times for each size. ``peers`` can be measured beside ours.
    """

    title: str
    text: str
    measure: Callable[[Any, int], Iterator[Any]]
    sizes: tuple[int, ...] = (0,)
    quick: tuple[int, ...] = (0,)
    rounds: int = 3
    peers: tuple[str, ...] = ("ovn",)
    tops: Mapping[str, int] = field(default_factory=dict)
    aims: tuple[Aim, ...] = ()
    chassis: int = CHASSIS
    table: Table | None = None
    """If the page's is not as is usual."""

    def run(self, starts: Mapping[str, Start], sizes: Sequence[int], rounds: int) -> Iterator[Figure]:
        """Let subjects (by name) take turns, each time on a fresh fabric; yield the figures of a size together."""
        for size in sizes:
            here = [name for name in starts if size <= self.tops.get(name, size)]
            found: dict[str, dict[str, Found]] = {}
            for turn in range(rounds):
                for name in here if turn % 2 == 0 else reversed(here):
                    for each in self._turn(name, starts[name], size, f"round {turn + 1} of {rounds}"):
                        of_subject = found.setdefault(each.what, {})
                        if name in of_subject:
                            of_subject[name].samples.extend(each.samples)
                        else:
                            of_subject[name] = each
            for what, by_subject in found.items():
                yield self._figure(what, size, by_subject)

    def _turn(self, name: str, start: Start, size: int, round_name: str) -> Iterator[Found]:
        started = time.monotonic()
        with start(self.chassis) as plane:
            yield from self.measure(plane, size)
        print(
            f"    {name}, {size:,} ports, {round_name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True
        )

    def _figure(self, what: str, size: int, found: Mapping[str, Found]) -> Figure:
        any_one = next(iter(found.values()))
        aims = [aim for aim in self.aims if aim.what == what and aim.present in (None, size)]
        return Figure(
            what,
            size,
            any_one.unit,
            next((aim.limit for aim in aims if aim.of is None), None),
            {name: value_of(each.samples) for name, each in found.items()},
            any_one.more_is_better,
            {aim.of: aim.limit for aim in aims if aim.of is not None and OURS in found},
        )


@dataclass(frozen=True)
class SideBySide(Workload):
    """One whose subjects are all there at the same time, and take short turns in which only one of them has work.

    ``measure`` is given planes by name and how many turns each has, and yields what was found by subject, samples in
    the turns' order. Each turn is compared with those beside it, so that what slows the machine down slows both.
    """

    def run(self, starts: Mapping[str, Start], sizes: Sequence[int], rounds: int) -> Iterator[Figure]:
        """Start all subjects, let them take ``rounds`` turns at each measure, and yield its figure."""
        with ExitStack() as stack:
            planes = {name: stack.enter_context(start(self.chassis)) for name, start in starts.items()}
            for by_subject in self.measure(planes, rounds):
                any_one = next(iter(by_subject.values()))
                figure = self._figure(any_one.what, sizes[0], by_subject)
                yield replace(figure, against=_against(by_subject))


def _against(found: Mapping[str, Found]) -> dict[str, Ratio]:
    """Return how many times better than each peer ours is."""
    if OURS not in found:
        return {}
    ours, against = found[OURS], {}
    for name in found.keys() - {OURS}:
        pairs = list(zip(ours.samples, found[name].samples, strict=False))  # A peer may have left before the end.
        better = [(mine, other) if ours.more_is_better else (other, mine) for mine, other in pairs]
        if all(under > 0 for _, under in better):
            against[name] = ratio_of([over / under for over, under in better])
    return dict(sorted(against.items()))
