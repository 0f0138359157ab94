"""``sdnapp trace``: a packet from a port to an address, walked through the desired flows of all chassis."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from flows.drops import BY_NUMBER
from flows.engine import Engine
from flows.flow import Flow, show_action, show_term
from flows.packets import arp_request
from flows.pipeline import CONNECTIONS, TABLES
from flows.simulator import Fabric, Walk
from sdnapp.probes import Probe, ovs_flow
from sdnapp.status import NO_GATEWAY
from topology import facts, interfaces
from topology.addressing import SERVICE_MAC, int_to_mac
from topology.doors import gateway_chassis
from topology.store import Store
from topology.values import Chassis, Network, Port, PortBinding, Subnet

ZERO = "0.0.0.0"


PING = Probe()


def trace(
    store: Store,
    engine: Engine,
    port: Port,
    to: str,
    why_down: Callable[[Port], str | None],
    *,
    probe: Probe = PING,
) -> dict[str, Any]:
    """Return the road of a packet from a port to an IPv4 address, as a JSON value.

    Where nobody is known by that address, it is the ARP request for it that is traced. Raises ValueError that names
    what is wrong with the port or the address; ``why_down`` tells why a port carries no traffic.
    """
    port_id = port.id
    try:
        address = str(IPv4Address(to))
    except ValueError:
        raise ValueError(f"to: {to!r} is no IPv4 address, such as 10.0.0.5") from None
    live = engine.ask(facts.live_port, port_id)
    if live is None:
        raise ValueError(f"port: {port_id} carries no traffic: {why_down(port)}")
    source = _source(store, port, address)
    group = _group_mac(store, port, address)
    next_hop = address if group else _next_hop(store, port, address)
    mac = group or _mac_of(store, engine, port, next_hop)
    if mac is None:
        packet = arp_request(port.mac_address, source, next_hop)
        known = f"nobody is known by {next_hop}, so this is the ARP request for it"
    else:
        packet = probe.packet(port.mac_address, mac, source, address)
        known = f"{next_hop} is at {mac}"
    walk = _fabric(store, engine).inject(port_id, packet)
    chassis = store.get(Chassis, live.chassis_id)
    touched = {step.chassis_id for step in walk.steps}
    return {
        "from": {"port": port_id, "chassis": live.chassis_id},
        "to": to,
        "steps": [
            {
                "chassis": step.chassis_id,
                "table": step.table,
                **(
                    flow_row(step.flow)
                    if step.flow
                    else {"owner": None, "feature": "miss", "match": "", "actions": "drop"}
                ),
                "packet": repr(step.packet.headers),
            }
            for step in walk.steps
            # A copy only counts a connection; the packet is elsewhere.
            if step.table != CONNECTIONS.name
        ],
        "verdict": _verdict(walk, port_id),
        "delivered_to": [
            {"port_id": each.port_id, "chassis": _chassis_of(engine, each.port_id)} for each in walk.deliveries
        ],
        "left_by": [
            {
                "chassis": each.chassis_id,
                "physical_network": each.physical_network,
                "packet": repr(each.packet.headers),
            }
            for each in walk.on_physical
        ],
        "explanation": _explain(store, engine, walk, port_id, known),
        "live_flow": ovs_flow(packet, live.ofport),
        "bridge": chassis.bridge if chassis else "br-int",
        "hostnames": {row.id: row.hostname for row in store.all(Chassis) if row.id in touched},
    }


def _fabric(store: Store, engine: Engine) -> Fabric:
    chassis = store.all(Chassis)
    placements = {}
    for port_id in {binding.port_id for binding in store.all(PortBinding)}:
        live = engine.ask(facts.live_port, port_id)
        if live is not None:
            placements[port_id] = (live.chassis_id, live.ofport)
    return Fabric(chassis, {row.id: engine.desired(row.id).values() for row in chassis}, placements)


def _source(store: Store, port: Port, to: str) -> str:
    """Return the address that the instance would send from: the one on the target's subnet, or else the first."""
    addresses = [fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address]
    for fixed in port.fixed_ips:
        subnet = store.get(Subnet, fixed.subnet_id)
        if subnet is not None and subnet.ip_version == 4 and IPv4Address(to) in IPv4Network(subnet.cidr):
            return fixed.ip_address
    return addresses[0] if addresses else ZERO


def _next_hop(store: Store, port: Port, to: str) -> str:
    subnets = [store.get(Subnet, fixed.subnet_id) for fixed in port.fixed_ips]
    on_four = [subnet for subnet in subnets if subnet is not None and subnet.ip_version == 4]
    if any(IPv4Address(to) in IPv4Network(subnet.cidr) for subnet in on_four):
        return to
    return next((subnet.gateway_ip for subnet in on_four if subnet.gateway_ip), to)


def _group_mac(store: Store, port: Port, to: str) -> str | None:
    """Return the MAC address of an address that is many hosts' (RFC 1112, RFC 919), or None."""
    address = IPv4Address(to)
    if address.is_multicast:
        return int_to_mac(0x01005E000000 | int(address) & 0x7FFFFF)
    subnets = [store.get(Subnet, fixed.subnet_id) for fixed in port.fixed_ips]
    on_four = [IPv4Network(subnet.cidr) for subnet in subnets if subnet is not None and subnet.ip_version == 4]
    # Of one or two addresses none is a broadcast address (RFC 3021).
    if to == "255.255.255.255" or any(net.prefixlen < 31 and address == net.broadcast_address for net in on_four):
        return "ff:ff:ff:ff:ff:ff"
    return None


def _mac_of(store: Store, engine: Engine, port: Port, address: str) -> str | None:
    interface_id = engine.ask(interfaces.interface_at, port.network_id, address)
    interface = store.get(Port, interface_id) if interface_id is not None else None
    if interface is not None:
        return interface.mac_address
    for other in store.find(Port, "address", address):
        if other.network_id == port.network_id and engine.ask(facts.live_port, other.id) is not None:
            return other.mac_address
    network = store.get(Network, port.network_id)
    if network is not None and network.segment.is_overlay:
        for subnet in store.find(Subnet, "network", network.id):
            if subnet.gateway_ip == address and subnet.enable_dhcp:
                return SERVICE_MAC
    return None


def flow_row(flow: Flow) -> dict[str, Any]:
    """Return a flow as a JSON value, with fields, registers and tables by name."""
    return {
        "owner": flow.owner,
        "feature": flow.feature,
        "priority": flow.priority,
        "cookie": f"{flow.cookie:#018x}",
        "match": ",".join(map(show_term, flow.match)),
        "actions": ",".join(map(show_action, flow.actions)) or "drop",
    }


def _verdict(walk: Walk, port_id: str) -> str:
    if any(each.port_id != port_id for each in walk.deliveries):
        return "delivered"
    if walk.deliveries:
        return "answered"
    if walk.to_controller:
        return "controller"
    return "physical" if walk.on_physical else "dropped"


def _explain(store: Store, engine: Engine, walk: Walk, port_id: str, known: str) -> str:
    def on(chassis_id: str | None) -> str:
        row = store.get(Chassis, chassis_id) if chassis_id is not None else None
        is_known = row is not None and len(store.find_ids(Chassis, "hostname", row.hostname)) == 1
        return (row.hostname if row is not None and is_known else "") or chassis_id or "nowhere"

    def named(receiver: str) -> str:
        row = store.get(Port, receiver)
        name = f"{row.name} ({receiver})" if row is not None and row.name else receiver
        return f"{name} on {on(_chassis_of(engine, receiver))}"

    match _verdict(walk, port_id):
        case "delivered":
            beside = (
                f", and put on the physical network {walk.on_physical[0].physical_network}" if walk.on_physical else ""
            )
            return f"{known}; delivered to {', '.join(named(each.port_id) for each in walk.deliveries)}{beside}"
        case "answered":
            return f"{known}; the network answers by itself"
        case "controller":
            asking = [each.flow for each in walk.to_controller if each.flow.table == TABLES["upstream"].number]
            if any(not engine.ask(gateway_chassis, flow.owner.partition("/")[2]) for flow in asking):
                return f"{known}; nobody can ask for the next hop outside: {NO_GATEWAY}"
            what = "asks by ARP for the next hop outside, which nobody has answered for yet" if asking else "answers"
            return f"{known}; the controller {what}"
        case "physical":
            frame = walk.on_physical[0]
            sender = f", as {IPv4Address(frame.packet['ipv4_src'])}" if "ipv4_src" in frame.packet else ""
            where = f"{on(frame.chassis_id)} for the physical network {frame.physical_network}"
            return f"{known}; it leaves {where}{sender}"
    last = walk.steps[-1]
    if last.flow is not None and (reason := BY_NUMBER.get(last.packet.get("drop_reason", 0))) is not None:
        return f"{known}; dropped on {on(last.chassis_id)}, counted as {reason.name} of {last.flow.owner}. {reason.doc}"
    why = TABLES[last.table].doc.split(". ")[-1]
    by = f"by {last.flow.owner}" if last.flow is not None else "as nothing there matches it"
    return f"{known}; dropped in table {last.table} on {on(last.chassis_id)} {by}. {why}"


def _chassis_of(engine: Engine, port_id: str) -> str | None:
    live = engine.ask(facts.live_port, port_id)
    return live.chassis_id if live is not None else None
