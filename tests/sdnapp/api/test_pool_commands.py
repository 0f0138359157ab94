"""Address scopes, subnet pools and RBAC policies by the unmodified ``openstack`` command."""

import pytest

from tests.sdnapp.api.clients import Shell

pytest.importorskip("openstackclient", reason="needs python-openstackclient: pip install .[test]")

# What the client deprecates is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::Warning")

ADMIN = "keystone=default"


def names(listed: list[dict[str, str]]) -> list[str]:
    return sorted(each["Name"] for each in listed)


def test_address_scopes(shell: Shell) -> None:
    made = shell("address scope create scope1", "red")
    assert (made["name"], made["ip_version"], made["shared"]) == ("scope1", 4, False)
    shell("address scope create six --ip-version 6", "red")
    shell("address scope set scope1 --name scope2", "red")
    assert shell("address scope show scope2", "red")["id"] == made["id"]
    assert names(shell("address scope list", "red")) == ["scope2", "six"]
    assert names(shell("address scope list --ip-version 6", "red")) == ["six"]
    assert names(shell("address scope list --name scope2", "red")) == ["scope2"]
    assert shell("address scope list", "blue") == []
    assert "No AddressScope found for scope2" in shell.fails("address scope show scope2", "blue")
    assert "disallowed by policy" in shell.fails("address scope set scope2 --share", "red")
    shell("address scope set scope2 --share", ADMIN)
    assert names(shell("address scope list --share", "blue")) == ["scope2"]
    assert "can't be unshared" in shell.fails("address scope set scope2 --no-share", ADMIN)
    shell("address scope delete scope2 six", "red")
    assert shell("address scope list", ADMIN) == []


def test_subnet_pools(shell: Shell) -> None:
    shell("address scope create scope", "red")
    lengths = "--default-prefix-length 26 --min-prefix-length 24 --max-prefix-length 28"
    made = shell(
        f"subnet pool create p1 --pool-prefix 10.0.0.0/24 --pool-prefix 10.0.1.0/24 {lengths} --description d "
        "--default-quota 512 --address-scope scope --tag one",
        "red",
    )
    assert (made["name"], made["prefixes"], made["default_prefixlen"]) == ("p1", ["10.0.0.0/23"], 26)
    assert (made["min_prefixlen"], made["max_prefixlen"], made["default_quota"]) == (24, 28, 512)
    assert (made["description"], made["is_default"], made["shared"], made["tags"]) == ("d", False, False, ["one"])
    shell("subnet pool set p1 --name p2 --pool-prefix 10.0.2.0/24 --default-prefix-length 27 --no-address-scope", "red")
    shell("subnet pool set p2 --description e --tag two", "red")
    shell("subnet pool unset p2 --tag one", "red")
    shown = shell("subnet pool show p2", "red")
    assert shown["prefixes"] == ["10.0.0.0/23", "10.0.2.0/24"]
    assert (shown["default_prefixlen"], shown["address_scope_id"]) == (27, None)
    assert (shown["description"], shown["tags"]) == ("e", ["two"])
    assert names(shell("subnet pool list --name p2 --tags two", "red")) == ["p2"]
    assert shell("subnet pool list", "blue") == []
    assert "disallowed by policy" in shell.fails("subnet pool set p2 --default", "red")
    assert "Illegal prefix bounds" in shell.fails("subnet pool set p2 --min-prefix-length 29", "red")
    assert "is not a valid IP subnet" in shell.fails("subnet pool create bad --pool-prefix 10.0.0.0/33", "red")
    shell("network create lan", "red")
    subnet = shell("subnet create s1 --network lan --subnet-pool p2", "red")
    assert (subnet["cidr"], subnet["subnetpool_id"]) == ("10.0.2.0/27", shown["id"])
    subnet = shell("subnet create s2 --network lan --subnet-pool p2 --prefix-length 28", "red")
    assert subnet["cidr"] == "10.0.2.32/28"
    subnet = shell("subnet create s3 --network lan --subnet-pool p2 --subnet-range 10.0.1.0/24", "red")
    assert subnet["cidr"] == "10.0.1.0/24"
    assert names(shell(f"subnet list --subnet-pool {shown['id']}", "red")) == ["s1", "s2", "s3"]
    too_much = "subnet create s4 --network lan --subnet-pool p2 --prefix-length 24"
    assert "prefix quota exceeded" in shell.fails(too_much, "red")
    assert "minimum allowed prefix is 24" in shell.fails(f"{too_much[:-2]}20", "red")
    assert "existing allocations" in shell.fails("subnet pool delete p2", "red")
    assert "No default subnetpool" in shell.fails("subnet create s5 --network lan --use-default-subnet-pool", "red")
    shell("subnet pool set p2 --default", ADMIN)
    subnet = shell("subnet create s5 --network lan --use-default-subnet-pool", "red")
    assert subnet["subnetpool_id"] == shown["id"]
    shell("network delete lan", "red")
    shell("subnet pool delete p2", "red")
    shell("address scope delete scope", "red")
    assert shell("subnet pool list", ADMIN) == []


def test_network_rbac(shell: Shell) -> None:
    network = shell("network create shared", "red")["id"]
    pool = shell("subnet pool create shared --pool-prefix 10.0.0.0/8 --default-prefix-length 24", "red")["id"]
    scope = shell("address scope create shared", "red")["id"]
    owned = "--project red --target-project blue --action access_as_shared --type"
    made = [
        shell(f"network rbac create {owned} {kind} shared", ADMIN)
        for kind in ("network", "subnetpool", "address_scope")
    ]
    assert [each["object_id"] for each in made] == [network, pool, scope]
    assert {(each["project_id"], each["target_project_id"]) for each in made} == {("red", "blue")}
    for command in ("network list --share", "subnet pool list --share", "address scope list --share"):
        assert names(shell(command, "blue")) == ["shared"]
        assert shell(command, "green") == []
    policy = made[0]["id"]
    assert [each["ID"] for each in shell("network rbac list --type network --action access_as_shared", "red")] == [
        policy
    ]
    assert shell("network rbac list --long", "red")[0]["Action"] == "access_as_shared"
    assert shell("network rbac list", "blue") == []
    assert "An RBAC policy already exists" in shell.fails(f"network rbac create {owned} network shared", ADMIN)
    shell("port create p --network shared", "blue")
    assert "other objects depend on it" in shell.fails(f"network rbac delete {policy}", "red")
    shell("port delete p", "blue")
    shell(f"network rbac set {policy} --target-project green", ADMIN)
    assert shell(f"network rbac show {policy}", "red")["target_project_id"] == "green"
    for_all = "network rbac create --type network --action access_as_shared --target-all-projects shared"
    assert "disallowed by policy" in shell.fails(for_all, "red")
    everybody = shell(for_all, ADMIN)["id"]
    assert shell("network show shared", "blue")["shared"] is True
    shell(f"network rbac delete {everybody} {policy}", ADMIN)
    assert shell("network list --share", "green") == []
    shell("network delete shared", "red")
    shell("subnet pool delete shared", "red")
    shell("address scope delete shared", "red")
    assert shell("network rbac list", ADMIN) == []
