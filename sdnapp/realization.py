"""What each chassis has confirmed: the truth behind port status and behind waiting for a revision.

Pure bookkeeping. A chassis is *dead* (no OpenFlow session), *silent* (one that says nothing), *syncing* (connected, not
yet confirmed once) or *in sync*. Only chassis in sync count: a dead or silent one holds nobody up, and one that returns
is brought in sync before it counts again.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from flows.delta import Delta
from flows.flow import Flow
from topology.turns import GiveWay, by_turns, nobody_waits

DEAD, SILENT, SYNCING, IN_SYNC = "dead", "silent", "syncing", "in sync"
CONFIRMED, PENDING = "confirmed", "pending"
IN_WORDS = {
    DEAD: "it has no OpenFlow session",
    SILENT: "it does not answer",
    SYNCING: "it has not confirmed its flows yet",
    PENDING: "it has not confirmed the latest change yet",
}
"""What standings mean, for people who ask why; others say it themselves."""


class Told(NamedTuple):
    """A difference that a chassis was told: of all revisions up to one, from behind the one that all had heard of.

    Who writes meanwhile makes several revisions, which are followed at once. Which of them it is that a difference
    comes from is not known, so that it may be the first.
    """

    behind: int
    revision: int


@dataclass
class Progress:
    """Where one chassis stands.

    ``since`` is the revision whose confirmation brings it in sync, ``told`` is what changed flows of it and is
    not confirmed yet, ``pending`` maps an owner of flows to the revision that changed them last, ``rejected`` an owner
    to those of its flows that the switch refused, with the reasons.
    """

    state: str = DEAD
    since: int = 0
    confirmed: int = 0
    """The revision that the switch has; those that change nothing of it, it has as soon as they are there."""
    told: deque[Told] = field(default_factory=deque)
    pending: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, dict[Flow, str]] = field(default_factory=dict)


class Realization:
    """Progress of all chassis, told by the engine (what changed) and by the sessions (what is confirmed)."""

    def __init__(self, give_way: GiveWay = nobody_waits) -> None:
        """Before it notes a large change, it is to ``give_way`` now and then."""
        self._give_way = give_way
        self._chassis: dict[str, Progress] = {}
        self._revision = 0

    def progress(self, chassis_id: str) -> Progress:
        """Return where a chassis stands; a chassis never heard of is dead."""
        progress = self._chassis.get(chassis_id)
        return self._up_to_date(progress) if progress is not None else Progress()

    def reached(self, revision: int) -> None:
        """All chassis have been told what a revision changes of them; of most, nothing."""
        self._revision = revision

    def _up_to_date(self, progress: Progress) -> Progress:
        if progress.state == IN_SYNC:
            latest = progress.told[0].behind if progress.told else self._revision
            progress.confirmed = max(progress.confirmed, latest)
        return progress

    def connected(self, chassis_id: str, revision: int) -> None:
        """The chassis was given all of its flows as of a revision: nothing of what it holds is known before."""
        self._chassis[chassis_id] = Progress(SYNCING, revision, told=deque((Told(self._revision, revision),)))

    def disconnected(self, chassis_id: str) -> None:
        """The session is over."""
        self._chassis.pop(chassis_id, None)

    def heard(self, chassis_id: str, *, is_heard: bool) -> None:
        """The chassis has a session, but says nothing; or it speaks again, and has to confirm what it was told."""
        progress = self._chassis.get(chassis_id)
        if progress is not None and not is_heard:
            progress.state = SILENT
        elif progress is not None and progress.state == SILENT:
            progress.state, progress.since = (SYNCING, progress.told[-1].revision) if progress.told else (IN_SYNC, 0)

    def changed(self, chassis_id: str, delta: Delta, revision: int) -> None:
        """Flows were changed at a revision, and are on their way to the chassis. A refused one that goes is mended.

        Others have their turn before anything of it is noted; a chassis that has gone meanwhile has nothing noted.
        """
        # Who hears a broadcast changes as other ports come and go. Those that stay are not less real for it; a port
        # that comes has flows of its own that are changed at the same revision.
        flows = by_turns(chain(delta.added, delta.removed), self._give_way)
        owners = {flow.owner for flow in flows if flow.feature != "flooding"}
        if progress := self._chassis.get(chassis_id):
            progress.told.append(Told(self._revision, revision))
            progress.pending.update(dict.fromkeys(owners, revision))
            for flow in delta.removed if progress.rejected else ():
                refused = progress.rejected.get(flow.owner, {})
                if refused.pop(flow, None) is not None and not refused:
                    del progress.rejected[flow.owner]

    def confirmed(self, chassis_id: str, revision: int) -> None:
        """The chassis has confirmed by barrier all up to a revision. Others have their turn before that counts."""
        progress = self._chassis.get(chassis_id)
        if progress is None or revision < progress.since:
            # What it was told before it was given all of its flows says nothing about those.
            return
        for owner in by_turns(list(progress.pending), self._give_way):
            if progress.pending.get(owner, revision + 1) <= revision:
                del progress.pending[owner]
        progress.state = SILENT if progress.state == SILENT else IN_SYNC
        progress.confirmed = max(progress.confirmed, revision)
        while progress.told and progress.told[0].revision <= revision:
            progress.told.popleft()

    def rejected(self, chassis_id: str, flow: Flow, reason: str) -> None:
        """The switch refused a flow, and goes without it until another takes its place or the switch returns."""
        if progress := self._chassis.get(chassis_id):
            progress.rejected.setdefault(flow.owner, {})[flow] = f"{flow.feature}: {reason}"

    def standing(self, chassis_id: str, owners: Collection[str]) -> str:
        """Say where a chassis stands with the flows of some owners, in words."""
        progress = self.progress(chassis_id)
        if progress.state != IN_SYNC:
            return progress.state
        if refused := progress.rejected.keys() & owners:
            return f"rejected: {next(iter(progress.rejected[min(refused)].values()))}"
        return PENDING if progress.pending.keys() & owners else CONFIRMED

    def rejections(self) -> Iterable[tuple[str, str, str]]:
        """Yield (chassis id, owner, reason) of all that switches have refused."""
        for chassis_id, progress in self._chassis.items():
            for owner, refused in progress.rejected.items():
                for reason in refused.values():
                    yield chassis_id, owner, reason

    def is_any_in_sync(self) -> bool:
        """Tell whether there is a chassis that counts."""
        return any(each.state == IN_SYNC for each in self._chassis.values())

    def is_realized(self, revision: int) -> bool:
        """Tell whether every chassis that counts has confirmed a revision."""
        counting = (each for each in self._chassis.values() if each.state == IN_SYNC)
        return all(self._up_to_date(each).confirmed >= revision for each in counting)


def is_active(own_chassis: str, standings: Mapping[str, str]) -> bool:
    """Tell whether a port is realised: its own chassis confirmed, and so did every other one that counts."""
    if standings.get(own_chassis) != CONFIRMED:
        return False
    return are_confirmed(standings)


def are_confirmed(standings: Mapping[str, str]) -> bool:
    """Tell whether every chassis that counts has confirmed; there may be none."""
    return all(standing in (CONFIRMED, DEAD, SILENT, SYNCING) for standing in standings.values())
