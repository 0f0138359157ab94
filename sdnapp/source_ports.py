"""Gives chassis more source ports for routers as they need them, and knows which have found none.

A switch counts, for each router, the new connections that came to the reserve of its chassis's source ports, and those
that found no port at all (``flows/features/source_ports.py``). What it counts anew since the last look is the demand.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from flows.feature_numbers import FEATURES
from flows.features.source_ports import FEATURE, further
from flows.pipeline import EXTERNAL_SOURCE
from sdnapp.controller import Controller
from sdnapp.status import MORE_ADDRESSES
from sdnapp.turns import Turns
from topology.gateway import gateway
from topology.gateway_values import Translation
from topology.port_blocks import left
from topology.translation import Place, taken_of, unsettled

LOG = logging.getLogger(__name__)
PERIOD = 2.0
"""Seconds between two looks."""
MEMORY = 30
"""Looks for which a chassis counts as short of ports after it has dropped a connection for want of one."""

Ask = Callable[[Iterable[str], int, int], Mapping[str, Mapping[int, int]]]


class Reading(NamedTuple):
    """What a switch has counted: by the cookies of the two flows, as others count anew."""

    cookies: tuple[int, int]
    reserve: int
    refused: int


class SourcePorts:
    """``tick`` is to be called every ``PERIOD`` seconds.

    ``ask`` returns, of the switches with these datapath ids, the packets of each flow of a feature in a table.
    """

    def __init__(self, controller: Controller, ask: Ask) -> None:
        self._controller, self._ask = controller, ask
        self._readings: dict[Place, Reading] = {}
        self._short: dict[Place, int] = {}
        self.refused: Counter[Place] = Counter()
        """Packets of new connections for which no port was left, since this controller has started."""

    def is_short(self, place: Place) -> bool:
        """Return whether a chassis has lately dropped new connections by a router, and cannot have more ports."""
        return place in self._short

    def metrics(self) -> list[str]:
        """Return lines in Prometheus's text format for each router and chassis that translates for it, or should."""
        lines = []
        rows = sorted((row for row in self._controller.store.all(Translation) if row.ports), key=lambda row: row.id)
        for row in rows:
            place, label = (row.owner, row.chassis_id), f'{{router="{row.owner}",chassis="{row.chassis_id}"}}'
            lines.append(f"sdnapp_source_ports{label} {sum(each.ports for each in row.blocks)}")
            lines.append(f"sdnapp_source_ports_refused_total{label} {self.refused[place]}")
            lines.append(f"sdnapp_source_ports_short{label} {int(self.is_short(place))}")
        view = self._controller.engine.view
        for router_id, own_rows in groupby(rows, key=lambda row: row.owner):
            own, taken = view.ask(gateway, router_id), list(own_rows)
            for address in own.addresses if own is not None else ():
                label = f'{{router="{router_id}",address="{address}"}}'
                lines.append(f"sdnapp_source_ports_left{label} {left(taken_of(taken, address))}")
            for chassis_id in sorted(need.chassis_id for need in view.ask(unsettled, router_id).missing if need.block):
                label = f'{{router="{router_id}",chassis="{chassis_id}"}}'
                lines += [f"sdnapp_source_ports{label} 0", f"sdnapp_source_ports_short{label} 1"]
        return lines

    def tick(self) -> None:
        """Look at the counters, and have grown what needs it."""
        places = self._places()
        datapaths = {datapath for _, chassis in places if (datapath := self._controller.datapath_of(chassis))}
        counted = self._ask(sorted(datapaths), EXTERNAL_SOURCE.number, FEATURES[FEATURE].number) if datapaths else {}
        before, self._readings = self._readings, {}
        wanting, refusing = [], set()
        for place in Turns().between(places):
            reading = self._read(place, counted)
            if reading is None:
                continue
            self._readings[place], last = reading, before.get(place)
            if last is not None and last.cookies == reading.cookies:
                if reading.refused > last.refused:
                    refusing.add(place)
                    self.refused[place] += reading.refused - last.refused
                if reading.reserve > last.reserve or reading.refused > last.refused:
                    wanting.append(place)
        more_there_is_not = set(self._controller.more_ports(wanting)) if wanting else set()
        for place in set(wanting) - more_there_is_not:
            self._report_growth(*place)
        self._remember(refusing & more_there_is_not, set(places))

    def _places(self) -> list[Place]:
        rows = self._controller.store.all(Translation)
        return sorted((row.owner, row.chassis_id) for row in rows if row.ports)

    def _read(self, place: Place, counted: Mapping[str, Mapping[int, int]]) -> Reading | None:
        packets = counted.get(self._controller.datapath_of(place[1]) or "")
        flows = further(self._controller.engine.view, *place)
        if packets is None or not flows:
            return None
        reserve, refused = flows[-2 if len(flows) > 1 else -1].cookie, flows[-1].cookie
        if reserve not in packets or refused not in packets:
            # The switch has not got them yet.
            return None
        return Reading((reserve, refused), packets[reserve], packets[refused])

    def _report_growth(self, router_id: str, chassis_id: str) -> None:
        row = self._controller.store.get(Translation, f"{router_id}@{chassis_id}")
        if row is not None:
            ports = sum(each.ports for each in row.blocks)
            LOG.info("chassis %s translates for router %s with %d source ports now", chassis_id, router_id, ports)

    def _remember(self, short: set[Place], places: set[Place]) -> None:
        for place in short - self._short.keys():
            LOG.error(
                "chassis %s drops new connections by router %s to some destinations: its source ports on the router's "
                "external addresses are in use, and it cannot have more there: %s",
                *(*reversed(place), MORE_ADDRESSES),
            )
        for place in self.refused.keys() - places:
            del self.refused[place]
        self._short = {
            place: left - 1 for place, left in self._short.items() if left > 1 and place in places
        } | dict.fromkeys(short, MEMORY)
