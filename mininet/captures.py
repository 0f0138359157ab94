"""Packet sockets inside stations: see every frame that passes an interface, and send raw ones."""

import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Self

import namespaces
from frames import ETH_VLAN, Frame
from stations import Station

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_AUXDATA = 8
AUXDATA = struct.Struct("=IIIHHHH")
VLAN_VALID = 0x10
SO_RCVBUFFORCE = 33
BUFFER = 64 << 20


class FramesLost(Exception):
    """The kernel had no room for all frames: a count would be wrong."""


class Capture:
    """Every frame that passes an interface in either direction, from the moment of creation. Context manager.

    Frames wait in the kernel until they are read, so that there is no thread and nothing to wait for at the start.
    """

    def __init__(self, station: Station, interface: str) -> None:
        self.seen: list[Frame] = []
        with namespaces.visiting(namespaces.NET, station.pid):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
            self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self._socket.setblocking(False)
            self._socket.bind((interface, ETH_P_ALL))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def read(self) -> list[Frame]:
        """All frames since the creation. Raises FramesLost if the kernel dropped any."""
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(65536, 256)
            except BlockingIOError:
                break
            self.seen.append(Frame(_with_tag(data, ancillary)))
        _, dropped = struct.unpack("=II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        if dropped:
            raise FramesLost(f"{dropped} frames were lost to a capture")
        return self.seen

    def count(self, wanted: Callable[[Frame], object]) -> int:
        """How many of all frames so far fulfil a condition."""
        return sum(1 for frame in self.read() if wanted(frame))

    def wait_for(self, wanted: Callable[[Frame], object], timeout: float) -> bool:
        """Whether a frame that fulfils the condition came, before now or within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not self.count(wanted):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([self._socket], [], [], left)
        return True


def send(station: Station, interface: str, *frames: bytes) -> None:
    """Send raw frames out of a station's interface."""
    with namespaces.visiting(namespaces.NET, station.pid):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with sender:
        sender.bind((interface, 0))
        for frame in frames:
            sender.send(frame)


def _with_tag(data: bytes, ancillary: list[tuple[int, int, bytes]]) -> bytes:
    """Put the VLAN tag back that the kernel took out of a frame and reports beside it (packet(7))."""
    for level, kind, value in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tag, _ = AUXDATA.unpack_from(value)
            if status & VLAN_VALID:
                return data[:12] + struct.pack("!HH", ETH_VLAN, tag) + data[12:]
    return data
