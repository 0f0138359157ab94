"""How many chassis there may be: without certificates, whoever reaches the listeners may say that he is one more.

A chassis that is known always gets in. One that is gone for good makes room when it is deleted
(``openstack network agent delete``).
"""

import logging
import time
from collections.abc import Callable

from topology.store import Store
from topology.values import Chassis

LOG = logging.getLogger(__name__)

_REMINDER = 60.0
"""Seconds until the log tells again that there is no room."""


class ChassisLimit:
    """Knows who may become a chassis. ``most`` is how many there may be; 0 is no limit. ``clock`` gives seconds."""

    def __init__(self, store: Store, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._most, self._clock = store, most, clock
        self._told_at = -_REMINDER

    def admits(self, chassis_id: str) -> bool:
        """Tell whether a chassis is known, or there is room for one more."""
        if not self._most or self._store.get(Chassis, chassis_id) is not None:
            return True
        if len(self._store.ids(Chassis)) < self._most:
            return True
        if (now := self._clock()) - self._told_at >= _REMINDER:
            self._told_at = now
            LOG.error(
                "there are %d chassis already, and %s is not one of them: it is not served. Delete those that are gone "
                "(openstack network agent list, openstack network agent delete ID), or raise chassis_limit; if "
                "strangers reach the controller, docs/security.md tells how to lock them out",
                *(self._most, chassis_id),
            )
        return False
