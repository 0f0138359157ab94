"""The cloud of the stories on real Open vSwitch: a private instance for each chassis, and the core in between.

Flows go out in our own encoding. Tunnels are real: each ``br-phy`` carries the chassis's address, and the frames that
it sends are taken from its uplink and handed to the uplink of the chassis that they are for. Physical networks are
wires held by hand in the same way. Whatever is injected here is injected in the simulator too, and both must agree.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from typing import Any

from flows.drops import BY_NUMBER
from flows.flow import Flow
from flows.packets import Packet
from flows.pipeline import DROPS, FENCES, REGISTERS
from flows.simulator import Crossing, Delivery, PhysicalFrame, ToController, Walk
from sdnapp.openflow.messages import PacketIn
from tests.clouds import CHASSIS, ENCAP_IPS, PATCH_PORTS, TUNNEL_PORTS, WATCH_PORTS, SimulatedCloud
from tests.real_ovs.frames import Envelope, from_bytes, seal, to_bytes, unseal
from tests.real_ovs.openflow_client import OpenFlowClient
from tests.real_ovs.ovs_dummy import OvsDummy
from topology.values import Port

BRIDGE, UNDERLAY, UPLINK = "br-int", "br-phy", "uplink"
NETWORK = "192.0.2.0/24"
DATAPATH = "dummy@ovs-dummy"
ZONES = range(1, 65)
"""Zones of connection tracking that a story may use."""


def underlay_mac(address: str) -> str:
    """The MAC address of who has an address on the core."""
    return f"aa:55:00:00:00:{int(IPv4Address(address)) & 0xFF:02x}"


class RealChassis:
    """One Open vSwitch with an integration bridge, tunnel ports, and an uplink to the core."""

    def __init__(self, address: str) -> None:
        self.ovs = OvsDummy(tunnels=True)
        self.ovs.start()
        try:
            self._connect_to_core(address)
            self.ovs.add_bridge(BRIDGE)
            for kind, ofport in TUNNEL_PORTS.items():
                options = ("options:remote_ip=flow", "options:key=flow", f"ofport_request={ofport}")
                self.ovs.vsctl("add-port", BRIDGE, kind, "--", "set", "Interface", kind, f"type={kind}", *options)
            for name, ofport in WATCH_PORTS.items():
                watch = (f"watch-{name}", "type=dummy", f"ofport_request={ofport}")
                self.ovs.vsctl("add-port", BRIDGE, watch[0], "--", "set", "Interface", *watch)
            self._watched = {UPLINK: 0}
            for name, ofport in PATCH_PORTS.items():
                self.plug(name, ofport)
            self.client = OpenFlowClient(self.ovs.directory, BRIDGE)
        except BaseException:
            self.ovs.stop()
            raise
        self._installed: frozenset[Flow] = frozenset()

    def close(self) -> None:
        """End it. Raises AssertionError if ``ovs-vswitchd`` had ended before."""
        died, said = self.ovs.died(), self.ovs.log()
        with self.client:
            self.ovs.stop()
        assert died is None, died
        assert "recirculation depth exceeded" not in said, "a packet began anew too often"

    def plug(self, name: str, ofport: int) -> None:
        """Add an interface to the integration bridge."""
        assert self.ovs.add_port(BRIDGE, name, ofport=ofport) == ofport
        # Frames of a namesake from before are still in the capture.
        self._watched[name] = len(self.ovs.sent(name))

    def unplug(self, name: str) -> None:
        """Remove an interface."""
        del self._watched[name]
        self.ovs.del_port(name)

    def install(self, flows: Iterable[Flow]) -> None:
        """Let the bridge hold these flows and no others; the switch must refuse none."""
        wanted = frozenset(flows)
        if wanted == self._installed:
            return
        self.client.change(wanted - self._installed, self._installed - wanted)
        self._installed = wanted
        # Else what the datapath has cached from the flows before is settled in the background, within half a second.
        self.ovs.appctl("revalidator/purge")

    def hear(self, name: str, *, is_heard: bool) -> None:
        """Say whether a chassis is heard by the port that watches it."""
        self.ovs.appctl("netdev-dummy/set-admin-state", f"watch-{name}", "up" if is_heard else "down")
        # The switch looks at its ports between two commands.
        self.ovs.appctl("revalidator/purge")

    def forget(self) -> None:
        """Remove the flows that the switch has learnt."""
        self.ovs.ofctl("del-flows", BRIDGE, f"table={FENCES.number}")

    def send(self, interface: str, frame: bytes) -> tuple[list[tuple[str, bytes]], list[PacketIn]]:
        """Let a frame arrive by an interface; return what left, with the interfaces, and what the controller got."""
        self.ovs.receive(interface, frame)
        # The switch looks at its interfaces between two commands: when it answers the next one, all is done.
        self.ovs.appctl("version")
        left = []
        for name, seen in self._watched.items():
            frames = self.ovs.sent(name)
            left += [(name, frame) for frame in frames[seen:]]
            self._watched[name] = len(frames)
        return left, self.client.packet_ins()

    def counted(self) -> Counter[tuple[int, str]]:
        """Return how many packets of ports have been dropped, by the port's key and the reason."""
        self.ovs.appctl("revalidator/purge")
        shown = self.ovs.ofctl("dump-flows", f"{self.ovs.directory}/{BRIDGE}.mgmt", f"table={DROPS.number}")
        pattern = rf"n_packets=(\d+), n_bytes=\d+, priority={DROPS.priorities['counter']},(\S+)"
        found: Counter[tuple[int, str]] = Counter()
        for count, match in re.findall(pattern, shown):
            read = dict(re.findall(r"(reg\d+)=(0x[0-9a-f]+)", match))
            reason = int(read["reg0"], 16) >> REGISTERS["drop_reason"].offset
            # The packet that a counter is made for is not in it.
            found[int(read[f"reg{REGISTERS['charged'].number}"], 16), BY_NUMBER[reason].name] = int(count) + 1
        return found

    def _connect_to_core(self, address: str) -> None:
        self.ovs.add_bridge(UNDERLAY)
        self.ovs.vsctl("set", "Bridge", UNDERLAY, f'other_config:hwaddr="{underlay_mac(address)}"')
        self.ovs.add_port(UNDERLAY, UPLINK, ofport=1)
        self.ovs.ofctl("add-flow", UNDERLAY, "in_port=LOCAL,actions=output:1")
        self.ovs.ofctl("add-flow", UNDERLAY, "in_port=1,actions=LOCAL")
        self.ovs.appctl("netdev-dummy/ip4addr", UNDERLAY, f"{address}/24")
        self.ovs.appctl("ovs/route/add", NETWORK, UNDERLAY)
        for other in ENCAP_IPS.values():
            if other != address:
                self.ovs.appctl("tnl/neigh/set", UNDERLAY, other, underlay_mac(other))


@contextmanager
def real_chassis() -> Iterator[dict[str, RealChassis]]:
    """Start one switch for each chassis of a cloud, and end them."""
    with ExitStack() as stack:
        chassis = {}
        for name in CHASSIS:
            chassis[name] = RealChassis(ENCAP_IPS[name])
            stack.callback(chassis[name].close)
        yield chassis


class RealCloud(SimulatedCloud):
    """Real chassis beside the simulated ones, that must do the same. They outlive the cloud, as bare as before."""

    def __init__(self, chassis: dict[str, RealChassis]) -> None:
        self._real = chassis
        self._interfaces: dict[str, tuple[str, str]] = {}
        self._place_of: dict[tuple[str, str], str] = {}
        super().__init__()

    def clear(self) -> None:
        """Remove every interface, every flow and every connection."""
        for chassis, interface in self._interfaces.values():
            self._real[chassis].unplug(interface)
        for name in list(self.deaf):
            self.deafen(name, is_deaf=False)
        for real in self._real.values():
            real.install(())
            real.forget()
            for name in self.dead:
                real.hear(name, is_heard=True)
            real.ovs.appctl("dpctl/flush-conntrack")
            if self._connections.limit is not None:
                real.ovs.appctl("dpctl/ct-del-limits", DATAPATH, f"zone={','.join(map(str, ZONES))}")

    def dropped(self, port: Port) -> Counter[str]:
        simulated = super().dropped(port)
        real = Counter({reason: count for (key, reason), count in self.counted().items() if key == port.key})
        assert real == simulated
        return real

    def counted(self) -> Counter[tuple[int, str]]:
        """Return how many packets the switches say that they dropped, by a port's key and the reason."""
        return sum((real.counted() for real in self._real.values()), Counter())

    def deafen(self, chassis: str, *, is_deaf: bool = True) -> None:
        super().deafen(chassis, is_deaf=is_deaf)
        # Without BFD, a port is alive; nobody is there to answer.
        for name in WATCH_PORTS:
            self._real[chassis].ovs.vsctl("set", "Interface", f"watch-{name}", f"bfd:enable={str(is_deaf).lower()}")

    def limit_connections(self, limit: int) -> None:
        super().limit_connections(limit)
        for real in self._real.values():
            # Before Open vSwitch 3.3 a default would be one limit for all zones together.
            real.ovs.appctl("dpctl/ct-set-limits", DATAPATH, *(f"zone={zone},limit={limit}" for zone in ZONES))

    def forget(self) -> None:
        """Let connection tracking forget everything, here and there."""
        self._connections.forget()
        for real in self._real.values():
            real.ovs.appctl("dpctl/flush-conntrack")

    def inject_frame(self, place: str, frame: bytes) -> Walk:
        """Send bytes that the simulator's packets cannot say."""
        return self._run([(*self._interfaces[place], frame)])

    def interface_of(self, place: str) -> str:
        """Return the name of the interface on its chassis."""
        return self._interfaces[place][1]

    def follow(self) -> None:
        super().follow()
        for name, chassis in self._real.items():
            chassis.install(self.held(name))

    def _hear(self, name: str, *, is_heard: bool) -> None:
        super()._hear(name, is_heard=is_heard)
        for real in self._real.values():
            real.hear(name, is_heard=is_heard)

    def _plug(self, place: str, chassis: str) -> int:
        ofport = super()._plug(place, chassis)
        # The kernel's limit of 15 characters for the names of interfaces holds for dummies as well.
        interface = f"tap{ofport}"
        self._interfaces[place] = (chassis, interface)
        self._place_of[chassis, interface] = place
        self._real[chassis].plug(interface, ofport)
        return ofport

    def _unplug(self, place: str, chassis: str) -> None:
        super()._unplug(place, chassis)
        self._real[chassis].unplug(self._interfaces.pop(place)[1])

    def _inject(self, place: str, *packets: Packet) -> Walk:
        walk = self._run([(*self._interfaces[place], to_bytes(packet)) for packet in packets])
        return agreed(walk, super()._inject(place, *packets))

    def _inject_core(self, chassis: str, packet: Packet, tun_id: int, encapsulation: str, tun_src: str) -> Walk:
        address = ENCAP_IPS[chassis]
        envelope = Envelope(tun_src, address, encapsulation, tun_id, to_bytes(packet))
        walk = self._run([(chassis, UPLINK, seal(envelope, underlay_mac(tun_src), underlay_mac(address)))])
        return agreed(walk, super()._inject_core(chassis, packet, tun_id, encapsulation, tun_src))

    def _inject_physical(self, physical_network: str, packet: Packet) -> Walk:
        walk = self._run([(name, physical_network, to_bytes(packet)) for name in CHASSIS])
        return agreed(walk, super()._inject_physical(physical_network, packet))

    def _run(self, waiting: list[tuple[str, str, bytes]]) -> Walk:
        """Carry frames between the chassis until none is on its way."""
        walk = Walk()
        while waiting:
            name, interface, frame = waiting.pop(0)
            left, packet_ins = self._real[name].send(interface, frame)
            for packet_in in packet_ins:
                walk.to_controller.append(self._to_controller(name, packet_in))
            for out, sent in left:
                if out == UPLINK:
                    envelope = unseal(sent)
                    (target,) = (other for other in CHASSIS if ENCAP_IPS[other] == envelope.target)
                    walk.on_core.append(Crossing(name, target, envelope.tun_id, from_bytes(envelope.frame)))
                    waiting.append((target, UPLINK, sent))
                elif out in PATCH_PORTS:
                    walk.on_physical.append(PhysicalFrame(name, out, from_bytes(sent)))
                    waiting += [(other, out, sent) for other in CHASSIS if other != name]
                else:
                    walk.deliveries.append(Delivery(self._place_of[name, out], from_bytes(sent)))
        return walk

    def _to_controller(self, name: str, packet_in: PacketIn) -> ToController:
        (flow,) = (flow for flow in self.held(name) if flow.cookie == packet_in.cookie)
        return ToController(name, flow, from_bytes(packet_in.data))


def agreed(real: Walk, simulated: Walk) -> Walk:
    """Return the real walk. Raises AssertionError where the simulated one has another outcome."""
    for part in ("deliveries", "on_core", "on_physical", "to_controller"):
        assert _in_order(getattr(real, part)) == _in_order(getattr(simulated, part)), f"{part} differ"
    return real


def _in_order(items: list[Any]) -> list[Any]:
    return sorted(items, key=repr)
