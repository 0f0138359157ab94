"""The controller between the store and switches: port status, bindings, restarts, DHCP."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from flows.packets import dhcp_discover
from flows.simulator import Fabric
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.handovers import Handovers
from sdnapp.operations import Operations
from sdnapp.responders import Responders
from tests.sdnapp.controlled_world import FakeSwitches, World
from tests.sdnapp.dhcp.messages import DISCOVER, request
from topology.placement import Plugged
from topology.values import (
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    Chassis,
    FixedIP,
    Network,
    Port,
    Router,
    SecurityGroupRule,
    Segment,
)


def test_a_port_is_active_when_its_flows_are_confirmed_and_not_before(world: World) -> None:
    assert world.status("p1") == "DOWN"
    world.report("a", "p1")
    assert world.status("p1") == "DOWN"
    world.connect("a")
    assert world.status("p1") == "DOWN"
    assert world.controller.port_realization("p1") == {"a": "syncing"}
    world.confirm("a")
    assert world.status("p1") == "ACTIVE"


def test_what_is_not_plugged_in_is_known_to_be_down_without_computing_any_flows(world: World) -> None:
    world.report("a", "p1")
    before = world.controller.engine.revision
    assert world.status("p1") == world.status("p2") == "DOWN", "nobody is in sync who could have confirmed"
    assert world.controller.port_realization("p2") == {}, "it is nowhere"
    assert world.controller.engine.revision == before < world.store.revision


def test_while_all_flows_are_computed_nothing_waits_and_nothing_is_active(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    with world.store.transaction() as tx:
        tx.put(Router("r", "red", 1))
    assert (world.status("p1"), world.controller.router_status("r")) == ("ACTIVE", "ACTIVE")
    asked = []

    def ask() -> None:
        controller = world.controller
        asked.append(
            (
                controller.port_status("p1"),
                controller.port_realization("p1"),
                controller.router_status("r"),
                controller.floatingip_status("f"),
            )
        )

    def meanwhile() -> None:
        if not asked:
            with ThreadPoolExecutor(1) as threads:
                threads.submit(ask).result(10)

    world.controller = Controller(world.store, world.switches, world.controller.responders, give_way=meanwhile)
    world.connect("a")
    assert asked == [("DOWN", {"a": "dead"}, "DOWN", "DOWN")]
    world.confirm("a")
    assert (world.status("p1"), world.controller.router_status("r")) == ("ACTIVE", "ACTIVE")


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


def test_who_has_little_to_do_is_told_first_and_all_of_it_is_sent_off_before_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []

    class Switches(FakeSwitches):
        def update(self, datapath_id: str, *difference: Any, **options: bool) -> None:
            super().update(datapath_id, *difference, **options)
            happened.append(datapath_id[0])

    monkeypatch.setattr(Handovers, "follow", lambda *anything: happened.append("the rest"))
    world.switches = Switches()
    world.controller = Controller(
        *(world.store, world.switches, world.controller.responders),
        send_off=lambda: happened.append("sent off"),
    )
    for name, port in ("a", "p1"), ("b", "p2"):
        world.report(name, port)
        world.connect(name)
    world.confirm("a", "b")
    for name, port in ("a", "p1"), ("b", "p2"):
        world.report(name)
        world.confirm("a", "b")
        happened.clear()
        world.report(name, port)
        world.confirm("a", "b")
        other = "b" if name == "a" else "a"
        assert happened == [other, name, "sent off", "the rest"]
    happened.clear()
    world.change(Network, "n", name="lan")
    world.controller.catch_up()
    assert happened == ["the rest"], "nobody was told anything"


def test_only_what_no_packet_needs_may_wait_for_more(world: World) -> None:
    with world.store.transaction() as tx:
        tx.put(SecurityGroupRule("members", "red", "open", "ingress", remote_group_id="open"))
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    at = "a" * 16

    def waits_with(row: Any) -> bool:
        """Write a row, None for no port, and return whether what follows from it may wait."""
        before = world.switches.revisions[at]
        with world.store.transaction() as tx:
            if row is not None:
                tx.put(row)
            else:
                tx.delete(Port, "p3")
        world.controller.catch_up()
        assert world.switches.revisions[at] > before, "it was told"
        return at in world.switches.waiting

    address = (FixedIP("s", "10.0.0.8"),)
    new = Port("p3", "red", "n", 3, "fa:16:3e:00:00:03", fixed_ips=address, security_groups=("open",))
    assert waits_with(new), "a member more, which is nowhere"
    assert not waits_with(replace(new, fixed_ips=(FixedIP("s", "10.0.0.9"),))), "another is a member no more"
    assert not waits_with(None), "nor is this one"
    assert not waits_with(replace(new, device_owner=ROUTER_INTERFACE, device_id="r")), "a router's is everywhere"
    assert not waits_with(None)
    assert waits_with(new)
    world.report("b", "p3")
    world.controller.catch_up()
    assert at not in world.switches.waiting, "it is plugged in"
    rule = SecurityGroupRule("ping", "red", "open", "ingress", protocol=1)
    assert not waits_with(rule), "it is for ports that are there"


def test_a_chassis_is_told_of_no_change_that_does_not_concern_it_and_has_it_all_the_same(world: World) -> None:
    world.report("a", "p1")
    world.report("b")
    for name in "ab":
        world.connect(name)
    world.confirm("a", "b")
    told = dict(world.switches.revisions)
    world.change(Port, "p1", mac_address="fa:16:3e:00:00:99")
    world.controller.catch_up()
    assert world.switches.revisions["a" * 16] == world.store.revision
    assert world.switches.revisions["b" * 16] == told["b" * 16]
    assert not world.controller.wait_realized(None, 0)
    world.confirm("a")
    assert world.controller.wait_realized(None, 0)
    assert world.controller.realization.progress("b").confirmed == world.store.revision


def test_a_port_that_comes_does_not_take_down_its_neighbour(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.report("a", "p1", "p2")
    assert (world.status("p1"), world.status("p2")) == ("ACTIVE", "DOWN")
    world.confirm("a")
    assert (world.status("p1"), world.status("p2")) == ("ACTIVE", "ACTIVE")
    world.report("a", "p1")
    assert (world.status("p1"), world.status("p2")) == ("ACTIVE", "DOWN")


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


@pytest.mark.parametrize("event", ["confirmed", "dead"])
def test_who_waits_hears_at_once_of_the_chassis_that_he_waits_for(world: World, event: str) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.change(Port, "p1", mac_address="fa:16:3e:00:00:99")
    world.controller.catch_up()
    assert not world.controller.wait_realized(None, 0)
    with ThreadPoolExecutor(1) as waiting:
        heard = waiting.submit(world.controller.wait_realized, None, 30)
        deadline = time.monotonic() + 10
        while not world.controller._progress._waiters:  # type: ignore[attr-defined]
            assert time.monotonic() < deadline
        before = time.monotonic()
        if event == "confirmed":
            world.confirm("a")
        else:
            world.controller.switch_disconnected("a" * 16)
        assert heard.result() and time.monotonic() - before < 10


def test_a_commit_wakes_who_follows_and_a_waiter_need_not_wait_for_him(world: World) -> None:
    woken: list[int] = []
    controller = Controller(
        world.store, world.switches, world.controller.responders, wake=lambda: woken.append(world.store.revision)
    )
    world.change(Port, "p1", name="web")
    assert woken == [world.store.revision]
    assert controller.wait_realized(None, 0), "no chassis is there to be waited for"


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


def test_an_interface_is_up_though_its_router_is_down(world: World) -> None:
    """As a port of its own: its chassis have all that it needs, which is nothing. The router's status says the rest."""
    interface = FixedIP("s", "10.0.0.1")
    with world.store.transaction() as tx:
        tx.put(Router("r", "red", 1))
        owned = {"device_id": "r", "device_owner": ROUTER_INTERFACE}
        tx.put(Port("i", "red", "n", 9, "fa:16:3e:00:00:09", fixed_ips=(interface,), **owned))
    world.report("a", "p1")
    world.connect("a")
    for is_up in (True, False, True):
        world.change(Router, "r", admin_state_up=is_up)
        world.confirm("a")
        assert (world.status("i"), world.controller.router_status("r")) == ("ACTIVE", "ACTIVE" if is_up else "DOWN")
    world.change(Router, "r", admin_state_up=False)
    for kind, row_id in ((Port, "i"), (Network, "n")):
        world.change(kind, row_id, admin_state_up=False)
        world.confirm("a")
        port = world.store.get(Port, "i")
        assert world.status("i") == "DOWN"
        assert port is not None and "administratively down" in str(world.controller.why_down(port))
        world.change(kind, row_id, admin_state_up=True)
    world.change(Port, "i", device_id="gone")
    assert world.status("i") == "DOWN"


def test_a_gateway_without_an_address_is_down_and_says_why(world: World) -> None:
    with world.store.transaction() as tx:
        tx.put(Network("o", "admin", 2, Segment("flat", None, "physnet1"), external=True, transit=Segment("geneve", 7)))
        tx.put(Router("r", "red", 1))
        tx.put(Port("g", "", "o", 9, "fa:16:3e:00:00:09", device_id="r", device_owner=ROUTER_GATEWAY))
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    port = world.store.get(Port, "g")
    assert (world.status("g"), world.controller.router_status("r")) == ("DOWN", "DOWN")
    assert port is not None and "has no address" in str(world.controller.why_down(port))


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


def test_a_session_ends_with_either_side_alive(world: World) -> None:
    world.report("a", "p1")
    world.connect("a")
    world.confirm("a")
    world.controller.database_lost("a")
    world.controller.catch_up()
    assert world.status("p1") == "ACTIVE", "its switch still is under control"
    world.controller.switch_disconnected("a" * 16)
    world.controller.confirmed("a" * 16, world.store.revision)
    world.report("a", "p1", "p2")
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
    world.controller.ports_named(datapath_id, {7: None})
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
    metrics = Operations(world.controller, world.punts, lambda: [], lambda: []).metrics()
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
