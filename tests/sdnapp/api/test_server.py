import socket
import time
from typing import Any

from sdnapp.api.server import _Body, listen


def test_the_end_of_a_long_answer_does_not_wait_for_the_client_to_acknowledge_its_beginning() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class _Slow:
    """A body that takes its time, and the visit of who sends it, which notes how long he has."""

    def __init__(self) -> None:
        self.given: list[float] = []
        self.turns = 0

    def read(self, size: int | None = None) -> bytes:
        time.sleep(0.05)
        return b"x"

    def awaits(self, seconds: float) -> None:
        self.given.append(seconds)

    def our_turn(self) -> None:
        self.turns += 1


def test_a_body_has_its_time_in_all_however_often_it_is_read() -> None:
    slow: Any = _Slow()
    body = _Body(slow, slow, 10.0)
    assert [body.read(1) for _ in range(3)] == [b"x"] * 3
    assert slow.given[0] == 10.0
    assert slow.given[1] <= 9.95 and slow.given[2] <= 9.9
    assert slow.turns == 3
