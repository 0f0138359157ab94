"""The benchmarks by name, in the order of their importance, and what can be measured beside ours."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench import (
    api,
    bulk,
    churn,
    data_plane,
    dhcp,
    encoding,
    failover,
    holds,
    many_switches,
    one_more,
    punt_storm,
    reconnect,
    remote_group,
    restart,
    routers,
    subjects,
)
from tests.bench.planes import Plane
from tests.bench.results import OURS, Figure
from tests.bench.workload import Table, Workload

WORKLOADS: Mapping[str, Workload] = {
    "bulk": bulk.WORKLOAD,
    "one_more": one_more.WORKLOAD,
    "data_plane": data_plane.WORKLOAD,
    "restart": restart.WORKLOAD,
    "dhcp": dhcp.WORKLOAD,
    "punt_storm": punt_storm.WORKLOAD,
    "failover": failover.WORKLOAD,
    "routers": routers.WORKLOAD,
    "remote_group": remote_group.WORKLOAD,
    "many_switches": many_switches.WORKLOAD,
    "holds": holds.WORKLOAD,
    "encoding": encoding.WORKLOAD,
    "reconnect": reconnect.WORKLOAD,
    "churn": churn.WORKLOAD,
}
API = "api"


@dataclass(frozen=True)
class Options:
    """What to measure: peers beside ours, sizes (None: the benchmark's own) and rounds (likewise), or a quick run."""

    peers: tuple[str, ...] = ()
    sizes: tuple[int, ...] | None = None
    rounds: int | None = None
    quick: bool = False


def titles() -> dict[str, str]:
    """Return what each benchmark measures, in a line."""
    return {name: workload.title for name, workload in WORKLOADS.items()} | {API: api.TITLE}


def text(name: str) -> str:
    """Return how a benchmark measures: a module's docstring."""
    return (WORKLOADS[name].text if name in WORKLOADS else api.__doc__) or ""


def table_of(name: str) -> Table | None:
    """Return what makes the lines of a benchmark's own table; None if it has the usual one."""
    return WORKLOADS[name].table if name in WORKLOADS else None


def peers_of(name: str) -> tuple[str, ...]:
    """Return what can be measured beside ours."""
    return WORKLOADS[name].peers if name in WORKLOADS else tuple(subjects.PEERS)


def measure(name: str, options: Options, versions: dict[str, str]) -> Iterator[Figure]:
    """Run a benchmark; ``versions`` is told what each subject is."""
    if name == API:
        yield from _measure_api(options, versions)
        return
    workload = WORKLOADS[name]
    starts = {each: plane(each) for each in (OURS, *options.peers)}
    versions.update({each: start.version() for each, start in starts.items()})
    sizes = options.sizes or (workload.quick if options.quick else workload.sizes)
    yield from workload.run(starts, sizes, options.rounds or (1 if options.quick else workload.rounds))


def plane(name: str) -> type[Plane]:
    """Return the class that starts a subject. Imported when wanted: they need Mininet, and root."""
    if name == "ovn":
        from tests.bench.ovn import Ovn

        return Ovn
    if name == "plain":
        from tests.bench.plain import Plain

        return Plain
    from tests.bench.ours import Ours

    return Ours


def _measure_api(options: Options, versions: dict[str, str]) -> Iterator[Figure]:
    with ExitStack() as stack:
        starts = (subjects.sdnapp, *(subjects.PEERS[peer] for peer in options.peers))
        found = [stack.enter_context(start()) for start in starts]
        versions.update({subject.name: subject.version for subject in found})
        yield from api.measure(found, api.Plan())
