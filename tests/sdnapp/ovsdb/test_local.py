"""``sdnapp chassis init``: what it asks ovs-vsctl to do, and what it says when that cannot be."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from sdnapp.ovsdb import local
from sdnapp.ovsdb.local import InitError, init_chassis, source_address


class Vsctl:
    """Stands in for ``subprocess.run``: a database to read, a command to remember."""

    def __init__(self, external_ids: dict[str, str] | None = None, managers: Sequence[tuple[str, bool]] = ()) -> None:
        self.external_ids = external_ids or {}
        self.managers = managers
        self.version = "3.5.0"
        self.failure: str | None = None
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        assert command[0] == "ovs-vsctl" and command[1].startswith("--timeout=")
        if self.failure is not None:
            return subprocess.CompletedProcess(command, 1, "", self.failure)
        if command[-1] == "--version":
            return subprocess.CompletedProcess(
                command, 0, f"ovs-vsctl (Open vSwitch) {self.version}\nDB Schema 8.8.0\n", ""
            )
        rows: list[list[Any]] | None = None
        if command[-1] == "Open_vSwitch":
            rows = [[["map", [list(pair) for pair in self.external_ids.items()]]]]
        elif command[-1] == "Manager":
            marks = {True: [["sdnapp-owned", "true"]], False: []}
            rows = [
                [["uuid", f"u{n}"], target, ["map", marks[owned]]] for n, (target, owned) in enumerate(self.managers)
            ]
        if rows is None:
            self.commands.append(command[2:])
        return subprocess.CompletedProcess(command, 0, json.dumps({"data": rows}), "")

    def settings(self) -> dict[str, str]:
        """What the last command sets."""
        pairs = (word.partition("=") for word in self.commands[-1] if word.startswith("external_ids:"))
        return {key.removeprefix("external_ids:"): json.loads(value) for key, _, value in pairs if value != "true"}


@pytest.fixture(autouse=True)
def _routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "source_address", lambda destination: f"192.0.2.1 towards {destination}")


def test_a_fresh_switch_gets_an_identity_an_address_and_a_manager() -> None:
    vsctl = Vsctl()
    done = init_chassis("198.51.100.9", run=vsctl)
    settings = vsctl.settings()
    assert settings.keys() == {"system-id", "hostname", "sdnapp-encap-ip"}
    assert len(settings["system-id"]) == 36 and settings["hostname"]
    assert settings["sdnapp-encap-ip"] == "192.0.2.1 towards 198.51.100.9"
    [command] = vsctl.commands
    assert command[0] == "--no-wait"
    assert 'target="tcp:198.51.100.9:6640"' in command and "max_backoff=1000" in command
    assert done.manager == "tcp:198.51.100.9:6640" and dict(done.settings) == settings


@pytest.mark.parametrize(("said", "version"), [("3.1.0", (3, 1, 0)), ("3.10.2", (3, 10, 2)), ("unknown", ())])
def test_it_is_known_which_open_vswitch_that_is(said: str, version: tuple[int, ...]) -> None:
    vsctl = Vsctl()
    vsctl.version = said
    assert init_chassis("198.51.100.9", run=vsctl).version == version


def test_what_is_named_is_set() -> None:
    vsctl = Vsctl({"system-id": "old", "hostname": "h", "sdnapp-encap-ip": "192.0.2.1"})
    done = init_chassis(
        "198.51.100.9:7777",
        encap_ip="192.0.2.7",
        encap_type="geneve,vxlan",
        bridge_mappings="physnet1:br-ex",
        gateway=True,
        system_id="hv1",
        run=vsctl,
    )
    assert vsctl.settings() == {
        "system-id": "hv1",
        "sdnapp-encap-ip": "192.0.2.7",
        "sdnapp-encap-type": "geneve,vxlan",
        "sdnapp-bridge-mappings": "physnet1:br-ex",
        "sdnapp-gateway": "true",
    }
    assert dict(done.settings) == {"hostname": "h"} | vsctl.settings()


def test_what_is_not_named_stays() -> None:
    present = {
        "system-id": "hv1",
        "hostname": "h",
        "sdnapp-encap-ip": "192.0.2.1",
        "sdnapp-gateway": "true",
        "other": "x",
    }
    vsctl = Vsctl(present, managers=[("ptcp:6641", False), ("tcp:198.51.100.9:6640", True)])
    done = init_chassis("198.51.100.9", run=vsctl)
    assert vsctl.commands == [], "nothing is left to do"
    assert dict(done.settings) == {key: value for key, value in present.items() if key != "other"}


def test_managers_of_others_stay_and_our_old_one_goes() -> None:
    vsctl = Vsctl(managers=[("ptcp:6641", False), ("tcp:203.0.113.1:6640", True), ("tcp:203.0.113.2:6640", False)])
    init_chassis("198.51.100.9", run=vsctl)
    [command] = vsctl.commands
    text = " ".join(command)
    assert "-- remove Open_vSwitch . manager_options u1 " in text
    assert "u0" not in command and "u2" not in command and "set-manager" not in command


@pytest.mark.parametrize(
    ("controller", "manager"),
    [
        ("localhost", None),
        ("2001:db8::1", "tcp:[2001:db8::1]:6640"),
        ("[2001:db8::1]", "tcp:[2001:db8::1]:6640"),
        ("[2001:db8::1]:7000", "tcp:[2001:db8::1]:7000"),
        (" 192.0.2.9 ", "tcp:192.0.2.9:6640"),
    ],
)
def test_ways_to_name_the_controller(controller: str, manager: str | None) -> None:
    done = init_chassis(controller, run=Vsctl())
    assert done.manager == manager if manager else done.manager in ("tcp:127.0.0.1:6640", "tcp:[::1]:6640")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"controller": ""}, "--controller '' is no HOST or HOST:PORT"),
        ({"controller": "host:port"}, "--controller 'host:port' is no HOST"),
        ({"controller": "192.0.2.9:0"}, "is no HOST or HOST:PORT"),
        ({"controller": "192.0.2.9:65536"}, "is no HOST or HOST:PORT"),
        ({"controller": "[::1"}, "is no HOST or HOST:PORT"),
        ({"controller": "no such host"}, "--controller no such host: no address found"),
        ({"controller": "192.0.2.9", "encap_ip": "192.0.2"}, "--encap-ip '192.0.2' is not an IPv4 address"),
        ({"controller": "192.0.2.9", "encap_type": "gre"}, "--encap-type 'gre' is not geneve or vxlan"),
        ({"controller": "192.0.2.9", "bridge_mappings": "br-ex"}, "'br-ex' is not PHYSICAL_NETWORK:BRIDGE"),
        ({"controller": "192.0.2.9", "bridge_mappings": "a:br-int"}, "--bridge-mappings maps a to the integration"),
        ({"controller": "192.0.2.9", "system_id": "a b"}, "--system-id 'a b' has spaces"),
    ],
)  # fmt: skip
def test_bad_input_is_named_and_changes_nothing(arguments: dict[str, str], message: str) -> None:
    vsctl = Vsctl()
    with pytest.raises(InitError, match=message.replace("(", r"\(")):
        init_chassis(**arguments, run=vsctl)  # type: ignore[arg-type]
    assert vsctl.commands == []


def test_a_bad_setting_from_before_that_is_not_named_is_the_controllers_to_tell() -> None:
    init_chassis("192.0.2.9", run=Vsctl({"sdnapp-gateway": "perhaps"}))


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (
            "ovs-vsctl: unix:/db.sock: database connection failed (No such file or directory)\n",
            "does not run: systemctl",
        ),
        ("ovs-vsctl: unix:/db.sock: database connection failed (Permission denied)", "only root .*: sudo sdnapp"),
        ("ovs-vsctl: constraint violation", "^ovs-vsctl: ovs-vsctl: constraint violation$"),
        ("", "exit status 1"),
    ],
)
def test_what_ovs_vsctl_says_becomes_a_fix(stderr: str, message: str) -> None:
    vsctl = Vsctl()
    vsctl.failure = stderr
    with pytest.raises(InitError, match=message):
        init_chassis("192.0.2.9", run=vsctl)


def test_without_open_vswitch_it_says_what_to_install() -> None:
    def run(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError("ovs-vsctl")

    with pytest.raises(InitError, match="not installed: apt install openvswitch-switch"):
        init_chassis("192.0.2.9", run=run)


def test_a_loopback_address_is_no_tunnel_address() -> None:
    try:
        address = source_address("127.0.0.1")
    except InitError as error:
        assert "--encap-ip ADDRESS" in str(error)
    else:
        assert not address.startswith("127.")
