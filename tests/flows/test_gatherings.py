"""What rows say together: kept in order and counted, and what follows from each thing at a chassis by itself."""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from flows.gatherings import MANY, Gathering
from flows.memo import Memo
from topology.facts import PLACES, At, Each, Relation, View
from topology.placement import Plugged, observe
from topology.store import Change, Store
from topology.values import Chassis, Network, Port, Segment

HERE = At("thing", "a")
VALUES = st.lists(st.sampled_from([f"v{number:02}" for number in range(MANY + 8)]), max_size=MANY + 8)


@given(st.lists(st.tuples(st.sampled_from("xyz"), VALUES), max_size=12))
def test_what_is_said_is_found_in_order_and_once_and_each_coming_and_going_is_told(said: list[Any]) -> None:
    gathering = Gathering(PLACES)
    now: dict[str, list[str]] = {}
    told: set[str] = set()
    for row_id, values in said:
        gathering.replace(row_id, tuple((HERE, value) for value in values))
        now[row_id] = values
        wanted = {value for each in now.values() for value in each}
        assert gathering.found(HERE) == tuple(sorted(wanted))
        assert {value for _, value in gathering.there("thing")} == wanted
        for at, value, is_there in gathering.turned:
            assert at == HERE
            assert (value in told) != is_there, "told only when it turns"
            told ^= {value}
        gathering.turned.clear()
        assert told == wanted


def says_its_name(view: View, network_at: tuple[str, str]) -> Any:
    chassis_id, network_id = network_at
    network = view.get(Network, network_id)
    return ((At("name", chassis_id), network.name),) if network is not None else ()


NAMES = Relation(Each(PLACES, "network"), says_its_name)


def test_what_follows_from_a_network_at_a_chassis_is_found_for_it_alone() -> None:
    store = Store()
    changes: list[Change] = []
    store.watch(changes.append)
    with store.transaction() as tx:
        for number in range(3):
            tx.put(Network(f"n{number}", "t", number + 1, Segment("geneve", 100 + number), name=f"net{number}"))
            tx.put(Port(f"p{number}", "t", f"n{number}", number + 1, f"fa:16:3e:00:00:{number:02x}"))
    observe(store, Chassis("a"), {"p0": Plugged(1, "p0"), "p1": Plugged(2, "p1")})
    memo = Memo(store)
    memo.introduce(NAMES)

    def follow() -> dict[str, int]:
        before = memo.runs.copy()
        memo.begin(row for change in changes for row in change.rows)
        memo.end()
        changes.clear()
        return dict(memo.runs - before)

    follow()
    assert memo.gather(NAMES, At("name", "a")) == ("net0", "net1")
    observe(store, Chassis("a"), {f"p{number}": Plugged(number + 1, f"p{number}") for number in range(3)})
    assert follow()["says_its_name"] == 1, "of the network that came"
    assert memo.gather(NAMES, At("name", "a")) == ("net0", "net1", "net2")
    with store.transaction() as tx:
        network = tx.get(Network, "n1")
        assert network is not None
        tx.put(replace(network, name="other"))
    assert follow()["says_its_name"] == 1, "of the network that changed"
    assert memo.gather(NAMES, At("name", "a")) == ("net0", "net2", "other")
    observe(store, Chassis("a"), {"p1": Plugged(2, "p1")})
    assert "says_its_name" not in follow(), "what went needs no look"
    assert memo.gather(NAMES, At("name", "a")) == ("other",)
