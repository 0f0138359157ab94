"""The fabric carries packets between chassis as the core does, and says all that became of them."""

import pytest

from flows.actions import Controller, Goto, Output, PushVlan, SetField
from flows.fields import VLAN_PRESENT, parse_ipv4
from flows.packets import icmp_echo
from flows.pipeline import TABLES
from flows.simulator import Crossing, Delivery, Fabric, PhysicalFrame, ToController
from tests.flows.handmade import MACS, entry
from topology.values import Chassis

PING = icmp_echo(MACS[0], MACS[1], "10.0.0.1", "10.0.0.2")
GENEVE, VXLAN, PATCH = 100, 101, 102
FIRST, SECOND = [table.name for table in TABLES][:2]
IP = {"hv1": "192.0.2.1", "hv2": "192.0.2.2", "hv3": "192.0.2.3"}


def hypervisor(name, **values):
    defaults = {
        "encap_ip": IP[name],
        "tunnel_ports": (("geneve", GENEVE), ("vxlan", VXLAN)),
        "patch_ports": (("physnet1", PATCH),),
    }
    return Chassis(name, **{**defaults, **values})


PLACES = {"a": ("hv1", 1), "b": ("hv2", 1), "c": ("hv3", 1), "b2": ("hv2", 2)}


def fabric(hv1=(), hv2=(), hv3=(), chassis=None, places=PLACES):
    rows = chassis or [hypervisor(name) for name in IP]
    return Fabric(rows, {"hv1": hv1, "hv2": hv2, "hv3": hv3}, places)


def tunnel(to, vni=7, port=GENEVE):
    return (SetField("tun_id", vni), SetField("tun_dst", parse_ipv4(to)), Output(port))


def test_two_ports_of_one_chassis():
    walk = fabric(hv2=[entry(Output(2), in_port=1)]).inject("b", PING)
    assert walk.deliveries == [Delivery("b2", PING)]
    assert (walk.on_core, walk.on_physical, walk.to_controller, walk.faults) == ([], [], [], [])
    assert [(step.chassis_id, step.table) for step in walk.steps] == [("hv2", FIRST)]


@pytest.mark.parametrize("port", [GENEVE, VXLAN])
def test_a_tunnel_leads_to_the_owner_of_its_far_end(port):
    arrived = {"in_port": port, "tun_id": 7, "tun_src": IP["hv1"], "tun_dst": IP["hv2"]}
    walk = fabric(
        hv1=[entry(*tunnel(IP["hv2"], port=port), in_port=1)],
        hv2=[entry(Output(1), **arrived)],
        hv3=[entry(Output(1))],
    ).inject("a", PING)
    assert walk.deliveries == [Delivery("b", PING)]
    assert walk.on_core == [Crossing("hv1", "hv2", 7, PING)]
    assert [step.chassis_id for step in walk.steps] == ["hv1", "hv2"]
    assert walk.steps[1].packet["tun_src"] == parse_ipv4(IP["hv1"])


def test_a_tunnel_to_nobody_is_seen_on_the_core_and_is_a_fault():
    walk = fabric(hv1=[entry(*tunnel("192.0.2.9"))]).inject("a", PING)
    assert walk.on_core == [Crossing("hv1", None, 7, PING)]
    assert "192.0.2.9" in walk.faults[0]
    unset = fabric(hv1=[entry(Output(GENEVE))]).inject("a", PING)
    assert "0.0.0.0" in unset.faults[0]
    no_vxlan = [hypervisor("hv1"), hypervisor("hv2", tunnel_ports=(("geneve", GENEVE),)), hypervisor("hv3")]
    walk = fabric(hv1=[entry(*tunnel(IP["hv2"], port=VXLAN))], chassis=no_vxlan).inject("a", PING)
    assert walk.on_core == [Crossing("hv1", None, 7, PING)] and "takes vxlan" in walk.faults[0]


def test_a_tunnel_to_itself_goes_nowhere():
    walk = fabric(hv1=[entry(*tunnel(IP["hv1"]))]).inject("a", PING)
    assert walk.on_core == [] and "its own address" in walk.faults[0]


def test_what_came_by_a_tunnel_cannot_leave_by_it():
    walk = fabric(hv1=[entry(*tunnel(IP["hv2"]))], hv2=[entry(*tunnel(IP["hv3"]))]).inject("a", PING)
    assert walk.on_core == [Crossing("hv1", "hv2", 7, PING)]


def test_a_physical_network_reaches_every_other_chassis_that_maps_it():
    rows = [hypervisor("hv1"), hypervisor("hv2"), hypervisor("hv3", patch_ports=(("physnet2", PATCH),))]
    walk = fabric(
        hv1=[entry(PushVlan(), SetField("vlan_vid", VLAN_PRESENT | 5), Output(PATCH), in_port=1)],
        hv2=[entry(Output(1), Output(2), in_port=PATCH)],
        hv3=[entry(Output(1))],
        chassis=rows,
    ).inject("a", PING)
    assert walk.on_physical == [PhysicalFrame("hv1", "physnet1", PING.tagged(5))]
    assert walk.deliveries == [Delivery("b", PING.tagged(5)), Delivery("b2", PING.tagged(5))]


def test_the_controller_gets_its_packet():
    flow = entry(Controller(), in_port=1)
    assert fabric(hv1=[flow]).inject("a", PING).to_controller == [ToController("hv1", flow, PING)]


def test_strangers_on_the_core_and_on_a_physical_network():
    cloud = fabric(
        hv1=[entry(Output(1), in_port=GENEVE, tun_id=7, tun_src="192.0.2.66"), entry(Output(1), in_port=PATCH)],
        hv2=[entry(Output(2), in_port=PATCH)],
    )
    assert cloud.inject_core("hv1", PING, tun_id=7).deliveries == [Delivery("a", PING)]
    assert cloud.inject_core("hv1", PING, tun_id=8).deliveries == []
    assert cloud.inject_core("hv1", PING, tun_id=7, tun_src="192.0.2.67").deliveries == []
    walk = cloud.inject_physical("physnet1", PING)
    assert walk.deliveries == [Delivery("a", PING), Delivery("b2", PING)]
    assert walk.on_physical == [], "the stranger's frame is not ours"
    assert [(each.chassis_id, each.by, each.goes_on) for each in walk.arrivals] == [
        ("hv1", "patch", True),
        ("hv2", "patch", True),
        ("hv3", "patch", False),
    ]


def test_what_a_physical_network_has_learnt_is_where_its_frames_go():
    cloud = Fabric(
        [hypervisor(name) for name in IP],
        {"hv1": [entry(Output(PATCH), in_port=1)], "hv2": [entry(Output(2), in_port=PATCH)], "hv3": []},
        PLACES,
        where=lambda mac: {"hv2"} if mac == PING["eth_dst"] else None,
    )
    walk = cloud.inject("a", PING, PING.but(eth_dst=MACS[2]))
    assert [(each.chassis_id, each.by) for each in walk.arrivals[2:]] == [
        *(("hv2", "patch"), ("hv2", "patch"), ("hv3", "patch"))
    ]
    walk = cloud.inject_physical("physnet1", PING.but(eth_dst=MACS[2]), to={"hv3"})
    assert [each.chassis_id for each in walk.arrivals] == ["hv3"]
    with pytest.raises(ValueError, match="no chassis has a patch port to physical network physnet1"):
        cloud.inject_physical("physnet1", PING, to={"hv9"})


def test_a_loop_between_chassis_ends():
    looping = fabric(
        hv1=[entry(*tunnel(IP["hv2"]), in_port=1), entry(*tunnel(IP["hv2"]), in_port=PATCH)],
        hv2=[entry(Output(PATCH), in_port=GENEVE)],
    ).inject("a", PING)
    assert "a loop" in looping.faults[-1]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="port nobody is not placed"):
        fabric().inject("nobody", PING)
    with pytest.raises(ValueError, match="port a is placed on chassis hv9, which is not there"):
        fabric(places={"a": ("hv9", 1)})
    with pytest.raises(ValueError, match="both tunnel geneve and port a at OpenFlow port 100"):
        fabric(places={"a": ("hv1", GENEVE)})
    with pytest.raises(ValueError, match="no chassis has a patch port to physical network physnet9"):
        fabric().inject_physical("physnet9", PING)
    with pytest.raises(ValueError, match="chassis hv1 has no tunnel port for gre"):
        fabric().inject_core("hv1", PING, 7, encapsulation="gre")
    with pytest.raises(ValueError, match="there is no chassis hv9"):
        fabric().switch("hv9")


def test_a_switch_may_hold_ten_thousand_flows():
    flows = [entry(SetField("network", number), Goto(SECOND), in_port=number) for number in range(1, 5001)]
    flows += [entry(Output(2), table=SECOND, network=number, eth_dst=MACS[1]) for number in range(1, 5001)]
    cloud = fabric(hv2=flows)
    assert cloud.inject("b", PING).deliveries == [Delivery("b2", PING)]
