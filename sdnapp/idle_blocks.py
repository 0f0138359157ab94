"""Hands source ports on that a chassis has not needed for long, where another one finds none.

A chassis keeps its block while no instance there needs it: one that is moved away or stopped may return, and its
connections with it. Only when a router's addresses are used up, the blocks that have lain idle longest are taken back,
and those of chassis that have been deleted, which may have been cut off only, as soon as they have lain idle for long.
"""

import logging
import time
from collections.abc import Callable

from sdnapp.controller import Controller
from sdnapp.turns import Turns
from topology.gateway_values import Translation
from topology.translation import Place, idle
from topology.values import Chassis

LOG = logging.getLogger(__name__)
PERIOD = 30.0
"""Seconds between two looks."""
HOLD = 2 * 3600.0 + 4 * 60
"""Seconds for which a block must have been idle: after so long without a packet, a translator may forget an established
connection (RFC 5382, section 5, REQ-5), and nobody here has sent one."""


class IdleBlocks:
    """``tick`` is to be called every ``PERIOD`` seconds; ``clock`` returns seconds, never less than before.

    Since when blocks are idle is not stored: what a controller has not seen itself, it does not count.
    """

    def __init__(self, controller: Controller, clock: Callable[[], float] = time.monotonic) -> None:
        self._controller, self._clock = controller, clock
        self._since: dict[Place, float] = {}

    def tick(self) -> None:
        """Look at who is idle, and have handed on what is needed and has been idle for long enough."""
        self._controller.catch_up()
        now, view = self._clock(), self._controller.engine.view
        rows = Turns().between(list(self._controller.store.all(Translation)))
        places = [(row.owner, row.chassis_id) for row in rows if idle(view, row)]
        self._since = {place: self._since.get(place, now) for place in places}
        lacking, known = self._controller.untranslated, set(self._controller.store.ids(Chassis))
        ripe = sorted(
            (since, place)
            for place, since in self._since.items()
            if now - since >= HOLD and (place[0] in lacking or place[1] not in known)
        )
        for router_id, chassis_id in self._controller.hand_on(place for _, place in ripe) if ripe else ():
            LOG.info(
                "the source ports of chassis %s for router %s are free for others: it has needed none for %d minutes",
                *(chassis_id, router_id, HOLD // 60),
            )
