"""Incremental equals from scratch, whatever the history; and a change touches only what it must."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flows import flow as flows
from flows.actions import Controller, Output
from flows.engine import Engine
from flows.features import flooding
from flows.flow import Flow
from flows.pipeline import DELIVERY
from flows.units import Unit
from topology.facts import Relation
from topology.gateway_values import (
    GETTING_READY,
    LETTING_GO,
    PASSING_ON,
    TAKING_OVER,
    Fence,
    GatewayBinding,
    Neighbour,
    NoUpstream,
    Outage,
    PortBlock,
    Translation,
    VirtualAddress,
)
from topology.placement import Plugged, forget, observe
from topology.store import Change, Store
from topology.values import (
    FLOATING_IP,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    AddressGroup,
    AddressPair,
    Chassis,
    FixedIP,
    FloatingIP,
    HostBinding,
    Network,
    Port,
    PortBinding,
    PortForwarding,
    Route,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    Subnet,
    SubnetPool,
)

NETWORKS = ("n1", "n2")
PORTS = ("p1", "p2", "p3", "p4", "p5")
INTERFACES = ("i1", "i2", "i3", "i4")
HOLDERS = ("h1", "h2")
ROUTERS = ("r1", "r2")
CHASSIS = ("a", "b", "c")
GROUPS = ("g1", "g2", "g3")
ADDRESS_GROUPS = ("x1", "x2")
NUMBERS = {
    Network: NETWORKS,
    Port: PORTS + INTERFACES + HOLDERS,
    Router: ROUTERS,
    SecurityGroup: GROUPS + ADDRESS_GROUPS,
    AddressGroup: GROUPS + ADDRESS_GROUPS,
}

segments = st.sampled_from(
    (Segment("geneve", 101), Segment("vxlan", 102), Segment("vlan", 103, "physnet1"), Segment("flat", None, "physnet1"))
)
macs = st.sampled_from([f"fa:16:3e:00:00:0{digit}" for digit in range(2)])
mostly = st.sampled_from((True, True, True, False))
addresses = st.sampled_from([f"10.0.0.{last}" for last in (1, 5, 6, 7)])
pairs = st.builds(
    AddressPair, st.sampled_from(("10.0.0.9", "10.0.9.0/24", "0.0.0.0/0", "2001:db8::1", "10.0.0.1")), macs
)
networks = st.builds(
    Network,
    st.sampled_from(NETWORKS),
    st.just("t"),
    st.just(0),
    segments,
    admin_state_up=mostly,
    name=st.text(max_size=2),
    transit=st.sampled_from((None, Segment("geneve", 105))),
)
subnets = st.builds(
    Subnet,
    st.sampled_from(("s1", "s2")),
    st.just("t"),
    st.sampled_from(NETWORKS),
    st.just("10.0.0.0/24"),
    gateway_ip=st.sampled_from((None, "10.0.0.1")),
    enable_dhcp=st.booleans(),
    subnetpool_id=st.sampled_from((None, "pool1", "pool2")),
)
pools = st.builds(
    SubnetPool,
    *(st.sampled_from(("pool1", "pool2")), st.just("t"), st.just(()), st.just(8), st.just(32), st.just(24)),
    address_scope_id=st.sampled_from((None, "scope1", "scope2")),
)
ports = st.builds(
    Port,
    st.sampled_from(PORTS),
    st.just("t"),
    st.sampled_from(NETWORKS),
    st.just(0),
    macs,
    admin_state_up=mostly,
    port_security_enabled=st.booleans(),
    fixed_ips=st.lists(st.builds(FixedIP, st.sampled_from(("s1", "s2")), addresses), max_size=2).map(tuple),
    allowed_address_pairs=st.lists(pairs, max_size=2).map(tuple),
    inactive_bindings=st.sampled_from(((), (), (HostBinding(CHASSIS[0]),))),
    security_groups=st.lists(st.sampled_from(GROUPS), max_size=2, unique=True).map(tuple),
)
routers = st.builds(
    Router,
    st.sampled_from(ROUTERS),
    st.just("t"),
    st.just(0),
    admin_state_up=mostly,
    routes=st.lists(
        st.builds(Route, st.sampled_from(("0.0.0.0/0", "10.9.0.0/16", "10.0.0.0/24")), addresses),
        max_size=3,
        unique=True,
    ).map(tuple),
)
interfaces = st.builds(
    Port,
    st.sampled_from(INTERFACES),
    st.just("t"),
    st.sampled_from(NETWORKS),
    st.just(0),
    macs,
    admin_state_up=mostly,
    fixed_ips=st.lists(st.builds(FixedIP, st.sampled_from(("s1", "s2")), addresses), max_size=2).map(tuple),
    device_owner=st.sampled_from((ROUTER_INTERFACE, ROUTER_INTERFACE, ROUTER_GATEWAY, "compute:x")),
    device_id=st.sampled_from(ROUTERS),
)
holders = st.builds(
    Port,
    st.sampled_from(HOLDERS),
    st.just("t"),
    st.sampled_from(NETWORKS),
    st.just(0),
    macs,
    device_owner=st.just(FLOATING_IP),
)
# Of each address there is one: the API sees to that.
floating_ips = st.builds(
    lambda number, network, port, fixed_ip, router: FloatingIP(
        f"f{number}", "t", network, f"10.0.0.2{number}", f"h{number}", port, fixed_ip, router
    ),
    st.sampled_from((1, 2)),
    st.sampled_from(NETWORKS),
    st.sampled_from((*PORTS, None)),
    addresses | st.none(),
    st.sampled_from((*ROUTERS, None)),
)
forwardings = st.builds(
    lambda number, port, address: PortForwarding(
        f"w{number}", "f1", "tcp", number * 10, number * 10 + 1, port, address, 22, 23
    ),
    st.sampled_from((1, 2)),
    st.sampled_from(PORTS),
    addresses,
)
translations = st.builds(
    lambda owner, chassis_id, zone, subject, ports, further: Translation(
        f"{owner}@{chassis_id}",
        owner,
        chassis_id,
        zone,
        subject,
        max(1024, ports * zone) if ports else 0,
        ports,
        further,
    ),
    st.sampled_from((*ROUTERS, "f1", "f2")),
    st.sampled_from(CHASSIS),
    st.integers(1, 3),
    addresses,
    st.sampled_from((0, 64, 1024, 1 << 14)),
    st.lists(st.builds(PortBlock, addresses, st.sampled_from((8192, 16384)), st.just(1)), max_size=1).map(tuple),
)
neighbours = st.builds(
    lambda network, address, mac: Neighbour(f"{network}/{address}", network, address, mac),
    st.sampled_from(NETWORKS),
    addresses,
    macs,
)
stands = st.builds(
    GatewayBinding,
    st.sampled_from([f"router/{each}" for each in ROUTERS] + [f"port/{each}" for each in INTERFACES]),
    st.sampled_from(ROUTERS),
    st.sampled_from(CHASSIS),
    st.just(""),
    st.sampled_from((None, None, *CHASSIS)),
    st.sampled_from((GETTING_READY, PASSING_ON, TAKING_OVER, LETTING_GO)),
)
fences = st.builds(Fence, st.sampled_from(CHASSIS), st.integers(1, 2), st.integers(1, 2))
outages = st.one_of(
    st.builds(Outage, st.sampled_from(CHASSIS)),
    st.builds(lambda *place: NoUpstream("/".join(place)), st.sampled_from(NETWORKS), st.sampled_from(CHASSIS)),
)
virtual = st.builds(
    lambda network, port: VirtualAddress(f"{network}/10.0.0.9", network, "10.0.0.9", port),
    st.sampled_from(NETWORKS),
    st.sampled_from(PORTS),
)
of_gateways = st.one_of(stands, fences, outages)
outside = st.one_of(virtual, pools, holders, floating_ips, forwardings, translations, neighbours, of_gateways)
groups = st.builds(SecurityGroup, st.sampled_from(GROUPS), st.just("t"), st.just(0), stateful=st.booleans())
address_groups = st.builds(
    AddressGroup,
    st.sampled_from(ADDRESS_GROUPS),
    st.just("t"),
    st.just(0),
    addresses=st.lists(st.sampled_from(("10.0.0.5/32", "10.0.0.0/24", "2001:db8::/64")), unique=True).map(tuple),
)
remotes = st.sampled_from(
    ({}, {"remote_group_id": "g1"}, {"remote_group_id": "g2"}, {"remote_address_group_id": "x1"},
     {"remote_ip_prefix": "10.0.0.0/25"})
)  # fmt: skip
protocols = st.sampled_from(
    (
        {},
        {"protocol": 47},
        {"protocol": 1, "port_range_min": 8},
        {"protocol": 6, "port_range_min": 3, "port_range_max": 9},
    )
)
group_rules = st.builds(
    lambda remote, protocol, rule_id, group_id, direction, ethertype: SecurityGroupRule(
        rule_id, "t", group_id, direction, ethertype, **remote, **protocol
    ),
    remotes,
    protocols,
    st.sampled_from(("r1", "r2", "r3", "r4")),
    st.sampled_from(GROUPS),
    st.sampled_from(("ingress", "egress")),
    st.sampled_from(("IPv4", "IPv4", "IPv6")),
)
intents = st.one_of(networks, subnets, ports, routers, interfaces, groups, address_groups, group_rules, outside)
chassis = st.builds(
    Chassis,
    st.sampled_from(CHASSIS),
    encap_ip=st.sampled_from((None, "192.0.2.1", "192.0.2.2")),
    encap_types=st.sampled_from(((), ("geneve",), ("geneve", "vxlan"))),
    tunnel_ports=st.sampled_from(((), (("geneve", 1),), (("geneve", 1), ("vxlan", 2)))),
    patch_ports=st.sampled_from(((), (("physnet1", 3),))),
    watch_ports=st.sampled_from(((), (("192.0.2.1", 4), ("192.0.2.2", 5)))),
    gateway=st.booleans(),
)
plugged = st.dictionaries(
    st.sampled_from(PORTS), st.integers(10, 13).map(lambda number: Plugged(number, f"tap{number}"))
)


def tables(engine: Engine) -> dict[str, dict[Any, Any]]:
    return {chassis_id: dict(engine.desired(chassis_id)) for chassis_id in CHASSIS}


class AnyHistory(RuleBasedStateMachine):
    """Rows come, change and go in any order and batching, dangling references included."""

    @initialize()
    def start(self) -> None:
        self.patch = pytest.MonkeyPatch()
        # With more than two on a chassis, a network's ports are shared out.
        self.patch.setattr(flooding, "SHARE", 2)
        self.store = Store()
        self.changes: list[Change] = []
        self.store.watch(self.changes.append)
        self.engine = Engine(self.store)
        self.switches: dict[str, dict[Any, Any]] = {chassis_id: {} for chassis_id in CHASSIS}
        for number, chassis_id in enumerate(CHASSIS[:2]):
            row = Chassis(
                chassis_id, encap_ip=f"192.0.2.{number}", encap_types=("geneve",), tunnel_ports=(("geneve", 1),)
            )
            observe(
                self.store, row, {port: Plugged(10 + n, f"tap{n}") for n, port in enumerate(PORTS) if n % 2 == number}
            )

    def teardown(self) -> None:
        self.patch.undo()

    def put(self, *rows: Any) -> None:
        with self.store.transaction() as tx:
            for row in rows:
                key = NUMBERS.get(type(row))
                tx.put(replace(row, key=key.index(row.id) + 1) if key else row)

    @rule(row=intents)
    def write_row(self, row: Any) -> None:
        self.put(row)

    @rule(rows=st.lists(intents, min_size=2, max_size=6))
    def write_rows(self, rows: list[Any]) -> None:
        self.put(*rows)

    @rule(
        data=st.data(),
        kind=st.sampled_from(
            (
                *(Network, Subnet, Port, Router, SecurityGroup, SecurityGroupRule, AddressGroup),
                *(FloatingIP, PortForwarding, Translation, Neighbour, SubnetPool, GatewayBinding, Fence, Outage),
                VirtualAddress,
            )
        ),
    )
    def delete_row(self, data: st.DataObject, kind: type) -> None:
        if ids := self.store.ids(kind):
            with self.store.transaction() as tx:
                tx.delete(kind, data.draw(st.sampled_from(ids)))

    @rule(row=chassis, holds=plugged)
    def chassis_reports(self, row: Chassis, holds: dict[str, Plugged]) -> None:
        observe(self.store, row, holds)

    @rule(data=st.data(), port=st.sampled_from(PORTS), number=st.integers(20, 23))
    def migrate(self, data: st.DataObject, port: str, number: int) -> None:
        if ids := self.store.ids(Chassis):
            row = self.store.get(Chassis, data.draw(st.sampled_from(ids)))
            assert row is not None
            holds = {b.port_id: Plugged(b.ofport, b.interface) for b in self.store.find(PortBinding, "chassis", row.id)}
            observe(self.store, row, holds | {port: Plugged(number, "moved")})

    @rule(chassis_id=st.sampled_from(CHASSIS))
    def chassis_leaves(self, chassis_id: str) -> None:
        forget(self.store, chassis_id)

    @rule()
    def settle(self) -> None:
        deltas = self.engine.update(self.changes)
        self.changes.clear()
        for chassis_id, delta in deltas.items():
            switch = self.switches[chassis_id]
            for flow in delta.removed:
                assert switch.get(flow.key) == flow, "removes only what is there"
            for flow in delta.removed:
                del switch[flow.key]
            for flow in delta.added:
                switch[flow.key] = flow
        for chassis_id in CHASSIS:
            if self.store.get(Chassis, chassis_id) is None:
                self.switches[chassis_id].clear()
        assert self.switches == tables(self.engine), "deltas add up to the desired tables"
        assert tables(self.engine) == tables(Engine(self.store)), "incremental equals from scratch"
        assert not self.engine.failures
        for switch in self.switches.values():
            for flow in switch.values():
                asks = any(isinstance(action, Controller) for action in flow.actions)
                assert not asks or flow.meter, "the controller is asked by budget"

    @precondition(lambda self: not self.changes)
    @rule(row=intents | chassis)
    def do_and_undo(self, row: Any) -> None:
        before, held = tables(self.engine), self.store.get(type(row), row.id)
        if held is None and isinstance(row, Chassis):
            return
        self.put(row)
        self.settle()
        with self.store.transaction() as tx:
            if held is None:
                tx.delete(type(row), row.id)
            else:
                tx.put(held)
        self.settle()
        assert tables(self.engine) == before

    @invariant()
    def same_change_twice_changes_nothing(self) -> None:
        if self.changes:
            return
        everything = Engine(self.store)
        assert everything.update([]) == {}
        assert not self.engine.update([Change(self.store.revision, ())])


AnyHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyHistory = AnyHistory.TestCase


def small_cloud() -> tuple[Store, Engine, list[Change]]:
    store = Store()
    changes: list[Change] = []
    with store.transaction() as tx:
        for number, name in enumerate(("n1", "n2", "n3"), 1):
            tx.put(Network(name, "t", number, Segment("geneve", 100 + number)))
            tx.put(Subnet(f"s-{name}", "t", name, "10.0.0.0/24", gateway_ip="10.0.0.1"))
        for number in range(30):
            network = ("n1", "n2", "n3")[number % 3]
            tx.put(
                Port(
                    f"p{number}",
                    "t",
                    network,
                    number + 1,
                    f"fa:16:3e:00:00:{number:02x}",
                    fixed_ips=(FixedIP(f"s-{network}", f"10.0.0.{number + 2}"),),
                )
            )
    for number, chassis_id in enumerate(CHASSIS):
        row = Chassis(chassis_id, encap_ip=f"192.0.2.{number}", encap_types=("geneve",), tunnel_ports=(("geneve", 1),))
        observe(store, row, {f"p{n}": Plugged(n + 10, f"t{n}") for n in range(number * 10, number * 10 + 10)})
    engine = Engine(store)
    store.watch(changes.append)
    return store, engine, changes


def runs_of(engine: Engine, changes: list[Change]) -> Counter[str]:
    before = engine.runs.copy()
    engine.update(changes)
    changes.clear()
    return engine.runs - before


def change_port(store: Store, port_id: str, **values: Any) -> None:
    with store.transaction() as tx:
        row = tx.get(Port, port_id)
        assert row is not None
        tx.put(replace(row, **values))


def test_a_new_name_runs_one_fact_and_the_units_of_that_port_and_sends_nothing() -> None:
    store, engine, changes = small_cloud()
    change_port(store, "p4", name="web")
    before = engine.runs.copy()
    assert engine.update(changes) == {}
    runs = engine.runs - before
    assert all(count == 1 for count in runs.values()), runs
    assert not any(name.startswith(("flooding", "core_output", "hosts")) for name in runs), runs


def test_a_new_address_runs_no_unit_of_another_port() -> None:
    store, engine, changes = small_cloud()
    change_port(store, "p4", fixed_ips=(FixedIP("s-n2", "10.0.0.200"),))
    runs = runs_of(engine, changes)
    assert runs["addresses.addresses"] == runs["port_security.permitted"] == 1
    assert all(count <= 1 for count in runs.values()), runs


def test_migration_runs_units_of_one_port_and_of_the_two_chassis() -> None:
    store, engine, changes = small_cloud()
    row = store.get(Chassis, "b")
    assert row is not None
    holds = {b.port_id: Plugged(b.ofport, b.interface) for b in store.find(PortBinding, "chassis", "b")}
    observe(store, row, holds | {"p0": Plugged(99, "moved")})
    runs = runs_of(engine, changes)
    assert runs["delivery.to_port"] == runs["classification.from_port"] == 1
    assert runs["flooding.copies"] <= 2, runs
    assert runs["binding_in_force"] == 1


def test_one_port_more_where_its_network_is_changes_no_flooding_elsewhere() -> None:
    store, engine, changes = small_cloud()
    with store.transaction() as tx:
        tx.put(Port("p30", "t", "n1", 31, "fa:16:3e:00:01:00", fixed_ips=(FixedIP("s-n1", "10.0.0.100"),)))
    row = store.get(Chassis, "a")
    assert row is not None
    holds = {b.port_id: Plugged(b.ofport, b.interface) for b in store.find(PortBinding, "chassis", "a")}
    observe(store, row, holds | {"p30": Plugged(99, "new")})
    before = engine.runs.copy()
    deltas = engine.update(changes)
    flooding = {name: [flow for flow in delta.added if flow.feature == "flooding"] for name, delta in deltas.items()}
    assert (engine.runs - before)["flooding.copies"] == 1
    assert {name: len(flows) for name, flows in flooding.items()} == {"a": 2, "b": 0, "c": 0}


def test_a_network_that_comes_to_a_chassis_lets_what_others_there_reach_stand() -> None:
    store, engine, changes = small_cloud()
    with store.transaction() as tx:
        tx.put(Network("n4", "t", 4, Segment("geneve", 104)))
        tx.put(Port("p30", "t", "n4", 31, "fa:16:3e:00:01:00"))
    row = store.get(Chassis, "a")
    assert row is not None
    observe(store, row, {"p30": Plugged(99, "new")}, changed={"p30"})
    before, runs = dict(engine.desired("a")), runs_of(engine, changes)
    assert (runs["says_from_its_ports"], runs["reach_from"]) == (1, 1), runs
    assert runs["audiences"] == 0, "what the chassis hears of as before was not looked at"
    assert any(flow.owner == "network/n4" for key, flow in engine.desired("a").items() if key not in before)
    assert len(store.find(PortBinding, "chassis", "a")) == 10 + 1, "of the others nothing was said"


def test_a_chassis_without_the_network_holds_no_flow_of_it() -> None:
    store, engine, changes = small_cloud()
    for number in range(0, 10, 3):
        change_port(store, f"p{number}", admin_state_up=False)
    engine.update(changes)
    port_owners = {f"port/p{number}" for number in range(0, 30, 3)}
    owners = {flow.owner for flow in engine.desired("a").values()}
    assert not owners & (port_owners | {"network/n1", "subnet/s-n1"})
    assert "network/n2" in owners


def test_a_unit_that_raises_costs_only_its_own_flows_and_recovers() -> None:
    def fragile(view: Any, port_id: str) -> Any:
        port = view.get(Port, port_id)
        if port.name == "bad":
            raise RuntimeError("boom")
        return iter(())

    from flows.features import UNITS

    store, _, changes = small_cloud()
    engine = Engine(store, (*UNITS, Unit(fragile, over=Port)))
    count = len(engine.desired("a"))
    change_port(store, "p1", name="bad")
    engine.update(changes)
    changes.clear()
    assert [(failure.args, failure.error) for failure in engine.failures.values()] == [(("p1",), "RuntimeError: boom")]
    assert len(engine.desired("a")) == count
    change_port(store, "p1", name="good")
    engine.update(changes)
    assert not engine.failures
    change_port(store, "p1", name="bad")
    engine.update(changes)
    assert engine.failures
    with store.transaction() as tx:
        tx.delete(Port, "p1")
    engine.update(changes)
    assert not engine.failures, "it went with its row"


def test_a_fact_that_raises_is_asked_again_when_what_it_read_changes() -> None:
    def fact(view: Any, port_id: str) -> str:
        port = view.get(Port, port_id)
        if port.name == "bad":
            raise RuntimeError("boom")
        return str(port.name)

    def unit(view: Any, port_id: str) -> Any:
        view.ask(fact, port_id)
        return iter(())

    store, _, changes = small_cloud()
    engine = Engine(store, (Unit(unit, over=Port),))
    for name, failing in (("bad", 1), ("good", 0), ("bad", 1), ("fine", 0)):
        change_port(store, "p1", name=name)
        engine.update(changes)
        changes.clear()
        assert len(engine.failures) == failing, name


def delivery(owner: str, place: int) -> Flow:
    return flows.flow(
        DELIVERY, "local", "delivery", f"network/{owner}", Output(place), to_port=1000 * int(owner[1:]) + place
    )


def test_audience_of_an_unknown_chassis_reaches_nobody() -> None:
    _, engine, _ = small_cloud()
    assert engine.desired("nowhere") == {}


def test_what_one_fact_stops_to_read_while_another_begins_is_followed() -> None:
    def inner(view: Any, network_id: str) -> str:
        network = view.get(Network, network_id)
        return str(view.get(AddressGroup, "x").name) if network.name == "first" else ""

    def outer(view: Any, network_id: str) -> str:
        network = view.get(Network, network_id)
        name = "" if network.name == "first" else str(view.get(AddressGroup, "x").name)
        return name + str(view.ask(inner, network_id))

    store, changes = Store(), []
    store.watch(changes.append)
    for names in (("first", ""), ("second", ""), ("second", "web")):
        with store.transaction() as tx:
            tx.put(Network("n", "t", 1, Segment("geneve", 100), name=names[0]))
            tx.put(AddressGroup("x", "t", 1, name=names[1]))
        if names[0] == "first":
            engine = Engine(store, (), followed=[(Network, outer)])
        else:
            engine.update(changes)
        changes.clear()
    assert engine.ask(outer, "n") == "web"


def test_a_followed_fact_that_a_relation_asks_for_as_well_has_moved() -> None:
    def named(view: Any, network_id: str) -> str:
        network = view.get(Network, network_id)
        return network.name if network is not None else ""

    relation = Relation(Network, lambda view, network_id: ((("named", view.ask(named, network_id)), network_id),))
    store, changes = Store(), []
    store.watch(changes.append)
    for name in ("first", "second"):
        with store.transaction() as tx:
            tx.put(Network("n", "t", 1, Segment("geneve", 100), name=name))
        if name == "first":
            engine = Engine(store, (), followed=[(Network, named)])
            assert engine.view.gather(relation, ("named", "first")) == ("n",) and engine.take_moved(named) == {"n"}
        else:
            engine.update(changes)
        changes.clear()
    assert engine.take_moved(named) == {"n"} and engine.view.gather(relation, ("named", "second")) == ("n",)
