"""A job that holds the event loop, in a module of its own: jobs are known by the name of their function."""

import time
from collections.abc import Callable


def hold(seconds: float, give_way: Callable[[], object]) -> None:
    """Hold the loop for some seconds, then give others their turn."""
    time.sleep(seconds)
    give_way()
