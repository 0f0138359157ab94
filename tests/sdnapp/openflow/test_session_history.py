"""A session brings a switch to the desired flows, whatever happens in whatever order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flows.actions import Meter
from flows.flow import Flow
from sdnapp.openflow.encoding import encode_match
from sdnapp.openflow.session import State
from tests.sdnapp.openflow.wire import Wire, a_flow, a_metered_flow, table_of

PLACES = st.integers(1, 5)
VARIANTS = st.integers(0, 2)
FLOW = st.one_of(st.builds(a_flow, PLACES, VARIANTS), st.builds(a_metered_flow, PLACES))


class AnyHistory(RuleBasedStateMachine):
    """Deltas, refusals, foreign flows, reconnections and restarts, interleaved with single answers of the switch."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = Wire()
        self.desired: dict[int, Flow] = {}
        self.history: list[frozenset[Flow]] = [frozenset()]
        """What was desired at each revision."""
        self.revision = 0
        self.assigned = False

    def desire(self, changes: list[Flow | int]) -> tuple[list[Flow], list[Flow]]:
        """Apply changes to what is desired, one flow a place, and return the delta."""
        before = set(self.desired.values())
        for change in changes:
            if isinstance(change, int):
                self.desired.pop(change, None)
            else:
                self.desired[change.match[0].value] = change
        self.revision += 1
        after = set(self.desired.values())
        self.history.append(frozenset(after))
        return [*(after - before)], [*(before - after)]

    @rule(changes=st.lists(st.one_of(FLOW, PLACES), max_size=4), may_wait=st.booleans())
    def update(self, changes: list[Flow | int], may_wait: bool) -> None:
        added, removed = self.desire(changes)
        self.wire.update(added, removed, self.revision, may_wait=may_wait)

    @rule()
    def send_waiting(self) -> None:
        self.wire.perform(self.wire.session.send_waiting())

    @rule(changes=st.lists(st.one_of(FLOW, PLACES), max_size=4))
    def assign(self, changes: list[Flow | int]) -> None:
        self.desire(changes)
        self.wire.assign(self.desired.values(), self.revision)
        self.assigned = True

    @precondition(lambda self: self.wire.switch.answers)
    @rule(count=st.integers(1, 4))
    def deliver(self, count: int) -> None:
        self.wire.deliver(min(count, len(self.wire.switch.answers)))

    @rule(at_once=st.sets(FLOW, max_size=2), at_commit=st.sets(FLOW, max_size=2), failures=st.integers(0, 2))
    def dislike(self, at_once: set[Flow], at_commit: set[Flow], failures: int) -> None:
        self.wire.switch.disliked_at_once = {flow.cookie for flow in at_once}
        self.wire.switch.disliked_at_commit = {flow.cookie for flow in at_commit}
        self.wire.switch.silent_failures = failures

    @rule()
    def reconnect(self) -> None:
        self.wire = Wire(self.wire.switch)
        self.wire.switch._bundles.clear()
        self.assigned = False

    @rule(place=st.integers(1, 9), cookie=st.integers(0, 3))
    def somebody_adds_a_flow_while_we_are_away(self, place: int, cookie: int) -> None:
        self.wire.switch.table[0, 100, encode_match(a_flow(place).match)] = cookie, b""
        self.reconnect()

    @rule(number=st.integers(1, 4), rate=st.integers(9, 10), most=st.sampled_from([0, 1, 100]))
    def somebody_adds_a_meter_while_we_are_away(self, number: int, rate: int, most: int) -> None:
        self.switch_restarts()
        self.wire.switch.most_meters = most
        self.wire.switch.meters = {number: Meter(number, rate, 20)} if most else {}

    @rule()
    def switch_restarts(self) -> None:
        self.wire.switch.table.clear()
        self.wire.switch.meters.clear()
        self.reconnect()

    @invariant()
    def what_is_confirmed_is_held(self) -> None:
        """A flow that was desired at the confirmed revision, and ever since, is on the switch, unless refused."""
        if self.wire.confirmed:
            confirmed = self.wire.confirmed[-1].revision
            ever_since = frozenset.intersection(*self.history[confirmed:])
            missing = {flow for flow in ever_since if flow.cookie not in self.wire.holds()}
            assert missing <= {effect.flow for effect in self.wire.rejected}

    @rule()
    def settles(self) -> None:
        if not self.assigned:
            self.assign([])
        self.send_waiting()
        self.wire.settle()
        session, switch = self.wire.session, self.wire.switch
        assert session.state is State.IN_SYNC
        assert not self.wire.broken
        assert self.wire.confirmed[-1].revision == self.revision
        rejected = {effect.flow for effect in self.wire.rejected}
        wanted = set(self.desired.values())
        held = switch.table
        assert {flow for flow in wanted if flow.cookie not in self.wire.holds()} <= rejected
        assert held.keys() <= table_of(wanted).keys()
        assert all(held[key][0] == table_of(wanted)[key][0] for key in held)
        assert session.flows == len(held)
        named = {flow.meter.number: flow.meter for flow in wanted if flow.meter is not None}
        assert switch.meters.items() <= named.items()
        if switch.most_meters == 100:
            assert switch.meters == named


AnyHistory.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase
