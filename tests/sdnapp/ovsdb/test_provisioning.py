"""Provisioning brings any database to what its settings ask for, and then has nothing more to do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnapp.ovsdb import ports
from sdnapp.ovsdb.observation import observe
from sdnapp.ovsdb.provisioning import Endpoint, plan
from sdnapp.ovsdb.rows import Bridge, Controller, Datapath, Interface, Manager, OpenVSwitch, Port, Uuid
from sdnapp.ovsdb.steps import Plan
from tests.sdnapp.ovsdb.fake_database import FakeDatabase, Rejected

ENDPOINT = Endpoint("tcp:192.0.2.254:6653", "tcp:192.0.2.254:6640")
HV1 = {"system-id": "hv1"}
OWNED = {"sdnapp-owned": "true"}


def plan_for(database: FakeDatabase, watched: tuple[str, ...] = (), connections: int = 0) -> Plan:
    replica = database.replica()
    return plan(replica, observe(replica).settings, ENDPOINT, watched, connections)


def settle(database: FakeDatabase, watched: tuple[str, ...] = (), connections: int = 0) -> Plan:
    """Plan, commit, let the switch act, until nothing is left to do; return the last plan."""
    for _ in range(6):
        result = plan_for(database, watched, connections)
        if not result.steps:
            return result
        database.apply(result)
        database.switch_acts()
    raise AssertionError(f"it does not settle: {[step.what for step in result.steps]}")


def interface_key(database: FakeDatabase, name: str) -> Uuid:
    return next(key for key, row in database.rows[Interface].items() if row.name == name)


def test_an_empty_switch_gets_all_it_needs() -> None:
    database = FakeDatabase(
        HV1
        | {
            "sdnapp-encap-ip": "192.0.2.1",
            "sdnapp-encap-type": "geneve,vxlan",
            "sdnapp-bridge-mappings": "physnet1:br-ex",
        }
    )
    database.add_bridge("br-ex")
    result = settle(database)
    assert result.problems == []
    bridge = database.bridge("br-int")
    assert bridge.fail_mode == "secure"
    assert bridge.protocols == {"OpenFlow13"}
    assert bridge.other_config == {"disable-in-band": "true"}
    assert bridge.external_ids == OWNED
    assert bridge.datapath_type == "system"
    [controller] = database.rows[Controller].values()
    assert controller == Controller(ENDPOINT.openflow, max_backoff=1000, inactivity_probe=10_000)
    assert database.interface("br-int").type == "internal"
    assert database.ports_of("br-int") == {"br-int", "sdn-geneve", "sdn-vxlan", "sdn-physnet1-int"}
    assert database.ports_of("br-ex") == {"br-ex", "sdn-physnet1-ext"}
    for encapsulation in ("geneve", "vxlan"):
        tunnel = database.interface(f"sdn-{encapsulation}")
        assert (tunnel.type, tunnel.external_ids) == (encapsulation, OWNED)
        assert tunnel.options == {"remote_ip": "flow", "key": "flow", "local_ip": "192.0.2.1"}
    assert database.interface("sdn-physnet1-int").options == {"peer": "sdn-physnet1-ext"}
    assert database.interface("sdn-physnet1-ext").options == {"peer": "sdn-physnet1-int"}
    chassis = observe(database.replica()).chassis
    assert chassis is not None and chassis.datapath_id
    assert dict(chassis.tunnel_ports).keys() == {"geneve", "vxlan"} and dict(chassis.patch_ports).keys() == {"physnet1"}


def limits(database: FakeDatabase) -> dict[str, int | None]:
    """How many connections a zone may have, by type of datapath."""
    root = database.rows[OpenVSwitch][database.root]
    return {kind: database.rows[Datapath][row].ct_zone_default_limit for kind, row in root.datapaths.items()}


def test_connections_of_each_zone_are_limited_and_a_new_limit_follows() -> None:
    database = FakeDatabase(HV1)
    settle(database, connections=1000)
    assert limits(database) == {"system": 1000}
    settle(database, connections=2000)
    assert limits(database) == {"system": 2000}
    settle(database, connections=0)
    assert limits(database) == {"system": 2000}


@pytest.mark.parametrize(
    ("version", "found"), [("3.5.0", {"netdev": 9}), ("3.4.2", {}), ("3.10", {"netdev": 9}), (None, {})]
)
def test_in_user_space_zones_are_limited_only_where_each_is_counted_by_itself(
    version: str | None, found: dict[str, int]
) -> None:
    database = FakeDatabase(HV1, types=["netdev"])
    database.change(database.root, ovs_version=version)
    settle(database, connections=9)
    assert limits(database) == found


def test_a_database_that_has_no_such_limit_is_left_alone() -> None:
    database = FakeDatabase(HV1)
    settle(database)
    replica = database.replica()
    replica.limits_connections = False
    assert plan(replica, observe(replica).settings, ENDPOINT, (), 1000).steps == []


def test_a_bridge_of_the_users_is_taken_over_and_keeps_what_is_his() -> None:
    database = FakeDatabase(HV1)
    old = database.put(Controller("tcp:198.51.100.1:6653"))
    database.add_bridge(
        "br-int",
        protocols=frozenset({"OpenFlow10"}),
        controller=frozenset({old}),
        other_config={"hwaddr": "aa:bb:cc:00:00:01", "disable-in-band": "false"},
        external_ids={"mine": "yes"},
        datapath_type="netdev",
    )
    settle(database)
    bridge = database.bridge("br-int")
    assert database.targets("br-int") == [ENDPOINT.openflow]
    assert bridge.protocols == {"OpenFlow10", "OpenFlow13"}
    assert bridge.other_config == {"hwaddr": "aa:bb:cc:00:00:01", "disable-in-band": "true"}
    assert bridge.external_ids == {"mine": "yes"}
    assert (bridge.fail_mode, bridge.datapath_type) == ("secure", "netdev")


def test_a_controller_row_that_is_right_stays_with_its_connection() -> None:
    database = FakeDatabase(HV1)
    ours = database.put(Controller(ENDPOINT.openflow, inactivity_probe=0))
    other = database.put(Controller("tcp:198.51.100.1:6653"))
    database.add_bridge("br-int", controller=frozenset({ours, other}))
    settle(database)
    assert database.rows[Controller] == {ours: Controller(ENDPOINT.openflow, max_backoff=1000, inactivity_probe=0)}


def test_only_the_manager_that_leads_here_is_told_to_come_back_quickly_and_to_claim_no_bridge() -> None:
    database = FakeDatabase(HV1)
    ours, slow = database.put(Manager(ENDPOINT.manager)), database.put(Manager("ptcp:6641"))
    database.change(database.root, manager_options=frozenset({ours, slow}))
    settle(database)
    assert database.rows[Manager] == {
        ours: Manager(ENDPOINT.manager, 1000, "out-of-band"),
        slow: Manager("ptcp:6641"),
    }
    database.change(ours, max_backoff=30_000, connection_mode="in-band")
    assert plan_for(database).steps == []


# Datapath type


def test_without_kernel_datapath_the_bridge_goes_to_user_space_once_the_switch_has_acted() -> None:
    database = FakeDatabase(HV1, types=["netdev"])
    database.apply(plan_for(database))
    assert database.bridge("br-int").datapath_type == "system"
    assert plan_for(database).steps == [], "the switch has not acted yet"
    database.switch_acts()
    [step] = plan_for(database).steps
    assert step.what == "bridge br-int: datapath_type netdev, as the switch offers no kernel datapath"
    database.transact(step.operations)
    assert plan_for(database) == Plan(), "again it has not acted yet"
    assert settle(database) == Plan()
    database.switch_acts()
    assert database.bridge("br-int").datapath_type == "netdev" and database.bridge("br-int").datapath_id


def test_a_switch_where_nothing_works_is_told_and_left_alone() -> None:
    database = FakeDatabase(HV1, types=[])
    [problem] = settle(database).problems
    assert problem.startswith("bridge br-int (datapath_type netdev) is not up")


def test_the_kernel_bridge_stays_when_the_database_restarts_before_the_switch() -> None:
    database = FakeDatabase(HV1)
    settle(database)
    key = next(iter(database.rows[Bridge]))
    database.change(key, datapath_id=None)
    result = plan_for(database)
    assert result.steps == [] and "is not up" in result.problems[0]


def test_a_concurrent_change_of_the_type_is_respected() -> None:
    database = FakeDatabase(HV1, types=["netdev"])
    database.apply(plan_for(database))
    database.switch_acts()
    result = plan_for(database)
    key = next(iter(database.rows[Bridge]))
    database.change(key, datapath_type="dummy")
    with pytest.raises(Rejected, match="timed out"):
        database.apply(result)
    assert database.bridge("br-int").datapath_type == "dummy"


def test_two_that_make_the_bridge_at_once_make_one() -> None:
    database = FakeDatabase(HV1)
    result = plan_for(database)
    database.apply(result)
    with pytest.raises(Rejected, match="timed out"):
        database.apply(result)
    assert len(database.rows[Bridge]) == 1


@pytest.mark.parametrize(
    ("bridges", "settings", "expected"),
    [
        ({}, {}, "system"),
        ({"br-ex": "netdev"}, {"sdnapp-bridge-mappings": "p:br-ex"}, "netdev"),
        ({"br-ex": "netdev", "br-other": ""}, {"sdnapp-bridge-mappings": "p:br-ex"}, "netdev"),
        ({"br-ex": "", "br-other": "netdev"}, {"sdnapp-bridge-mappings": "p:br-ex"}, "system"),
        ({"br-a": "", "br-b": "netdev"}, {"sdnapp-bridge-mappings": "a:br-a,b:br-b"}, "system"),
        ({"br-phy": "netdev"}, {}, "netdev"),
        ({"br-phy": "netdev", "br-b": "system"}, {}, "system"),
        ({"br-phy": "netdev"}, {"sdnapp-datapath-type": "system"}, "system"),
        ({}, {"sdnapp-datapath-type": "dummy"}, "dummy"),
    ],
)
def test_a_new_bridge_takes_the_type_of_those_that_are_there(
    bridges: dict[str, str], settings: dict[str, str], expected: str
) -> None:
    database = FakeDatabase(HV1 | settings)
    for name, datapath_type in bridges.items():
        database.add_bridge(name, datapath_type=datapath_type)
    database.switch_acts()
    database.apply(plan_for(database))
    assert database.bridge("br-int").datapath_type == expected


def test_an_override_changes_our_bridge_and_not_the_users() -> None:
    database = FakeDatabase(HV1)
    settle(database)
    database.settings(system_id="hv1", sdnapp_datapath_type="netdev")
    settle(database)
    assert database.bridge("br-int").datapath_type == "netdev"

    database = FakeDatabase(HV1 | {"sdnapp-datapath-type": "netdev"})
    database.add_bridge("br-int")
    [problem] = settle(database).problems
    assert problem.endswith("ovs-vsctl set Bridge br-int datapath_type=netdev")
    assert database.bridge("br-int").datapath_type == ""


# Tunnel and patch ports


def test_changed_settings_change_the_ports() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-encap-ip": "192.0.2.1", "sdnapp-bridge-mappings": "a:br-a"})
    database.add_bridge("br-a")
    database.add_bridge("br-b")
    settle(database)
    number = database.interface("sdn-geneve").ofport
    database.settings(system_id="hv1", sdnapp_encap_ip="192.0.2.9", sdnapp_bridge_mappings="a:br-b")
    settle(database)
    assert database.interface("sdn-geneve").options["local_ip"] == "192.0.2.9"
    assert database.interface("sdn-geneve").ofport == number
    assert (database.ports_of("br-a"), database.ports_of("br-b")) == ({"br-a"}, {"br-b", "sdn-a-ext"})
    database.settings(system_id="hv1", sdnapp_encap_ip="192.0.2.9", sdnapp_encap_type="vxlan")
    settle(database)
    assert database.ports_of("br-int") == {"br-int", "sdn-vxlan"}
    assert database.ports_of("br-b") == {"br-b"}
    database.settings(system_id="hv1")
    settle(database)
    assert database.ports_of("br-int") == {"br-int"}


def test_chassis_are_watched_by_ports_of_their_own_as_long_as_they_are_to_be() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-encap-ip": "192.0.2.1"})
    settle(database, ("192.0.2.3", "198.51.100.255"))
    port = database.interface("sdn-wc0000203")
    assert (port.type, port.external_ids) == ("geneve", OWNED)
    assert port.options == {"remote_ip": "192.0.2.3", "local_ip": "192.0.2.1", "key": "0", "dst_port": "6082"}
    assert port.bfd == {"enable": "true", "min_rx": "100", "min_tx": "100", "cpath_down": "false"}
    chassis = observe(database.replica()).chassis
    assert chassis is not None and dict(chassis.watch_ports).keys() == {"192.0.2.3", "198.51.100.255"}
    key = interface_key(database, "sdn-wc0000203")
    database.rows[Interface][key] = replace(port, bfd={"enable": "false", "min_rx": "100", "min_tx": "100"})
    settle(database, ("192.0.2.3",))
    assert database.interface("sdn-wc0000203").bfd["enable"] == "true"
    assert database.ports_of("br-int") == {"br-int", "sdn-geneve", "sdn-wc0000203"}


def test_a_chassis_withdraws_from_another_one_that_it_watches() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-encap-ip": "192.0.2.1"})
    settle(database, ("192.0.2.3", "192.0.2.4"))

    def says_down(shunned: frozenset[str]) -> dict[str, str]:
        replica = database.replica()
        watched = ("192.0.2.3", "192.0.2.4", "192.0.2.5") if shunned else ("192.0.2.3", "192.0.2.4")
        database.apply(plan(replica, observe(replica).settings, ENDPOINT, watched, shunned=shunned))
        ports = (row for row in database.rows[Interface].values() if row.bfd)
        return {row.options["remote_ip"]: row.bfd["cpath_down"] for row in ports}

    first = says_down(frozenset({"192.0.2.3", "192.0.2.5"}))
    assert first == {"192.0.2.3": "true", "192.0.2.4": "false", "192.0.2.5": "true"}, "also of a port that is new"
    assert says_down(frozenset())["192.0.2.3"] == "false"


def test_a_gateway_chassis_looks_at_its_cache_ten_times_a_second_unless_its_operator_says_how_often() -> None:
    def config(database: FakeDatabase) -> dict[str, str]:
        settle(database)
        return dict(database.rows[OpenVSwitch][database.root].other_config)

    assert config(FakeDatabase(HV1)) == {}
    gateway = FakeDatabase(HV1 | {"sdnapp-gateway": "true"})
    gateway.change(gateway.root, other_config={"n-handler-threads": "1"})
    assert config(gateway) == {"n-handler-threads": "1", "max-revalidator": "100"}
    gateway.change(gateway.root, other_config={"max-revalidator": "300"})
    assert config(gateway) == {"max-revalidator": "300"}


def test_a_gateway_whose_switch_may_alter_the_wrong_cached_flow_is_reached_in_band() -> None:
    def mode(gateway: str, version: str | None = None) -> str | None:
        database.change(database.root, external_ids=HV1 | {"sdnapp-gateway": gateway}, ovs_version=version)
        settle(database)
        return database.rows[Manager][ours].connection_mode

    database = FakeDatabase(HV1)
    ours = database.put(Manager(ENDPOINT.manager))
    database.change(database.root, manager_options=frozenset({ours}))
    assert (mode("false"), mode("true"), mode("false")) == ("out-of-band", None, "out-of-band")
    assert (mode("true", "3.1.2"), mode("true", "3.1.3"), mode("true")) == (None, "out-of-band", None)
    database.change(ours, connection_mode="in-band")
    assert mode("true") == mode("false") == "in-band", "as the operator has said"


def test_options_that_the_operator_added_stay() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-encap-ip": "192.0.2.1"})
    settle(database)
    database.change(interface_key(database, "sdn-geneve"), options={"remote_ip": "flow", "key": "7", "csum": "true"})
    settle(database)
    expected = {"remote_ip": "flow", "key": "flow", "local_ip": "192.0.2.1", "csum": "true"}
    assert database.interface("sdn-geneve").options == expected


def test_a_port_of_the_users_is_never_touched() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-encap-ip": "192.0.2.1", "sdnapp-bridge-mappings": "a:br-a"})
    bridge = database.add_bridge("br-a")
    database.add_port(bridge, "sdn-geneve", type="gre")
    database.add_port(bridge, "sdn-a-ext")
    problems = settle(database).problems
    assert len(problems) == 2 and all("ovs-vsctl del-port sdn-" in problem for problem in problems)
    assert database.interface("sdn-geneve").type == "gre"
    assert database.ports_of("br-a") == {"br-a", "sdn-geneve", "sdn-a-ext"}
    assert database.ports_of("br-int") == {"br-int"}, "half a patch pair is of no use"


def test_ports_of_instances_are_not_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    database = FakeDatabase(HV1 | {"sdnapp-encap-ip": "192.0.2.1"})
    settle(database)
    bridge = next(key for key, row in database.rows[Bridge].items() if row.name == "br-int")
    for number in range(50):
        database.add_port(bridge, f"tap{number}")
    placed: list[str] = []
    place = ports.Place

    def noted(bridge: Uuid, bridge_name: str, key: Uuid, port: Port) -> ports.Place:
        placed.append(port.name)
        return place(bridge, bridge_name, key, port)

    monkeypatch.setattr(ports, "Place", noted)
    assert not plan_for(database).steps
    assert placed and not [name for name in placed if name.startswith("tap")]


def test_a_mapped_bridge_that_is_missing_is_told_and_not_made() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-bridge-mappings": "physnet1:br-ex"})
    [problem] = settle(database).problems
    assert problem == (
        "bridge br-ex of physical network physnet1 does not exist: ovs-vsctl add-br br-ex, and add its device"
    )
    assert [row.name for row in database.rows[Bridge].values()] == ["br-int"]
    database.add_bridge("br-ex")
    assert settle(database).problems == []
    assert database.ports_of("br-ex") == {"br-ex", "sdn-physnet1-ext"}


def test_bridges_of_two_datapath_types_are_not_patched() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-bridge-mappings": "a:br-a"})
    database.add_bridge("br-int", datapath_type="system")
    database.add_bridge("br-a", datapath_type="netdev")
    [problem] = settle(database).problems
    assert "br-a of physical network a has datapath_type netdev, and br-int has system" in problem
    assert database.ports_of("br-int") == {"br-int"}


def test_an_error_of_a_port_of_ours_is_told() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-encap-ip": "192.0.2.1"})
    settle(database)
    database.change(
        interface_key(database, "sdn-geneve"), error="could not add network device sdn-geneve to ofproto (File exists)"
    )
    assert settle(database).problems == [
        "port sdn-geneve: could not add network device sdn-geneve to ofproto (File exists)"
    ]


def test_another_integration_bridge_takes_the_ports_along() -> None:
    database = FakeDatabase(HV1 | {"sdnapp-encap-ip": "192.0.2.1"})
    settle(database)
    database.settings(system_id="hv1", sdnapp_encap_ip="192.0.2.1", sdnapp_bridge="br-new")
    [problem] = settle(database).problems
    assert problem == "bridge br-int was made by sdnapp and is not in use: ovs-vsctl del-br br-int"
    assert (database.ports_of("br-int"), database.ports_of("br-new")) == ({"br-int"}, {"br-new", "sdn-geneve"})


@pytest.mark.parametrize("name", ["br-int", "a-name-that-is-too-long"])
def test_a_bridge_that_cannot_be_made(name: str) -> None:
    database = FakeDatabase(HV1 | {"sdnapp-bridge": name})
    bridge = database.add_bridge("br-a")
    database.add_port(bridge, "br-int")
    result = settle(database)
    assert [row.name for row in database.rows[Bridge].values()] == ["br-a"]
    assert len(result.problems) == (name == "br-int")


def test_an_empty_database_is_left_alone() -> None:
    database = FakeDatabase()
    del database.rows[OpenVSwitch][database.root]
    assert plan_for(database) == Plan()


# Any database at all

BRIDGES = ("br-int", "br-a", "br-b")
PORTS = ("sdn-geneve", "sdn-vxlan", "sdn-a-int", "sdn-a-ext", "sdn-b-int", "tap1")
TYPES = ("", "system", "netdev", "dummy")
SETTINGS = st.fixed_dictionaries(
    {"system-id": st.just("hv1")},
    optional={
        "sdnapp-encap-ip": st.sampled_from(["192.0.2.1", "192.0.2.2", "junk"]),
        "sdnapp-encap-type": st.sampled_from(["geneve", "vxlan", "geneve,vxlan", "junk"]),
        "sdnapp-bridge": st.sampled_from([*BRIDGES, "no/bridge"]),
        "sdnapp-bridge-mappings": st.sampled_from(["a:br-a", "a:br-b", "a:br-a,b:br-b", "a:br-x", "a:br-int", "junk"]),
        "sdnapp-datapath-type": st.sampled_from(["system", "netdev"]),
    },
)


@st.composite
def databases(draw: st.DrawFn) -> FakeDatabase:
    database = FakeDatabase(draw(SETTINGS), draw(st.sampled_from([("system", "netdev"), ("netdev",), ()])))
    free = list(PORTS)
    for name in draw(st.lists(st.sampled_from(BRIDGES), unique=True)):
        targets = draw(st.lists(st.sampled_from([ENDPOINT.openflow, "tcp:198.51.100.1:6653"]), max_size=3))
        bridge = database.add_bridge(
            name,
            datapath_type=draw(st.sampled_from(TYPES)),
            fail_mode=draw(st.sampled_from([None, "secure", "standalone"])),
            protocols=draw(st.frozensets(st.sampled_from(["OpenFlow10", "OpenFlow13"]))),
            other_config=draw(
                st.dictionaries(st.sampled_from(["disable-in-band", "x"]), st.sampled_from(["true", "no"]))
            ),
            external_ids=draw(st.sampled_from([{}, OWNED])),
            controller=frozenset(database.put(Controller(target)) for target in targets),
        )
        for port in draw(st.lists(st.sampled_from(free), unique=True)) if free else []:
            free.remove(port)
            database.add_port(
                bridge,
                port,
                owned=draw(st.booleans()),
                type=draw(st.sampled_from(["geneve", "patch", ""])),
                options=draw(st.dictionaries(st.sampled_from(["peer", "key", "csum"]), st.sampled_from(["flow", "x"]))),
            )
    if draw(st.booleans()):
        database.switch_acts()
    return database


def belongings(database: FakeDatabase, managed: str | None) -> dict[str, object]:
    """What is the user's: bridges but for the integration bridge, and ports that are not marked."""
    foreign_ports = {key: row for key, row in database.rows[Port].items() if row.external_ids != OWNED}
    return {
        "bridges": {
            row.name: (row.fail_mode, row.protocols, row.other_config, row.external_ids, frozenset(row.controller))
            for row in database.rows[Bridge].values()
            if row.name != managed
        },
        "types": {
            row.name: row.datapath_type
            for row in database.rows[Bridge].values()
            if row.external_ids != OWNED or row.name != managed
        },
        "places": {
            foreign_ports[port].name: row.name
            for row in database.rows[Bridge].values()
            for port in row.ports
            if port in foreign_ports and foreign_ports[port].name != managed
        },
        "interfaces": {
            row.name: [replace(database.rows[Interface][key], ofport=None) for key in row.interfaces]
            for row in foreign_ports.values()
            if row.name != managed
        },
    }


@given(databases())
def test_any_database_settles_and_what_is_the_users_stays(database: FakeDatabase) -> None:
    managed = observe(database.replica()).settings.bridge
    before = belongings(database, managed)
    result = settle(database)
    assert belongings(database, managed) == before
    # What is asked for is there, or there is a line about it.
    settings = observe(database.replica()).settings
    if settings.bridge is None:
        return
    names = {row.name for row in database.rows[Bridge].values()}
    assert settings.bridge in names
    bridge = database.bridge(settings.bridge)
    assert bridge.fail_mode == "secure" and "OpenFlow13" in bridge.protocols
    assert database.targets(settings.bridge) == [ENDPOINT.openflow]
    ports = database.ports_of(settings.bridge)
    for encapsulation in settings.encap_types:
        name = f"sdn-{encapsulation}"
        assert name in ports or any(name in problem for problem in result.problems)
        if not any(name in problem for problem in result.problems):
            assert database.interface(name).options["local_ip"] == settings.encap_ip
    for network, mapped in settings.bridge_mappings:
        present = (
            f"sdn-{network}-int" in ports and mapped in names and f"sdn-{network}-ext" in database.ports_of(mapped)
        )
        assert present or any(f"network {network}" in p or f"sdn-{network}-" in p for p in result.problems)
    wanted = {f"sdn-{encapsulation}" for encapsulation in settings.encap_types}
    wanted |= {f"sdn-{network}-{side}" for network, _ in settings.bridge_mappings for side in ("int", "ext")}
    left = {row.name for row in database.rows[Port].values() if row.external_ids == OWNED} - names
    assert left <= wanted
    # A database that restarts, or another controller that takes over at the same address, changes nothing.
    assert plan_for(database).steps == []
