"""Which gateway chassis cannot be reached, so that others take their place, and how those are silenced.

A chassis counts as out when its switch has had no session for ``PATIENCE`` ticks, or has one and answers nothing for
``SILENCE`` of them: where a link is cut, TCP waits much longer for an end. It is out no more as soon as it is in sync.
While nobody at all is connected, as when the controller itself has just started, nothing is said of anyone.

One that is out may have lost the controller only. The others show it its secret on each physical network where they can
stand for routers, again and again: it may hear them later than the world does. See ``flows/features/fences.py``.

If it has witnesses (``topology.witnesses``), these withdraw first: until they have, it goes on, and is shown nothing.
"""

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from sdnapp import arp
from sdnapp.outside import Send
from sdnapp.realization import DEAD, IN_SYNC, SILENT
from topology.facts import View, live_network
from topology.gateway_values import Alone, Fence, Outage
from topology.presence import networks_stood_on
from topology.store import Store
from topology.values import Chassis, Segment

LOG = logging.getLogger(__name__)
PATIENCE = 2
SILENCE = 4
"""Echo requests in a row without an answer: a busy switch may need some seconds for one."""
SECRET_BITS = 48


class Heard(Protocol):
    """Takes note of whether a connected chassis is heard."""

    def __call__(self, chassis_id: str, *, is_heard: bool) -> None:
        """Take note."""
        ...


class Outages:
    """Keeps the rows and silences; ``state`` says where a chassis stands (``realization``). To be called once a second.

    ``view`` returns the model as of now. ``answers`` asks a connected chassis for a sign of life, and returns whether
    it has given one since it was asked before. ``heard`` is told which falls silent, and which speaks again.
    ``is_silent`` says of one that is out whether its witnesses have withdrawn.
    """

    def __init__(
        self,
        store: Store,
        view: Callable[[], View],
        state: Callable[[str], str],
        send: Send,
        *,
        answers: Callable[[str], bool] = lambda chassis_id: True,
        heard: Heard = lambda chassis_id, *, is_heard: None,
        is_silent: Callable[[str], bool] = lambda chassis_id: True,
    ) -> None:
        self._store, self._view, self._state, self._send = store, view, state, send
        self._answers, self._heard, self._is_silent = answers, heard, is_silent
        self._missed: dict[str, int] = {}
        self._unanswered: Counter[str] = Counter()

    def tick(self) -> None:
        """Look at every gateway chassis."""
        known = {row.id: self._listen(row.id) for row in self._store.find(Chassis, "every", True) if row.gateway}
        for chassis_id in self._unanswered.keys() - known.keys():
            del self._unanswered[chassis_id]
            self._heard(chassis_id, is_heard=True)
        self._keep_fences(known)
        out = set(self._store.find_ids(Outage, "every", True))
        for chassis_id in out:
            # What is no gateway chassis any more may not have heard of that.
            if self._state(chassis_id) == IN_SYNC or self._store.get(Chassis, chassis_id) is None:
                self._returned(chassis_id)
        if not self._connected(known):
            self._missed.clear()
            return
        self._missed = {each: self._missed.get(each, 0) + 1 for each, state in known.items() if state == DEAD}
        for chassis_id, missed in self._missed.items():
            if missed >= PATIENCE and chassis_id not in out:
                self._lost(chassis_id)
        for chassis_id, unanswered in self._unanswered.items():
            if unanswered >= SILENCE and chassis_id not in out:
                self._heard(chassis_id, is_heard=False)
                self._lost(chassis_id)
        self.silence()

    def _listen(self, chassis_id: str) -> str:
        """Return where a chassis stands, after it was asked whether it is there."""
        state = self._state(chassis_id)
        if state == DEAD:
            del self._unanswered[chassis_id]
        elif not self._answers(chassis_id):
            self._unanswered[chassis_id] += 1
        else:
            self._unanswered[chassis_id] = 0
            if state == SILENT:
                self._heard(chassis_id, is_heard=True)
                return self._state(chassis_id)
        return state

    def _connected(self, known: Iterable[str]) -> list[str]:
        return [each for each in known if self._state(each) != DEAD and self._unanswered[each] < SILENCE]

    def _keep_fences(self, known: Mapping[str, str]) -> None:
        """Have a secret for each gateway chassis that has been in sync; there is one before it can be needed."""
        present = set(self._store.find_ids(Fence, "every", True))
        fresh = {each for each, state in known.items() if each not in present and state == IN_SYNC}
        if fresh or not present <= known.keys():
            with self._store.transaction() as tx:
                for chassis_id in present - known.keys():
                    tx.delete(Fence, chassis_id)
                    if tx.get(Alone, chassis_id) is not None:
                        tx.delete(Alone, chassis_id)
                for chassis_id in fresh:
                    tx.put(Fence(chassis_id, 1, _secret()))

    def _lost(self, chassis_id: str) -> None:
        LOG.warning("gateway chassis %s cannot be reached: other gateway chassis serve its routers", chassis_id)
        fence = self._store.get(Fence, chassis_id)
        with self._store.transaction() as tx:
            if fence is None:
                tx.put(Outage(chassis_id))
                return
            witnesses = tuple(dict.fromkeys((*fence.witnesses, *fence.leaving)))
            tx.put(Outage(chassis_id, fence.secret, witnesses))
            if witnesses:
                # When it has returned, too, until it hears one of them.
                tx.put(Alone(chassis_id))
            # What silences it now must not when it has returned, however late a frame arrives.
            tx.put(replace(fence, generation=fence.generation + 1, secret=_secret()))

    def _returned(self, chassis_id: str) -> None:
        LOG.info("gateway chassis %s serves its routers again", chassis_id)
        with self._store.transaction() as tx:
            tx.delete(Outage, chassis_id)

    def silence(self) -> None:
        """Show those that are out their secrets, if others take their place."""
        view = self._view()
        connected = self._connected(row.id for row in self._store.find(Chassis, "every", True) if row.gateway)
        for outage in self._store.find(Outage, "every", True):
            if not outage.secret or not self._is_silent(outage.id):
                continue
            for network_id in view.ask(networks_stood_on, outage.id):
                network = view.ask(live_network, network_id)
                if network is not None:
                    for chassis_id in connected:
                        self._show_secret(chassis_id, outage, network.segment)

    def _show_secret(self, chassis_id: str, outage: Outage, segment: Segment) -> None:
        if segment.physical_network is not None:
            frame = arp.silencing(chassis_id, outage.id, outage.secret, segment.segmentation_id)
            self._send(chassis_id, segment.physical_network, frame)


def _secret() -> int:
    """Return one that is not 0, which ordinary ARP requests have in its place."""
    return secrets.randbits(SECRET_BITS) or 1
