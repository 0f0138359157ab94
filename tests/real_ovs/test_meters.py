"""Meters on real Open vSwitch: they come, stay, change and go with the flows that name them, and they limit."""

import re
from collections.abc import Iterator

import pytest

from flows.actions import Controller, Meter
from flows.flow import Flow, Term
from tests.real_ovs.openflow_controller import ControllerProcess
from tests.real_ovs.ovs_dummy import OvsDummy, wait_for

pytestmark = pytest.mark.ovs

DATAPATH = "00000000000000ab"
FRAME = bytes.fromhex("aa5500000002aa5500000001") + b"\x08\x00" + bytes(50)


def a_flow(place: int, number: int, packets: int = 10, burst: int = 20) -> Flow:
    actions = (Meter(number, packets, burst), Controller())
    return Flow(0, 100, (Term("in_port", place, None),), actions, "dhcp", f"port/{place}")


def meters(ovs: OvsDummy) -> dict[int, tuple[int, int]]:
    """Rate and burst of each meter, by number."""
    told = ovs.ofctl("dump-meters", "br-int")
    found = re.findall(r"meter=(\d+) pktps burst \S*bands=\s*type=drop rate=(\d+) burst_size=(\d+)", told)
    assert len(found) == told.count("meter="), told
    return {int(number): (int(rate), int(burst)) for number, rate, burst in found}


@pytest.fixture
def controller() -> Iterator[ControllerProcess]:
    with ControllerProcess() as process:
        yield process


@pytest.fixture
def bridge(ovs: OvsDummy, controller: ControllerProcess) -> OvsDummy:
    ovs.add_bridge("br-int", datapath_id=0xAB, controller=controller.address)
    controller.wait("connected", DATAPATH)
    return ovs


def test_meters_come_and_go_with_their_flows(bridge: OvsDummy, controller: ControllerProcess) -> None:
    controller.call("assign", DATAPATH, [a_flow(1, 5), a_flow(2, 5), a_flow(3, 0xFFFF0000)], 1)
    controller.wait("confirmed", DATAPATH, 1)
    assert meters(bridge) == {5: (10, 20), 0xFFFF0000: (10, 20)}
    controller.call("update", DATAPATH, [a_flow(4, 9)], [a_flow(1, 5), a_flow(3, 0xFFFF0000)], 2)
    controller.wait("confirmed", DATAPATH, 2)
    wait_for(lambda: meters(bridge).keys() == {5, 9}, "the meter of no flow is gone")
    assert len(bridge.dump_flows("br-int")) == 2
    assert controller.of("rejected") == [] and controller.logged("ERROR") == controller.logged("WARNING") == []


def test_a_restarted_controller_sends_nothing_and_takes_away_what_is_foreign(ovs: OvsDummy) -> None:
    flows = [a_flow(place, place) for place in range(1, 300)]
    ovs.add_bridge("br-int", datapath_id=0xAB)
    for meter_mods in (len(flows), 0, 2, 0):
        with ControllerProcess() as controller:
            ovs.set_controller("br-int", controller.address)
            controller.wait("connected")
            controller.call("assign", DATAPATH, flows, 8)
            controller.wait("confirmed", DATAPATH, 8)
            (status,) = controller.ask("status")
            assert (status["meter_mods_sent"], status["metered"]) == (meter_mods, True)
            assert status["flow_mods_sent"] == (len(flows) if meter_mods == len(flows) else 0)
            expected = {flow.meter.number: (10, 20) for flow in flows if flow.meter is not None}
            wait_for(lambda expected=expected: meters(ovs) == expected, "these meters and no others")
        if meter_mods == 0:
            ovs.ofctl("add-meter", "br-int", "meter=7777,kbps,band=type=drop,rate=5")
            ovs.ofctl(
                "-O", "OpenFlow13", "mod-meter", "br-int", "meter=7,pktps,burst,band=type=drop,rate=5,burst_size=5"
            )


def test_a_meter_that_changes_takes_its_flow_along(bridge: OvsDummy, controller: ControllerProcess) -> None:
    controller.call("assign", DATAPATH, [a_flow(1, 5)], 1)
    controller.call("update", DATAPATH, [a_flow(1, 5, packets=50)], [a_flow(1, 5)], 2)
    controller.wait("confirmed", DATAPATH, 2)
    assert meters(bridge) == {5: (50, 20)}
    assert controller.of("rejected") == []


def test_a_flood_is_cut_down_in_the_switch(bridge: OvsDummy, controller: ControllerProcess) -> None:
    noisy, quiet = bridge.add_port("br-int", "p1"), bridge.add_port("br-int", "p2")
    controller.call("assign", DATAPATH, [a_flow(noisy, 1, 1, 20), a_flow(quiet, 2, 1, 20)], 1)
    controller.wait("confirmed")
    bridge.appctl("netdev-dummy/receive", "p1", *[FRAME.hex()] * 500)
    bridge.appctl("netdev-dummy/receive", "p2", *[FRAME.hex()] * 5)
    wait_for(lambda: len([event for event in controller.of("packet_in") if event[2] == quiet]) == 5, "the quiet port")
    came = [event for event in controller.of("packet_in") if event[2] == noisy]
    assert 10 <= len(came) <= 40, len(came)
