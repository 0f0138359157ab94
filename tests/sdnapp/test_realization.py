"""Port status tells the truth: who counts, and until when."""

from flows.actions import Output
from flows.delta import Delta
from flows.flow import Flow, flow
from flows.pipeline import DELIVERY
from sdnapp.realization import CONFIRMED, DEAD, PENDING, SILENT, SYNCING, Realization, is_active
from topology.turns import STRIDE

OWNERS = ("port/p", "network/n")


def flow_of(owner: str, number: int = 1) -> Flow:
    return flow(DELIVERY, "local", "delivery", owner, Output(number), to_port=number)


def change(*added: Flow, removed: tuple[Flow, ...] = ()) -> Delta:
    return Delta(added, removed)


def synced(*chassis: str) -> Realization:
    realization = Realization()
    for chassis_id in chassis:
        realization.connected(chassis_id, 1)
        realization.confirmed(chassis_id, 1)
    return realization


def test_a_chassis_counts_from_its_first_confirmation() -> None:
    realization = Realization()
    assert realization.standing("a", OWNERS) == DEAD
    realization.connected("a", 1)
    assert realization.standing("a", OWNERS) == SYNCING
    realization.confirmed("a", 5)
    assert realization.standing("a", OWNERS) == CONFIRMED
    assert realization.progress("a").confirmed == 5


def test_a_change_is_pending_until_its_own_revision_is_confirmed() -> None:
    realization = synced("a")
    realization.changed("a", change(flow_of("port/p")), 7)
    realization.confirmed("a", 6)
    assert realization.standing("a", OWNERS) == PENDING
    assert realization.standing("a", ["port/other"]) == CONFIRMED
    realization.confirmed("a", 7)
    assert realization.standing("a", OWNERS) == CONFIRMED


def test_a_removal_is_pending_as_well() -> None:
    realization = synced("a")
    realization.changed("a", change(removed=(flow_of("port/p"),)), 7)
    assert realization.standing("a", OWNERS) == PENDING


def test_a_rejected_flow_is_named_until_it_goes() -> None:
    realization = synced("a")
    bad, other = flow_of("port/p", 1), flow_of("port/p", 2)
    for refused in (bad, other):
        realization.rejected("a", refused, "bad action")
    assert realization.standing("a", OWNERS) == "rejected: delivery: bad action"
    assert list(realization.rejections()) == 2 * [("a", "port/p", "delivery: bad action")]
    realization.changed("a", change(flow_of("port/p", 3), removed=(other,)), 8)
    realization.confirmed("a", 8)
    assert realization.standing("a", OWNERS) == "rejected: delivery: bad action", "the bad one is still missing"
    realization.changed("a", change(removed=(bad,)), 9)
    assert realization.standing("a", OWNERS) == PENDING
    realization.confirmed("a", 9)
    assert realization.standing("a", OWNERS) == CONFIRMED
    assert not list(realization.rejections())


def test_a_confirmation_from_before_it_was_given_its_flows_does_not_count() -> None:
    realization = Realization()
    realization.connected("a", 5)
    realization.confirmed("a", 4)
    assert realization.standing("a", OWNERS) == SYNCING
    realization.confirmed("a", 5)
    assert realization.standing("a", OWNERS) == CONFIRMED


def test_a_returning_chassis_starts_from_nothing() -> None:
    realization = synced("a", "b")
    realization.disconnected("a")
    assert realization.is_realized(1)
    realization.connected("a", 1)
    assert realization.standing("a", OWNERS) == SYNCING
    assert realization.is_realized(1), "one that returns does not count before it is in sync"
    assert not realization.is_realized(2)
    realization.confirmed("b", 2)
    assert realization.is_realized(2)


def test_one_that_says_nothing_holds_nobody_up_and_confirms_what_it_was_told_before_it_counts_again() -> None:
    realization = synced("a", "b")
    realization.heard("a", is_heard=False)
    realization.changed("a", change(flow_of("port/p")), 2)
    realization.reached(2)
    assert realization.standing("a", OWNERS) == SILENT and realization.is_realized(2)
    assert is_active("b", {"b": CONFIRMED, "a": SILENT}) and not is_active("a", {"a": SILENT})
    realization.heard("a", is_heard=True)
    assert realization.standing("a", OWNERS) == SYNCING
    realization.confirmed("a", 2)
    assert realization.standing("a", OWNERS) == CONFIRMED
    realization.heard("a", is_heard=False)
    realization.confirmed("a", 2)
    assert realization.standing("a", OWNERS) == SILENT, "a word that was on its way is no answer"
    realization.heard("a", is_heard=True)
    assert realization.standing("a", OWNERS) == CONFIRMED, "it was told nothing meanwhile"


def test_while_a_large_change_is_noted_others_have_their_turn_and_see_nothing_of_it() -> None:
    seen: list[str] = []
    realization = Realization(lambda: seen.append(realization.standing("a", OWNERS)))
    realization.connected("a", 1)
    realization.confirmed("a", 1)
    crowd = tuple(flow_of("port/p", number) for number in range(3 * STRIDE))
    realization.changed("a", change(*crowd, removed=crowd), 7)
    assert seen == [CONFIRMED] * 6
    assert realization.standing("a", OWNERS) == PENDING
    realization.confirmed("a", 7)
    assert realization.standing("a", OWNERS) == CONFIRMED


def test_events_of_an_unknown_chassis_change_nothing() -> None:
    realization = Realization()
    realization.changed("x", change(flow_of("port/p")), 1)
    realization.confirmed("x", 1)
    realization.rejected("x", flow_of("port/p"), "no")
    realization.heard("x", is_heard=False)
    realization.disconnected("x")
    assert realization.standing("x", OWNERS) == DEAD
    assert not list(realization.rejections())


def test_active_needs_the_own_chassis_and_every_other_that_counts() -> None:
    assert is_active("a", {"a": CONFIRMED})
    assert is_active("a", {"a": CONFIRMED, "b": DEAD, "c": SYNCING})
    assert not is_active("a", {"a": CONFIRMED, "b": PENDING})
    assert not is_active("a", {"a": CONFIRMED, "b": "rejected: no"})
    assert not is_active("a", {"a": DEAD})
    assert not is_active("a", {"a": SYNCING})
    assert not is_active("a", {})


def test_what_changes_nothing_of_a_chassis_needs_no_word_of_it() -> None:
    realization = synced("a", "b")
    realization.changed("a", change(flow_of("port/p")), 2)
    realization.reached(2)
    realization.reached(3)
    assert realization.progress("b").confirmed == 3 and realization.progress("a").confirmed == 1
    assert realization.is_realized(1) and not realization.is_realized(2)
    realization.changed("a", change(flow_of("port/q")), 4)
    realization.reached(4)
    realization.confirmed("a", 2)
    assert realization.is_realized(3), "the next change of the chassis came after that"
    assert not realization.is_realized(4)
    realization.confirmed("a", 4)
    assert realization.is_realized(4)


def test_a_difference_of_several_revisions_confirms_none_of_them_before_it_is_there() -> None:
    realization = synced("a", "b")
    realization.reached(3)
    assert realization.is_realized(3)
    realization.changed("a", change(flow_of("port/p")), 6)
    realization.reached(6)
    assert realization.progress("a").confirmed == 3 and realization.progress("b").confirmed == 6
    assert not realization.is_realized(4), "what came with revision 4 may be part of it"
    realization.changed("a", change(flow_of("port/q")), 8)
    realization.reached(8)
    realization.confirmed("a", 6)
    assert realization.progress("a").confirmed == 6 and not realization.is_realized(7)
    realization.confirmed("a", 8)
    assert realization.is_realized(8)


def test_others_have_their_turn_while_much_is_confirmed_and_it_is_so_when_all_of_it_is() -> None:
    seen: list[bool] = []
    realization, many = Realization(lambda: seen.append(realization.is_realized(7))), 4 * STRIDE
    realization.connected("a", 1)
    realization.confirmed("a", 1)
    realization.changed("a", change(*(flow_of(f"port/{number}", number) for number in range(many))), 7)
    realization.reached(7)
    seen.clear()
    realization.confirmed("a", 7)
    assert seen == 4 * [False]
    assert realization.is_realized(7)
    assert realization.standing("a", [f"port/{number}" for number in range(many)]) == CONFIRMED
