"""The benchmark ``routers``: what many routers with a way outside cost in flows.

Tenants of 50 ports as in ``bulk``: each has two networks and a router between them, and its ports are spread over four
chassis. Then each router gets a gateway to the external network, with source translation; two of the chassis are
gateway chassis. Flows are those of the chassis that has most; the time is that of a router's way outside, from the
request until it is in force everywhere.
"""

import time
from collections.abc import Iterator

from tests.bench.bulk import TENANT, load
from tests.bench.planes import GATEWAYS, ControlPlane
from tests.bench.workload import Aim, Found, Workload

ROUTERS = 20


def measure(plane: ControlPlane, size: int) -> Iterator[Found]:
    """Make routers for so many ports, and lead them outside."""
    plane.open_world()
    loaded = load(plane, size)
    plane.wait_in_step()
    inside = plane.flow_counts()
    took = []
    for tenant in loaded.tenants:
        started = time.monotonic()
        plane.lead_outside(tenant)
        plane.wait_in_step()
        took.append(time.monotonic() - started)
    outside = plane.flow_counts()
    more = [(outside[each] - inside[each]) / len(loaded.tenants) for each in outside]
    others = [each for each in outside if each not in GATEWAYS]
    yield Found("flows on a chassis", "flows", [float(max(outside[each] for each in others))])
    yield Found("flows on a gateway chassis", "flows", [float(max(outside[each] for each in GATEWAYS))])
    yield Found("flows on a chassis, nothing leads outside", "flows", [float(max(inside.values()))])
    yield Found("flows more for a router's way outside", "flows", [max(more)])
    yield Found("a router's way outside in force", "ms", [each * 1e3 for each in took])


WORKLOAD = Workload(
    title="Many routers",
    text=__doc__ or "",
    measure=measure,
    sizes=(ROUTERS * TENANT,),
    quick=(2 * TENANT,),
    rounds=1,
    aims=(Aim("flows on a chassis", 1.0, of="ovn"), Aim("flows on a gateway chassis", 1.0, of="ovn")),
)
