"""``sdnapp trace --from-outside``: a packet of a host on a physical network, walked through all chassis.

The host asks by ARP who has its next hop. The chassis that answers is the door: the physical network has learnt that,
and brings the packet there. Only the chassis where the next hop can be is asked, as each has very many flows.
"""

from ipaddress import IPv4Address
from typing import NamedTuple, Protocol

from flows.engine import Engine
from flows.fields import ARP_REPLY, ICMP_ECHO_REPLY
from flows.packets import Packet, arp_request
from flows.pipeline import DROPS, EXTERNAL_ADDRESSES, INBOUND_VERDICT
from flows.simulator import Walk
from sdnapp.outside_hosts import Surroundings
from sdnapp.probes import PING, Answer, Probe, ovs_flow
from sdnapp.roads import Teller, Traced, is_dropped_beyond_a_wire
from sdnapp.status import NO_GATEWAY
from sdnapp.tracing import destination
from topology import doors, facts
from topology.addressing import int_to_mac
from topology.store import Store
from topology.values import (
    FLOATING_IP,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    Chassis,
    FloatingIP,
    Network,
    Port,
    PortForwarding,
)


class Why(Protocol):
    """Who knows why something does not work."""

    def why_down(self, port: Port) -> str | None:
        """Say why a port is not ACTIVE, or None if it is."""
        ...

    def why_floatingip_down(self, row: FloatingIP) -> str | None:
        """Say why a floating IP that stands for an address, or forwards ports, is not ACTIVE, or None."""
        ...


class Outside(NamedTuple):
    """Who sends: a host on a network with the address ``source``, by default its upstream router.

    ``via`` is the address there to which it sends what is for another network; None where that is clear.
    """

    network: Network
    source: str | None = None
    via: str | None = None


class _Door(NamedTuple):
    """Where the physical network finds a next hop: its MAC address, and the chassis."""

    mac: str
    chassis_id: str


def trace_from_outside(teller: Teller, sender: Outside, to: str, why: Why, *, probe: Probe | Answer = PING) -> Traced:
    """Return the road of a packet from a host on a physical network to an IPv4 address.

    Where nobody answers for the next hop's address, the packet is never sent, and has no steps. Raises ValueError that
    names what is wrong with the network or an address.
    """
    store, engine = teller.store, teller.engine
    address = destination(to)
    wire = _physical_network(store, engine, sender.network)
    surroundings = Surroundings(store, engine, sender.network)
    host = surroundings.host(address, sender.source, sender.via)
    own = _Own(teller, surroundings, surroundings.port_at(host.next_hop))
    begins = {"network": sender.network.id, "source": host.address, "via": host.next_hop}
    tag = sender.network.segment.segmentation_id
    door = own.door(wire, _tagged(arp_request(host.mac, host.address, host.next_hop), tag))
    if door is None:
        explanation = f"nobody there answers for {host.next_hop}, so it is not sent: {own.why_silent(why)}"
        nothing = dict.fromkeys(("door", "translated", "live_flow", "bridge"))
        told = teller.told(Walk(), "unanswered", explanation)
        return Traced(Walk(), {"from": begins | {"chassis": None}, "to": to, **told, **nothing})
    sent = _tagged(probe.packet(host.mac, door.mac, host.address, address), tag)
    walk = teller.fabric.inject_physical(wire, sent, to={door.chassis_id})
    chassis = store.get(Chassis, door.chassis_id)
    assert chassis is not None
    role, in_words = own.role(wire)
    translated = _translated(sent, walk)
    becomes = f"{translated['from']} becomes {translated['to']}; " if translated is not None else ""
    verdict, fate = own.fate(walk, address, host.next_hop)
    known = f"{host.next_hop} is at {door.mac}, on {teller.chassis(door.chassis_id)}, {in_words}"
    document = {
        "from": begins | {"chassis": door.chassis_id},
        "to": to,
        "door": {"chassis": door.chassis_id, "role": role},
        "translated": translated,
        **teller.told(walk, verdict, f"{known}; {becomes}{fate}"),
        "live_flow": ovs_flow(sent, dict(chassis.patch_ports)[wire]),
        "bridge": chassis.bridge,
    }
    return Traced(walk, document)


def _physical_network(store: Store, engine: Engine, network: Network) -> str:
    """Return the physical network where hosts of a network are. Raises ValueError where a trace cannot begin there."""
    called = f"from_outside: network {network.name or network.id}"
    if network.segment.is_overlay:
        raise ValueError(f"{called} is an overlay, where nobody is outside: name an external, flat or VLAN network")
    if engine.ask(facts.live_network, network.id) is None:
        raise ValueError(f"{called} is administratively down: `openstack network set --enable {network.id}`")
    wire = network.segment.physical_network or ""
    if not any(wire in dict(each.patch_ports) for each in store.all(Chassis)):
        raise ValueError(
            f"{called}: no chassis has a way to its physical network {wire}: "
            f"`sdnapp chassis init --bridge-mappings {wire}:BRIDGE` gives it one"
        )
    return wire


class _Own:
    """The port of ours that has the next hop's address, if there is one, and what becomes of what is sent there."""

    def __init__(self, teller: Teller, surroundings: Surroundings, port: Port | None) -> None:
        self._store, self._ask = teller.store, teller.engine.ask
        self._surroundings, self._teller, self._port = surroundings, teller, port
        self._place = teller.whereabouts.of_port(port) if port is not None else None
        self._router_id = surroundings.router_of(port)
        self._router = surroundings.router(self._router_id)

    def door(self, wire: str, question: Packet) -> _Door | None:
        """Return where the next hop is found by a host that asks for it; None where nobody answers."""
        chassis = self._store.get(Chassis, self._place or "")
        if self._port is None or chassis is None or wire not in dict(chassis.patch_ports):
            return None
        asked = self._teller.fabric.inject_physical(wire, question, to={chassis.id})
        for frame in asked.on_physical:
            if frame.packet.get("arp_op") == ARP_REPLY and frame.packet["arp_spa"] == question["arp_tpa"]:
                return _Door(int_to_mac(frame.packet["arp_sha"]), frame.chassis_id)
        is_heard = self._port.id in {each.port_id for each in asked.deliveries}
        return _Door(self._port.mac_address, chassis.id) if is_heard else None

    def role(self, wire: str) -> tuple[str, str]:
        """Return as what the door answers, and the same in words."""
        owner = self._port.device_owner if self._port is not None else ""
        if owner == ROUTER_INTERFACE:
            return "interface", f"which stands for {self._router} there"
        live = self._ask(doors.floating, self._port.device_id) if self._port and owner == FLOATING_IP else None
        if owner in (ROUTER_GATEWAY, FLOATING_IP) and (live is None or live.site != live.holder):
            beside = f", as {self._teller.chassis(live.holder)} has no way to {wire}" if live is not None else ""
            return "gateway", f"the active gateway of {self._router}{beside}"
        return "instance", "where the instance is"

    def fate(self, walk: Walk, to: str, next_hop: str) -> tuple[str, str]:
        """Return the verdict on a packet, and the same in words."""
        if walk.deliveries:
            return "delivered", self._teller.delivered(walk)
        if any(each.packet.get("icmp_type") == ICMP_ECHO_REPLY for each in walk.on_physical):
            return "answered", f"{self._router} answers the ping itself"
        if walk.to_controller:
            return "controller", self._teller.handed_up(walk)
        if walk.on_physical and not is_dropped_beyond_a_wire(walk):
            return "physical", self._teller.left(walk)
        return "dropped", self._why_not_let_in(walk, to, next_hop) or self._teller.dropped(walk)

    def why_silent(self, why: Why) -> str:
        """Say why nobody answers for the next hop."""
        port = self._port
        if port is None:
            return "no port, router or floating IP of this cloud has the address"
        called, reason = self._surroundings.called(port), None
        if port.device_owner == FLOATING_IP:
            row = self._store.get(FloatingIP, port.device_id)
            if row is not None and row.port_id is None and not self._store.find(PortForwarding, "floatingip", row.id):
                return f"{called} stands for no port: `openstack floating ip set --port PORT {row.address}`"
            reason = why.why_floatingip_down(row) if row is not None else None
        else:
            reason = why.why_down(port)
        if reason is None and self._place is None and self._router_id is not None:
            reason = NO_GATEWAY
        return f"{called}: {reason or 'one gateway chassis is just handing over to another, try again'}"

    def _why_not_let_in(self, walk: Walk, to: str, next_hop: str) -> str | None:
        """Say why a router refuses what begins outside; None where it is not the router that does."""
        if [step.table for step in walk.steps][-1:] != [DROPS.name]:
            return None
        *_, before, last = walk.steps
        owner = self._port.device_owner if self._port is not None else ""
        at = self._teller.chassis(last.chassis_id)
        if before.table == INBOUND_VERDICT.name and owner == ROUTER_GATEWAY:
            return (
                f"dropped on {at}: the port is one of those with which {at} translates for {self._router}, so that "
                "only what answers a connection that was begun there is let in; this begins one"
            )
        if before.table == EXTERNAL_ADDRESSES.name and to != next_hop:
            return (
                f"dropped on {at}: {self._router} translates (enable_snat), so what is behind it is reached from "
                "outside by floating IPs and forwarded ports only"
            )
        if before.table == EXTERNAL_ADDRESSES.name and owner == FLOATING_IP:
            return f"dropped on {at}: {to} lets in what is for one of its forwarded ports, and nothing else"
        return None


def _tagged(packet: Packet, vlan_id: int | None) -> Packet:
    return packet.tagged(vlan_id) if vlan_id else packet


def _translated(sent: Packet, walk: Walk) -> dict[str, str] | None:
    """Return to whom a packet was sent, and to whom it is delivered; None where that is the same, or it is not."""
    before, after = sent.five_tuple, walk.deliveries[0].packet.five_tuple if walk.deliveries else sent.five_tuple
    if (before.ipv4_dst, before.tp_dst) == (after.ipv4_dst, after.tp_dst):
        return None
    ends = (
        f"{IPv4Address(each.ipv4_dst)}{'' if 'icmp_type' in sent else f':{each.tp_dst}'}" for each in (before, after)
    )
    return dict(zip(("from", "to"), ends, strict=True))
