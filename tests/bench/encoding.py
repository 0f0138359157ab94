"""The benchmark ``encoding``: many flows sent to one switch, beside ``ovs-ofctl --bundle add-flows`` of the same.

The size is a number of flows, of four kinds that every chassis has of ports elsewhere; ours were never encoded before.
Both are one atomic bundle to an Open vSwitch without a data plane, from the first byte to its confirmation.
"""

from collections.abc import Iterator
from typing import Any

from tests.bench.sessions import measured
from tests.bench.workload import Aim, Found, Workload

RATIO = "sdnapp's time by ovs-ofctl's"


def measure(_: Any, size: int) -> Iterator[Found]:
    """Send so many flows in both ways."""
    found = measured("encoding", size)
    yield Found("flows sent and confirmed", "s", [found["ours"]])
    yield Found("ovs-ofctl --bundle add-flows", "s", [found["theirs"]])
    yield Found(RATIO, "", [found["ours"] / found["theirs"]])


WORKLOAD = Workload(
    title="Sending many flows at once",
    text=__doc__ or "",
    measure=measure,
    sizes=(50_000,),
    quick=(2_000,),
    peers=(),
    aims=(Aim(RATIO, 2.0),),
    chassis=0,
)
