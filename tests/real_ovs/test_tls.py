"""TLS with real Open vSwitch: who has no certificate gets nowhere, and who has one is nobody but himself."""

import os
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from sdnapp.certificates import issue
from sdnapp.tls import Credentials
from tests.real_ovs.ovs_dummy import OvsDummy, missing, wait_for
from tests.real_ovs.running_controller import ROOT, RunningController

pytestmark = pytest.mark.ovs


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.fixture(scope="module")
def controller(authority: Path) -> Iterator[RunningController]:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with RunningController(tls=issue(authority, "controller", ("127.0.0.1",))) as running:
        yield running


@pytest.fixture
def switch(controller: RunningController) -> Iterator[Callable[..., OvsDummy]]:
    """Make switches that connect by TLS as a chassis, with a certificate, and a datapath id if one is named."""
    with ExitStack() as stack:

        def make(chassis: str, shown: Credentials, datapath_id: str = "") -> OvsDummy:
            ovs = stack.enter_context(OvsDummy())
            ovs.add_bridge("br-int")
            if datapath_id:
                ovs.vsctl("set", "bridge", "br-int", f"other-config:datapath-id={datapath_id}")
            ids = {"system-id": chassis, "sdnapp-encap-ip": "127.0.0.9", "sdnapp-datapath-type": "dummy"}
            ovs.vsctl("set", "Open_vSwitch", ".", *(f"external_ids:{key}={value}" for key, value in ids.items()))
            ovs.vsctl("set-ssl", str(shown.key), str(shown.cert), str(shown.ca))
            ovs.vsctl("set-manager", f"ssl:127.0.0.1:{controller.ovsdb_port}")
            return ovs

        yield make


def in_sync(controller: RunningController, chassis: str) -> bool:
    try:
        return bool(controller.chassis(chassis)["state"] == "in sync")
    except RuntimeError:
        return False


def test_a_chassis_with_its_own_certificate_is_served(
    controller: RunningController, switch: Callable[..., OvsDummy], authority: Path
) -> None:
    ovs = switch("hv1", issue(authority, "hv1"))
    wait_for(lambda: in_sync(controller, "hv1"), "hv1 is in sync")
    network = controller.create("network", name="n")
    controller.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    port = controller.create("port", network_id=network["id"])
    ovs.add_port("br-int", "tap1", iface_id=port["id"])
    controller.wait_status(port["id"])
    target = ovs.vsctl("get-controller", "br-int").strip()
    assert target == f"ssl:127.0.0.1:{controller.openflow_port}"


def test_a_certificate_of_strangers_opens_nothing(
    controller: RunningController, switch: Callable[..., OvsDummy], authority: Path, tmp_path: Path
) -> None:
    forged = issue(tmp_path, "hv2")
    switch("hv2", Credentials(forged.cert, forged.key, authority / "ca.pem"))
    wait_for(lambda: "refused: [SSL: CERTIFICATE_VERIFY_FAILED]" in controller.log, "the forged certificate is refused")
    assert not in_sync(controller, "hv2")


def test_nobody_takes_the_id_of_another(
    controller: RunningController, switch: Callable[..., OvsDummy], authority: Path
) -> None:
    switch("hv3", issue(authority, "hv4"))
    wait_for(lambda: "its certificate is that of hv4, but its system-id is hv3" in controller.log, "it is refused")
    with pytest.raises(RuntimeError, match="No chassis has the id hv3"):
        controller.chassis("hv3")


def test_nobody_takes_the_datapath_of_another(
    controller: RunningController, switch: Callable[..., OvsDummy], authority: Path
) -> None:
    datapath_id = "00000000000000aa"
    owner = switch("hv5", issue(authority, "hv5"), datapath_id)
    wait_for(lambda: in_sync(controller, "hv5"), "hv5 is in sync")
    owner.pause_switch()
    # While the owner is silent, its place is taken by whoever comes: but gets no flows.
    rival = switch("hv6", issue(authority, "hv6"), datapath_id)
    wait_for(
        lambda: (
            "chassis hv6 reports the datapath of chassis hv5, 00000000000000aa, and is not served" in controller.log
        ),
        "the report is refused",
    )
    wait_for(lambda: "but the datapath is that of hv5" in controller.log, "the session is refused")
    owner.resume_switch()
    wait_for(lambda: in_sync(controller, "hv5"), "hv5 is in sync again")
    assert not in_sync(controller, "hv6")
    assert rival.dump_flows("br-int") == []


def test_without_tls_nothing_answers(controller: RunningController) -> None:
    for port in (controller.ovsdb_port, controller.openflow_port):
        with socket.create_connection(("127.0.0.1", port), timeout=15) as plain:
            plain.sendall(b"{}" * 8)
            with suppress(ConnectionResetError):
                assert not plain.recv(1000).startswith((b"{", b"\x04"))
        anonymous = ssl.create_default_context()
        anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
        with (
            pytest.raises(OSError, match=r"certificate required|reset|EOF"),
            socket.create_connection(("127.0.0.1", port), timeout=15) as sock,
            anonymous.wrap_socket(sock) as secure,
        ):
            # TLS 1.3 tells a client that it lacks a certificate when it first reads.
            if not secure.recv(1000):
                raise ConnectionResetError("reset")


def test_the_api_wants_certificates_of_clients_if_told_so(authority: Path, tmp_path: Path) -> None:
    shown, stranger = issue(authority, "ops"), issue(tmp_path, "ops")
    tls = issue(authority, "controller", ("127.0.0.1",))
    with RunningController("--sdnapp-api-client-certificates", tls=tls, client=shown) as controller:
        assert controller.call("GET", "/healthz") == {"status": "ok"}
        for certificate in (None, stranger):
            context = ssl.create_default_context(cafile=str(tls.ca))
            if certificate is not None:
                context.load_cert_chain(certificate.cert, certificate.key)
            with pytest.raises(OSError, match=r"certificate required|unknown ca|reset|EOF|without response"):
                urllib.request.urlopen(f"{controller.url}/healthz", context=context, timeout=15)


def test_commands_check_the_controllers_certificate(controller: RunningController, authority: Path) -> None:
    def status(**environment: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", "import sys; from sdnapp.commands.main import main; sys.exit(main())"]
        return subprocess.run(
            [*command, "--url", controller.url, "status"],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert status(OS_CACERT=str(authority / "ca.pem")).returncode == 0
    assert "export OS_CACERT=FILE" in status().stderr
