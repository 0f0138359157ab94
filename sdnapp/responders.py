"""Packets that flows cannot answer alone: found by the cookie of the flow that sent them, answered from the port's row.

Counts every outcome, so that an operator sees what instances asked and what was refused.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from operator import is_
from typing import NamedTuple

from flows.actions import Controller as ToController
from flows.delta import Delta
from flows.flow import Flow
from sdnapp.dhcp.responder import Refusal, respond
from sdnapp.dhcp.service import DhcpSettings, PortService, dhcp_service
from sdnapp.router_icmp import Silence, report
from topology.store import Store
from topology.turns import GiveWay, by_turns, nobody_waits
from topology.values import Network, Port, Router, Row, Subnet

LOG = logging.getLogger(__name__)
_ACCOUNTS: dict[str, type[Port | Router | Network]] = {"router": Router, "network": Network}
"""Kinds of owners at whose cost packets are answered; all others are ports."""


class _Known(NamedTuple):
    """What DHCP says to a port, the rows that it follows from, and the store's revision when that was so."""

    revision: int
    rows: tuple[Row | None, ...]
    service: PortService | None


def leads_here(flow: Flow) -> bool:
    """Return whether a flow sends packets to the controller."""
    return ToController in map(type, flow.actions)


class Responders:
    """Knows the flows that lead to the controller, and answers what they bring."""

    def __init__(
        self, store: Store, settings: DhcpSettings, hear: Callable[[Flow, bytes], str] = lambda flow, frame: "not heard"
    ) -> None:
        """``hear`` is told what neighbours on physical networks and holders of virtual addresses say.

        It returns what that was, in words.
        """
        self._hear = hear
        self._store = store
        self._settings = settings
        self._flows: dict[int, Flow] = {}
        self._holders: Counter[int] = Counter()
        """How many chassis hold each of them, by cookie."""
        self._services: dict[str, _Known] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often each (feature, outcome) has happened."""

    def learn(self, flows: Iterable[Flow], give_way: GiveWay = nobody_waits) -> None:
        """Take note of all flows that switches will hold; none but them lead here. Others may have their turn."""
        self._flows.clear()
        self._holders.clear()
        self._services.clear()
        self.follow([Delta(tuple(flows), ())], give_way)

    def follow(self, deltas: Iterable[Delta], give_way: GiveWay = nobody_waits) -> None:
        """Take note of which flows come and go. One that moves between chassis keeps its cookie, and so its place.

        Others may have their turn meanwhile: what comes is noted first, so that they find what moves.
        """
        deltas = list(deltas)
        for flow in by_turns((flow for delta in deltas for flow in delta.added), give_way):
            if leads_here(flow):
                self._flows[flow.cookie] = flow
                self._holders[flow.cookie] += 1
        for flow in by_turns((flow for delta in deltas for flow in delta.removed), give_way):
            if flow.cookie in self._flows:
                self._holders[flow.cookie] -= 1
                if not self._holders[flow.cookie]:
                    del self._flows[flow.cookie], self._holders[flow.cookie]
                    self._services.pop(flow.owner, None)

    def account(self, cookie: int) -> tuple[str, str] | None:
        """Return the project and what of it a packet is answered at the cost of; None if its flow is no more."""
        flow = self._flows.get(cookie)
        if flow is None:
            return None
        kind, _, owner_id = flow.owner.partition("/")
        row: Port | Router | Network | None = self._store.get(_ACCOUNTS.get(kind, Port), owner_id)
        return (row.project_id, row.id) if row is not None else None

    def answer(self, cookie: int, frame: bytes) -> bytes | None:
        """Return the frame that answers one, to go back where it came from; None for silence."""
        flow = self._flows.get(cookie)
        if flow is None:
            self.counts["unknown", "stale flow"] += 1
            return None
        try:
            reply = self._reply(flow, frame)
        except Exception:
            # Whatever an instance sends must cost this frame alone.
            LOG.exception("a %s frame of %s could not be answered", flow.feature, flow.owner)
            self.counts[flow.feature, "failed"] += 1
            return None
        if isinstance(reply, Refusal | Silence):
            self.counts[flow.feature, str(reply.reason)] += 1
            LOG.debug("%s of %s refused: %s", flow.feature, flow.owner, reply)
            return None
        self.counts[flow.feature, "answered"] += 1
        return reply

    def _reply(self, flow: Flow, frame: bytes) -> bytes | Refusal | Silence:
        if flow.feature in ("upstream", "virtual_addresses"):
            return Silence(self._hear(flow, frame))
        if flow.feature == "icmp":
            return report(self._store, flow, frame)
        service = self._service(flow.owner)
        return Silence("not served") if service is None else respond(frame, service)

    def _service(self, owner: str) -> PortService | None:
        known = self._services.get(owner)
        if known is not None and known.revision == self._store.revision:
            return known.service
        port = self._store.get(Port, owner.removeprefix("port/"))
        if port is None:
            return None
        network = self._store.get(Network, port.network_id)
        subnets = [self._store.get(Subnet, fixed.subnet_id) for fixed in port.fixed_ips]
        rows: tuple[Row | None, ...] = (port, network, *subnets)
        if known is not None and len(known.rows) == len(rows) and all(map(is_, known.rows, rows)):
            service = known.service
        else:
            present = [subnet for subnet in subnets if subnet is not None]
            service = dhcp_service(port, network, present, self._settings) if network is not None else None
        self._services[owner] = _Known(self._store.revision, rows, service)
        return service
