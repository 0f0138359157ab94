"""A job that holds the event loop, in a module of its own: jobs are known by the name of their function."""

import time
from collections.abc import Callable


def hold(seconds: float, give_way: Callable[[], object], spend: Callable[[float], None]) -> None:
    """Hold the loop for some seconds, which are spent in a way of the caller's, then give others their turn."""
    spend(seconds)
    give_way()


def compute(seconds: float) -> None:
    """Use so much processor time."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
