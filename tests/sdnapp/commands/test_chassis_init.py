import json

import pytest

from sdnapp.certificates import issue
from sdnapp.ovsdb import local
from sdnapp.ovsdb.local import InitError, Initialized

DONE = Initialized("tcp:192.0.2.1:6640", (("system-id", "hv1"), ("sdnapp-encap-ip", "192.0.2.11")), (3, 5, 0))


@pytest.fixture
def calls(monkeypatch):
    seen = []

    def init_chassis(controller, **options):
        seen.append((controller, options))
        return DONE

    monkeypatch.setattr(local, "init_chassis", init_chassis)
    return seen


def test_what_is_not_named_is_left_alone(sdnapp, calls):
    status, out, _ = sdnapp("chassis", "init", "--controller", "192.0.2.1")
    names = ("encap_ip", "encap_type", "bridge_mappings", "gateway", "system_id", "tls")
    assert status == 0 and calls == [("192.0.2.1", dict.fromkeys(names))]
    assert out.startswith("hv1 is now a chassis of the controller at tcp:192.0.2.1:6640:\n")
    assert "  sdnapp-encap-ip  192.0.2.11\n" in out


def test_all_that_can_be_named(sdnapp, calls):
    status, out, _ = sdnapp(
        *("chassis", "init", "--json", "--controller", "c:6641", "--encap-ip", "192.0.2.11", "--encap-type", "vxlan"),
        *("--bridge-mappings", "physnet1:br-ex", "--gateway", "--system-id", "hv1"),
    )
    assert status == 0
    assert calls == [
        (
            "c:6641",
            {
                "encap_ip": "192.0.2.11",
                "encap_type": "vxlan",
                "bridge_mappings": "physnet1:br-ex",
                "gateway": True,
                "system_id": "hv1",
                "tls": None,
            },
        )
    ]
    assert json.loads(out) == {"manager": DONE.manager, "settings": dict(DONE.settings)}


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ((3, 1, 0), "is older than 3.3. So"),
        ((3, 3, 9), "is older than 3.5, and may forward in user space. So"),
        ((3, 5, 0), None),
    ],
)
def test_an_old_switch_has_to_be_told_on_the_spot(sdnapp, monkeypatch, version, told):
    done = Initialized(DONE.manager, (("system-id", "hv1"),), version)
    monkeypatch.setattr(local, "init_chassis", lambda controller, **options: done)
    status, _, err = sdnapp("chassis", "init", "--controller", "192.0.2.1")
    assert status == 0 and ("run this after each of its starts: sdnapp chassis limit-connections" in err) == bool(told)
    assert told is None or told in err


def test_a_tunnel_address_that_is_not_this_machines_is_told(sdnapp, calls, monkeypatch):
    status, _, err = sdnapp("chassis", "init", "--controller", "192.0.2.1")
    assert (status, err) == (
        0,
        "sdnapp: note: no interface of this machine has 192.0.2.11 now; tunnels carry nothing until one has. "
        "If it is wrong: sdnapp chassis init --controller 192.0.2.1 --encap-ip ADDRESS\n",
    )
    own = (("system-id", "hv1"), ("sdnapp-encap-ip", "127.0.0.1"))
    monkeypatch.setattr(local, "init_chassis", lambda *_, **__: Initialized("tcp:192.0.2.1:6640", own, (3, 5, 0)))
    assert sdnapp("chassis", "init", "--controller", "192.0.2.1")[2] == ""


def test_a_gateway_can_be_taken_back(sdnapp, calls):
    sdnapp("chassis", "init", "--controller", "c", "--no-gateway")
    assert calls[0][1]["gateway"] is False


def test_what_went_wrong_is_one_line(sdnapp, monkeypatch):
    def fail(controller, **options):
        raise InitError("Open vSwitch is not installed: apt install openvswitch-switch")

    monkeypatch.setattr(local, "init_chassis", fail)
    assert sdnapp("chassis", "init", "--controller", "c") == (
        1,
        "",
        "sdnapp: Open vSwitch is not installed: apt install openvswitch-switch\n",
    )


def test_the_controller_must_be_named(sdnapp):
    assert sdnapp("chassis", "init")[0] == 2


def test_tls_needs_three_files(sdnapp, calls, tmp_path):
    made = issue(tmp_path, "hv1")
    files = [f"--tls-{name}={getattr(made, name)}" for name in ("cert", "key", "ca")]
    assert sdnapp("chassis", "init", "--controller", "c", *files)[0] == 0
    assert calls[0][1]["tls"] == made
    status, _, said = sdnapp("chassis", "init", "--controller", "c", *files[:2])
    assert status == 1 and "--tls-cert, --tls-key and --tls-ca belong together" in said
    status, _, said = sdnapp("chassis", "init", "--controller", "c", *files[:2], f"--tls-ca={tmp_path}/none")
    assert status == 1 and "none cannot be read" in said
    assert len(calls) == 1
