"""``sdnapp trace``: a packet from a port to an address, walked through the desired flows of all chassis."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

from flows.engine import Engine
from flows.packets import arp_request
from flows.simulator import Walk
from sdnapp.probes import PING, Answer, Probe, ovs_flow
from sdnapp.roads import Teller, Traced, is_dropped_beyond_a_wire
from topology import facts, interfaces
from topology.addressing import SERVICE_MAC, int_to_mac
from topology.store import Store
from topology.values import Chassis, Network, Port, Subnet

ZERO = "0.0.0.0"


def trace(
    teller: Teller, port: Port, to: str, why_down: Callable[[Port], str | None], *, probe: Probe | Answer = PING
) -> Traced:
    """Return the road of a packet from a port to an IPv4 address.

    Where nobody is known by that address, it is the ARP request for it that is traced. Raises ValueError that names
    what is wrong with the port or the address; ``why_down`` tells why a port carries no traffic.
    """
    store, engine, port_id = teller.store, teller.engine, port.id
    address = destination(to)
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
    walk = teller.fabric.inject(port_id, packet)
    chassis = store.get(Chassis, live.chassis_id)
    verdict, fate = _fate(teller, walk, port_id)
    document = {
        "from": {"port": port_id, "chassis": live.chassis_id},
        "to": to,
        **teller.told(walk, verdict, f"{known}; {fate}"),
        "live_flow": ovs_flow(packet, live.ofport),
        "bridge": chassis.bridge if chassis else "br-int",
    }
    return Traced(walk, document)


def destination(to: str) -> str:
    """Return the address that is sent to as it is usually written. Raises ValueError for what is no IPv4 address."""
    try:
        return str(IPv4Address(to))
    except ValueError:
        raise ValueError(f"to: {to!r} is no IPv4 address, such as 10.0.0.5") from None


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


def _fate(teller: Teller, walk: Walk, port_id: str) -> tuple[str, str]:
    """Return the verdict on a port's packet, and the same in words."""
    if any(each.port_id != port_id for each in walk.deliveries):
        return "delivered", teller.delivered(walk)
    if walk.deliveries:
        return "answered", "the network answers by itself"
    if walk.to_controller:
        return "controller", teller.handed_up(walk)
    if walk.on_physical and not is_dropped_beyond_a_wire(walk):
        return "physical", teller.left(walk)
    return "dropped", teller.dropped(walk)
