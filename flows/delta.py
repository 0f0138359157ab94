"""What one chassis should hold, and the difference that a pass makes to it: plain data.

Two units may ask for the same key (table, priority, match). A switch holds one flow per key, so one of them is chosen
by a rule that knows no order of arrival: the lowest cookie.
"""

from collections.abc import Iterator, Mapping, ValuesView
from itertools import chain
from typing import NamedTuple

from flows.flow import Flow, Key, Match
from topology.turns import GiveWay, by_turns, let_go, nobody_waits


class Delta(NamedTuple):
    """Flows to add (or to replace, where the key exists) and flows to remove."""

    added: tuple[Flow, ...]
    removed: tuple[Flow, ...]


class DesiredTable(Mapping[Key, Flow]):
    """The flows that one chassis should hold, by key."""

    def __init__(self) -> None:
        self._chosen: dict[tuple[int, int], dict[Match, Flow]] = {}
        """By table and priority, and by match: so that no key need be kept, but the match that each flow has anyway."""
        self._size = 0
        self._asked: dict[Key, dict[Flow, int]] = {}
        """How often each flow is asked for, of the few keys where that is not one flow once."""
        self._before: dict[Key, Flow | None] = {}

    def __getitem__(self, key: Key) -> Flow:
        table, priority, match = key
        return self._chosen[table, priority][match]

    def __iter__(self) -> Iterator[Key]:
        return (flow.key for flow in self.values())

    def __len__(self) -> int:
        return self._size

    def values(self) -> ValuesView[Flow]:
        """Return the flows."""
        return _Flows(self)

    def each(self) -> Iterator[Flow]:
        """Return all flows, one after the other."""
        # A chassis that attaches is given all of them, taken in one go: a loop of ours takes four times as long.
        return chain.from_iterable(flows.values() for flows in self._chosen.values())

    def in_table(self, number: int) -> list[Flow]:
        """Return the flows of one table, without a look at those of others."""
        return [flow for (table, _), flows in self._chosen.items() if table == number for flow in flows.values()]

    def count(self, flow: Flow, times: int) -> None:
        """Ask for a flow so many times more, or less where negative."""
        key = flow.key
        place = self._chosen.get(key[:2])
        if place is None:
            place = self._chosen[key[:2]] = {}
        chosen = place.get(flow.match)
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
            self._size -= 1
            del place[flow.match]
            if not place:
                del self._chosen[key[:2]]
            return
        if len(asked) > 1 or total != 1:
            self._asked[key] = asked
        if chosen is None:
            self._size += 1
        if chosen is None or chosen not in asked:
            # A look at all of them each time would be a look at the square of them.
            place[flow.match] = min(asked, key=lambda each: each.cookie)
        elif total and flow.cookie < chosen.cookie:
            place[flow.match] = flow

    def take_delta(self, give_way: GiveWay = nobody_waits) -> Delta:
        """Return what has changed since this was last called."""
        added, removed = [], []
        for key, before in by_turns(self._before.items(), give_way):
            now = self.get(key)
            if now == before:
                continue
            if now is not None:
                added.append(now)
            if before is not None:
                removed.append(before)
        self.forget_before(give_way)
        return Delta(tuple(added), tuple(removed))

    def forget_before(self, give_way: GiveWay = nobody_waits) -> None:
        """Go on from here, whatever has changed: a table that is just filled differs from nothing."""
        let_go(self._before, give_way)


class _Flows(ValuesView[Flow]):
    """The values of a table, without a look at their keys."""

    _mapping: DesiredTable

    def __iter__(self) -> Iterator[Flow]:
        return self._mapping.each()
