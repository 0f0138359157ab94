"""The benchmark ``api``: what a port costs to create, show, list and delete, with few and with many ports present.

All ports are on one network with one subnet, so that each search for a free address meets all the others. Subjects take
turns in short batches: what else the machine does falls on all alike. Growth is by bulk requests of 1,000 ports. The
peer is measured with up to 1,000 ports there: it would need half an hour to have more.
"""

import math
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.bench.client import Client, at_once
from tests.bench.results import Figure, Value, once, value_of
from tests.bench.subjects import Subject

TITLE = "The API: one port, with few and with many there"
BULK = "bulk"
_AIMS = {"POST": 10.0, "GET": 3.0, BULK: 1500.0}
_WORDS = {
    "POST": "POST port",
    "GET": "GET port",
    "list": "list, a page of 100",
    "filter": "list by device_id, one found",
    "DELETE": "DELETE port",
}
_PREFIX = "10.0.0.0/16"


@dataclass(frozen=True)
class Plan:
    """How much to measure. ``sizes`` (ports present) go up; a batch is what one subject does before the next's turn.

    ``peer_top``: the largest size for subjects other than ours. ``bulk``: ports of one bulk request. ``seconds``: how
    long the clients go on at once.
    """

    sizes: tuple[int, ...] = (100, 1_000, 10_000)
    peer_top: int = 1_000
    batches: int = 10
    batch: int = 20
    bulk: int = 1_000
    clients: int = 8
    seconds: float = 5.0


@dataclass
class Cloud:
    """The one network of a subject, its ports (id and device), and the samples of the current size by what they are of.

    Samples are milliseconds; ``cpu`` sums the server's.
    """

    subject: Subject
    client: Client
    network_id: str = ""
    ports: list[tuple[str, str]] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    asked: int = 0

    def found(self) -> None:
        """Make the network and its subnet."""
        self.network_id = self.client.call("POST", "networks", {"network": {"name": "bench"}})[1]["network"]["id"]
        subnet = {"network_id": self.network_id, "ip_version": 4, "cidr": _PREFIX}
        self.client.call("POST", "subnets", {"subnet": subnet})

    def wanted(self) -> dict[str, Any]:
        """Return the attributes of one more port, as an orchestrator gives them."""
        self.asked += 1
        return {"network_id": self.network_id, "name": f"port{self.asked}", "device_id": f"instance{self.asked}"}

    def grow(self, size: int, bulk: int) -> None:
        """Create ports by bulk requests until there are so many; those of a whole bulk are samples."""
        while (count := min(bulk, size - len(self.ports))) > 0:
            request = ("POST", "ports", {"ports": [self.wanted() for _ in range(count)]})
            (answer,) = self._timed(BULK if count == bulk else "", [request])
            self.ports += [(port["id"], port["device_id"]) for port in answer["ports"]]

    def batch(self, count: int, chance: random.Random) -> None:
        """Create ports, look at ports in each way, and delete the new ones."""
        new = self._timed("POST", [("POST", "ports", {"port": self.wanted()}) for _ in range(count)])
        chosen = [chance.choice(self.ports) for _ in range(count)]
        self._timed("GET", [("GET", f"ports/{port_id}", None) for port_id, _ in chosen])
        starts = sorted(port_id for port_id, _ in self.ports)[: max(1, len(self.ports) - 100)]
        markers = [chance.choice(starts) for _ in range(count)]
        self._timed("list", [("GET", f"ports?limit=100&marker={marker}", None) for marker in markers])
        self._timed("filter", [("GET", f"ports?device_id={device_id}", None) for _, device_id in chosen])
        self._timed("DELETE", [("DELETE", f"ports/{answer['port']['id']}", None) for answer in new])

    def take(self, what: str) -> Value:
        """Return what was measured since the last time."""
        samples = self.samples.pop(what)
        return value_of(samples, self.cpu.pop(what) / len(samples))

    def _timed(self, what: str, requests: list[tuple[str, str, Any]]) -> list[Any]:
        before = self.subject.tree.cpu_seconds()
        timed = [self.client.call(*request) for request in requests]
        spent = self.subject.tree.cpu_seconds() - before
        self.cpu[what] = self.cpu.get(what, 0.0) + spent * 1e3
        self.samples.setdefault(what, []).extend(seconds * 1e3 for seconds, _ in timed)
        return [answer for _, answer in timed]


def measure(subjects: list[Subject], plan: Plan) -> Iterator[Figure]:
    """Yield figures as they are found. The first subject is ours."""
    chance = random.Random(1)
    with ExitStack() as stack:
        clouds = [Cloud(subject, stack.enter_context(subject.client())) for subject in subjects]
        for cloud in clouds:
            cloud.found()
        for size in plan.sizes:
            here = clouds if size <= plan.peer_top else clouds[:1]
            for cloud in here:
                cloud.grow(size, plan.bulk)
            for _ in range(plan.batches):
                for cloud in here:
                    cloud.batch(plan.batch, chance)
            for what, words in _WORDS.items():
                values = {cloud.subject.name: cloud.take(what) for cloud in here}
                yield Figure(words, size, "ms", _AIMS.get(what), values)
            yield from _together(here, size, plan, chance)
            values = {cloud.subject.name: once(cloud.subject.tree.memory_mib()) for cloud in here}
            yield Figure("memory", size, "MiB", None, values)
            if size >= plan.bulk:
                for cloud in here:
                    cloud.grow(size + plan.bulk, plan.bulk)
                values = {cloud.subject.name: cloud.take(BULK) for cloud in here}
                yield Figure(f"bulk POST of {plan.bulk:,} ports", size, "ms", _AIMS[BULK], values)


def _together(clouds: list[Cloud], size: int, plan: Plan, chance: random.Random) -> Iterator[Figure]:
    """Yield what several clients reach together, in requests a second."""
    rates = [_rates(cloud, plan, chance) for cloud in clouds]
    for what in ("POST", "GET", "DELETE"):
        values = {cloud.subject.name: once(each[what]) for cloud, each in zip(clouds, rates, strict=True)}
        yield Figure(f"{what} port, {plan.clients} clients", size, "requests/s", None, values, more_is_better=True)


def _rates(cloud: Cloud, plan: Plan, chance: random.Random) -> dict[str, float]:
    new: list[str] = []

    def post(client: Client) -> bool:
        new.append(client.call("POST", "ports", {"port": cloud.wanted()})[1]["port"]["id"])
        return True

    def get(client: Client) -> bool:
        client.call("GET", f"ports/{chance.choice(cloud.ports)[0]}")
        return True

    def delete(client: Client) -> bool:
        try:
            port_id = new.pop()
        except IndexError:
            return False
        client.call("DELETE", f"ports/{port_id}")
        return True

    with ExitStack() as stack:
        clients = [stack.enter_context(cloud.subject.client()) for _ in range(plan.clients)]
        return {
            "POST": at_once(clients, plan.seconds, post),
            "GET": at_once(clients, plan.seconds, get),
            "DELETE": at_once(clients, math.inf, delete),
        }
