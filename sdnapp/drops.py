"""Whose packets were dropped, and why: what switches and the controller have counted, in the words of the model.

A switch counts from when a flow came to it, so counts begin anew where it restarts and where a port moves to.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flows.drops import BY_NUMBER, reason_of
from flows.flow import Flow
from flows.pipeline import DROPS
from sdnapp.controller import Controller
from sdnapp.openflow.counts import Counts
from sdnapp.punts import Punts
from sdnapp.turns import Turns
from topology.values import Chassis, Port

OVER_BUDGET = "over_budget"
"""The port's meter dropped it: too much for the controller."""
QUEUE_FULL = "queue_full"
"""The controller dropped it, as too many of the project's waited."""
UNSORTED = "unsorted"
"""One of the reasons that the port has: it came together with the first packet of one of them."""

Ask = Callable[[], Mapping[str, Counts | None]]


class Drops:
    """Asks the switches when it is asked; ``ask`` returns what each has counted, by datapath id."""

    def __init__(self, controller: Controller, punts: Punts, ask: Ask) -> None:
        self._controller = controller
        self._punts = punts
        self._ask = ask

    def told(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Return a row for each chassis, port and reason with drops, most packets first; and which chassis do not tell.

        ``port_id`` is None for what is no port's fault, ``chassis`` for what the controller dropped.
        """
        self._controller.catch_up()
        counted, rows, silent = self._ask(), [], []
        for chassis in self._controller.store.all(Chassis):
            counts = counted.get(chassis.datapath_id)
            if counts is not None:
                rows += [
                    self._row(chassis.id, port_id, reason, packets)
                    for (port_id, reason), packets in self._on(chassis.id, counts).items()
                ]
            elif chassis.datapath_id in counted:
                silent.append(chassis.id)
        rows += [self._row(None, port_id, QUEUE_FULL, packets) for (_, port_id), packets in self._punts.dropped.items()]
        rows.sort(key=lambda row: (-row["packets"], row["chassis"] or "", row["port_id"] or "", row["reason"]))
        return rows, sorted(silent)

    def _on(self, chassis_id: str, counts: Counts) -> dict[tuple[str | None, str], int]:
        found: dict[tuple[str | None, str], int] = {}
        turns = Turns()
        for flow in turns.between(self._controller.engine.desired(chassis_id).in_table(DROPS.number)):
            kind, _, owner_id = flow.owner.partition("/")
            port_id = owner_id if kind == "port" else None
            found |= {(port_id, reason): packets for reason, packets in _counted(flow, counts)}
        if counts.meters:
            for port_id in self._controller.bindings_at(chassis_id, turns.give_way):
                port = self._controller.store.get(Port, port_id)
                if port is not None and (packets := counts.meters.get(port.key)):
                    found[port_id, OVER_BUDGET] = packets
        return found

    def _row(self, chassis_id: str | None, port_id: str | None, reason: str, packets: int) -> dict[str, Any]:
        port = self._controller.store.get(Port, port_id) if port_id is not None else None
        return {
            "chassis": chassis_id,
            "port_id": port_id,
            "port_name": port.name if port is not None else None,
            "project_id": port.project_id if port is not None else None,
            "reason": reason,
            "packets": packets,
        }


def _counted(flow: Flow, counts: Counts) -> Iterator[tuple[str, int]]:
    """Yield the packets by reason that a flow of the table has counted, with the counters that it has made."""
    packets = counts.flows.get(flow.cookie, 0)
    if flow.learner is None:
        reason = reason_of(flow)
        if packets and reason is not None:
            yield reason.name, packets
        return
    # The flow has counted each packet that made a counter, and such as came together with one.
    made = {BY_NUMBER[number].name: had for number, had in counts.learnt.get(flow.learner.cookie, {}).items()}
    together = max(0, packets - len(made))
    for reason_name, had in made.items():
        yield reason_name, had + 1 + (together if len(made) == 1 else 0)
    if together and len(made) != 1:
        yield UNSORTED, together
