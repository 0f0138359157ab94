"""Who has an address that several ports may have: what they say of it in ARP is stored, and published as flows.

A port that has one need not say so again; only those come here that claim what another one has, and packets for an
address that nobody is known to have. All ports that may have that are asked.
"""

import logging
from collections.abc import Callable
from ipaddress import IPv4Address

from flows.flow import Flow
from sdnapp import arp
from topology.facts import LivePort, View, live_port
from topology.gateway_values import VirtualAddress
from topology.interfaces import live_interface
from topology.store import Store
from topology.values import Port
from topology.virtual_addresses import sharers

LOG = logging.getLogger(__name__)

Place = tuple[str, str]
"""A network's id and an address on it."""
SendTo = Callable[[str, int, bytes], None]
"""Lets a chassis send a frame out of an OpenFlow port, if it is connected."""


class VirtualAddresses:
    """Hears claims, and asks; ``view`` returns the model as of now. ``tick`` is to be called once a second.

    An address moves once a second at most, however its ports may quarrel; the last claim counts.
    """

    def __init__(self, store: Store, view: Callable[[], View], send: SendTo) -> None:
        self._store, self._view, self._send = store, view, send
        self._moved: set[Place] = set()
        """Which have moved since the last tick."""
        self._claimed: dict[Place, str] = {}
        """Who has claimed one of these since."""

    def hear(self, flow: Flow, frame: bytes) -> str:
        """Take note of what a switch has sent here; return what it was, in words."""
        said = arp.parse(frame)
        hop = next((term.value for term in flow.match if term.field == "next_hop"), None)
        port_id = flow.owner.removeprefix("port/")
        if hop is not None:
            return self._ask(port_id, str(IPv4Address(hop)))
        if said is None:
            return "no ARP"
        return self._claim(port_id, said.address)

    def tick(self) -> None:
        """Follow the last of several claims, and forget what deleted ports had."""
        for row in self._store.find(VirtualAddress, "every", True):
            if self._store.get(Port, row.port_id) is None:
                with self._store.transaction() as tx:
                    tx.delete(VirtualAddress, row.id)
        self._moved.clear()
        claimed, self._claimed = self._claimed, {}
        for place, port_id in claimed.items():
            self._move(place, port_id)

    def _claim(self, port_id: str, address: str) -> str:
        port = next((each for each in self._sharers(port_id, address) if each.id == port_id), None)
        if port is None:
            return "not allowed"
        place = port.network.id, address
        if place in self._moved:
            self._claimed[place] = port_id
            return "claimed again"
        return self._move(place, port_id)

    def _move(self, place: Place, port_id: str) -> str:
        known = self._store.get(VirtualAddress, "/".join(place))
        if known is not None and known.port_id == port_id:
            return "confirmed"
        self._moved.add(place)
        LOG.info("on network %s, %s is at port %s", *place, port_id)
        with self._store.transaction() as tx:
            tx.put(VirtualAddress("/".join(place), *place, port_id))
        return "moved"

    def _ask(self, interface_id: str, address: str) -> str:
        view = self._view()
        interface = view.ask(live_interface, interface_id)
        if interface is None or not interface.addresses:
            return "no router"
        question = arp.request(interface.mac_address, interface.addresses[0], address)
        for port in view.ask(sharers, interface.network.id, address):
            self._send(port.chassis_id, port.ofport, question)
        return "asked for"

    def _sharers(self, port_id: str, address: str) -> tuple[LivePort, ...]:
        view = self._view()
        port = view.ask(live_port, port_id)
        return view.ask(sharers, port.network.id, address) if port is not None else ()
