"""What is read from a switch's database: settings, good and bad, and what is plugged in."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdnapp.ovsdb.naming import OWNED, patch_ports, watch_port
from sdnapp.ovsdb.observation import Observer, observe
from sdnapp.ovsdb.provisioning import Endpoint, plan
from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import Bridge, Interface, OpenVSwitch, Port, Uuid
from sdnapp.ovsdb.settings import Settings, read_settings
from tests.sdnapp.ovsdb.fake_database import FakeDatabase
from tests.sdnapp.ovsdb.test_replica import Database, row_update2, updates
from topology.placement import Plugged
from topology.values import Chassis

HV1 = {
    "system-id": "hv1",
    "hostname": "hv1.example",
    "sdnapp-encap-ip": "192.0.2.1",
    "sdnapp-encap-type": "vxlan, geneve",
    "sdnapp-bridge-mappings": "physnet1:br-ex, physnet2:br-prov",
    "sdnapp-gateway": "true",
}


def test_all_settings_are_read() -> None:
    settings, problems = read_settings(HV1 | {"sdnapp-bridge": "br-x", "sdnapp-datapath-type": "netdev"})
    assert problems == ()
    assert settings == Settings(
        system_id="hv1",
        hostname="hv1.example",
        bridge="br-x",
        encap_ip="192.0.2.1",
        encap_types=("vxlan", "geneve"),
        bridge_mappings=(("physnet1", "br-ex"), ("physnet2", "br-prov")),
        gateway=True,
        datapath_type="netdev",
    )


def test_defaults() -> None:
    settings, problems = read_settings({"system-id": "hv1", "sdnapp-encap-ip": "192.0.2.1"})
    assert problems == ()
    assert settings == Settings(
        system_id="hv1", hostname="hv1", bridge="br-int", encap_ip="192.0.2.1", encap_types=("geneve",)
    )


@pytest.mark.parametrize(
    ("key", "value", "field", "left"),
    [
        ("system-id", "", "system_id", None),
        ("system-id", "a b", "system_id", None),
        ("system-id", "a/b", "system_id", None),
        ("system-id", "a@b", "system_id", None),
        ("system-id", "a\nb", "system_id", None),
        ("system-id", "x" * 256, "system_id", None),
        ("sdnapp-bridge", "a-name-that-is-too-long", "bridge", None),
        ("sdnapp-bridge", "br/int", "bridge", None),
        ("sdnapp-encap-ip", "192.0.2", "encap_ip", None),
        ("sdnapp-encap-ip", "192.0.2.256", "encap_ip", None),
        ("sdnapp-encap-ip", "0.0.0.0", "encap_ip", None),
        ("sdnapp-encap-ip", "224.0.0.1", "encap_ip", None),
        ("sdnapp-encap-ip", "255.255.255.255", "encap_ip", None),
        ("sdnapp-encap-ip", "2001:db8::1", "encap_ip", None),
        ("sdnapp-encap-type", "gre", "encap_types", ()),
        ("sdnapp-encap-type", "geneve,stt", "encap_types", ()),
        ("sdnapp-encap-type", ",", "encap_types", ()),
        ("sdnapp-gateway", "maybe", "gateway", False),
        ("sdnapp-bridge-mappings", "physnet1", "bridge_mappings", ()),
        ("sdnapp-bridge-mappings", ":br-ex", "bridge_mappings", ()),
        ("sdnapp-bridge-mappings", "physnet1:a-name-that-is-too-long", "bridge_mappings", ()),
        ("sdnapp-bridge-mappings", "a:b:c", "bridge_mappings", ()),
        ("sdnapp-bridge-mappings", "physnet1:br-int", "bridge_mappings", ()),
        ("sdnapp-bridge-mappings", "a:br-a,a:br-b,c:br-c", "bridge_mappings", (("a", "br-a"), ("c", "br-c"))),
        ("sdnapp-bridge-mappings", "a:br-a,b:br-a,c", "bridge_mappings", (("a", "br-a"),)),
    ],
)
def test_a_malformed_setting_is_told_with_key_and_fix_and_the_rest_works(
    key: str, value: str, field: str, left: object
) -> None:
    settings, problems = read_settings(HV1 | {key: value})
    assert getattr(settings, field) == left
    assert problems and {problem.key for problem in problems} == {key}
    assert f"ovs-vsctl set Open_vSwitch . external_ids:{key}=" in str(problems[0])
    good, _ = read_settings(HV1)
    for name in ("system_id", "encap_ip", "encap_types", "bridge_mappings", "gateway"):
        if name != field and not (field == "encap_ip" and name == "encap_types"):
            assert getattr(settings, name) == getattr(good, name)


def test_no_tunnels_without_an_address_is_no_problem() -> None:
    settings, problems = read_settings({"system-id": "hv1"})
    assert (settings.encap_ip, settings.encap_types, problems) == (None, (), ())


@pytest.mark.parametrize(
    ("network", "names"),
    [
        ("physnet1", ("sdn-physnet1-int", "sdn-physnet1-ext")),
        ("x" * 16, (f"sdn-{'x' * 16}-int", f"sdn-{'x' * 16}-ext")),
    ],
)
def test_patch_ports_are_named_after_their_network(network: str, names: tuple[str, str]) -> None:
    assert patch_ports(network) == names


def test_patch_ports_of_odd_names_are_short_and_differ() -> None:
    odd = ["x" * 17, "x" * 18, "a b", "ä", "x" * 64]
    names = [name for network in odd for name in patch_ports(network)]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 24 and name.isascii() for name in names)
    assert patch_ports("ä") == ("sdn-33e6d73fee82904c-int", "sdn-33e6d73fee82904c-ext")


@pytest.fixture
def database() -> FakeDatabase:
    database = FakeDatabase(HV1)
    bridge = database.add_bridge("br-int", datapath_id="00000000000000ab")
    database.add_bridge("br-ex")
    database.add_port(bridge, "sdn-geneve", owned=True, type="geneve", ofport=1)
    database.add_port(bridge, "sdn-vxlan", owned=True, type="vxlan", ofport=2)
    database.add_port(bridge, "sdn-physnet1-int", owned=True, type="patch", ofport=3)
    return database


def plug(database: FakeDatabase, name: str, port_id: str, ofport: int | None, **values: object) -> Uuid:
    key = next(key for key, row in database.rows[Bridge].items() if row.name == "br-int")
    return database.add_port(key, name, ofport=ofport, external_ids={"iface-id": port_id}, **values)


def test_a_chassis_is_seen(database: FakeDatabase) -> None:
    observation = observe(database.replica())
    assert observation.chassis == Chassis(
        id="hv1",
        hostname="hv1.example",
        datapath_id="00000000000000ab",
        bridge="br-int",
        encap_ip="192.0.2.1",
        encap_types=("vxlan", "geneve"),
        bridge_mappings=(("physnet1", "br-ex"), ("physnet2", "br-prov")),
        gateway=True,
        tunnel_ports=(("vxlan", 2), ("geneve", 1)),
        patch_ports=(("physnet1", 3),),
    )
    assert observation.plugged == {} and observation.problems == ()


def test_bfd_sessions_are_told_and_no_part_of_the_chassis(database: FakeDatabase) -> None:
    key = next(key for key, row in database.rows[Bridge].items() if row.name == "br-int")
    watch = database.add_port(key, watch_port("192.0.2.7"), owned=True, ofport=4, type="geneve")
    database.add_port(key, watch_port("192.0.2.8"), owned=True, ofport=5, type="geneve")
    before = observe(database.replica())
    assert before.bfd == {} and before.chassis is not None
    for state in ("down", "up"):
        database.change(watch, bfd_status={"state": state, "forwarding": "true"})
        assert observe(database.replica()).bfd == {"192.0.2.7": state}
        assert observe(database.replica()).chassis == before.chassis
    for status, expected in (
        ({"state": "up", "forwarding": "true"}, (True, True, False)),
        ({"state": "up", "forwarding": "false"}, (True, False, False)),
        ({"state": "up", "forwarding": "true", "diagnostic": "Concatenated Path Down"}, (True, True, True)),
        ({"state": "down", "forwarding": "false", "diagnostic": "Concatenated Path Down"}, (False, False, True)),
    ):
        database.change(watch, bfd_status=status)
        assert tuple("192.0.2.7" in each for each in observe(database.replica()).hearing) == expected


def test_ports_of_others_are_no_tunnel_of_ours(database: FakeDatabase) -> None:
    key = next(key for key, row in database.rows[Interface].items() if row.name == "sdn-geneve")
    database.change(key, external_ids={})
    chassis = observe(database.replica()).chassis
    assert chassis is not None and chassis.tunnel_ports == (("vxlan", 2),)


def test_plugged_interfaces_are_those_of_the_integration_bridge_that_have_a_number(database: FakeDatabase) -> None:
    plug(database, "tap1", "port-1", 7)
    plug(database, "tap2", "port-2", None)
    plug(database, "tap3", "port-3", -1, error="could not open network device tap3 (No such device)")
    plug(database, "tap4", "not an id", 8)
    external = next(key for key, row in database.rows[Bridge].items() if row.name == "br-ex")
    database.add_port(external, "tap5", ofport=9, external_ids={"iface-id": "port-5"})
    observation = observe(database.replica())
    assert observation.plugged == {"port-1": Plugged(7, "tap1")}
    assert len(observation.problems) == 2
    assert any("tap3" in p and "port-3" in p and "No such device" in p for p in observation.problems)
    assert any("tap4" in p and "'not an id'" in p for p in observation.problems)


def test_every_interface_of_a_bond_is_seen(database: FakeDatabase) -> None:
    first = plug(database, "tap1", "port-1", 7)
    second = database.put(Interface(name="tap2", ofport=8, external_ids={"iface-id": "port-2"}))
    port = next(key for key, row in database.rows[Port].items() if first in row.interfaces)
    database.change(port, interfaces=frozenset({first, second}))
    assert observe(database.replica()).plugged == {"port-1": Plugged(7, "tap1"), "port-2": Plugged(8, "tap2")}


@pytest.mark.parametrize("numbers", [(7, 9), (9, 7)])
def test_the_higher_port_number_wins_and_it_is_told(database: FakeDatabase, numbers: tuple[int, int]) -> None:
    names = dict(zip(numbers, ("tapa", "tapb"), strict=True))
    for number, name in names.items():
        plug(database, name, "port-1", number)
    observation = observe(database.replica())
    assert observation.plugged == {"port-1": Plugged(9, names[9])}
    [problem] = observation.problems
    assert problem.startswith(f"interfaces {names[9]} and {names[7]} both claim port port-1: {names[9]} has it")


def test_without_system_id_there_is_no_chassis(database: FakeDatabase) -> None:
    database.settings(sdnapp_encap_ip="192.0.2.1")
    observation = observe(database.replica())
    assert observation.chassis is None
    assert observation.problems[0].startswith("system-id is not set")


def test_an_empty_database_is_told() -> None:
    observation = observe(Replica())
    assert observation.chassis is None and observation.problems == ("its database is empty: ovs-vsctl init",)


def test_a_bridge_that_is_not_there_yet(database: FakeDatabase) -> None:
    database.settings(system_id="hv1", sdnapp_bridge="br-new")
    chassis = observe(database.replica()).chassis
    assert chassis == Chassis(id="hv1", hostname="hv1", bridge="br-new")


def switches() -> st.SearchStrategy[Database]:
    """Databases in which most refers to what is there, and several interfaces ask for one port."""
    claims = [{"iface-id": "p1"}, {"iface-id": "p2"}, {"iface-id": "a b"}]
    ids = st.sampled_from([{}, *claims, OWNED, claims[0] | OWNED])
    names = [["tap1", "sdn-geneve"], ["tap2", watch_port("192.0.2.7")], ["tap3", patch_ports("physnet1")[0]]]
    interfaces = [
        st.builds(
            Interface,
            name=st.sampled_from(own_names),
            external_ids=ids,
            ofport=st.sampled_from([None, 1, 1, 2]),
            error=st.sampled_from([None, None, None, "no such device"]),
            bfd_status=st.sampled_from([{}, {"state": "up"}, {"state": "down"}]),
        )
        for own_names in names
    ]
    keys = [Uuid(f"00000000-0000-0000-0000-{number:012d}") for number in range(3)]
    all_keys = frozenset(keys)
    homes = {key: st.builds(Port, name=st.just(key), interfaces=st.just(frozenset({key}))) for key in keys}
    bridge = st.builds(
        Bridge,
        name=st.sampled_from(["br-int", "br-int", "br-ex"]),
        ports=st.just(all_keys) | st.frozensets(st.sampled_from(keys)),
    )
    settings_of_it = st.sampled_from([HV1, HV1, HV1 | {"sdnapp-bridge": "br-ex"}, {}])
    switch = st.builds(OpenVSwitch, external_ids=settings_of_it)
    return st.fixed_dictionaries(
        {
            OpenVSwitch: st.fixed_dictionaries({keys[0]: switch}) | st.just({}),
            Bridge: st.fixed_dictionaries({keys[0]: bridge}),
            Port: st.fixed_dictionaries(homes) | st.fixed_dictionaries({}, optional=homes),
            Interface: st.fixed_dictionaries({}, optional=dict(zip(keys, interfaces, strict=True))),
        }  # type: ignore[arg-type]
    )


@settings(max_examples=400)
@given(st.lists(switches(), min_size=2, max_size=6))
def test_a_switch_that_is_followed_is_seen_as_one_that_is_seen_first(states: list[Database]) -> None:
    replica, old = Replica(), {}
    observer, plugged = Observer(replica), dict[str, Plugged]()
    for state in states:
        replica.apply_differences(updates(old, state, row_update2))
        followed, fresh = observer.observe(replica.take_changes()), observe(replica)
        assert dataclasses.replace(followed, news=True, changed=fresh.changed) == fresh
        now = dict(followed.plugged)
        assert followed.changed == {port_id for port_id in {*plugged, *now} if plugged.get(port_id) != now.get(port_id)}
        plugged = now
        if not followed.news:
            endpoint = Endpoint("tcp:192.0.2.99:6653", "tcp:192.0.2.99:6640")
            before = Replica()
            before.apply_differences(updates({}, old, row_update2))
            assert plan(replica, fresh.settings, endpoint) == plan(before, fresh.settings, endpoint)
        old = state


def test_an_interface_that_an_instance_gets_is_no_news_for_the_set_up() -> None:
    replica = Replica()
    replica.apply_differences(
        {
            "Open_vSwitch": {"s": {"insert": {"external_ids": ["map", list(map(list, HV1.items()))]}}},
            "Bridge": {"b": {"insert": {"name": "br-int", "ports": ["uuid", "p"]}}},
            "Port": {"p": {"insert": {"name": "tap1", "interfaces": ["uuid", "i"]}}},
            "Interface": {"i": {"insert": {"name": "tap1", "ofport": 1, "external_ids": ["map", []]}}},
        }
    )
    observer = Observer(replica)
    assert observer.observe(replica.take_changes()).news
    replica.apply_differences({"Interface": {"i": {"modify": {"external_ids": _iface_id("p2")}}}})
    observation = observer.observe(replica.take_changes())
    assert not observation.news and observation.plugged == {"p2": Plugged(1, "tap1")}
    replica.apply_differences({"Manager": {"m": {"insert": {"target": "tcp:192.0.2.1:6640"}}}})
    assert observer.observe(replica.take_changes()).news


def _iface_id(port_id: str) -> list[Any]:
    return ["map", [["iface-id", port_id]]]
