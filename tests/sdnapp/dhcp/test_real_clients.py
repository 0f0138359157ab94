"""udhcpc and dhclient lease from the responder over a real link, and set up what they were told.

Each client has its files in a directory of the test. Its script applies the lease within the client's namespace, and
writes what it was called with to a file named after the event; it touches nothing else.
"""

import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdnapp.dhcp.responder import Reason, Refusal
from tests.sdnapp.dhcp.messages import ACK, DISCOVER, MAC, NAK, REQUEST, read, service
from tests.sdnapp.dhcp.served_link import CLIENT_INTERFACE, ServedLink, wait_for_file, wait_until
from topology.values import DhcpOption, FixedIP, Route

pytestmark = pytest.mark.root
needs_udhcpc = pytest.mark.skipif(shutil.which("udhcpc") is None, reason="udhcpc is not installed (apt install udhcpc)")
needs_dhclient = pytest.mark.skipif(
    shutil.which("dhclient") is None, reason="dhclient is not installed (apt install isc-dhcp-client)"
)

ROWS = {
    "subnet": {"host_routes": (Route("10.9.0.0/16", "10.0.0.9"),)},
    "port": {"dns_name": "web", "extra_dhcp_opts": (DhcpOption("bootfile-name", "pxelinux.0"),)},
}
APPLY = """
apply() {{  # address, router of the default route, mtu, then further routes
    ip address flush dev eth0
    ip address add "$1" dev eth0
    ip link set dev eth0 mtu "$3" up
    ip route replace default via "$2"
    ip route replace 10.9.0.0/16 via 10.0.0.9
}}
report() {{
    env > {directory}/writing
    mv {directory}/writing {directory}/$1
}}
"""
UDHCPC_SCRIPT = (
    "#!/bin/sh"
    + APPLY
    + """
case $1 in
deconfig) ip address flush dev eth0; ip link set dev eth0 up ;;
bound|renew) apply $ip/$mask $router $mtu ;;
esac
report $1
"""
)
DHCLIENT_SCRIPT = (
    "#!/bin/sh"
    + APPLY
    + """
case $reason in
PREINIT) ip link set dev eth0 up ;;
BOUND|RENEW|REBIND|REBOOT) apply $new_ip_address/$new_subnet_mask $new_routers $new_interface_mtu ;;
esac
report $reason
"""
)
DHCLIENT_CONF = """
option classless-routes code 121 = array of unsigned integer 8;
request subnet-mask, classless-routes, routers, interface-mtu, domain-name-servers, domain-name, host-name, filename;
initial-interval 1; backoff-cutoff 2; timeout 15; reboot 4; retry 1;
"""


@pytest.fixture
def link():
    with ServedLink(service(**ROWS), MAC).up() as served:
        yield served


def _script(directory: Path, text: str) -> Path:
    path = directory / "script"
    path.write_text(text.format(directory=directory))
    path.chmod(0o755)
    return path


def _ask(link, *arguments: str):
    output = subprocess.run(link.command("ip", "-json", *arguments), check=True, capture_output=True, timeout=30).stdout
    return json.loads(output)


def _assert_set_up(link) -> None:
    """The kernel at the client's end has address, MTU and routes."""
    (interface,) = _ask(link, "address", "show", "dev", CLIENT_INTERFACE)
    addresses = [(a["local"], a["prefixlen"]) for a in interface["addr_info"] if a["family"] == "inet"]
    assert addresses == [("10.0.0.5", 24)]
    assert interface["mtu"] == 1442
    routes = {route["dst"]: route.get("gateway") for route in _ask(link, "route", "show")}
    assert routes == {"default": "10.0.0.1", "10.0.0.0/24": None, "10.9.0.0/16": "10.0.0.9"}


@contextmanager
def _running(command: list[str]):
    """Run a client in the foreground; end it, and only it, afterwards."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def _udhcpc(link, directory: Path, *arguments: str) -> list[str]:
    return link.command(
        *("udhcpc", "-f", "-i", CLIENT_INTERFACE, "-s", _script(directory, UDHCPC_SCRIPT), "-p", directory / "pid"),
        *("-t", "10", "-T", "1", *arguments),
    )


@needs_udhcpc
@pytest.mark.parametrize("flags", [(), ("-B",)], ids=["unicast", "broadcast"])
def test_udhcpc_leases(link, tmp_path, flags):
    subprocess.run(_udhcpc(link, tmp_path, "-n", "-q", *flags), check=True, capture_output=True, timeout=30)
    told = wait_for_file(tmp_path / "bound")
    assert (told["ip"], told["mask"], told["subnet"], told["router"]) == ("10.0.0.5", "24", "255.255.255.0", "10.0.0.1")
    assert (told["serverid"], told["lease"], told["mtu"]) == ("10.0.0.1", "86400", "1442")
    assert (told["dns"], told["domain"], told["hostname"]) == ("192.0.2.53 192.0.2.54", "openstacklocal", "web")
    assert (told["broadcast"], told["boot_file"]) == ("10.0.0.255", "pxelinux.0")
    assert told["staticroutes"].split() == ["10.9.0.0/16", "10.0.0.9", "0.0.0.0/0", "10.0.0.1"]
    _assert_set_up(link)
    assert [message_type for message_type, _ in link.exchanges] == [DISCOVER, REQUEST]
    assert all(read(answer).ethernet.dst == ("ff:ff:ff:ff:ff:ff" if flags else MAC) for _, answer in link.exchanges)


@needs_udhcpc
def test_udhcpc_renews_by_unicast_and_releases(link, tmp_path):
    with _running(_udhcpc(link, tmp_path)):
        wait_for_file(tmp_path / "bound")
        client = int((tmp_path / "pid").read_text())
        before = len(link.exchanges)
        os.kill(client, signal.SIGUSR1)
        wait_for_file(tmp_path / "renew")
        # More than one: udhcpc misses an answer that arrives before it has closed the socket that it asked from.
        renewals = [read(answer) for _, answer in link.exchanges[before:]]
        assert {(renewal.type, renewal.dhcp.ciaddr, renewal.ipv4.dst) for renewal in renewals} == {
            (ACK, "10.0.0.5", "10.0.0.5")
        }
        _assert_set_up(link)
        os.kill(client, signal.SIGUSR2)
        link.wait_for(lambda _, answer: answer == Refusal(Reason.RELEASED, "10.0.0.5"))


@needs_udhcpc
def test_udhcpc_gets_another_of_the_ports_addresses_when_it_asks_for_it(link, tmp_path):
    subprocess.run(_udhcpc(link, tmp_path, "-n", "-q", "-r", "10.2.3.4"), check=True, capture_output=True, timeout=30)
    told = wait_for_file(tmp_path / "bound")
    assert (told["ip"], told["mask"], told["router"]) == ("10.2.3.4", "16", "10.2.0.1")


def _dhclient(link, directory: Path, *arguments: str) -> list[str]:
    configuration = directory / "dhclient.conf"
    configuration.write_text(DHCLIENT_CONF)
    (directory / "pid").unlink(missing_ok=True)  # of an earlier run; dhclient would signal whoever has that id now
    return link.command(
        *("dhclient", "-4", "-d", "-1", "-cf", configuration, "-pf", directory / "pid", "-lf", directory / "leases"),
        *("-sf", _script(directory, DHCLIENT_SCRIPT), *arguments, CLIENT_INTERFACE),
    )


def _wait_until_remembered(directory: Path) -> None:
    """Wait for the lease in dhclient's file; dhclient writes it after the script has run."""
    wait_until(lambda: "fixed-address" in (directory / "leases").read_text(), "a lease in dhclient's file")


@needs_dhclient
def test_dhclient_leases_and_renews_by_itself(link, tmp_path):
    link.service = service(**ROWS, settings={"lease_seconds": 6})
    with _running(_dhclient(link, tmp_path)):
        told = wait_for_file(tmp_path / "BOUND")
        assert (told["new_ip_address"], told["new_subnet_mask"]) == ("10.0.0.5", "255.255.255.0")
        assert (told["new_routers"], told["new_interface_mtu"]) == ("10.0.0.1", "1442")
        assert (told["new_domain_name_servers"], told["new_host_name"]) == ("192.0.2.53 192.0.2.54", "web")
        assert told["new_classless_routes"] == "16 10 9 10 0 0 9 0 10 0 0 1"
        assert told["new_filename"] == "pxelinux.0"
        assert told["new_dhcp_server_identifier"] == "10.0.0.1"
        _assert_set_up(link)
        assert wait_for_file(tmp_path / "RENEW")["new_ip_address"] == "10.0.0.5"
        renewal = read(link.exchanges[-1][1])
        assert (renewal.dhcp.ciaddr, renewal.ipv4.dst) == ("10.0.0.5", "10.0.0.5")


@needs_dhclient
def test_dhclient_that_remembers_an_address_which_is_not_the_ports_is_denied_and_leases_anew(link, tmp_path):
    link.service = service(**{**ROWS, "port": {"fixed_ips": (FixedIP("sub-1", "10.0.0.44"),)}})
    with _running(_dhclient(link, tmp_path)):
        assert wait_for_file(tmp_path / "BOUND")["new_ip_address"] == "10.0.0.44"
        _wait_until_remembered(tmp_path)
    (tmp_path / "BOUND").unlink()
    before = len(link.exchanges)
    link.service = service(**ROWS)
    with _running(_dhclient(link, tmp_path)):
        assert wait_for_file(tmp_path / "BOUND")["new_ip_address"] == "10.0.0.5"
    _assert_set_up(link)
    conversation = link.exchanges[before:]
    assert [message_type for message_type, _ in conversation] == [REQUEST, DISCOVER, REQUEST]
    assert read(conversation[0][1]).type == NAK


@needs_dhclient
def test_dhclient_reboots_with_its_address_and_releases_it(link, tmp_path):
    with _running(_dhclient(link, tmp_path)):
        wait_for_file(tmp_path / "BOUND")
        _wait_until_remembered(tmp_path)
    before = len(link.exchanges)
    with _running(_dhclient(link, tmp_path)):
        assert wait_for_file(tmp_path / "REBOOT")["new_ip_address"] == "10.0.0.5"
        assert [message_type for message_type, _ in link.exchanges[before:]] == [REQUEST]
    subprocess.run(_dhclient(link, tmp_path, "-r"), check=True, capture_output=True, timeout=30)
    link.wait_for(lambda _, answer: answer == Refusal(Reason.RELEASED, "10.0.0.5"))
