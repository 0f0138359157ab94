"""Routers by the unmodified ``openstack`` command."""

import pytest

from tests.sdnapp.api.clients import Shell

pytest.importorskip("openstackclient", reason="needs python-openstackclient: pip install .[test]")

# What the client deprecates is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::Warning")


def test_a_routers_life(shell: Shell) -> None:
    made = shell("router create r1 --description d --tag blue --availability-zone-hint nova", "red")
    assert (made["name"], made["admin_state_up"], made["external_gateway_info"]) == ("r1", True, None)
    assert (made["description"], made["tags"], made["availability_zone_hints"]) == ("d", ["blue"], ["nova"])
    shell("router set r1 --name r2 --disable --description e --tag red", "red")
    shown = shell("router show r2", "red")
    assert (shown["admin_state_up"], shown["description"], shown["tags"]) == (False, "e", ["blue", "red"])
    shell("router set r2 --enable", "red")
    shell("router unset r2 --tag red", "red")
    assert [each["Name"] for each in shell("router list --tags blue", "red")] == ["r2"]
    assert [each["Name"] for each in shell("router list --name r2 --long", "red")] == ["r2"]
    assert shell("router list", "blue") == []
    assert "No Router found for r2" in shell.fails("router show r2", "blue")
    assert shell("availability zone list --network --long", "red")[1]["Zone Resource"] == "router"

    for number in (1, 2):
        shell(f"network create lan{number}", "red")
        shell(f"subnet create sub{number} --network lan{number} --subnet-range 10.0.{number}.0/24", "red")
    shell("router add subnet r2 sub1", "red")
    assert "already has a port on subnet" in shell.fails("router add subnet r2 sub1", "red")
    shell("port create door --network lan2 --fixed-ip ip-address=10.0.2.7", "red")
    shell("router add port r2 door", "red")
    interfaces = shell("router show r2", "red")["interfaces_info"]
    assert sorted(each["ip_address"] for each in interfaces) == ["10.0.1.1", "10.0.2.7"]
    assert len(shell("port list --router r2", "red")) == 2
    assert "has ports still attached" in shell.fails("router delete r2", "red")
    assert "cannot be deleted directly" in shell.fails("port delete door", "red")

    shell("router add route r2 --route destination=10.9.0.0/16,gateway=10.0.1.5", "red")
    shell("router set r2 --route destination=10.8.0.0/16,gateway=10.0.2.5", "red")
    shown = shell("router show r2", "red")["routes"]
    assert sorted(each["destination"] for each in shown) == ["10.8.0.0/16", "10.9.0.0/16"]
    lost = "router add route r2 --route destination=10.7.0.0/16,gateway=192.0.2.1"
    assert "the nexthop is not connected with router" in shell.fails(lost, "red")
    assert "required by one or more routes" in shell.fails("router remove subnet r2 sub1", "red")
    shell("router remove route r2 --route destination=10.9.0.0/16,gateway=10.0.1.5", "red")
    assert [each["destination"] for each in shell("router show r2", "red")["routes"]] == ["10.8.0.0/16"]
    shell("router set r2 --no-route", "red")

    shell("network create inner", "red")
    assert "is not an external network" in shell.fails("router set r2 --external-gateway inner", "red")
    shell("router remove subnet r2 sub1", "red")
    assert "has no interface on subnet" in shell.fails("router remove subnet r2 sub1", "red")
    shell("router remove port r2 door", "red")
    shell("router delete r2", "red")
    assert shell("router list", "red") == []
    for name in ("lan1", "lan2", "inner"):
        shell(f"network delete {name}", "red")


def test_gateways_and_floating_ips(shell: Shell) -> None:
    flat = "--external --share --provider-network-type flat --provider-physical-network physnet1"
    shell(f"network create world {flat}", "keystone=red")
    subnet = "--network world --subnet-range 203.0.113.0/24 --gateway 203.0.113.1 --no-dhcp"
    shell(f"subnet create world4 {subnet}", "keystone=red")
    shell("network create lan3", "red")
    shell("subnet create sub3 --network lan3 --subnet-range 10.0.3.0/24", "red")
    port = shell("port create vm3 --network lan3", "red")
    shell("router create r3 --external-gateway world", "red")
    assert "disallowed by policy" in shell.fails("router create r4 --distributed", "red")
    made = shell("router create r4 --distributed --ha", "keystone=red")
    assert (made["distributed"], made["ha"]) == (True, True)
    assert "distributed must be true or left out" in shell.fails("router create r5 --centralized", "keystone=red")
    assert "ha must be true or left out" in shell.fails("router set r4 --no-ha", "keystone=red")
    shell("router delete r4", "keystone=red")
    gateway = shell("router show r3", "red")["external_gateway_info"]
    assert gateway["enable_snat"] is True and gateway["external_fixed_ips"][0]["ip_address"].startswith("203.0.113.")
    assert "disallowed by policy" in shell.fails("router set r3 --external-gateway world --disable-snat", "red")

    assert "is not reachable from subnet" in shell.fails("floating ip create world --port vm3", "red")
    shell("router add subnet r3 sub3", "red")
    made = shell("floating ip create world --port vm3 --description d --tag x", "red")
    assert (made["port_id"], made["fixed_ip_address"]) == (port["id"], port["fixed_ips"][0]["ip_address"])
    assert made["router_id"] and made["port_details"]["mac_address"] == port["mac_address"]
    other = shell("floating ip create world", "red")
    assert "already has a floating IP" in shell.fails(f"floating ip set {other['id']} --port vm3", "red")
    assert [each["ID"] for each in shell("floating ip list --port vm3", "red")] == [made["id"]]
    assert "required by one or more floating IPs" in shell.fails("router unset r3 --external-gateway", "red")
    assert "required by one or more floating IPs" in shell.fails("router remove subnet r3 sub3", "red")
    assert "No FloatingIP found" in shell.fails(f"floating ip delete {made['id']}", "blue")
    shell(f"floating ip unset {made['id']} --port", "red")
    assert shell(f"floating ip show {made['id']}", "red")["port_id"] is None
    shell(f"floating ip set {made['id']} --port vm3", "red")
    shell(f"floating ip unset {made['id']} --port", "red")
    address = port["fixed_ips"][0]["ip_address"]
    ports = "--external-protocol-port 2222 --internal-protocol-port 22 --protocol tcp"
    forward = f"{other['id']} --port vm3 --internal-ip-address {address} {ports}"
    forwarded = shell(f"floating ip port forwarding create {forward}", "red")
    assert forwarded["external_port"] == 2222
    assert "collision" in shell.fails(f"floating ip port forwarding create {forward}", "red")
    both = f"{other['id']} {forwarded['id']}"
    assert shell(f"floating ip port forwarding list {other['id']}", "red")[0]["ID"] == forwarded["id"]
    assert "No FloatingIP found" in shell.fails(f"floating ip port forwarding list {other['id']}", "blue")
    shell(f"floating ip port forwarding set {both} --external-protocol-port 2223", "red")
    assert "No FloatingIP found" in shell.fails(f"floating ip port forwarding set {both} --protocol udp", "blue")
    assert shell(f"floating ip port forwarding show {both}", "red")["external_port"] == 2223
    assert "No FloatingIP found" in shell.fails(f"floating ip port forwarding show {both}", "blue")
    assert "No FloatingIP found" in shell.fails(f"floating ip port forwarding delete {both}", "blue")
    shell(f"floating ip port forwarding delete {both}", "red")
    shell(f"floating ip set {made['id']} --port vm3", "red")
    shell("port delete vm3", "red")
    assert shell(f"floating ip show {made['id']}", "red")["router_id"] is None
    for each in (made, other):
        shell(f"floating ip delete {each['id']}", "red")
    shell("router unset r3 --external-gateway", "red")
    assert shell("router show r3", "red")["external_gateway_info"] is None
    shell("router set r3 --external-gateway world", "red")
    shell("router remove subnet r3 sub3", "red")
    shell("router delete r3", "red")
    shell("network delete lan3", "red")
    shell("network delete world", "keystone=red")
