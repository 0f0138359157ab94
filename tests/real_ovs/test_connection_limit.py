"""No port fills the table of connections that all ports of a real Open vSwitch share."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sdnapp.commands.main import main
from tests.real_ovs.ovs_dummy import OvsDummy, wait_for
from tests.sdnapp.ovsdb.watcher import Watcher

pytestmark = pytest.mark.ovs

MINE, NEIGHBOURS = 1, 2
"""Zones of two ports."""
TABLE, EACH = 20, 8
LATE_SCHEMA = json.dumps({"type": {"key": {"type": "integer", "minInteger": 0}, "min": 0, "max": 1}})


def open_connections(ovs: OvsDummy, zone: int, count: int) -> None:
    """Let ``count`` datagrams arrive, each of a connection of its own."""
    for number in range(count):
        addresses = f"ipv4(src=10.0.0.{zone},dst=10.0.0.9,proto=17,tos=0,ttl=64,frag=no)"
        packet = f"in_port(1),eth(src=00:00:00:00:00:0{zone},dst=00:00:00:00:00:09),eth_type(0x0800)"
        ovs.appctl("netdev-dummy/receive", "p1", f"{packet},{addresses},udp(src={1000 + number},dst=53)")


def remembered(ovs: OvsDummy) -> Counter[int]:
    """How many connections each zone has."""
    table = ovs.appctl("dpctl/dump-conntrack", "dummy@ovs-dummy")
    return Counter(int(zone) for zone in re.findall(r"zone=(\d+)", table))


@pytest.fixture
def command(ovs: OvsDummy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``ovs-appctl`` speak to the private switch."""
    shim = tmp_path / "ovs-appctl"
    there = f"-t {ovs.directory}/switch.ctl"
    real = shutil.which("ovs-appctl")
    shim.write_text(f'#!/bin/sh\ncase "$1" in -t) exec {real} "$@";; *) exec {real} {there} "$@";; esac\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_a_flood_in_one_zone_leaves_room_for_the_others(
    ovs: OvsDummy, command: None, capsys: pytest.CaptureFixture[str]
) -> None:
    ovs.add_bridge("br")
    ovs.add_port("br", "p1", ofport=1)
    for zone in (MINE, NEIGHBOURS):
        ovs.ofctl("add-flow", "br", f"in_port=1,ip,dl_src=00:00:00:00:00:0{zone},actions=ct(commit,zone={zone})")
    ovs.appctl("dpctl/ct-set-maxconns", "dummy@ovs-dummy", str(TABLE))
    open_connections(ovs, MINE, TABLE + 5)
    open_connections(ovs, NEIGHBOURS, 3)
    assert remembered(ovs) == {MINE: TABLE}, "without a limit, one fills the table"

    ovs.appctl("dpctl/flush-conntrack")
    assert main(["chassis", "limit-connections", "--each", str(EACH)]) == 0
    assert capsys.readouterr().out == (
        f"dummy@ovs-dummy: at most {EACH} connections for each port, until the switch stops\n"
    )
    open_connections(ovs, MINE, TABLE + 5)
    open_connections(ovs, NEIGHBOURS, 3)
    assert remembered(ovs) == {MINE: EACH, NEIGHBOURS: 3}


def test_what_is_wrong_is_told(ovs: OvsDummy, command: None, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("0", "many", "4294967296"):
        with pytest.raises(SystemExit):
            main(["chassis", "limit-connections", "--each", wrong])
        assert f"{wrong!r} is no number of connections" in capsys.readouterr().err
    ovs.kill_switch()
    assert main(["chassis", "limit-connections"]) == 1
    assert "sdnapp: Open vSwitch cannot be told: " in capsys.readouterr().err


def test_a_switch_that_has_its_limit_from_the_controller_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shim = tmp_path / "ovs-appctl"
    # As Open vSwitch 3.5 writes it.
    refused = (
        "ovs-vswitchd: the zone limits are set via database, use 'ovs-vsctl set-zone-limit <...>' instead. (Operation "
        "not permitted)\novs-appctl: ovs-vswitchd: server returned an error"
    )
    told = f'cat >&2 <<"END"\n{refused}\nEND\nexit 2'
    shim.write_text(f'#!/bin/sh\ncase "$*" in *dump-dps) echo netdev@ovs-netdev; exit;; esac\n{told}\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert main(["chassis", "limit-connections"]) == 1
    assert capsys.readouterr().err == (
        "sdnapp: netdev@ovs-netdev: the controller limits connections there, by its option connections_per_port; this "
        "command is for older switches\n"
    )


def test_a_database_that_can_is_told_by_the_controller(tmp_path: Path) -> None:
    # The database of Open vSwitch 3.5, as far as this is concerned; its ovs-vswitchd is the one that is installed.
    with OvsDummy() as ovs:
        schema = json.loads(_ovsdb_client(ovs, "get-schema", "Open_vSwitch"))
    schema["tables"]["Datapath"]["columns"]["ct_zone_default_limit"] = json.loads(LATE_SCHEMA)
    late = tmp_path / "late.ovsschema"
    late.write_text(json.dumps(schema))
    watcher = Watcher(connections_per_port=EACH)
    watcher.server.start()
    try:
        with OvsDummy(schema=late) as ovs:
            ovs.vsctl("--no-wait", "set", "Open_vSwitch", ".", "ovs_version=3.5.0", "external_ids:system-id=hv1")
            ovs.set_manager(("127.0.0.1", watcher.server.port))
            wait_for(lambda: _limits(ovs) == [EACH], "the limit is set")
            _transact(ovs, {"op": "update", "table": "Datapath", "where": [], "row": {"ct_zone_default_limit": 5}})
            wait_for(lambda: _limits(ovs) == [EACH], "it is set again")
    finally:
        watcher.server.stop()


def _limits(ovs: OvsDummy) -> list[int]:
    [found] = _transact(ovs, {"op": "select", "table": "Datapath", "where": []})
    return [row["ct_zone_default_limit"] for row in found["rows"]]


def _transact(ovs: OvsDummy, operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Speak to the database without ``ovs-vsctl``, which knows its own version's columns only."""
    answer: list[dict[str, Any]] = json.loads(_ovsdb_client(ovs, "transact", json.dumps(["Open_vSwitch", operation])))
    return answer


def _ovsdb_client(ovs: OvsDummy, command: str, argument: str) -> str:
    done = subprocess.run(
        ["ovsdb-client", command, ovs.socket, argument],
        capture_output=True,
        text=True,
        check=True,
        env=ovs.environment,
    )
    return done.stdout
