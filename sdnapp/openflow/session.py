"""What happens between us and one connected switch, as a state machine without sockets or clock.

Events are method calls and each returns effects for the caller to carry out, in order. The road of a session:

    assign -> READING: every flow is asked for -> RECONCILING: the difference goes out -> IN_SYNC
                                                      ^-------------- update ------------------'

*Reading back.* A cookie carries a flow's content, so a flow on the switch whose cookie, table and priority are those of
a desired flow *is* that flow. All others are deleted by the very match that was read, all that lack are added. Nothing
is sent where nothing differs.

*Sending.* A difference goes out as one bundle (OpenFlow extension 230), applied in order and wholly or not at all,
followed by a barrier. There is one bundle at a time; what changes meanwhile is gathered for the next. A bundle is not
limited in size: an upgrade that changes every flow must never leave packets between two half tables.

*Refusals.* A switch names the message that it refuses by transaction id. That flow is taken out, reported with its
owner and not tried again until it is desired anew; the rest goes out in a new bundle. When bundles go on failing their
size is halved each time, so that many bad flows, or a switch that does not say what it dislikes, end in a finite time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from flows.flow import Flow, Match
from sdnapp.openflow.encoding import addition, deletion, strict_deletion
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

PATIENCE = 3
"""Bundles that may fail one after another before their size is halved."""

_XIDS = 1 << 32


class State(Enum):
    """Where a session stands; the value is for people."""

    HELD = "not assigned"
    READING = "reading back"
    RECONCILING = "reconciling"
    IN_SYNC = "in sync"


@dataclass(frozen=True)
class Send:
    """Send these messages, in order. They are encoded while they are taken, and can be taken once."""

    messages: Iterable[bytes]


@dataclass(frozen=True)
class Confirmed:
    """The switch holds what was desired as of this revision, refused flows excepted. It took ``flow_mods``."""

    revision: int
    flow_mods: int


@dataclass(frozen=True)
class Rejected:
    """The switch does not take this flow; ``reason`` is what it says about it."""

    flow: Flow
    reason: str


@dataclass(frozen=True)
class Broken:
    """The session cannot go on: close the connection, and begin anew when the switch returns."""

    reason: str


Effect = Send | Confirmed | Rejected | Broken


@dataclass
class _Reading:
    """A read-back under way."""

    xid: int
    known: dict[int, Flow]
    found: dict[Flow, FlowEntry] = field(default_factory=dict)
    doubtful: set[Flow] = field(default_factory=set)
    stale: list[FlowEntry] = field(default_factory=list)


@dataclass
class _Bundle:
    """A bundle under way. Its messages take transaction ids one after another: open, mods, commit, barrier."""

    xid: int
    stale: list[FlowEntry]
    deleted: list[Flow]
    overwritten: dict[tuple[int, int, Match], Flow]
    """Flows that go because one that is added takes their place, by key."""
    added: list[Flow]
    revision: int | None
    """The revision that the switch has reached when this has succeeded; None if more bundles are needed for it."""
    committed: bool = False
    failure: str = "the switch gave no reason"
    refused: dict[int, str] = field(default_factory=dict)
    """Reasons, by position among the mods."""

    def __len__(self) -> int:
        return len(self.stale) + len(self.deleted) + len(self.added)

    @property
    def commit_xid(self) -> int:
        return (self.xid + 1 + len(self)) % _XIDS

    @property
    def barrier_xid(self) -> int:
        return (self.xid + 2 + len(self)) % _XIDS

    def position(self, xid: int) -> int:
        """Position of a message: -1 is the opening, ``len`` the commit."""
        return (xid - self.xid) % _XIDS - 1

    def messages(self) -> Iterator[bytes]:
        yield bundle_control(self.xid, self.xid, BUNDLE_OPEN)
        for position in range(len(self)):
            try:
                yield bundle_add((self.xid + 1 + position) % _XIDS, self.xid, self._body(position))
            except ValueError as error:
                self.refused[position] = str(error)
        yield bundle_control(self.commit_xid, self.xid, BUNDLE_COMMIT)
        yield message(BARRIER_REQUEST, self.barrier_xid)

    def _body(self, position: int) -> bytes:
        # Deletions first: a flow of an older controller may have the very match of one that is added.
        if position < len(self.stale):
            entry = self.stale[position]
            return strict_deletion(entry.table, entry.priority, entry.match)
        position -= len(self.stale)
        if position < len(self.deleted):
            return deletion(self.deleted[position])
        return addition(self.added[position - len(self.deleted)])

    def refused_additions(self) -> dict[Flow, str]:
        first = len(self.stale) + len(self.deleted)
        return {self.added[at - first]: reason for at, reason in self.refused.items() if at >= first}


class Session:
    """One switch, from when it is connected to when it is not."""

    def __init__(self, first_xid: int = 1) -> None:
        self.revision: int | None = None
        """The latest revision that the switch has confirmed."""
        self.last_error: str | None = None
        self.flow_mods_sent = 0
        self.bundles = 0
        self.rejected = 0
        self.next_xid = first_xid
        self._desired: set[Flow] | None = None
        self._desired_revision = 0
        self._unanswered = False
        """Whether a revision waits to be confirmed."""
        self._installed: set[Flow] = set()
        self._refused: dict[Flow, str] = {}
        self._touched: dict[Flow, None] = {}
        """Flows that may differ between desired and installed, in the order in which they were heard of."""
        self._stale: list[FlowEntry] = []
        self._reading: _Reading | None = None
        self._bundle: _Bundle | None = None
        self._limit: int | None = None
        self._failures = 0
        self._mods_since_confirmed = 0

    @property
    def state(self) -> State:
        """Where the session stands."""
        if self._desired is None:
            return State.HELD
        if self._reading is not None:
            return State.READING
        return State.RECONCILING if self._bundle is not None else State.IN_SYNC

    @property
    def flows(self) -> int:
        """How many flows the switch holds, as far as it has confirmed."""
        return len(self._installed)

    def expects(self, xid: int) -> bool:
        """Whether a message with this transaction id answers us, and not somebody else who uses the connection."""
        if self._reading is not None and xid == self._reading.xid:
            return True
        return self._bundle is not None and -1 <= self._bundle.position(xid) <= len(self._bundle) + 1

    # What is wanted

    def assign(self, flows: Iterable[Flow], revision: int) -> list[Effect]:
        """Say which flows the switch shall hold, and none but them. The first time, its flows are read back.

        No two flows may have the same key.
        """
        flows = set(flows)
        if self._desired is not None:
            return self.update(flows - self._desired, self._desired - flows, revision)
        self._desired, self._desired_revision, self._unanswered = flows, revision, True
        self._reading = _Reading(self._take_xids(1), {flow.cookie: flow for flow in flows})
        return [Send((flow_stats_request(self._reading.xid),))]

    def update(self, added: Iterable[Flow], removed: Iterable[Flow], revision: int) -> list[Effect]:
        """Change what the switch shall hold; removals come first. Does nothing before ``assign``."""
        if self._desired is None:
            return []
        for flow in removed:
            self._desired.discard(flow)
            self._refused.pop(flow, None)
            self._touched[flow] = None
        for flow in added:
            self._desired.add(flow)
            self._touched[flow] = None
        self._desired_revision, self._unanswered = revision, True
        return self._send_difference()

    # What the switch says

    def entries_read(self, xid: int, entries: Iterable[FlowEntry], more: bool) -> list[Effect]:
        """Take a part of the switch's answer to the read-back; ``more`` parts may follow."""
        reading = self._reading
        if reading is None or xid != reading.xid:
            return []
        for entry in entries:
            flow = reading.known.get(entry.cookie)
            if flow is None or flow.table != entry.table or flow.priority != entry.priority or flow in reading.doubtful:
                reading.stale.append(entry)
            elif flow in reading.found:
                # Two that look alike: somebody added a flow by hand with a cookie of ours. Neither can be trusted.
                reading.doubtful.add(flow)
                reading.stale += [reading.found.pop(flow), entry]
            else:
                reading.found[flow] = entry
        if more:
            return []
        self._reading = None
        self._installed, self._stale = set(reading.found), reading.stale
        self._touched = dict.fromkeys(self._installed ^ (self._desired or set()))
        return self._send_difference()

    def refused(self, xid: int, reason: str) -> list[Effect]:
        """Take an error that the switch sent for one of our messages."""
        if self._reading is not None and xid == self._reading.xid:
            return self._break(f"the switch does not tell its flows: {reason}")
        if self._bundle is not None:
            position = self._bundle.position(xid)
            if 0 <= position < len(self._bundle):
                self._bundle.refused.setdefault(position, reason)
            elif position in (-1, len(self._bundle)):
                self._bundle.failure = reason
        return []

    def bundle_committed(self, bundle: int) -> list[Effect]:
        """The switch has applied a bundle."""
        if self._bundle is not None and bundle == self._bundle.xid:
            self._bundle.committed = True
        return []

    def barrier_passed(self, xid: int) -> list[Effect]:
        """The switch has done all that was sent before a barrier, and has said what it had to say about it."""
        bundle = self._bundle
        if bundle is None or xid != bundle.barrier_xid:
            return []
        self._bundle = None
        self._mods_since_confirmed += len(bundle)
        if not bundle.committed:
            self._undone(bundle)
            return self._reject(bundle) + self._send_difference()
        self._done(bundle)
        effects, following = self._reject(bundle), self._send_difference()
        if bundle.revision is not None and self._bundle is not None:
            # What has changed meanwhile is under way; this much is certain now.
            effects.append(self._confirm(bundle.revision))
        return effects + following

    # Inner parts

    def _send_difference(self) -> list[Effect]:
        """Send what differs, unless we wait for the switch; confirm if nothing does."""
        if self._reading is not None or self._bundle is not None or self._desired is None:
            return []
        stale, removed, added = self._stale, [], []
        for flow in self._touched:
            if flow in self._desired:
                if flow not in self._installed and flow not in self._refused:
                    added.append(flow)
            elif flow in self._installed:
                removed.append(flow)
        self._stale, self._touched = [], {}
        if not (stale or removed or added):
            self._limit = None
            if not self._unanswered:
                return []
            self._unanswered = False
            return [self._confirm(self._desired_revision)]
        return [self._bundle_of(stale, removed, added)]

    def _bundle_of(self, stale: list[FlowEntry], removed: list[Flow], added: list[Flow]) -> Send:
        revision: int | None = self._desired_revision
        if self._limit is not None and len(stale) + len(removed) + len(added) > self._limit:
            revision = None
            self._stale, stale, room = stale[self._limit :], stale[: self._limit], self._limit
            room -= len(stale)
            self._touched.update(dict.fromkeys(removed[room:]))
            removed = removed[:room]
            room -= len(removed)
            self._touched.update(dict.fromkeys(added[room:]))
            added = added[:room]
        deleted, overwritten = removed, {}
        if removed and added:
            deleted, keys = [], {flow.key for flow in added}
            for flow in removed:
                if (key := flow.key) in keys:
                    overwritten[key] = flow
                else:
                    deleted.append(flow)
        self._bundle = _Bundle(self.next_xid, stale, deleted, overwritten, added, revision)
        self._take_xids(len(self._bundle) + 3)
        self.bundles += 1
        self.flow_mods_sent += len(self._bundle)
        return Send(self._bundle.messages())

    def _done(self, bundle: _Bundle) -> None:
        self._failures = 0
        if self._limit is not None:
            self._limit *= 2
        self._installed.difference_update(bundle.deleted, bundle.overwritten.values())
        self._installed.update(bundle.added)
        for flow in bundle.refused_additions():
            self._installed.discard(flow)
            if (former := bundle.overwritten.get(flow.key)) is not None:
                # Its successor did not come to take its place, so it is still there.
                self._installed.add(former)
                self._touched[former] = None

    def _undone(self, bundle: _Bundle) -> None:
        self._failures += 1
        self.last_error = f"bundle of {len(bundle)} flow mods failed: {bundle.failure}"
        if self._failures > PATIENCE:
            self._limit = max(1, len(bundle) // 2)
            if len(bundle) == 1:
                # The switch need not say what it dislikes: there is only one thing.
                bundle.refused.setdefault(0, bundle.failure)
        # A deletion that is refused is given up: what cannot be deleted is beyond us, and is read back another time.
        self._stale = [entry for at, entry in enumerate(bundle.stale) if at not in bundle.refused] + self._stale
        self._installed.difference_update(
            flow for at, flow in enumerate(bundle.deleted, len(bundle.stale)) if at in bundle.refused
        )
        self._touched = dict.fromkeys([*bundle.deleted, *bundle.overwritten.values(), *bundle.added, *self._touched])

    def _reject(self, bundle: _Bundle) -> list[Effect]:
        """Remember which additions of a bundle were refused, and report those that are still wanted."""
        effects: list[Effect] = []
        for flow, reason in bundle.refused_additions().items():
            if self._desired is None or flow not in self._desired:
                continue
            self._refused[flow] = reason
            self.rejected += 1
            self.last_error = f"flow of {flow.owner} ({flow.feature}) refused: {reason}"
            effects.append(Rejected(flow, reason))
        return effects

    def _confirm(self, revision: int) -> Confirmed:
        self.revision = revision
        mods, self._mods_since_confirmed = self._mods_since_confirmed, 0
        return Confirmed(revision, mods)

    def _break(self, reason: str) -> list[Effect]:
        self.last_error = reason
        return [Broken(reason)]

    def _take_xids(self, count: int) -> int:
        first = self.next_xid
        self.next_xid = (first + count) % _XIDS
        return first
