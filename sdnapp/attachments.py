"""Which connected datapath is which chassis, where several say so, or one says something new."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sdnapp.named_ports import PREFIX
from topology.placement import forget
from topology.store import Store
from topology.values import Chassis

LOG = logging.getLogger(__name__)


class Moves(NamedTuple):
    """Ids of the chassis that are no longer the datapaths that they were, and of those that have one now."""

    lost: list[str]
    found: list[str]


class Attachments:
    """Datapaths that are connected, databases that speak for chassis, and who belongs to whom."""

    def __init__(self, store: Store, refuse: Callable[[str, str], None], *, certified: bool) -> None:
        """``refuse`` closes the connection of a datapath for a reason.

        ``certified``: every switch and every database has shown a certificate in the name of its chassis.
        """
        self._store, self._refuse, self._certified = store, refuse, certified
        self._connected: set[str] = set()
        self._datapaths: dict[str, str] = {}
        """By the chassis that they are."""
        self._chassis: dict[str, str] = {}
        """The same by datapath."""
        self._speaking: set[str] = set()
        """Chassis whose databases are connected."""
        self._hosts: dict[str, str] = {}
        """Where the database of each chassis was connected from last."""
        self._certificates: dict[str, str] = {}
        """Names in the certificates of connected switches, by datapath; empty without TLS."""
        self._contested: frozenset[str] = frozenset()

    def chassis_of(self, datapath_id: str) -> str | None:
        """Return the chassis that a connected datapath serves, or None."""
        return self._chassis.get(datapath_id)

    def datapath_of(self, chassis_id: str) -> str | None:
        """Return the connected datapath that a chassis is, or None."""
        return self._datapaths.get(chassis_id)

    def chassis(self) -> list[str]:
        """Return the ids of the chassis whose datapaths are connected."""
        return list(self._datapaths)

    def connect(self, datapath_id: str, certificate_name: str | None) -> None:
        """A datapath is connected; with TLS it is whoever its certificate names."""
        self._connected.add(datapath_id)
        if certificate_name is not None:
            self._certificates[datapath_id] = certificate_name

    def disconnect(self, datapath_id: str) -> str | None:
        """A datapath is connected no more; return the chassis that it was, or None."""
        self._connected.discard(datapath_id)
        self._certificates.pop(datapath_id, None)
        chassis_id = self._chassis.get(datapath_id)
        if chassis_id is not None:
            self._detach(chassis_id)
        return chassis_id

    def database_connected(self, chassis_id: str, address: str) -> None:
        """A chassis's database is connected, from ``host:port``."""
        self._hosts[chassis_id] = address.rpartition(":")[0]

    def speaks(self, chassis_id: str) -> bool:
        """A chassis's database has told what it holds; return whether that is its first word."""
        is_first = chassis_id not in self._speaking
        self._speaking.add(chassis_id)
        return is_first

    def database_lost(self, chassis_id: str) -> None:
        """A chassis's database is not connected any more."""
        self._speaking.discard(chassis_id)

    def believed(self, chassis: Chassis) -> Chassis:
        """Return what a chassis reports of itself, with the datapath that it is believed to be."""
        if self._certified and (holder := self._other_holder(chassis)) is not None:
            LOG.error(
                "chassis %s reports the datapath of chassis %s, %s, and is not served under it: "
                "if %s is gone for good, openstack network agent delete %s; if not: "
                "ovs-vsctl set bridge BRIDGE other_config:datapath-id=<16 hexadecimal digits>",
                *(chassis.id, holder, chassis.datapath_id, holder, holder),
            )
            chassis = replace(chassis, datapath_id="")
        known = self._store.get(Chassis, chassis.id)
        if known is not None and not chassis.datapath_id:
            # A database that has just started does not know it yet; the switch itself may never have stopped.
            chassis = replace(chassis, datapath_id=known.datapath_id)
        return chassis

    def may_be_adopted(self, datapath_id: str) -> bool:
        """Return whether a datapath is connected that no database has claimed, and none needs to."""
        # With certificates, only a database can say which bridge a chassis has: a certificate does not name datapaths.
        is_connected = datapath_id in self._connected and not self._certified
        return is_connected and not self._store.find_ids(Chassis, "datapath", datapath_id)

    def look(self) -> Moves:
        """Find out anew who is who."""
        claims = {datapath_id: self._claims(datapath_id) for datapath_id in self._connected}
        lost = [each for each, datapath_id in self._datapaths.items() if each not in claims.get(datapath_id, ())]
        for chassis_id in lost:
            self._detach(chassis_id)
        found = []
        for datapath_id in sorted(claims.keys() - self._chassis.keys()):
            if len(claims[datapath_id]) == 1:
                (claiming,) = claims[datapath_id]
                self._datapaths[claiming], self._chassis[datapath_id] = datapath_id, claiming
                row = self._store.get(Chassis, claiming)
                host = row.hostname if row is not None else ""
                LOG.info("chassis %s is datapath %s, on host %s", claiming, datapath_id, host or "-")
                found.append(claiming)
        contested = frozenset(at for at, each in claims.items() if len(self._speaking.intersection(each)) > 1)
        for datapath_id in sorted(contested - self._contested):
            LOG.error(
                "chassis %s all say that their datapath is %s: give each one of its own: "
                "ovs-vsctl set bridge BRIDGE other_config:datapath-id=<16 hexadecimal digits>",
                " and ".join(claims[datapath_id]),
                datapath_id,
            )
        self._contested = contested
        return Moves(lost, found)

    def forget_former_selves(self, chassis_id: str) -> None:
        """Remove what an earlier id of the same machine has left: its ports would be where nobody is, for ever."""
        if chassis_id in self._speaking:
            named = self._store.find_ids(Chassis, "datapath", self._datapaths[chassis_id])
            for other in set(named) - self._speaking:
                if self._hosts.get(other) in (None, self._hosts.get(chassis_id)):
                    LOG.info("chassis %s is forgotten: its machine is chassis %s now", other, chassis_id)
                    forget(self._store, other)

    def _claims(self, datapath_id: str) -> list[str]:
        """Return the chassis that a datapath may be: one, unless several databases that are connected say so.

        A machine that was installed anew may leave the row of its former self behind, with the same datapath. But one
        whose database is only away for a moment keeps its datapath from a stranger who has the same by mistake.
        """
        named = self._store.find_ids(Chassis, "datapath", datapath_id)
        told = [chassis_id for chassis_id in named if not chassis_id.startswith(PREFIX)] or list(named)
        if self._certified:
            own_name = self._certificates.get(datapath_id)
            if told and own_name not in told:
                self._refuse(
                    datapath_id, f"its certificate is that of {own_name}, but the datapath is that of {told[0]}"
                )
            told = [chassis_id for chassis_id in told if chassis_id == own_name]
        speaking = [chassis_id for chassis_id in told if chassis_id in self._speaking]
        present = self.chassis_of(datapath_id)
        if present in told and present not in speaking:
            host = self._hosts.get(present)
            return [chassis_id for chassis_id in speaking if self._hosts.get(chassis_id) == host] or [present]
        return speaking or told

    def _other_holder(self, chassis: Chassis) -> str | None:
        """Return another chassis that has had the reported datapath before; it keeps it."""
        known = self._store.get(Chassis, chassis.id)
        if not chassis.datapath_id or (known is not None and known.datapath_id == chassis.datapath_id):
            return None
        others = (each for each in self._store.find_ids(Chassis, "datapath", chassis.datapath_id) if each != chassis.id)
        return next((each for each in others if not each.startswith(PREFIX)), None)

    def _detach(self, chassis_id: str) -> None:
        del self._chassis[self._datapaths.pop(chassis_id)]
