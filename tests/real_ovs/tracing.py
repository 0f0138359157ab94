"""What Open vSwitch says that it would do with a packet (``ofproto/trace``), compared with the simulated switches.

One private Open vSwitch holds a bridge for each chassis of a cloud, with that chassis's flows. Connection tracking is
not asked, as a trace never does: at each look-up, the trace goes on with what the simulator knows of a packet that
belongs to no connection. Translated packets are left to the tests that send real ones.
"""

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple, Self

from flows.actions import Translate
from flows.packets import Packet
from flows.pipeline import TABLES
from flows.simulated_connections import ICMP_QUESTIONS
from tests.clouds import CHASSIS, ENCAP_IPS, PATCH_PORTS, TUNNEL_PORTS, WATCH_PORTS, SimulatedCloud
from tests.isolation.judge import Judge, Sent
from tests.real_ovs.frames import to_bytes
from tests.real_ovs.openflow_client import OpenFlowClient
from tests.real_ovs.ovs_dummy import DEADLINE, OvsDummy

TO_CONTROLLER = -1
RESUME_PRIORITY = 65535


class Arrival(NamedTuple):
    """A packet at a switch's port, with the tunnel that it came by."""

    chassis: str
    in_port: int
    tun_id: int
    tun_src: int
    packet: Packet


class TracedCloud:
    """The bridges of a cloud. Use it as a context manager."""

    def __init__(self, cloud: SimulatedCloud, judge: Judge) -> None:
        self._cloud, self._judge, self._ovs = cloud, judge, OvsDummy()
        self._socket = socket.socket(socket.AF_UNIX)
        self._of_ports: dict[int, int] = {}
        """OpenFlow port numbers by the datapath's."""

    def __enter__(self) -> Self:
        self._ovs.start()
        for name in CHASSIS:
            self._add_bridge(name)
        self._socket.settimeout(DEADLINE)
        self._socket.connect(f"{self._ovs.directory}/switch.ctl")
        shown = re.findall(r"^\s+\S+ (\d+)/(\d+):", self._ask("dpif/show"), re.MULTILINE)
        self._of_ports = {int(datapath): int(of) for of, datapath in shown}
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._ovs.stop()

    def arrivals(self, sent: Sent) -> Iterator[Arrival]:
        """Yield each arrival at a switch on the way of a packet that nobody translates."""
        self._judge.forget()
        steps = self._judge.inject(sent).steps
        if any(isinstance(action, Translate) for step in steps if step.flow for action in step.flow.actions):
            return
        for step in steps:
            seen = step.packet
            # What comes in fragments or with two tags, a table does not see whole.
            if step.table == TABLES.by_number[0].name and "ip_frag" not in seen and not sent.packet.inner_vlans:
                tunnel = seen.get("tun_id", 0), seen.get("tun_src", 0)
                headers = Packet(seen.headers, quoted=seen.quoted)
                yield Arrival(step.chassis_id, seen["in_port"], *tunnel, headers)

    def simulated(self, arrival: Arrival) -> Counter[int]:
        """Return by which ports a packet leaves the simulated switch, and whether the controller gets it."""
        self._judge.forget()
        tunnel = arrival.tun_id, arrival.tun_src
        passage = self._judge.fabric.switch(arrival.chassis).receive(arrival.in_port, arrival.packet, *tunnel)
        left = Counter(emission.port for emission in passage.emissions)
        left[TO_CONTROLLER] += len(passage.packet_ins)
        return +left

    def traced(self, arrival: Arrival) -> Counter[int]:
        """Return the same as Open vSwitch has it."""
        own = ENCAP_IPS[arrival.chassis]
        ends = f",tun_id={arrival.tun_id:#x},tun_src={IPv4Address(arrival.tun_src)},tun_dst={own}"
        tunnel = ends if arrival.tun_src else ""
        origin = f"in_port={arrival.in_port}{tunnel}"
        return self._traced(arrival.chassis, origin, to_bytes(arrival.packet).hex())

    def _traced(self, bridge: str, *what: str) -> Counter[int]:
        text = self._ask("ofproto/trace", f"br-{bridge}", *what)
        first, *later = re.split(r"^=+\nrecirc", text, flags=re.MULTILINE)
        actions = first.rpartition("Datapath actions: ")[2].splitlines()[0]
        sections = {section.partition(" ")[0]: section for section in later}
        left: Counter[int] = Counter()
        for effect in _effects(actions):
            if effect.isdigit():
                left[self._of_ports[int(effect)]] += 1
            elif "controller(" in effect:
                left[TO_CONTROLLER] += 1
            elif effect.startswith("recirc("):
                left += self._traced(bridge, _resumed(sections[effect.removeprefix("recirc")]))
        return left

    def _add_bridge(self, name: str) -> None:
        bridge = f"br-{name}"
        self._ovs.add_bridge(bridge)
        numbers = {*TUNNEL_PORTS.values(), *PATCH_PORTS.values(), *WATCH_PORTS.values()}
        numbers |= {ofport for chassis, ofport in self._cloud.placements.values() if chassis == name}
        adding: list[str] = []
        for number in sorted(numbers):
            port = f"{name}-{number}"
            adding += ["--", "add-port", bridge, port, "--", "set", "Interface", port, "type=dummy"]
            adding += [f"ofport_request={number}"]
        self._ovs.vsctl(*adding[1:])
        with OpenFlowClient(self._ovs.directory, bridge) as client:
            client.change(self._cloud.flows(name).values(), ())
        for table in TABLES:
            resume = f"table=0,priority={RESUME_PRIORITY},metadata={table.number + 1},actions=resubmit(,{table.number})"
            self._ovs.ofctl("add-flow", bridge, resume)

    def _ask(self, method: str, *parameters: str) -> str:
        """Ask ovs-vswitchd as ovs-appctl(8) does, without a process for each question."""
        request = {"id": 0, "method": method, "params": list(parameters)}
        self._socket.sendall(json.dumps(request).encode())
        answer = b""
        while True:
            answer += self._socket.recv(1 << 20)
            try:
                found = json.loads(answer)
            except ValueError:
                continue
            if found["error"]:
                raise RuntimeError(f"{method} {' '.join(parameters)}: {found['error']}")
            return str(found["result"])


def _resumed(section: str) -> str:
    """Return the flow of a resumed packet, as new in its connection, and with the table where it goes on."""
    (line,) = re.findall(r"^Flow: (.*)$", section, re.MULTILINE)
    (table,) = re.findall(r"Resuming from table (\d+)", section)
    kept = re.sub(r"((recirc_id|metadata|(ct|tun|gtpu)_\w+)=[^,]*|\beth),", "", line)
    fields = dict(part.split("=", 1) for part in kept.split(",") if "=" in part)
    protocol = next((number for name, number in _PROTOCOLS.items() if name in kept.split(",")), None)
    begun = {"ct_nw_src": fields["nw_src"], "ct_nw_dst": fields["nw_dst"]}
    begun["ct_nw_proto"] = str(protocol) if protocol is not None else fields.get("nw_proto", "0")
    first, second = ("icmp_type", "icmp_code") if protocol == 1 else ("tp_src", "tp_dst")
    begun |= {"ct_tp_src": fields.get(first, "0"), "ct_tp_dst": fields.get(second, "0")}
    asks = protocol != 1 or (int(fields["icmp_type"]) in ICMP_QUESTIONS and int(fields["icmp_code"]) == 0)
    state = "ct_state=trk|new," + ",".join(f"{name}={value}" for name, value in begun.items()) if asks else ""
    # What a trace writes for all protocols, it reads for TCP alone.
    name = next((name for name in ("udp", "sctp", "tcp") if name in kept.split(",")), None)
    kept = re.sub(r"\btp_(src|dst)=", rf"{name}_\1=", kept) if name else re.sub(r",tp_(src|dst)=\d+", "", kept)
    return f"metadata={int(table) + 1},{state or 'ct_state=trk|inv'},{kept}"


_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "sctp": 132}


def _effects(actions: str) -> Iterator[str]:
    """Yield what a small packet meets among datapath actions: ports, ``userspace(...)``, ``recirc(...)``."""
    for action in _parts(actions):
        name, _, inside = action.removesuffix(")").partition("(")
        if name in ("clone", "le"):
            yield from _effects(inside)
        elif name == "check_pkt_len":
            yield from _effects(next(part for part in _parts(inside) if part.startswith("le(")))
        else:
            yield action


def _parts(text: str) -> Iterator[str]:
    """Split at commas that are in no parentheses."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
