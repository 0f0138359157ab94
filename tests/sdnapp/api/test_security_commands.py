"""Security groups, address groups and templates of rules, by the unmodified ``openstack`` command and openstacksdk."""

import pytest

from tests.sdnapp.api.clients import Shell

openstack = pytest.importorskip("openstack", reason="needs openstacksdk: pip install .[test]")
pytest.importorskip("openstackclient", reason="needs python-openstackclient: pip install .[test]")

# What the client deprecates is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::Warning")


def test_groups_by_command(shell: Shell) -> None:
    made = shell("security group create web --description d --tag one", "red")
    assert (made["name"], made["stateful"], made["is_shared"], made["tags"]) == ("web", True, False, ["one"])
    assert len(made["rules"]) == 2
    assert {group["Name"] for group in shell("security group list", "red")} == {"web", "default"}
    assert [group["Name"] for group in shell("security group list --tags one", "red")] == ["web"]
    shell("security group set web --name www --description e --stateless", "red")
    shown = shell("security group show www", "red")
    assert (shown["description"], shown["stateful"]) == ("e", False)
    shell("security group unset www --all-tag", "red")
    assert shell("security group show www", "red")["tags"] == []
    assert "Default security group already exists" in shell.fails("security group create default", "red")
    assert "Insufficient rights for removing default" in shell.fails("security group delete default", "red")
    assert "No SecurityGroup found for www" in shell.fails("security group show www", "blue")
    shell("security group delete www", "red")


def test_rules_by_command(shell: Shell) -> None:
    shell("security group create web", "red")
    shell("security group create admins", "red")
    made = shell("security group rule create web --protocol tcp --dst-port 80:81 --remote-ip 10.0.0.5/24", "red")
    assert (made["protocol"], made["port_range_min"], made["port_range_max"]) == ("tcp", 80, 81)
    assert (made["direction"], made["remote_ip_prefix"], made["normalized_cidr"]) == (
        "ingress",
        "10.0.0.5/24",
        "10.0.0.0/24",
    )
    ping = shell("security group rule create web --protocol icmp --icmp-type 8 --remote-group admins", "red")
    assert (ping["port_range_min"], ping["port_range_max"]) == (8, None)
    shell("security group rule create web --egress --ethertype IPv6 --protocol ipv6-icmp --description d", "red")
    listed = shell("security group rule list web --ingress --long", "red")
    assert {rule["IP Protocol"] for rule in listed} == {"tcp", "icmp"}
    assert len(shell("security group rule list web --protocol tcp", "red")) == 1
    assert shell(f"security group rule show {ping['id']}", "red")["protocol"] == "icmp"
    again = "security group rule create web --protocol 6 --dst-port 80:81 --remote-ip 10.0.0.5/24"
    assert f"Security group rule already exists. Rule id is {made['id']}" in shell.fails(again, "red")
    wrong = "security group rule create web --protocol gre --dst-port 1:2"
    assert "Ports cannot be specified for protocol 47" in shell.fails(wrong, "red")
    wrong = "security group rule create web --remote-ip 2001:db8::/64 --ethertype IPv4"
    assert "Conflicting value ethertype IPv4 for CIDR 2001:db8::/64" in shell.fails(wrong, "red")
    shell(f"security group rule delete {made['id']} {ping['id']}", "red")
    assert "No SecurityGroupRule found" in shell.fails(f"security group rule delete {made['id']}", "red")
    for name in ("web", "admins"):
        shell(f"security group delete {name}", "red")


def test_groups_of_ports_by_command(shell: Shell) -> None:
    group = shell("security group create web", "red")["id"]
    (default,) = (each["ID"] for each in shell("security group list", "red") if each["Name"] == "default")
    shell("network create guarded", "red")
    assert shell("port create p1 --network guarded", "red")["security_group_ids"] == [default]
    assert shell("port create p2 --network guarded --security-group web", "red")["security_group_ids"] == [group]
    assert shell("port create p3 --network guarded --no-security-group", "red")["security_group_ids"] == []
    shell("port set p1 --security-group web", "red")
    assert sorted(shell("port show p1", "red")["security_group_ids"]) == sorted([default, group])
    assert {port["Name"] for port in shell(f"port list --security-group {group}", "red")} == {"p1", "p2"}
    shell(f"port unset p1 --security-group {default}", "red")
    assert "in use" in shell.fails("security group delete web", "red")
    assert "Port has security group associated" in shell.fails("port set p1 --disable-port-security", "red")
    shell("port set p1 --no-security-group --disable-port-security", "red")
    shell("port delete p1 p2 p3", "red")
    shell("network delete guarded", "red")
    shell("security group delete web", "red")


def test_address_groups_by_command(shell: Shell) -> None:
    made = shell("address group create hosts --address 10.0.0.0/24 --address 10.1.0.1 --description d", "red")
    assert made["addresses"] == ["10.0.0.0/24", "10.1.0.1/32"]
    shell("address group set hosts --name servers --address 10.2.0.0/16", "red")
    shell("address group unset servers --address 10.1.0.1", "red")
    assert shell("address group show servers", "red")["addresses"] == ["10.0.0.0/24", "10.2.0.0/16"]
    assert [group["Name"] for group in shell("address group list", "red")] == ["servers"]
    twice = "address group set servers --address 10.2.0.0/16"
    assert "already exist in the address group" in shell.fails(twice, "red")
    assert "not found in the address group" in shell.fails("address group unset servers --address 10.9.0.1", "red")
    shell("security group create web", "red")
    rule = shell("security group rule create web --remote-address-group servers", "red")
    assert rule["remote_address_group_id"] == made["id"]
    assert "is in use on one or more security group rules" in shell.fails("address group delete servers", "red")
    shell("security group delete web", "red")
    shell("address group delete servers", "red")
    assert "No AddressGroup found for servers" in shell.fails("address group show servers", "red")


def test_templates_by_command(shell: Shell) -> None:
    create = "default security group rule create --protocol tcp --dst-port 22 --ingress"
    made = shell(f"{create} --for-custom-sg")
    assert (made["port_range_min"], made["used_in_default_sg"], made["used_in_non_default_sg"]) == (22, False, True)
    assert len(shell("default security group rule list --protocol tcp", "red")) == 1
    assert shell(f"default security group rule show {made['id']}", "red")["direction"] == "ingress"
    assert "Default Security group rule already exists" in shell.fails(f"{create} --for-custom-sg")
    assert "disallowed by policy" in shell.fails(f"{create} --for-default-sg", "red")
    group = shell("security group create open", "red")
    assert [rule["port_range_min"] for rule in group["rules"] if rule["protocol"] == "tcp"] == [22]
    shell(f"default security group rule delete {made['id']}")
    shell("security group delete open", "red")


def test_sharing_by_command(shell: Shell) -> None:
    group = shell("security group create ours", "red")["id"]
    create = "network rbac create --type security_group --action access_as_shared"
    policy = shell(f"{create} --target-project blue ours", "keystone=red")
    assert (policy["object_type"], policy["object_id"]) == ("security_group", group)
    assert shell("security group show ours", "blue")["is_shared"] is True
    assert "disallowed by policy" in shell.fails("security group delete ours", "blue")
    again = shell.fails(f"{create} --target-project blue ours", "keystone=red")
    assert "An RBAC policy already exists" in again
    shell(f"network rbac delete {policy['id']}", "keystone=red")
    shell("security group delete ours", "red")


def test_the_sdk(url: str) -> None:
    cloud = openstack.connect(auth_type="http_basic", auth={"username": "red", "password": "any", "endpoint": url})
    group = cloud.network.create_security_group(name="sdk")
    assert (group.is_shared, group.stateful, len(group.security_group_rules)) == (False, True, 2)
    wanted = [
        {
            "security_group_id": group.id,
            "direction": "ingress",
            "protocol": name,
            "port_range_min": 1,
            "port_range_max": 9,
        }
        for name in ("tcp", "udp")
    ]
    rules = list(cloud.network.create_security_group_rules(wanted))
    assert [rule.protocol for rule in rules] == ["tcp", "udp"]
    assert cloud.network.get_security_group(group.id).revision_number == group.revision_number + 1
    with pytest.raises(openstack.exceptions.ConflictException, match=r"Security group rule already exists"):
        list(cloud.network.create_security_group_rules(wanted))
    assert cloud.network.find_security_group("sdk").id == group.id
    assert len(list(cloud.network.security_group_rules(security_group_id=group.id, direction="ingress"))) == 2
    addresses = cloud.network.create_address_group(name="sdk", addresses=["10.0.0.0/24"])
    changed = cloud.network.add_addresses_to_address_group(addresses, ["10.1.0.0/24"])
    assert changed.addresses == ["10.0.0.0/24", "10.1.0.0/24"]
    with pytest.raises(openstack.exceptions.NotFoundException, match="not found in the address group"):
        cloud.network.remove_addresses_from_address_group(addresses, ["10.2.0.0/24"])
    assert len(list(cloud.network.default_security_group_rules())) == 4
    cloud.network.delete_address_group(addresses, ignore_missing=False)
    cloud.network.delete_security_group(group, ignore_missing=False)
    with pytest.raises(openstack.exceptions.NotFoundException, match=r"Security group .* does not exist"):
        cloud.network.get_security_group(group.id)
