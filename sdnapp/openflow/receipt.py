"""What it took to bring a switch in sync, for those who ask whether a restart was noticed."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from flows.flow import Flow
from sdnapp.openflow.exchanges import Bundle

OWNERS_NAMED = 10
"""Owners of lacking flows that a receipt names; there may be more."""


@dataclass(frozen=True)
class Receipt:
    """Numbers of flows, from read-back to the first confirmation.

    ``read``: that the switch held. ``lacking``: that it should have held then and did not, some of their ``owners``.
    ``added``, ``changed`` (others took their place: the same table, priority and match), ``removed``: what was done,
    with what else became desired meanwhile. ``refused``: that the switch did not take.
    """

    read: int
    lacking: int
    owners: tuple[str, ...]
    added: int
    changed: int
    removed: int
    refused: int


@dataclass
class Tally:
    """A receipt in the making."""

    read: int
    lacking: list[Flow]
    added: int = 0
    changed: int = 0
    removed: int = 0
    refused: int = 0

    def count(self, bundle: Bundle) -> None:
        """Add what a bundle has done."""
        changed = bundle.replaced + len(bundle.overwritten)
        self.changed += changed
        self.added += len(bundle.added) - changed - len(bundle.refused_additions())
        self.removed += len(bundle.stale) + len(bundle.deleted) - bundle.replaced

    def receipt(self) -> Receipt:
        """Return the receipt as of now."""
        owners = tuple(sorted(islice(_owners(self.lacking), OWNERS_NAMED)))
        return Receipt(self.read, len(self.lacking), owners, self.added, self.changed, self.removed, self.refused)


def _owners(flows: Iterable[Flow]) -> Iterable[str]:
    """Yield each owner once."""
    seen = set()
    for flow in flows:
        if flow.owner not in seen:
            seen.add(flow.owner)
            yield flow.owner
