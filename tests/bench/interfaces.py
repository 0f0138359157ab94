"""The interfaces of one chassis, by its OVSDB: what a compute system's agent does, with a connection that stays."""

import re
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from hypervisor import Hypervisor

from tests.bench.json_rpc import call
from tests.bench.machine import ProcessTree

_AT_ONCE = 500
_CHANGES = 50
"""As processor time is told in steps of 10 ms."""
_PAUSE, _BUSY = 0.2, 0.15
"""Seconds between looks at a switch, and the share of a processor that makes it busy: idle, it takes 3 %."""
_PATIENCE = 60.0
_COUNT = re.compile(r"flow_count=(\d+)")


class Interfaces:
    """Adds interfaces to the integration bridge, and says which port each one belongs to (``iface-id``)."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(600)
        self._socket.connect(str(hypervisor.directory / "db.sock"))
        self._rows: dict[str, str] = {}
        """Rows (UUID) of interfaces by name: ovsdb-server finds rows by these without looking at all."""

    def add_idle(self, names: Sequence[str]) -> None:
        """Add interfaces that no packet comes from."""
        for start in range(0, len(names), _AT_ONCE):
            commands = [
                f"add-port br-int {name} -- set Interface {name} type=dummy" for name in names[start : start + _AT_ONCE]
            ]
            self._hypervisor.run("ovs-vsctl", "--timeout=300", *" -- ".join(commands).split(), timeout=300)
        self._learn()

    def add_guest(self, name: str, port_id: str = "") -> None:
        """Add the end of a guest's cable, which belongs to a port or, with an empty id, to nobody yet."""
        claim = f" -- set Interface {name} external_ids:iface-id={port_id}" if port_id else ""
        self._hypervisor.vsctl(f"add-port br-int {name}{claim}")
        self._learn()

    def wait_until_idle(self) -> None:
        """Wait until ``ovs-vswitchd`` has done what plugging in entails, after ``ovs-vsctl`` has returned."""
        switch = ProcessTree(self._hypervisor.daemons["ovs-vswitchd"].pid)
        deadline = time.monotonic() + _PATIENCE
        before = switch.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(_PAUSE)
            now = switch.cpu_seconds()
            if now - before < _BUSY * _PAUSE:
                return
            before = now
        raise TimeoutError(f"the switch of {self._hypervisor.name} is still busy after {_PATIENCE:g} s")

    def claim(self, ports: Mapping[str, str]) -> None:
        """Let interfaces belong to ports (ids), in one transaction; an empty id is nobody's."""
        updates = [
            {
                "op": "update",
                "table": "Interface",
                "where": [["_uuid", "==", ["uuid", self._rows[name]]]],
                "row": {"external_ids": ["map", [["iface-id", port_id]] if port_id else []]},
            }
            for name, port_id in ports.items()
        ]
        self._transact(*updates)

    def count_flows(self) -> int:
        """Return how many flows the integration bridge holds."""
        told = self._hypervisor.run("ovs-ofctl", "-O", "OpenFlow13,OpenFlow15", "dump-aggregate", "br-int")
        found = _COUNT.search(told)
        assert found is not None, told
        return int(found[1])

    def cost_of_a_change(self) -> float:
        """Return the seconds of processor time that ``ovs-vswitchd`` takes for one more flow, of no control plane.

        The flow is on ``br-ex``. Bridges of one kind share what the switch renews each time that one's flows change.
        """
        switch = ProcessTree(self._hypervisor.daemons["ovs-vswitchd"].pid)
        before = switch.cpu_seconds()
        for priority in range(1, _CHANGES + 1):
            self._hypervisor.run("ovs-ofctl", "add-flow", "br-ex", f"priority={priority},in_port=65000,actions=drop")
        cost = (switch.cpu_seconds() - before) / _CHANGES
        self._hypervisor.run("ovs-ofctl", "del-flows", "br-ex", "in_port=65000")
        return cost

    def _learn(self) -> None:
        select = {"op": "select", "table": "Interface", "where": [], "columns": ["_uuid", "name"]}
        (answer,) = self._transact(select)
        self._rows = {row["name"]: row["_uuid"][1] for row in answer["rows"]}

    def _transact(self, *operations: Any) -> list[Any]:
        request = {"method": "transact", "params": ["Open_vSwitch", *operations], "id": 0}
        answer = call(self._socket, request)
        if failed := [each for each in answer if isinstance(each, dict) and "error" in each]:
            raise RuntimeError(f"{self._hypervisor.name}: {failed[0]}")
        return answer
