"""Whoever sends much waits behind himself, and whatever comes beyond the bounds is at the expense of who has most."""

from collections import Counter, deque
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from sdnapp.fair_queue import OF_A_PORT, FairQueue

OF_A_PROJECT, OF_ALL = 256, 2048


def take_all(queue: FairQueue[str]) -> list[str]:
    taken = []
    while (item := queue.take()) is not None:
        taken.append(item)
    return taken


def test_projects_take_turns_and_within_them_their_ports() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(3):
        for project, port in (("red", "a"), ("red", "b"), ("blue", "c")):
            queue.put(project, port, f"{project} {port}{number}")
    assert take_all(queue) == [
        "red a0", "blue c0", "red b0", "blue c1", "red a1", "blue c2", "red b1", "red a2", "red b2",
    ]  # fmt: skip
    assert queue.take() is None and len(queue) == 0 and not queue.dropped


def test_a_flood_delays_another_project_by_one_turn_and_costs_it_nothing() -> None:
    queue: FairQueue[str] = FairQueue(of_a_project=OF_A_PROJECT, of_all=OF_ALL)
    for port in range(100):
        for number in range(1000):
            queue.put("flood", f"p{port}", f"junk {number}")
    queue.put("quiet", "q", "request")
    assert len(queue) <= OF_A_PROJECT + 1
    assert "request" in [queue.take(), queue.take()]
    assert ("quiet", "q") not in queue.dropped
    assert sum(queue.dropped.values()) == 100_000 - OF_A_PROJECT


def test_a_port_leaves_room_for_the_others_of_its_project() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(10_000):
        queue.put("red", "flood", "junk")
    queue.put("red", "quiet", "request")
    assert queue.dropped == {("red", "flood"): 10_000 - OF_A_PORT}
    assert "request" in [queue.take(), queue.take()]


def test_when_all_is_full_who_has_most_gives_way() -> None:
    queue: FairQueue[str] = FairQueue(of_a_project=OF_A_PROJECT, of_all=OF_ALL)
    for project in range(OF_ALL // OF_A_PROJECT + 3):
        for port in range(OF_A_PROJECT // OF_A_PORT):
            for _ in range(OF_A_PORT):
                queue.put(f"flood{project}", f"p{port}", "junk")
    assert len(queue) == OF_ALL
    queue.put("quiet", "q", "request")
    assert len(queue) == OF_ALL and ("quiet", "q") not in queue.dropped
    assert "request" in take_all(queue)


def test_a_large_item_takes_the_place_of_as_many_small_ones_as_it_needs() -> None:
    queue: FairQueue[str] = FairQueue(of_a_project=100, of_all=150)
    for number in range(10):
        queue.put("red", f"r{number}", "small", 10)
        queue.put("blue", f"b{number}", "small", 5)
    assert queue.size == 150
    queue.put("green", "g", "large", 40)
    assert queue.size == 150 and len(queue) == 17 and sum(queue.dropped.values()) == 4
    assert {project for project, _ in queue.dropped} == {"red"}
    assert take_all(queue).count("large") == 1 and queue.size == 0


PLACES = st.tuples(st.sampled_from(["red", "blue", "green"]), st.sampled_from(["a", "b"]))


@given(st.lists(st.one_of(PLACES, st.none()), max_size=60))
def test_nothing_is_lost_uncounted_and_a_ports_order_is_kept(history: list[tuple[str, str] | None]) -> None:
    queue: FairQueue[tuple[str, str, int]] = FairQueue(of_a_port=3, of_a_project=9, of_all=15)
    put: Counter[tuple[str, str]] = Counter()
    taken: list[tuple[str, str, int]] = []
    for number, step in enumerate(history):
        if step is not None:
            queue.put(*step, (*step, number), 1 + number % 3)
            put[step] += 1
        elif (item := queue.take()) is not None:
            taken.append(item)
        assert queue.size <= 15
    while (item := queue.take()) is not None:
        taken.append(item)
    assert Counter(each[:2] for each in taken) + queue.dropped == put
    for _, same in groupby(sorted(taken, key=lambda each: each[:2]), key=lambda each: each[:2]):
        numbers = deque(each[2] for each in same)
        assert list(numbers) == sorted(numbers)
