"""Nobody is told of what the loss of power may yet undo: not who asked for it, not who reads it, not a switch."""

import threading

import pytest
from webob import Request

from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.responders import Responders
from tests.sdnapp.api.stand_ins import Api
from tests.sdnapp.controlled_world import FakeSwitches, World
from topology.storage import MemoryStorage, StorageError
from topology.store import Store
from topology.values import Counter, Port

PATIENCE = 10.0


class SlowDisk(MemoryStorage):
    """Each wait for it lasts until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.confirmed, self.broken = 0, False
        self.asked, self.released = threading.Event(), threading.Event()

    def flush(self) -> None:
        if self.confirmed < self.revision:
            wanted = self.revision
            self.asked.set()
            assert self.released.wait(PATIENCE)
            if self.broken:
                raise StorageError("the disk has not confirmed the last changes")
            self.confirmed = wanted


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_answer_waits_for_the_disk_while_others_write(method: str) -> None:
    disk = SlowDisk()
    api = Api(store=Store(disk))
    with api.store.transaction() as tx:
        tx.put(Counter("one", 1))
    body = {"network": {"name": "one"}} if method == "POST" else None
    answers = []
    client = threading.Thread(target=lambda: answers.append(api.call(method, "/v2.0/networks", body)))
    client.start()
    assert disk.asked.wait(PATIENCE)
    with api.store.transaction() as tx:
        tx.put(Counter("other", 1))
    assert not answers
    disk.released.set()
    client.join(PATIENCE)
    assert answers[0].status in (200, 201)


def test_who_writes_is_told_when_the_disk_does_not_confirm() -> None:
    disk = SlowDisk()
    api = Api(store=Store(disk))
    disk.broken = True
    disk.released.set()
    # Past the check that an error changes nothing: this one may have.
    request = Request.blank("/v2.0/networks", method="POST")
    request.json = {"network": {}}
    response = request.get_response(api.app)
    assert response.status_int == 503
    assert "has not confirmed" in response.json["NeutronError"]["message"]


def test_switches_hear_of_a_change_when_the_disk_has_it() -> None:
    disk = SlowDisk()
    disk.released.set()
    told = []

    class Switches(FakeSwitches):
        def update(self, *args: object, **options: object) -> None:
            told.append(disk.confirmed)
            super().update(*args, **options)  # type: ignore[arg-type]

    world = World()
    store, switches = Store(disk), Switches()
    with store.transaction() as tx:
        for kind in world.store._rows:
            for row in world.store.all(kind):
                tx.put(row)
    world.store, world.switches = store, switches
    world.controller = Controller(store, switches, Responders(store, DhcpSettings()))
    world.report("a", "p1")
    world.connect("a")
    world.change(Port, "p1", mac_address="fa:16:3e:00:00:77")
    world.controller.catch_up()
    assert told == [store.revision]


def test_switches_follow_a_store_whose_disk_does_not_confirm(caplog: pytest.LogCaptureFixture) -> None:
    disk = SlowDisk()
    world = World()
    world.report("a", "p1")
    world.connect("a")
    disk.released.set()
    disk.broken = True
    world.store._storage.flush = lambda: disk.flush()  # type: ignore[method-assign]
    disk.revision = 1
    world.change(Port, "p1", mac_address="fa:16:3e:00:00:77")
    world.controller.catch_up()
    assert any(flow.owner == "port/p1" and "00:00:77" in str(flow) for flow in world.switches.tables["a" * 16].values())
    assert "told of what may be lost" in caplog.text
