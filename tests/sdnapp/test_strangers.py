"""Without certificates, whoever reaches the listeners speaks as a switch: so many may, and none in a chassis's way."""

import re
import resource
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sdnapp.chassis_limit import ChassisLimit
from sdnapp.openflow.listener import STRANGERS
from sdnapp.openflow.messages import ECHO_REPLY, ECHO_REQUEST, MULTIPART_REPLY, MULTIPART_REQUEST, message
from tests.bench.emulated_switches import FEATURES_REPLY, FEATURES_REQUEST, HELLO, METER_FEATURES
from tests.real_ovs.ovs_dummy import wait_for
from tests.real_ovs.running_controller import RunningController
from tests.sdnapp.ovsdb.fake_database import FakeDatabase
from tests.sdnapp.ovsdb.switches import Switch
from topology.store import Store
from topology.values import Chassis

MORE_THAN_FIT = STRANGERS + 50


class FakeSwitch:
    """Shakes hands as a switch with this datapath id does, and then listens."""

    def __init__(self, port: int, number: int) -> None:
        self.number = number
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(message(HELLO, 1))
        while self._take() != MULTIPART_REQUEST:
            pass

    @property
    def is_open(self) -> bool:
        """Whether the controller has not hung up so far; what it says meanwhile is answered."""
        ready = select.poll()
        ready.register(self.socket, select.POLLIN)
        try:
            while ready.poll(0):
                self._take()
        except OSError:
            return False
        return True

    def _take(self) -> int:
        header = self._read(8)
        _, kind, size, xid = struct.unpack("!BBHI", header)
        body = self._read(size - 8)
        if kind == FEATURES_REQUEST:
            self.socket.sendall(message(FEATURES_REPLY, xid, struct.pack("!QIBBHII", self.number, 0, 254, 0, 0, 79, 0)))
        elif kind == MULTIPART_REQUEST:
            no_meters = bytes(16) if body[:2] == struct.pack("!H", METER_FEATURES) else b""
            self.socket.sendall(message(MULTIPART_REPLY, xid, body[:2] + bytes(6) + no_meters))
        elif kind == ECHO_REQUEST:
            self.socket.sendall(message(ECHO_REPLY, xid, body))
        return int(kind)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if not (more := self.socket.recv(size - len(data))):
                raise ConnectionError("closed")
            data += more
        return data


@pytest.fixture(scope="module", autouse=True)
def _many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * MORE_THAN_FIT
    if before[1] != resource.RLIM_INFINITY and before[1] < needed:
        pytest.skip(f"needs {needed} file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], needed), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def chassis(controller: RunningController) -> dict[str, Any]:
    return {row["id"]: row for row in controller.call("GET", "/sdnapp/chassis")["chassis"]}


def test_switches_without_number_are_bounded_and_a_chassis_is_not_touched_by_them() -> None:
    with RunningController("--sdnapp-chassis-limit", "1") as controller, ExitStack() as stack:

        def connect(number: int) -> FakeSwitch:
            switch = FakeSwitch(controller.openflow_port, number)
            stack.callback(switch.socket.close)
            return switch

        known = connect(1)
        # It has no OVSDB connection, so that it becomes a chassis by itself after a while.
        wait_for(lambda: list(chassis(controller)) == ["dp-0000000000000001"] and known.is_open, "it is a chassis")
        strangers = [connect(number) for number in range(2, 2 + MORE_THAN_FIT)]
        wait_for(lambda: sum(each.is_open for each in strangers) <= STRANGERS, "the first had to go")
        # Which of two is a switch first is for the controller to say, where it is busy: it tells in its log.
        told = [int(number, 16) for number in re.findall("switch ([0-9a-f]{16}) connected", controller.log)]
        closed = {each.number for each in strangers if not each.is_open}
        assert closed == set(told[1:][: len(closed)]) and len(closed) == MORE_THAN_FIT - STRANGERS
        assert known.is_open
        known.socket.close()
        wait_for(lambda: not chassis(controller)["dp-0000000000000001"]["openflow"]["connected"], "it is gone")
        known = connect(1)
        wait_for(lambda: chassis(controller)["dp-0000000000000001"]["openflow"]["connected"], "it is back")
        wait_for(lambda: "there are 1 chassis already" in controller.log, "the operator is told")
        assert known.is_open and len(chassis(controller)) == 1
        assert controller.log.count("there are 1 chassis already") == 1


def test_databases_of_unknown_chassis_are_refused_where_there_are_enough() -> None:
    with RunningController("--sdnapp-chassis-limit", "2") as controller:

        def connect(name: str) -> Switch:
            return Switch(controller.ovsdb_port, FakeDatabase({"system-id": name, "sdnapp-encap-ip": "192.0.2.1"}))

        first, second = connect("hv1"), connect("hv2")
        wait_for(lambda: set(chassis(controller)) == {"hv1", "hv2"}, "both are chassis")
        third = connect("hv3")
        assert third.closed.wait(10), "there is no room"
        nobody = Switch(controller.ovsdb_port, FakeDatabase({}))
        assert nobody.understood() and not nobody.closed.is_set(), "one without a name is waited for"
        first.close()
        first = connect("hv1")
        wait_for(lambda: chassis(controller)["hv1"]["ovsdb"]["connected"], "a known one gets in")
        second.database.settings(system_id="hv9")
        second.changed()
        assert second.closed.wait(10), "nobody becomes another one"
        assert set(chassis(controller)) == {"hv1", "hv2"}
        for each in (first, second, third, nobody):
            each.close()


def test_the_limit_tells_who_is_known_and_that_seldom(caplog: pytest.LogCaptureFixture) -> None:
    store, now = Store(), [0.0]
    limit = ChassisLimit(store, 1, lambda: now[0])
    assert limit.admits("hv1")
    with store.transaction() as tx:
        tx.put(Chassis("hv1"))
    assert limit.admits("hv1") and not limit.admits("hv2") and not limit.admits("hv3")
    assert len(caplog.records) == 1 and "raise chassis_limit" in caplog.text
    now[0] += 61
    assert not limit.admits("hv2") and len(caplog.records) == 2
    assert ChassisLimit(store, 0).admits("hv2")
