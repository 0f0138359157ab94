"""Which witnesses gateway chassis have, and when one that the controller cannot reach is silent for certain.

See ``topology.witnesses``. A witness has withdrawn when its database says that its hellos say so. The chassis hears
that, or nothing, within what BFD needs to notice an end; so that long later it hears this witness no more.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import NamedTuple

from sdnapp.realization import IN_SYNC, Progress
from topology.gateway import in_order
from topology.gateway_values import Alone, Fence, Outage
from topology.store import Store
from topology.values import Chassis
from topology.witnesses import WITNESSES, Hearing, chosen

LOG = logging.getLogger(__name__)
PATIENCE = 5
"""Ticks until a chassis is believed to be heard as a witness, or not to be. A busy machine loses a session for some."""
MATURE = 5.0
"""Seconds after which a session has hellos as often as it wants. One begins with a hello a second."""
NOTICED, NOTICED_EARLY = 1.0, 4.0
"""Seconds within which the end of a session is noticed for certain: of a mature one (0.3 of three hellos), and else."""

Told = Mapping[str, Hearing]
Pairs = Counter[tuple[str, str]]


class _Session(NamedTuple):
    """What a witness has told of its session: since when (seconds) it is ``up``, and has not ``withdrawn`` meanwhile.

    The other end does not hear it any more at ``unheard_at``.
    """

    up_since: float | None
    withdrawn: bool
    unheard_at: float


class Witnesses:
    """Chooses them, and says who is silent. ``tick`` is to be called once a second, ``look`` when databases tell more.

    ``told`` returns what connected databases tell, by chassis; ``progress`` where a chassis stands; ``clock`` seconds.
    """

    def __init__(
        self,
        store: Store,
        told: Callable[[], Told],
        progress: Callable[[str], Progress],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._told, self._progress, self._clock = store, told, progress, clock
        self._sessions: dict[tuple[str, str], _Session] = {}
        """By a gateway chassis and one of its witnesses."""
        self._silent: frozenset[str] = frozenset()
        self._waited: Counter[str] = Counter()
        self._joined: Pairs = Counter()
        """For how many ticks a gateway chassis and a chassis that may become its witness have heard one another."""
        self._parted: Pairs = Counter()
        self._deaf: Counter[str] = Counter()
        """For how many ticks a gateway chassis has heard none of its witnesses; "" for: nobody has heard anybody."""
        self._decided: dict[Fence, int] = {}

    def is_silent(self, chassis_id: str) -> bool:
        """Return whether a chassis that cannot be reached answers nobody for certain; one that is deleted counts so."""
        if self._store.get(Chassis, chassis_id) is None:
            return True
        return self._store.get(Outage, chassis_id) is not None and not self.awaited(chassis_id)

    def awaited(self, chassis_id: str) -> list[str]:
        """Return the witnesses that a chassis that cannot be reached may still hear; deleted ones are none."""
        outage, now = self._store.get(Outage, chassis_id), self._clock()
        witnesses = outage.witnesses if outage is not None else ()
        return [each for each in witnesses if not self._is_unheard(chassis_id, each, now)]

    def look(self) -> bool:
        """Take note of what databases tell; return whether somebody is silent who was not when this was asked last."""
        now, told, before = self._clock(), self._told(), self._silent
        fences, outages = self._store.find(Fence, "every", True), self._store.find(Outage, "every", True)
        pairs = {(row.id, each) for row in fences for each in (*row.witnesses, *row.leaving)}
        pairs |= {(row.id, each) for row in outages for each in row.witnesses}
        self._sessions = {
            pair: session for pair in pairs if (session := self._followed(pair, told.get(pair[1]), now)) is not None
        }
        self._silent = frozenset(each for each in self._store.find_ids(Outage, "every", True) if self.is_silent(each))
        return not self._silent <= before

    def tick(self) -> bool:
        """Choose witnesses; return as ``look`` does."""
        told = self._told()
        rows = {row.id: row for row in self._store.find(Fence, "every", True) if self._is_reached(row.id)}
        speaking = {each for each, row in rows.items() if not row.witnesses or self._heard(row, told)}
        self._note_deaf(rows, told)
        joined, self._joined = self._joined, Counter()
        parted, self._parted = self._parted, Counter()
        for fence in rows.values():
            if fence.id in told:
                self._keep_alone(fence, others_speak=bool(speaking - {fence.id}))
                self._keep_witnesses(fence, told, joined, parted)
        self._decided = {fence: at for fence, at in self._decided.items() if rows.get(fence.id) == fence}
        self._warn()
        return self.look()

    # When one is silent

    def _followed(self, pair: tuple[str, str], hearing: Hearing | None, now: float) -> _Session | None:
        before, end = self._sessions.get(pair), self._end(pair[0])
        if hearing is None or end is None:
            return None
        is_up, withdrawn = end in hearing.up, end in hearing.withdrawn
        since = (before.up_since if before and before.up_since is not None else now) if is_up else None
        if is_up and not withdrawn:
            return _Session(since, withdrawn, inf)
        if before is not None and before.unheard_at != inf and not (is_up and withdrawn and not before.withdrawn):
            return _Session(since, withdrawn, before.unheard_at)
        is_mature = before is not None and before.up_since is not None and now - before.up_since >= MATURE
        return _Session(since, withdrawn, now + (NOTICED if is_mature else NOTICED_EARLY))

    def _is_unheard(self, chassis_id: str, witness: str, now: float) -> bool:
        session = self._sessions.get((chassis_id, witness))
        is_gone = self._store.get(Chassis, witness) is None
        return is_gone or (session is not None and session.withdrawn and now >= session.unheard_at)

    def _warn(self) -> None:
        """Say once for whom others wait, and what ends that."""
        out = self._store.find_ids(Outage, "every", True)
        waiting = {each: awaited for each in out if (awaited := self.awaited(each))}
        self._waited = Counter({each: self._waited[each] + 1 for each in waiting})
        for chassis_id, count in self._waited.items():
            if count == PATIENCE:
                LOG.warning(
                    "gateway chassis %s cannot be reached, and may go on answering ARP, as its witnesses cannot be "
                    "reached either: %s. Nobody takes its place until it is back, or they are. Of what is off for "
                    "certain: openstack network agent delete",
                    *(chassis_id, ", ".join(waiting[chassis_id])),
                )

    # Who has which

    def _keep_alone(self, fence: Fence, *, others_speak: bool) -> None:
        """Say of a chassis that is reached whether it is alone; who is has to hear somebody to be it no more."""
        is_alone = self._store.get(Alone, fence.id) is not None
        patience = 1 if is_alone else PATIENCE
        if is_alone != (others_speak and self._deaf[fence.id] >= patience):
            with self._store.transaction() as tx:
                if is_alone:
                    tx.delete(Alone, fence.id)
                else:
                    tx.put(Alone(fence.id))

    def _keep_witnesses(self, fence: Fence, told: Told, joined: Pairs, parted: Pairs) -> None:
        """Give a chassis that is reached other witnesses if it has to have others, one change after the other.

        ``joined`` and ``parted`` count the ticks up to the last one.
        """
        if fence.leaving:
            decided = self._decided.setdefault(fence, self._store.revision)
            if self._progress(fence.id).confirmed >= decided:
                self._put(replace(fence, leaving=()))
            return
        current = tuple(each for each in fence.witnesses if self._store.get(Chassis, each) is not None)
        lost = []
        for each in current:
            pair = fence.id, each
            self._parted[pair] = 0 if self._are_joined(*pair, told) else parted[pair] + 1
            if self._parted[pair] >= PATIENCE:
                lost.append(each)
        found = [each for each in told if each != fence.id] if lost or len(current) < WITNESSES else []
        for each in found:
            pair = fence.id, each
            self._joined[pair] = joined[pair] + 1 if self._are_joined(*pair, told) else 0
        candidates = in_order(fence.id, (each for each in found if self._joined[fence.id, each] >= PATIENCE))
        wanted = () if self._deaf[""] >= PATIENCE else chosen(current, lost, candidates)
        if wanted != fence.witnesses:
            LOG.info("the witnesses of gateway chassis %s are: %s", fence.id, ", ".join(wanted) or "none")
            self._put(replace(fence, witnesses=wanted, leaving=fence.witnesses))

    def _note_deaf(self, rows: Mapping[str, Fence], told: Told) -> None:
        deaf = {each: 1 for each, row in rows.items() if each in told and row.witnesses and not self._heard(row, told)}
        deaf[""] = int(bool(rows) and all(each in told and not told[each].heard for each in rows))
        self._deaf = Counter({each: self._deaf[each] + 1 for each, is_deaf in deaf.items() if is_deaf})

    def _heard(self, fence: Fence, told: Told) -> list[str]:
        """Return the witnesses that a chassis hears, as both ends say."""
        return [each for each in fence.witnesses if self._are_joined(fence.id, each, told)]

    def _are_joined(self, chassis_id: str, other: str, told: Told) -> bool:
        if chassis_id not in told or other not in told:
            return False
        own, end = told[other], self._end(chassis_id)
        return self._end(other) in told[chassis_id].heard and end in own.up and end not in own.withdrawn

    def _is_reached(self, chassis_id: str) -> bool:
        is_out = self._store.get(Outage, chassis_id) is not None
        return not is_out and self._progress(chassis_id).state == IN_SYNC

    def _end(self, chassis_id: str) -> str | None:
        row = self._store.get(Chassis, chassis_id)
        return row.encap_ip if row is not None else None

    def _put(self, fence: Fence) -> None:
        with self._store.transaction() as tx:
            tx.put(fence)
