"""Where physical networks find who has a MAC address, as their switches have learnt: at one chassis, or outside."""

from flows.engine import Engine
from topology import doors, facts, presence, provider
from topology.addressing import int_to_mac
from topology.gateway_values import Neighbour
from topology.store import Store
from topology.values import FLOATING_IP, ROUTER_GATEWAY, ROUTER_INTERFACE, Port

STRANGER_MAC = "00:00:5e:00:53:01"
"""Of a host that nobody has heard of: one for documentation (RFC 7042, section 2.1.2)."""


class Whereabouts:
    """Of all ports and neighbours."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store, self._ask = store, engine.ask
        self._outside = {STRANGER_MAC, *(each.mac_address for each in store.all(Neighbour))}

    def of_mac(self, mac: int) -> frozenset[str] | None:
        """Return the chassis, of several networks' ports perhaps several; None where that is not known."""
        text = int_to_mac(mac)
        ports = self._store.find(Port, "mac", text)
        if not ports:
            return frozenset() if text in self._outside else None
        return frozenset(place for port in ports if (place := self.of_port(port)) is not None)

    def of_port(self, port: Port) -> str | None:
        """Return the chassis where a physical network finds a port, or None."""
        if port.device_owner == FLOATING_IP:
            return self._ask(presence.site, port.device_id)
        if port.device_owner == ROUTER_GATEWAY:
            return self._ask(doors.active_gateway, port.device_id)
        if port.device_owner == ROUTER_INTERFACE:
            return self._ask(provider.interface_door, port.id)
        live = self._ask(facts.live_port, port.id)
        return live.chassis_id if live is not None else None
