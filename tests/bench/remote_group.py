"""The benchmark ``remote_group``: a group that lets in its own members, of whom there are thousands.

All members are ports of one tenant, 50 of them on h1 and the others nowhere yet: their addresses count all the same.
The rule that lets members in is withdrawn and made again, then members come that are nowhere, and some on h1. Times are
from the request until h1 has confirmed; flows are those of h1.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bench.planes import ControlPlane
from tests.bench.workload import Aim, Found, Workload

LOCAL = 50
PER_NETWORK = 200
TIMES = 5
_MAC = "02:00:00:00:02:{:02x}"


def measure(plane: ControlPlane, size: int) -> Iterator[Found]:
    """Make the group, and change it."""
    counts = [PER_NETWORK] * (size // PER_NETWORK) + ([size % PER_NETWORK] if size % PER_NETWORK else [])
    local = [plane.fresh("i") for _ in range(min(LOCAL, size))]
    spare = [plane.fresh("i") for _ in range(TIMES)]
    plane.plug_idle({"h1": [*local, *spare]})
    tenant = plane.make_tenant(plane.fresh("large"), counts)
    here = tenant.ports[:: max(1, size // LOCAL)][:LOCAL]
    plane.claim({"h1": dict(zip(local, (port.id for port in here), strict=True))})
    plane.wait_active(here)
    step = _Step(plane)
    without = step.take(lambda: plane.withdraw(tenant.group, tenant.members_rule))
    again = step.take(lambda: plane.permit_members(tenant.group))
    yield Found("flows of the rule", "flows", [float(again.flows)])
    yield Found("the rule goes", "ms", [without.seconds * 1e3])
    yield Found("the rule comes", "ms", [again.seconds * 1e3])
    network = tenant.networks[0]
    elsewhere, nearby = [], []
    for number, interface in enumerate(spare):
        places = ((_MAC.format(2 * number + side), network.address(-2 - 2 * number - side)) for side in (0, 1))
        nobody, somebody = places
        elsewhere.append(step.take(lambda at=nobody: plane.make_port(tenant, network, *at)))
        made = []
        plane.wait_in_step()

        def come(at: tuple[str, str] = somebody, interface: str = interface, made: list = made) -> None:
            made.append(plane.make_port(tenant, network, *at))
            plane.claim({"h1": {interface: made[0].id}})
            plane.wait_active(made)

        nearby.append(step.take(come))
    yield Found("flows more for a member elsewhere", "flows", [float(each.flows) for each in elsewhere])
    yield Found("a member more, elsewhere", "ms", [each.seconds * 1e3 for each in elsewhere])
    yield Found("flows more for a member on the chassis", "flows", [float(each.flows) for each in nearby])
    yield Found("a member more, on the chassis", "ms", [each.seconds * 1e3 for each in nearby])


@dataclass(frozen=True)
class _Taken:
    flows: int
    seconds: float


class _Step:
    """Does one thing after the other, and tells how long each took and how many flows more it made."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._flows = self._count()

    def take(self, act: Callable[[], object]) -> _Taken:
        """Do it, and wait until it is in force."""
        started = time.monotonic()
        act()
        self._plane.wait_in_step()
        seconds = time.monotonic() - started
        before, self._flows = self._flows, self._count()
        return _Taken(self._flows - before, seconds)

    def _count(self) -> int:
        return self._plane.interfaces["h1"].count_flows()


WORKLOAD = Workload(
    title="A group with thousands of members",
    text=__doc__ or "",
    measure=measure,
    sizes=(5_000,),
    quick=(1_000,),
    rounds=1,
    chassis=2,
    aims=(Aim("flows of the rule", 6_000), Aim("flows more for a member elsewhere", 3)),
)
