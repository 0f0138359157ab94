"""Unmodified clients against the API on a real socket: openstacksdk, the ``openstack`` command, and plain HTTP."""

import json
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.sdnapp.api.clients import ENVIRONMENT, Shell

openstack = pytest.importorskip("openstack", reason="needs openstacksdk: pip install .[test]")
pytest.importorskip("openstackclient", reason="needs python-openstackclient: pip install .[test]")

# What the clients deprecate is their own affair.
pytestmark = pytest.mark.filterwarnings("ignore::Warning")

TENANTS = ("red", "blue")


def test_the_installed_command(url: str) -> None:
    command = Path(sys.executable).with_name("openstack")
    found = str(command) if command.exists() else shutil.which("openstack")
    if found is None:
        pytest.skip("needs the openstack command on the PATH")
    arguments = [found, "--os-auth-type", "none", "--os-endpoint", url, "extension", "list", "--network", "-f", "json"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=True)
    assert "provider" in {extension["Alias"] for extension in json.loads(done.stdout)}


def test_networks_by_command(shell: Shell) -> None:
    made = shell("network create net1 --description first --mtu 1400 --disable-port-security", "red")
    assert (made["name"], made["mtu"], made["port_security_enabled"]) == ("net1", 1400, False)
    assert made["project_id"] == "red"
    shell("network set net1 --name net2 --disable --enable-port-security --mtu 1300", "red")
    shown = shell("network show net2", "red")
    assert (shown["admin_state_up"], shown["mtu"], shown["port_security_enabled"]) == (False, 1300, True)
    assert [each["Name"] for each in shell("network list --name net2", "red")] == ["net2"]
    assert shell("network list", "blue") == []
    assert "No Network found for net2" in shell.fails("network show net2", "blue")
    assert "disallowed by policy" in shell.fails("network set net2 --share", "red")
    assert "Requested MTU is too big" in shell.fails("network set net2 --mtu 9000", "red")
    shell("network delete net2", "red")
    assert "No Network found for net2" in shell.fails("network delete net2", "red") + shell.fails(
        "network show net2", "red"
    )


def test_provider_networks_by_command(shell: Shell) -> None:
    vlan = "--provider-network-type vlan --provider-physical-network physnet1 --provider-segment 77"
    made = shell(f"network create lan {vlan} --share")
    assert (made["provider:network_type"], made["provider:segmentation_id"]) == ("vlan", 77)
    assert (made["shared"], made["mtu"]) == (True, 1500)
    assert "is in use" in shell.fails(f"network create other {vlan}")
    assert [each["Name"] for each in shell("network list --share", "blue")] == ["lan"]
    assert [each["Name"] for each in shell("network list --provider-network-type vlan --long")] == ["lan"]
    shell("network set lan --no-share")
    assert shell("network list", "blue") == []
    shell("network delete lan")


def test_subnets_by_command(shell: Shell) -> None:
    shell("network create subnetted", "red")
    pool = "--allocation-pool start=10.5.0.10,end=10.5.0.20"
    lists = "--dns-nameserver 9.9.9.9 --host-route destination=192.0.2.0/24,gateway=10.5.0.9"
    made = shell(f"subnet create s1 --network subnetted --subnet-range 10.5.0.0/24 {pool} {lists}", "red")
    assert made["allocation_pools"] == [{"start": "10.5.0.10", "end": "10.5.0.20"}]
    assert (made["gateway_ip"], made["dns_nameservers"]) == ("10.5.0.1", ["9.9.9.9"])
    assert made["host_routes"] == [{"destination": "192.0.2.0/24", "nexthop": "10.5.0.9"}]
    shell("subnet set s1 --name s2 --gateway none --no-dhcp --dns-nameserver 1.1.1.1", "red")
    shown = shell("subnet show s2", "red")
    assert (shown["gateway_ip"], shown["enable_dhcp"]) == (None, False)
    assert sorted(shown["dns_nameservers"]) == ["1.1.1.1", "9.9.9.9"]
    shell("subnet unset s2 --dns-nameserver 9.9.9.9 --host-route destination=192.0.2.0/24,gateway=10.5.0.9", "red")
    shown = shell("subnet show s2", "red")
    assert (shown["dns_nameservers"], shown["host_routes"]) == (["1.1.1.1"], [])
    listed = shell("subnet list --subnet-range 10.5.0.0/24 --ip-version 4 --no-dhcp --network subnetted", "red")
    assert [each["Name"] for each in listed] == ["s2"]
    overlapping = "subnet create s3 --network subnetted --subnet-range 10.5.0.128/25"
    assert "overlaps with another subnet" in shell.fails(overlapping, "red")
    ipv6 = "subnet create s6 --network subnetted --ip-version 6 --subnet-range 2001:db8::/64"
    assert "IPv6 is not served yet" in shell.fails(ipv6, "red")
    shell("subnet delete s2", "red")
    shell("network delete subnetted", "red")


def test_ports_by_command(shell: Shell) -> None:
    shell("network create ported", "red")
    shell("subnet create ports --network ported --subnet-range 10.6.0.0/24", "red")
    made = shell("port create p1 --network ported --fixed-ip subnet=ports,ip-address=10.6.0.50 --device vm1", "red")
    assert [fixed["ip_address"] for fixed in made["fixed_ips"]] == ["10.6.0.50"]
    assert (made["status"], made["device_id"]) == ("DOWN", "vm1")
    shell(
        "port set p1 --name p2 --fixed-ip subnet=ports,ip-address=10.6.0.60 --allowed-address ip-address=10.6.0.99 "
        "--extra-dhcp-option name=bootfile-name,value=pxe.0 --description d --disable",
        "red",
    )
    shown = shell("port show p2", "red")
    assert [fixed["ip_address"] for fixed in shown["fixed_ips"]] == ["10.6.0.50", "10.6.0.60"]
    assert [pair["ip_address"] for pair in shown["allowed_address_pairs"]] == ["10.6.0.99"]
    assert [option["opt_value"] for option in shown["extra_dhcp_opts"]] == ["pxe.0"]
    assert shown["admin_state_up"] is False
    pair = f"mac-address={shown['mac_address']},ip-address=10.6.0.99"
    shell(f"port unset p2 --fixed-ip subnet=ports,ip-address=10.6.0.50 --allowed-address {pair} --device", "red")
    shell("port set p2 --no-allowed-address --no-security-group --disable-port-security", "red")
    shown = shell("port show p2", "red")
    assert [fixed["ip_address"] for fixed in shown["fixed_ips"]] == ["10.6.0.60"]
    assert (shown["allowed_address_pairs"], shown["port_security_enabled"]) == ([], False)
    assert len(shell("port list --network ported --fixed-ip ip-address=10.6.0.60 --long", "red")) == 1
    assert len(shell("port list --fixed-ip ip-substring=10.6.0", "red")) == 1
    assert len(shell(f"port list --mac-address {shown['mac_address']} --name p2", "red")) == 1
    taken = "port create p3 --network ported --fixed-ip ip-address=10.6.0.60"
    assert "IP address 10.6.0.60 already allocated in subnet" in shell.fails(taken, "red")
    assert "still in use" in shell.fails("network delete ported", "red")
    shell("port set p2 --host hv1 --binding-profile a=b --vnic-type direct")
    shown = shell("port show p2")
    assert (shown["binding_host_id"], shown["binding_vif_type"]) == ("hv1", "binding_failed")
    assert (shown["binding_profile"], shown["binding_vnic_type"]) == ({"a": "b"}, "direct")
    shell("port unset p2 --host --binding-profile a")
    assert shell("port show p2")["binding_vif_type"] == "unbound"
    shell("port delete p2", "red")
    shell("network delete ported", "red")


def test_the_sdk_as_tenants(url: str) -> None:
    clouds = {
        name: openstack.connect(auth_type="http_basic", auth={"username": name, "password": "any", "endpoint": url})
        for name in TENANTS
    }
    ports = {}
    for name, cloud in clouds.items():
        network = cloud.network.create_network(name="lan")
        subnet = cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.0.0.0/24", name="lan")
        wanted = [{"network_id": network.id, "name": f"{name}{number}"} for number in range(5)]
        made = list(cloud.network.create_ports(wanted))
        assert [port.fixed_ips[0]["ip_address"] for port in made] == [f"10.0.0.{n}" for n in range(2, 7)]
        assert cloud.network.find_port(f"{name}3").id == made[3].id
        assert [port.id for port in cloud.network.ports(limit=2)] == sorted(port.id for port in made)
        assert (
            cloud.network.update_subnet(subnet, gateway_ip="10.0.0.254", allocation_pools=[]).gateway_ip == "10.0.0.254"
        )
        with pytest.raises(openstack.exceptions.ConflictException, match="One or more ports"):
            cloud.network.delete_subnet(subnet, ignore_missing=False)
        ports[name] = made[0].id
    with pytest.raises(openstack.exceptions.NotFoundException):
        clouds["red"].network.get_port(ports["blue"])
    with pytest.raises(openstack.exceptions.BadRequestException, match="'x' is not a valid UUID"):
        clouds["red"].network.create_port(network_id="x")
    for cloud in clouds.values():
        for port in cloud.network.ports():
            cloud.network.delete_port(port, ignore_missing=False)
        cloud.network.delete_network(cloud.network.find_network("lan"), ignore_missing=False)
        assert list(cloud.network.subnets()) == []


def test_the_sdk_moves_a_port_to_another_host(url: str) -> None:
    cloud = openstack.connect(auth_type="none", endpoint=url)
    network = cloud.network.create_network(name="moving")
    port = cloud.network.create_port(network_id=network.id, device_owner="compute:nova", binding_host_id="node1")
    made = cloud.network.create_port_binding(port, host="node2")
    assert (made.vif_type, made.status) == ("ovs", "INACTIVE")
    with pytest.raises(openstack.exceptions.ConflictException, match="on host node2 already exists"):
        cloud.network.create_port_binding(port, host="node2")
    cloud.network.activate_port_binding(port, "node2")
    assert {each.host: each.status for each in cloud.network.port_bindings(port)} == {
        "node2": "ACTIVE",
        "node1": "INACTIVE",
    }
    cloud.network.delete_port_binding(port, "node1")
    assert cloud.network.get_port(port).binding_host_id == "node2"


def test_the_sdk_as_administrator_and_with_headers(url: str) -> None:
    cloud = openstack.connect(auth_type="none", endpoint=url)
    network = cloud.network.create_network(name="a", provider_network_type="vxlan", is_shared=True)
    assert (network.provider_network_type, network.project_id) == ("vxlan", "default")
    assert cloud.network.update_network(network, description="x", if_revision=1).revision_number == 2
    with pytest.raises(openstack.exceptions.HttpException, match="Constrained to 9, but current revision is 2"):
        cloud.network.update_network(network, description="y", if_revision=9)
    cloud.session.additional_headers.update({"X-Project-Id": "green", "X-Roles": "member"})
    assert cloud.network.get_network(network.id).provider_network_type is None
    with pytest.raises(openstack.exceptions.ForbiddenException, match="rule:delete_network is disallowed by policy"):
        cloud.network.delete_network(network.id, ignore_missing=False)
    cloud.session.additional_headers.clear()
    cloud.network.delete_network(network.id, ignore_missing=False)


def test_plain_http(url: str) -> None:
    with urlopen(f"{url}/healthz", timeout=10) as response:
        assert json.load(response) == {"status": "ok"}


def test_a_client_that_goes_away_amid_its_body_harms_nobody(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    test_plain_http(url)


def answer_to(url: str, octets: bytes) -> bytes:
    """Return all that the server says to a connection, until it closes that."""
    host, port = url.removeprefix("http://").split(":")
    answer = b""
    # Who is closed with more to say may not see the end of his answer, or nothing of it.
    with socket.create_connection((host, int(port)), timeout=10) as connection, suppress(OSError):
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        while received := connection.recv(65536):
            answer += received
    return answer


CHUNKED = b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunked_bodies(url: str) -> None:
    body = b'{"network": {"name": "chunked"}}'
    answer = answer_to(url, CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 201 Created")


HEADS = [
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b"400"),
    (b"GET /healthz HTTP/1.1\r\n" + b"X: %b\r\n" % (b"x" * 8000) * 9 + b"\r\n", b"400"),
    (b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
    (b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
    (b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\nConnection: close\r\n\r\n", b"413"),
    (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),
]


@pytest.mark.parametrize(("head", "status"), HEADS)
def test_heads_that_are_too_large_or_make_no_sense_are_refused(url: str, head: bytes, status: bytes) -> None:
    answer = answer_to(url, head)
    assert not answer or status in answer.split(b"\r\n")[0] or b"Error code: " + status in answer
    test_plain_http(url)
