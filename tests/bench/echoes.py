"""A thousand pings a second from a guest, and when each was answered."""

import itertools
import os
import select
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Any, Self

import namespaces
from stations import Instance

_IDS = itertools.count(os.getpid())
_HEADER = struct.Struct("!BBHHHQ")
"""Type, code, checksum, identifier, sequence number (RFC 792), and a longer number of our own."""
_REQUEST, _REPLY = 8, 0


class Echoes:
    """ICMP echo requests to an address, ``interval`` seconds apart, as one conversation (identifier) of its own.

    Moments are those of ``time.monotonic``. ``sent`` has when each was sent; ``answers`` when an answer arrived, to
    which one, and with what TTL.
    """

    def __init__(self, guest: Instance, address: str, interval: float = 0.001) -> None:
        with namespaces.visiting(namespaces.NET, guest.pid):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.connect((address, 0))
        self._socket.setblocking(False)
        self._id = next(_IDS) & 0xFFFF
        self._interval = interval
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self.sent: list[float] = []
        self.answers: list[tuple[float, int, int]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Send no more, and close."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def first_after(self, moment: float, ttl: int | None = None, seconds: float = 120.0) -> float:
        """Wait for the first answer after a moment (with a TTL); return how many seconds after. Raises TimeoutError."""
        seen = 0
        while time.monotonic() < moment + seconds:
            while seen < len(self.answers):
                arrived, _, its_ttl = self.answers[seen]
                seen += 1
                if arrived >= moment and ttl in (None, its_ttl):
                    return arrived - moment
            time.sleep(0.0005)
        raise TimeoutError(f"no answer within {seconds:g} s")

    def last_after(self, moment: float, quiet: float = 0.5, seconds: float = 120.0) -> float:
        """Wait until nothing was answered for so long; return how many seconds after a moment the last answer came."""
        while time.monotonic() < moment + seconds:
            last = max(self.answers[-1][0] if self.answers else moment, moment)
            if time.monotonic() - last > quiet:
                return last - moment
            time.sleep(0.01)
        raise TimeoutError(f"still answered after {seconds:g} s")

    def lost(self, grace: float = 0.5) -> int:
        """Return how many were not answered; those of the last moments (seconds) do not count."""
        until = time.monotonic() - grace
        counted = sum(moment < until for moment in self.sent)
        return counted - len({number for _, number, _ in self.answers if number < counted})

    def longest_gap(self, moment: float) -> float:
        """Return the longest time (seconds) after a moment, until now, in which no answer came."""
        arrivals = [moment, *(arrived for arrived, _, _ in self.answers if arrived > moment)]
        return max((later - earlier for earlier, later in itertools.pairwise(arrivals)), default=0.0)

    def times(self) -> list[float]:
        """Return the seconds from each answered request to its answer."""
        return [arrived - self.sent[number] for arrived, number, _ in self.answers]

    def _go_on(self) -> None:
        due = time.monotonic()
        while not self._ends.is_set():
            now = time.monotonic()
            if now >= due:
                self._send(now)
                due = max(due + self._interval, now - 10 * self._interval)
            if select.select([self._socket], [], [], max(0.0, due - time.monotonic()))[0]:
                self._hear()

    def _send(self, now: float) -> None:
        number = len(self.sent)
        blank = _HEADER.pack(_REQUEST, 0, 0, self._id, number & 0xFFFF, number)
        packet = blank[:2] + struct.pack("!H", _checksum(blank)) + blank[4:]
        self.sent.append(now)
        try:
            self._socket.send(packet)
        except OSError:
            return  # The interface is full or on its way elsewhere: one that is not answered.

    def _hear(self) -> None:
        while True:
            try:
                packet = self._socket.recv(200)
            except OSError:  # There is no more, or an error that says of one packet that it was not delivered.
                return
            arrived = time.monotonic()
            header = (packet[0] & 15) * 4
            if len(packet) < header + _HEADER.size:
                continue
            kind, _, _, its_id, _, number = _HEADER.unpack_from(packet, header)
            if kind == _REPLY and its_id == self._id and number < len(self.sent):
                self.answers.append((arrived, number, packet[8]))


def _checksum(packet: bytes) -> int:
    total: Any = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
