"""The benchmark ``dhcp``: how soon, and how many, DISCOVERs are answered with an OFFER, with 1,000 ports in force.

*Latency*: one instance asks eight times a second, and hears the answer on its own interface. Nothing happens between
its requests, so that each finds the memory of all programs on its way out of the processor's caches: so it is when an
instance boots on a quiet site. *Latency, one after another*: 20 instances of one chassis ask in turn without a pause,
each as soon as the one before has its answer. All is warm then, as on a busy site; of exchanges one after the other
there are as many in a second as this goes into it. No port asks for more than its usual budget of packets to the
controller. *Latency of ARP*: the same for another's address, which a flow answers: that much of the latency by DHCP is
the client's and one way through Open vSwitch and back, and no controller's. Whoever asks is ahead of all other
processes, like an instance on a processor of its own, which does not wait for the switch to be done with something
else. Switches and control planes are ahead of nobody.

*Boot storm*: all ports, on four chassis, ask at once, for the first time; until each has its answer. *Exchanges*: each
port asks twice, all at once, four times over; the answers a second until the last one of each wave. Requests are put
into the switches' idle interfaces, and answers are counted on them.
"""

import itertools
import json
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.bench import bulk
from tests.bench.lab import Lab
from tests.bench.machine import ahead_of_others
from tests.bench.planes import ControlPlane, Port
from tests.bench.workload import Aim, Found, Workload

if TYPE_CHECKING:
    from hypervisor import Hypervisor
    from stations import Instance

ASKED = 40
CLIENTS, TURNS = 20, 15
"""Instances that ask one after another, and how often each does: no more often than a port's budget lets through."""
WAVES, AT_ONCE = 4, 2
"""Requests of each port at once, and how often: fewer than a port's budget of packets to the controller."""
_PAUSE = 1 / 8
_QUIET = 3.0
"""Seconds without an answer after which no more are waited for."""
_SENT = re.compile(r'^ +port +"?([^":]+)"?:.*?\n +tx pkts=(\d+)', re.MULTILINE)
_ANY_PROTOCOL = 0x0003
_COOKIE = b"\x63\x82\x53\x63"

Requests = Mapping[str, Mapping[str, bytes]]
"""Frames by chassis and interface."""


def measure(plane: ControlPlane, size: int) -> Iterator[Found]:
    """Load a control plane, and let its ports ask."""
    loaded = bulk.load(plane, size)
    lab = Lab(plane)
    for how, (by_dhcp, by_arp) in {"": latencies(lab), ", one after another": turns(lab)}.items():
        yield Found(f"latency{how}", "ms", [seconds * 1e3 for seconds in by_dhcp])
        yield Found(f"latency of ARP{how}", "ms", [seconds * 1e3 for seconds in by_arp])
    requests = {
        chassis: {interface: discover(port.mac, number) for number, (interface, port) in enumerate(ports.items())}
        for chassis, ports in loaded.interfaces.items()
    }
    answered, seconds = _ask(plane, requests, 1)
    yield Found("boot storm, until all are answered", "s", [seconds])
    yield Found("boot storm, not answered", "ports", [float(size - answered)])
    time.sleep(2)  # Budgets of packets fill again.
    waves = [_ask(plane, requests, AT_ONCE) for _ in range(WAVES)]
    answered, seconds = sum(count for count, _ in waves), sum(taken for _, taken in waves)
    yield Found("exchanges", "exchanges/s", [answered / seconds], more_is_better=True)
    yield Found("exchanges, not answered", "requests", [float(size * AT_ONCE * WAVES - answered)])


def latencies(lab: Lab) -> tuple[list[float], list[float]]:
    """Let an instance ask again and again, by DHCP and by ARP; return how many seconds each answer took.

    Raises TimeoutError.
    """
    port, name = lab.launch("h2")
    by_dhcp, by_arp = [], []
    with Client(lab.guests[name], port) as client, ahead_of_others():
        for _ in range(ASKED):
            by_dhcp.append(client.lease())
            time.sleep(_PAUSE / 2)
            by_arp.append(client.resolve(lab.port.address))
            time.sleep(_PAUSE / 2)
    return by_dhcp, by_arp


def turns(lab: Lab) -> tuple[list[float], list[float]]:
    """Let instances ask one after another, by DHCP and then by ARP; return how many seconds each answer took.

    Raises TimeoutError.
    """
    ports = lab.launch_all("h2", CLIENTS)
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(lab.guests[name], port)) for name, port in ports.items()]
        stack.enter_context(ahead_of_others())
        return (
            [client.lease() for _ in range(TURNS) for client in clients],
            [client.resolve(lab.port.address) for _ in range(TURNS) for client in clients],
        )


class Client:
    """What an instance asks by, and hears answers on: its interface itself. Use it as a context manager."""

    def __init__(self, guest: "Instance", port: Port, patience: float = 5) -> None:
        import namespaces

        self._port = port
        self._numbers = itertools.count(1)
        with namespaces.visiting(namespaces.NET, guest.pid):
            self._end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ANY_PROTOCOL))
            self._end.bind(("eth0", _ANY_PROTOCOL))
        self._end.settimeout(patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.close()

    def lease(self) -> float:
        """Ask by DHCP; return the seconds until the answer. Raises TimeoutError."""
        frame = discover(self._port.mac, next(self._numbers))
        return self._seconds_until(frame, lambda heard: _is_offer(heard, frame[46:50]))

    def resolve(self, address: str) -> float:
        """Ask for an address by ARP; return the seconds until the answer. Raises TimeoutError."""
        return self._seconds_until(who_has(self._port.mac, self._port.address, address), _is_arp_reply)

    def _seconds_until(self, frame: bytes, is_answer: Callable[[bytes], bool]) -> float:
        asked = time.perf_counter()
        self._end.send(frame)
        while not is_answer(self._end.recv(2000)):
            pass
        return time.perf_counter() - asked


def _is_offer(frame: bytes, xid: bytes) -> bool:
    return frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == b"\0\x44" and frame[46:50] == xid


def _is_arp_reply(frame: bytes) -> bool:
    return frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2"


def who_has(mac: str, address: str, target: str) -> bytes:
    """Return a frame that asks by ARP (RFC 826)."""
    own = bytes.fromhex(mac.replace(":", ""))
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + socket.inet_aton(address)
    return b"\xff" * 6 + own + b"\x08\x06" + body + bytes(6) + socket.inet_aton(target)


def discover(mac: str, number: int) -> bytes:
    """Return a client's first frame (RFC 2131, section 4.1; RFC 2132), with a transaction of its own."""
    own = bytes.fromhex(mac.replace(":", ""))
    bootp = struct.pack("!4BIHH", 1, 1, 6, 0, 0x5D000000 + number, 0, 0x8000) + bytes(16) + own + bytes(10 + 64 + 128)
    payload = bootp + _COOKIE + bytes([53, 1, 1, 55, 4, 1, 3, 6, 26, 255])
    payload += bytes(300 - len(payload))
    udp = struct.pack("!4H", 68, 67, 8 + len(payload), 0)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:]
    return b"\xff" * 6 + own + b"\x08\x00" + head + udp + payload


def _ask(plane: ControlPlane, requests: Requests, times: int) -> tuple[int, float]:
    """Put all requests into the switches; return how many were answered, and the seconds until the last one was."""
    before = _answers(plane, requests)
    wanted = sum(map(len, requests.values())) * times
    started = last = time.monotonic()
    answered = 0
    with ThreadPoolExecutor(len(requests)) as pool:
        waiting = [pool.submit(_inject, plane.hypervisors[name], requests[name], times) for name in requests]
        while answered < wanted and time.monotonic() < last + _QUIET:
            time.sleep(0.02)
            now = _answers(plane, requests) - before
            if now > answered:
                answered, last = now, time.monotonic()
        for each in waiting:
            each.result()
    return answered, last - started


def _inject(hypervisor: "Hypervisor", frames: Mapping[str, bytes], times: int) -> None:
    """Let frames arrive on idle interfaces, all commands sent before the first one is answered."""
    (control,) = hypervisor.directory.glob("ovs-vswitchd.*.ctl")
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(str(control))
        commands = [
            json.dumps({"method": "netdev-dummy/receive", "params": [name, *[frame.hex()] * times], "id": number})
            for number, (name, frame) in enumerate(frames.items())
        ]
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(end.sendall, "".join(commands).encode())
            text = ""
            while text.count('"id"') < len(commands):
                text += end.recv(1 << 16).decode()
            sending.result()
        if '"error":"' in text:
            raise RuntimeError(f"{hypervisor.name}: {text[:500]}")


def _answers(plane: ControlPlane, requests: Requests) -> int:
    """Return how many packets the switches have sent out of idle interfaces so far."""
    total = 0
    for name, frames in requests.items():
        shown = plane.hypervisors[name].run(
            "ovs-ofctl", "-O", "OpenFlow13,OpenFlow15", "--names", "dump-ports", "br-int"
        )
        total += sum(int(count) for interface, count in _SENT.findall(shown) if interface in frames)
    return total


WORKLOAD = Workload(
    title="DHCP",
    text=__doc__ or "",
    measure=measure,
    sizes=(1_000,),
    quick=(200,),
    aims=(
        Aim("latency", 0.6),
        Aim("latency, one after another", 0.6),
        Aim("exchanges", 5_000),
        Aim("boot storm, not answered", 0),
    ),
)
