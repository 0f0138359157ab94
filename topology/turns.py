"""Seams in long work, where whoever has it done may let others have their turn.

The core knows no threads: it is given a function to call.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

GiveWay = Callable[[], None]
"""Called now and then in the midst of long work; returns when that may go on."""
STRIDE = 250
"""Small steps between two seams: less than a millisecond."""


def nobody_waits() -> None:
    """Give way to nobody."""


def by_turns(items: Iterable[T], give_way: GiveWay) -> Iterator[T]:
    """Yield items, and give way now and then."""
    left = STRIDE
    for item in items:
        yield item
        left -= 1
        if not left:
            give_way()
            left = STRIDE


def by_steps(items: Iterable[T], give_way: GiveWay, steps: Callable[[T], int]) -> Iterator[T]:
    """Yield items that are several small steps each, and give way now and then."""
    left = STRIDE
    for item in items:
        yield item
        left -= steps(item)
        if left <= 0:
            give_way()
            left = STRIDE


def let_go(held: dict[Any, Any] | list[Any] | set[Any], give_way: GiveWay) -> None:
    """Empty something large, and give way now and then: what nobody else has goes with it, which takes time, too."""
    take = held.popitem if isinstance(held, dict) else held.pop
    for _ in by_turns(range(len(held)), give_way):
        take()
