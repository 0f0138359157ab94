"""The whole controller where things are not as they should be: flows refused, frames malformed, no database."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.real_ovs.ovs_dummy import OvsDummy, missing, wait_for
from tests.real_ovs.running_controller import RunningController
from tests.sdnapp.dhcp.messages import DISCOVER, MAC, OFFER, read, request

pytestmark = pytest.mark.ovs


@pytest.fixture
def controller() -> Iterator[RunningController]:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with RunningController() as controller:
        yield controller
        assert "Traceback" not in controller.log, controller.log


@pytest.fixture
def switch(controller: RunningController) -> Iterator[OvsDummy]:
    """One with a bridge that is told of no controller yet."""
    with OvsDummy() as switch:
        switch.add_bridge("br-int")
        yield switch
        assert switch.died() is None, switch.died()


def ports(controller: RunningController, count: int) -> list[dict[str, Any]]:
    network = controller.create("network", name="red")
    controller.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    return [
        controller.create("port", network_id=network["id"], **({"mac_address": MAC} if not number else {}))
        for number in range(count)
    ]


def make_chassis(controller: RunningController, switch: OvsDummy) -> None:
    ids = {"system-id": "hv1", "sdnapp-encap-ip": "127.0.0.1", "sdnapp-datapath-type": "dummy"}
    switch.vsctl("set", "Open_vSwitch", ".", *(f"external_ids:{key}={value}" for key, value in ids.items()))
    switch.set_manager(("127.0.0.1", controller.ovsdb_port))


def rejected(controller: RunningController) -> list[dict[str, str]]:
    found: list[dict[str, str]] = controller.call("GET", "/sdnapp/status")["rejected"]
    return found


def test_a_flow_that_the_switch_refuses_is_named_and_the_rest_goes_on(
    controller: RunningController, switch: OvsDummy
) -> None:
    make_chassis(controller, switch)
    limit = ("--id=@limit", "create", "Flow_Table", "flow_limit=1", "overflow_policy=refuse")
    # Table 90, local_output: room for the miss and none for a port.
    switch.vsctl(*limit, "--", "set", "Bridge", "br-int", "flow_tables:90=@limit")
    (first,) = ports(controller, 1)
    switch.add_port("br-int", "tap1", iface_id=first["id"])
    (refused,) = wait_for(lambda: rejected(controller), "a flow is refused")
    assert (refused["chassis"], refused["owner"]) == ("hv1", f"port/{first['id']}")
    assert refused["feature"] == "delivery" and "TABLE_FULL" in refused["reason"]
    assert f"chassis hv1 rejected a flow of port/{first['id']} (delivery)" in controller.log
    shown = controller.port(first["id"])
    assert shown["status"] == "DOWN" and shown["sdnapp:realization"]["hv1"].startswith("rejected: delivery: ")
    switch.receive("tap1", request(DISCOVER))
    (offer,) = wait_for(lambda: switch.sent("tap1"), "all else is there: an offer")
    assert read(offer).type == OFFER

    switch.vsctl("clear", "Bridge", "br-int", "flow_tables")
    for state in (False, True):
        controller.update("port", first["id"], admin_state_up=state)
    controller.wait_status(first["id"])
    assert rejected(controller) == []


def test_what_instances_send_to_dhcp_is_counted_whatever_it_is(controller: RunningController, switch: OvsDummy) -> None:
    make_chassis(controller, switch)
    (port,) = ports(controller, 1)
    switch.add_port("br-int", "tap1", iface_id=port["id"])
    controller.wait_status(port["id"])
    good = request(DISCOVER)
    # Ethernet, IPv4 and UDP are as they were, so that the flow takes it; of DHCP there is a beginning only.
    short = good[:16] + (28 + 100).to_bytes(2, "big") + good[18:24] + b"\0\0" + good[26:38]
    short += (8 + 100).to_bytes(2, "big") + b"\0\0" + good[42 : 42 + 100]
    for frame in (short, short, good):
        switch.receive("tap1", frame)

    def counted(outcome: str) -> float:
        return controller.metric(f'sdnapp_packet_ins_total{{feature="dhcp",outcome="{outcome}"}}')

    wait_for(lambda: switch.sent("tap1"), "the good one is answered")
    assert (counted("malformed"), counted("answered")) == (2, 1)


def test_without_a_database_ports_bind_by_name(controller: RunningController, switch: OvsDummy) -> None:
    (port,) = ports(controller, 1)
    name = "tap" + port["id"][:11]
    number = switch.add_port("br-int", name)
    switch.set_controller("br-int", ("127.0.0.1", controller.openflow_port))
    realized = wait_for(lambda: controller.port(port["id"])["sdnapp:realization"], "the port is bound by name")
    assert [chassis.startswith("dp-") for chassis in realized] == [True]
    wait_for(lambda: any(f"in_port={number}" in line for line in switch.dump_flows("br-int")), "its flows come")
    switch.receive(name, request(DISCOVER))
    (offer,) = wait_for(lambda: switch.sent(name), "an offer")
    assert read(offer).type == OFFER
    switch.del_port(name)
    wait_for(lambda: not controller.port(port["id"])["sdnapp:realization"], "it is not bound any more")
