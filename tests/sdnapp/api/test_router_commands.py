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
    assert "still has ports" in shell.fails("router delete r2", "red")
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

    shell("network create out", "red")
    assert "not served yet" in shell.fails("router set r2 --external-gateway out", "red")
    shell("router remove subnet r2 sub1", "red")
    assert "has no interface on subnet" in shell.fails("router remove subnet r2 sub1", "red")
    shell("router remove port r2 door", "red")
    shell("router delete r2", "red")
    assert shell("router list", "red") == []
    for name in ("lan1", "lan2", "out"):
        shell(f"network delete {name}", "red")
