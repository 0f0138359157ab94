"""The benchmark ``holds``: for how long one job at most holds the controller's event loop.

A hold is from the moment in which a green thread of the one loop begins until it waits for something or gives others
their turn; nothing else runs meanwhile, so the aim is 20 ms at most. *By the clock* is what others waited: it counts
what other processes had of the processors, the client and the switches among them. *By processor time* is what the job
itself computed, and what the machine does not change. Each is the longest from the request until all chassis have
confirmed what follows from it and 1.2 s more, for what is looked at a second later, and for garbage. *Whose* it was is
the outermost function, as `sdnapp holds` shows it.

The controller and its API are the real ones, with a store on disk. The switches are emulated by another process: they
take and confirm everything, remember their flows while the controller is restarted, and forward nothing. Real ones with
as many interfaces would have both processors to themselves for minutes, and what the controller does is the same.
Those with few ports and real switches are in `bulk`. The jobs of a world follow one another; each of four worlds has a
fresh controller. Of 16,000 ports in all, 3,000 are on each of six chassis where they are of one network, 4,000 on each
of four where they are of 20; other sizes go with that: 500 interfaces of a router, 3,000 rules of a group.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tests.bench import hold_worlds
from tests.bench.hold_worlds import Held
from tests.bench.results import OURS, Figure, value_of
from tests.bench.workload import Start, Workload

AIM = 20.0
"""Milliseconds that no job should hold the loop for longer."""
MEASURES = {"clock": "by the clock, ms", "processor": "by processor time, ms"}
WORLDS = (hold_worlds.many_networks, hold_worlds.one_network, hold_worlds.routers_and_rules, hold_worlds.outside)


@dataclass(frozen=True)
class Holds(Workload):
    """One whose measures have whose hold it was, and whose jobs each have a size of their own."""

    def run(self, starts: Mapping[str, Start], sizes: Sequence[int], rounds: int) -> Iterator[Figure]:
        """Let the jobs follow one another in each world and size, ``rounds`` times; yield a figure of each job."""
        for size in sizes:
            for world in WORLDS:
                found: dict[str, list[Held]] = {}
                for turn in range(1, rounds + 1):
                    started = time.monotonic()
                    for held in self.measure(partial(world, partial(starts[OURS], self.chassis)), size):
                        found.setdefault(held.what, []).append(held)
                        if turn == rounds:
                            yield figure_of(found[held.what])
                    print(
                        f"    {world.__name__}, {size:,} ports, round {turn} of {rounds}: "
                        f"{time.monotonic() - started:.0f} s",
                        file=sys.stderr,
                        flush=True,
                    )


def measure(world: Callable[[int], Iterator[Held]], size: int) -> Iterator[Held]:
    """Let the jobs of a world follow one another."""
    yield from world(size)


def figure_of(rounds: Sequence[Held]) -> Figure:
    """Return the figure of a job that was done so many times; whose hold it was is as of the longest."""
    by = list(MEASURES)
    values = {each: value_of([held.longest.get(each, (0.0, ""))[0] for held in rounds]) for each in by}
    whose = {each: max(held.longest.get(each, (0.0, "")) for held in rounds)[1] for each in by}
    return Figure(rounds[0].what, rounds[0].count, "ms", AIM, values, of=rounds[0].of, held_by=whose)


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """Return the lines of the page's table."""
    yield f"| job | with | {' | '.join(MEASURES.values())} | whose | at most {AIM:.0f} ms |"
    yield "|---|---:|---:|---:|---|---|"
    for figure in sorted(figures, key=lambda figure: [each.what for each in figures].index(figure.what)):
        values = [figure.values[each].median for each in MEASURES]
        shown = " | ".join(f"{value:.1f}" if value else "below 1" for value in values)
        clock, processor = (f"`{figure.held_by[each]}`" if figure.held_by[each] else "" for each in MEASURES)
        whose = clock if clock == processor else f"{clock}; by processor time {processor}"
        verdict = "yes" if figure.aim_is_met else "by processor time" if values[1] <= AIM else "**no**"
        yield f"| {figure.what} | {figure.present:,} {figure.of} | {shown} | {whose} | {verdict} |"


WORKLOAD: Workload = Holds(
    title="What holds the event loop",
    text=__doc__ or "",
    measure=measure,
    sizes=(4_000, 16_000),
    quick=(800,),
    rounds=1,
    peers=(),
    chassis=0,
    table=table,
)
