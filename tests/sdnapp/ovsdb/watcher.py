"""An OVSDB server on a free port of loopback, and everything that it told."""

import ssl
from collections.abc import Callable, Mapping, Set
from typing import Any

from sdnapp.ovsdb.connection import Callbacks
from sdnapp.ovsdb.server import OvsdbServer
from sdnapp.ovsdb.session import Timing
from topology.placement import Plugged
from topology.values import Chassis


class Watcher:
    """``events`` in order; ``chassis`` and ``plugged`` as told last; ``fail`` may raise in place of listening."""

    def __init__(
        self,
        timing: Timing | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        connections_per_port: int = 0,
    ) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.chassis: dict[str, Chassis] = {}
        self.plugged: dict[str, Mapping[str, Plugged]] = {}
        self.fail: Callable[[], None] = lambda: None
        self.server = OvsdbServer(
            callbacks=Callbacks(self._connected, self._observed, self._lost),
            openflow_port=6653,
            host="127.0.0.1",
            port=port,
            timing=timing,
            tls=tls,
            connections_per_port=connections_per_port,
        )

    def _connected(self, chassis_id: str, address: str) -> None:
        self.events.append(("connected", chassis_id, address))

    def _observed(self, chassis: Chassis, plugged: Mapping[str, Plugged], changed: Set[str] | None) -> None:
        self.fail()
        self.events.append(("observed", chassis.id))
        self.chassis[chassis.id] = chassis
        before = self.plugged.get(chassis.id, {}) if changed is not None else {}
        # What is said to have changed is all that has.
        kept = {port_id: where for port_id, where in before.items() if port_id not in (changed or ())}
        told = {port_id: where for port_id, where in plugged.items() if changed is None or port_id in changed}
        self.plugged[chassis.id] = kept | told

    def _lost(self, chassis_id: str) -> None:
        self.events.append(("lost", chassis_id))

    def kinds(self, chassis_id: str) -> list[str]:
        """Connected and lost, in order."""
        return [event[0] for event in self.events if event[1] == chassis_id and event[0] != "observed"]

    def ready(self, chassis_id: str) -> bool:
        return bool((chassis := self.chassis.get(chassis_id)) and chassis.datapath_id)
