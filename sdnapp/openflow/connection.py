"""One switch's connection: a green thread that owns its session, carries out its effects and calls back.

Whoever has news for the session puts it in the connection's inbox and goes on: reading from a socket must never wait
for writing to it. (A switch that has many answers waiting stops to read; if we waited for it, both would wait.)
The same green thread writes: one piece of a bundle, then whatever else is in the inbox, and so on.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from os_ken.controller.handler import DEAD_DISPATCHER
from os_ken.lib import hub
from os_ken.lib.dpid import dpid_to_str

from flows.flow import Flow
from sdnapp.garbage import set_aside
from sdnapp.openflow.messages import (
    ECHO_REQUEST,
    ERROR,
    MULTIPART_REPLY,
    PacketIn,
    PortStatus,
    message,
    more_replies_follow,
)
from sdnapp.openflow.receipt import Receipt
from sdnapp.openflow.session import (
    Broken,
    Confirmed,
    Effect,
    Outlived,
    Reconciled,
    Rejected,
    Send,
    Session,
    State,
    Unmetered,
)
from sdnapp.openflow.stream import send_at_once
from sdnapp.ovsdb.targets import address_text
from sdnapp.tls import peer_name
from sdnapp.turns import Turns, let_others

if TYPE_CHECKING:
    from os_ken.controller.controller import Datapath

LOG = logging.getLogger(__name__)

PIECE = 32 * 1024
"""Bytes of a bundle that are encoded and written at once: some 150 flows, a few milliseconds of the loop."""
PACKETS_WAITING = 1000
"""Packets to send that may wait for a slow switch; more are dropped, and whoever asked will ask again."""
PACKETS_AT_ONCE = 32
"""Packets of a switch that are taken before others have their turn."""
COMPANY = 0.01
"""Seconds that a difference may wait for the next, which often follows: whoever makes a port plugs it in. After each
change of its flows a switch looks at all of its ports, and what comes meanwhile waits for that."""
OUTLIVING = 10.0
"""Seconds for which flows of another shape outlive the change: more than Open vSwitch takes to look at all that it has
cached, and packets to come out of connection tracking."""
PROBE = b"sdnapp: still there?"
"""What our echo requests carry, to know their answers from those of os-ken's."""

Step = Callable[[Session], list[Effect]]


@dataclass(frozen=True)
class Callbacks:
    """Whom to tell what. Datapath ids are 16 hexadecimal digits, addresses ``host:port``."""

    on_connected: Callable[[str, str, str | None], None]
    """A switch is there: (datapath id, address, name in its certificate or None without TLS)."""
    on_disconnected: Callable[[str], None]
    """It is gone: (datapath id). Nothing more is told about it."""
    on_confirmed: Callable[[str, int], None]
    """It holds all that was desired as of a revision: (datapath id, revision)."""
    on_rejected: Callable[[str, Flow, str], None]
    """It does not take a flow: (datapath id, flow, the switch's reason). Told before the revision is confirmed."""
    on_reconciled: Callable[[str, Receipt, float], None]
    """It is in sync for the first time since it came: (datapath id, receipt, seconds since its first assignment)."""
    on_packets: Callable[[str, Sequence[PacketIn]], None]
    """Flows sent packets to the controller, all that have come so far: (datapath id, packets). Each has a port."""
    on_ports: Callable[[str, Mapping[int, str | None]], None]
    """Ports that came, changed or went, at first all that there are: (datapath id, names by number, None if gone)."""


class Connection:
    """A connected switch, from the end of the handshake until either side closes."""

    def __init__(self, datapath: "Datapath", callbacks: Callbacks) -> None:
        self.datapath = datapath
        self.datapath_id: str = dpid_to_str(datapath.id)
        self.address = address_text(datapath.address)
        self.session = Session(give_way=Turns().give_way, set_aside=set_aside)
        self.packets_dropped = 0
        self._packets: list[PacketIn] = []
        """Those that nobody has been told about yet."""
        self._callbacks = callbacks
        self._since = datetime.now(UTC)
        self._assigned_at = 0.0
        self._ports: dict[int, str | None] = {}
        """Names of ports that nobody has been told about yet, by number; None for those that are gone."""
        self._inbox: Any = hub.Queue()
        self._outgoing: deque[Iterator[bytes]] = deque()
        self._closed = False
        self._is_waiting = False
        """For company (``wait_for_company``)."""
        self._heard = hub.Event()
        self._is_asked = False
        """Whether the switch has been asked for a sign of life, and has said nothing since then."""
        self._questions: dict[int, Any] = {}
        """Where replies are waited for, by transaction id: a queue of messages, None at the end of hope."""

    # From any green thread

    def start(self) -> None:
        """Tell that the switch is there, and its ports; begin to serve the inbox."""
        self.tell(self._callbacks.on_connected, self.datapath_id, self.address, peer_name(self.datapath.socket))
        hub.spawn(self._run)
        self._ports |= {number: port.name.decode(errors="replace") for number, port in self.datapath.ports.items()}
        self._inbox.put(self._tell_ports)

    def stop(self) -> None:
        """Tell that the switch is gone, the last that is told of it, and close the connection if it is still open."""
        self.tell(self._callbacks.on_disconnected, self.datapath_id)
        self._closed = True
        self._inbox.put(lambda: None)
        for answers in self._questions.values():
            answers.put(None)
        if self.is_open:
            self.datapath.close()

    @property
    def is_open(self) -> bool:
        """Whether messages may still come and go."""
        return bool(self.datapath.state != DEAD_DISPATCHER)

    def post(self, step: Step) -> None:
        """Have a step of the session taken and its effects carried out, soon."""
        self._inbox.put(lambda: self._take(step))

    def wait_for_company(self) -> None:
        """Have what the session keeps waiting sent soon, if nothing else comes with which it can go."""
        if not self._is_waiting:
            self._is_waiting = True
            hub.spawn_after(COMPANY, self._wait_no_longer)

    def _wait_no_longer(self) -> None:
        self._is_waiting = False
        self.post(Session.send_waiting)

    def send(self, data: bytes) -> None:
        """Send a message: at once where that needs no waiting, or else soon, unless too many wait already."""
        if send_at_once(self.datapath, data):
            return
        if self._inbox.qsize() > PACKETS_WAITING:
            self.packets_dropped += 1
            return
        self._inbox.put(lambda: self.datapath.send(data))

    def port_changed(self, status: PortStatus) -> None:
        """Keep word of a port that came, changed or went until all that came with it is there."""
        self._ports[status.port] = None if status.deleted else status.name

    def answers(self, seconds: float) -> bool:
        """Return whether the switch answers an echo request within so many seconds. Waits for it."""
        self._heard.clear()
        self._inbox.put(lambda: self.datapath.send(message(ECHO_REQUEST, 0, PROBE)))
        return bool(self._heard.wait(seconds))

    def has_answered(self) -> bool:
        """Return whether the switch has said anything since it was asked for a sign of life, and ask it again."""
        self._inbox.put(self._ask_for_life)
        return not self._is_asked

    def spoke(self) -> None:
        """The switch has said something."""
        self._is_asked = False

    def answered(self) -> None:
        """The switch has answered our echo request."""
        self._heard.set()

    def ask(self, request: Callable[[int], bytes], seconds: float) -> list[bytes] | None:
        """Send the multipart request that is made for a transaction id, and return the replies. Waits for them.

        None if the switch refuses or goes, or lets one of its replies be waited for longer than so many seconds.
        """
        if self._closed:
            return None
        xid, replies = self.session.take_xid(), []
        answers = self._questions[xid] = hub.Queue()
        self._inbox.put(lambda: self.datapath.send(request(xid)))
        try:
            while (reply := answers.get(timeout=seconds)) is not None:
                replies.append(reply)
                if not more_replies_follow(reply):
                    return replies
        except hub.QueueEmpty:
            LOG.warning("switch %s at %s did not answer within %s s", self.datapath_id, self.address, seconds)
        finally:
            del self._questions[xid]
        return None

    def is_asked(self, kind: int, xid: int, data: bytes) -> bool:
        """Take a message if it answers what was asked."""
        if kind not in (ERROR, MULTIPART_REPLY) or (answers := self._questions.get(xid)) is None:
            return False
        answers.put(data if kind == MULTIPART_REPLY else None)
        return True

    def packet_arrived(self, packet: PacketIn) -> None:
        """Keep a packet until all that came with it are there; now and then, let others than this switch have turns."""
        if packet.in_port is not None:
            self._packets.append(packet)
            if len(self._packets) % PACKETS_AT_ONCE == 0:
                hub.sleep(0)

    def all_taken(self) -> None:
        """Pass on the packets that have come, and soon what is new of ports."""
        if self._packets:
            packets, self._packets = self._packets, []
            self.tell(self._callbacks.on_packets, self.datapath_id, packets)
        if self._ports:
            self._inbox.put(self._tell_ports)

    def tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Call back, unless the connection is over."""
        if self._closed:
            return
        try:
            callback(*arguments)
        except Exception:
            # The application's fault, not the session's: the switch is as it was.
            LOG.exception("switch %s: callback failed", self.datapath_id)

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know, as plain values."""
        session = self.session
        return {
            "datapath_id": self.datapath_id,
            "address": self.address,
            "since": self._since.isoformat(timespec="seconds"),
            "state": session.state.value,
            "flows": session.flows,
            "flow_mods_sent": session.flow_mods_sent,
            "meter_mods_sent": session.meter_mods_sent,
            "metered": session.metered,
            "bundles": session.bundles,
            "rejected": session.rejected,
            "confirmed_revision": session.revision,
            "packets_dropped": self.packets_dropped,
            "last_error": session.last_error,
        }

    # In the connection's own green thread

    def _run(self) -> None:
        while not self._closed:
            try:
                if not self._outgoing or not self._inbox.empty():
                    self._inbox.get()()
                if self._outgoing:
                    self._send_piece()
            except Exception:
                # What is on the switch is not certain any more. It will come again, and be read back.
                LOG.exception("switch %s at %s: session failed, closing it", self.datapath_id, self.address)
                self.datapath.close()
                return

    def _send_piece(self) -> None:
        # What goes together wakes the switch once: each time, it first looks at all of its ports.
        piece, size = [], 0
        while self._outgoing and size < PIECE:
            for data in self._outgoing[0]:
                piece.append(data)
                size += len(data)
                if size >= PIECE:
                    break
            else:
                self._outgoing.popleft()
        data = b"".join(piece)
        if not send_at_once(self.datapath, data):
            self.datapath.send(data)
        let_others()

    def _take(self, step: Step) -> None:
        if self.session.state is State.HELD:
            self._assigned_at = time.monotonic()
        self._carry_out(step(self.session))

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._outgoing.append(iter(effect.messages))
            elif isinstance(effect, Confirmed):
                self.tell(self._callbacks.on_confirmed, self.datapath_id, effect.revision)
            elif isinstance(effect, Rejected):
                self.tell(self._callbacks.on_rejected, self.datapath_id, effect.flow, effect.reason)
            elif isinstance(effect, Reconciled):
                seconds = time.monotonic() - self._assigned_at
                self.tell(self._callbacks.on_reconciled, self.datapath_id, effect.receipt, seconds)
            elif isinstance(effect, Outlived):
                LOG.info(
                    "switch %s at %s holds %d flows of a pipeline of another shape; they go in %d s",
                    *(self.datapath_id, self.address, effect.flows, OUTLIVING),
                )
                hub.spawn_after(OUTLIVING, self.post, Session.clear_out)
            elif isinstance(effect, Unmetered):
                LOG.warning(
                    "switch %s at %s has no meters: what its instances send to the controller is not limited there, "
                    "only shared out fairly here",
                    *(self.datapath_id, self.address),
                )
            elif isinstance(effect, Broken):
                LOG.error("switch %s at %s: %s; closing the connection", self.datapath_id, self.address, effect.reason)
                self.datapath.close()

    def _ask_for_life(self) -> None:
        self._is_asked = True
        self.datapath.send(message(ECHO_REQUEST, 0, PROBE))

    def _tell_ports(self) -> None:
        if self._ports:
            ports, self._ports = self._ports, {}
            self.tell(self._callbacks.on_ports, self.datapath_id, ports)
