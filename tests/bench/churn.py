"""The benchmark ``churn``: ports come and go for long, and the control plane's memory should not grow.

Cycles of 20 ports made, claimed on four chassis in turn, in force, and deleted, with 400 ports there all the time.
Memory is that of the whole control plane after each tenth of the cycles. What is kept for use again, up to a limit,
fills in the first half; growth is from there to the end.
"""

from collections.abc import Iterator

from tests.bench import bulk
from tests.bench.planes import ControlPlane
from tests.bench.workload import Aim, Found, Workload

CYCLES = 500
BATCH = 20
_MAC = "02:00:00:00:03:{:02x}"


def measure(plane: ControlPlane, size: int) -> Iterator[Found]:
    """Load a control plane, and let ports come and go."""
    if size:
        bulk.load(plane, size)
    chassis = list(plane.hypervisors)
    names = [plane.fresh("i") for _ in range(BATCH)]
    plane.plug_idle({name: names[at :: len(chassis)] for at, name in enumerate(chassis)})
    tenant = plane.make_tenant(plane.fresh("churning"), (0,))
    (network,) = tenant.networks
    memory, cpu = [], plane.cpu_seconds()
    for cycle in range(1, CYCLES + 1):
        ports = [
            plane.make_port(tenant, network, _MAC.format(number), network.address(number))
            for number in range(10, 10 + BATCH)
        ]
        for at, name in enumerate(chassis):
            claims = zip(names[at :: len(chassis)], ports[at :: len(chassis)], strict=True)
            plane.claim({name: {interface: port.id for interface, port in claims}})
        plane.wait_active(ports)
        for port in ports:
            plane.delete_port(port)
        if cycle % (CYCLES // 10) == 0:
            plane.wait_in_step()
            memory.append(plane.memory_mib())
    cpu = (plane.cpu_seconds() - cpu) / (CYCLES * BATCH)
    yield Found("memory at the end", "MiB", [memory[-1]])
    yield Found("memory grown for 1,000 ports", "MiB", [_growth(memory)])
    yield Found("processor time for each port", "ms", [cpu * 1e3])


def _growth(memory: list[float]) -> float:
    """Return by how much the last two samples are above the middle two, for each 1,000 ports."""
    grown = (sum(memory[-2:]) - sum(memory[4:6])) / 2
    return grown / (CYCLES * BATCH * 4 / 10) * 1e3


WORKLOAD = Workload(
    title="Ports that come and go for long",
    text=__doc__ or "",
    measure=measure,
    sizes=(400,),
    quick=(50,),
    rounds=1,
    aims=(Aim("memory grown for 1,000 ports", 1),),
)
