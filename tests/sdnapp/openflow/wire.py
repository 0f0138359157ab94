"""A session and a fake switch, with what lies between them, delivered message by message."""

from collections.abc import Iterable

from flows.actions import Controller, Meter, Output
from flows.flow import Flow, Term
from sdnapp.openflow.encoding import addition, encode_match
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
from tests.sdnapp.openflow.fake_switch import FakeSwitch


def a_flow(place: int, variant: int = 0) -> Flow:
    """Flows of one place have one key: a switch holds only one of them."""
    return Flow(0, 100, (Term("in_port", place, None),), (Output(variant),), "classification", f"port/{place}")


def a_metered_flow(place: int, rate: int = 10) -> Flow:
    """Flows of places that differ by 2 name one meter."""
    actions = (Meter(1 + place % 2, rate, 20), Controller())
    return Flow(0, 100, (Term("in_port", place, None),), actions, "dhcp", f"port/{place}")


class Wire:
    """A session and a switch, with what lies between them."""

    def __init__(self, switch: FakeSwitch | None = None) -> None:
        self.switch = switch or FakeSwitch()
        self.switch.answers.clear()
        self.session = Session()
        self.confirmed: list[Confirmed] = []
        self.rejected: list[Rejected] = []
        self.broken: list[Broken] = []
        self.unmetered = 0
        self.receipts: list[Receipt] = []
        self.outlived: list[Outlived] = []

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.switch.take(effect.messages)
            elif isinstance(effect, Confirmed):
                self.confirmed.append(effect)
            elif isinstance(effect, Rejected):
                self.rejected.append(effect)
            elif isinstance(effect, Unmetered):
                self.unmetered += 1
            elif isinstance(effect, Outlived):
                self.outlived.append(effect)
            elif isinstance(effect, Reconciled):
                self.receipts.append(effect.receipt)
            else:
                self.broken.append(effect)

    def assign(self, flows: Iterable[Flow], revision: int = 1) -> None:
        self.perform(self.session.assign(flows, revision))

    def update(
        self, added: Iterable[Flow] = (), removed: Iterable[Flow] = (), revision: int = 2, *, may_wait: bool = False
    ) -> None:
        self.perform(self.session.update(added, removed, revision, may_wait=may_wait))

    def deliver(self, count: int = 1) -> None:
        for _ in range(count):
            self.perform(self.switch.answers.popleft()(self.session))

    def read_back(self) -> None:
        """Deliver the answers to a read-back, and no more."""
        while self.session.state is State.READING:
            self.deliver()

    def settle(self) -> None:
        while self.switch.answers:
            self.deliver()

    def holds(self) -> set[int]:
        return {cookie for cookie, _ in self.switch.table.values()}


def nothing_read(session: Session) -> list[Effect]:
    """What a bare switch answers to a read-back whose transaction ids begin with 1."""
    return [
        *session.meters_limited(2, 100),
        *session.meters_read(3, [], more=False),
        *session.entries_read(1, [], more=False),
    ]


def table_of(flows: Iterable[Flow]) -> dict[tuple[int, int, bytes], tuple[int, bytes]]:
    return {
        (flow.table, flow.priority, encode_match(flow.match)): (
            flow.cookie,
            addition(flow)[40 + len(encode_match(flow.match)) :],
        )
        for flow in flows
    }
