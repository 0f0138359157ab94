"""What happens between us and one connected switch, as a state machine without sockets or clock.

Events are method calls and each returns effects for the caller to carry out, in order. The road of a session:

    assign -> READING: every flow is asked for -> RECONCILING: the difference goes out -> IN_SYNC
                                                      ^-------------- update ------------------'

*Memory.* Whoever assigns and updates knows what is desired. A session remembers only where the switch differs from
that, as far as it knows: nothing at all most of the time. So it relies on differences to be exact (see ``update``), and
reads the switch back each time that all is assigned.

*Reading back.* A cookie carries a flow's content, so a flow on the switch whose cookie, table and priority are those of
a desired flow *is* that flow. What a desired flow lets the switch learn, while the flow is there, is the switch's own
affair. All others are deleted by the very match that was read, all that lack are added. Nothing is sent where nothing
differs.

*Sending.* A difference goes out as one bundle (OpenFlow extension 230), applied in order and wholly or not at all,
followed by a barrier. There is one bundle at a time; what changes meanwhile, and what may wait, is gathered for the
next. A bundle is not limited in size: an upgrade that changes every flow must never leave packets between two half
tables. The first time that a revision is confirmed, a receipt says what was read and what was sent for it.

*Another shape.* A packet that has been through connection tracking goes on in the table, and with the registers, that a
flow named before the change. So what is found in tables that this pipeline does not have, as after an upgrade that has
moved all tables to other numbers, stays for a while after the change, out of reach of new packets.

*Meters.* Flows that lead to the controller name meters; see ``meters`` for when those come and go.

*Refusals.* A switch names the message that it refuses by transaction id. That flow is taken out, reported with its
owner and not tried again until it is desired anew; the rest goes out in a new bundle. When bundles go on failing their
size is halved each time, so that many bad flows, or a switch that does not say what it dislikes, end in a finite time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from flows.actions import Meter
from flows.flow import Flow
from flows.pipeline import TABLES
from sdnapp.openflow.exchanges import XIDS, Bundle, Reading
from sdnapp.openflow.messages import FlowEntry
from sdnapp.openflow.meter_messages import meter_mod
from sdnapp.openflow.meters import Meters
from sdnapp.openflow.receipt import Receipt, Tally
from topology.turns import GiveWay, by_turns, let_go, nobody_waits

PATIENCE = 3
"""Bundles that may fail one after another before their size is halved."""


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


@dataclass(frozen=True)
class Unmetered:
    """The switch has no meters: what instances send to the controller is not limited there."""


@dataclass(frozen=True)
class Reconciled:
    """The switch has been brought in sync for the first time; the receipt says what that took."""

    receipt: Receipt


@dataclass(frozen=True)
class Outlived:
    """The switch holds flows of a pipeline of another shape: ``clear_out`` is due when no packet needs them more."""

    flows: int


Effect = Send | Confirmed | Rejected | Broken | Unmetered | Reconciled | Outlived


class Session:
    """One switch, from when it is connected to when it is not."""

    def __init__(
        self, first_xid: int = 1, give_way: GiveWay = nobody_waits, set_aside: Callable[[], None] = lambda: None
    ) -> None:
        """``give_way`` lets others than this session have their turn (``topology.turns``).

        ``set_aside`` is called where tables are there that are, or will be, very large (``sdnapp.garbage``).
        """
        self._give_way, self._set_aside = give_way, set_aside
        self.revision: int | None = None
        """The latest revision that the switch has confirmed."""
        self.last_error: str | None = None
        self.flow_mods_sent = 0
        self.meter_mods_sent = 0
        self.bundles = 0
        self.rejected = 0
        self.next_xid = first_xid
        self._is_assigned = False
        self._desired_revision = 0
        self._unanswered = False
        """Whether a revision waits to be confirmed."""
        self.flows = 0
        """How many flows the switch holds, as far as it has confirmed."""
        self._differs: dict[Flow, bool] = {}
        """Flows that are desired and not there (True), or there and not desired (False), in the order in which they
        were heard of. A bundle under way counts as done; while reading back, all that was assigned counts as there."""
        self._refused: set[Flow] = set()
        """Desired and not there, as the switch does not take them."""
        self._stale: list[FlowEntry] = []
        self._outlived: list[FlowEntry] = []
        """Flows of another shape's tables, which go later."""
        self._outlived_told = False
        self._meters = Meters()
        self._meter_mods: dict[int, Meter] = {}
        """Meters that the switch may still refuse, by transaction id."""
        self._reading: Reading | None = None
        self._bundle: Bundle | None = None
        self._limit: int | None = None
        self._failures = 0
        self._mods_since_confirmed = 0
        self._tally: Tally | None = None
        """From the end of read-back to the first confirmation."""

    @property
    def state(self) -> State:
        """Where the session stands."""
        if not self._is_assigned:
            return State.HELD
        if self._reading is not None:
            return State.READING
        return State.RECONCILING if self._bundle is not None else State.IN_SYNC

    @property
    def metered(self) -> bool:
        """Whether the switch has meters, as far as is known."""
        return self._meters.supported

    def expects(self, xid: int) -> bool:
        """Whether a message with this transaction id answers us, and not somebody else who uses the connection."""
        if self._reading is not None and xid in self._reading.unanswered:
            return True
        if xid in self._meter_mods:
            return True
        return self._bundle is not None and -1 <= self._bundle.position(xid) <= len(self._bundle) + 1

    # What is wanted

    def assign(self, flows: Iterable[Flow], revision: int) -> list[Effect]:
        """Say which flows the switch shall hold, and none but them. Its flows are read back.

        No two flows may have the same key.
        """
        reading = Reading(self._take_xids(3))
        self._is_assigned, self._desired_revision, self._unanswered = True, revision, True
        self._meters, self._differs, self._refused = Meters(), {}, set()
        self._stale, self._outlived, self._outlived_told = [], [], False
        if self._bundle is not None:
            # What is read back behind it shows what has become of it.
            self._mods_since_confirmed += len(self._bundle)
            self._bundle = None
        for place, flow in enumerate(by_turns(flows, self._give_way)):
            reading.known[flow.cookie] = flow
            if not place:
                self._set_aside()
            self._meters.want(flow)
            if (learner := flow.learner) is not None:
                reading.learnt.add((TABLES[learner.table].number, learner.priority, learner.cookie))
        self._reading = reading
        return [Send(reading.requests())]

    def update(
        self, added: Iterable[Flow], removed: Iterable[Flow], revision: int, *, may_wait: bool = False
    ) -> list[Effect]:
        """Change what the switch shall hold; removals come first. Does nothing before ``assign``.

        What is removed must have been desired, and what is added not. What ``may_wait`` goes with the next bundle,
        whatever makes one, or with ``send_waiting``.
        """
        if not self._is_assigned:
            return []
        for flow in by_turns(removed, self._give_way):
            self._meters.let_go(flow)
            if flow in self._refused:
                self._refused.remove(flow)
            else:
                self._turn(flow, desired=False)
        for flow in by_turns(added, self._give_way):
            self._meters.want(flow)
            self._turn(flow, desired=True)
        self._desired_revision, self._unanswered = revision, True
        return [] if may_wait else self._send_difference()

    def send_waiting(self) -> list[Effect]:
        """Send what was kept waiting, if it has not been sent with something else."""
        return self._send_difference()

    def _turn(self, flow: Flow, *, desired: bool) -> None:
        """Note that one of two has changed: whether a flow is desired (which it is now or not), or whether it is there.

        It differs from now on, unless it did before, so that it does no more.
        """
        if flow in self._differs:
            del self._differs[flow]
        else:
            self._differs[flow] = desired

    # What the switch says

    def entries_read(self, xid: int, entries: Iterable[FlowEntry], more: bool) -> list[Effect]:
        """Take a part of the switch's answer to the read-back; ``more`` parts may follow."""
        reading = self._reading
        if reading is None or xid != reading.xid:
            return []
        for entry in entries:
            flow = reading.known.get(entry.cookie)
            if (entry.table, entry.priority, entry.cookie) in reading.learnt:
                continue
            if flow is None or flow.table != entry.table or flow.priority != entry.priority or flow in reading.doubtful:
                reading.stale.append(entry)
            elif flow in reading.found:
                # Two that look alike: somebody added a flow by hand with a cookie of ours. Neither can be trusted.
                reading.doubtful.add(flow)
                reading.stale += [reading.found.pop(flow), entry]
            else:
                reading.found[flow] = entry
        return [] if more else self._answered(xid)

    def meters_limited(self, xid: int, most: int) -> list[Effect]:
        """Take the switch's word of how many meters it may have."""
        if self._reading is None or xid != self._reading.features_xid:
            return []
        self._meters.supported = most > 0
        return ([] if self._meters.supported else [Unmetered()]) + self._answered(xid)

    def meters_read(self, xid: int, meters: Iterable[Meter], more: bool) -> list[Effect]:
        """Take a part of the switch's answer to which meters it has; ``more`` parts may follow."""
        if self._reading is None or xid != self._reading.config_xid:
            return []
        self._meters.found(meters)
        return [] if more else self._answered(xid)

    def _answered(self, xid: int) -> list[Effect]:
        """Note the last answer to a request of the read-back; with the last of all, send what differs."""
        reading = self._reading
        if reading is None:
            return []
        reading.unanswered.discard(xid)
        if reading.unanswered:
            return []
        self._reading = None
        self.flows, read = len(reading.found), len(reading.found) + len(reading.stale)
        for entry in by_turns(reading.stale, self._give_way):
            (self._stale if entry.table in TABLES.by_number else self._outlived).append(entry)
        for flow in by_turns(reading.known.values(), self._give_way):
            if flow not in reading.found:
                self._turn(flow, desired=True)
        if self.revision is None:
            differing = by_turns(self._differs.items(), self._give_way)
            lacking = [flow for flow, desired in differing if desired]
            self._tally = Tally(read, lacking, removed=len(self._outlived))
        self._set_aside()
        effects = self._send_difference()
        for read_back in (reading.found, reading.stale, reading.known):
            let_go(read_back, self._give_way)
        return effects

    def clear_out(self) -> list[Effect]:
        """Remove what is of another shape's tables."""
        self._stale += self._outlived
        self._outlived = []
        return self._send_difference()

    def refused(self, xid: int, reason: str) -> list[Effect]:
        """Take an error that the switch sent for one of our messages."""
        if self._reading is not None and xid == self._reading.xid:
            return self._break(f"the switch does not tell its flows: {reason}")
        if self._reading is not None and xid == self._reading.features_xid:
            return self.meters_limited(xid, 0)
        if self._reading is not None and xid == self._reading.config_xid:
            return self.meters_read(xid, (), more=False)
        if (meter := self._meter_mods.pop(xid, None)) is not None:
            self._meters.refused(meter)
            self.last_error = f"meter {meter.number} refused: {reason}"
            return []
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
        self._meter_mods.clear()
        self._mods_since_confirmed += len(bundle)
        if not bundle.committed:
            self._undone(bundle)
            return self._reject(bundle) + self._send_difference()
        self._done(bundle)
        effects, following = self._reject(bundle), self._send_difference()
        if bundle.revision is not None and self._bundle is not None:
            # What has changed meanwhile is under way; this much is certain now.
            effects += self._confirm(bundle.revision)
        # Nobody else has these any more.
        let_go(bundle.deleted, self._give_way)
        let_go(bundle.overwritten, self._give_way)
        return effects + following

    # Inner parts

    def _send_difference(self) -> list[Effect]:
        """Send what differs, unless we wait for the switch; confirm if nothing does."""
        if self._reading is not None or self._bundle is not None or not self._is_assigned:
            return []
        stale: list[FlowEntry] = self._stale
        removed: list[Flow] = []
        added: list[Flow] = []
        for flow, desired in by_turns(self._differs.items(), self._give_way):
            (added if desired else removed).append(flow)
        self._stale, self._differs = [], {}
        effects = self._send_meters(self._meters.take_lacking(self._give_way))
        if stale or removed or added:
            return [*effects, self._bundle_of(stale, removed, added)]
        self._limit = None
        if not self._outlived:
            # A switch that loses a meter loses the flows that name it.
            effects += self._send_meters(self._meters.take_idle(self._give_way))
        if self._unanswered:
            self._unanswered = False
            effects += self._confirm(self._desired_revision)
        return effects

    def _send_meters(self, commands: list[tuple[int, Meter]]) -> list[Effect]:
        messages = []
        for command, meter in by_turns(commands, self._give_way):
            xid = self._take_xids(1)
            try:
                messages.append(meter_mod(xid, command, meter))
            except Exception as error:
                self._meters.refused(meter)
                self.last_error = f"meter {meter.number} cannot be written: {error}"
                continue
            self._meter_mods[xid] = meter
            self.meter_mods_sent += 1
        return [Send(messages)] if messages else []

    def _bundle_of(self, stale: list[FlowEntry], removed: list[Flow], added: list[Flow]) -> Send:
        revision: int | None = self._desired_revision
        if self._limit is not None and len(stale) + len(removed) + len(added) > self._limit:
            revision = None
            self._stale, stale, room = stale[self._limit :], stale[: self._limit], self._limit
            room -= len(stale)
            self._differs.update(dict.fromkeys(removed[room:], False))
            removed = removed[:room]
            room -= len(removed)
            self._differs.update(dict.fromkeys(added[room:], True))
            added = added[:room]
        deleted, overwritten = removed, {}
        if removed and added:
            deleted, keys = [], {flow.key for flow in by_turns(added, self._give_way)}
            for flow in by_turns(removed, self._give_way):
                if (key := flow.key) in keys:
                    overwritten[key] = flow
                else:
                    deleted.append(flow)
        self._bundle = Bundle(self.next_xid, stale, deleted, overwritten, added, self.metered, revision)
        self._take_xids(len(self._bundle) + 3)
        self.bundles += 1
        self.flow_mods_sent += len(self._bundle)
        return Send(self._bundle.messages())

    def _done(self, bundle: Bundle) -> None:
        self._failures = 0
        if self._tally is not None:
            self._tally.count(bundle)
        if self._limit is not None:
            self._limit *= 2
        self.flows += len(bundle.added) - len(bundle.deleted) - len(bundle.overwritten)
        for flow in bundle.refused_additions():
            self.flows -= 1
            if (former := bundle.overwritten.get(flow.key)) is not None:
                # Its successor did not come to take its place, so it is still there.
                self.flows += 1
                self._turn(former, desired=False)

    def _undone(self, bundle: Bundle) -> None:
        self._failures += 1
        self.last_error = f"bundle of {len(bundle)} flow mods failed: {bundle.failure}"
        if self._failures > PATIENCE:
            self._limit = max(1, len(bundle) // 2)
            if len(bundle) == 1:
                # The switch need not say what it dislikes: there is only one thing.
                bundle.refused.setdefault(0, bundle.failure)
        # A deletion that is refused is given up: what cannot be deleted is beyond us, and is read back another time.
        self._stale = [entry for at, entry in enumerate(bundle.stale) if at not in bundle.refused] + self._stale
        given_up = {at - len(bundle.stale) for at in bundle.refused}
        kept = [flow for at, flow in enumerate(bundle.deleted) if at not in given_up]
        self.flows -= len(bundle.deleted) - len(kept)
        since, self._differs = self._differs, dict.fromkeys([*kept, *bundle.overwritten.values()], False)
        self._differs.update(dict.fromkeys(bundle.added, True))
        for flow, desired in since.items():
            self._turn(flow, desired=desired)

    def _reject(self, bundle: Bundle) -> list[Effect]:
        """Remember which additions of a bundle were refused, and report those that are still wanted."""
        effects: list[Effect] = []
        for flow, reason in bundle.refused_additions().items():
            # What counts as there differs if it is not desired any more; what does not, if it still is.
            is_desired = (flow in self._differs) != bundle.committed
            self._differs.pop(flow, None)
            if not is_desired:
                continue
            self._refused.add(flow)
            self.rejected += 1
            if self._tally is not None:
                self._tally.refused += 1
            self.last_error = f"flow of {flow.owner} ({flow.feature}) refused: {reason}"
            effects.append(Rejected(flow, reason))
        return effects

    def _confirm(self, revision: int) -> list[Effect]:
        self.revision = revision
        mods, self._mods_since_confirmed = self._mods_since_confirmed, 0
        effects: list[Effect] = [Confirmed(revision, mods)]
        if self._tally is not None:
            effects.append(Reconciled(self._tally.receipt()))
            self._tally = None
        if self._outlived and not self._outlived_told:
            self._outlived_told = True
            effects.append(Outlived(len(self._outlived)))
        return effects

    def _break(self, reason: str) -> list[Effect]:
        self.last_error = reason
        return [Broken(reason)]

    def take_xid(self) -> int:
        """Return a transaction id that nobody else has, for a question beside the session's own."""
        return self._take_xids(1)

    def _take_xids(self, count: int) -> int:
        first = self.next_xid
        self.next_xid = (first + count) % XIDS
        return first
