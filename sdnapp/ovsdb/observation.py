"""What a switch's database tells: the chassis as a row of the store, and which ports are plugged in where. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from sdnapp.ovsdb.naming import PREFIX, is_owned, patch_ports, tunnel_port, watched_address
from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import Bridge, Interface, OpenVSwitch, Port, Uuid
from sdnapp.ovsdb.settings import Settings, is_id, read_settings
from topology.placement import Plugged
from topology.turns import GiveWay, by_turns, nobody_waits
from topology.values import Chassis
from topology.witnesses import Hearing

IFACE_ID = "iface-id"
WITHDRAWN = "Concatenated Path Down"
"""What a session's hellos say of which the plan wants that (``sdnapp.ovsdb.ports``), in Open vSwitch's words."""


@dataclass(frozen=True)
class Observation:
    """A switch as it is now. ``chassis`` is None while it has no usable ``system-id``.

    ``plugged`` is the observer's own, to be read before it observes again; ``changed`` are the ids of the ports of
    which it says something else than the observation before. ``bfd`` maps the tunnel addresses of the chassis that it
    watches to the session's state (RFC 5880, section 4.1), in Open vSwitch's words: ``admin_down``, ``down``, ``init``
    or ``up``; ``hearing`` is what has to be known of witnesses' sessions. ``news`` is whether anything has changed that
    the set-up depends on: what instances' interfaces say is nothing of that.
    """

    settings: Settings
    chassis: Chassis | None = None
    plugged: Mapping[str, Plugged] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    bfd: Mapping[str, str] = field(default_factory=dict)
    hearing: Hearing = field(default_factory=Hearing)
    news: bool = True


def observe(replica: Replica) -> Observation:
    """Return what the replica tells."""
    return Observer(replica).observe({})


class Observer:
    """Keeps what one replica tells up to date, at the cost of what has changed in it: a chassis has many interfaces."""

    def __init__(self, replica: Replica, give_way: GiveWay = nobody_waits) -> None:
        """Looking at many interfaces, it is to ``give_way`` now and then."""
        self._replica, self._give_way = replica, give_way
        self._bridge: Bridge | None = None
        self._settings = Settings(bridge=None)
        self._problems: tuple[str, ...] = ()
        self._members: frozenset[Uuid] | None = None
        """The integration bridge's interfaces; None before the first look."""
        self._seen: dict[Uuid, Interface] = {}
        """Those that are there, as they were taken account of."""
        self._own: dict[Uuid, Interface] = {}
        self._with_bfd: dict[Uuid, Interface] = {}
        self._claims: dict[str, dict[Uuid, Plugged]] = {}
        """Of each port (id) by its interfaces: one, unless there are rivals."""
        self._plugged: dict[str, Plugged] = {}
        self._before: dict[str, Plugged | None] = {}
        """What the observation before said of ports of which something has changed since then."""
        self._faults: dict[Uuid, str] = {}
        self._rivals: dict[str, tuple[str, ...]] = {}

    def observe(self, changes: Mapping[type[Any], Set[Uuid]]) -> Observation:
        """Return what the replica tells, when these rows have changed since the last time."""
        switch = next(iter(self._replica.rows(OpenVSwitch).values()), None)
        if switch is None:
            while self._seen:
                self._forget(*self._seen.popitem())
            self._members = None
            empty = ("its database is empty: ovs-vsctl init",)
            return Observation(Settings(bridge=None), changed=self._take_changed(), problems=empty)
        others = changes.keys() - {Interface}
        news = self._members is None or bool(others)
        suspects = set(changes.get(Interface, ()))
        if self._members is None or others & {OpenVSwitch, Bridge, Port}:
            self._settings, problems = read_settings(switch.external_ids)
            self._problems = tuple(map(str, problems))
            self._bridge = bridge_named(self._replica, self._settings.bridge)
            self._members = _members(self._replica, self._bridge)
            suspects |= self._members ^ self._seen.keys()
        for key in by_turns(suspects, self._give_way):
            before = self._seen.pop(key, None)
            if before is not None:
                self._forget(key, before)
            after = self._replica.get(Interface, key)
            if after is not None and key in self._members:
                self._seen[key] = after
                self._take(key, after)
            news |= not (_is_anothers(before) and _is_anothers(after))
        faults = {*self._faults.values(), *(text for texts in self._rivals.values() for text in texts)}
        return Observation(
            self._settings,
            _chassis(self._settings, self._bridge, self._own.values()),
            self._plugged,
            self._take_changed(),
            (*self._problems, *sorted(faults)),
            _bfd(self._with_bfd.values()),
            _hearing(self._with_bfd.values()),
            news,
        )

    def _take_changed(self) -> frozenset[str]:
        before, self._before = self._before, {}
        claims = by_turns(before.items(), self._give_way)
        return frozenset(port_id for port_id, claim in claims if self._plugged.get(port_id) != claim)

    def _take(self, key: Uuid, interface: Interface) -> None:
        if is_owned(interface.external_ids):
            self._own[key] = interface
        if interface.bfd_status:
            self._with_bfd[key] = interface
        port_id = interface.external_ids.get(IFACE_ID)
        if port_id is None:
            return
        if not is_id(port_id):
            self._faults[key] = f"interface {interface.name}: {IFACE_ID} {port_id[:60]!r} is no id of a port"
        elif interface.error:
            self._faults[key] = f"interface {interface.name} of port {port_id}: {interface.error}"
        elif is_up(interface):
            self._claims.setdefault(port_id, {})[key] = Plugged(interface.ofport or 0, interface.name)
            self._judge(port_id)

    def _forget(self, key: Uuid, interface: Interface) -> None:
        self._own.pop(key, None)
        self._with_bfd.pop(key, None)
        self._faults.pop(key, None)
        port_id = interface.external_ids.get(IFACE_ID)
        if port_id is not None and self._claims.get(port_id, {}).pop(key, None) is not None:
            self._judge(port_id)

    def _judge(self, port_id: str) -> None:
        """Say which of the interfaces that claim a port has it."""
        self._before.setdefault(port_id, self._plugged.get(port_id))
        self._rivals.pop(port_id, None)
        claims = sorted(self._claims[port_id].values(), reverse=True)
        if not claims:
            del self._claims[port_id]
            del self._plugged[port_id]
            return
        self._plugged[port_id] = claims[0]
        if len(claims) > 1:
            self._rivals[port_id] = tuple(_rivals(port_id, claims[0], loser) for loser in claims[1:])


def bridge_named(replica: Replica, name: str | None) -> Bridge | None:
    """Return the bridge of that name, or None."""
    return next((bridge for bridge in replica.rows(Bridge).values() if bridge.name == name), None)


def interfaces_of(replica: Replica, bridge: Bridge) -> Iterator[tuple[Port, Interface]]:
    """Yield every interface of a bridge with its port."""
    for port_id in bridge.ports:
        if port := replica.get(Port, port_id):
            for interface_id in port.interfaces:
                if interface := replica.get(Interface, Uuid(interface_id)):
                    yield port, interface


def is_up(interface: Interface) -> bool:
    """Return whether ``ovs-vswitchd`` has given the interface an OpenFlow port number."""
    return interface.ofport is not None and interface.ofport > 0


def _chassis(settings: Settings, bridge: Bridge | None, interfaces: Iterable[Interface]) -> Chassis | None:
    if settings.system_id is None:
        return None
    ours = {i.name: i.ofport or 0 for i in interfaces if is_up(i)}
    tunnels = {encap: ours.get(tunnel_port(encap), 0) for encap in settings.encap_types}
    watches = {address: ofport for name, ofport in ours.items() if (address := watched_address(name)) is not None}
    patches = {network: ours.get(patch_ports(network)[0], 0) for network, _ in settings.bridge_mappings}
    return Chassis(
        id=settings.system_id,
        hostname=settings.hostname,
        datapath_id=(bridge.datapath_id or "") if bridge else "",
        bridge=settings.bridge or "",
        encap_ip=settings.encap_ip,
        encap_types=settings.encap_types,
        bridge_mappings=settings.bridge_mappings,
        gateway=settings.gateway,
        tunnel_ports=tuple((encap, ofport) for encap, ofport in tunnels.items() if ofport),
        patch_ports=tuple((network, ofport) for network, ofport in patches.items() if ofport),
        watch_ports=tuple(sorted(watches.items())),
    )


def _bfd(interfaces: Iterable[Interface]) -> dict[str, str]:
    spoken = ((interface.bfd_status.get("state"), interface.name) for interface in interfaces if interface.bfd_status)
    found = {watched_address(name): state for state, name in spoken if state is not None}
    return {address: state for address, state in sorted(found.items(), key=str) if address is not None}


def _hearing(interfaces: Iterable[Interface]) -> Hearing:
    told = [(address, each.bfd_status) for each in interfaces if (address := watched_address(each.name)) is not None]
    return Hearing(
        frozenset(address for address, status in told if status.get("state") == "up"),
        frozenset(address for address, status in told if status.get("forwarding") == "true"),
        frozenset(address for address, status in told if status.get("diagnostic") == WITHDRAWN),
    )


def _members(replica: Replica, bridge: Bridge | None) -> frozenset[Uuid]:
    """Return the interfaces of a bridge, there or not."""
    ports = replica.rows(Port)
    return frozenset(
        interface for key in (bridge.ports if bridge else ()) if key in ports for interface in ports[key].interfaces
    )


def _is_anothers(interface: Interface | None) -> bool:
    """Return whether an interface is there that the controller neither made nor wants: instances' are like that."""
    return interface is not None and not is_owned(interface.external_ids) and not interface.name.startswith(PREFIX)


def _rivals(port_id: str, winner: Plugged, loser: Plugged) -> str:
    return (
        f"interfaces {winner.interface} and {loser.interface} both claim port {port_id}: {winner.interface} has it; "
        f"ovs-vsctl remove Interface {loser.interface} external_ids {IFACE_ID}"
    )
