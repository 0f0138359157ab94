"""The benchmarks' own code, with tiny sizes. How long things take is never asserted here."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.bench import page, plots, subjects
from tests.bench.api import Plan, measure
from tests.bench.client import Client, at_once
from tests.bench.machine import Others, ProcessTree, awake, describe
from tests.bench.results import Figure, Ratio, Result, Value, growth, once, ratio_of, value_of
from tests.bench.workload import Aim, Found, SideBySide, Workload

TINY = Plan(sizes=(2, 6), peer_top=2, batches=2, batch=2, bulk=3, clients=2, seconds=0.05)
FASTER = Figure("POST port", 100, "ms", 10.0, {"sdnapp": value_of([2.0]), "neutron": value_of([250.0])})
MORE = Figure("GET port", 100, "requests/s", None, {"sdnapp": once(3000), "neutron": once(30)}, more_is_better=True)
RESULT = Result("api", "./run bench api", "2026-01-01", describe(), 0.01, 60, {"sdnapp": "1", "neutron": "29"}, [])


def test_api_is_measured_at_each_size_and_the_peer_up_to_its_own() -> None:
    with subjects.sdnapp() as ours, subjects.sdnapp() as other:
        figures = list(measure([ours, replace(other, name="peer")], TINY))
        with ours.client() as client:
            assert len(client.call("GET", "ports")[1]["ports"]) == 9  # The last bulk stays, nothing else does.
    measured = {(figure.what, figure.present): figure for figure in figures}
    for what in ("POST port", "GET port", "list, a page of 100", "list by device_id, one found", "DELETE port"):
        assert set(measured[what, 2].values) == {"sdnapp", "peer"}
        assert set(measured[what, 6].values) == {"sdnapp"}
        assert measured[what, 6].values["sdnapp"].samples == 4
    assert measured["bulk POST of 3 ports", 6].values["sdnapp"].samples == 2
    assert all(value.median > 0 for figure in figures for value in figure.values.values())


def test_a_request_that_fails_ends_the_benchmark() -> None:
    with subjects.sdnapp() as subject, subject.client() as client, pytest.raises(RuntimeError, match="404"):
        at_once([client], 9.0, lambda each: bool(each.call("DELETE", "ports/nonesuch")))


def test_a_connection_that_the_server_closed_while_it_idled_is_made_anew() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = threading.Event()

        def serve() -> None:
            for _ in range(2):  # One answer for each connection.
                connection, _ = server.accept()
                with connection:
                    asked.append(connection.recv(65536).partition(b"\r\n")[0])
                    connection.sendall(answer)
                closed.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with Client(f"http://127.0.0.1:{server.getsockname()[1]}", {}) as client:
            client.call("POST", "ports", {})
            assert closed.wait(9)
            client.call("POST", "ports", {})
        thread.join()
    assert asked == [b"POST /v2.0/ports HTTP/1.1"] * 2


def test_a_request_that_was_sent_is_not_sent_again() -> None:
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with suppress(OSError):  # The test closes the server.
                while True:
                    connection, _ = server.accept()
                    accepted.append(connection.recv(65536))
                    connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with Client(f"http://127.0.0.1:{server.getsockname()[1]}", {}) as client, pytest.raises(ConnectionError):
            client.call("POST", "ports", {})
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(accepted) == 1


def test_clients_at_once_are_counted_together() -> None:
    clients = [Client("http://127.0.0.1:1", {}) for _ in range(2)]
    left = list(range(10))
    assert at_once(clients, 60.0, lambda client: bool(left) and (left.pop(), True)[1]) > 0
    assert left == []


def test_p99_is_an_observed_value_and_needs_a_hundred() -> None:
    assert value_of([float(n) for n in range(1, 101)]) == Value(50.5, 99.0, 100, None)
    assert value_of([3.0, 1.0, 2.0], cpu_ms=1.23456) == Value(2.0, None, 3, 1.235)


def test_ratios_and_aims_know_which_way_is_better() -> None:
    assert FASTER.times_better("neutron") == 125
    assert MORE.times_better("neutron") == 100
    assert (FASTER.aim_is_met, MORE.aim_is_met) == (True, None)
    assert replace(FASTER, aim=1.9).aim_is_met is False
    assert replace(FASTER, ratios={"neutron": 0.01}).aim_is_met is True
    assert replace(FASTER, ratios={"neutron": 0.001}).aim_is_met is False
    assert replace(MORE, ratios={"neutron": 101, "nobody": 1.0}).aim_is_met is False
    assert replace(MORE, aim=2000.0).aim_is_met is True
    assert MORE.times_better("nobody") is None


def test_growth_is_from_the_first_size_to_the_last() -> None:
    last = replace(FASTER, present=1000, values={"sdnapp": value_of([3.0])})
    assert growth([FASTER, MORE, last, replace(MORE, present=1000)]) == {"POST port": 1.5}
    assert "against that with the fewest:\nPOST port 1.5 times." in page.render(
        [replace(RESULT, figures=[FASTER, last])]
    )


def test_a_process_counts_with_its_children() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    child = "import os; b = bytes(64 << 20); [os.times() for _ in iter(lambda: os.times().user < 0.1, False)]"
    waiting = f"{child}; print(flush=True); input()"
    command = [sys.executable, "-c", program, waiting]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        tree = ProcessTree(process.pid)
        assert tree.memory_mib() > 5
        assert tree.cpu_seconds() >= 0.1
        process.stdin.close()
    assert tree.memory_mib() == 0


def test_our_own_work_is_not_that_of_others() -> None:
    ours, nobodys = Others(ProcessTree(os.getpid())), Others()
    sum(n * n for n in range(2_000_000))
    assert nobodys.cores_busy() > ours.cores_busy() >= 0


def test_processors_are_kept_awake_where_that_may_be_said(tmp_path: Path) -> None:
    device = tmp_path / "cpu_dma_latency"
    with awake(device) as held:
        assert not held
    device.touch()
    with awake(device) as held:
        assert held
        assert device.read_bytes() == bytes(4)  # No microsecond.
        assert _is_open(device)
    assert not _is_open(device)


def test_a_result_survives_json_and_the_page_says_all_of_it() -> None:
    result = replace(RESULT, figures=[FASTER, MORE])
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    text = page.render([result])
    assert "| POST port | 100 | ms | at most 10 | 2 | 250 | 125 |" in text
    assert "| GET port | 100 | requests/s |  | 3,000 |" in text
    assert "the machine was quiet" in text and "Every aim is met." in text
    for kept, words in ((True, ", processors kept awake\n"), (False, ", processors free to sleep\n")):
        machine = {**result.machine, "kept_awake": kept}
        assert f"Python {machine['python']}{words}" in page.render([replace(result, machine=machine)])
    missed = replace(result, figures=[replace(FASTER, aim=1.0)], others_busy=1.0)
    assert "the figures are noisy" in page.render([missed])
    assert "Aims missed: POST port with 100 ports (at most 1)." in page.render([missed])


def test_the_page_and_its_pictures_are_current() -> None:
    assert page.PAGE.read_text() == page.render(page.stored())
    for result in page.stored():
        assert (page.RESULTS / f"{result.benchmark}.svg").read_text() == plots.picture(result.figures)


def test_subjects_take_turns_and_their_samples_come_together() -> None:
    turns: list[tuple[str, int]] = []

    class Fake(ExitStack):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def measure(plane: Any, size: int) -> Iterator[Found]:
        turns.append((plane.name, size))
        yield Found("speed", "ms", [float(len(turns))])

    aims = (Aim("speed", 2.0, of="ovn"), Aim("speed", 3.0, present=9))
    workload = Workload("title", "text", measure, tops={"ovn": 5}, aims=aims)
    starts: Any = {name: lambda chassis, name=name: Fake(name) for name in ("sdnapp", "ovn")}
    small, large = workload.run(starts, [5, 9], rounds=2)
    assert turns == [("sdnapp", 5), ("ovn", 5), ("ovn", 5), ("sdnapp", 5), ("sdnapp", 9), ("sdnapp", 9)]
    assert small.values == {"sdnapp": value_of([1.0, 4.0]), "ovn": value_of([2.0, 3.0])}
    assert (small.aim, small.ratios, small.aim_is_met) == (None, {"ovn": 2.0}, True)
    assert (large.aim, large.aim_is_met) == (3.0, False)


def test_a_picture_has_lines_for_several_sizes_and_bars_for_one() -> None:
    more = replace(FASTER, present=1000, values={"sdnapp": value_of([3.0])})
    drawn = ElementTree.fromstring(plots.picture([FASTER, more, MORE]))
    kinds = [element.tag.rpartition("}")[2] for element in drawn.iter()]
    assert kinds.count("polyline") == 2  # One of each subject; the peer's has one point.
    assert kinds.count("circle") == 3
    lengths = [float(each.get("width", 0)) for each in drawn.iter() if each.get("height") == "17"]
    assert lengths[0] == pytest.approx(100 * lengths[1], rel=0.05)


def _is_open(path: Path) -> bool:
    return any(os.path.realpath(each) == str(path) for each in Path("/proc/self/fd").iterdir())


def test_subjects_side_by_side_are_compared_turn_by_turn() -> None:
    def measure(planes: Any, turns: int) -> Iterator[dict[str, Found]]:
        assert set(planes) == {"sdnapp", "ovn"}
        slowness = [1.0, 9.0, 1.0, 1.0, 5.0, 1.0, 2.0, 1.0, 1.0][:turns]
        yield {"sdnapp": Found("speed", "ms", slowness), "ovn": Found("speed", "ms", [2 * each for each in slowness])}
        yield {"ovn": Found("died", "switches", [1.0])}

    workload = SideBySide("title", "text", measure, aims=(Aim("speed", 0.5, of="ovn"),))
    starts: Any = {name: lambda chassis: ExitStack() for name in ("sdnapp", "ovn")}
    speed, died = workload.run(starts, [0], rounds=9)
    assert speed.against == {"ovn": Ratio(2.0, 2.0, 2.0)} and speed.times_better("ovn") == 2.0
    assert (speed.aim_is_met, speed.undecided, died.against) == (True, [], {})


def test_holds_are_judged_by_each_measure_and_say_whose_they_were() -> None:
    def held(what: str, count: int, clock: float, processor: float, jobs: tuple[str, str]) -> Figure:
        values = {"clock": once(clock), "processor": once(processor)}
        by = dict(zip(values, jobs, strict=True))
        return Figure(what, count, "ms", 20.0, values, of="rules", held_by=by)

    short = held("a group made", 9, 5.0, 4.0, ("sdnapp.one", "sdnapp.one"))
    waited = held("it goes", 9, 25.0, 4.0, ("sdnapp.one", "sdnapp.two"))
    long = held("a group made", 1_000, 25.0, 21.0, ("sdnapp.one", "sdnapp.one"))
    none = held("nothing", 1, 0.0, 0.0, ("", ""))
    assert [each.aim_is_met for each in (short, waited, long, none)] == [True, False, False, True]
    result = replace(RESULT, benchmark="holds", figures=[short, waited, long, none])
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    text = page.render([result])
    assert text.index("| a group made | 1,000 rules | 25.0 | 21.0 | `sdnapp.one` | **no** |") < text.index(
        "| it goes |"
    )
    assert "| a group made | 9 rules | 5.0 | 4.0 | `sdnapp.one` | yes |" in text
    assert (
        "| it goes | 9 rules | 25.0 | 4.0 | `sdnapp.one`; by processor time `sdnapp.two` | by processor time |" in text
    )
    assert "| nothing | 1 rules | below 1 | below 1 |  | yes |" in text
    assert "Aims missed: it goes with 9 rules (at most 20); a group made with 1,000 rules (at most 20)." in text
    drawn = ElementTree.fromstring(plots.picture([short, long]))
    texts = {element.text for element in drawn.iter()}
    assert {"clock", "processor", "rules"} <= texts and "ports" not in texts
    assert "a group made" in page.terminal_row(long) and "25 (sdnapp.one)" in page.terminal_row(long)


def test_a_range_of_ratios_says_whether_the_aim_is_decided() -> None:
    samples = [1.3, 0.7, 0.9, 0.95, 1.0, 1.05, 1.1, 0.98, 1.02]
    assert ratio_of(samples) == Ratio(1.0, 0.9, 1.1), "of nine, the second to the eighth"
    assert ratio_of(samples[:3]) == Ratio(0.9, 0.7, 1.3), "of few, all"
    figure = replace(MORE, ratios={"neutron": 0.95}, against={"neutron": ratio_of(samples)})
    assert (figure.aim_is_met, figure.undecided) == (True, ["neutron"])
    assert (replace(figure, ratios={"neutron": 1.2}).aim_is_met, figure.times_better("neutron")) == (False, 1.0)
    result = replace(RESULT, figures=[figure])
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    assert "| 1.00 (0.90 to 1.10) |" in page.render([result])
    assert "Not decided, as the aim is within the range: GET port with 100 ports (of neutron)." in page.render([result])
