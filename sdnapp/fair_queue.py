"""A bounded queue that serves projects in turn, and in a project its ports: whoever sends much waits behind himself.

Whatever comes beyond the bounds is dropped and counted. What is dropped is always at the expense of who has most
waiting, so that a project alone with its one request never loses it to another's thousands.
"""

from collections import Counter, OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")

OF_A_PORT = 32
"""How many items may wait of one port."""
OF_A_PROJECT = 256
OF_ALL = 2048


class FairQueue(Generic[T]):
    """First come, first served for one port; round-robin among the ports of a project and among projects."""

    def __init__(self, of_a_port: int = OF_A_PORT, of_a_project: int = OF_A_PROJECT, of_all: int = OF_ALL) -> None:
        self.dropped: Counter[tuple[str, str]] = Counter()
        """How many items were dropped, by project and port."""
        self._limits = of_a_port, of_a_project, of_all
        self._turns: OrderedDict[str, _Project[T]] = OrderedDict()
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def put(self, project: str, port: str, item: T) -> None:
        """Let an item wait its turn, unless too many do."""
        of_a_port, of_a_project, of_all = self._limits
        queue = self._turns.get(project)
        if queue is not None and (queue.waiting >= of_a_project or len(queue.ports.get(port, ())) >= of_a_port):
            self.dropped[project, port] += 1
            return
        if self._waiting >= of_all:
            largest = max(self._turns, key=lambda each: self._turns[each].waiting)
            if largest == project:
                self.dropped[project, port] += 1
                return
            self.dropped[largest, self._shorten(largest)] += 1
        if queue is None:
            queue = self._turns[project] = _Project()
        queue.ports.setdefault(port, deque()).append(item)
        queue.waiting += 1
        self._waiting += 1

    def take(self) -> T | None:
        """Return the item whose turn it is, or None if none waits."""
        if not self._turns:
            return None
        project, queue = self._turns.popitem(last=False)
        port, items = queue.ports.popitem(last=False)
        item = items.popleft()
        if items:
            queue.ports[port] = items
        queue.waiting -= 1
        self._waiting -= 1
        if queue.waiting:
            self._turns[project] = queue
        return item

    def _shorten(self, project: str) -> str:
        """Drop the latest item of a project's longest queue; return whose it was."""
        queue = self._turns[project]
        port = max(queue.ports, key=lambda each: len(queue.ports[each]))
        queue.ports[port].pop()
        if not queue.ports[port]:
            del queue.ports[port]
        queue.waiting -= 1
        self._waiting -= 1
        if not queue.waiting:
            del self._turns[project]
        return port


class _Project(Generic[T]):
    def __init__(self) -> None:
        self.ports: OrderedDict[str, deque[T]] = OrderedDict()
        self.waiting = 0
