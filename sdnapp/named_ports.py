"""Ports that bind by name, on switches for which no database speaks: ``tap`` and 11 characters of the port's id."""

from collections.abc import Mapping

from topology.placement import Plugged, observe
from topology.store import Store
from topology.values import Chassis, Port

PREFIX = "dp-"
"""Chassis without OVSDB are called by their datapath id, with this in front."""
_TAP = "tap"


class NamedPorts:
    """What switches call their ports, by datapath id and number."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._taps: dict[str, dict[int, str]] = {}

    def note(self, datapath_id: str, names: Mapping[int, str | None]) -> None:
        """Take note of ports that came, changed or went (None)."""
        taps = self._taps.setdefault(datapath_id, {})
        for number, name in names.items():
            if name is not None and name.startswith(_TAP):
                taps[number] = name
            else:
                taps.pop(number, None)

    def forget(self, datapath_id: str) -> None:
        """Forget a switch's ports: its session is over."""
        self._taps.pop(datapath_id, None)

    def datapaths(self) -> list[str]:
        """Return the datapath ids of the switches that have told their ports."""
        return list(self._taps)

    def bind(self, datapath_id: str) -> None:
        """Record a switch as a chassis of its own, with the ports that its interfaces name."""
        plugged = {}
        for number, name in self._taps.get(datapath_id, {}).items():
            for port_id in self._store.find_ids(Port, "name_prefix", name.removeprefix(_TAP)):
                plugged[port_id] = Plugged(number, name)
        named = PREFIX + datapath_id
        observe(self._store, Chassis(named, hostname=named, datapath_id=datapath_id), plugged)
