"""One switch's database over one connection, without the socket and without a clock: bytes and times in, bytes out.

The controller asks for a monitor of what it needs, keeps the replica by the updates, answers echo requests, sends its
own to know that the peer lives, and commits transactions (RFC 7047 section 4.1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sdnapp.ovsdb.jsonrpc import MessageStream, ProtocolError, Read, Reply, Request, at_once, write_reply, write_request
from sdnapp.ovsdb.replica import Replica, monitor_requests
from sdnapp.ovsdb.rows import MalformedRow
from topology.turns import GiveWay, nobody_waits

DATABASE = "Open_vSwitch"
PROBE = write_request("echo", [], "probe")
"""An echo request that anyone may write to the peer, whatever else is under way."""

_MONITOR = "sdnapp"
Done = Callable[[Reply], None]


@dataclass(frozen=True)
class Timing:
    """Seconds: of silence until an echo request, of silence until a peer is dead, and from connection to first copy."""

    echo: float = 5.0
    dead: float = 15.0
    handshake: float = 30.0


class PeerLost(Exception):
    """The peer has not answered in time."""


class Session:
    """The protocol's state. ``output`` holds what is to be sent; the caller takes it from there.

    A switch's first copy of its database may be megabytes. It is taken in by one who is to ``give_way`` meanwhile, and
    who can ``read`` JSON in pieces.
    """

    def __init__(self, now: float, timing: Timing, give_way: GiveWay = nobody_waits, read: Read = at_once) -> None:
        self.replica = Replica(give_way)
        self.synced = False
        self.heard_at = now
        self.output = bytearray()
        self._timing = timing
        self._started_at = now
        self._probed = False
        self._stream = MessageStream(read=read)
        self._next_id = 0
        self._pending: dict[int, Done] = {}
        self._differences = True
        self._monitor()

    def receive(self, data: bytes, now: float) -> bool:
        """Take bytes of the peer; return whether the replica may have changed. Raises ProtocolError."""
        self.heard_at = now
        self._probed = False
        changed = False
        for message in self._stream.feed(data):
            changed |= self._on_reply(message) if isinstance(message, Reply) else self._on_request(message)
        return changed

    def tick(self, now: float) -> None:
        """Do what the passing of time asks for. Raises PeerLost."""
        silence = now - self.heard_at
        if silence > self._timing.dead:
            raise PeerLost(f"silent for {silence:.0f} s")
        if not self.synced and now - self._started_at > self._timing.handshake:
            raise PeerLost(f"sent no copy of its database within {self._timing.handshake:.0f} s")
        if silence > self._timing.echo and not self._probed:
            self._probed = True
            self.output += PROBE

    def transact(self, operations: Sequence[dict[str, Any]], done: Done) -> None:
        """Send one transaction; ``done`` is called with its reply."""
        self._request("transact", [DATABASE, *operations], done)

    def _monitor(self) -> None:
        method = "monitor_cond" if self._differences else "monitor"
        wanted = monitor_requests(late=self.replica.limits_connections)
        self._request(method, [DATABASE, _MONITOR, wanted], self._on_monitor)

    def _request(self, method: str, params: list[Any], done: Done) -> None:
        self._next_id += 1
        self._pending[self._next_id] = done
        self.output += write_request(method, params, self._next_id)

    def _on_request(self, request: Request) -> bool:
        if request.method == "echo" and request.id is not None:
            self.output += write_reply(request.id, request.params)
        elif request.method in ("update", "update2") and self.synced:
            if len(request.params) != 2:
                raise ProtocolError(f"{request.method} with {len(request.params)} parameters")
            if request.params[0] == _MONITOR:
                self._apply(request.params[1], request.method == "update2")
                return True
        elif request.id is not None:
            self.output += write_reply(request.id, None, {"error": "unknown method", "details": request.method[:60]})
        return False

    def _on_reply(self, reply: Reply) -> bool:
        # Replies to the probe come here, too, and have done their work by having come.
        done = self._pending.pop(reply.id, None) if isinstance(reply.id, int) else None
        if done is None:
            return False
        done(reply)
        return True

    def _on_monitor(self, reply: Reply) -> None:
        if reply.error is not None:
            if not self._differences:
                raise ProtocolError(f"monitor refused: {str(reply.error)[:200]}")
            # Open vSwitch before 3.3 lacks what is late, and before 2.6 knows no monitor_cond.
            self._differences = self.replica.limits_connections
            self.replica.limits_connections = False
            self._monitor()
            return
        self._apply(reply.result, self._differences)
        self.synced = True

    def _apply(self, updates: Any, differences: bool) -> None:
        try:
            if differences:
                self.replica.apply_differences(updates)
            else:
                self.replica.apply(updates)
        except MalformedRow as error:
            raise ProtocolError(str(error)) from None
