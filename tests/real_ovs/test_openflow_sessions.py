"""Sessions with real Open vSwitch: reconciling, refusals, restarts, switches that should not be there, packets."""

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from flows.actions import Controller, Output, SetField
from flows.flow import Flow, Term
from tests.real_ovs.openflow_controller import ControllerProcess
from tests.real_ovs.ovs_dummy import OvsDummy, wait_for

pytestmark = pytest.mark.ovs

DATAPATH = "00000000000000ab"
FRAME = bytes.fromhex("aa5500000002aa5500000001") + b"\x08\x00" + bytes(50)


def a_flow(place: int, variant: int = 0, table: int = 0) -> Flow:
    match = (Term("in_port", place, None),)
    return Flow(table, 100, match, (Output(100 + variant),), "classification", f"port/{place}")


def cookies(ovs: OvsDummy, bridge: str = "br-int") -> set[int]:
    return {int(line.split(",")[0].split("=")[1], 0) for line in ovs.dump_flows(bridge, cookies=True)}


def cookies_of(flows: list[Flow]) -> set[int]:
    return {flow.cookie for flow in flows}


@pytest.fixture
def controller() -> Iterator[ControllerProcess]:
    with ControllerProcess() as process:
        yield process


@pytest.fixture
def bridge(ovs: OvsDummy, controller: ControllerProcess) -> OvsDummy:
    """An Open vSwitch whose bridge ``br-int`` is connected to the controller and not assigned yet."""
    ovs.add_bridge("br-int", datapath_id=0xAB, controller=controller.address)
    controller.wait("connected", DATAPATH)
    return ovs


def test_foreign_and_old_flows_go_and_missing_ones_come(bridge: OvsDummy, controller: ControllerProcess) -> None:
    bridge.ofctl("add-flow", "br-int", "cookie=0x77,table=5,priority=9,udp,tp_dst=67,reg0=0x5/0xf actions=drop")
    bridge.ofctl("add-flow", "br-int", "priority=0 actions=NORMAL")
    bridge.ofctl("add-flow", "br-int", "priority=100,in_port=1 actions=drop")
    flows = [a_flow(1), a_flow(2)]
    controller.call("assign", DATAPATH, flows, 3)
    controller.wait("confirmed", DATAPATH, 3)
    assert cookies(bridge) == cookies_of(flows)
    (status,) = controller.ask("status")
    assert (status["state"], status["flow_mods_sent"], status["bundles"]) == ("in sync", 5, 1)


def test_deltas_are_applied_and_confirmed(bridge: OvsDummy, controller: ControllerProcess) -> None:
    controller.call("assign", DATAPATH, [a_flow(1), a_flow(2)], 1)
    for revision in range(2, 30):
        controller.call("update", DATAPATH, [a_flow(revision + 1)], [a_flow(revision)], revision)
    controller.wait("confirmed", DATAPATH, 29)
    assert cookies(bridge) == cookies_of([a_flow(1), a_flow(30)])
    confirmed = [event[2] for event in controller.of("confirmed")]
    assert confirmed == sorted(set(confirmed))
    controller.call("update", DATAPATH, [], [], 30)
    controller.wait("confirmed", DATAPATH, 30)


def test_bad_flows_are_named_and_the_rest_lands(bridge: OvsDummy, controller: ControllerProcess) -> None:
    # One that Open vSwitch refuses as soon as it sees it.
    good = [a_flow(place) for place in range(1, 20)]
    bad = Flow(0, 100, (), (SetField("arp_op", 1),), "arp_responder", "port/bad")
    controller.call("assign", DATAPATH, [*good[:10], bad, *good[10:]], 1)
    controller.wait("confirmed", DATAPATH, 1)
    assert [event[1:3] for event in controller.of("rejected")] == [(DATAPATH, bad)]
    assert "OFPBAC_MATCH_INCONSISTENT" in controller.of("rejected")[0][3]
    assert cookies(bridge) == cookies_of(good)
    (status,) = controller.ask("status")
    assert status["last_error"].startswith("flow of port/bad (arp_responder) refused: ")

    # And as many as do not fit, which it finds out when the bundle is committed.
    bridge.vsctl(
        "--id=@small", "create", "Flow_Table", "flow_limit=2", "overflow_policy=refuse",
        "--", "set", "Bridge", "br-int", "flow_tables:9=@small",
    )  # fmt: skip
    more = [a_flow(place, table=9) for place in range(1, 9)]
    controller.call("update", DATAPATH, more, [], 2)
    controller.wait("confirmed", DATAPATH, 2)
    refused = [event[2] for event in controller.of("rejected")[1:]]
    assert len(refused) == 6 and set(refused) < set(more)
    assert "OFPFMFC_TABLE_FULL" in controller.of("rejected")[-1][3]
    assert cookies(bridge) == cookies_of(good) | cookies_of([flow for flow in more if flow not in refused])


def test_a_restarted_switch_gets_the_same_flows(bridge: OvsDummy, controller: ControllerProcess) -> None:
    flows = [a_flow(place) for place in range(1, 50)]
    controller.call("assign", DATAPATH, flows, 1)
    controller.wait("confirmed", DATAPATH, 1)
    before = len(controller.events)
    bridge.restart_switch()
    controller.wait("disconnected", DATAPATH, after=before)
    controller.wait("connected", DATAPATH, after=before)
    assert bridge.dump_flows("br-int") == []
    controller.call("assign", DATAPATH, flows, 1)
    controller.wait("confirmed", DATAPATH, 1, after=before)
    assert cookies(bridge) == cookies_of(flows)


def test_a_restarted_controller_sends_nothing(ovs: OvsDummy) -> None:
    flows = [a_flow(place) for place in range(1, 2000)]
    ovs.add_bridge("br-int", datapath_id=0xAB)
    for sent in (len(flows), 0):
        with ControllerProcess() as controller:
            ovs.set_controller("br-int", controller.address)
            controller.wait("connected")
            controller.call("assign", DATAPATH, flows, 8)
            controller.wait("confirmed", DATAPATH, 8)
            (status,) = controller.ask("status")
            assert (status["flow_mods_sent"], status["flows"]) == (sent, len(flows))
    assert cookies(ovs) == cookies_of(flows)


def test_an_unassigned_switch_keeps_what_it_has(bridge: OvsDummy, controller: ControllerProcess) -> None:
    bridge.ofctl("add-flow", "br-int", "cookie=0x77,priority=9 actions=drop")
    controller.call("update", DATAPATH, [a_flow(1)], [], 5)
    wait_for(lambda: controller.ask("status")[0]["state"] == "not assigned", "it stays as it is")
    assert cookies(bridge) == {0x77}
    controller.call("assign", DATAPATH, [a_flow(4)], 8)
    controller.wait("confirmed", DATAPATH, 8)
    assert cookies(bridge) == cookies_of([a_flow(4)])


def test_a_second_switch_with_the_same_id_is_refused(bridge: OvsDummy, controller: ControllerProcess) -> None:
    controller.call("assign", DATAPATH, [a_flow(1)], 1)
    controller.wait("confirmed")
    with OvsDummy() as other:
        other.add_bridge("br-int", datapath_id=0xAB, controller=controller.address)
        wait_for(lambda: controller.logged("ERROR"), "an error is logged")
        # It is back every second, and the log is quiet about it.
        wait_for(lambda: other.log().count(": connected") > 2, "the other has tried several times")
        (error,) = controller.logged("ERROR")
        incumbent, newcomer = re.findall(r"127\.0\.0\.1:\d+", error)
        (status,) = controller.ask("status")
        assert status["address"] == incumbent != newcomer
        assert "ovs-vsctl set bridge BRIDGE other_config:datapath-id=" in error
        assert other.dump_flows("br-int") == []
        # The first one goes: now it is the other's turn.
        bridge.vsctl("del-controller", "br-int")
        controller.wait("disconnected", DATAPATH)
        controller.wait("connected", DATAPATH, where=lambda _, address, name: address != incumbent)
        controller.call("assign", DATAPATH, [a_flow(2)], 2)
        controller.wait("confirmed", DATAPATH, 2)
        assert cookies(other) == cookies_of([a_flow(2)])


def test_a_dead_peer_gives_way(bridge: OvsDummy, controller: ControllerProcess) -> None:
    # A switch whose machine lost its power: the connection stays, nobody answers. SIGSTOP looks the same from here.
    with OvsDummy() as other:
        other.add_bridge("br-int", datapath_id=0xAB)
        first = controller.ask("status")[0]["address"]
        bridge.pause_switch()
        try:
            other.set_controller("br-int", controller.address)
            controller.wait("connected", DATAPATH, where=lambda _, address, name: address != first)
            told = [event[0] for event in controller.events if event[0] in ("connected", "disconnected")]
            assert told == ["connected", "disconnected", "connected"]
            controller.call("assign", DATAPATH, [a_flow(2)], 2)
            controller.wait("confirmed", DATAPATH, 2)
        finally:
            bridge.resume_switch()
        # It wakes up, finds its connection closed, tries again, and is refused.
        wait_for(lambda: controller.logged("ERROR"), "the first one is refused")
        assert cookies(other) == cookies_of([a_flow(2)])


@pytest.mark.parametrize("protocols", ["OpenFlow10", "OpenFlow14", "OpenFlow10,OpenFlow15"])
def test_a_switch_without_openflow_13_is_told_how_to_change(
    ovs: OvsDummy, controller: ControllerProcess, protocols: str
) -> None:
    ovs.add_bridge("br-int", datapath_id=0xAB, controller=controller.address, protocols=protocols)
    wait_for(lambda: controller.logged("ERROR"), "an error is logged")
    wait_for(lambda: ovs.log().count(": connecting...") > 2, "it has tried several times")
    (error,) = controller.logged("ERROR")
    assert "ovs-vsctl set bridge BRIDGE protocols=OpenFlow13" in error
    assert "127.0.0.1:" in error
    ovs.vsctl("set", "bridge", "br-int", "protocols=OpenFlow13")
    controller.wait("connected", DATAPATH)


def test_packets_in_and_out(bridge: OvsDummy, controller: ControllerProcess) -> None:
    one, two = bridge.add_port("br-int", "p1"), bridge.add_port("br-int", "p2")
    to_us = Flow(
        0, 100, (Term("in_port", one, None), Term("eth_src", 0xAA5500000001, None)), (Controller(),), "dhcp", "port/1"
    )
    controller.call("assign", DATAPATH, [to_us], 1)
    controller.wait("confirmed")
    bridge.receive("p1", FRAME)
    controller.wait("packet_in", DATAPATH, one, to_us.cookie, FRAME)
    controller.call("packet_out", DATAPATH, one, one, b"back" + FRAME)
    controller.call("packet_out", DATAPATH, one, two, b"over" + FRAME)
    wait_for(lambda: bridge.sent("p1") == [b"back" + FRAME], "the answer goes back where the question came from")
    wait_for(lambda: bridge.sent("p2") == [b"over" + FRAME], "the other packet goes out of the other port")
    controller.call("packet_out", "00000000000000ff", one, two, FRAME)
    assert controller.logged("ERROR") == []


def test_packets_of_an_unassigned_switch_are_left_to_other_applications(
    bridge: OvsDummy, controller: ControllerProcess
) -> None:
    bridge.add_port("br-int", "p1")
    bridge.ofctl("add-flow", "br-int", "actions=CONTROLLER:65535")
    bridge.receive("p1", FRAME)
    controller.wait("left_to_others", FRAME)
    assert controller.of("packet_in") == []


def test_ports_are_told_as_they_come_and_go(bridge: OvsDummy, controller: ControllerProcess) -> None:
    number = bridge.add_port("br-int", "tap12345678-90")
    controller.wait("ports", where=lambda _, ports: ports.get(number) == "tap12345678-90")
    controller.wait("ports", where=lambda _, ports: "br-int" in ports.values())
    after = len(controller.events)
    bridge.del_port("tap12345678-90")
    controller.wait("ports", where=lambda _, ports: ports == {number: None}, after=after)
    again = bridge.add_port("br-int", "tap12345678-90", ofport=number + 7)
    controller.wait("ports", where=lambda _, ports: ports.get(again) == "tap12345678-90")


def test_nonsense_costs_only_its_own_connection(bridge: OvsDummy, controller: ControllerProcess) -> None:
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x04\x13\x00\x10\0\0\0\x01\0\x01\0\0\0\0\0\0", bytes(64)):
        with socket.create_connection(controller.address) as stranger:
            stranger.sendall(nonsense)
    controller.call("assign", DATAPATH, [a_flow(1)], 1)
    controller.wait("confirmed")
    assert len(controller.of("connected")) == 1


def test_a_malformed_flow_stats_reply_closes_the_connection(controller: ControllerProcess) -> None:
    with socket.create_connection(controller.address) as switch:
        switch.settimeout(10)
        features = struct.pack("!QIBB2xII", 0xAB, 0, 255, 0, 0, 0)
        switch.sendall(struct.pack("!BBHI", 4, 0, 8, 1))
        replies = {5: (6, features), 18: (19, struct.pack("!HHxxxx", 13, 0))}
        received = b""
        assigned = is_malformed = False
        while not is_malformed:
            data = switch.recv(65536)
            assert data, "closed before anything was malformed"
            received += data
            while len(received) >= 8 and not is_malformed:
                _, kind, length, xid = struct.unpack_from("!BBHI", received)
                if kind == 18 and assigned:
                    body = struct.pack("!HHxxxx", 1, 0) + struct.pack("!HBx", 4000, 0) + bytes(60)
                    switch.sendall(struct.pack("!BBHI", 4, 19, 8 + len(body), xid) + body)
                    is_malformed = True
                elif kind in replies:
                    answer, body = replies[kind]
                    switch.sendall(struct.pack("!BBHI", 4, answer, 8 + len(body), xid) + body)
                    if kind == 18:
                        controller.wait("connected", DATAPATH)
                        controller.call("assign", DATAPATH, [a_flow(1)], 1)
                        assigned = True
                received = received[length:]
        # Nothing more is answered: the other end may have gone already.
        with suppress(ConnectionResetError):
            while switch.recv(65536):
                pass
    controller.wait("disconnected", DATAPATH)
    (error,) = controller.logged("ERROR")
    assert "flow-stats" in error and DATAPATH in error


def test_a_hundred_switches_at_once(ovs: OvsDummy, controller: ControllerProcess) -> None:
    flows = [a_flow(place) for place in range(1, 101)]
    count = 100
    ids = [f"{0x1000 + number:016x}" for number in range(count)]
    command: list[str] = []
    for number in range(count):
        name = f"br{number}"
        command += ["--", "add-br", name, "--", "set", "Bridge", name, "datapath_type=dummy", "fail_mode=secure"]
        command += ["protocols=OpenFlow13", f"other_config:datapath-id={ids[number]}"]
    ovs.vsctl(*command[1:])
    target = f"tcp:{controller.address[0]}:{controller.address[1]}"
    together: list[str] = []
    for number in range(count):
        together += ["--", "set-controller", f"br{number}", target]
    ovs.vsctl(*together[1:])
    for datapath_id in ids:
        controller.wait("connected", datapath_id, seconds=30)
        controller.call("assign", datapath_id, flows, 1)
    for datapath_id in ids:
        controller.wait("confirmed", datapath_id, 1, seconds=30)
    status = controller.ask("status")
    assert [row["datapath_id"] for row in status] == ids
    assert {(row["state"], row["flows"], row["flow_mods_sent"]) for row in status} == {("in sync", 100, 100)}
    for number in (0, 50, 99):
        assert cookies(ovs, f"br{number}") == cookies_of(flows)
    assert controller.logged("ERROR") == []
