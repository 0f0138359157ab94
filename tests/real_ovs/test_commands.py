"""The ``sdnapp`` command against a running controller with a real Open vSwitch as its chassis."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdnapp.commands.main import main
from tests.real_ovs.ovs_dummy import OvsDummy, missing, wait_for
from tests.real_ovs.running_controller import RunningController

pytestmark = pytest.mark.ovs

Result = tuple[int, str, str]


@pytest.fixture
def sdnapp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[Callable[..., Result], RunningController, OvsDummy]]:
    """The command on a chassis, its controller, and its Open vSwitch, which has a bridge and no settings yet."""
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with RunningController() as controller, OvsDummy() as ovs:
        ovs.add_bridge("br-int")
        ovs.vsctl("set", "Open_vSwitch", ".", "external_ids:sdnapp-datapath-type=dummy")
        for name, value in ovs.environment.items():
            monkeypatch.setenv(name, value)
        # This Open vSwitch has no pid file, by which ovs-appctl would find it.
        wrapper = tmp_path / "ovs-appctl"
        wrapper.write_text(
            f'#!/bin/sh\nPATH="{ovs.environment["PATH"]}"\nexec ovs-appctl -t {ovs.directory}/switch.ctl "$@"\n'
        )
        wrapper.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{ovs.environment['PATH']}")
        monkeypatch.setenv("SDNAPP_URL", f"http://127.0.0.1:{controller.api_port}")

        def run(*arguments: str) -> Result:
            status = main(arguments)
            return status, *capsys.readouterr()

        yield run, controller, ovs
        assert ovs.died() is None, ovs.died()
    assert "Traceback" not in controller_log(controller)


def controller_log(controller: RunningController) -> str:
    try:
        return controller.log
    except OSError:
        return ""


def test_from_init_to_a_live_trace(sdnapp: tuple[Callable[..., Result], RunningController, OvsDummy]) -> None:
    run, controller, ovs = sdnapp
    status, out, err = run(
        *("chassis", "init", "--controller", f"127.0.0.1:{controller.ovsdb_port}", "--encap-ip", "192.0.2.11"),
        *("--system-id", "hv1"),
    )
    assert status == 0 and out.startswith("hv1 is now a chassis of the controller at tcp:127.0.0.1:")
    assert err.startswith("sdnapp: note: no interface of this machine has 192.0.2.11 now;")
    assert all(line.startswith("sdnapp: note: ") for line in err.splitlines()), err
    wait_for(lambda: "hv1 " in run("chassis", "list")[1], "hv1 is listed")
    wait_for(lambda: json.loads(run("status", "--json")[1])["chassis"][0]["state"] == "in sync", "hv1 is in sync")

    network = controller.create("network", name="red")
    controller.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    one, two = (controller.create("port", network_id=network["id"], name=name) for name in ("one", "two"))
    status, out, _ = run("status")
    assert status == 0 and "0 of 2 ports active" in out and f"iface-id={one['id']}" in out
    for number, port in enumerate((one, two), 5):
        ovs.add_port("br-int", f"p{number}", iface_id=port["id"], ofport=number)
        controller.wait_status(port["id"])
    assert run("wait", "--timeout", "20")[0] == 0
    assert run("status")[1].startswith(
        f"Revision {json.loads(run('wait', '--json')[1])['revision']}: 1 networks, 2 of 2"
    )

    status, out, _ = run("chassis", "show", "hv1")
    assert status == 0 and f"port                {one['id']}\n" in out and "alive               yes\n" in out
    status, out, _ = run("flows", "hv1", "--owner", one["id"], "--table", "classification")
    assert status == 0 and "in_port=5" in out and f"port/{one['id']}" in out and "in_port=6" not in out

    address = two["fixed_ips"][0]["ip_address"]
    tcp, udp = ("--tcp", "80"), ("--udp", "53")
    for to, *sent in ((address,), (address, *tcp), (address, *udp), ("10.0.0.99",), ("10.0.0.1",), ("10.0.0.1", *tcp)):
        status, out, err = run("trace", "--port", "one", "--to", to, *sent, "--live")
        assert (status, err) == (0, ""), out
        assert "Open vSwitch agrees." in out

    # Somebody meddles with the switch: a flow of ours goes, another comes.
    ovs.ofctl("add-flow", "br-int", "table=45,priority=65535,cookie=0x7,actions=drop")
    status, out, _ = run("trace", "--port", one["id"], "--to", address, "--live")
    assert status == 1
    assert re.search(r"Open vSwitch disagrees at step \d+:\n  expected      forwarding", out)
    assert "  Open vSwitch  forwarding  a flow that is not ours  0x0000000000000007\n" in out
    ovs.ofctl("del-flows", "br-int")
    status, out, _ = run("trace", "--port", one["id"], "--to", address, "--live")
    assert status == 1 and "  Open vSwitch  classification  no match  -\n" in out


def test_live_traces_by_way_of_a_gateway(sdnapp: tuple[Callable[..., Result], RunningController, OvsDummy]) -> None:
    """Of what is translated, too, and where sizes are checked: both are as Open vSwitch's trace takes them to be."""
    run, controller, ovs = sdnapp
    ovs.add_bridge("br-ex")
    status, _, err = run(
        *("chassis", "init", "--controller", f"127.0.0.1:{controller.ovsdb_port}", "--encap-ip", "192.0.2.11"),
        *("--system-id", "hv1", "--bridge-mappings", "physnet1:br-ex", "--gateway"),
    )
    assert status == 0, err
    wait_for(lambda: "hv1 " in run("chassis", "list")[1], "hv1 is listed")
    segment = {"provider:physical_network": "physnet1", "provider:network_type": "vlan", "provider:segmentation_id": 7}
    world = controller.create("network", name="world", **{"router:external": True, **segment})
    controller.create(
        *("subnet",), network_id=world["id"], cidr="203.0.113.0/24", ip_version=4, gateway_ip="203.0.113.1"
    )
    red = controller.create("network", name="red")
    subnet = controller.create("subnet", network_id=red["id"], cidr="10.0.0.0/24", ip_version=4)
    ports = [controller.create("port", network_id=red["id"], name=name) for name in ("one", "two")]
    router = controller.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
    controller.call("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    own = router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
    floating = controller.create("floatingip", floating_network_id=world["id"], port_id=ports[0]["id"])
    for number, port in enumerate(ports, 5):
        ovs.add_port("br-int", f"p{number}", iface_id=port["id"], ofport=number)
        controller.wait_status(port["id"])
    assert run("wait", "--timeout", "20")[0] == 0
    address = floating["floating_ip_address"]
    for begins, to, *sent in (
        (("--from-outside", "world"), address),
        (("--from-outside", "world"), address, "--tcp", "80"),
        (("--from-outside", "world"), own),
        (("--from-outside", "world"), own, "--tcp", "80"),
        (("--from-outside", "world", "--source", "198.51.100.9"), own, "--udp", "40000"),
        (("--from-outside", "world"), "10.0.0.7"),
        (("--port", "two"), "198.51.100.9"),
        (("--port", "two"), address),
        (("--port", "one"), "198.51.100.9", "--udp", "53"),
    ):
        status, out, err = run("trace", *begins, "--to", to, *sent, "--live")
        assert (status, err) == (0, ""), out
        assert "Open vSwitch agrees." in out
