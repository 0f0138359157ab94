"""The controller's part on physical networks: who routers' neighbours are, and telling them where addresses are.

Neighbours are asked for by ARP from the chassis where the router is found: next hops of routes always, others when a
packet is for them. What they answer is stored, and published as flows. An answer that contradicts the former is
believed when the former MAC address answers no more. Nothing is learnt from what nobody asked for. Whoever claims an
address of ours is answered by an announcement.
"""

import logging
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

from flows.engine import Engine
from flows.fields import ETH_TYPE_IPV4
from flows.flow import Flow
from sdnapp import arp
from sdnapp.standings import Place, Standings
from sdnapp.turns import Turns
from topology.addressing import SERVICE_MAC, UNSPECIFIED, int_to_mac
from topology.facts import LiveNetwork
from topology.gateway_values import Neighbour, Outage
from topology.presence import Presence, Site, networks_stood_on, presence, presences
from topology.store import Store
from topology.values import FLOATING_IP, ROUTER_GATEWAY, ROUTER_INTERFACE, Chassis, Network, Port

LOG = logging.getLogger(__name__)
T = TypeVar("T")
_SERVICE = bytes.fromhex(SERVICE_MAC.replace(":", ""))

REFRESH = 30
"""Ticks between questions to a neighbour that is known."""
TRIES = 3
"""Questions about a neighbour that a packet is for, and announcements of an address that has moved: one each tick."""
FORGOTTEN = 5
"""Refreshes without an answer after which a neighbour is forgotten that no router depends on."""
MAX_ASKED = 1024
"""Addresses that are asked for at once: a tenant may send to all of a large network."""


ANNOUNCED_AT_ONCE = 512
"""Addresses that are announced in one tick: a gateway chassis may have had thousands."""


class Send(Protocol):
    """Lets a chassis send a frame to a physical network."""

    def __call__(self, chassis_id: str, physical_network: str, frame: bytes) -> bool:
        """Send it if the chassis is connected, and return whether it is."""
        ...


class Doubt(NamedTuple):
    """What somebody said who contradicts what is known, and for how many ticks the former has been asked."""

    mac_address: str
    ticks: int = 0


class Outside:
    """Asks, listens and announces; ``engine`` returns the one in force. ``tick`` is to be called once a second."""

    def __init__(self, store: Store, engine: Callable[[], Engine], send: Send) -> None:
        self._store, self._engine, self._send = store, engine, send
        self._standings = Standings(store, engine)
        self._asked: dict[Place, int] = {}
        self._ages: dict[Place, int] = {}
        """Ticks since a neighbour answered last."""
        self._doubts: dict[Place, Doubt] = {}
        self._announcing: dict[Place, int] = {}
        self._reminding = 0
        self._warned: dict[Place, int] = {}
        """Ticks until a further claim to an address is worth another warning."""

    def hear(self, flow: Flow, frame: bytes) -> str:
        """Take note of what a switch has sent here; return what it was, in words."""
        own = self._listener(flow.owner)
        if own is None:
            return "no gateway chassis"
        said = arp.parse(frame)
        if said is not None:
            return self._told(own, said)
        if frame[12:14] != ETH_TYPE_IPV4.to_bytes(2, "big") or len(frame) < 34:
            return "no IPv4 packet"
        target = str(IPv4Address(frame[30:34]))
        for address in (target,) if _is_near(own, target) else own.upstream:
            self._want(own, address)
        return "asked for"

    def tick(self) -> None:
        """Ask those who have not answered, forget those who do not any more, announce what has moved.

        Others have their turns in between.
        """
        turns = Turns()
        # A former controller may not have come to announce what is there when this one begins.
        for place in self._standings.follow(turns):
            if place in self._standings.sites:
                self._announcing[place] = TRIES
            else:
                self._announcing.pop(place, None)
        self._ask_again(turns)
        for network_id in self._store.find_ids(Network, "transit", True):
            if there := self._standings.there(network_id):
                self._refresh(network_id, there, turns)
        for row in turns.between(self._store.find(Neighbour, "every", True)):
            if not self._standings.there(row.network_id):
                self._forget(row)
        for place, doubt in list(self._doubts.items()):
            self._settle(place, doubt)
        self._warned = {place: left - 1 for place, left in self._warned.items() if left > 1}
        self._remind(turns)
        self._announce(turns)

    def _told(self, own: Presence, said: arp.Arp) -> str:
        place = own.network.id, said.address
        if (site := self._standings.sites.get(place)) is not None:
            return self._defend(place, site, said.mac)
        known = self._store.get(Neighbour, "/".join(place))
        if said.is_announcement:
            if known is not None and known.mac_address != said.mac:
                self._ask(own, said.address)
            return "announced"
        if known is not None and known.mac_address == said.mac:
            if (doubt := self._doubts.pop(place, None)) is not None:
                self._warn(place, "on network %s, %s is at %s, but %s claims it, too", said.mac, doubt.mac_address)
            if said.target != UNSPECIFIED:
                self._ages[place] = 0
            return "confirmed"
        if known is not None:
            if place not in self._doubts:
                self._doubts[place] = Doubt(said.mac)
                self._probe(own, said.address)
            return "contradicted"
        if self._asked.pop(place, None) is None and said.address not in own.upstream:
            return "nobody asked"
        self._learn(place, said.mac)
        return "learnt"

    def _defend(self, place: Place, site: Site, mac: str) -> str:
        """Say whose an address is: at once, as often as the switch lets claims come here, and some ticks more.

        RFC 5227 (section 2.4) would have at most one defence in ten seconds, lest two hosts go on for ever. Whoever
        claims an address on purpose may speak each second; the port's budget bounds what two could do to each other.
        """
        if mac == site.mac_address:
            return "own"
        self._warn(place, "on network %s, %s is ours, but %s claims it: it is announced again", mac)
        self._announcing[place] = TRIES
        self._arp(site.chassis_id, site.network, site.mac_address, site.address, site.address)
        return "claimed"

    def _warn(self, place: Place, text: str, *macs: str) -> None:
        """Tell the operator, once for as long as it goes on."""
        if place not in self._warned:
            LOG.warning(text, *place, *macs)
        self._warned[place] = REFRESH

    def _learn(self, place: Place, mac: str) -> None:
        LOG.info("on network %s, %s is at %s", *place, mac)
        self._ages[place] = 0
        with self._store.transaction() as tx:
            tx.put(Neighbour("/".join(place), *place, mac))

    def _settle(self, place: Place, doubt: Doubt) -> None:
        """Believe the newcomer if the former has had a whole tick to answer and has not; ask once more before that."""
        there = self._standings.there(place[0])
        if there and not doubt.ticks:
            self._doubts[place] = doubt._replace(ticks=1)
            self._probe(_asking(there, place[1]), place[1])
            return
        if there and self._store.get(Neighbour, "/".join(place)) is not None:
            LOG.warning("on network %s, %s answers from another MAC address now", *place)
            self._learn(place, doubt.mac_address)
        del self._doubts[place]

    def _ask_again(self, turns: Turns) -> None:
        """Ask for those whom packets are for and who have not answered."""
        for place, left in turns.between(list(self._asked.items())):
            if there := self._standings.there(place[0]):
                self._ask(_asking(there, place[1]), place[1])
            if left > 1 and there:
                self._asked[place] = left - 1
            else:
                self._asked.pop(place, None)

    def _refresh(self, network_id: str, there: Mapping[str, Presence], turns: Turns) -> None:
        needed = self._standings.needed(network_id)
        known = {row.address: row for row in turns.between(self._store.find(Neighbour, "network", network_id))}
        for address in needed.keys() - known.keys():
            self._ask(_asking(there, address), address)
        for address, row in turns.between(known.items()):
            place = network_id, address
            age = self._ages[place] = self._ages.get(place, REFRESH - 1) + 1
            if age > FORGOTTEN * REFRESH and address not in needed:
                self._forget(row)
            elif age >= REFRESH and age % 5 == 0:
                self._ask(_asking(there, address), address)

    def _forget(self, row: Neighbour) -> None:
        self._ages.pop((row.network_id, row.address), None)
        with self._store.transaction() as tx:
            tx.delete(Neighbour, row.id)

    def _want(self, own: Presence, address: str) -> None:
        place = own.network.id, address
        if place not in self._asked and len(self._asked) < MAX_ASKED:
            self._asked[place] = TRIES
            self._ask(own, address)

    def _listener(self, owner: str) -> Presence | None:
        """Return on whose behalf something is heard: a router's, or of all on a network together the first one's."""
        kind, _, own_id = owner.partition("/")
        view = self._engine().view
        return next(iter(view.ask(presences, own_id)), None) if kind == "network" else view.ask(presence, owner)

    def _probe(self, own: Presence, address: str) -> None:
        """Ask on behalf of no router, so that the answer cannot be drowned (``flows.features.upstream``)."""
        self._arp(own.chassis_id, own.network, own.mac_address, UNSPECIFIED, address)

    def _ask(self, own: Presence, address: str) -> None:
        if own.addresses:
            self._arp(own.chassis_id, own.network, own.mac_address, _nearest(own, address), address)

    def _announce(self, turns: Turns) -> None:
        """Let those announce addresses that have them, as far as they can be reached."""
        for place, left in turns.between(list(islice(self._announcing.items(), ANNOUNCED_AT_ONCE))):
            site = self._standings.sites[place]
            # Whoever has not had a turn is before those who have.
            del self._announcing[place]
            is_sent = self._arp(site.chassis_id, site.network, site.mac_address, site.address, site.address)
            if left > is_sent:
                self._announcing[place] = left - is_sent

    def _remind(self, turns: Turns) -> None:
        """Have announced again and again what a chassis may have had that cannot be reached.

        If parts of a physical network did not hear one another, its switches learn now where the addresses are.
        """
        self._reminding = (self._reminding + 1) % REFRESH
        if not self._reminding:
            out, view = self._store.find_ids(Outage, "every", True), self._engine().view
            networks = {network_id for each in out for network_id in view.ask(networks_stood_on, each)}
            for place in turns.between(list(self._standings.sites) if networks else ()):
                if place[0] in networks:
                    self._announcing.setdefault(place, 1)

    def _arp(self, chassis_id: str, network: LiveNetwork, mac: str, address: str, target: str) -> bool:
        if network.segment.physical_network is None:
            return False
        frame = arp.request(mac, address, target, network.segment.segmentation_id)
        return self._send(chassis_id, network.segment.physical_network, frame)


def sender(
    store: Store, datapath_of: Callable[[str], str | None], packet_out: Callable[[str, int, int, bytes], None]
) -> Send:
    """Return what sends by the patch ports of connected chassis."""

    def send(chassis_id: str, physical_network: str, frame: bytes) -> bool:
        chassis, datapath_id = store.get(Chassis, chassis_id), datapath_of(chassis_id)
        ofport = dict(chassis.patch_ports).get(physical_network) if chassis is not None else None
        if datapath_id is None or ofport is None:
            return False
        packet_out(datapath_id, CONTROLLER_PORT, ofport, frame)
        return True

    return send


def as_received(store: Store, datapath_id: str, port: int, frame: bytes) -> bytes:
    """Return a router's frame as it goes back by the port that the one before came by: to a VLAN, with its tag."""
    if frame[6:12] == _SERVICE:
        # No router's, as nearly all are.
        return frame
    chassis = next(iter(store.find(Chassis, "datapath", datapath_id)), None)
    if chassis is None or port not in dict(chassis.patch_ports).values():
        return frame
    for row in store.find(Port, "mac", int_to_mac(int.from_bytes(frame[6:12], "big"))):
        network = store.get(Network, row.network_id)
        if row.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY, FLOATING_IP) and network is not None:
            return arp.tagged(frame, network.segment.segmentation_id)
    return frame


CONTROLLER_PORT = 0xFFFFFFFD
"""OFPP_CONTROLLER: where a packet comes from that no port has received."""


def _asking(there: Mapping[str, Presence], address: str) -> Presence:
    """Return who asks for an address: a router that is on its subnet, if there is one."""
    # Of many routers, nearly all are on the same subnets.
    far: set[tuple[str, ...]] = set()
    for own in there.values():
        if own.prefixes not in far and _is_near(own, address):
            return own
        far.add(own.prefixes)
    return next(iter(there.values()))


def _nearest(own: Presence, address: str) -> str:
    """Return the address to ask from: hosts may not answer one that is on no subnet of theirs."""
    asked = IPv4Address(address)
    paired = zip(own.addresses, own.prefixes, strict=False)
    return next((source for source, prefix in paired if asked in IPv4Network(prefix)), own.addresses[0])


def _is_near(own: Presence, address: str) -> bool:
    return any(IPv4Address(address) in IPv4Network(prefix) for prefix in own.prefixes)
