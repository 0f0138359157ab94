"""How long a DHCP server takes to offer an address, measured at an instance's interface by raw frames.

One request at a time, as a client does it. A whole client takes some 30 ms for itself, which would hide milliseconds.
"""

import math
import random
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

import namespaces
from frames import BROADCAST, Frame, udp_frame
from stations import Instance

ETH_P_ALL = 0x0003
PATIENCE = 1.0
"""Seconds after which a request counts as unanswered."""
BOOTREQUEST, ETHERNET, MAGIC = 1, (1, 6), 0x63825363
DISCOVER = b"\x35\x01\x01\xff"
"""Options: the message's type, and their end."""
XID_AT = 14 + 20 + 8 + 4


def discover(mac: str, xid: int) -> bytes:
    """The frame with which a client begins (RFC 2131, section 3.1)."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    message = struct.pack("!BBBBIHH16x", BOOTREQUEST, *ETHERNET, 0, xid, 0, 0) + hardware.ljust(16, b"\0") + bytes(192)
    message += struct.pack("!I", MAGIC) + DISCOVER
    return udp_frame(mac, BROADCAST, "0.0.0.0", "255.255.255.255", message.ljust(300, b"\0"), ports=(68, 67))


@dataclass(frozen=True)
class Latency:
    """Milliseconds from request to offer; those that had no answer are not among them."""

    samples: tuple[float, ...]
    lost: int

    @classmethod
    def of(cls, parts: Sequence["Latency"]) -> "Latency":
        """All of these together."""
        return cls(tuple(each for part in parts for each in part.samples), sum(part.lost for part in parts))

    @property
    def p99(self) -> float:
        """The 99th percentile, an observed value; infinite where nothing was answered."""
        ordered = sorted(self.samples)
        return ordered[math.ceil(0.99 * len(ordered)) - 1] if ordered else math.inf

    def __str__(self) -> str:
        middle = sorted(self.samples)[len(self.samples) // 2] if self.samples else math.inf
        return f"median {middle:.1f} ms, p99 {self.p99:.1f} ms, {self.lost} of {len(self.samples) + self.lost} lost"


class Prober:
    """Asks for an instance. Its socket is opened in the instance's namespace and stays there."""

    def __init__(self, instance: Instance) -> None:
        self.mac = instance.mac
        with namespaces.visiting(namespaces.NET, instance.pid):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._socket.bind(("eth0", ETH_P_ALL))
            self._socket.settimeout(PATIENCE)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self) -> float | None:
        """Milliseconds from a request to its offer, or None if there was none within ``PATIENCE`` seconds."""
        xid = random.getrandbits(32)
        started = time.monotonic()
        self._socket.send(discover(self.mac, xid))
        while time.monotonic() - started < PATIENCE:
            try:
                data = self._socket.recv(4096)
            except TimeoutError:
                return None
            frame = Frame(data)
            if frame.destination == self.mac and frame.is_dhcp and data[XID_AT : XID_AT + 4] == struct.pack("!I", xid):
                return (time.monotonic() - started) * 1000
        return None


def measure(probers: Sequence[Prober], rounds: int, interval: float) -> list[Latency]:
    """Let each instance ask once in each round, which takes ``interval`` seconds at least; one latency for each."""
    found: list[list[float | None]] = [[] for _ in probers]
    for _ in range(rounds):
        started = time.monotonic()
        for prober, answers in zip(probers, found, strict=True):
            answers.append(prober.ask())
        time.sleep(max(0.0, interval - (time.monotonic() - started)))
    return [Latency(tuple(each for each in answers if each is not None), answers.count(None)) for answers in found]
