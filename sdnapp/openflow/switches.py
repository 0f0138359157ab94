"""Every connected switch: os-ken's events in, sessions fed, datapaths told apart.

An application (an ``OSKenApp`` with ``OFP_VERSIONS = [4]``) makes one ``Switches``, gives it each
``EventOFPStateChange`` of ``MAIN_DISPATCHER`` and ``DEAD_DISPATCHER``, and hears the rest by callbacks. Messages do not
pass through its event queue: they are taken in front of os-ken's parser (see ``stream``).

*Role.* No role is requested. A connection starts as equal, which may change flows, use bundles and receive packets; a
master would only matter to a second controller of the same switch, which there is none of: each has its own switches.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import os_ken.base.app_manager  # noqa: F401 (comes before the controller, as they import each other)
from os_ken import cfg
from os_ken.controller.controller import Datapath
from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER
from os_ken.lib import hub

from flows.flow import Flow
from sdnapp.garbage import set_aside
from sdnapp.openflow import messages, meter_messages
from sdnapp.openflow.connection import PROBE, Callbacks, Connection, Step
from sdnapp.openflow.counts import Counts, counts_of, packets_of
from sdnapp.openflow.listener import is_known, is_switch, listen_patiently
from sdnapp.openflow.messages import MalformedMessage
from sdnapp.openflow.receipt import Receipt
from sdnapp.openflow.session import State
from sdnapp.openflow.stream import tap
from sdnapp.ovsdb.targets import address_text
from sdnapp.tls import Credentials
from sdnapp.turns import let_others

LOG = logging.getLogger(__name__)

PROBE_SECONDS = 2.0
"""How long a switch may take to show that it is alive, when another comes with its datapath id."""
REMIND_SECONDS = 60.0
"""A refused switch tries again every few seconds; the log tells of it this often."""
OPENFLOW_PORT = 6653
ECHO_SECONDS = 5.0
ECHOES_MISSED = 3
"""A switch that leaves more than three echo requests unanswered, 5 s apart, is taken for dead: after 25 s at most.

A gateway chassis is given less time (``sdnapp.outages``)."""

_TAKEN = frozenset(
    {
        messages.ERROR,
        messages.ECHO_REPLY,
        messages.EXPERIMENTER,
        messages.PACKET_IN,
        messages.PORT_STATUS,
        messages.MULTIPART_REPLY,
        messages.BARRIER_REPLY,
    }
)


def set_defaults() -> None:
    """Set os-ken's options to what suits us, where the user says nothing. Call it before os-ken listens.

    Strangers are not waited for without an end, dead switches are noticed (os-ken does not look for them by default),
    and one port is listened on: without a port named, os-ken also opens the old 6633.
    """
    listen_patiently()
    cfg.CONF.set_default("ofp_tcp_listen_port", OPENFLOW_PORT)
    cfg.CONF.set_default("echo_request_interval", ECHO_SECONDS)
    cfg.CONF.set_default("maximum_unreplied_echo_requests", ECHOES_MISSED)


def listen_securely(credentials: Credentials) -> None:
    """Have os-ken listen for switches that come by TLS with a certificate, and for no others."""
    cfg.CONF.set_override("ctl_cert", str(credentials.cert))
    cfg.CONF.set_override("ctl_privkey", str(credentials.key))
    cfg.CONF.set_override("ca_certs", str(credentials.ca))


class Switches:
    """All switches that are connected. Its methods return at once; callbacks come from other green threads."""

    def __init__(
        self,
        *,
        on_connected: Callable[[str, str, str | None], None],
        on_disconnected: Callable[[str], None],
        on_confirmed: Callable[[str, int], None],
        on_rejected: Callable[[str, Flow, str], None],
        on_reconciled: Callable[[str, Receipt, float], None],
        on_packets: Callable[[str, Sequence[messages.PacketIn]], None],
        on_ports: Callable[[str, Mapping[int, str | None]], None],
    ) -> None:
        """See ``Callbacks`` for what each is called with, and when."""
        self._callbacks = Callbacks(
            on_connected,
            on_disconnected,
            on_confirmed,
            on_rejected,
            on_reconciled,
            on_packets,
            on_ports,
        )
        self._connections: dict[Datapath, Connection] = {}
        self._by_id: dict[str, Connection] = {}
        self._reminded: dict[tuple[str, str], float] = {}
        logging.getLogger("OFPHandler").addFilter(VersionAdvice())
        tap(_TAKEN, self._first_look, self._all_taken)

    # For the application

    def state_changed(self, datapath: Datapath, state: str) -> None:
        """Take os-ken's word that a connection is ready (``MAIN_DISPATCHER``) or over (``DEAD_DISPATCHER``)."""
        if state == MAIN_DISPATCHER and datapath.id is not None:
            is_switch(datapath.address)
            newcomer = Connection(datapath, self._callbacks)
            incumbent = self._by_id.get(newcomer.datapath_id)
            if incumbent is None:
                self._adopt(newcomer)
            else:
                hub.spawn(self._contest, incumbent, newcomer)
        elif state == DEAD_DISPATCHER and (connection := self._connections.get(datapath)) is not None:
            self._dismiss(connection)

    def assign(self, datapath_id: str, flows: Iterable[Flow], revision: int) -> None:
        """Bring a switch to exactly these flows, no two of which have one key. Its first assignment reads it back."""
        flows = tuple(flows)
        set_aside()
        self.recognise(datapath_id)
        self._post(datapath_id, lambda session: session.assign(flows, revision))

    def update(
        self,
        datapath_id: str,
        added: Iterable[Flow],
        removed: Iterable[Flow],
        revision: int,
        *,
        may_wait: bool = False,
    ) -> None:
        """Apply a difference to a switch that has been assigned; nothing happens to others.

        One that ``may_wait`` goes with the next, or alone after ``connection.COMPANY`` seconds.
        """
        added, removed = tuple(added), tuple(removed)
        if (connection := self._by_id.get(datapath_id)) is not None:
            connection.post(lambda session: session.update(added, removed, revision, may_wait=may_wait))
            if may_wait:
                connection.wait_for_company()

    def recognise(self, datapath_id: str) -> None:
        """Take note that a switch is a chassis, so that no other connection ever takes its place."""
        if (connection := self._by_id.get(datapath_id)) is not None:
            is_known(connection.datapath.address)

    def refuse(self, datapath_id: str, reason: str) -> None:
        """Close a switch's connection, and log why, once in a while."""
        if (connection := self._by_id.get(datapath_id)) is not None:
            if self._is_due(datapath_id, connection.address.rpartition(":")[0]):
                LOG.error("switch %s at %s is refused: %s", datapath_id, connection.address, reason)
            connection.datapath.close()

    def packet_out(self, datapath_id: str, in_port: int, out_port: int, data: bytes) -> None:
        """Have a switch send a packet out of a port. ``in_port`` is where it came in by; the two may be the same."""
        if (connection := self._by_id.get(datapath_id)) is not None:
            connection.send(messages.packet_out(0, in_port, out_port, data))

    def has_answered(self, datapath_id: str) -> bool:
        """Return whether a switch has said anything since it was asked for a sign of life, and ask it again."""
        connection = self._by_id.get(datapath_id)
        return connection is not None and connection.has_answered()

    def counts(self) -> dict[str, Counts | None]:
        """Return what each switch has counted of what it dropped, by datapath id; None where it does not tell in time.

        Waits for them. They may not know yet of what passed within the last second: Open vSwitch asks its datapath now
        and then.
        """
        found: dict[str, Counts | None] = {}

        def ask(connection: Connection) -> None:
            found[connection.datapath_id] = counts_of(connection)

        hub.joinall([hub.spawn(ask, connection) for connection in list(self._by_id.values())])
        return found

    def packets(self, datapath_ids: Iterable[str], table: int, feature: int) -> dict[str, dict[int, int]]:
        """Return the packets of each flow of a feature in a table, by datapath id and cookie, of those that tell."""
        found: dict[str, dict[int, int]] = {}

        def ask(connection: Connection) -> None:
            packets = packets_of(connection, table, feature)
            if packets is not None:
                found[connection.datapath_id] = packets

        asked = [self._by_id[each] for each in datapath_ids if each in self._by_id]
        hub.joinall([hub.spawn(ask, connection) for connection in asked])
        return found

    def status(self) -> list[dict[str, Any]]:
        """Return one row for each connected switch, by datapath id, of plain values (see ``Connection.status``)."""
        return [connection.status() for _, connection in sorted(self._by_id.items())]

    # Who is who

    def _adopt(self, connection: Connection) -> None:
        self._connections[connection.datapath] = self._by_id[connection.datapath_id] = connection
        LOG.info("switch %s connected from %s", connection.datapath_id, connection.address)
        connection.start()

    def _dismiss(self, connection: Connection) -> None:
        del self._connections[connection.datapath], self._by_id[connection.datapath_id]
        LOG.info("switch %s at %s is gone", connection.datapath_id, connection.address)
        connection.stop()

    def _contest(self, incumbent: Connection, newcomer: Connection) -> None:
        """Settle whose a datapath id is: the one that holds it keeps it for as long as it answers."""
        alive = incumbent.answers(PROBE_SECONDS)
        while newcomer.is_open:
            now = self._by_id.get(newcomer.datapath_id)
            if now is None:
                self._adopt(newcomer)
                return
            if now is not incumbent:
                # Somebody else came first while we waited.
                incumbent, alive = now, now.answers(PROBE_SECONDS)
            elif alive:
                self._refuse(newcomer, incumbent)
                return
            else:
                LOG.warning(
                    "switch %s at %s does not answer; %s takes its place",
                    *(incumbent.datapath_id, incumbent.address, newcomer.address),
                )
                self._dismiss(incumbent)

    def _refuse(self, newcomer: Connection, incumbent: Connection) -> None:
        host = newcomer.address.rpartition(":")[0]
        if self._is_due(newcomer.datapath_id, host):
            LOG.error(
                "two switches have datapath id %s: %s, which is served, and %s, which is refused; give one of them "
                "another: ovs-vsctl set bridge BRIDGE other_config:datapath-id=<16 hexadecimal digits>",
                *(newcomer.datapath_id, incumbent.address, newcomer.address),
            )
        newcomer.datapath.close()

    def _is_due(self, datapath_id: str, host: str) -> bool:
        now = time.monotonic()
        self._reminded = {key: at for key, at in self._reminded.items() if now - at < REMIND_SECONDS}
        if (datapath_id, host) in self._reminded:
            return False
        self._reminded[datapath_id, host] = now
        return True

    # What switches say

    def _first_look(self, datapath: Datapath, kind: int, xid: int, data: bytes) -> bool:
        connection = self._connections.get(datapath)
        if connection is None:
            return False
        connection.spoke()
        try:
            return self._take(connection, kind, xid, data)
        except MalformedMessage as error:
            LOG.error("switch %s at %s sent a %s; closing", connection.datapath_id, connection.address, error)
            datapath.close()
            return True

    def _all_taken(self, datapath: Datapath) -> None:
        if (connection := self._connections.get(datapath)) is not None:
            connection.all_taken()

    def _take(self, connection: Connection, kind: int, xid: int, data: bytes) -> bool:
        """Take a message that is for us; return False for one that os-ken shall handle."""
        if kind == messages.PACKET_IN:
            if connection.session.state is State.HELD:
                # Not ours yet, or not at all: another application may want it.
                return False
            connection.packet_arrived(messages.read_packet_in(data))
            return True
        if kind == messages.PORT_STATUS:
            connection.port_changed(messages.read_port_status(data))
            return False
        if kind == messages.ECHO_REPLY:
            if data[messages.HEADER_SIZE :] != PROBE:
                return False
            connection.answered()
            return True
        if connection.is_asked(kind, xid, data):
            return True
        if not connection.session.expects(xid):
            return False
        if kind == messages.ERROR:
            reason = messages.read_error(data)
            connection.post(lambda session: session.refused(xid, reason))
        elif kind == messages.BARRIER_REPLY:
            connection.post(lambda session: session.barrier_passed(xid))
        elif kind == messages.EXPERIMENTER:
            control = messages.read_bundle_control(data)
            if control is not None and control[1] == messages.BUNDLE_COMMITTED:
                connection.post(lambda session: session.bundle_committed(control[0]))
        elif kind == messages.MULTIPART_REPLY:
            self._take_multipart(connection, xid, data)
            # Hundreds of these may lie ready in the socket; others must have their turn between them.
            let_others()
        return True

    def _take_multipart(self, connection: Connection, xid: int, data: bytes) -> None:
        kind = messages.read_multipart_kind(data)
        if kind == meter_messages.MULTIPART_METER_FEATURES:
            most = meter_messages.read_features(data)
            connection.post(lambda session: session.meters_limited(xid, most))
        elif kind == meter_messages.MULTIPART_METER_CONFIG:
            meters, more_meters = meter_messages.read_config(data)
            connection.post(lambda session: session.meters_read(xid, meters, more_meters))
        elif (part := messages.read_flow_stats(data)) is not None:
            connection.post(lambda session: session.entries_read(xid, *part))

    def _post(self, datapath_id: str, step: Step) -> None:
        if (connection := self._by_id.get(datapath_id)) is not None:
            connection.post(step)


class VersionAdvice(logging.Filter):
    """Turns os-ken's complaint about a switch without OpenFlow 1.3 into one line that says what to do about it."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite os-ken's record of a failed hello; drop it if this host's last was less than a minute ago."""
        if record.msg != "%s on datapath %s" or not isinstance(record.args, tuple):
            return True
        complaint, address = record.args
        if not isinstance(address, tuple) or "version" not in str(complaint):
            return True
        host = str(address[0])
        if record.created - self._told.get(host, 0.0) < REMIND_SECONDS:
            return False
        self._told[host] = record.created
        record.msg = (
            "switch at %s refused, as it does not offer OpenFlow 1.3; let it: "
            "ovs-vsctl set bridge BRIDGE protocols=OpenFlow13"
        )
        record.args = (address_text(address),)
        return True
