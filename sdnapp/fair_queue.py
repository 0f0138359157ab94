"""A bounded queue that serves projects in turn, and in a project its ports: whoever sends much waits behind himself.

Whatever comes beyond the bounds is dropped and counted. What is dropped is always at the expense of who has most
waiting, so that a project alone with its one request never loses it to another's thousands.
"""

from collections import Counter, OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")

OF_A_PORT = 32
"""How many items may wait of one port."""
OF_A_PROJECT = 4 << 20
"""Their size in bytes of one project: some 4,500 requests by DHCP."""
OF_ALL = 16 << 20
"""Their size in bytes: some 18,000 requests by DHCP. These are answered within about 3 s, before clients ask again."""


class FairQueue(Generic[T]):
    """First come, first served for one port; round-robin among the ports of a project and among projects."""

    def __init__(self, of_a_port: int = OF_A_PORT, of_a_project: int = OF_A_PROJECT, of_all: int = OF_ALL) -> None:
        self.dropped: Counter[tuple[str, str]] = Counter()
        """How many items were dropped, by project and port."""
        self._limits = of_a_port, of_a_project, of_all
        self._turns: OrderedDict[str, _Project[T]] = OrderedDict()
        self._count = self._size = 0

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """How large the items that wait are together."""
        return self._size

    def put(self, project: str, port: str, item: T, size: int = 1) -> None:
        """Let an item of some size wait its turn, unless too many do."""
        of_a_port, of_a_project, of_all = self._limits
        queue = self._turns.get(project)
        if queue is not None and (queue.size + size > of_a_project or len(queue.ports.get(port, ())) >= of_a_port):
            self.dropped[project, port] += 1
            return
        while self._size + size > of_all:
            largest = max(self._turns, key=lambda each: self._turns[each].size)
            if largest == project:
                self.dropped[project, port] += 1
                return
            self.dropped[largest, self._shorten(largest)] += 1
        if queue is None:
            queue = self._turns[project] = _Project()
        queue.ports.setdefault(port, deque()).append((item, size))
        self._grow(queue, 1, size)

    def take(self) -> T | None:
        """Return the item whose turn it is, or None if none waits."""
        if not self._turns:
            return None
        project, queue = self._turns.popitem(last=False)
        port, items = queue.ports.popitem(last=False)
        item, size = items.popleft()
        if items:
            queue.ports[port] = items
        self._grow(queue, -1, -size)
        if queue.ports:
            self._turns[project] = queue
        return item

    def _shorten(self, project: str) -> str:
        """Drop the latest item of a project's longest queue; return whose it was."""
        queue = self._turns[project]
        port = max(queue.ports, key=lambda each: len(queue.ports[each]))
        _, size = queue.ports[port].pop()
        if not queue.ports[port]:
            del queue.ports[port]
        self._grow(queue, -1, -size)
        if not queue.ports:
            del self._turns[project]
        return port

    def _grow(self, queue: "_Project[T]", count: int, size: int) -> None:
        self._count += count
        self._size += size
        queue.size += size


class _Project(Generic[T]):
    def __init__(self) -> None:
        self.ports: OrderedDict[str, deque[tuple[T, int]]] = OrderedDict()
        """Items with their sizes, by port."""
        self.size = 0
