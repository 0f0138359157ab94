"""The private Open vSwitch that other tests stand on does what it says."""

import pytest

from tests.real_ovs.ovs_dummy import OvsDummy, wait_for

pytestmark = pytest.mark.ovs

FRAME = bytes.fromhex("aa5500000002aa5500000001") + b"\x08\x00" + bytes(50)


def test_a_frame_goes_through(ovs: OvsDummy) -> None:
    ovs.add_bridge("br-int")
    one = ovs.add_port("br-int", "p1", iface_id="11111111-1111-1111-1111-111111111111")
    two = ovs.add_port("br-int", "p2", ofport=7)
    assert two == 7
    ovs.ofctl("add-flow", "br-int", f"table=0,priority=5,in_port={one},actions=output:{two}")
    ovs.receive("p1", FRAME)
    wait_for(lambda: ovs.sent("p2") == [FRAME], "the frame leaves by p2")
    assert ovs.sent("p1") == []
    assert ovs.datapath_actions("br-int", f"in_port={one}") != "drop"
    assert ovs.datapath_actions("br-int", f"in_port={two}") == "drop"
    assert "iface-id" in ovs.vsctl("get", "Interface", "p1", "external_ids")


def test_flows_die_with_the_switch_and_the_database_stays(ovs: OvsDummy) -> None:
    ovs.add_bridge("br-int", datapath_id=0xAB)
    ovs.add_port("br-int", "p1")
    ovs.ofctl("add-flow", "br-int", "cookie=0x5,table=3,priority=5,in_port=9,actions=drop")
    assert ovs.dump_flows("br-int", cookies=True) == ["cookie=0x5, table=3, priority=5,in_port=9 actions=drop"]
    before = ovs.switch_pid
    ovs.restart_switch()
    assert ovs.switch_pid != before
    assert ovs.dump_flows("br-int") == []
    assert ovs.vsctl("get", "Bridge", "br-int", "datapath_id") == '"00000000000000ab"'


def test_two_run_side_by_side(ovs: OvsDummy) -> None:
    with OvsDummy() as other:
        ovs.add_bridge("br-int")
        assert other.vsctl("list-br") == ""
        place = other.directory
    assert not place.exists()
    assert ovs.vsctl("list-br") == "br-int"
