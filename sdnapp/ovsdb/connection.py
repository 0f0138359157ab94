"""One connection of a switch's database: its socket, and the loop that watches, reports and provisions."""

import logging
import math
import socket
import time
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from os_ken.lib import hub

from sdnapp.admission import Visit, hang_up
from sdnapp.decoding import decoded
from sdnapp.ovsdb import operations as ops
from sdnapp.ovsdb.jsonrpc import ProtocolError, Reply
from sdnapp.ovsdb.observation import Observation, Observer
from sdnapp.ovsdb.pace import Pace
from sdnapp.ovsdb.provisioning import Endpoint, plan
from sdnapp.ovsdb.rows import Controller
from sdnapp.ovsdb.session import PROBE, PeerLost, Session, Timing
from sdnapp.ovsdb.steps import Plan, Step
from sdnapp.ovsdb.targets import address_text
from sdnapp.tls import peer_name
from sdnapp.turns import Turns, let_others
from topology.placement import Plugged
from topology.values import Chassis
from topology.witnesses import Hearing

LOG = logging.getLogger(__name__)

_RECEIVE = 32 * 1024
"""Bytes read at once. All that has come by then is applied before anything is reported."""
_DEEPEST = 32
"""Lists and objects in one another, of a message: a switch's have ten at most."""


@dataclass(frozen=True)
class Callbacks:
    """Whom to tell, always from the greenlet of the chassis's connection, in the order in which things happened.

    ``on_connected`` gets chassis id and ``address:port``; ``on_observed`` the whole chassis and everything plugged in,
    by port id (to be read before it returns), whenever one of them has changed, and once after each ``on_connected``,
    and the ids of the ports that have changed since it was told last (None: that is not known); ``on_lost`` the chassis
    id.
    ``watched`` is asked now and then, for the tunnel addresses of the chassis that one watches, and ``shunned`` for
    those from which it withdraws; ``on_heard`` hears that what its BFD sessions tell has changed. ``admits`` says
    whether a chassis may be one.
    """

    on_connected: Callable[[str, str], None]
    on_observed: Callable[[Chassis, Mapping[str, Plugged], Set[str] | None], None]
    on_lost: Callable[[str], None]
    watched: Callable[[str], tuple[str, ...]] = lambda chassis_id: ()
    shunned: Callable[[str], frozenset[str]] = lambda chassis_id: frozenset()
    on_heard: Callable[[], None] = lambda: None
    admits: Callable[[str], bool] = lambda chassis_id: True


def _in_pieces(text: str) -> Any:
    """Read JSON, and let others have their turn meanwhile. What is half a character is dealt with where it is used."""
    return decoded(text, _DEEPEST, may_be_half=False)


class Registry(Protocol):
    """Who holds which chassis id."""

    def claim(self, chassis_id: str, connection: "Connection") -> None:
        """Give the id to the connection. Raises Refused if another one holds it and lives, or there are too many."""

    def release(self, chassis_id: str, connection: "Connection") -> None:
        """Take the id back from the connection, if it holds it."""


class Refused(Exception):
    """The chassis id is another switch's. ``quiet`` if that has been logged lately."""

    def __init__(self, reason: str, quiet: bool) -> None:
        super().__init__(reason)
        self.quiet = quiet


class Connection:
    """A switch's connection, from accept to close."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        endpoint: Endpoint,
        callbacks: Callbacks,
        registry: Registry,
        timing: Timing,
        visit: Visit,
        connections_per_port: int = 0,
    ) -> None:
        """``visit`` is its place among strangers, which it needs while it is no chassis."""
        self.address = address_text(sock.getpeername())
        self.certificate_name = peer_name(sock)
        self.chassis_id: str | None = None
        self.problems: tuple[str, ...] = ()
        self._connected_at = time.time()
        self._socket = sock
        # How long recv and send may block, and so how often the clock is looked at.
        self._socket.settimeout(min(1.0, timing.echo / 2))
        self._sending = hub.Semaphore()
        give_way = Turns().give_way
        self._session = Session(time.monotonic(), timing, give_way, _in_pieces)
        self._endpoint = endpoint
        self._callbacks = callbacks
        self._registry = registry
        self._visit = visit
        self._connections_per_port = connections_per_port
        self._closing: str | None = None
        self._again = False
        self._watched: tuple[str, ...] = ()
        self._shunned: frozenset[str] = frozenset()
        self._bfd: Mapping[str, str] = {}
        self.hearing = Hearing()
        self._observer = Observer(self._session.replica, give_way)
        self._plan: Plan | None = None
        """What was planned, while nothing that it rests on has changed."""
        self._in_flight = 0
        self._pace = Pace()
        self._reported: Chassis | None = None
        self._unreported: set[str] | None = None
        """Ids of ports of which something else was reported, if anything; None where that is not known."""

    def run(self) -> None:
        """Serve the connection until it ends, for whatever reason. Never raises."""
        try:
            self._loop()
        except ProtocolError as error:
            LOG.warning("%s closed: this is no Open vSwitch database, or a broken one: %s", self._name, error)
        except Refused as error:
            LOG.log(logging.DEBUG if error.quiet else logging.WARNING, "%s closed: %s", self._name, error)
        except (PeerLost, OSError) as error:
            if self._closing is not None:
                LOG.info("%s closed: %s", self._name, self._closing)
            else:
                LOG.log(logging.WARNING if self.chassis_id else logging.INFO, "%s lost: %s", self._name, error)
        except Exception:
            LOG.exception("%s closed by an error", self._name)
        finally:
            self._leave()
            self._socket.close()

    def close(self, reason: str) -> None:
        """Let the connection end; its own greenlet does."""
        self._closing = reason
        hang_up(self._socket)

    def answers(self, within: float) -> bool:
        """Return whether the switch answers an echo request in that many seconds. For other greenlets than its own."""
        before, end = self._session.heard_at, time.monotonic() + within
        if not self._sending.acquire(timeout=within):
            return False
        try:
            self._socket.sendall(PROBE)
        except OSError:
            return False
        finally:
            self._sending.release()
        while self._session.heard_at == before:
            if time.monotonic() > end:
                return False
            hub.sleep(0.02)
        return True

    def hurry(self) -> None:
        """Let its greenlet look at once at what is wanted of the switch: at the answer to this. For other greenlets."""
        with self._sending, suppress(OSError):
            self._socket.sendall(PROBE)

    def status(self) -> dict[str, Any]:
        """Return what operators want to know: times in seconds, ``connected_since`` of the epoch, the others ago."""
        controllers = self._session.replica.rows(Controller).values()
        return {
            "chassis": self.chassis_id,
            "address": self.address,
            "connected_since": self._connected_at,
            "last_seen": max(0.0, time.monotonic() - self._session.heard_at),
            "openflow_connected": any(
                row.is_connected for row in list(controllers) if row.target == self._endpoint.openflow
            ),
            "problems": list(self.problems),
            "bfd": dict(self._bfd),
        }

    @property
    def _name(self) -> str:
        return f"chassis {self.chassis_id} ({self.address})" if self.chassis_id else f"OVSDB connection {self.address}"

    def _loop(self) -> None:
        while self._closing is None:
            self._send()
            try:
                data = self._socket.recv(_RECEIVE)
            except TimeoutError as error:
                # Eventlet's exception and its timer know one another by this: a cycle each second for each switch.
                error.__traceback__ = None
                changed = False
            else:
                if not data:
                    raise PeerLost("closed by the switch")
                changed = self._session.receive(data, time.monotonic())
                # A peer that always has more to say must not keep the others waiting.
                let_others()
            now = time.monotonic()
            self._session.tick(now)
            changed |= self.chassis_id is not None and (self._watched, self._shunned) != self._asked(self.chassis_id)
            if self._session.synced and (changed or self._again):
                self._react(now)

    def _send(self) -> None:
        output = self._session.output
        if output:
            with self._sending:
                self._socket.sendall(bytes(output))
            output.clear()

    def _react(self, now: float) -> None:
        """Do what the replica, as it now is, asks for."""
        self._again = False
        self._visit.awaits(math.inf, is_idle=True)
        observation = self._observer.observe(self._session.replica.take_changes())
        if observation.news:
            self._plan = None
        problems = list(observation.problems)
        chassis, self._bfd = observation.chassis, observation.bfd
        if chassis is None or chassis.id != self.chassis_id:
            self._leave()
        if chassis is not None:
            self._enter(chassis.id)
            self._report(chassis, observation)
            problems += self._provision(observation, now)
            if observation.hearing != self.hearing:
                self.hearing = observation.hearing
                self._call(self._callbacks.on_heard)
        self._tell(tuple(problems))

    def _enter(self, chassis_id: str) -> None:
        if self.chassis_id is None:
            self._registry.claim(chassis_id, self)
            self.chassis_id = chassis_id
            self._visit.leave()
            LOG.info("chassis %s connected from %s", chassis_id, self.address)
            self._call(partial(self._callbacks.on_connected, chassis_id, self.address))

    def _leave(self) -> None:
        if self.chassis_id is not None:
            chassis_id, self.chassis_id, self._unreported = self.chassis_id, None, None
            self._call(partial(self._callbacks.on_lost, chassis_id))
            self._registry.release(chassis_id, self)
            self._visit.come_back()

    def _report(self, chassis: Chassis, observation: Observation) -> None:
        if self._unreported is not None:
            self._unreported |= observation.changed
        if self._reported != chassis or self._unreported or self._unreported is None:
            report = partial(self._callbacks.on_observed, chassis, observation.plugged, self._unreported)
            done = self._call(report)
            self._reported, self._unreported = chassis, set() if done else None
            self._again |= not done

    def _call(self, callback: Callable[[], None]) -> bool:
        try:
            callback()
        except Exception:
            LOG.exception("%s: it could not be told to the controller", self._name)
            return False
        return True

    def _provision(self, observation: Observation, now: float) -> list[str]:
        """Send the steps that are needed and due, unless some are under way; return problems."""
        asked = self._asked(self.chassis_id or "")
        if self._plan is None or asked != (self._watched, self._shunned):
            self._watched, self._shunned = asked
            self._plan = plan(
                *(self._session.replica, observation.settings, self._endpoint),
                *(self._watched, self._connections_per_port),
                shunned=self._shunned,
            )
        result = self._plan
        self._pace.forget({step.what for step in result.steps}, now)
        if not self._in_flight:
            for step in result.steps:
                if self._pace.due(step.what, now):
                    self._pace.tried(step.what, now)
                    self._in_flight += 1
                    self._session.transact(step.operations, partial(self._on_done, step))
                else:
                    self._again = True
        refused = self._pace.problems(now)
        # These end by the passing of time.
        self._again |= bool(refused)
        return result.problems + refused

    def _asked(self, chassis_id: str) -> tuple[tuple[str, ...], frozenset[str]]:
        return self._callbacks.watched(chassis_id), self._callbacks.shunned(chassis_id)

    def _on_done(self, step: Step, reply: Reply) -> None:
        self._in_flight -= 1
        if error := ops.failure(reply.result, reply.error):
            self._pace.failed(step.what, error, time.monotonic())
        else:
            self._pace.succeeded(step.what)
            LOG.info("chassis %s: %s", self.chassis_id, step.what)

    def _tell(self, problems: tuple[str, ...]) -> None:
        """Log each problem once when it comes, and once when it has gone."""
        for problem in problems:
            if problem not in self.problems:
                LOG.warning("%s: %s", self._name, problem)
        for problem in self.problems:
            if problem not in problems:
                LOG.info("%s: solved: %s", self._name, problem)
        self.problems = problems
