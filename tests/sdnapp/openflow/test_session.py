"""A session brings a switch to the desired flows, whatever the switch answers."""

import gc
from dataclasses import replace
from typing import cast

import pytest

from flows.actions import Action, Controller, Meter, Move, Output, SetField
from flows.flow import Flow, Term
from flows.pipeline import TABLES
from sdnapp import garbage
from sdnapp.openflow.encoding import encode_match
from sdnapp.openflow.meter_messages import METER_MOD
from sdnapp.openflow.receipt import Receipt
from sdnapp.openflow.session import (
    PATIENCE,
    Broken,
    Confirmed,
    Outlived,
    Send,
    Session,
    State,
    Unmetered,
)
from tests.sdnapp.openflow.wire import Wire, a_flow, a_metered_flow, table_of


def test_nothing_is_sent_before_assignment() -> None:
    session = Session()
    assert session.state is State.HELD
    assert session.update([a_flow(1)], [], 5) == []


def test_an_empty_switch_gets_every_flow_in_one_bundle() -> None:
    wire = Wire()
    flows = [a_flow(place) for place in range(1, 6)]
    wire.assign(flows, revision=7)
    assert wire.session.state is State.READING
    wire.deliver(len(wire.switch.answers) - 1)
    assert wire.session.state is State.READING
    wire.deliver()
    assert wire.session.state is State.RECONCILING
    wire.settle()
    assert wire.session.state is State.IN_SYNC
    assert wire.switch.table == table_of(flows)
    assert wire.confirmed == [Confirmed(7, 5)]
    assert (wire.session.bundles, wire.session.flow_mods_sent, wire.session.flows) == (1, 5, 5)


def test_a_second_connection_sends_nothing() -> None:
    flows = [a_flow(place) for place in range(1, 6)]
    first = Wire()
    first.assign(flows)
    first.settle()
    again = Wire(first.switch)
    again.assign(flows, revision=9)
    again.settle()
    assert again.confirmed == [Confirmed(9, 0)]
    assert again.session.flow_mods_sent == 0
    assert again.session.bundles == 0


def test_only_the_difference_is_sent() -> None:
    first = Wire()
    first.assign([a_flow(1), a_flow(2), a_flow(3)])
    first.settle()
    first.switch.flow_mods = 0
    again = Wire(first.switch)
    again.assign([a_flow(1), a_flow(2, variant=1), a_flow(4)])
    again.settle()
    assert again.switch.table == table_of([a_flow(1), a_flow(2, variant=1), a_flow(4)])
    # Two that are not known go, two that are not there come.
    assert again.switch.flow_mods == 4


def test_a_replaced_flow_is_overwritten() -> None:
    wire = Wire()
    wire.assign([a_flow(1)])
    wire.settle()
    wire.update([a_flow(1, variant=1)], [a_flow(1)])
    wire.settle()
    assert wire.switch.table == table_of([a_flow(1, variant=1)])
    assert wire.switch.flow_mods == 2
    assert wire.confirmed[-1] == Confirmed(2, 1)


def test_others_have_their_turn_while_meters_are_written_and_while_what_was_deleted_leaves_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    turns: list[None] = []
    wire, count = Wire(), 100
    wire.session = Session(give_way=lambda: turns.append(None))
    flows = [replace(a_metered_flow(n), actions=(Meter(n, 10, 20), Controller())) for n in range(1, count + 1)]
    wire.assign(flows)
    wire.deliver(len(wire.switch.answers) - 1)
    turns.clear()
    wire.deliver()
    assert wire.session.meter_mods_sent == count
    assert len(turns) == 6 * count, "what is lacking, what that is told by, what differs, meters, twice, what was known"
    wire.settle()
    wire.update(removed=flows)
    wire.deliver()
    turns.clear()
    wire.deliver()
    assert wire.confirmed[-1] == Confirmed(2, count) and len(turns) >= count


def test_the_garbage_collector_does_not_look_at_the_tables_of_a_read_back() -> None:
    wire, flows = Wire(), [a_flow(place) for place in range(1, 301)]
    for set_aside, tables in (lambda: None, 1), (garbage.set_aside, 0):
        wire.session = Session(set_aside=set_aside)
        wire.assign(flows)
        # Referrers are sought among what it looks at.
        assert sum(isinstance(each, dict) and len(each) == 300 for each in gc.get_referrers(flows[0])) == tables
    gc.unfreeze()


def test_an_empty_delta_is_confirmed_without_a_message() -> None:
    wire = Wire()
    wire.assign([a_flow(1)])
    wire.settle()
    wire.update(revision=3)
    assert wire.confirmed[-1] == Confirmed(3, 0)
    assert not wire.switch.answers


def test_what_changes_during_read_back_is_sent_once() -> None:
    wire = Wire()
    wire.assign([a_flow(1), a_flow(2)])
    wire.update([a_flow(3)], [a_flow(1)], revision=2)
    wire.update([a_flow(4)], [a_flow(3)], revision=3)
    wire.settle()
    assert wire.switch.table == table_of([a_flow(2), a_flow(4)])
    assert wire.switch.flow_mods == 2
    assert wire.confirmed == [Confirmed(3, 2)]


def test_what_changes_during_a_bundle_waits_and_is_gathered() -> None:
    wire = Wire()
    wire.assign([a_flow(1)])
    wire.read_back()
    for revision in range(2, 12):
        wire.update([a_flow(revision)], [], revision)
    assert wire.session.bundles == 1
    wire.settle()
    assert wire.session.bundles == 2
    assert wire.confirmed == [Confirmed(1, 1), Confirmed(11, 10)]


def test_a_delta_that_cancels_out_is_confirmed_with_the_bundle() -> None:
    wire = Wire()
    wire.assign([a_flow(1)])
    wire.read_back()
    wire.update([a_flow(2)], [], revision=2)
    wire.update([], [a_flow(2)], revision=3)
    wire.settle()
    assert wire.session.bundles == 1
    assert wire.confirmed == [Confirmed(3, 1)]


def test_what_may_wait_goes_with_the_next_bundle_or_alone_when_it_has_waited() -> None:
    wire = Wire()
    wire.assign([a_flow(1)])
    wire.settle()
    wire.update([a_flow(2)], revision=2, may_wait=True)
    wire.settle()
    assert wire.switch.table == table_of([a_flow(1)]) and wire.confirmed[-1].revision == 1
    wire.update([a_flow(3)], revision=3)
    wire.settle()
    assert wire.switch.table == table_of(map(a_flow, (1, 2, 3))) and wire.confirmed[-1] == Confirmed(3, 2)
    assert wire.session.bundles == 2, "one for both"
    wire.update([a_flow(4)], revision=4, may_wait=True)
    wire.perform(wire.session.send_waiting())
    wire.settle()
    assert wire.switch.table == table_of(map(a_flow, (1, 2, 3, 4))) and wire.confirmed[-1] == Confirmed(4, 1)
    assert wire.session.send_waiting() == [], "nothing waits"


def test_a_bad_flow_is_named_and_the_rest_lands() -> None:
    for how in ("disliked_at_once", "disliked_at_commit"):
        wire = Wire()
        flows = [a_flow(place) for place in range(1, 8)]
        getattr(wire.switch, how).add(flows[3].cookie)
        wire.assign(flows)
        wire.settle()
        assert wire.switch.table == table_of(flows[:3] + flows[4:])
        assert [effect.flow for effect in wire.rejected] == [flows[3]]
        assert "disliked" in wire.rejected[0].reason
        error = wire.session.last_error
        assert error is not None and error.startswith("flow of port/4 (classification) refused: disliked")
        assert wire.confirmed[-1].revision == 1
        # It is not tried again with what comes later, but when it is desired anew.
        wire.update([a_flow(9)], [])
        wire.settle()
        assert len(wire.rejected) == 1
        getattr(wire.switch, how).clear()
        wire.update([], [flows[3]])
        wire.update([flows[3]], [])
        wire.settle()
        assert wire.switch.table == table_of([*flows, a_flow(9)])


@pytest.mark.parametrize(
    "actions",
    [
        (Move("eth_src", "arp_op"),),
        (Output(1 << 40),),
        (Output(cast(int, "one")),),
        (SetField("no_field", 1),),
        (SetField("eth_dst", 1 << 50),),
        (Meter(1 << 40, 10, 20), Controller()),
        (Meter(5, 1 << 40, 20), Controller()),
        (cast(Output, None),),
    ],
)
def test_a_flow_that_cannot_be_encoded_is_rejected_and_the_rest_lands(actions: tuple[Action, ...]) -> None:
    wire = Wire()
    bad = Flow(0, 1, (), actions, "miss", "port/bad")
    wire.assign([a_flow(1), bad, a_flow(2)])
    wire.settle()
    assert wire.switch.table == table_of([a_flow(1), a_flow(2)])
    assert [effect.flow for effect in wire.rejected] == [bad]
    wire.update([], [bad])
    wire.settle()
    assert wire.confirmed[-1] == Confirmed(2, 0)


def test_a_bad_replacement_does_not_leave_the_old_flow() -> None:
    for how in ("disliked_at_once", "disliked_at_commit"):
        wire = Wire()
        wire.assign([a_flow(1)])
        wire.settle()
        getattr(wire.switch, how).add(a_flow(1, variant=1).cookie)
        wire.update([a_flow(1, variant=1)], [a_flow(1)])
        wire.settle()
        assert wire.switch.table == {}
        assert wire.confirmed[-1].revision == 2


def test_it_ends_when_every_flow_is_bad() -> None:
    for how in ("disliked_at_once", "disliked_at_commit", "disliked_silently"):
        wire = Wire()
        flows = [a_flow(place) for place in range(1, 101)]
        getattr(wire.switch, how).update(flow.cookie for flow in flows)
        wire.assign(flows)
        wire.settle()
        assert wire.session.rejected == 100, how
        assert {effect.flow for effect in wire.rejected} == set(flows)
        assert wire.switch.table == {}
        assert wire.confirmed[-1].revision == 1
        assert wire.session.state is State.IN_SYNC


def test_many_bad_flows_among_many_cost_little() -> None:
    wire = Wire()
    flows = [a_flow(place) for place in range(1, 2001)]
    wire.switch.disliked_at_commit.update(flow.cookie for flow in flows[::100])
    wire.assign(flows)
    wire.settle()
    assert wire.session.rejected == 20
    assert len(wire.switch.table) == 1980
    # One bundle of all that is left for each bad flow would make it 20 times.
    assert wire.session.flow_mods_sent < 12 * len(flows)


def test_a_passing_failure_rejects_nobody() -> None:
    wire = Wire()
    wire.switch.silent_failures = PATIENCE
    wire.assign([a_flow(1)])
    wire.settle()
    assert wire.rejected == []
    assert wire.switch.table == table_of([a_flow(1)])


def test_longer_trouble_forgets_nothing() -> None:
    wire = Wire()
    for place in range(10):
        wire.switch.table[0, 5, encode_match(a_flow(place).match)] = 77, b""
    # Long enough for bundles to be halved, twice.
    wire.switch.silent_failures = PATIENCE + 2
    wire.assign([a_flow(1), a_flow(2)])
    wire.settle()
    assert wire.rejected == []
    assert wire.switch.table == table_of([a_flow(1), a_flow(2)])


def test_a_flow_that_looks_like_ours_is_not_trusted() -> None:
    wire = Wire()
    wire.assign([a_flow(1), a_flow(2)])
    wire.settle()
    # Somebody copied a line of a dump, changed the port in it, and added it twice.
    for port in (98, 99):
        wire.switch.table[0, 100, encode_match((Term("in_port", port, None),))] = a_flow(1).cookie, b""
    # And once in another table, and at another priority, in place of the right one.
    del wire.switch.table[a_flow(2).table, a_flow(2).priority, encode_match(a_flow(2).match)]
    wire.switch.table[5, 100, encode_match(a_flow(2).match)] = a_flow(2).cookie, b""
    wire.switch.table[0, 99, encode_match(a_flow(2).match)] = a_flow(2).cookie, b""
    wire = Wire(wire.switch)
    wire.assign([a_flow(1), a_flow(2)])
    wire.settle()
    assert wire.switch.table == table_of([a_flow(1), a_flow(2)])


def test_a_switch_that_does_not_tell_its_flows_breaks_the_session() -> None:
    session = Session(first_xid=5)
    session.assign([a_flow(1)], 1)
    assert [session.expects(xid) for xid in range(4, 9)] == [False, True, True, True, False]
    (effect,) = session.refused(5, "no")
    assert isinstance(effect, Broken) and "no" in effect.reason


def test_late_and_foreign_answers_change_nothing() -> None:
    wire = Wire()
    wire.assign([a_flow(1)])
    wire.settle()
    before = wire.session.next_xid
    for xid in range(before + 2):
        assert not wire.session.expects(xid)
        wire.perform(wire.session.refused(xid, "late"))
        wire.perform(wire.session.barrier_passed(xid))
        wire.perform(wire.session.bundle_committed(xid))
        wire.perform(wire.session.entries_read(xid, [], False))
    assert wire.session.state is State.IN_SYNC
    assert len(wire.confirmed) == 1 and not wire.rejected


def test_transaction_ids_wrap() -> None:
    wire = Wire()
    wire.session = Session(first_xid=(1 << 32) - 3)
    wire.switch.disliked_at_commit.add(a_flow(3).cookie)
    wire.assign([a_flow(place) for place in range(1, 6)])
    wire.settle()
    assert wire.session.next_xid < 100
    assert [effect.flow for effect in wire.rejected] == [a_flow(3)]
    assert len(wire.switch.table) == 4


def test_meters_come_before_the_flows_that_name_them_and_go_after_them() -> None:
    wire = Wire()
    wire.assign([a_metered_flow(1), a_metered_flow(3)])
    wire.settle()
    assert wire.switch.meters == {2: Meter(2, 10, 20)} and not wire.rejected
    wire.update([a_metered_flow(2)], [a_metered_flow(1)], revision=2)
    wire.settle()
    assert wire.switch.meters.keys() == {1, 2}
    wire.update([], [a_metered_flow(3)], revision=3)
    wire.settle()
    assert wire.switch.meters.keys() == {1} and wire.switch.table == table_of([a_metered_flow(2)])
    assert wire.confirmed[-1] == Confirmed(3, 1)
    assert wire.session.meter_mods_sent == wire.switch.meter_mods == 3


def test_a_second_connection_sends_no_meter() -> None:
    flows = [a_metered_flow(place) for place in range(1, 6)]
    first = Wire()
    first.assign(flows)
    first.settle()
    again = Wire(first.switch)
    again.assign(flows)
    again.settle()
    assert (again.session.flow_mods_sent, again.session.meter_mods_sent) == (0, 0)


def test_foreign_and_altered_meters_are_put_right() -> None:
    first = Wire()
    first.assign([a_metered_flow(1)])
    first.settle()
    first.switch.meters |= {2: Meter(2, 999, 20), 7: Meter(7, 1, 1)}
    again = Wire(first.switch)
    again.assign([a_metered_flow(1)])
    again.settle()
    assert again.switch.meters == {2: Meter(2, 10, 20)}
    assert (again.session.flow_mods_sent, again.session.meter_mods_sent) == (0, 2)


def test_a_switch_without_meters_gets_the_same_flows_without_them() -> None:
    wire = Wire()
    wire.switch.most_meters = 0
    wire.assign([a_metered_flow(1), a_flow(2)])
    wire.settle()
    assert wire.unmetered == 1 and not wire.session.metered and not wire.rejected
    assert wire.holds() == {a_metered_flow(1).cookie, a_flow(2).cookie}
    again = Wire(wire.switch)
    again.assign([a_metered_flow(1), a_flow(2)])
    again.settle()
    assert (again.session.flow_mods_sent, again.session.meter_mods_sent) == (0, 0)


def test_a_switch_that_knows_nothing_of_meters_has_none() -> None:
    session = Session(first_xid=5)
    session.assign([a_metered_flow(1)], 1)
    assert session.refused(6, "bad request") == [Unmetered()] and session.refused(7, "bad request") == []
    (send,) = session.entries_read(5, [], False)
    assert isinstance(send, Send) and not any(message[1] == METER_MOD for message in send.messages)


def test_a_meter_that_is_refused_costs_its_flows_and_is_tried_again_with_them() -> None:
    wire = Wire()
    wire.switch.disliked_meters = {2}
    wire.assign([a_metered_flow(1), a_metered_flow(2), a_flow(4)])
    wire.settle()
    assert [effect.flow for effect in wire.rejected] == [a_metered_flow(1)]
    assert wire.holds() == {a_metered_flow(2).cookie, a_flow(4).cookie}
    wire.switch.disliked_meters.clear()
    wire.update([a_metered_flow(3)], [], revision=2)
    wire.settle()
    assert wire.switch.meters.keys() == {1, 2} and a_metered_flow(3).cookie in wire.holds()


def test_a_receipt_says_what_was_read_and_done() -> None:
    first = Wire()
    first.assign([a_flow(place) for place in range(1, 5)])
    first.settle()
    assert first.receipts == [Receipt(0, 4, tuple(f"port/{place}" for place in range(1, 5)), 4, 0, 0, 0)]
    again = Wire(first.switch)
    again.assign([a_flow(1), a_flow(2), a_flow(3, variant=1), a_flow(9)])
    again.settle()
    assert again.receipts == [Receipt(4, 2, ("port/3", "port/9"), 1, 1, 1, 0)]
    again.update([a_flow(5)], [], revision=2)
    again.settle()
    assert len(again.receipts) == 1
    third = Wire(first.switch)
    third.assign([a_flow(1), a_flow(2), a_flow(3, variant=1), a_flow(9), a_flow(5)])
    third.settle()
    assert third.receipts == [Receipt(5, 0, (), 0, 0, 0, 0)]


def test_a_receipt_counts_what_is_refused_and_what_changes_meanwhile() -> None:
    wire = Wire()
    wire.switch.disliked_at_commit.add(a_flow(3).cookie)
    wire.assign([a_flow(1), a_flow(3)])
    wire.update([a_flow(4)], [], revision=2)
    wire.settle()
    assert wire.receipts == [Receipt(0, 3, ("port/1", "port/3", "port/4"), 2, 0, 0, 1)]


def test_a_receipt_knows_a_match_whose_fields_stand_in_another_order() -> None:
    first = Wire()
    flow = Flow(
        *(0, 100, (Term("eth_type", 0x0800, None), Term("in_port", 1, None)), (Output(1),)), "classification", "port/1"
    )
    match = encode_match(flow.match)
    in_port, eth_type = match[4:12], match[12:18]
    first.switch.table[0, 100, match[:4] + eth_type + in_port + match[18:]] = 77, b""
    first.assign([flow])
    first.settle()
    assert first.receipts == [Receipt(1, 1, ("port/1",), 0, 1, 0, 0)]


def test_flows_of_another_shape_outlive_the_change() -> None:
    wire = Wire()
    key = (253, 100, encode_match(a_flow(7).match))
    assert key[0] not in TABLES.by_number
    wire.switch.table = {key: (77, b""), (0, 100, encode_match(a_flow(1).match)): (78, b"")}
    wire.switch.meters = {9: Meter(9, 1, 1)}
    wire.assign([a_flow(1)])
    wire.settle()
    assert wire.switch.table == table_of([a_flow(1)]) | {key: (77, b"")}
    assert wire.receipts == [Receipt(2, 1, ("port/1",), 0, 1, 1, 0)]
    assert wire.outlived == [Outlived(1)] and wire.switch.meters
    wire.perform(wire.session.clear_out())
    wire.settle()
    assert wire.switch.table == table_of([a_flow(1)]) and not wire.switch.meters
    assert wire.session.clear_out() == []


def test_what_is_assigned_again_is_compared_with_what_the_switch_holds() -> None:
    wire = Wire()
    wire.assign([a_flow(1), a_flow(2), a_metered_flow(4)])
    wire.settle()
    wire.switch.table = table_of([a_flow(2), a_flow(9)])
    wire.assign([a_flow(1), a_flow(2), a_flow(3)], revision=2)
    wire.settle()
    assert wire.switch.table == table_of([a_flow(1), a_flow(2), a_flow(3)])
    assert wire.session.flows == 3 and wire.confirmed[-1].revision == 2 and not wire.switch.meters
    assert len(wire.receipts) == 1


def test_what_is_assigned_again_during_a_bundle_is_read_back_behind_it() -> None:
    wire = Wire()
    wire.assign([a_flow(1), a_flow(2)])
    wire.read_back()
    wire.assign([a_flow(2), a_flow(3)], revision=2)
    wire.settle()
    assert wire.switch.table == table_of([a_flow(2), a_flow(3)])
    assert wire.session.flows == 2 and [each.revision for each in wire.confirmed] == [2]
