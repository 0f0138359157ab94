"""Who is let in, and who has to go for him."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdnapp.admission import Admission, Listener, Visit, hang_up
from sdnapp.certificates import issue


class Door:
    """An admission on a clock that stands still, and who has been hung up on, in order."""

    def __init__(self, most: int = 3, most_of_one: int | None = None) -> None:
        self.now = 100.0
        self.closed: list[str] = []
        self.admission = Admission("test", most=most, most_of_one=most_of_one, clock=lambda: self.now)

    def enter(self, name: str, address: str = "192.0.2.1") -> Visit | None:
        """Let one in, a second after the last."""
        self.now += 1
        return self.admission.enter(address, lambda: self.closed.append(name), 10)

    def let_in(self, name: str, address: str = "192.0.2.1") -> Visit:
        visit = self.enter(name, address)
        assert visit is not None
        return visit


def test_who_has_let_us_wait_longest_goes_for_a_newcomer() -> None:
    door = Door()
    first, _, _ = door.let_in("a"), door.let_in("b"), door.let_in("c")
    door.let_in("d")
    first.awaits(10)  # too late: it is closed already
    door.let_in("e")
    assert door.closed == ["a", "b"]


def test_who_moves_on_is_waited_for_anew() -> None:
    door = Door()
    first, _, _ = door.let_in("a"), door.let_in("b"), door.let_in("c")
    first.awaits(10)
    door.let_in("d")
    assert door.closed == ["b"]


def test_idle_connections_go_first() -> None:
    door = Door()
    _, _, last = door.let_in("a"), door.let_in("b"), door.let_in("c")
    last.awaits(60, is_idle=True)
    door.let_in("d")
    assert door.closed == ["c"]


def test_those_that_wait_for_us_stay_and_where_there_are_no_others_nobody_comes_in() -> None:
    door = Door()
    for name in "abc":
        door.let_in(name).our_turn()
    assert door.enter("d") is None
    assert door.closed == []
    door.now += 1000
    door.admission.sweep()
    assert door.closed == []


def test_one_host_takes_its_own_places_only() -> None:
    door = Door(most=5, most_of_one=2)
    door.let_in("honest", "192.0.2.2")
    for name in "abc":
        door.let_in(name)
    assert door.closed == ["a"]
    for name in ("v6", "v6 of the same /64", "v6 of it, too"):
        door.let_in(name, f"2001:db8::{len(name)}")
    assert door.closed == ["a", "v6"]


def test_the_host_with_most_connections_gives_its_place() -> None:
    door = Door(most=4)
    door.let_in("honest", "192.0.2.2")
    for name in "abc":
        door.let_in(name)
    door.let_in("newcomer", "192.0.2.3")
    assert door.closed == ["a"]


def test_a_place_is_free_again_when_its_visit_ends() -> None:
    door = Door()
    visits = [door.let_in(name) for name in "abc"]
    visits[1].leave()
    visits[1].leave()
    door.let_in("d")
    assert door.closed == []
    door.let_in("e")
    assert door.closed == ["a"]


def test_time_runs_out_in_all_and_not_since_the_last_word() -> None:
    door = Door()
    slow, quick, served = door.let_in("slow"), door.let_in("quick"), door.let_in("served")
    served.our_turn()
    door.now = slow.deadline
    quick.awaits(10)
    door.admission.sweep()
    assert door.closed == ["slow"]
    served.awaits(10)
    door.now += 10
    door.admission.sweep()
    assert sorted(door.closed) == ["quick", "served", "slow"]


def test_the_log_tells_once_in_a_while_that_places_are_short(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    for number in range(10):
        door.let_in(str(number))
    assert len(caplog.messages) == 1
    door.now += 60
    door.let_in("later")
    assert caplog.messages[1] == (
        "test: too many connections: 7 idle ones closed since this was last told, the last of 192.0.2.1"
    )


class _Troubled:
    """A listening socket that is out of file descriptors for a while."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def accept(self) -> tuple[str, str]:
        if self.failures:
            self.failures -= 1
            raise OSError(24, "Too many open files")
        return "socket", "address"

    def fileno(self) -> int:
        return 3


def test_a_listener_survives_what_goes_wrong_and_makes_room() -> None:
    door = Door()
    door.let_in("a")
    assert Listener(_Troubled(2), door.admission).accept() == ("socket", "address")
    assert door.closed == ["a"]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_who_reads_finds_the_end_when_he_is_hung_up_on(pair: tuple[socket.socket, socket.socket]) -> None:
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pair[0].recv(1)))
    reader.start()
    hang_up(pair[0])
    reader.join(10)
    assert read == [b""]
    hang_up(pair[0])


def test_tls_is_hung_up_on_without_taking_it_away(pair: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    context = issue(tmp_path, "x").context(demanding=False)
    secured = context.wrap_socket(pair[0], server_side=True, do_handshake_on_connect=False)
    hang_up(secured)
    with pytest.raises(ssl.SSLError):
        secured.do_handshake()
