"""The listener to which switches' databases connect (``ovs-vsctl set-manager tcp:CONTROLLER:6640``)."""

import logging
import socket
import ssl
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from os_ken.lib import hub

from sdnapp.admission import Admission, Listener, Visit, hang_up
from sdnapp.ovsdb.connection import Callbacks, Connection, Refused
from sdnapp.ovsdb.provisioning import Endpoint
from sdnapp.ovsdb.session import Timing
from sdnapp.ovsdb.targets import DEFAULT_PORT, address_text, target
from topology.witnesses import Hearing

LOG = logging.getLogger(__name__)

_BACKLOG = 1024
"""Connections that may wait to be accepted: every switch of a site may come back at once."""
_PROOF_OF_LIFE = 2.0
"""Seconds that a switch has to answer before another one may take its chassis id."""
_HANDSHAKE = 10.0
"""Seconds that a switch may take for TLS, in all."""
_STRANGERS = 1024
"""Connections that are no chassis, or not yet; beyond that the one that has waited longest is closed."""
_SWEEP = 0.5
"""Seconds between looks for those that have taken too long."""
_REMINDER = 60.0
"""Seconds until the same two rivals for a chassis id are logged again."""


class OvsdbServer:
    """Accepts switches, one greenlet each. ``start`` and ``stop`` it once."""

    def __init__(
        self,
        *,
        callbacks: Callbacks,
        openflow_port: int,
        host: str = "0.0.0.0",
        port: int = DEFAULT_PORT,
        openflow_address: str | None = None,
        timing: Timing | None = None,
        tls: ssl.SSLContext | None = None,
        connections_per_port: int = 0,
    ) -> None:
        """Prepare to listen on ``host`` and ``port`` (0: any free one).

        With ``tls``, switches need a certificate in the name of the chassis that they speak for.

        Switches are told to speak OpenFlow to ``openflow_address`` (the local address of their OVSDB connection, where
        not given) and ``openflow_port``, and how many connections they may remember for each port, if not 0.
        """
        self._callbacks = callbacks
        self._bind = (host, port)
        self._openflow = (openflow_address, openflow_port)
        self._timing = timing or Timing()
        self._tls = tls
        self._connections_per_port = connections_per_port
        self._listener: Listener | None = None
        self._strangers = Admission("OVSDB", most=_STRANGERS)
        self._connections: set[Connection] = set()
        self._holders: dict[str, Connection] = {}
        self._claiming = hub.Semaphore()
        self._rivals: dict[str, tuple[str, float]] = {}

    @property
    def port(self) -> int:
        """The port that it listens on. Raises RuntimeError before ``start`` and after ``stop``."""
        if self._listener is None:
            raise RuntimeError("the OVSDB server does not listen")
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> None:
        """Listen. Raises OSError, which names address and port, if that cannot be."""
        family = socket.AF_INET6 if ":" in self._bind[0] else socket.AF_INET
        try:
            listener = hub.listen(self._bind, family=family, backlog=_BACKLOG)
        except OSError as error:
            raise OSError(
                error.errno, f"OVSDB cannot listen on {address_text(self._bind)}: {error.strerror}"
            ) from error
        self._listener = Listener(listener, self._strangers)
        LOG.info("OVSDB listens on %s", address_text(self._listener.getsockname()))
        hub.spawn(self._accept, self._listener)
        hub.spawn(self._sweep, self._listener)

    def stop(self, within: float = 5.0) -> None:
        """Close everything, and wait that many seconds at most until all connections have ended."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        for connection in list(self._connections):
            connection.close("the controller stops")
        end = time.monotonic() + within
        while self._connections and time.monotonic() < end:
            hub.sleep(0.01)

    def status(self) -> list[dict[str, Any]]:
        """Return one document for each connection, by chassis id; those that have none yet come last."""
        documents = [connection.status() for connection in list(self._connections)]
        for document in documents:
            rival, seen = self._rivals.get(document["chassis"], ("", 0.0))
            if rival and time.monotonic() - seen < _REMINDER:
                document["problems"].append(f"another switch, at {rival}, has the same system-id and is refused")
        return sorted(documents, key=lambda d: (d["chassis"] is None, d["chassis"] or "", d["address"]))

    def hearing(self) -> dict[str, Hearing]:
        """Return what each connected chassis's database tells of its BFD sessions."""
        return {chassis_id: connection.hearing for chassis_id, connection in self._holders.items()}

    def hurry(self, chassis_ids: Iterable[str]) -> None:
        """Have some chassis do at once what is wanted of them, which else may take a second."""
        for chassis_id in chassis_ids:
            if (connection := self._holders.get(chassis_id)) is not None:
                hub.spawn(connection.hurry)

    def claim(self, chassis_id: str, connection: Connection) -> None:
        """Give a chassis id to a connection.

        Raises Refused if another switch holds it and lives, if the switch's certificate has another name, or if it
        would be one chassis too many.
        """
        if self._tls is not None and connection.certificate_name != chassis_id:
            raise Refused(
                f"its certificate is that of {connection.certificate_name}, but its system-id is {chassis_id}: "
                f"sdnapp ca issue {chassis_id}, or ovs-vsctl set Open_vSwitch . "
                f"external_ids:system-id={connection.certificate_name}",
                quiet=not self._is_news(chassis_id, connection),
            )
        if not self._callbacks.admits(chassis_id):
            raise Refused(f"{chassis_id} would be one chassis too many", quiet=True)
        with self._claiming:
            holder = self._holders.setdefault(chassis_id, connection)
        while holder is not connection:
            if holder.answers(within=_PROOF_OF_LIFE):
                raise self._refusal(chassis_id, holder, connection)
            holder.close(f"it does not answer, and the chassis has come back from {connection.address}")
            self._wait_for_release(chassis_id, holder)
            with self._claiming:
                holder = self._holders.setdefault(chassis_id, connection)

    def release(self, chassis_id: str, connection: Connection) -> None:
        """Take a chassis id back from a connection."""
        with self._claiming:
            if self._holders.get(chassis_id) is connection:
                del self._holders[chassis_id]

    def _wait_for_release(self, chassis_id: str, holder: Connection) -> None:
        end = time.monotonic() + _PROOF_OF_LIFE
        while self._holders.get(chassis_id) is holder:
            if time.monotonic() > end:
                raise Refused(f"the old connection of chassis {chassis_id} does not end", quiet=False)
            hub.sleep(0.02)

    def _refusal(self, chassis_id: str, holder: Connection, newcomer: Connection) -> Refused:
        return Refused(
            f"system-id {chassis_id} is taken by the switch at {holder.address}: give this one an id of its own: "
            "ovs-vsctl set Open_vSwitch . external_ids:system-id=ID",
            quiet=not self._is_news(chassis_id, newcomer),
        )

    def _is_news(self, chassis_id: str, newcomer: Connection) -> bool:
        now = time.monotonic()
        host = newcomer.address.rpartition(":")[0]
        known, seen = self._rivals.get(chassis_id, ("", 0.0))
        if known == host and now - seen < _REMINDER:
            return False
        self._rivals[chassis_id] = (host, now)
        return True

    def _accept(self, listener: Listener) -> None:
        while self._listener is listener:
            try:
                sock, peer = listener.accept()
            except OSError:
                return  # it was closed
            visit = self._strangers.enter(peer[0], partial(hang_up, sock), _HANDSHAKE)
            if visit is None:
                sock.close()
            else:
                hub.spawn(self._serve, sock, peer, visit)

    def _sweep(self, listener: Listener) -> None:
        while self._listener is listener:
            self._strangers.sweep()
            hub.sleep(_SWEEP)

    def _serve(self, sock: Any, peer: Any, visit: Visit) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                visit.hang_up = partial(hang_up, sock)
                sock.do_handshake()
            visit.awaits(self._timing.handshake + _HANDSHAKE)
            connection = self._connection(sock, visit)
        except OSError as error:
            # ssl.SSLError is one: no certificate, not from an authority of ours, or not even TLS.
            LOG.warning("OVSDB connection from %s refused: %s", address_text(peer), error)
            sock.close()
            visit.leave()
            return
        self._connections.add(connection)
        try:
            connection.run()
        finally:
            self._connections.discard(connection)
            visit.leave()

    def _connection(self, sock: Any, visit: Visit) -> Connection:
        (address, port), secure = self._openflow, self._tls is not None
        local = sock.getsockname()
        endpoint = Endpoint(
            openflow=target(address or local[0], port, secure=secure),
            manager=target(local[0], local[1], secure=secure),
        )
        return Connection(
            sock,
            endpoint=endpoint,
            callbacks=self._callbacks,
            registry=self,
            timing=self._timing,
            visit=visit,
            connections_per_port=self._connections_per_port,
        )
