"""Who may keep us waiting: at most so many connections, each for so long. Beyond that the idlest is closed.

A newcomer is let in as long as any open connection waits for its peer; he is known as honest by not letting us wait.
So whoever holds every place by sitting there, by a byte a second or by not reading, loses them to those who do not.
"""

import _socket
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from socket import SHUT_RDWR
from typing import Any

from os_ken.lib import hub

LOG = logging.getLogger(__name__)

_SWEEP = 1.0
"""Seconds between looks for those who have let us wait too long."""
_REMINDER = 60.0
"""Seconds until the log tells again that places are short."""
_OUT_OF_DESCRIPTORS = 0.1
"""Seconds until it is tried again to accept a connection, after one could not be."""


class Visit:
    """One connection, which waits for its peer from the beginning."""

    __slots__ = ("_room", "deadline", "hang_up", "peer")

    def __init__(self, room: "Admission", peer: str, hang_up: Callable[[], None]) -> None:
        self._room, self.peer, self.hang_up = room, peer, hang_up
        self.deadline = 0.0

    def awaits(self, seconds: float, *, is_idle: bool = False) -> None:
        """Give the peer so many seconds, however often he says something. ``is_idle``: nothing is under way."""
        self.deadline = self._room.clock() + seconds
        self._room.queue(self, is_idle=is_idle)

    def our_turn(self) -> None:
        """The peer has done his part, for now: the connection is not closed meanwhile."""
        self._room.queue(self, is_idle=None)

    def leave(self) -> None:
        """The connection is over, or its peer is known and needs no place any more. May be called twice."""
        self._room.forget(self)

    def come_back(self) -> None:
        """The peer is a stranger again, for as long as there is room."""
        if not self._room.take_back(self):
            self.hang_up()


class _Host:
    """The visits of one host. Those that wait for their peers are in order: who has waited longest comes first."""

    def __init__(self) -> None:
        self.all: set[Visit] = set()
        self.idle: dict[Visit, None] = {}
        self.waiting: dict[Visit, None] = {}

    def idlest(self) -> Visit | None:
        """Return the visit that may be closed most lightly; None where each waits for us."""
        return next(iter(self.idle), None) or next(iter(self.waiting), None)


class Admission:
    """The places at one door. ``name`` is for the log; ``most_of_one`` places are for one host, or one IPv6 /64."""

    def __init__(
        self, name: str, *, most: int, most_of_one: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._most, self._most_of_one = name, most, most_of_one or most
        self.clock = clock
        self._hosts: dict[str, _Host] = {}
        self._count = 0
        self._lock = hub.Semaphore()
        self._shed = 0
        self._told_at = -_REMINDER

    def enter(self, address: str, hang_up: Callable[[], None], seconds: float) -> Visit | None:
        """Let a connection in, for which another may be closed; None if each of them waits for us.

        The peer has so many seconds for his first part.
        """
        visit = Visit(self, host_of(address), hang_up)
        if not self.take_back(visit):
            return None
        visit.awaits(seconds)
        return visit

    def take_back(self, visit: Visit) -> bool:
        """Give a visit a place, for which another may be closed; False if each of them waits for us."""
        with self._lock:
            of_one = self._hosts.get(visit.peer)
            if of_one is not None and visit in of_one.all:
                return True
            if of_one is not None and len(of_one.all) >= self._most_of_one and not self._close_one((of_one,)):
                return False
            if self._count >= self._most and not self._close_one(self._hosts.values()):
                return False
            self._hosts.setdefault(visit.peer, _Host()).all.add(visit)
            self._count += 1
        return True

    def queue(self, visit: Visit, *, is_idle: bool | None) -> None:
        """Put a visit behind all that wait for their peers already; None: it waits for us."""
        with self._lock:
            host = self._hosts.get(visit.peer)
            if host is not None and visit in host.all:
                host.idle.pop(visit, None)
                host.waiting.pop(visit, None)
                if is_idle is not None:
                    (host.idle if is_idle else host.waiting)[visit] = None

    def make_room(self) -> None:
        """Close the idlest connection, if any waits for its peer: the process is out of file descriptors."""
        with self._lock:
            self._close_one(self._hosts.values())

    def forget(self, visit: Visit) -> None:
        """Free the place of a visit."""
        with self._lock:
            self._remove(visit)

    def sweep(self) -> None:
        """Close the connections whose peers have not done their part in time."""
        now = self.clock()
        with self._lock:
            waiting = [visit for host in self._hosts.values() for visit in (*host.idle, *host.waiting)]
            for visit in waiting:
                if visit.deadline <= now:
                    self._remove(visit)
                    visit.hang_up()

    def keep_sweeping(self) -> None:
        """Sweep now and then, for ever: to be run in a green thread."""
        while True:
            hub.sleep(_SWEEP)
            self.sweep()

    def _close_one(self, hosts: Iterable[_Host]) -> bool:
        """Close the idlest connection of the host that has most of those that can be closed."""
        host = max(hosts, key=lambda each: len(each.idle) + len(each.waiting), default=None)
        idlest = host.idlest() if host else None
        if idlest is None:
            return False
        self._remove(idlest)
        idlest.hang_up()
        self._shed += 1
        self._tell(idlest.peer)
        return True

    def _remove(self, visit: Visit) -> None:
        host = self._hosts.get(visit.peer)
        if host is not None and visit in host.all:
            host.all.remove(visit)
            host.idle.pop(visit, None)
            host.waiting.pop(visit, None)
            self._count -= 1
            if not host.all:
                del self._hosts[visit.peer]

    def _tell(self, peer: str) -> None:
        now = self.clock()
        if now - self._told_at >= _REMINDER:
            LOG.warning(
                "%s: too many connections: %d idle ones closed since this was last told, the last of %s",
                *(self._name, self._shed, peer),
            )
            self._told_at, self._shed = now, 0


class Listener:
    """A listening socket that goes on to accept, whatever goes wrong with one connection."""

    def __init__(self, sock: Any, admission: Admission) -> None:
        self._socket, self._admission = sock, admission
        self._is_open = True

    def accept(self) -> tuple[Any, Any]:
        """Return the next connection and its address. Raises OSError once the socket is closed."""
        while True:
            # Who was let in last has his turn before the next: many at once must not push each other out unheard.
            hub.sleep(0)
            try:
                accepted: tuple[Any, Any] = self._socket.accept()
                return accepted
            except OSError as error:
                if not self._is_open or self._socket.fileno() < 0:
                    raise
                # Out of file descriptors, or a peer that was gone before it was accepted.
                LOG.warning("a connection could not be accepted: %s", error)
                self._admission.make_room()
                hub.sleep(_OUT_OF_DESCRIPTORS)

    def close(self) -> None:
        """Accept no more."""
        self._is_open = False
        hang_up(self._socket)
        self._socket.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


def hang_up(sock: Any) -> None:
    """End a connection from outside its green thread, which then reads and writes in vain."""
    raw = sock if isinstance(sock, _socket.socket) else sock.fd
    with suppress(OSError):
        # SSLSocket's own method would also pull TLS from under whoever uses it just now.
        _socket.socket.shutdown(raw, SHUT_RDWR)


def host_of(address: str) -> str:
    """Return what counts as one peer: of IPv6, whoever has one address has the other 2**64 - 1 of its /64, too."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped:
        return address
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
