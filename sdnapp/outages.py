"""Which gateway chassis cannot be reached, so that others take their place.

A chassis counts as out when its switch has had no session for ``PATIENCE`` ticks, and no more as soon as it has one.
While nobody at all is connected, as when the controller itself has just started, nothing is said of anyone.
"""

import logging
from collections.abc import Callable

from topology.store import Store
from topology.values import Chassis, Outage

LOG = logging.getLogger(__name__)
PATIENCE = 2


class Outages:
    """Keeps the rows; ``is_connected`` says whether a chassis's switch has a session. To be called once a second."""

    def __init__(self, store: Store, is_connected: Callable[[str], bool]) -> None:
        self._store, self._is_connected = store, is_connected
        self._missed: dict[str, int] = {}

    def tick(self) -> None:
        """Look at every gateway chassis."""
        known = [row for row in self._store.find(Chassis, "every", True) if row.gateway]
        connected = {row.id for row in known if self._is_connected(row.id)}
        out = set(self._store.find_ids(Outage, "every", True))
        for chassis_id in out & connected:
            self._change(chassis_id, out=False)
        for chassis_id in out - {row.id for row in known}:
            self._change(chassis_id, out=False)
        if not connected:
            self._missed.clear()
            return
        self._missed = {row.id: self._missed.get(row.id, 0) + 1 for row in known if row.id not in connected}
        for chassis_id, missed in self._missed.items():
            if missed >= PATIENCE and chassis_id not in out:
                self._change(chassis_id, out=True)

    def _change(self, chassis_id: str, *, out: bool) -> None:
        if out:
            LOG.warning("gateway chassis %s cannot be reached: other gateway chassis serve its routers", chassis_id)
        else:
            LOG.info("gateway chassis %s serves its routers again", chassis_id)
        with self._store.transaction() as tx:
            if out:
                tx.put(Outage(chassis_id))
            else:
                tx.delete(Outage, chassis_id)
