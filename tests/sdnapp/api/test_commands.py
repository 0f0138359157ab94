"""What hangs on networks and projects, by the unmodified ``openstack`` command: quotas, tags, agents, and more."""

import pytest

from tests.sdnapp.api.clients import Shell

pytest.importorskip("openstackclient", reason="needs python-openstackclient: pip install .[test]")

# What the client deprecates is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::Warning")

ADMIN = "keystone=red"


def test_quotas_by_command(shell: Shell) -> None:
    def limits(of: str) -> dict[str, int]:
        shown = shell(f"quota show --network {of}", ADMIN)
        return {each["Resource"]: each["Limit"] for each in shown if each["Limit"] is not None}

    assert limits("red") == limits("--default") | {"networks": 100, "subnets": 100, "ports": 500}
    shell("quota set --networks 1 --ports -1 red", ADMIN)
    assert limits("red") == limits("") == limits("--default") | {"networks": 1, "ports": -1}
    assert limits("blue") == limits("--default")
    shell("network create only", "red")
    assert "Quota exceeded for resources: ['network']" in shell.fails("network create another", "red")
    usage = {each["Resource"]: each["In Use"] for each in shell("quota show --network --usage red", ADMIN)}
    assert (usage["networks"], usage["ports"]) == (1, 0)
    message = "Quota limit 0 for network must be greater than or equal to already used 1"
    assert message in shell.fails("quota set --networks 0 red", ADMIN)
    shell("quota set --networks 0 --force red", ADMIN)
    shell("quota delete --network red", ADMIN)
    assert limits("red") == limits("--default")
    shell("network delete only", "red")


def test_tags_by_command(shell: Shell) -> None:
    made = shell("network create tagged --tag one --tag two", "red")
    assert sorted(made["tags"]) == ["one", "two"]
    shell("network set tagged --tag three", "red")
    shell("network unset tagged --tag one", "red")
    assert sorted(shell("network show tagged", "red")["tags"]) == ["three", "two"]
    shell("subnet create s --network tagged --subnet-range 10.0.0.0/24 --tag one", "red")
    shell("port create p --network tagged --tag one --tag two", "red")
    shell("port set p --no-tag --tag four", "red")
    assert shell("port show p", "red")["tags"] == ["four"]
    for command, found in (
        ("network list --tags two,three", ["tagged"]),
        ("network list --tags two,one", []),
        ("network list --any-tags two,one", ["tagged"]),
        ("network list --not-tags two,three", []),
        ("network list --not-any-tags one", ["tagged"]),
        ("subnet list --tags one", ["s"]),
        ("port list --tags four", ["p"]),
    ):
        assert [each["Name"] for each in shell(command, "red")] == found
    assert "exceeds maximum length of 255" in shell.fails(f"network set tagged --tag {'x' * 256}", "red")
    shell("network unset tagged --all-tag", "red")
    assert shell("network show tagged", "red")["tags"] == []
    shell("port delete p", "red")
    shell("network delete tagged", "red")


def test_agents_by_command(shell: Shell) -> None:
    listed = {each["Host"]: each for each in shell("network agent list")}
    assert (listed["node1"]["Alive"], listed["node2"]["Alive"]) == (True, False)
    assert {each["Binary"] for each in listed.values()} == {"sdnapp-chassis"}
    found = shell("network agent list --agent-type open-vswitch --host node1")
    assert [each["ID"] for each in found] == ["c1"]
    shell("network agent set c1 --description first")
    shown = shell("network agent show c1")
    assert (shown["description"], shown["host"], shown["started_at"]) == ("first", "node1", "2026-01-01 10:00:00")
    assert shown["configuration"]["tunneling_ip"] == "192.0.2.1"
    assert "a chassis serves for as long as it is connected" in shell.fails("network agent set c1 --disable")
    assert "1 of 1 network agents failed to delete" in shell.fails("network agent delete c1")
    shell("network agent delete c2")
    assert [each["ID"] for each in shell("network agent list")] == ["c1"]
    assert shell("network agent list", "red") == []


def test_availability_by_command(shell: Shell) -> None:
    zones = shell("availability zone list --network")
    assert [each["Zone Name"] for each in zones] == ["nova", "nova"]
    assert shell("network service provider list", "red") == []
    shell("network create counted", "red")
    shell("subnet create s --network counted --subnet-range 10.0.0.0/24", "red")
    shell("port create p --network counted", "red")
    (listed,) = [each for each in shell("ip availability list") if each["Network Name"] == "counted"]
    assert (listed["Total IPs"], listed["Used IPs"]) == (253, 1)
    shown = shell("ip availability show counted")
    assert (shown["total_ips"], shown["used_ips"], shown["project_id"]) == (253, 1, "red")
    assert "No Network found for none" in shell.fails("ip availability show none")
    shell("port delete p", "red")
    shell("network delete counted", "red")


def test_external_networks_by_command(shell: Shell) -> None:
    made = shell("network create outside --external --availability-zone-hint nova")
    assert (made["router:external"], made["availability_zones"]) == (True, ["nova"])
    shell("subnet create outside4 --network outside --subnet-range 203.0.113.0/24 --no-dhcp")
    assert [each["Name"] for each in shell("network list --external", "blue")] == ["outside"]
    assert shell("subnet show outside4", "blue")["router:external"] is True
    assert "disallowed by policy" in shell.fails("network create mine --external", "blue")
    assert "AvailabilityZone mars could not be found" in shell.fails("network create x --availability-zone-hint mars")
    shell("network set outside --internal")
    assert shell("network list --external", "blue") == []
    shell("network rbac create --type network --action access_as_external --target-project blue outside", ADMIN)
    assert [each["Name"] for each in shell("network list --external", "blue")] == ["outside"]
    assert shell("network list --external", "red") == []
    again = "network rbac create --type network --action access_as_external --target-project blue outside"
    assert "An RBAC policy already exists with those values" in shell.fails(again, ADMIN)
    shell("network delete outside")
