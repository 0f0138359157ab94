"""Which gateway chassis have lost their way to an external network, though their switches are well.

Each asks the upstream router by ARP once a second, on behalf of no router and with the chassis's own MAC address, so
that physical switches learn nothing of the routers. One that hears nothing for some seconds, while others do, gives up
the routers that it served. If the upstream router answers nobody, it is its own fault, and nothing changes.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator

from flows.fields import ARP_REPLY
from sdnapp import arp
from sdnapp.outside import Send
from topology.addressing import UNSPECIFIED, chassis_mac
from topology.doors import gateway_chassis
from topology.facts import View
from topology.gateway import gateways_on
from topology.gateway_values import NoUpstream
from topology.presence import Presence, presences
from topology.store import Store
from topology.values import Network

LOG = logging.getLogger(__name__)
PATIENCE = 3
"""Questions in a row without an answer after which a chassis counts as cut off."""
RETURN = 5
"""Answers in a row after which it counts as back."""

Place = tuple[str, str]
"""A network's id and a chassis's."""


class Sight:
    """Asks, listens and keeps the rows; ``tick`` is to be called once a second."""

    def __init__(self, store: Store, view: Callable[[], View], send: Send) -> None:
        self._store, self._view, self._send = store, view, send
        self._missed: Counter[Place] = Counter()
        self._answered: Counter[Place] = Counter()

    def hear(self, frame: bytes) -> str:
        """Take note of an answer; return what it was, in words."""
        said = arp.parse(frame)
        if said is None or said.operation != ARP_REPLY:
            return "no ARP reply"
        meant = [place for place in self._missed if chassis_mac(place[1]) == said.to_mac]
        for place in meant:
            if said.address == self._asked(place[0]):
                self._missed[place] = 0
                self._answered[place] += 1
        return "seen" if meant else "for nobody"

    def tick(self) -> None:
        """Judge by the answers so far, and ask again."""
        view = self._view()
        places = {place: own for network_id, own in self._networks(view) for place in _doors(view, network_id)}
        for place in [place for place in self._missed if place not in places]:
            del self._missed[place], self._answered[place]
        for row_id in self._store.ids(NoUpstream):
            if tuple(row_id.split("/", 1)) not in places:
                self._change(row_id, lost=False)
        for place, own in places.items():
            self._judge(place, [other for other in places if other[0] == place[0] and other != place])
            self._ask(place, own)

    def _networks(self, view: View) -> Iterator[tuple[str, Presence]]:
        for network_id in self._store.find_ids(Network, "transit", True):
            if view.ask(gateways_on, network_id):
                for own in view.ask(presences, network_id)[:1]:
                    yield network_id, own

    def _asked(self, network_id: str) -> str | None:
        there = self._view().ask(presences, network_id)
        return next(iter(there[0].upstream), None) if there else None

    def _judge(self, place: Place, others: list[Place]) -> None:
        row_id = "/".join(place)
        is_lost = self._store.get(NoUpstream, row_id) is not None
        others_see = any(self._answered[other] and self._missed[other] <= 1 for other in others)
        if not is_lost and self._missed[place] >= PATIENCE and others_see:
            self._change(row_id, lost=True)
        elif is_lost and self._answered[place] >= RETURN:
            self._change(row_id, lost=False)

    def _ask(self, place: Place, own: Presence) -> None:
        network_id, chassis_id = place
        physical_network, target = own.network.segment.physical_network, self._asked(network_id)
        if target is None or physical_network is None:
            return
        if self._missed[place]:
            self._answered[place] = 0
        self._missed[place] += 1
        frame = arp.request(chassis_mac(chassis_id), UNSPECIFIED, target, own.network.segment.segmentation_id)
        self._send(chassis_id, physical_network, frame)

    def _change(self, row_id: str, *, lost: bool) -> None:
        network_id, _, chassis_id = row_id.partition("/")
        if lost:
            LOG.warning(
                "gateway chassis %s hears no upstream router on network %s, others do: it gives up its routers there",
                *(chassis_id, network_id),
            )
        else:
            LOG.info("gateway chassis %s hears the upstream router on network %s again", chassis_id, network_id)
        with self._store.transaction() as tx:
            if lost:
                tx.put(NoUpstream(row_id))
            else:
                tx.delete(NoUpstream, row_id)


def _doors(view: View, network_id: str) -> list[Place]:
    found = {
        chassis_id
        for router_id in view.ask(gateways_on, network_id)
        for chassis_id in view.ask(gateway_chassis, router_id)
    }
    return [(network_id, chassis_id) for chassis_id in sorted(found)]
