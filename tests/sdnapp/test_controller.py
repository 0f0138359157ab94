"""The controller between the store and switches that do what they are told, when the test says so."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from flows.engine import Engine
from flows.features import UNITS
from flows.flow import Flow
from flows.packets import dhcp_discover
from flows.simulator import Fabric
from flows.units import Unit
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.operations import Operations
from sdnapp.responders import Responders
from tests.sdnapp.dhcp.messages import DISCOVER, request
from topology.placement import Plugged
from topology.store import Store
from topology.values import Chassis, FixedIP, Network, Port, Segment, Subnet


class FakeSwitches:
    """Holds what it was sent; confirms when asked to."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Any, Flow]] = {}
        self.revisions: dict[str, int] = {}
        self.assignments = 0
        self.failing: set[str] = set()
        """Names of methods that fail."""

    def assign(self, datapath_id: str, flows: Iterable[Flow], revision: int) -> None:
        if "assign" in self.failing:
            raise RuntimeError("assign")
        self.assignments += 1
        self.tables[datapath_id] = {flow.key: flow for flow in flows}
        self.revisions[datapath_id] = revision

    def update(self, datapath_id: str, added: Iterable[Flow], removed: Iterable[Flow], revision: int) -> None:
        if "update" in self.failing:
            raise RuntimeError("update")
        for flow in removed:
            del self.tables[datapath_id][flow.key]
        self.tables[datapath_id] |= {flow.key: flow for flow in added}
        self.revisions[datapath_id] = revision


class World:
    """A store with two ports on one network, a controller, and chassis a and b."""

    def __init__(self) -> None:
        self.store = Store()
        self.switches = FakeSwitches()
        self.controller = Controller(self.store, self.switches, Responders(self.store, DhcpSettings()))
        with self.store.transaction() as tx:
            tx.put(Network("n", "red", 1, Segment("geneve", 100)))
            tx.put(Subnet("s", "red", "n", "10.0.0.0/24", gateway_ip="10.0.0.1"))
            for number in (1, 2):
                address = (FixedIP("s", f"10.0.0.{number + 4}"),)
                tx.put(Port(f"p{number}", "red", "n", number, f"fa:16:3e:00:00:0{number}", fixed_ips=address))

    def chassis(self, name: str, **values: Any) -> Chassis:
        return Chassis(
            name,
            datapath_id=name * 16,
            encap_ip=f"192.0.2.{ord(name)}",
            encap_types=("geneve",),
            tunnel_ports=(("geneve", 1),),
            **values,
        )

    def report(self, name: str, *ports: str) -> None:
        self.controller.observed(
            self.chassis(name), {port: Plugged(10 + int(port[1:]), f"tap{port}") for port in ports}
        )

    def connect(self, name: str) -> None:
        self.controller.switch_connected(name * 16)

    def confirm(self, *names: str) -> None:
        self.controller.catch_up()
        for name in names:
            self.controller.confirmed(name * 16, self.switches.revisions[name * 16])

    def change(self, kind: type, row_id: str, **values: Any) -> None:
        with self.store.transaction() as tx:
            tx.put(replace(tx.get(kind, row_id), **values))

    def status(self, port_id: str) -> str:
        return self.controller.port_status(port_id)


@pytest.fixture
def world() -> Iterable[World]:
    world = World()
    yield world
    world.controller.catch_up()
    for datapath_id, held in world.switches.tables.items():
        chassis_id = world.controller.chassis_of(datapath_id)
        if chassis_id is not None:
            scratch = dict(Engine(world.store).desired(chassis_id))
            assert held == scratch, "switches hold what a fresh start would give them"


def test_a_port_is_active_when_its_flows_are_confirmed_and_not_before(world: World) -> None:
    assert world.status("p1") == "DOWN"
    world.report("a", "p1")
    assert world.status("p1") == "DOWN"
    world.connect("a")
    assert world.status("p1") == "DOWN"
    assert world.controller.port_realization("p1") == {"a": "syncing"}
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_a_change_makes_it_wait_for_every_chassis_that_hosts_the_network(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p2")
    for name in "ab":
        world.connect(name)
    world.confirm("a", "b")
    assert world.status("p1") == world.status("p2") == "ACTIVE"
    world.change(Port, "p1", mac_address="fa:16:3e:00:00:99")
    assert world.status("p1") == "DOWN", "seen at once, though nobody has caught up yet"
    world.confirm("a")
    assert world.status("p1") == "DOWN"
    assert world.controller.port_realization("p1") == {"a": "confirmed", "b": "pending"}
    assert world.status("p2") == "ACTIVE", "another port is not concerned"
    world.confirm("b")
    assert world.status("p1") == "ACTIVE"


def test_a_dead_chassis_holds_nobody_up_and_is_synced_before_it_counts_again(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p2")
    world.connect("a")
    world.connect("b")
    world.confirm("a", "b")
    world.controller.switch_disconnected("b" * 16)
    world.change(Port, "p1", mac_address="fa:16:3e:00:00:99")
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"
    assert world.status("p2") == "DOWN"
    assert world.controller.wait_realized(None, 0)
    world.connect("b")
    assert world.status("p1") == "ACTIVE"
    world.confirm("b")
    assert world.status("p2") == "ACTIVE"


@pytest.mark.parametrize(("kind", "row_id"), [(Port, "p1"), (Network, "n")])
def test_down_by_the_administrator(world: World, kind: type, row_id: str) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.change(kind, row_id, admin_state_up=False)
    world.confirm("a")
    assert world.status("p1") == "DOWN"
    port = world.store.get(Port, "p1")
    assert port is not None and "administratively down" in str(world.controller.why_down(port))


def test_unplugged_is_down(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.report("a")
    assert world.status("p1") == "DOWN"
    port = world.store.get(Port, "p1")
    assert port is not None and "iface-id=p1" in str(world.controller.why_down(port))


def test_migration_moves_the_port_with_the_last_binding_and_back_when_it_is_cancelled(world: World) -> None:
    for name in "ab":
        world.connect(name)
    world.report("a", "p1")
    world.report("b", "p1")
    world.confirm("a", "b")
    assert world.controller.port_realization("p1") == {"b": "confirmed"}
    world.report("a", "p1")
    world.confirm("a", "b")
    assert world.controller.port_realization("p1") == {"b": "confirmed"}, "an old claim does not win by repetition"
    world.report("b")
    world.confirm("a", "b")
    assert world.controller.port_realization("p1") == {"a": "confirmed"}


def test_a_chassis_that_lacks_a_tunnel_says_so(world: World) -> None:
    bare = replace(world.chassis("a"), encap_ip=None, tunnel_ports=())
    world.controller.observed(bare, {"p1": Plugged(11, "tap1")})
    world.connect("a")
    world.confirm("a")
    assert world.status("p1") == "DOWN"
    assert "sdnapp-encap-ip" in world.controller.port_realization("p1")["a"]


def test_a_rejected_flow_is_told_with_its_owner_and_the_rest_is_active(world: World) -> None:
    world.report("a", "p1", "p2")
    world.connect("a")
    flow = next(f for f in world.switches.tables["a" * 16].values() if f.owner == "port/p1")
    world.controller.rejected("a" * 16, flow, "bad action")
    world.confirm("a")
    assert (world.status("p1"), world.status("p2")) == ("DOWN", "ACTIVE")
    status = Operations(world.controller, lambda: [], lambda: []).status()
    assert status["rejected"][0]["owner"] == "port/p1"
    assert "bad action" in status["unrealized"][0]["reason"]


def test_a_rejection_of_what_is_not_wanted_any_more_is_not_held_against_the_port(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    flow = next(f for f in world.switches.tables["a" * 16].values() if f.owner == "port/p1" and f.feature == "delivery")
    world.report("a")
    world.report("a", "p2")
    world.controller.catch_up()
    world.controller.rejected("a" * 16, flow, "too late")
    assert not list(world.controller.realization.rejections())


def test_a_failure_to_tell_a_chassis_loses_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    for failing in ({"update"}, {"update", "assign"}):
        world.switches.failing = failing
        world.change(Port, "p1", mac_address=f"fa:16:3e:00:01:0{len(failing)}")
        world.controller.catch_up()
        assert world.status("p1") == "DOWN", "what it was not told it cannot have confirmed"
        world.switches.failing = set()
        world.controller.catch_up()
        held = set(world.switches.tables["a" * 16].values())
        assert held == set(world.controller.engine.desired("a").values())
        world.confirm("a")
        assert world.status("p1") == "ACTIVE"
        assert "chassis a could not be told" in caplog.text


def test_a_chassis_that_cannot_be_given_its_flows_is_tried_again(world: World) -> None:
    world.report("a", "p1")
    world.switches.failing = {"assign"}
    world.connect("a")
    assert world.status("p1") == "DOWN"
    world.switches.failing = set()
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_one_chassis_that_cannot_be_told_does_not_keep_a_change_from_others(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p2")
    for name in "ab":
        world.connect(name)
    update = world.switches.update
    refuse = {"a" * 16, "b" * 16}

    def once(datapath_id: str, *rest: Any) -> None:
        if datapath_id in refuse:
            refuse.clear()
            raise RuntimeError("the first to be told")
        update(datapath_id, *rest)

    world.switches.update = once  # type: ignore[method-assign]
    world.change(Port, "p1", mac_address="fa:16:3e:00:01:01")
    world.controller.catch_up()
    for name in "ab":
        assert world.switches.tables[name * 16] == dict(world.controller.engine.desired(name))


def test_an_engine_that_fails_begins_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    broken = world.controller.engine
    monkeypatch.setattr(broken, "update", lambda changes: 1 / 0)
    world.report("a", "p1", "p2")
    world.controller.catch_up()
    assert world.controller.engine is not broken
    world.confirm("a")
    assert world.status("p1") == world.status("p2") == "ACTIVE"
    mended = world.controller.engine
    world.change(Port, "p1", mac_address="fa:16:3e:00:01:01")
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"
    assert world.controller.engine is mended


def test_an_engine_that_cannot_begin_anew_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.report("a", "p1")
    world.connect("a")
    with monkeypatch.context() as patch:
        patch.setattr(world.controller.engine, "update", lambda changes: 1 / 0)
        patch.setattr("sdnapp.controller.Engine", lambda store: 1 / 0)
        world.change(Port, "p1", mac_address="fa:16:3e:00:01:01")
        with pytest.raises(ZeroDivisionError):
            world.controller.catch_up()
    world.controller.catch_up()
    assert world.switches.tables["a" * 16] == dict(Engine(world.store).desired("a"))


def test_a_unit_that_raises_is_told_with_the_ports_that_it_concerns(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fragile(view: Any, port_id: str) -> Any:
        if view.get(Port, port_id).name == "bad":
            raise RuntimeError("boom")
        return iter(())

    monkeypatch.setattr("sdnapp.controller.Engine", lambda store: Engine(store, (*UNITS, Unit(fragile, over=Port))))
    world.controller = Controller(world.store, world.switches, world.controller.responders)
    world.report("a", "p1", "p2")
    world.connect("a")
    world.confirm("a")
    world.change(Port, "p1", name="bad")
    world.confirm("a")
    assert (world.status("p1"), world.status("p2")) == ("DOWN", "ACTIVE")
    assert "boom" in world.controller.port_realization("p1")["a"]
    assert "('p1',) yields no flows: RuntimeError: boom" in caplog.text
    (failed,) = Operations(world.controller, lambda: [], lambda: []).status()["failed"]
    assert (failed["of"], failed["error"]) == (["p1"], "RuntimeError: boom")
    world.change(Port, "p1", name="good")
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_a_chassis_whose_datapath_is_another_one_gets_its_flows_there(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.connect("z")
    world.controller.observed(replace(world.chassis("a"), datapath_id="z" * 16), {"p1": Plugged(11, "tapp1")})
    world.controller.catch_up()
    assert (world.controller.chassis_of("z" * 16), world.controller.chassis_of("a" * 16)) == ("a", None)
    assert world.status("p1") == "DOWN"
    world.confirm("z")
    assert world.status("p1") == "ACTIVE"


def test_a_machine_that_was_installed_anew_takes_the_place_of_its_former_self(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.controller.database_lost("a")
    world.controller.observed(replace(world.chassis("b"), datapath_id="a" * 16), {"p1": Plugged(11, "tapp1")})
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "b"
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_after_a_restart_the_machine_that_speaks_first_is_not_its_former_self(world: World) -> None:
    world.report("a", "p1")
    anew = replace(world.chassis("b"), datapath_id="a" * 16), {"p1": Plugged(11, "tapp1")}
    world.controller.observed(*anew)
    woken: list[bool] = []
    world.controller = Controller(
        world.store, world.switches, world.controller.responders, wake=lambda: woken.append(True)
    )
    world.connect("a")
    assert world.controller.chassis_of("a" * 16) is None
    world.controller.observed(*anew)
    assert woken, "though nothing in the store has changed"
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "b"


def test_a_database_that_does_not_know_the_datapath_yet_takes_nothing_away(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.controller.observed(replace(world.chassis("a"), datapath_id=""), {"p1": Plugged(11, "tapp1")})
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "a"
    assert world.status("p1") == "ACTIVE"


def test_of_two_chassis_with_one_datapath_neither_is_taken_for_the_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.report("a", "p1")
    world.controller.observed(replace(world.chassis("b"), datapath_id="a" * 16), {"p2": Plugged(12, "tapp2")})
    world.connect("a")
    assert world.switches.tables == {}, "it may be either"
    assert "chassis a and b all say that their datapath is aaaaaaaaaaaaaaaa" in caplog.text
    world.report("b", "p2")
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "a"
    world.controller.observed(replace(world.chassis("b"), datapath_id="a" * 16), {"p2": Plugged(12, "tapp2")})
    world.controller.catch_up()
    assert world.controller.chassis_of("a" * 16) == "a", "who was there first stays"


def test_a_session_ends_with_either_side_alive(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.controller.database_lost("a")
    world.controller.catch_up()
    assert world.status("p1") == "ACTIVE", "its switch still is under control"
    world.controller.switch_disconnected("a" * 16)
    world.controller.confirmed("a" * 16, world.store.revision)
    assert world.controller.port_realization("p1") == {"a": "dead"}
    world.connect("a")
    assert world.controller.port_realization("p1") == {"a": "syncing"}
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_the_last_binding_wins_after_a_restart_of_the_controller_too(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p1")
    restarted = Controller(world.store, FakeSwitches(), Responders(world.store, DhcpSettings()))
    for name in "ba":
        restarted.observed(world.chassis(name), {"p1": Plugged(11, "tapp1")})
        assert list(restarted.port_realization("p1")) == ["b"]


def test_a_switch_without_ovsdb_binds_by_name(world: World) -> None:
    datapath_id = "00000000000000aa"
    world.connect("z")
    world.controller.switch_connected(datapath_id)
    world.controller.ports_named(datapath_id, {7: "tapp1", 8: "eth0"})
    world.controller.adopt_by_name(datapath_id)
    world.controller.catch_up()
    world.controller.confirmed(datapath_id, world.switches.revisions[datapath_id])
    assert "sdnapp-encap-ip" in world.controller.port_realization("p1")[f"dp-{datapath_id}"]
    world.controller.ports_named(datapath_id, {8: "eth0"})
    assert world.controller.port_realization("p1") == {}
    world.controller.observed(replace(world.chassis("a"), datapath_id=datapath_id), {"p2": Plugged(12, "x")})
    world.controller.catch_up()
    assert world.store.ids(Chassis) == ["a"], "a database that speaks for the switch replaces the name"
    assert world.controller.chassis_of(datapath_id) == "a"


def test_a_port_created_after_its_interface_binds_by_name(world: World) -> None:
    datapath_id = "00000000000000aa"
    world.controller.switch_connected(datapath_id)
    world.controller.ports_named(datapath_id, {7: "tap0123456789a"})
    world.controller.adopt_by_name(datapath_id)
    with world.store.transaction() as tx:
        tx.put(Port("0123456789abcdef", "red", "n", 3, "fa:16:3e:00:00:03"))
    world.controller.catch_up()
    assert list(world.controller.port_realization("0123456789abcdef")) == [f"dp-{datapath_id}"]


def test_dhcp_is_answered_by_the_cookie_of_the_flow_that_brought_it(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.controller.catch_up()
    walk = Fabric(world.store.all(Chassis), {"a": world.switches.tables["a" * 16].values()}, {"p1": ("a", 11)}).inject(
        "p1", dhcp_discover("fa:16:3e:00:00:01")
    )
    (punted,) = walk.to_controller
    reply = world.controller.responders.answer(punted.flow.cookie, request(DISCOVER, chaddr="fa:16:3e:00:00:01"))
    assert reply is not None and bytes((10, 0, 0, 5)) in reply
    assert world.controller.responders.answer(12345, b"") is None
    assert world.controller.responders.answer(punted.flow.cookie, b"junk") is None
    assert world.controller.responders.counts["dhcp", "answered"] == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdnapp.responders.respond", lambda *_: 1 / 0)
        assert world.controller.responders.answer(punted.flow.cookie, b"trouble") is None
    metrics = Operations(world.controller, lambda: [], lambda: []).metrics()
    for outcome in ("answered", "failed", "malformed"):
        assert f'sdnapp_packet_ins_total{{feature="dhcp",outcome="{outcome}"}} 1\n' in metrics
    assert 'feature="unknown",outcome="stale flow"} 1\n' in metrics
    world.report("a")
    world.controller.catch_up()
    assert world.controller.responders.answer(punted.flow.cookie, request(DISCOVER, chaddr="fa:16:3e:00:00:01")) is None


def test_a_restarted_controller_wants_the_same_flows(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    again = FakeSwitches()
    restarted = Controller(world.store, again, Responders(world.store, DhcpSettings()))
    restarted.switch_connected("a" * 16)
    assert {f.cookie for f in again.tables["a" * 16].values()} == {
        f.cookie for f in world.switches.tables["a" * 16].values()
    }
    (asking,) = (f for f in again.tables["a" * 16].values() if f.feature == "dhcp" and f.owner == "port/p1")
    discover = request(DISCOVER, chaddr="fa:16:3e:00:00:01")
    assert restarted.responders.answer(asking.cookie, discover) is not None, "flows of its former life lead to it"


def test_trace_says_where_a_packet_goes(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p2")
    for name in "ab":
        world.connect(name)
    operations = Operations(world.controller, lambda: [], lambda: [])
    walk = operations.trace("p1", "10.0.0.6")
    assert (walk["verdict"], walk["delivered_to"]) == ("delivered", [{"port_id": "p2", "chassis": "b"}])
    assert [step["table"] for step in walk["steps"]][-1] == "delivery"
    assert operations.trace("p1", "10.0.0.1")["verdict"] in ("answered", "dropped")
    assert operations.trace("p1", "10.0.0.77")["verdict"] in ("delivered", "dropped")
    for port, to, word in (("nope", "10.0.0.6", "port"), ("p1", "junk", "to")):
        with pytest.raises(ValueError, match=word):
            operations.trace(port, to)


def test_flows_can_be_narrowed_to_an_owner_and_a_table(world: World) -> None:
    world.report("a", "p1")
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert operations.flows("nowhere") is None
    narrowed = operations.flows("a", owner="p1", table="forwarding")
    assert narrowed is not None
    assert [table["name"] for table in narrowed["tables"]] == ["forwarding"]
    assert {flow["owner"] for flow in narrowed["tables"][0]["flows"]} == {"port/p1"}
    assert "sdnapp_ports 2" in operations.metrics()


def test_a_chassis_is_found_by_its_host_name_too_if_no_other_has_it(world: World) -> None:
    for name, hostname in (("a", "one"), ("b", "two")):
        world.controller.observed(world.chassis(name, hostname=hostname), {})
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert operations.chassis_details("two")["id"] == "b"  # type: ignore[index]
    assert operations.flows("two")["chassis"] == "b"  # type: ignore[index]
    world.controller.observed(world.chassis("a", hostname="two"), {})
    assert operations.chassis_details("two") is None and operations.flows("two") is None
    assert operations.chassis_details("b") is not None


def test_chassis_are_listed_by_host_name(world: World) -> None:
    for name, hostname in (("a", "two"), ("b", "one")):
        world.controller.observed(world.chassis(name, hostname=hostname), {})
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert [row["hostname"] for row in operations.chassis()] == ["one", "two"]
    assert [row["hostname"] for row in operations.status()["chassis"]] == ["one", "two"]


def test_the_host_of_a_port_that_is_down_is_the_one_that_it_is_plugged_into(world: World) -> None:
    world.report("a", "p1")
    world.report("b", "p2")
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert {row["port_id"]: row["host"] for row in operations.status()["unrealized"]} == {"p1": "a", "p2": "b"}
    world.change(Port, "p2", admin_state_up=False)
    assert {row["port_id"]: row["host"] for row in operations.status()["unrealized"]} == {"p1": "a", "p2": "b"}


def test_a_trace_names_the_hosts_and_says_why_a_port_carries_nothing(world: World) -> None:
    for name, hostname, port in (("a", "one", "p1"), ("b", "two", "p2")):
        world.controller.observed(world.chassis(name, hostname=hostname), {port: Plugged(11, "tap")})
    operations = Operations(world.controller, lambda: [], lambda: [])
    assert operations.trace("p1", "10.0.0.6")["hostnames"] == {"a": "one", "b": "two"}
    world.change(Port, "p1", admin_state_up=False)
    with pytest.raises(ValueError, match="port: p1 carries no traffic: the port is administratively down"):
        operations.trace("p1", "10.0.0.6")


@pytest.mark.parametrize(
    ("address", "mac"),
    [("224.0.0.251", "01:00:5e:00:00:fb"), *[(a, "ff:ff:ff:ff:ff:ff") for a in ("10.0.0.255", "255.255.255.255")]],
)
def test_what_is_for_all_is_traced_to_all(world: World, address: str, mac: str) -> None:
    world.report("a", "p1", "p2")
    walk = Operations(world.controller, lambda: [], lambda: []).trace("p1", address)
    assert [each["port_id"] for each in walk["delivered_to"]] == ["p2"]
    assert mac in walk["explanation"] and f"nw_dst={address}" in walk["live_flow"]
