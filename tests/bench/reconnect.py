"""The benchmark ``reconnect``: a switch comes back with all the right flows while another one is changed all the time.

The size is a number of flows. It is in sync when all of them were read and compared; changes of the other switch are
timed one after another, from the call to the confirmation, before and meanwhile.
"""

from collections.abc import Iterator
from typing import Any

from tests.bench.sessions import measured
from tests.bench.workload import Aim, Found, Workload

IN_SYNC, CHANGES = "in sync again", "flow changes sent"


def measure(_: Any, size: int) -> Iterator[Found]:
    """Let a switch with so many flows come back."""
    found = measured("reconnect", size)
    yield Found(IN_SYNC, "s", [found["seconds"]])
    yield Found(CHANGES, "", [found["changes"]])
    yield Found("a change of another switch, before", "ms", [found["quiet"] * 1e3])
    yield Found("a change of another switch, meanwhile", "ms", [found["busy"] * 1e3])
    yield Found("the longest of these", "ms", [found["longest"] * 1e3])


WORKLOAD = Workload(
    title="A switch with all its flows comes back",
    text=__doc__ or "",
    measure=measure,
    sizes=(100_000,),
    quick=(2_000,),
    peers=(),
    aims=(Aim(IN_SYNC, 3.0), Aim(CHANGES, 0.0)),
    chassis=0,
)
