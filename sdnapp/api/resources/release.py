"""What goes when its owner goes."""

from neutron_lib import constants

from topology.store import Transaction
from topology.values import Claim

AUTO_DELETED = frozenset(
    {constants.DEVICE_OWNER_DHCP, constants.DEVICE_OWNER_DISTRIBUTED, constants.DEVICE_OWNER_AGENT_GW}
)
"""Owners of ports that serve a network and go with it."""


def release_claims(tx: Transaction, owner: str) -> None:
    """Give back every address and number that was taken for a network or port."""
    for claim_id in tx.find_ids(Claim, "owner", owner):
        tx.delete(Claim, claim_id)
