"""Every ``openstack`` network command that our extensions allow has a good and a bad case somewhere in these tests."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from sdnapp.api.extensions import EXTENSIONS
from tests.sdnapp.api.clients import Shell

pytest.importorskip("openstackclient", reason="needs python-openstackclient: pip install .[test]")
pytestmark = pytest.mark.filterwarnings("ignore::Warning")

NEEDS = {
    "local ip": "local_ip",
    "network agent add network": "dhcp_agent_scheduler",
    "network agent remove network": "dhcp_agent_scheduler",
    "network agent add router": "l3_agent_scheduler",
    "network agent remove router": "l3_agent_scheduler",
    "network agent router set": "l3_agent_scheduler",
    "network auto allocated topology": "auto-allocated-topology",
    "network flavor": "flavors",
    "network l3 conntrack helper": "l3-conntrack-helper",
    "floating ip pool": "no extension of the network's",
    "floating ip port forwarding": "floating-ip-port-forwarding",
    "router add gateway": "external-gateway-multihoming",
    "router remove gateway": "external-gateway-multihoming",
    "network meter": "metering",
    "network onboard subnet": "subnet_onboard",
    "subnet pool add network": "subnet_onboard",
    "network qos": "qos",
    "network segment": "segment",
    "network segment range": "network-segment-range",
    "network subport": "trunk",
    "network trunk": "trunk",
    "router ndp proxy": "l3-ndp-proxy",
    "security group default statefulness": "security-groups-default-statefulness",
}
"""Commands that need an extension which is not served."""
MADE = {
    "network": "network create n --tag x",
    "scope": "address scope create s",
    "pool": "subnet pool create po --pool-prefix 10.0.0.0/8 --tag x",
    "group": "security group create g --tag x",
    "addresses": "address group create a",
    "subnet": "subnet create s --network n --subnet-range 10.0.0.0/24 --tag x",
    "port": "port create p --network n --tag x",
    "router": "router create r --tag x",
    "rule": "security group rule create g --protocol tcp",
}
"""Of another tenant, who gives away none of it."""
AS_ADMIN = {
    "policy": "network rbac create --type security_group --action access_as_shared --target-project green {group}",
    "template": "default security group rule create --protocol tcp",
}
REFUSED = {
    "floating ip show 95f1ac86-c264-4632-82d6-428da6e1e767": "No FloatingIP found",
    "floating ip unset 95f1ac86-c264-4632-82d6-428da6e1e767 --port": "No FloatingIP found",
    "address group set {addresses} --name x": "No AddressGroup found",
    "address scope delete {scope}": "No AddressScope found",
    "network rbac set {policy} --target-project green": "No RBACPolicy found",
    "network rbac show {policy}": "No RBACPolicy found",
    "network unset {network} --tag x": "No Network found",
    "port create p --network {network}": "No Network found",
    "port show {port}": "No Port found",
    "port unset {port} --tag x": "No Port found",
    "router add port {router} {port}": "No Port found",
    "router add route {router} --route destination=10.9.0.0/16,gateway=10.0.0.5": "No Router found",
    "router remove port {router} {port}": "No Port found",
    "router remove route {router} --route destination=10.9.0.0/16,gateway=10.0.0.5": "No Router found",
    "router unset {router} --tag x": "No Router found",
    "security group rule create {group} --protocol tcp": "No SecurityGroup found",
    "security group rule show {rule}": "No SecurityGroupRule found",
    "security group set {group} --name x": "No SecurityGroup found",
    "security group unset {group} --tag x": "No SecurityGroup found",
    "subnet delete {subnet}": "No Subnet found",
    "subnet set {subnet} --name x": "No Subnet found",
    "subnet show {subnet}": "No Subnet found",
    "subnet unset {subnet} --tag x": "No Subnet found",
    "subnet pool show {pool}": "No SubnetPool found",
    "subnet pool unset {pool} --tag x": "No SubnetPool found",
    "network agent show c1": "No Agent found",
    "default security group rule show 95f1ac86-c264-4632-82d6-428da6e1e767": "No DefaultSecurityGroupRule found",
    "default security group rule delete {template}": "disallowed by policy",
    "default security group rule create --protocol tcp": "disallowed by policy",
    "address scope create s --share": "disallowed by policy",
    "address group create g --address 2001:db8::/129": "invalid IPNetwork",
    "router create r --availability-zone-hint nowhere": "AvailabilityZone nowhere could not be found",
}
"""What is said to whoever guesses the ids of another tenant, or asks for what he may not or cannot have."""
LISTS = (
    "floating ip list",
    *("address group list", "address scope list", "ip availability list", "network agent list", "network list"),
    *("network rbac list", "network service provider list", "port list", "router list", "security group list"),
    *("security group rule list", "subnet list", "subnet pool list"),
)
"""What shows nothing of another tenant."""
TO_ALL = ("default security group rule list",)
"""What is the same for everybody."""
_CASE = re.compile(r'(shell(?:\.fails)?)\(\s*f?"([^"]*)"')


@pytest.fixture(scope="module")
def made(shell: Shell) -> dict[str, str]:
    """Ids of what another tenant has made."""
    ids = {name: str(shell(command, "red")["id"]) for name, command in MADE.items()}
    return ids | {name: str(shell(command.format(**ids), "keystone=red")["id"]) for name, command in AS_ADMIN.items()}


@pytest.mark.parametrize("command", REFUSED)
def test_another_tenant_is_refused(shell: Shell, made: dict[str, str], command: str) -> None:
    assert REFUSED[command] in shell.fails(command.format(**made), "blue")


@pytest.mark.parametrize("command", LISTS)
def test_another_tenant_sees_nothing(shell: Shell, made: dict[str, str], command: str) -> None:
    seen = {value for row in shell(command, "blue") for value in row.values() if isinstance(value, str)}
    assert seen.isdisjoint(made.values()) and "c1" not in seen


def test_every_command_has_a_good_and_a_bad_case() -> None:
    known = sorted(each.name.replace("_", " ") for each in entry_points(group="openstack.network.v2"))

    def command_of(text: str) -> str | None:
        return max((each for each in known if f"{text} ".startswith(f"{each} ")), key=len, default=None)

    said = [match for path in Path(__file__).parent.glob("test_*.py") for match in _CASE.findall(path.read_text())]
    good = {command_of(text) for how, text in said if how == "shell"} | set(map(command_of, (MADE | AS_ADMIN).values()))
    bad = {command_of(text) for how, text in said if how != "shell"} | set(map(command_of, (*REFUSED, *LISTS)))
    served = [each for each in known if not _is_beyond(each)]
    assert len(served) > 60
    assert [each for each in served if each not in good] == []
    assert [each for each in served if each not in bad and each not in TO_ALL] == []


def _is_beyond(command: str) -> bool:
    needed = max((prefix for prefix in NEEDS if f"{command} ".startswith(f"{prefix} ")), key=len, default=None)
    return needed is not None and NEEDS[needed] not in EXTENSIONS
