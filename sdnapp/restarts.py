"""Receipts: what it took to bring each chassis in sync, when the controller started and whenever a chassis came back.

The last few of each chassis are kept in memory. They are not stored: they belong to one controller and its switches,
and former ones stand in the log.
"""

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sdnapp.openflow.receipt import Receipt
from topology.store import Store
from topology.values import Chassis

LOG = logging.getLogger(__name__)

KEPT = 10
"""Receipts of a chassis; the oldest goes when another comes."""
START, RETURN = "start", "return"
"""When it was: the first time under this controller, or after a session was lost."""
NOTHING, POSSIBLY, EVERYTHING = "nothing", "possibly", "everything"
"""What was dark, as far as flows tell: every flow that should be there was; some were not, or were others, which may
have done the same; there was none at all."""


@dataclass(frozen=True)
class Restart:
    """One chassis, brought in sync once."""

    chassis_id: str
    at: datetime
    occasion: str
    milliseconds: int
    receipt: Receipt

    @property
    def dark(self) -> str:
        """What was dark until then."""
        if not self.receipt.lacking:
            return NOTHING
        return POSSIBLY if self.receipt.read else EVERYTHING


class Restarts:
    """The receipts, by chassis."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, deque[Restart]] = {}
        self._counts: dict[str, int] = {}

    def reconciled(self, chassis_id: str, receipt: Receipt, seconds: float, at: datetime) -> None:
        """Keep and log a receipt. ``seconds`` are from the question for its flows to its confirmation."""
        kept = self._kept.setdefault(chassis_id, deque(maxlen=KEPT))
        restart = Restart(chassis_id, at, RETURN if kept else START, round(seconds * 1000), receipt)
        kept.appendleft(restart)
        self._counts[chassis_id] = self._counts.get(chassis_id, 0) + 1
        LOG.info(
            "chassis %s (%s): %d flows read, %d added, %d changed, %d removed, %d refused in %d ms; dark: %s%s",
            *(chassis_id, restart.occasion, receipt.read, receipt.added, receipt.changed, receipt.removed),
            *(receipt.refused, restart.milliseconds, restart.dark),
            f", {receipt.lacking} flows were lacking, of {', '.join(receipt.owners)}" if receipt.lacking else "",
        )

    def told(self) -> list[dict[str, Any]]:
        """Return a row for each receipt of the chassis that there are, newest first."""
        found = [(restart, row) for row, kept in self._present() for restart in kept]
        found.sort(key=lambda each: each[0].at, reverse=True)
        return [
            {
                "chassis": row.id,
                "hostname": row.hostname,
                "at": restart.at.isoformat(timespec="milliseconds"),
                "occasion": restart.occasion,
                "milliseconds": restart.milliseconds,
                "dark": restart.dark,
                **asdict(restart.receipt),
                "owners": list(restart.receipt.owners),
            }
            for restart, row in found
        ]

    def metrics(self) -> list[str]:
        """Return the newest receipt of each chassis as lines in Prometheus's text format."""
        lines = []
        for row, (newest, *_) in self._present():
            label = f'chassis="{row.id}"'
            lines.append(f"sdnapp_reconciliations_total{{{label}}} {self._counts[row.id]}")
            lines.append(f"sdnapp_reconciliation_seconds{{{label}}} {newest.milliseconds / 1000}")
            for what in ("read", "lacking", "added", "changed", "removed", "refused"):
                number = getattr(newest.receipt, what)
                lines.append(f'sdnapp_reconciliation_flows{{{label},flows="{what}"}} {number}')
        return lines

    def _present(self) -> Iterator[tuple[Chassis, deque[Restart]]]:
        for chassis_id, kept in sorted(self._kept.items()):
            if (row := self._store.get(Chassis, chassis_id)) is not None:
                yield row, kept
