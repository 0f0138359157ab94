"""Real Open vSwitch databases: learned from, set up, changed under way, restarted."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdnapp.ovsdb.local import init_chassis
from tests.real_ovs.ovs_dummy import OvsDummy, missing, wait_for
from tests.sdnapp.ovsdb.watcher import Watcher
from topology.placement import Plugged

pytestmark = pytest.mark.ovs

PORT_1 = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    watcher.server.start()
    yield watcher
    watcher.server.stop()


def configure(ovs: OvsDummy, **settings: str) -> None:
    ovs.vsctl(
        "--no-wait",
        *("set", "Open_vSwitch", "."),
        *(f'external_ids:{key.replace("_", "-")}="{value}"' for key, value in settings.items()),
    )


def connect(ovs: OvsDummy, watcher: Watcher, **settings: str) -> None:
    configure(ovs, **{"system_id": "hv1"} | settings)
    ovs.set_manager(("127.0.0.1", watcher.server.port))


def ready(watcher: Watcher, tunnels: set[str] = frozenset(), patches: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    def done() -> bool:
        chassis = watcher.chassis.get("hv1")
        return (
            chassis is not None
            and chassis.datapath_id != ""
            and dict(chassis.tunnel_ports).keys() == tunnels
            and dict(chassis.patch_ports).keys() == patches
        )

    wait_for(done, f"hv1 is up with tunnels {tunnels} and patches {patches}")


def problems(watcher: Watcher) -> list[str]:
    [status] = watcher.server.status()
    found: list[str] = status["problems"]
    return found


def next_cfg(ovs: OvsDummy) -> str:
    return ovs.vsctl("get", "Open_vSwitch", ".", "next_cfg")


def transactions_of_ours(ovs: OvsDummy) -> list[str]:
    """What the controller has written so far, by the comments that it leaves in the database's log."""
    done = subprocess.run(["ovsdb-tool", "show-log", ovs.database], env=ovs.environment, capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "sdnapp: " in line]


def test_an_empty_switch_is_set_up(ovs: OvsDummy, watcher: Watcher) -> None:
    ovs.vsctl("add-br", "br-ex")
    connect(
        ovs,
        watcher,
        sdnapp_encap_ip="192.0.2.1",
        sdnapp_encap_type="geneve,vxlan",
        sdnapp_bridge_mappings="physnet1:br-ex",
        sdnapp_gateway="true",
    )
    ready(watcher, {"geneve", "vxlan"}, {"physnet1"})
    chassis = watcher.chassis["hv1"]
    assert chassis.gateway and chassis.encap_ip == "192.0.2.1"
    assert f'"{chassis.datapath_id}"' == ovs.vsctl("get", "Bridge", "br-int", "datapath_id")
    assert dict(chassis.tunnel_ports) == {name: ovs.ofport(f"sdn-{name}") for name in ("geneve", "vxlan")}
    assert dict(chassis.patch_ports) == {"physnet1": ovs.ofport("sdn-physnet1-int")}
    assert ovs.vsctl("get-fail-mode", "br-int") == "secure"
    assert ovs.vsctl("get-controller", "br-int") == "tcp:127.0.0.1:6653"
    assert ovs.vsctl("get", "Bridge", "br-int", "protocols") == "[OpenFlow13]"
    assert ovs.vsctl("get", "Interface", "sdn-geneve", "options") == '{key=flow, local_ip="192.0.2.1", remote_ip=flow}'
    assert ovs.vsctl("get", "Manager", ".", "max_backoff") == "1000"
    assert ovs.vsctl("get", "Manager", ".", "connection_mode") == "[]", "a gateway chassis stays in-band"
    assert ovs.vsctl("--columns=error", "--format=csv", "--no-headings", "list", "Interface").split() == ["[]"] * 6
    assert problems(watcher) == []
    # A patch port carries frames: the bridges are joined.
    assert 'bridge("br-int")' in ovs.trace("br-ex", "in_port=LOCAL,dl_src=aa:55:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff")
    assert watcher.kinds("hv1") == ["connected"], "not even the manager's own row made the switch reconnect"


def test_nothing_is_written_when_all_is_in_place(ovs: OvsDummy, watcher: Watcher) -> None:
    ovs.vsctl("add-br", "br-ex")
    connect(ovs, watcher, sdnapp_encap_ip="192.0.2.1", sdnapp_bridge_mappings="physnet1:br-ex", sdnapp_gateway="true")
    ready(watcher, {"geneve"}, {"physnet1"})
    before = transactions_of_ours(ovs)
    assert before
    events = len(watcher.events)
    ovs.kill_server()
    wait_for(lambda: watcher.kinds("hv1") == ["connected", "lost"], "it is gone")
    ovs.start_server()
    wait_for(lambda: len(watcher.events) >= events + 3, "it is back and observed")
    # Whatever the controller had to write, it would have written before it saw this.
    configure(ovs, hostname="hypervisor1")
    wait_for(lambda: watcher.chassis["hv1"].hostname == "hypervisor1", "the change is seen")
    assert transactions_of_ours(ovs) == before


def test_only_a_gateway_is_reached_in_band(ovs: OvsDummy, watcher: Watcher) -> None:
    def mode() -> str:
        return ovs.vsctl("get", "Manager", ".", "connection_mode")

    connect(ovs, watcher, sdnapp_encap_ip="192.0.2.1")
    wait_for(lambda: mode() == "out-of-band", "it is out-of-band")
    configure(ovs, sdnapp_gateway="true")
    wait_for(lambda: mode() == "[]", "a gateway is not")


def test_plug_unplug_and_replug_with_another_number(ovs: OvsDummy, watcher: Watcher) -> None:
    connect(ovs, watcher)
    ready(watcher)
    assert watcher.plugged["hv1"] == {}
    number = ovs.add_port("br-int", "tap1", iface_id=PORT_1)
    wait_for(lambda: watcher.plugged["hv1"] == {PORT_1: Plugged(number, "tap1")}, "it is plugged")
    ovs.del_port("tap1")
    wait_for(lambda: watcher.plugged["hv1"] == {}, "it is unplugged")
    assert ovs.add_port("br-int", "tap1", iface_id=PORT_1, ofport=77) == 77
    wait_for(lambda: watcher.plugged["hv1"] == {PORT_1: Plugged(77, "tap1")}, "it is plugged again")
    ovs.vsctl("set", "Interface", "tap1", "ofport_request=78")
    wait_for(lambda: watcher.plugged["hv1"] == {PORT_1: Plugged(78, "tap1")}, "the new number is told")
    ovs.vsctl("set", "Interface", "tap1", "external_ids:iface-id=other")
    wait_for(lambda: watcher.plugged["hv1"] == {"other": Plugged(78, "tap1")}, "it is another port now")
    ovs.vsctl("remove", "Interface", "tap1", "external_ids", "iface-id")
    wait_for(lambda: watcher.plugged["hv1"] == {}, "it is nobody's")


def test_many_plugged_at_once_are_told_together(ovs: OvsDummy, watcher: Watcher) -> None:
    connect(ovs, watcher)
    ready(watcher)
    before = len(watcher.events)
    commands: list[str] = []
    for number in range(200):
        name = f"tap{number}"
        commands += ["--", "add-port", "br-int", name, "--", "set", "Interface", name, "type=dummy"]
        commands += [f"external_ids:iface-id=port-{number}"]
    ovs.vsctl(*commands[1:])
    wait_for(lambda: len(watcher.plugged["hv1"]) == 200, "all are plugged")
    assert len(watcher.events) - before <= 4


def test_an_interface_that_cannot_be_opened_is_told(ovs: OvsDummy, watcher: Watcher) -> None:
    connect(ovs, watcher)
    ready(watcher)
    ovs.vsctl("--no-wait", "add-port", "br-int", "tap1", "--", "set", "Interface", "tap1", "type=nonsense",
              f"external_ids:iface-id={PORT_1}")  # fmt: skip
    wait_for(lambda: problems(watcher), "the problem is told")
    assert "tap1" in problems(watcher)[0] and PORT_1 in problems(watcher)[0]
    assert watcher.plugged["hv1"] == {}
    ovs.vsctl("set", "Interface", "tap1", "type=dummy")
    wait_for(lambda: PORT_1 in watcher.plugged["hv1"] and not problems(watcher), "it is solved")


def test_settings_change_under_way(ovs: OvsDummy, watcher: Watcher) -> None:
    connect(ovs, watcher, sdnapp_encap_ip="192.0.2.1", sdnapp_bridge_mappings="physnet1:br-ex")
    ready(watcher, {"geneve"})
    wait_for(lambda: problems(watcher), "the missing bridge is told")
    assert "bridge br-ex of physical network physnet1 does not exist" in problems(watcher)[0]
    ovs.vsctl("add-br", "br-ex")
    ready(watcher, {"geneve"}, {"physnet1"})
    wait_for(lambda: problems(watcher) == [], "the problem is solved")
    configure(ovs, sdnapp_encap_ip="192.0.2.9", sdnapp_encap_type="vxlan")
    ready(watcher, {"vxlan"}, {"physnet1"})
    assert watcher.chassis["hv1"].encap_ip == "192.0.2.9"
    assert '"192.0.2.9"' in ovs.vsctl("get", "Interface", "sdn-vxlan", "options")
    configure(ovs, sdnapp_encap_ip="192.0.2", sdnapp_bridge_mappings="")
    ready(watcher)
    wait_for(lambda: ovs.vsctl("list-ports", "br-int") + ovs.vsctl("list-ports", "br-ex") == "", "our ports are gone")
    assert "external_ids:sdnapp-encap-ip" in problems(watcher)[0]


def test_what_an_operator_breaks_is_put_right(ovs: OvsDummy, watcher: Watcher) -> None:
    connect(ovs, watcher, sdnapp_encap_ip="192.0.2.1")
    ready(watcher, {"geneve"})
    ovs.vsctl("set-controller", "br-int", "tcp:198.51.100.1:6653")
    wait_for(lambda: ovs.vsctl("get-controller", "br-int") == "tcp:127.0.0.1:6653", "the controller is back")
    ovs.vsctl("del-port", "sdn-geneve")
    wait_for(lambda: ovs.vsctl("list-ports", "br-int") == "sdn-geneve", "the tunnel port is back")
    ready(watcher, {"geneve"})
    ovs.vsctl("del-br", "br-int")
    wait_for(
        lambda: ovs.vsctl("list-ports", "br-int") == "sdn-geneve" if bridge_is_there(ovs) else False, "all is back"
    )
    ready(watcher, {"geneve"})


def bridge_is_there(ovs: OvsDummy) -> bool:
    return "br-int" in ovs.vsctl("list-br").split()


def test_a_users_bridge_with_ports_is_taken_over(ovs: OvsDummy, watcher: Watcher) -> None:
    ovs.add_bridge("br-int", datapath_id=0xAB)
    number = ovs.add_port("br-int", "tap1", iface_id=PORT_1)
    connect(ovs, watcher, sdnapp_encap_ip="192.0.2.1")
    ready(watcher, {"geneve"})
    assert watcher.chassis["hv1"].datapath_id == "00000000000000ab"
    assert watcher.plugged["hv1"] == {PORT_1: Plugged(number, "tap1")}
    assert ovs.vsctl("get", "Bridge", "br-int", "datapath_type") == "dummy"
    assert ovs.vsctl("get", "Bridge", "br-int", "external_ids") == "{}"


def test_the_database_restarts(ovs: OvsDummy, watcher: Watcher) -> None:
    connect(ovs, watcher, sdnapp_encap_ip="192.0.2.1")
    ready(watcher, {"geneve"})
    number = ovs.add_port("br-int", "tap1", iface_id=PORT_1)
    wait_for(lambda: watcher.plugged["hv1"] == {PORT_1: Plugged(number, "tap1")}, "it is plugged")
    before = watcher.chassis["hv1"]
    ovs.kill_server()
    wait_for(lambda: watcher.kinds("hv1") == ["connected", "lost"], "the loss is told")
    ovs.start_server()
    wait_for(lambda: watcher.kinds("hv1")[2:] == ["connected"], "it is back")
    wait_for(lambda: watcher.chassis["hv1"] == before, "the chassis is as it was")
    assert watcher.plugged["hv1"] == {PORT_1: Plugged(number, "tap1")}
    wait_for(lambda: problems(watcher) == [], "the switch has come back to its database")


def test_the_switch_restarts(ovs: OvsDummy, watcher: Watcher) -> None:
    connect(ovs, watcher, sdnapp_encap_ip="192.0.2.1")
    ready(watcher, {"geneve"})
    number = ovs.add_port("br-int", "tap1", iface_id=PORT_1)
    wait_for(lambda: watcher.plugged["hv1"] == {PORT_1: Plugged(number, "tap1")}, "it is plugged")
    ovs.restart_switch()
    assert ovs.ofport("tap1") == number
    configure(ovs, sdnapp_gateway="true")
    wait_for(lambda: watcher.chassis["hv1"].gateway, "the database is still connected")
    assert watcher.plugged["hv1"] == {PORT_1: Plugged(number, "tap1")}
    assert watcher.kinds("hv1") == ["connected"]


def test_the_controller_restarts_and_the_switch_is_back_within_seconds(ovs: OvsDummy, watcher: Watcher) -> None:
    connect(ovs, watcher)
    ready(watcher)
    port = watcher.server.port
    watcher.server.stop()
    assert watcher.kinds("hv1") == ["connected", "lost"]
    with socket.create_server(("127.0.0.1", port)) as closed:
        closed.settimeout(20)
        for _ in range(3):
            # Each failure lets the switch wait longer: 1, 2, 4 and 8 s by default.
            closed.accept()[0].close()
    again = Watcher(port=port)
    begin = time.monotonic()
    again.server.start()
    try:
        ready(again)
        assert time.monotonic() - begin < 2.5
    finally:
        again.server.stop()


class KernelLess(OvsDummy):
    """As on a machine without the kernel module: ``system`` does not work, and only ``netdev`` and ``dummy`` do."""

    def start_switch(self) -> None:
        # As root the bridge in user space makes a tap: in a network namespace of its own.
        alone = ["unshare", "--net"] if os.geteuid() == 0 else []
        self._switch = self._spawn(
            *alone,
            "ovs-vswitchd",
            f"unix:{self.directory}/db.sock",
            "--enable-dummy",
            "--disable-system",
            "--disable-system-route",
            f"--unixctl={self.directory}/switch.ctl",
            f"--log-file={self.directory}/switch.log",
        )
        wait_for(lambda: self._answers("switch.ctl"), "ovs-vswitchd answers")


@pytest.fixture
def kernel_less() -> Iterator[KernelLess]:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with KernelLess() as ovs:
        yield ovs


def test_without_kernel_datapath_the_bridge_goes_to_user_space(
    kernel_less: KernelLess, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    connect(kernel_less, watcher)
    wait_for(lambda: "datapath_type netdev" in caplog.text, "the change is logged")
    assert "chassis hv1: bridge br-int: datapath_type netdev, as the switch offers no kernel datapath" in caplog.text
    wait_for(lambda: kernel_less.vsctl("get", "Bridge", "br-int", "datapath_type") == "netdev", "the type is changed")
    if os.geteuid() == 0:
        ready(watcher)
        assert problems(watcher) == []
    else:
        # Without root there is no tap, and so no such bridge either.
        wait_for(lambda: problems(watcher), "it is told")
        assert "bridge br-int (datapath_type netdev) is not up" in problems(watcher)[0]
    assert caplog.text.count("datapath_type netdev, as") == 1


def test_the_type_that_is_asked_for_is_used(kernel_less: KernelLess, watcher: Watcher) -> None:
    connect(kernel_less, watcher, sdnapp_datapath_type="dummy")
    ready(watcher)
    assert kernel_less.vsctl("get", "Bridge", "br-int", "datapath_type") == "dummy"


def test_init_makes_a_chassis(ovs: OvsDummy, watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ovs.environment.items():
        monkeypatch.setenv(name, value)
    ovs.vsctl("set-manager", f"punix:{ovs.directory}/other.sock")
    ovs.vsctl("add-br", "br-ex")
    controller = f"127.0.0.1:{watcher.server.port}"
    done = init_chassis(
        controller, encap_ip="192.0.2.1", bridge_mappings="physnet1:br-ex", gateway=True, system_id="hv1"
    )
    ready(watcher, {"geneve"}, {"physnet1"})
    assert watcher.chassis["hv1"].hostname == socket.gethostname()
    assert dict(done.settings)["sdnapp-bridge-mappings"] == "physnet1:br-ex"
    managers = ovs.vsctl("get-manager")
    cfg = next_cfg(ovs)
    again = init_chassis(controller)
    assert again == done
    assert (ovs.vsctl("get-manager"), next_cfg(ovs)) == (managers, cfg)
    assert managers.splitlines() == [f"punix:{ovs.directory}/other.sock", f"tcp:{controller}"]
    init_chassis("127.0.0.1:1", gateway=False)
    assert ovs.vsctl("get-manager").splitlines() == [f"punix:{ovs.directory}/other.sock", "tcp:127.0.0.1:1"]
    wait_for(lambda: watcher.kinds("hv1") == ["connected", "lost"], "it has left for the other controller")


def test_thirty_databases_connect_at_once(watcher: Watcher, tmp_path_factory: pytest.TempPathFactory) -> None:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    # Short, as the path of a unix socket has 107 characters at most.
    directory = tmp_path_factory.mktemp("o")
    servers = [database_server(directory, number, watcher.server.port) for number in range(30)]
    try:
        wait_for(lambda: len(watcher.chassis) == 30, "all are learned")
        wait_for(lambda: all(made(directory, number) for number in range(30)), "all have their bridge")
        assert {status["chassis"] for status in watcher.server.status()} == {f"hv{n}" for n in range(30)}
        for server in servers[:10]:
            server.kill()
        wait_for(lambda: len(watcher.server.status()) == 20, "ten are gone")
        assert all(watcher.kinds(f"hv{n}") == ["connected", "lost"] for n in range(10))
        assert all(watcher.kinds(f"hv{n}") == ["connected"] for n in range(10, 30))
    finally:
        for server in servers:
            server.kill()
            server.wait(10)


def database_server(directory: Path, number: int, port: int) -> "subprocess.Popen[bytes]":
    """A database without a switch, whose only manager is the one given."""
    database = directory / f"{number}.db"
    subprocess.run(["ovsdb-tool", "create", database], env=OvsDummy().environment, check=True)
    transaction = f"""["Open_vSwitch", {{"op": "insert", "table": "Manager", "uuid-name": "m",
        "row": {{"target": "tcp:127.0.0.1:{port}"}}}}, {{"op": "insert", "table": "Open_vSwitch", "row":
        {{"manager_options": ["named-uuid", "m"], "external_ids": ["map", [["system-id", "hv{number}"]]]}}}}]"""
    subprocess.run(
        ["ovsdb-tool", "transact", database, transaction],
        env=OvsDummy().environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return subprocess.Popen(
        ["ovsdb-server", database, "--remote=db:Open_vSwitch,Open_vSwitch,manager_options", "--unixctl=none"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=directory,
        env=OvsDummy().environment,
    )


def made(directory: Path, number: int) -> bool:
    query = '["Open_vSwitch", {"op": "select", "table": "Bridge", "where": [], "columns": ["name", "fail_mode"]}]'
    command = ["ovsdb-tool", "query", str(directory / f"{number}.db"), query]
    done = subprocess.run(command, env=OvsDummy().environment, capture_output=True, text=True, check=True)
    return '"name":"br-int"' in done.stdout and '"fail_mode":"secure"' in done.stdout
