"""What one chassis should hold, and the difference that a pass makes to it: plain data.

Two units may ask for the same key (table, priority, match). A switch holds one flow per key, so one of them is chosen
by a rule that knows no order of arrival: the lowest cookie.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flows.flow import Flow, Key
from flows.turns import GiveWay, by_turns, nobody_waits


class Delta(NamedTuple):
    """Flows to add (or to replace, where the key exists) and flows to remove."""

    added: tuple[Flow, ...]
    removed: tuple[Flow, ...]


class DesiredTable(Mapping[Key, Flow]):
    """The flows that one chassis should hold, by key."""

    def __init__(self) -> None:
        self._chosen: dict[Key, Flow] = {}
        self._asked: dict[Key, dict[Flow, int]] = {}
        """How often each flow is asked for, of the few keys where that is not one flow once."""
        self._before: dict[Key, Flow | None] = {}

    def __getitem__(self, key: Key) -> Flow:
        return self._chosen[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._chosen)

    def __len__(self) -> int:
        return len(self._chosen)

    def count(self, flow: Flow, times: int) -> None:
        """Ask for a flow so many times more, or less where negative."""
        key = flow.key
        chosen = self._chosen.get(key)
        if key not in self._before:
            self._before[key] = chosen
        asked = self._asked.pop(key, None)
        if asked is None:
            asked = {chosen: 1} if chosen is not None else {}
        total = asked.get(flow, 0) + times
        if total:
            asked[flow] = total
        else:
            del asked[flow]
        if not asked:
            del self._chosen[key]
            return
        if len(asked) > 1 or total != 1:
            self._asked[key] = asked
        self._chosen[key] = min(asked, key=lambda each: each.cookie)

    def take_delta(self, give_way: GiveWay = nobody_waits) -> Delta:
        """Return what has changed since this was last called."""
        added, removed = [], []
        for key, before in by_turns(self._before.items(), give_way):
            now = self._chosen.get(key)
            if now == before:
                continue
            if now is not None:
                added.append(now)
            if before is not None:
                removed.append(before)
        self._before.clear()
        return Delta(tuple(added), tuple(removed))
