"""What a switch's database tells: the chassis as a row of the store, and which ports are plugged in where. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sdnapp.ovsdb.naming import is_owned, patch_ports, tunnel_port, watched_address
from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import Bridge, Interface, OpenVSwitch, Port, Uuid
from sdnapp.ovsdb.settings import Settings, is_id, read_settings
from topology.placement import Plugged
from topology.values import Chassis

IFACE_ID = "iface-id"


@dataclass(frozen=True)
class Observation:
    """A switch as it is now. ``chassis`` is None while it has no usable ``system-id``.

    ``bfd`` maps the tunnel addresses of the chassis that it watches to the session's state (RFC 5880, section 4.1), in
    Open vSwitch's words: ``admin_down``, ``down``, ``init`` or ``up``.
    """

    settings: Settings
    chassis: Chassis | None = None
    plugged: Mapping[str, Plugged] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    bfd: Mapping[str, str] = field(default_factory=dict)


def observe(replica: Replica) -> Observation:
    """Return what the replica tells."""
    switch = next(iter(replica.rows(OpenVSwitch).values()), None)
    if switch is None:
        return Observation(Settings(bridge=None), problems=("its database is empty: ovs-vsctl init",))
    settings, problems = read_settings(switch.external_ids)
    bridge = bridge_named(replica, settings.bridge)
    interfaces = [interface for _, interface in interfaces_of(replica, bridge)] if bridge else []
    plugged, faults = _plugged(interfaces)
    chassis, bfd = _chassis(settings, bridge, interfaces), _bfd(interfaces)
    return Observation(settings, chassis, plugged, (*map(str, problems), *faults), bfd)


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


def _chassis(settings: Settings, bridge: Bridge | None, interfaces: list[Interface]) -> Chassis | None:
    if settings.system_id is None:
        return None
    ours = {i.name: i.ofport or 0 for i in interfaces if is_owned(i.external_ids) and is_up(i)}
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


def _bfd(interfaces: list[Interface]) -> dict[str, str]:
    spoken = ((interface.bfd_status.get("state"), interface.name) for interface in interfaces if interface.bfd_status)
    found = {watched_address(name): state for state, name in spoken if state is not None}
    return {address: state for address, state in sorted(found.items(), key=str) if address is not None}


def _plugged(interfaces: list[Interface]) -> tuple[dict[str, Plugged], tuple[str, ...]]:
    plugged: dict[str, Plugged] = {}
    problems = set()
    for interface in interfaces:
        port_id = interface.external_ids.get(IFACE_ID)
        if port_id is None:
            continue
        if not is_id(port_id):
            problems.add(f"interface {interface.name}: {IFACE_ID} {port_id[:60]!r} is no id of a port")
        elif interface.error:
            problems.add(f"interface {interface.name} of port {port_id}: {interface.error}")
        elif is_up(interface):
            claim = Plugged(interface.ofport or 0, interface.name)
            rival = plugged.get(port_id)
            if rival is not None:
                problems.add(_rivals(port_id, *sorted((rival, claim), reverse=True)))
            plugged[port_id] = max(claim, rival) if rival else claim
    return dict(sorted(plugged.items())), tuple(sorted(problems))


def _rivals(port_id: str, winner: Plugged, loser: Plugged) -> str:
    return (
        f"interfaces {winner.interface} and {loser.interface} both claim port {port_id}: {winner.interface} has it; "
        f"ovs-vsctl remove Interface {loser.interface} external_ids {IFACE_ID}"
    )
