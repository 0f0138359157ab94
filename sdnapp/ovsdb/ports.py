"""The tunnel and patch ports that a chassis shall have: the controller adds, corrects and removes its own. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sdnapp.ovsdb import operations as ops
from sdnapp.ovsdb.datapath import type_of
from sdnapp.ovsdb.naming import OWNED, PREFIX, is_owned, patch_ports, tunnel_port, watch_port
from sdnapp.ovsdb.operations import Operation
from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import Bridge, Interface, Port, Uuid
from sdnapp.ovsdb.settings import Settings
from sdnapp.ovsdb.steps import Found, Plan, Situation


@dataclass(frozen=True)
class WantedPort:
    """A port of one interface, of the same name. Options beyond these are the operator's own."""

    name: str
    bridge: Uuid
    type: str
    options: Mapping[str, str]
    bfd: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a port is now."""

    bridge: Uuid
    bridge_name: str
    key: Uuid
    port: Port


WATCH_PORT = 6082
"""UDP port of tunnels that carry nothing but BFD: packets from a watched chassis come by the ordinary tunnel port."""
BFD = {"enable": "true", "min_rx": "100", "min_tx": "100"}
"""Milliseconds between hellos; three that are missed are a failure (RFC 5880, section 6.8.4)."""
WITHDRAWN = "cpath_down"
"""Lets each hello say "Concatenated Path Down" (RFC 5880, section 6.8.17): who hears that counts the port as dead. This
end goes on as before, and knows whether the other one lives."""


def plan_ports(result: Plan, situation: Situation, found: Found) -> None:
    """Compare tunnel, patch and watch ports with what the settings ask for."""
    replica, settings = situation.replica, situation.settings
    places = {place.port.name: place for place in _places(replica)}
    wanted: dict[str, WantedPort] = {}
    for what, ports in (
        *_tunnels(settings, found.key),
        *_patches(result, situation, found),
        *_watches(situation, found.key),
    ):
        wanted |= {port.name: port for port in ports}
        _group(result, replica, places, what, ports)
    for place in places.values():
        port = wanted.get(place.port.name)
        is_local = place.port.name == place.bridge_name
        if is_owned(place.port.external_ids) and not is_local and (port is None or port.bridge != place.bridge):
            result.step(
                f"port {place.port.name}: removed from bridge {place.bridge_name}",
                ops.mutate(Bridge.TABLE, place.bridge, ["ports", "delete", ops.uuid(place.key)]),
            )


def _tunnels(settings: Settings, key: Uuid) -> Iterator[tuple[str, list[WantedPort]]]:
    for encapsulation in settings.encap_types:
        name = tunnel_port(encapsulation)
        # Without local_ip the source is what routing chooses, which on a host with several addresses may be another.
        options = {"remote_ip": "flow", "key": "flow", "local_ip": settings.encap_ip or ""}
        yield f"tunnel port {name}", [WantedPort(name, key, encapsulation, options)]


def _watches(situation: Situation, key: Uuid) -> Iterator[tuple[str, list[WantedPort]]]:
    local = situation.settings.encap_ip
    for address in situation.watched if local is not None else ():
        name = watch_port(address)
        options = {"remote_ip": address, "local_ip": local or "", "key": "0", "dst_port": str(WATCH_PORT)}
        bfd = BFD | {WITHDRAWN: "true" if address in situation.shunned else "false"}
        yield f"port {name} to watch {address}", [WantedPort(name, key, "geneve", options, bfd)]


def _patches(result: Plan, situation: Situation, found: Found) -> Iterator[tuple[str, list[WantedPort]]]:
    bridges = {row.name: (key, row) for key, row in situation.replica.rows(Bridge).items()}
    for network, name in situation.settings.bridge_mappings:
        if name not in bridges:
            result.problem(
                f"bridge {name} of physical network {network} does not exist: "
                f"ovs-vsctl add-br {name}, and add its device"
            )
            continue
        key, mapped = bridges[name]
        if type_of(mapped) != type_of(found.bridge):
            result.problem(
                f"bridge {name} of physical network {network} has datapath_type {type_of(mapped)}, "
                f"and {found.bridge.name} has {type_of(found.bridge)}: give both the same"
            )
            continue
        inner, outer = patch_ports(network)
        pair = [
            WantedPort(inner, found.key, "patch", {"peer": outer}),
            WantedPort(outer, key, "patch", {"peer": inner}),
        ]
        yield f"patch ports {inner} and {outer} between {found.bridge.name} and {name}", pair


def _group(result: Plan, replica: Replica, places: Mapping[str, Place], what: str, ports: list[WantedPort]) -> None:
    """Plan ports that only make sense together."""
    operations: list[Operation] = []
    for port in ports:
        place = places.get(port.name)
        if place is None:
            operations += _add(port)
        elif not is_owned(place.port.external_ids):
            result.problem(
                f"port {port.name} of bridge {place.bridge_name} was not made by sdnapp, which needs the name: "
                f"ovs-vsctl del-port {port.name}"
            )
            return
        elif place.bridge != port.bridge:
            # It is removed from there first, as names are unique.
            return
        else:
            operations += _correct(result, replica, place.port, port)
    if operations:
        result.step(f"{what}: set up", *operations)


def _add(port: WantedPort) -> list[Operation]:
    local = {"name": port.name, "external_ids": ops.map_of(OWNED)}
    # uuid-names are identifiers: letters, digits and '_'.
    suffix = port.name.encode().hex()
    interface = {**local, "type": port.type, "options": ops.map_of(port.options)}
    if port.bfd:
        interface["bfd"] = ops.map_of(port.bfd)
    return [
        ops.insert(Interface.TABLE, interface, f"interface_{suffix}"),
        ops.insert(Port.TABLE, {**local, "interfaces": ops.named(f"interface_{suffix}")}, f"port_{suffix}"),
        ops.mutate(Bridge.TABLE, port.bridge, ["ports", "insert", ops.set_of([ops.named(f"port_{suffix}")])]),
    ]


def _correct(result: Plan, replica: Replica, port: Port, wanted: WantedPort) -> Iterator[Operation]:
    for key in sorted(port.interfaces):
        interface = replica.get(Interface, key)
        if interface is None:
            continue
        if interface.error:
            result.problem(f"port {interface.name}: {interface.error}")
        if interface.type != wanted.type:
            yield ops.update(Interface.TABLE, key, type=wanted.type)
        if not wanted.options.items() <= interface.options.items():
            yield ops.mutate(Interface.TABLE, key, *ops.set_keys("options", wanted.options))
        if not wanted.bfd.items() <= interface.bfd.items():
            yield ops.mutate(Interface.TABLE, key, *ops.set_keys("bfd", wanted.bfd))
        if not is_owned(interface.external_ids):
            yield ops.mutate(Interface.TABLE, key, *ops.set_keys("external_ids", OWNED))


def _places(replica: Replica) -> Iterator[Place]:
    """Yield where those ports are that the controller made, or that have a name such as it gives."""
    for bridge_key, bridge in replica.rows(Bridge).items():
        found = ((key, replica.get(Port, key)) for key in bridge.ports)
        # Those of instances are thousands.
        ours = {key: port for key, port in found if port is not None and _may_be_ours(port)}
        for key in sorted(ours):
            yield Place(bridge_key, bridge.name, key, ours[key])


def _may_be_ours(port: Port) -> bool:
    return port.name.startswith(PREFIX) or is_owned(port.external_ids)
