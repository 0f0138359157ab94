"""Gateway roles pass from chassis to chassis (``topology.gateway_binding``) by what the switches have confirmed."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sdnapp.realization import IN_SYNC, Realization
from topology.facts import View
from topology.gateway_binding import Progress, awaited, bind
from topology.gateway_values import GETTING_READY, PASSING_ON, GatewayBinding, Outage
from topology.store import Store
from topology.turns import GiveWay, by_turns, nobody_waits
from topology.values import Router

PATIENCE = 2
"""Ticks for which questions are passed on: a second at least. A successor may have had no time to work off what it had
heard before that, which the former has answered: it must be gone before the successor answers what it hears."""
HEARING = 5
"""Ticks within which a successor and the former must hear one another by BFD. A session that has just begun may need
three seconds."""

Step = tuple[str, str | None, str, str]
"""Of a ``GatewayBinding``: the owner, the former and the next chassis, and which step it is."""


class Handovers:
    """Who stands for which router, kept up to date by ``follow``. ``tick`` is to be called once a second.

    ``are_joined`` says whether two chassis reach one another by tunnel; ``is_silent`` whether one that cannot be
    reached is silent for certain (``sdnapp.witnesses``).
    """

    def __init__(
        self,
        store: Store,
        realization: Realization,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        are_joined: Callable[[str, str], bool] = lambda one, other: True,
        is_silent: Callable[[str], bool] = lambda chassis_id: True,
    ) -> None:
        self._store, self._realization, self._now, self._are_joined = store, realization, now, are_joined
        self._decided: dict[Step, int] = {}
        """The revision as of which each step that is under way is made."""
        self._ticks: dict[Step, int] = {}
        """For how many ticks a step has lasted; questions are passed on since that was confirmed."""
        self._due: set[Step] = set()
        self._is_silent = is_silent
        self._progress = Progress(self._is_done, self._are_parted, is_silent)

    def follow(self, view: View, router_ids: Iterable[str], give_way: GiveWay = nobody_waits) -> None:
        """Choose anew for some routers, and go on with what is under way as far as switches have confirmed it.

        ``view`` is up to date with the store; among the ids may be those of other things, thousands of floating IPs.
        Nobody writes to the store however often this is to ``give_way``.
        """
        router_ids = [each for each in by_turns(router_ids, give_way) if self._concerns(view, each)]
        router_ids = {*router_ids, *(row.router_id for row in self._under_way())}
        bind(self._store, view, router_ids, self._now().strftime("%Y-%m-%dT%H:%M:%SZ"), self._progress)
        steps = [_step(row) for row in self._under_way()]
        self._decided = {step: self._decided.get(step, self._store.revision) for step in steps}
        self._ticks = {step: ticks for step, ticks in self._ticks.items() if step in self._decided}

    def tick(self) -> None:
        """Take note of the time that steps last."""
        for row in self._under_way():
            if row.step != PASSING_ON or self._is_confirmed(row):
                self._ticks[_step(row)] = self._lasted(row) + 1

    def wait_for(self, chassis_id: str) -> bool:
        """Return whether somebody waits for what a chassis confirms."""
        return any(awaited(row) == chassis_id for row in self._under_way())

    def may_go_on(self) -> bool:
        """Return whether since this was asked last a step has been done, or cannot last."""
        before, self._due = self._due, {_step(row) for row in self._under_way() if self._goes_on(row)}
        return not self._due <= before

    def _concerns(self, view: View, router_id: str) -> bool:
        return view.get(Router, router_id) is not None or self._store.count(GatewayBinding, "router", router_id) > 0

    def _under_way(self) -> list[GatewayBinding]:
        return self._store.find(GatewayBinding, "handover", True)

    def _goes_on(self, row: GatewayBinding) -> bool:
        is_lost = self._store.get(Outage, awaited(row)) is not None
        return self._is_done(row) or self._are_parted(row) or (is_lost and self._is_silent(awaited(row)))

    def _is_done(self, row: GatewayBinding) -> bool:
        if not self._is_confirmed(row):
            return False
        return {GETTING_READY: self._are_near(row), PASSING_ON: self._lasted(row) >= PATIENCE}.get(row.step, True)

    def _are_parted(self, row: GatewayBinding) -> bool:
        if row.step == GETTING_READY and self._lasted(row) < HEARING:
            return False
        return row.step in (GETTING_READY, PASSING_ON) and not self._are_near(row)

    def _are_near(self, row: GatewayBinding) -> bool:
        return self._are_joined(row.former or "", row.chassis_id)

    def _lasted(self, row: GatewayBinding) -> int:
        return self._ticks.get(_step(row), 0)

    def _is_confirmed(self, row: GatewayBinding) -> bool:
        progress, decided = self._realization.progress(awaited(row)), self._decided.get(_step(row))
        return decided is not None and progress.state == IN_SYNC and progress.confirmed >= decided


def _step(row: GatewayBinding) -> Step:
    return row.id, row.former, row.chassis_id, row.step
