"""The OVSDB server as it runs in production: green threads on one hub, everything patched."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.real_ovs.ovs_dummy import OvsDummy, wait_for
from tests.sdnapp.ovsdb.fake_database import FakeDatabase
from tests.sdnapp.ovsdb.switches import Peer, Switch

pytestmark = pytest.mark.ovs

ROOT = Path(__file__).parents[2]
PROGRAM = """
from os_ken.lib import hub
hub.patch()
import json, logging
from eventlet.hubs import trampoline
from sdnapp.ovsdb.connection import Callbacks
from sdnapp.ovsdb.server import OvsdbServer

logging.basicConfig(level=logging.INFO)
say = lambda *words: print(json.dumps(words), flush=True)
server = OvsdbServer(
    callbacks=Callbacks(
        lambda chassis, address: say("connected", chassis, address),
        lambda chassis, plugged, changed: say(
            "observed", chassis.id, chassis.datapath_id, list(chassis.tunnel_ports), plugged
        ),
        lambda chassis: say("lost", chassis),
    ),
    openflow_port=6653, host="127.0.0.1", port=0,
)
server.start()
say("port", server.port)
trampoline(0, read=True)
server.stop()
say("stopped", server.status())
"""


class GreenServer:
    """The server in a process of its own, and what it says."""

    def __enter__(self) -> Self:
        self.words: list[list[Any]] = []
        self.log: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env=os.environ | {"OSKEN_HUB_TYPE": "eventlet"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout and self._process.stderr
        readers = (
            threading.Thread(
                target=self._read, args=(self._process.stdout, lambda line: self.words.append(json.loads(line)))
            ),
            threading.Thread(target=self._read, args=(self._process.stderr, self.log.append)),
        )
        for reader in readers:
            reader.start()
        self._readers = readers
        wait_for(lambda: self.said("port"), "the server listens")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(10)
        for reader in self._readers:
            reader.join(10)

    @property
    def port(self) -> int:
        port: int = self.said("port")[0][1]
        return port

    def said(self, what: str, *chassis: str) -> list[list[Any]]:
        return [words for words in self.words if words[0] == what and (not chassis or words[1] in chassis)]

    def observed(self, chassis: str) -> list[Any]:
        """Datapath id, tunnel ports and plugged interfaces as told last."""
        return (self.said("observed", chassis) or [["", "", "", [], {}]])[-1][2:]

    def stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        wait_for(lambda: self.said("stopped"), "the server stops")
        assert self._process.wait(10) == 0

    @staticmethod
    def _read(stream: Any, take: Any) -> None:
        for line in stream:
            take(line)


@pytest.fixture
def server() -> Iterator[GreenServer]:
    with GreenServer() as server:
        yield server
        assert not [line for line in server.log if "Traceback" in line], "".join(server.log)


def test_a_switch_is_served_beside_peers_that_are_mad(ovs: OvsDummy, server: GreenServer) -> None:
    mad = [Peer(server.port) for _ in range(5)]
    mad[0].send(b"GET / HTTP/1.1\r\n\r\n")
    mad[1].send(b'{"method":"echo","params":[' * 1000)
    mad[2].send(b'{"method":"echo","params":[],"id":1}' * 2000)
    ovs.vsctl("set", "Open_vSwitch", ".", "external_ids:system-id=hv1", "external_ids:sdnapp-encap-ip=192.0.2.1")
    ovs.set_manager(("127.0.0.1", server.port))
    wait_for(lambda: server.observed("hv1")[0] and server.observed("hv1")[1], "bridge and tunnel are there")
    number = ovs.add_port("br-int", "tap1", iface_id="port-1")
    wait_for(lambda: server.observed("hv1")[2] == {"port-1": [number, "tap1"]}, "the port is plugged")
    assert mad[0].is_closed()
    assert sum("no Open vSwitch database" in line for line in server.log) == 1
    ovs.kill_server()
    wait_for(lambda: server.said("lost", "hv1"), "the loss is told")
    for peer in mad:
        peer.close()
    server.stop()


def test_rivals_for_one_system_id(server: GreenServer) -> None:
    with Switch(server.port, FakeDatabase({"system-id": "hv1"})) as first:
        wait_for(lambda: server.observed("hv1")[0], "the first is served")
        with Switch(server.port, FakeDatabase({"system-id": "hv1"})) as second:
            assert second.closed.wait(10)
        wait_for(lambda: any(first.address in line and second.address in line for line in server.log), "it is told why")
        first.mute()
        with Switch(server.port, first.database) as third:
            wait_for(lambda: len(server.said("connected", "hv1")) == 2, "the third takes over")
            assert server.said("connected", "hv1")[1][2] == third.address
            assert first.closed.wait(10)
            kinds = [words[0] for words in server.words if words[0] in ("connected", "lost")]
            assert kinds == ["connected", "lost", "connected"]
            server.stop()
            assert third.closed.wait(10)
