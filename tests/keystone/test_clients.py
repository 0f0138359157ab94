"""Unmodified clients, which log in to Keystone and find the network in its catalogue."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import openstack
import pytest

from tests.keystone.cloud import Cloud
from tests.keystone.real_keystone import ADMIN, REGION

COMMANDS = Path(sys.executable).parent
PATIENCE = 60


class Shell:
    """A command line where variables of the environment, or a file, say who one is."""

    def __init__(self, place: Path, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "SDNAPP"))}
        self.environment = {**kept, "HOME": str(place), "PYTHONWARNINGS": "ignore", **environment}
        self._place = place

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [COMMANDS / command[0], *command[1:]],
            cwd=self._place,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def __call__(self, command: str) -> Any:
        """Run an ``openstack`` command that works; return what it shows, if anything."""
        shows = not {"create", "show", "list", "issue"}.isdisjoint(command.split())
        done = self.run("openstack", *command.split(), *(["-f", "json"] if shows else []))
        assert done.returncode == 0, (command, done.stderr)
        return json.loads(done.stdout) if shows else None

    def fails(self, command: str) -> str:
        done = self.run("openstack", *command.split())
        assert done.returncode != 0, (command, done.stdout)
        return done.stderr


def test_the_openstack_command_finds_the_network_by_variables_of_the_environment(cloud: Cloud, tmp_path: Path) -> None:
    alice, bob = (Shell(tmp_path, **cloud.variables(name)) for name in ("alice", "bob"))
    network = alice("network create by-variables")
    assert network["project_id"] == cloud.projects["red"].id
    alice("subnet create --network by-variables --subnet-range 10.2.0.0/24 s")
    port = alice("port create --network by-variables p")
    assert port["fixed_ips"][0]["ip_address"] == "10.2.0.2"
    assert "No Network found" in bob.fails("network show by-variables")
    assert f"No Network found for {network['id']}" in bob.fails(f"network delete {network['id']}")
    assert "disallowed by policy" in alice.fails("network create --provider-network-type vlan n")
    assert network["id"] not in {each["ID"] for each in bob("network list")}
    alice("port delete p")
    alice("network delete by-variables")


def test_a_file_of_clouds_works_too_with_a_password_or_an_application_credential(cloud: Cloud, tmp_path: Path) -> None:
    alice = openstack.connect(**cloud.login("alice"), region_name=REGION).identity
    made = alice.create_application_credential(user=cloud.users["alice"].id, name="for-a-file")
    login = cloud.login("alice")
    (tmp_path / "clouds.yaml").write_text(
        json.dumps(
            {
                "clouds": {
                    "by-password": {"auth": login, "region_name": REGION},
                    "by-credential": {
                        "auth_type": "v3applicationcredential",
                        "auth": {
                            "auth_url": cloud.keystone.url,
                            "application_credential_id": made.id,
                            "application_credential_secret": made.secret,
                        },
                        "region_name": REGION,
                    },
                }
            }
        )
    )
    for name in ("by-password", "by-credential"):
        shell = Shell(tmp_path, OS_CLOUD=name)
        assert shell(f"network create {name}")["project_id"] == cloud.projects["red"].id
        shell(f"network delete {name}")


def test_the_administrator_acts_for_projects_by_name(cloud: Cloud, tmp_path: Path) -> None:
    admin, alice = (Shell(tmp_path, **cloud.variables(name)) for name in (ADMIN, "alice"))
    assert admin("network create --project blue for-blue")["project_id"] == cloud.projects["blue"].id
    alice("network create lent")
    admin("network rbac create --type network --action access_as_shared --target-project blue lent")
    bob = Shell(tmp_path, **cloud.variables("bob"))
    assert {"for-blue", "lent"} <= {each["Name"] for each in bob("network list")}
    before = admin("quota show blue --network")
    admin("quota set --networks 7 blue")
    shown = admin("quota show blue --network")
    assert shown != before
    assert "7" in json.dumps(shown)
    admin("quota delete --network blue")


def test_the_sdk_finds_the_network_and_says_what_is_refused(cloud: Cloud) -> None:
    alice = openstack.connect(**cloud.login("alice"), region_name=REGION)
    bob = openstack.connect(**cloud.login("bob"), region_name=REGION)
    assert alice.network.get_endpoint() == f"{cloud.controller.url}/v2.0"
    network = alice.network.create_network(name="by-sdk")
    assert network.project_id == cloud.projects["red"].id
    with pytest.raises(openstack.exceptions.NotFoundException):
        bob.network.get_network(network.id)
    with pytest.raises(openstack.exceptions.ForbiddenException):
        alice.network.create_network(provider_network_type="vlan")
    assert bob.network.find_network(network.id) is None
    alice.network.delete_network(network)


def test_the_sdnapp_command_takes_a_token(cloud: Cloud, tmp_path: Path) -> None:
    token = Shell(tmp_path, **cloud.variables(ADMIN))("token issue")["id"]
    ours = Shell(tmp_path, SDNAPP_URL=cloud.controller.url)
    assert "wants a token: export OS_TOKEN" in ours.run("sdnapp", "status").stderr
    ours.environment["OS_TOKEN"] = token
    assert ours.run("sdnapp", "status").returncode == 0
    ours.environment["OS_TOKEN"] = cloud.person("alice").token
    refused = ours.run("sdnapp", "status")
    assert refused.returncode == 1
    assert "disallowed by policy" in refused.stderr
    assert ours.run("sdnapp", "export").returncode == 0
