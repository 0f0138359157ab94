"""Gateway roles pass from chassis to chassis (``topology.gateway_binding``) by what the switches have confirmed."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sdnapp.realization import IN_SYNC, Realization
from topology.facts import View
from topology.gateway_binding import bind
from topology.gateway_values import GatewayBinding, Outage
from topology.store import Store
from topology.turns import GiveWay, by_turns, nobody_waits
from topology.values import Chassis, Router


class Handovers:
    """Who stands for which router, kept up to date by ``follow``."""

    def __init__(
        self, store: Store, realization: Realization, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._realization, self._now = store, realization, now
        self._decided: dict[tuple[str, str], int] = {}
        """By owner and former chassis, the revision as of which that one answers no more."""
        self._let_go: set[str] = set()

    def follow(self, view: View, router_ids: Iterable[str], give_way: GiveWay = nobody_waits) -> None:
        """Choose anew for some routers, and let those answer whose predecessors have let go.

        ``view`` is up to date with the store; among the ids may be those of other things, thousands of floating IPs.
        Nobody writes to the store however often this is to ``give_way``.
        """
        router_ids = [each for each in by_turns(router_ids, give_way) if self._concerns(view, each)]
        router_ids = {*router_ids, *(row.router_id for row in self._under_way())}
        bind(self._store, view, router_ids, self._now().strftime("%Y-%m-%dT%H:%M:%SZ"), self._has_let_go)
        places = [(row.id, row.former or "") for row in self._under_way()]
        self._decided = {place: self._decided.get(place, self._store.revision) for place in places}

    def wait_for(self, chassis_id: str) -> bool:
        """Return whether somebody waits for a chassis to let go."""
        return any(former == chassis_id for _, former in self._decided)

    def may_go_on(self) -> bool:
        """Return whether a former has let go since this was asked last."""
        before, self._let_go = self._let_go, {row.id for row in self._under_way() if self._has_let_go(row)}
        return not self._let_go <= before

    def _concerns(self, view: View, router_id: str) -> bool:
        return view.get(Router, router_id) is not None or self._store.count(GatewayBinding, "router", router_id) > 0

    def _under_way(self) -> list[GatewayBinding]:
        return self._store.find(GatewayBinding, "handover", True)

    def _has_let_go(self, row: GatewayBinding) -> bool:
        former = row.former or ""
        if self._store.get(Chassis, former) is None or self._store.get(Outage, former) is not None:
            return True
        progress, decided = self._realization.progress(former), self._decided.get((row.id, former))
        return decided is not None and progress.state == IN_SYNC and progress.confirmed >= decided
