"""Small clouds to tell stories about: rows in a store, flows by the engine, packets in and out.

A story speaks to ``Cloud`` only; what is below is the simulator (here) or real switches (tests/real_ovs/real_cloud.py).
Ids are the names that the story gives. A port that is bound to a chassis is at a *place*, ``red1@hv1``: packets are
injected and delivered there, so that an instance's old place is told from its new one.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import count
from typing import Any

from flows.drops import BY_NUMBER
from flows.engine import Engine
from flows.flow import Flow
from flows.packets import Packet
from flows.pipeline import CORE_OUTPUT, DROPS
from flows.simulated_connections import Connections
from flows.simulator import Fabric, Walk
from sdnapp.controller import FOLLOWED
from sdnapp.outages import PATIENCE, Outages
from sdnapp.realization import DEAD, IN_SYNC
from tests.real_ovs.frames import from_bytes
from topology import gateway_binding, translation
from topology.gateway_values import GatewayBinding, Neighbour
from topology.placement import Plugged, observe
from topology.security import DIRECTIONS
from topology.store import Change, Store
from topology.values import (
    FLOATING_IP,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    AddressGroup,
    Chassis,
    FixedIP,
    FloatingIP,
    Network,
    Port,
    PortForwarding,
    Route,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    Subnet,
    SubnetPool,
)

CHASSIS = ("hv1", "hv2", "hv3")
ENCAP_IPS = {name: f"192.0.2.{number}" for number, name in enumerate(CHASSIS, 1)}
TUNNEL_PORTS = {"geneve": 100, "vxlan": 101}
PATCH_PORTS = {"physnet1": 102, "physnet2": 103}
WATCH_PORTS = {name: number for number, name in enumerate(CHASSIS, 110)}
"""Ports that tell whether a chassis lives, on the others."""
KINDS = ("geneve", "vxlan", "vlan", "flat")
OVERLAYS = ("geneve", "vxlan")
UPSTREAM, UPSTREAM_MAC = "203.0.113.1", "00:00:5e:00:01:01"
"""The router of external networks."""
BLOCK = 1
"""Source ports that a chassis has for a router: of several, Open vSwitch takes whichever it likes."""
NOW = "2026-01-01T00:00:00Z"
"""When everything happens."""
OPEN = "open"
"""The security group that permits everything."""


def new_engine(store: Store) -> Engine:
    """Return an engine that follows what translation needs, as the controller's does."""
    return Engine(store, followed=FOLLOWED)


class Cloud(ABC):
    """Three chassis that all offer Geneve, VXLAN and two physical networks, and what a story puts there."""

    def __init__(self) -> None:
        self.store = Store()
        self.engine = new_engine(self.store)
        self._changes: list[Change] = []
        self.store.watch(self._changes.append)
        self._numbers = count(1)
        self._vnis = count(1001)
        self._plugged: dict[str, dict[str, Plugged]] = {name: {} for name in CHASSIS}
        self._gateways: tuple[str, ...] = ()
        self._doors = CHASSIS
        self._kept: dict[str, list[Flow]] = {}
        """What chassis hold that the controller has lost."""
        self._shown: list[tuple[str, Packet]] = []
        """Frames of the controller's for physical networks."""
        self._outages = Outages(
            *(self.store, lambda: self.engine.view, self._state, self._show),
            is_silent=lambda chassis_id: self.withdraws,
        )
        self.hands_over = True
        """Whether switches confirm at once the steps by which gateway chassis hand over."""
        self.withdraws = True
        """Whether the witnesses of chassis that the controller loses withdraw, so that these are silent for certain."""
        self.block_size = BLOCK
        """Source ports of the first blocks that are taken from now on."""
        self.untranslated: list[str] = []
        """Whatever could not be taken for translation, in words; a story that expects any empties it at its end."""
        with self.store.transaction() as tx:
            tx.put(SecurityGroup(OPEN, "everybody", next(self._numbers)))
            for direction in DIRECTIONS:
                tx.put(SecurityGroupRule(f"{OPEN} {direction}", "everybody", OPEN, direction))
        for name in CHASSIS:
            self._observe(name)

    # What a story builds

    def network(
        self, name: str, kind: str = "geneve", *, vlan: int = 100, wire: str | None = None, **values: Any
    ) -> Network:
        """Create a network: an overlay, a VLAN of physnet1, or all that is untagged on physnet2; or of another wire."""
        segments = {
            "vlan": Segment("vlan", vlan, wire or "physnet1"),
            "flat": Segment("flat", None, wire or "physnet2"),
        }
        segment = segments.get(kind) or Segment(kind, next(self._vnis))
        return self.put(Network(name, f"tenant of {name}", next(self._numbers), segment, **values))

    def subnet(self, network: Network, cidr: str = "10.0.0.0/24", **values: Any) -> Subnet:
        """Create a subnet, with DHCP unless the story says otherwise."""
        return self.put(Subnet(f"{network.id}/{cidr}", network.project_id, network.id, cidr, **values))

    def pool(self, network: Network, name: str, scope: str) -> None:
        """Let a network's subnets be cut from a pool in an address scope."""
        self.put(SubnetPool(name, "tenant", (), 8, 32, 24, address_scope_id=scope))
        for subnet in self.store.find(Subnet, "network", network.id):
            self.change(subnet, subnetpool_id=name)

    def port(self, name: str, network: Network, address: str, at: str | None = None, **values: Any) -> Port:
        """Create a port with an address of the network's first subnet, and plug it in if the story says where.

        Unless the story says otherwise, its security group permits everything.
        """
        number = next(self._numbers)
        (subnet, *_) = self.store.find(Subnet, "network", network.id) or [self.subnet(network)]
        defaults = {
            "mac_address": f"fa:16:3e:00:{number >> 8:02x}:{number & 0xFF:02x}",
            "fixed_ips": (FixedIP(subnet.id, address),),
            "security_groups": (OPEN,),
        }
        port = self.put(Port(name, network.project_id, network.id, number, **{**defaults, **values}))
        if at:
            self.bind(port, at)
        return port

    def security_group(self, name: str, *rules: dict[str, Any], **values: Any) -> SecurityGroup:
        """Create a security group with some rules."""
        group = self.put(SecurityGroup(name, f"tenant of {name}", next(self._numbers), **values))
        for each in rules:
            self.rule(group, **each)
        return group

    def rule(self, group: SecurityGroup, direction: str = "ingress", **values: Any) -> SecurityGroupRule:
        """Add a rule to a security group."""
        rule_id = f"{group.id} rule {next(self._numbers)}"
        return self.put(SecurityGroupRule(rule_id, group.project_id, group.id, direction, **values))

    def address_group(self, name: str, *addresses: str) -> AddressGroup:
        """Create an address group."""
        return self.put(AddressGroup(name, f"tenant of {name}", next(self._numbers), addresses=addresses))

    def router(self, name: str, *networks: Network, routes: tuple[tuple[str, str], ...] = (), **values: Any) -> Router:
        """Create a router with an interface on the first subnet of each network, at its gateway address."""
        rows = tuple(Route(*route) for route in routes)
        router = self.put(Router(name, "tenant", next(self._numbers), routes=rows, **values))
        for network in networks:
            (subnet, *_) = self.store.find(Subnet, "network", network.id)
            assert subnet.gateway_ip is not None
            self.interface(router, network, subnet.gateway_ip)
        return router

    def interface(self, router: Router, network: Network, address: str, **values: Any) -> Port:
        """Join a router to a network by an address of the subnet that has it."""
        subnets = self.store.find(Subnet, "network", network.id)
        (subnet,) = (each for each in subnets if IPv4Address(address) in IPv4Network(each.cidr))
        owner = {"device_id": router.id, "device_owner": ROUTER_INTERFACE}
        fixed_ips = (FixedIP(subnet.id, address),)
        return self.port(f"{router.id}-{subnet.id}", network, address, fixed_ips=fixed_ips, **owner, **values)

    def external(self, name: str = "world", kind: str = "flat", **values: Any) -> Network:
        """Create an external network with 203.0.113.0/24, whose upstream router is known to be at ``UPSTREAM_MAC``."""
        transit = Segment("geneve", next(self._vnis))
        network = self.network(name, kind, external=True, transit=transit, **values)
        self.subnet(network, "203.0.113.0/24", gateway_ip=UPSTREAM, enable_dhcp=False)
        self.put(Neighbour(f"{network.id}/{UPSTREAM}", network.id, UPSTREAM, UPSTREAM_MAC))
        return network

    def gateway(self, router: Router, network: Network, address: str, **values: Any) -> Port:
        """Give a router a gateway with an address of an external network."""
        self.change(router, **values)
        owner = {"device_id": router.id, "device_owner": ROUTER_GATEWAY, "security_groups": ()}
        return self.port(f"{router.id}-gateway", network, address, **owner)

    def floating_ip(self, network: Network, address: str, port: Port | None = None, **values: Any) -> FloatingIP:
        """Take a floating IP; associate it with a port's address by the router of ``values``."""
        name = f"floating-{address}"
        holds = self.port(
            f"{name}-port", network, address, device_id=name, device_owner=FLOATING_IP, security_groups=()
        )
        if port is not None:
            values |= {"port_id": port.id, "fixed_ip_address": port.fixed_ips[0].ip_address}
        return self.put(FloatingIP(name, "tenant", network.id, address, holds.id, **values))

    def forward(self, address: FloatingIP, port: Port, external: int, internal: int, protocol: str = "tcp") -> None:
        """Forward a port of a floating IP to a port's address."""
        number = f"forwarding {next(self._numbers)}"
        inside = port.fixed_ips[0].ip_address
        self.put(PortForwarding(number, address.id, protocol, external, external, port.id, inside, internal, internal))

    def doors(self, gateways: tuple[str, ...], doors: tuple[str, ...] = CHASSIS) -> None:
        """Say which chassis are gateway chassis, and which have a way to the physical networks."""
        self._gateways, self._doors = gateways, doors
        for name in CHASSIS:
            self._observe(name)
        self._outages.tick()
        self.follow()

    def lose(self, name: str, *, is_heard: bool = True) -> None:
        """Let the controller lose a chassis, which keeps the flows that it has.

        The controller notices, and silences it, if it is heard on physical networks.
        """
        self._kept[name] = list(self.engine.desired(name).values())
        for _ in range(PATIENCE):
            self.look(is_heard=is_heard)

    def fail(self, name: str) -> None:
        """Let a chassis fail, which nobody but the other chassis notices."""
        self._kept[name] = []
        self.follow()
        self._hear(name, is_heard=False)

    def look(self, *, is_heard: bool = True) -> None:
        """Let the controller look after its gateway chassis."""
        self._outages.tick()
        shown, self._shown[:] = list(self._shown), []
        for physical_network, packet in shown if is_heard else ():
            assert nothing_left(self.inject_physical(physical_network, packet)), "nobody answers"
        self.follow()

    def regain(self, name: str) -> None:
        """Let a chassis return, with flows as of now."""
        del self._kept[name]
        self._hear(name, is_heard=True)
        self.follow()
        self.look()

    def grow(self, router: Router, chassis: str) -> bool:
        """Let a chassis have more source ports for a router; return whether there were any."""
        refused = translation.grow(self.store, self.engine.view, [(router.id, chassis)])
        self.follow()
        return not refused

    def crowd(self, network: Network, address: str, at: str) -> Port:
        """Plug a port into a chassis that is a row and no switch: no packet comes from there, or gets there."""
        port = self.port(f"port of {at}", network, address)
        self.gather(at)
        return port

    def gather(self, at: str) -> None:
        """Plug such a port in again."""
        observe(self.store, Chassis(at), {f"port of {at}": Plugged(1, f"tap-{at}")})
        self.follow()

    def disperse(self, at: str) -> None:
        """Pull out what is plugged into such a chassis."""
        observe(self.store, Chassis(at), {})
        self.follow()

    def hand_on(self, router: Router, *chassis: str) -> list[str]:
        """Give back what these chassis have of a router's source ports, if they are idle and others have none."""
        places = [(router.id, each) for each in chassis]
        given = translation.hand_on(self.store, self.engine.view, places, self.block_size)
        self.follow()
        return [each for _, each in given]

    def put(self, row: Any) -> Any:
        """Store a row as it is, and return it."""
        with self.store.transaction() as tx:
            tx.put(row)
        self.follow()
        return row

    def change(self, row: Any, **values: Any) -> Any:
        """Change a row as it is now, and return it."""
        current = self.store.get(type(row), row.id)
        assert current is not None
        return self.put(replace(current, **values))

    def delete(self, row: Any) -> None:
        """Delete a row."""
        with self.store.transaction() as tx:
            tx.delete(type(row), row.id)
        self.follow()

    def bind(self, port: Port, at: str) -> None:
        """Plug an interface with the port's id into a chassis, which tells."""
        ofport = self._plug(f"{port.id}@{at}", at)
        self._plugged[at][port.id] = Plugged(ofport, f"tap-{port.id}")
        self._observe(at)

    def unbind(self, port: Port, at: str) -> None:
        """Pull it out; the chassis tells."""
        del self._plugged[at][port.id]
        self._unplug(f"{port.id}@{at}", at)
        self._observe(at)

    # What a story asks

    def inject(self, place: str, *packets: Packet) -> Walk:
        """Let the instance at a place send a packet (or fragments), and say all that became of it."""
        walk = self._inject(place, *packets)
        self._check(walk, self.store.get(Port, place.partition("@")[0]))
        return walk

    def inject_core(
        self, chassis: str, packet: Packet, tun_id: int, encapsulation: str = "geneve", tun_src: str = ""
    ) -> Walk:
        """Let somebody on the core send a tunnelled packet to a chassis, by default with the address of another one."""
        other = next(address for name, address in ENCAP_IPS.items() if name != chassis)
        walk = self._inject_core(chassis, packet, tun_id, encapsulation, tun_src or other)
        self._check(walk, None)
        return walk

    def inject_physical(self, physical_network: str, packet: Packet) -> Walk:
        """Let a stranger on a physical network send a frame to all."""
        walk = self._inject_physical(physical_network, packet)
        self._check(walk, None)
        return walk

    def held(self, chassis: str) -> list[Flow]:
        """Return the flows that a chassis holds."""
        return self._kept[chassis] if chassis in self._kept else list(self.engine.desired(chassis).values())

    def flows(self, chassis: str) -> Mapping[Any, Flow]:
        """Return the flows that a chassis should hold."""
        return self.engine.desired(chassis)

    @abstractmethod
    def dropped(self, port: Port) -> Counter[str]:
        """How many packets have been counted for a port so far, by reason."""

    @abstractmethod
    def deafen(self, chassis: str, *, is_deaf: bool = True) -> None:
        """Let a chassis hear no other one by BFD; or all again."""

    # What is below

    @abstractmethod
    def limit_connections(self, limit: int) -> None:
        """Let each zone of connection tracking remember so many connections and no more."""

    @abstractmethod
    def _hear(self, name: str, *, is_heard: bool) -> None:
        """Let the other chassis hear one by BFD, or not."""

    @abstractmethod
    def _plug(self, place: str, chassis: str) -> int:
        """Add an interface; return its OpenFlow port number."""

    @abstractmethod
    def _unplug(self, place: str, chassis: str) -> None:
        """Remove it."""

    @abstractmethod
    def _inject(self, place: str, *packets: Packet) -> Walk: ...

    @abstractmethod
    def _inject_core(self, chassis: str, packet: Packet, tun_id: int, encapsulation: str, tun_src: str) -> Walk: ...

    @abstractmethod
    def _inject_physical(self, physical_network: str, packet: Packet) -> Walk: ...

    # Inner parts

    def _joined(self, network_id: str) -> set[str]:
        """Return the networks that routers join to one, directly or by way of others."""
        joined, devices = {network_id}, set[str]()
        owners = (ROUTER_INTERFACE, ROUTER_GATEWAY)
        interfaces = [port for port in self.store.all(Port) if port.device_owner in owners]
        for _ in interfaces:
            devices |= {port.device_id for port in interfaces if port.network_id in joined}
            joined |= {port.network_id for port in interfaces if port.device_id in devices}
        return joined

    def follow(self) -> None:
        """Bring the flows in step with the store."""
        while self._changes:
            changes, self._changes[:] = list(self._changes), []
            self.engine.update(changes)
            moved = self.engine.take_moved(gateway_binding.choices, translation.unsettled)
            progress = gateway_binding.Progress(
                lambda row: self.hands_over, lambda row: False, lambda chassis_id: self.withdraws
            )
            handed_over = {row.router_id for row in self.store.find(GatewayBinding, "handover", True)}
            gateway_binding.bind(self.store, self.engine.view, moved | handed_over, NOW, progress)
            problems = translation.settle(self.store, self.engine.view, moved, self.block_size)
            self.untranslated += [problem for each in problems.values() for problem in each]
        assert self.engine.failures == {}

    def _state(self, chassis: str) -> str:
        return DEAD if chassis in self._kept else IN_SYNC

    def _show(self, chassis: str, physical_network: str, frame: bytes) -> bool:
        assert chassis not in self._kept, "it cannot be reached"
        self._shown.append((physical_network, from_bytes(frame)))
        return True

    def _observe(self, name: str) -> None:
        chassis = Chassis(
            name,
            encap_ip=ENCAP_IPS[name],
            encap_types=tuple(TUNNEL_PORTS),
            tunnel_ports=tuple(TUNNEL_PORTS.items()),
            patch_ports=tuple(PATCH_PORTS.items()) if name in self._doors else (),
            gateway=name in self._gateways,
            watch_ports=tuple(
                (ENCAP_IPS[other], port) for other, port in WATCH_PORTS.items() if self._is_watched(name, other)
            ),
        )
        observe(self.store, chassis, self._plugged[name])
        self.follow()

    def _is_watched(self, name: str, other: str) -> bool:
        return name != other and bool({name, other} & {*self._gateways})

    def _check(self, walk: Walk, sender: Port | None) -> None:
        """Hold what is true of every packet in every story."""
        assert walk.faults == [] and self.untranslated == []
        copies = Counter((crossing.from_chassis, crossing.to_chassis, crossing.packet) for crossing in walk.on_core)
        assert all(number == 1 for number in copies.values()), f"sent twice to one chassis: {copies}"
        assert all(number == 1 for number in Counter(walk.deliveries).values())
        if sender is None:
            if self.store.find_ids(Network, "transit", True):
                return
            assert walk.on_core == [] and walk.on_physical == [], "what came from the core returned to it"
            return
        for place, packet in walk.deliveries:
            receiver = self.store.get(Port, place.partition("@")[0])
            assert receiver is not None and receiver.network_id in self._joined(sender.network_id), (
                "tenants are isolated"
            )
            assert "vlan_vid" not in packet, "instances see no tags"
        owners = {f"port/{sender.id}", *(f"router/{router_id}" for router_id in self.store.ids(Router))}
        owners |= {f"port/{port.id}" for port in self.store.all(Port) if port.device_owner == ROUTER_INTERFACE}
        assert all(flow.owner in owners for _, flow, _ in walk.to_controller)


def nothing_left(walk: Walk) -> bool:
    """Return whether nothing became of a packet that anybody could see."""
    return not (walk.deliveries or walk.on_core or walk.on_physical or walk.to_controller)


class SimulatedCloud(Cloud):
    """The cloud in the simulator."""

    def __init__(self) -> None:
        self._ofports = count(200)
        self.placements: dict[str, tuple[str, int]] = {}
        self._connections = Connections()
        self.dead: set[str] = set()
        """Chassis that have failed and nobody but the other chassis has noticed."""
        self.deaf: set[str] = set()
        self._learnt: dict[str, dict[Flow, None]] = {}
        self._counted: Counter[tuple[int, str]] = Counter()
        """Drops by the port's key and the reason."""
        super().__init__()

    @property
    def fabric(self) -> Fabric:
        """The switches with the flows of this moment."""
        flows = {name: self.held(name) for name in CHASSIS}
        dead = {(name, WATCH_PORTS[each]) for each in self.dead for name in CHASSIS}
        dead |= {(name, port) for name in self.deaf for port in WATCH_PORTS.values()}
        return Fabric(
            self.store.all(Chassis), flows, self.placements, self._connections, frozenset(dead), learnt=self._learnt
        )

    def _hear(self, name: str, *, is_heard: bool) -> None:
        (self.dead.discard if is_heard else self.dead.add)(name)

    def dropped(self, port: Port) -> Counter[str]:
        return Counter({reason: count for (key, reason), count in self._counted.items() if key == port.key})

    def deafen(self, chassis: str, *, is_deaf: bool = True) -> None:
        (self.deaf.add if is_deaf else self.deaf.discard)(chassis)

    def limit_connections(self, limit: int) -> None:
        self._connections.limit = limit

    def _plug(self, place: str, chassis: str) -> int:
        self.placements[place] = (chassis, next(self._ofports))
        return self.placements[place][1]

    def _unplug(self, place: str, chassis: str) -> None:
        del self.placements[place]

    def _inject(self, place: str, *packets: Packet) -> Walk:
        return self._checked(self.fabric.inject(place, *packets), {self.placements[place][0]})

    def _inject_core(self, chassis: str, packet: Packet, tun_id: int, encapsulation: str, tun_src: str) -> Walk:
        return self._checked(self.fabric.inject_core(chassis, packet, tun_id, tun_src, encapsulation), set())

    def _inject_physical(self, physical_network: str, packet: Packet) -> Walk:
        return self._checked(self.fabric.inject_physical(physical_network, packet), set())

    def _checked(self, walk: Walk, senders: set[str]) -> Walk:
        """Hold that only the sender's chassis so much as tries to reach the core, whatever else would stop a frame.

        Gateways hand on what comes from outside and what goes there.
        """
        at_an_end = [step.packet for step in walk.steps if step.table == DROPS.name]
        self._counted.update((each.get("charged", 0), BY_NUMBER[each["drop_reason"]].name) for each in at_an_end)
        if self.store.find_ids(Network, "transit", True):
            return walk
        assert {step.chassis_id for step in walk.steps if step.table == CORE_OUTPUT.name} <= senders
        return walk
