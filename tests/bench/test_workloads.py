"""Each workload once, tiny, on each control plane that is installed. How long things take is never asserted."""

import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from ipaddress import IPv4Network
from statistics import median

import pytest

from tests.bench import (
    catalogue,
    churn,
    data_plane,
    dhcp,
    failover,
    hold_worlds,
    many_switches,
    one_more,
    punt_storm,
    remote_group,
    restart,
    ways,
)
from tests.bench.planes import GATEWAYS, ControlPlane, Plane
from tests.bench.results import OURS

pytestmark = pytest.mark.root

needs_ovn = pytest.mark.skipif(not shutil.which("ovn-northd"), reason="OVN is not installed: ./run bench installs it")
needs_iperf = pytest.mark.skipif(not shutil.which("iperf3"), reason="iperf3 is not installed: ./run bench installs it")
SUBJECTS = [OURS, pytest.param("ovn", marks=needs_ovn)]


@pytest.fixture(scope="module", params=SUBJECTS)
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """One for all tests, which saves the time to build it."""
    with catalogue.plane(request.param)(4) as plane:
        yield plane


def test_bulk(plane: ControlPlane) -> None:
    found = measured("bulk", plane, 60)
    assert found["all ports in force"] >= found["requests answered and interfaces claimed"]
    assert found["flows on a chassis"] > 60


def test_one_more(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIMES", "PLUGGED"):
        monkeypatch.setattr(one_more, name, 1)
    found = measured("one_more", plane, 0)
    # The last ping may have been answered before the request to delete its port was.
    assert 0 <= found.pop("a port deleted, until its last ping") < 100_000
    assert len(found) == 5 and all(0 < value < 100_000 for value in found.values())


def test_dhcp(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ASKED": 3, "CLIENTS": 2, "TURNS": 3}.items():
        monkeypatch.setattr(dhcp, name, value)
    found = measured("dhcp", plane, 12)
    assert sum(what.startswith("latency") for what in found) == 4
    assert found["boot storm, not answered"] == 0 and found["exchanges"] > 0


def test_punt_storm(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"KINDS": ("dhcp",), "RATE": 2_000, "ASKING": 1, "ROUNDS": 3}.items():
        monkeypatch.setattr(punt_storm, name, value)
    found = measured("punt_storm", plane, 0)
    assert found["latency before a flood of dhcp"] > 0 and found["not answered during a flood of dhcp"] >= 0
    assert len(found) == 5


def test_remote_group(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_group, "TIMES", 1)
    found = measured("remote_group", plane, 20)
    assert found["flows of the rule"] >= 20 and found["flows more for a member elsewhere"] > 0


def test_routers(plane: ControlPlane) -> None:
    found = measured("routers", plane, 60)
    # The plane has other things of the tests before, not alike on all chassis.
    assert min(flows for what, flows in found.items() if what.startswith("flows on a")) > 60
    assert found["flows more for a router's way outside"] > 0


def test_churn(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "CYCLES", 10)
    monkeypatch.setattr(churn, "BATCH", 4)
    assert measured("churn", plane, 0)["memory at the end"] > 10


@needs_iperf
def test_data_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_plane, "lay_out", lambda plane: itertools.islice(ways.lay_out(plane), 1))
    with catalogue.plane("plain")(2) as plane:
        figures = list(data_plane.WORKLOAD.run({"plain": lambda _: nullcontext(plane)}, (0,), 2))
    found = {figure.what: figure.values["plain"] for figure in figures}
    assert found.pop("switches that died of new connections").median == 0
    assert all(value.median > 0 and value.samples == 2 for value in found.values())
    measures = ("small UDP", "switches' processor time", "TCP", "round trip")
    assert found.keys() >= {f"{what}, {path}" for what in measures for path in (ways.SAME, ways.ROUTED_SAME)}


def test_packets_take_each_way_of_the_data_plane(plane: ControlPlane) -> None:
    taken = []
    for way in ways.lay_out(plane):
        ways.warm_up(way)
        taken.append(way.name)
    assert len(taken) == 6


def test_switches_that_are_no_gateways_have_no_flows_beside_those_of_their_controller(plane: ControlPlane) -> None:
    """Those of in-band control are above all others, and a switch in user space makes them anew all the time."""
    for hypervisor in (each for name, each in plane.hypervisors.items() if name not in GATEWAYS):
        for bridge in ("br-int", "br-ex", "br-phy"):
            shown = hypervisor.run("ovs-appctl", "bridge/dump-flows", bridge)
            priorities = [int(each) for each in re.findall(r"priority=(\d+)", shown)]
            assert priorities and max(priorities) < 2**16, f"{hypervisor.name}, {bridge}"


def test_restart(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart, "AFTER", 0.5)
    found = measured("restart", plane, 0)
    assert 0 < found["in step again"] < 60
    assert 0 < found["a killed switch, pings answered again"] < 60


def test_failover(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one: it leaves a chassis without its switch."""
    monkeypatch.setattr(failover, "WATCHED", 4.0)
    monkeypatch.setattr(failover, "SETTLING", 2.0)
    assert measured("failover", plane, 0)["pings lost"] > 0


def test_many_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_switches, "STEP", 100)
    monkeypatch.setattr(many_switches, "TIMES", 3)
    with catalogue.plane(OURS)(0) as plane:
        found = measured("many_switches", plane, 100)
    assert found["flows sent"] > 1_000


def test_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_worlds, "SETTLING", 0.05)
    figures = list(catalogue.WORKLOADS["holds"].run({OURS: catalogue.plane(OURS)}, (64,), 1))
    assert len({figure.what for figure in figures}) == len(figures) > 20
    assert {figure.of for figure in figures} == {"ports", "interfaces", "rules", "prefixes", "floating IPs"}
    for figure in figures:
        assert all((value.median > 0) == bool(figure.held_by[by]) for by, value in figure.values.items())
    assert any("Controller.create" in figure.held_by["clock"] for figure in figures)


def test_emulated_switches_still_have_their_flows_when_the_controller_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_worlds, "SETTLING", 0.05)
    with catalogue.plane(OURS)(0) as plane:
        world = hold_worlds.World(plane, 4, "--keep")
        ports = world.make_ports(world.make_networks([IPv4Network("10.0.0.0/24")]), 6)
        world.come({"e1": ports[:3], "e2": ports[3:]})
        world.settle()
        world.restart()
        receipts = plane.api.request("GET", "/sdnapp/restarts")["restarts"]
        assert sorted(row["chassis"] for row in receipts) == ["e1", "e2"]
        for row in receipts:
            assert row["read"] > 50 and row["added"] == row["changed"] == row["removed"] == 0
        assert all(plane.api.show("port", port)["status"] == "ACTIVE" for port in ports)


def test_encoding() -> None:
    assert measured("encoding", None, 400).keys() >= {"flows sent and confirmed", "ovs-ofctl --bundle add-flows"}


def test_reconnect() -> None:
    assert measured("reconnect", None, 400)["flow changes sent"] == 0


def measured(name: str, plane: Plane | None, size: int) -> dict[str, float]:
    found = list(catalogue.WORKLOADS[name].measure(plane, size))
    assert all(each.samples for each in found)
    return {each.what: median(each.samples) for each in found}
