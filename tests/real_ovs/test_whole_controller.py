"""The whole controller with real Open vSwitch: API in, flows and port status out; restarts, renumbering, migration."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from flows.drops import REASONS
from flows.pipeline import DROPS
from tests.real_ovs.ovs_dummy import OvsDummy, missing, wait_for
from tests.real_ovs.running_controller import RunningController
from tests.sdnapp.dhcp.messages import DISCOVER, MAC, OFFER, read, request

pytestmark = pytest.mark.ovs


@dataclass
class Cloud:
    """A controller and two switches, set up as chassis hv1 and hv2."""

    controller: RunningController
    switches: dict[str, OvsDummy]

    def plug(self, chassis: str, port: dict[str, Any]) -> str:
        name = "tap" + port["id"][:11]
        self.switches[chassis].add_port("br-int", name, iface_id=port["id"])
        return name

    def dump(self, chassis: str) -> list[str]:
        return self.switches[chassis].dump_flows("br-int", cookies=True)

    def wait_in_sync(self, chassis: str) -> dict[str, Any]:
        def in_sync() -> dict[str, Any] | None:
            try:
                row = self.controller.chassis(chassis)
            except RuntimeError:
                return None
            return row if row["state"] == "in sync" else None

        return wait_for(in_sync, f"{chassis} is in sync") or {}

    def receipt(self, chassis: str) -> dict[str, Any]:
        """The newest receipt of a chassis."""
        rows = self.controller.call("GET", "/sdnapp/restarts")["restarts"]
        found: dict[str, Any] = next(row for row in rows if row["chassis"] == chassis)
        return found

    def sent(self, chassis: str) -> float:
        return self.controller.metric(f'sdnapp_flow_mods_sent_total{{chassis="{chassis}"}}')


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with RunningController() as controller, OvsDummy() as one, OvsDummy() as two:
        cloud = Cloud(controller, {"hv1": one, "hv2": two})
        for number, (chassis, switch) in enumerate(cloud.switches.items(), 1):
            ids = {"system-id": chassis, "sdnapp-encap-ip": f"127.0.0.{number}", "sdnapp-datapath-type": "dummy"}
            # Made beforehand because a dummy datapath is nothing that a controller would choose.
            switch.add_bridge("br-int")
            switch.vsctl("set", "Open_vSwitch", ".", *(f"external_ids:{key}={value}" for key, value in ids.items()))
            switch.set_manager(("127.0.0.1", controller.ovsdb_port))
        for chassis in cloud.switches:
            cloud.wait_in_sync(chassis)
        yield cloud
        for switch in cloud.switches.values():
            assert switch.died() is None, switch.died()
    assert "Traceback" not in controller_log(cloud), controller_log(cloud)


def controller_log(cloud: Cloud) -> str:
    try:
        return cloud.controller.log
    except OSError:
        return ""


def two_ports(cloud: Cloud) -> tuple[dict[str, Any], dict[str, Any]]:
    network = cloud.controller.create("network", name="red")
    cloud.controller.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    first = cloud.controller.create("port", network_id=network["id"], mac_address=MAC)
    second = cloud.controller.create("port", network_id=network["id"])
    return first, second


def test_from_api_call_to_active_and_a_dhcp_offer(cloud: Cloud) -> None:
    first, second = two_ports(cloud)
    assert first["status"] == "DOWN"
    tap = cloud.plug("hv1", first)
    cloud.plug("hv2", second)
    for port in (first, second):
        cloud.controller.wait_status(port["id"])
    assert cloud.controller.port(first["id"])["sdnapp:realization"] == {"hv1": "confirmed", "hv2": "confirmed"}
    switch = cloud.switches["hv1"]
    switch.receive(tap, request(DISCOVER))
    (offer,) = wait_for(lambda: switch.sent(tap), "an offer")
    reply = read(offer)
    assert (reply.type, reply.dhcp.yiaddr) == (OFFER, first["fixed_ips"][0]["ip_address"])


def test_drops_are_counted_for_the_port_whose_fault_they_are(cloud: Cloud) -> None:
    first, second = two_ports(cloud)
    taps = {port["id"]: cloud.plug("hv1", port) for port in (first, second)}
    for port in (first, second):
        cloud.controller.wait_status(port["id"])
    switch = cloud.switches["hv1"]

    def dropped(*query: str) -> dict[tuple[str, str], int]:
        rows = cloud.controller.call("GET", "/sdnapp/drops?" + "&".join(query))["drops"]
        return {(row["port_id"], row["reason"]): row["packets"] for row in rows if row["chassis"] == "hv1"}

    stolen = bytes.fromhex("ffffffffffff02000000009908060001080006040001020000000099")
    for _ in range(3):
        switch.receive(taps[second["id"]], stolen + bytes([10, 0, 0, 9]) + bytes(6) + bytes([10, 0, 0, 1]))
    for _ in range(40):
        switch.receive(taps[first["id"]], request(DISCOVER))
    spoofed, too_many = (second["id"], "spoofed_mac"), (first["id"], "over_budget")
    wait_for(lambda: dropped().get(spoofed) == 3 and dropped().get(too_many, 0) > 0, "both are counted")
    assert set(dropped()) == {spoofed, too_many} and dropped(f"port={second['id']}") == {spoofed: 3}
    label = f'{{chassis="hv1",port="{second["id"]}",reason="spoofed_mac"}}'
    assert cloud.controller.metric("sdnapp_drops_total" + label) == 3
    tagged = (second["id"], "vlan_tag")
    for _ in range(5):
        switch.receive(taps[second["id"]], stolen[:12] + bytes.fromhex("81000064") + stolen[12:] + bytes(14))
    wait_for(lambda: dropped().get(tagged) == 5, "another reason is counted")
    cloud.controller.restart()
    cloud.controller.wait_status(second["id"])
    cloud.wait_in_sync("hv1")
    assert cloud.sent("hv1") == 0, "the switch keeps the counters that it has made"
    counted = dropped(f"port={second['id']}")
    assert counted == {spoofed: 3, tagged: 5}
    cloud.switches["hv1"].del_port(taps[second["id"]])
    cloud.controller.wait_status(second["id"], "DOWN")
    cloud.controller.wait_realized()
    left = [flow for flow in cloud.dump("hv1") if f"table={DROPS.number}," in flow]
    assert len(left) == len(REASONS) + 1, "and they go with the port"


def test_unplugged_is_down_and_leaves_nothing_behind(cloud: Cloud) -> None:
    before = cloud.dump("hv1")
    first, _ = two_ports(cloud)
    tap = cloud.plug("hv1", first)
    cloud.controller.wait_status(first["id"])
    assert cloud.dump("hv1") != before
    cloud.switches["hv1"].del_port(tap)
    cloud.controller.wait_status(first["id"], "DOWN")
    cloud.controller.wait_realized()
    assert cloud.dump("hv1") == before


def test_a_restart_of_the_controller_sends_no_flow_change(cloud: Cloud) -> None:
    first, second = two_ports(cloud)
    cloud.plug("hv1", first)
    cloud.plug("hv2", second)
    for port in (first, second):
        cloud.controller.wait_status(port["id"])
    before = {chassis: cloud.dump(chassis) for chassis in cloud.switches}
    assert cloud.sent("hv1") > 0
    assert cloud.controller.metric('sdnapp_meter_mods_sent_total{chassis="hv1"}') == 1
    cloud.controller.restart()
    for port in (first, second):
        cloud.controller.wait_status(port["id"])
    for chassis in cloud.switches:
        cloud.wait_in_sync(chassis)
        assert cloud.sent(chassis) == 0, "a restart with unchanged intent sends nothing"
        assert cloud.controller.metric(f'sdnapp_meter_mods_sent_total{{chassis="{chassis}"}}') == 0
        assert cloud.dump(chassis) == before[chassis]
        receipt = cloud.receipt(chassis)
        assert (receipt["read"], receipt["occasion"]) == (len(before[chassis]), "start")
        assert (receipt["added"], receipt["changed"], receipt["removed"], receipt["dark"]) == (0, 0, 0, "nothing")
        label = f'chassis="{chassis}"'
        read = cloud.controller.metric(f'sdnapp_reconciliation_flows{{{label},flows="read"}}')
        assert read == len(before[chassis])
        assert re.search(
            rf"chassis {chassis} \(start\): {len(before[chassis])} flows read, 0 added, ", cloud.controller.log
        )


def test_what_changed_while_the_controller_was_away_is_mended_and_nothing_else(cloud: Cloud) -> None:
    first, second = two_ports(cloud)
    cloud.plug("hv1", first)
    cloud.plug("hv1", second)
    for port in (first, second):
        cloud.controller.wait_status(port["id"])
    before = cloud.dump("hv1")
    cloud.controller.kill()
    switch = cloud.switches["hv1"]
    switch.ofctl("del-flows", "br-int", "table=45")
    switch.ofctl("add-flow", "br-int", "table=60,priority=7,actions=drop")
    altered = next(line for line in before if "in_port=" in line).partition(", ")[2].partition(" actions=")[0]
    switch.ofctl("add-flow", "br-int", f"cookie=0x5,{altered},actions=drop")
    deleted = sum("table=45," in line for line in before)
    assert deleted
    cloud.controller.start()
    cloud.wait_in_sync("hv1")
    assert cloud.dump("hv1") == before
    receipt = cloud.receipt("hv1")
    assert (receipt["added"], receipt["changed"], receipt["removed"]) == (deleted, 1, 1)
    assert (receipt["lacking"], receipt["dark"]) == (deleted + 1, "possibly")
    assert f"port/{first['id']}" in receipt["owners"]


def test_a_restart_of_the_switch_converges_to_the_same_flows(cloud: Cloud) -> None:
    first, second = two_ports(cloud)
    cloud.plug("hv1", first)
    cloud.plug("hv1", second)
    for port in (first, second):
        cloud.controller.wait_status(port["id"])
    before = cloud.dump("hv1")
    cloud.switches["hv1"].restart_switch()
    wait_for(lambda: cloud.dump("hv1") == before, "the same flows")
    for port in (first, second):
        cloud.controller.wait_status(port["id"])
    receipt = cloud.receipt("hv1")
    assert (receipt["occasion"], receipt["read"], receipt["added"]) == ("return", 0, len(before))
    assert receipt["dark"] == "everything"


def test_a_restart_of_the_database_disturbs_nothing(cloud: Cloud) -> None:
    first, second = two_ports(cloud)
    cloud.plug("hv1", first)
    cloud.controller.wait_status(first["id"])
    before, sent = cloud.dump("hv1"), cloud.sent("hv1")
    switch = cloud.switches["hv1"]
    since = cloud.controller.chassis("hv1")["ovsdb"]["connected_since"]
    switch.kill_server()
    switch.start_server()
    wait_for(
        lambda: cloud.controller.chassis("hv1")["ovsdb"].get("connected_since", since) != since,
        "the database speaks again",
    )
    assert cloud.controller.port(first["id"])["status"] == "ACTIVE"
    assert cloud.sent("hv1") == sent and cloud.dump("hv1") == before
    cloud.plug("hv1", second)
    cloud.controller.wait_status(second["id"])
    assert cloud.controller.log.count("chassis hv1 is datapath") == 1, "the OpenFlow session went on"


def test_a_port_that_comes_back_with_another_number(cloud: Cloud) -> None:
    first, _ = two_ports(cloud)
    tap = cloud.plug("hv1", first)
    cloud.controller.wait_status(first["id"])
    old = cloud.switches["hv1"].ofport(tap)
    cloud.switches["hv1"].del_port(tap)
    new = cloud.switches["hv1"].add_port("br-int", tap, iface_id=first["id"], ofport=old + 40)
    assert new == old + 40
    wait_for(lambda: any(f"in_port={new}" in line for line in cloud.dump("hv1")), "flows for the new number")
    cloud.controller.wait_status(first["id"])
    cloud.controller.wait_realized()
    assert not any(f"in_port={old} " in line or f"in_port={old}," in line for line in cloud.dump("hv1"))


def test_the_last_binding_wins_and_the_old_chassis_is_cleaned(cloud: Cloud) -> None:
    first, _ = two_ports(cloud)
    empty = cloud.dump("hv1")
    cloud.plug("hv1", first)
    cloud.controller.wait_status(first["id"])
    cloud.plug("hv2", first)
    wait_for(lambda: list(cloud.controller.port(first["id"])["sdnapp:realization"]) == ["hv2"], "the port has moved")
    cloud.controller.wait_status(first["id"])
    cloud.controller.wait_realized()
    assert cloud.dump("hv1") == empty
    assert cloud.controller.port(first["id"])["binding:host_id"] in ("", "hv2")


def test_two_switches_with_one_datapath_id_are_told_apart(cloud: Cloud) -> None:
    first, _ = two_ports(cloud)
    cloud.plug("hv1", first)
    cloud.controller.wait_status(first["id"])
    taken = int(cloud.controller.chassis("hv1")["datapath_id"], 16)
    with OvsDummy() as impostor:
        impostor.add_bridge("br0", datapath_id=taken, controller=("127.0.0.1", cloud.controller.openflow_port))
        complaint = f"two switches have datapath id {taken:016x}"
        wait_for(lambda: complaint in cloud.controller.log, "the log names it")
        assert cloud.controller.port(first["id"])["status"] == "ACTIVE"
        assert impostor.dump_flows("br0") == []
