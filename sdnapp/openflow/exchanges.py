"""What is under way with a switch: a read-back, or a bundle. Their messages take transaction ids one after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from flows.flow import Flow, Match
from sdnapp.openflow.encoding import MATCH_AT, addition, canonical, deletion, strict_deletion
from sdnapp.openflow.messages import (
    BARRIER_REQUEST,
    BUNDLE_COMMIT,
    BUNDLE_OPEN,
    FlowEntry,
    bundle_add,
    bundle_control,
    flow_stats_request,
    message,
)
from sdnapp.openflow.meter_messages import config_request, features_request

XIDS = 1 << 32
"""How many transaction ids there are; after the last comes 0."""


@dataclass
class Reading:
    """A read-back under way: of what meters there may be, of those that there are, and of flows."""

    xid: int
    known: dict[int, Flow] = field(default_factory=dict)
    """What the switch should hold, by cookie."""
    learnt: set[tuple[int, int, int]] = field(default_factory=set)
    """Table, priority and cookie of what the switch may have learnt by itself."""
    found: dict[Flow, FlowEntry] = field(default_factory=dict)
    doubtful: set[Flow] = field(default_factory=set)
    stale: list[FlowEntry] = field(default_factory=list)
    unanswered: set[int] = field(default_factory=set)
    """Transaction ids of requests whose last answer has not come."""

    def __post_init__(self) -> None:
        self.unanswered = {self.features_xid, self.config_xid, self.xid}

    @property
    def features_xid(self) -> int:
        """Of the request for how many meters there may be."""
        return (self.xid + 1) % XIDS

    @property
    def config_xid(self) -> int:
        """Of the request for those that there are."""
        return (self.xid + 2) % XIDS

    def requests(self) -> tuple[bytes, ...]:
        """Return the three requests."""
        # What answers about meters comes first, as it is short.
        return features_request(self.features_xid), config_request(self.config_xid), flow_stats_request(self.xid)


Place = tuple[int, int, bytes]
"""Table, priority and canonical match: where there is one flow on a switch."""


@dataclass
class Bundle:
    """A bundle under way. Its messages take transaction ids one after another: open, mods, commit, barrier."""

    xid: int
    stale: list[FlowEntry]
    deleted: list[Flow]
    overwritten: dict[tuple[int, int, Match], Flow]
    """Flows that go because one that is added takes their place, by key."""
    added: list[Flow]
    metered: bool
    revision: int | None
    """The revision that the switch has reached when this has succeeded; None if more bundles are needed for it."""
    committed: bool = False
    failure: str = "the switch gave no reason"
    refused: dict[int, str] = field(default_factory=dict)
    """Reasons, by position among the mods."""
    replaced: int = 0
    """How many of the added take the place of a stale one, as far as messages have been made."""
    _vacated: set[Place] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.stale) + len(self.deleted) + len(self.added)

    @property
    def commit_xid(self) -> int:
        """Of the commit."""
        return (self.xid + 1 + len(self)) % XIDS

    @property
    def barrier_xid(self) -> int:
        """Of the barrier behind it."""
        return (self.xid + 2 + len(self)) % XIDS

    def position(self, xid: int) -> int:
        """Position of a message: -1 is the opening, ``len`` the commit."""
        return (xid - self.xid) % XIDS - 1

    def messages(self) -> Iterator[bytes]:
        """Yield every message; what cannot be encoded counts as refused."""
        yield bundle_control(self.xid, self.xid, BUNDLE_OPEN)
        for position in range(len(self)):
            try:
                yield bundle_add((self.xid + 1 + position) % XIDS, self.xid, self._body(position))
            except ValueError as error:
                self.refused[position] = str(error)
            except Exception as error:
                # Whatever a mistake of ours has put into a flow, it costs that flow and no other.
                self.refused[position] = f"it cannot be written: {type(error).__name__}: {error}"
        yield bundle_control(self.commit_xid, self.xid, BUNDLE_COMMIT)
        yield message(BARRIER_REQUEST, self.barrier_xid)

    def _body(self, position: int) -> bytes:
        # Deletions first: a flow of an older controller may have the very match of one that is added.
        if position < len(self.stale):
            entry = self.stale[position]
            if self.added:
                self._vacated.add((entry.table, entry.priority, canonical(entry.match)))
            return strict_deletion(entry.table, entry.priority, entry.match)
        position -= len(self.stale)
        if position < len(self.deleted):
            return deletion(self.deleted[position])
        flow = self.added[position - len(self.deleted)]
        body = addition(flow, self.metered)
        if self._vacated and (flow.table, flow.priority, canonical(body[MATCH_AT:])) in self._vacated:
            self.replaced += 1
        return body

    def refused_additions(self) -> dict[Flow, str]:
        """Return the added flows that were refused, with the reasons."""
        first = len(self.stale) + len(self.deleted)
        return {self.added[at - first]: reason for at, reason in self.refused.items() if at >= first}
