"""The listener on real sockets: switches that behave, that do not, that die, that come twice."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdnapp.certificates import issue
from sdnapp.ovsdb import pace, server
from sdnapp.ovsdb.connection import Callbacks
from sdnapp.ovsdb.rows import Bridge
from sdnapp.ovsdb.server import OvsdbServer
from sdnapp.ovsdb.session import Timing
from tests.real_ovs.ovs_dummy import wait_for
from tests.sdnapp.ovsdb.fake_database import FakeDatabase
from tests.sdnapp.ovsdb.switches import Peer, Switch
from tests.sdnapp.ovsdb.watcher import Watcher
from topology.placement import Plugged


def switch_of(watcher: Watcher, chassis_id: str, **settings: str) -> Switch:
    ids = {"system-id": chassis_id} | {key.replace("_", "-"): value for key, value in settings.items()}
    return Switch(watcher.server.port, FakeDatabase(ids))


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    watcher.server.start()
    yield watcher
    watcher.server.stop()
    assert watcher.server.status() == []


@pytest.fixture
def hasty() -> Iterator[Watcher]:
    """A server with little patience."""
    watcher = Watcher(Timing(echo=0.2, dead=0.6, handshake=1.0))
    watcher.server.start()
    yield watcher
    watcher.server.stop()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_switch_is_seen_set_up_and_lost(watcher: Watcher) -> None:
    with switch_of(watcher, "hv1", sdnapp_encap_ip="192.0.2.1") as switch:
        wait_for(lambda: watcher.ready("hv1") and watcher.chassis["hv1"].tunnel_ports, "the tunnel port has a number")
        assert switch.database.targets("br-int") == ["tcp:127.0.0.1:6653"]
        [status] = watcher.server.status()
        assert (status["chassis"], status["address"], status["problems"]) == ("hv1", switch.address, [])
        assert 0 <= status["last_seen"] < 10 and abs(time.time() - status["connected_since"]) < 10
        assert status["openflow_connected"] is False
    wait_for(lambda: watcher.kinds("hv1") == ["connected", "lost"], "the loss is told")
    assert watcher.events[0] == ("connected", "hv1", switch.address)
    assert watcher.events[-1] == ("lost", "hv1")


def test_plugging_is_told_once_for_each_change(watcher: Watcher) -> None:
    with switch_of(watcher, "hv1") as switch:
        wait_for(lambda: watcher.ready("hv1"), "the bridge is up")
        key = next(iter(switch.database.rows[Bridge]))
        before = len(watcher.events)
        for number in range(50):
            switch.database.add_port(key, f"tap{number}", ofport=100 + number, external_ids={"iface-id": f"p{number}"})
        switch.changed()
        wait_for(lambda: len(watcher.plugged["hv1"]) == 50, "all are plugged")
        assert len(watcher.events) == before + 1
        assert watcher.plugged["hv1"]["p7"] == Plugged(107, "tap7")


@pytest.mark.parametrize(
    "junk",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01", b"\x00" * 100, b'{"id":1}', os.urandom(4096)],
)
def test_junk_closes_that_connection_with_one_line(
    watcher: Watcher, caplog: pytest.LogCaptureFixture, junk: bytes
) -> None:
    with switch_of(watcher, "hv1"), Peer(watcher.server.port) as peer:
        wait_for(lambda: watcher.ready("hv1"), "the good switch is served")
        caplog.clear()
        peer.send(junk)
        assert peer.is_closed()
        wait_for(lambda: len(watcher.server.status()) == 1, "the bad peer is gone")
        [line] = warnings(caplog)
        assert peer.address in line and "no Open vSwitch database" in line and len(line) < 300
        assert watcher.kinds("hv1") == ["connected"]


def test_a_peer_that_breaks_off_in_the_middle_of_a_message_is_let_go(watcher: Watcher) -> None:
    for _ in range(20):
        with Peer(watcher.server.port) as peer:
            peer.send(b'{"method":"update2","params":["sdn')
    wait_for(lambda: watcher.server.status() == [], "all are gone")
    with switch_of(watcher, "hv1"):
        wait_for(lambda: watcher.ready("hv1"), "others are served")


def test_a_switch_without_system_id_is_told_and_not_touched(watcher: Watcher, caplog: pytest.LogCaptureFixture) -> None:
    with Switch(watcher.server.port, FakeDatabase({"sdnapp-encap-ip": "192.0.2.1"})) as switch:
        wait_for(lambda: warnings(caplog), "the operator is told")
        [line] = warnings(caplog)
        assert switch.address in line and "system-id is not set" in line and "ovs-vsctl set Open_vSwitch" in line
        [status] = watcher.server.status()
        assert status["chassis"] is None and "system-id is not set" in status["problems"][0]
        assert switch.transactions == 0 and watcher.events == []
        switch.database.settings(system_id="hv1")
        switch.changed()
        wait_for(lambda: watcher.ready("hv1"), "the switch is set up as soon as it has an id")


def test_a_new_system_id_is_another_chassis(watcher: Watcher) -> None:
    with switch_of(watcher, "hv1") as switch:
        wait_for(lambda: watcher.ready("hv1"), "hv1 is there")
        switch.database.settings(system_id="hv2")
        switch.changed()
        wait_for(lambda: watcher.ready("hv2"), "hv2 is there")
        assert watcher.kinds("hv1") == ["connected", "lost"] and watcher.kinds("hv2") == ["connected"]
        with switch_of(watcher, "hv1"):
            wait_for(lambda: watcher.kinds("hv1")[2:] == ["connected"], "the old id is free again")


def test_malformed_settings_are_told_once_and_again_when_solved(
    watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with switch_of(watcher, "hv1", sdnapp_encap_ip="192.0.2", sdnapp_gateway="true") as switch:
        wait_for(lambda: watcher.ready("hv1"), "the rest works")
        assert watcher.chassis["hv1"].gateway and watcher.chassis["hv1"].encap_ip is None
        [line] = warnings(caplog)
        assert "chassis hv1" in line and "sdnapp-encap-ip '192.0.2' is not an IPv4 address" in line
        [status] = watcher.server.status()
        assert len(status["problems"]) == 1 and "external_ids:sdnapp-encap-ip=" in status["problems"][0]
        switch.database.settings(system_id="hv1", sdnapp_encap_ip="192.0.2.1")
        switch.changed()
        wait_for(lambda: watcher.chassis["hv1"].tunnel_ports, "the tunnel is there")
        wait_for(lambda: watcher.server.status()[0]["problems"] == [], "the problem is gone")
        assert len(warnings(caplog)) == 1
        assert any("solved: sdnapp-encap-ip" in record.getMessage() for record in caplog.records)


def test_the_second_switch_with_one_system_id_is_refused(watcher: Watcher, caplog: pytest.LogCaptureFixture) -> None:
    with switch_of(watcher, "hv1") as first:
        wait_for(lambda: watcher.ready("hv1"), "the first is served")
        with switch_of(watcher, "hv1") as second:
            assert second.closed.wait(10)
        [line] = warnings(caplog)
        assert first.address in line and second.address in line and "hv1" in line and "system-id" in line
        assert second.transactions == 0
        wait_for(lambda: len(watcher.server.status()) == 1, "the second is not listed any more")
        [status] = watcher.server.status()
        assert status["address"] == first.address
        assert status["problems"] == ["another switch, at 127.0.0.1, has the same system-id and is refused"]
        with switch_of(watcher, "hv1") as third:
            assert third.closed.wait(10)
        assert len(warnings(caplog)) == 1, "a rival that tries again and again is not logged each time"
        assert watcher.kinds("hv1") == ["connected"]


def test_a_chassis_that_comes_back_replaces_its_dead_connection(watcher: Watcher) -> None:
    with switch_of(watcher, "hv1") as first:
        wait_for(lambda: watcher.ready("hv1"), "the first is served")
        first.mute()
        with Switch(watcher.server.port, first.database) as second:
            wait_for(lambda: watcher.kinds("hv1") == ["connected", "lost", "connected"], "the second took over")
            assert first.closed.wait(10)
            [status] = watcher.server.status()
            assert (status["address"], status["problems"]) == (second.address, [])
    wait_for(lambda: watcher.kinds("hv1") == ["connected", "lost", "connected", "lost"], "each loss is told once")


def test_a_switch_that_falls_silent_is_lost(hasty: Watcher) -> None:
    with switch_of(hasty, "hv1") as switch:
        wait_for(lambda: hasty.ready("hv1"), "it is served")
        time.sleep(1.5)
        assert hasty.kinds("hv1") == ["connected"], "echo replies keep it alive"
        switch.mute()
        wait_for(lambda: hasty.kinds("hv1") == ["connected", "lost"], "the loss is told")


def test_a_peer_that_says_nothing_is_let_go(hasty: Watcher) -> None:
    with Peer(hasty.server.port) as peer:
        assert peer.is_closed()


def test_a_change_that_could_not_be_told_is_told_again(watcher: Watcher, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        watcher.fail = lambda: None
        raise RuntimeError("the store is closed")

    with switch_of(watcher, "hv1") as switch:
        wait_for(lambda: watcher.ready("hv1"), "the bridge is up")
        watcher.fail = fail
        switch.database.settings(system_id="hv1", sdnapp_gateway="true")
        switch.changed()
        wait_for(lambda: watcher.chassis["hv1"].gateway, "it is told in the end, though nothing else happens")
    assert any("could not be told" in line for line in warnings(caplog))


def test_what_means_nothing_to_the_controller_is_not_told(watcher: Watcher) -> None:
    with switch_of(watcher, "hv1") as switch:
        wait_for(lambda: watcher.ready("hv1"), "the bridge is up")
        before = len(watcher.events)
        for number in range(5):
            switch.database.settings(system_id="hv1", note=str(number))
            switch.changed()
            assert switch.understood()
        switch.database.settings(system_id="hv1", sdnapp_gateway="true")
        switch.changed()
        wait_for(lambda: watcher.chassis["hv1"].gateway, "a change that matters is told")
        assert len(watcher.events) == before + 1


def test_a_switch_that_refuses_is_told_and_not_flooded(watcher: Watcher, caplog: pytest.LogCaptureFixture) -> None:
    with switch_of(watcher, "hv1") as switch:
        switch.refuses = "not allowed"
        wait_for(lambda: any(each["problems"] for each in watcher.server.status()), "the refusal is told")
        [problem] = watcher.server.status()[0]["problems"]
        assert problem.startswith("bridge br-int: made") and "not allowed" in problem
        time.sleep(1.5)
        assert switch.transactions == 1
        assert len(warnings(caplog)) == 1


def test_who_undoes_our_settings_gets_no_race_and_is_told_as_long_as_it_lasts(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "AFTER_SUCCESS", 0.3)
    monkeypatch.setattr(pace, "WINDOW", 4.0)
    with switch_of(watcher, "hv1") as switch:
        wait_for(lambda: watcher.ready("hv1"), "the bridge is up")
        bridge = next(iter(switch.database.rows[Bridge]))

        def undo() -> list[str]:
            switch.database.change(bridge, fail_mode=None)
            switch.changed()
            assert switch.understood()
            problems: list[str] = watcher.server.status()[0]["problems"]
            return problems

        before, begin = switch.transactions, time.monotonic()
        [problem] = wait_for(undo, "the quarrel is told")
        assert problem.startswith("bridge br-int: fail_mode secure: 4 times in a minute")
        assert switch.transactions == before + 4
        assert time.monotonic() - begin > 3 * 0.3
        wait_for(lambda: watcher.server.status()[0]["problems"] == [], "the quarrel is over")


def test_thirty_switches_come_at_once(watcher: Watcher) -> None:
    count = 30
    switches: list[Switch] = []
    start = threading.Barrier(count)

    def come(number: int) -> None:
        database = FakeDatabase({"system-id": f"hv{number}", "sdnapp-encap-ip": f"192.0.2.{number + 1}"})
        start.wait()
        switches.append(Switch(watcher.server.port, database))

    threads = [threading.Thread(target=come, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(
        lambda: len(watcher.chassis) == count and all(c.tunnel_ports for c in watcher.chassis.values()),
        "all are set up",
    )
    assert len(watcher.server.status()) == count
    for switch in switches:
        switch.close()
    wait_for(lambda: all(watcher.kinds(f"hv{n}") == ["connected", "lost"] for n in range(count)), "all are lost")


def test_a_port_that_is_taken_is_named(watcher: Watcher) -> None:
    other = OvsdbServer(
        callbacks=Callbacks(lambda *_: None, lambda *_: None, lambda *_: None),
        openflow_port=1,
        host="127.0.0.1",
        port=watcher.server.port,
    )
    with pytest.raises(OSError, match=f"OVSDB cannot listen on 127.0.0.1:{watcher.server.port}"):
        other.start()


def test_who_does_not_end_his_tls_handshake_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HANDSHAKE", 0.5)
    watcher = Watcher(tls=issue(tmp_path, "controller").context(demanding=True))
    watcher.server.start()
    with Peer(watcher.server.port) as peer:
        peer.send(b"\x16\x03\x01\x02\x00\x01")
        peer.socket.settimeout(0.2)
        for _ in range(20):
            try:
                peer.send(b"\0")
                assert peer.socket.recv(100) == b""
                break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("it is still open after four seconds")
    watcher.server.stop()
