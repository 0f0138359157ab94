"""Packets that flows cannot answer alone: found by the cookie of the flow that sent them, answered from the port's row.

Counts every outcome, so that an operator sees what instances asked and what was refused.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from flows.actions import Controller as ToController
from flows.delta import Delta
from flows.flow import Flow
from sdnapp.dhcp.responder import Refusal, respond
from sdnapp.dhcp.service import DhcpSettings, PortService, dhcp_service
from topology.store import Store
from topology.values import Network, Port, Row, Subnet

LOG = logging.getLogger(__name__)


class Responders:
    """Knows the flows that lead to the controller, and answers what they bring."""

    def __init__(self, store: Store, settings: DhcpSettings) -> None:
        self._store = store
        self._settings = settings
        self._flows: dict[int, Flow] = {}
        self._services: dict[str, tuple[tuple[Row | None, ...], PortService | None]] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often each (feature, outcome) has happened."""

    def learn(self, flows: Iterable[Flow]) -> None:
        """Take note of all flows that switches will hold; none but them lead here."""
        self._flows.clear()
        self._services.clear()
        self.follow([Delta(tuple(flows), ())])

    def follow(self, deltas: Iterable[Delta]) -> None:
        """Take note of which flows come and go. One that moves between chassis keeps its cookie, and so its place."""
        deltas = list(deltas)
        for delta in deltas:
            for flow in delta.removed:
                if self._flows.pop(flow.cookie, None) is not None:
                    self._services.pop(flow.owner, None)
        for delta in deltas:
            for flow in delta.added:
                if any(isinstance(action, ToController) for action in flow.actions):
                    self._flows[flow.cookie] = flow

    def account(self, cookie: int) -> tuple[str, str] | None:
        """Return the project and the port at whose cost a packet is answered; None if its flow is no more."""
        flow = self._flows.get(cookie)
        port = self._store.get(Port, flow.owner.removeprefix("port/")) if flow is not None else None
        return (port.project_id, port.id) if port is not None else None

    def answer(self, cookie: int, frame: bytes) -> bytes | None:
        """Return the frame that answers one, to go back where it came from; None for silence."""
        flow = self._flows.get(cookie)
        if flow is None:
            self.counts["unknown", "stale flow"] += 1
            return None
        service = self._service(flow.owner)
        if service is None:
            self.counts[flow.feature, "not served"] += 1
            return None
        try:
            reply = respond(frame, service)
        except Exception:
            # Whatever an instance sends must cost this frame alone.
            LOG.exception("a %s frame of %s could not be answered", flow.feature, flow.owner)
            self.counts[flow.feature, "failed"] += 1
            return None
        if isinstance(reply, Refusal):
            self.counts[flow.feature, str(reply.reason)] += 1
            LOG.debug("%s of %s refused: %s", flow.feature, flow.owner, reply)
            return None
        self.counts[flow.feature, "answered"] += 1
        return reply

    def _service(self, owner: str) -> PortService | None:
        port = self._store.get(Port, owner.removeprefix("port/"))
        if port is None:
            return None
        network = self._store.get(Network, port.network_id)
        subnets = [self._store.get(Subnet, fixed.subnet_id) for fixed in port.fixed_ips]
        rows: tuple[Row | None, ...] = (port, network, *subnets)
        known = self._services.get(owner)
        if (
            known is not None
            and len(known[0]) == len(rows)
            and all(a is b for a, b in zip(known[0], rows, strict=True))
        ):
            return known[1]
        present = [subnet for subnet in subnets if subnet is not None]
        service = dhcp_service(port, network, present, self._settings) if network is not None else None
        self._services[owner] = (rows, service)
        return service
