"""Chassis, status, flows and wait: what is asked of the controller, and what people see of the answer."""

import json

import pytest

HV1 = {
    "id": "hv1",
    "hostname": "one.example.org",
    "datapath_id": "00006eba234b984b",
    "bridge": "br-int",
    "encap_ip": "192.0.2.11",
    "encap_types": ["geneve", "vxlan"],
    "bridge_mappings": {"physnet1": "br-ex"},
    "gateway": True,
    "alive": True,
    "state": "in sync",
    "confirmed_revision": 10,
    "ports": ["port-a", "port-b"],
    "openflow": {
        "connected": True,
        "datapath_id": "00006eba234b984b",
        "address": "192.0.2.11:44726",
        "since": "2026-11-22T11:33:37+00:00",
        "state": "in sync",
        "flows": 25,
        "flow_mods_sent": 26,
        "bundles": 3,
        "rejected": 0,
        "confirmed_revision": 10,
        "packets_dropped": 0,
        "last_error": None,
    },
    "ovsdb": {
        "connected": True,
        "chassis": "hv1",
        "address": "192.0.2.11:32792",
        "connected_since": 1795347217.08,
        "last_seen": 0.05,
        "openflow_connected": True,
        "problems": ["sdnapp-encap-type: gre is no encapsulation"],
    },
}
HV2 = {
    **HV1,
    "id": "hv2",
    "hostname": "",
    "encap_ip": None,
    "encap_types": [],
    "bridge_mappings": {},
    "gateway": False,
    "alive": False,
    "state": "dead",
    "confirmed_revision": 0,
    "ports": [],
    "openflow": {"connected": False},
    "ovsdb": {"connected": False},
}


def test_chassis_list(stub, sdnapp):
    stub.answer("/sdnapp/chassis", {"chassis": [HV1, HV2]})
    status, out, _ = sdnapp("chassis", "list")
    assert status == 0
    assert out == (
        "ID   HOSTNAME         ENCAP IP    ENCAP TYPES   ALIVE  OVSDB      OPENFLOW  FLOWS  PORTS\n"
        "hv1  one.example.org  192.0.2.11  geneve,vxlan  yes    1 problem  in sync   25     2\n"
        "hv2  -                -           -             no     no         no        -      0\n"
    )


def test_chassis_list_of_none_says_how_one_comes(stub, sdnapp):
    stub.answer("/sdnapp/chassis", {"chassis": []})
    assert "`sdnapp chassis init --controller ADDRESS`" in sdnapp("chassis", "list")[1]


def test_chassis_show(stub, sdnapp):
    stub.answer("/sdnapp/chassis/hv1", {"chassis": HV1})
    status, out, _ = sdnapp("chassis", "show", "hv1")
    assert status == 0
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert ["bridge", "mappings     physnet1:br-ex"] in lines
    assert ["port", "port-a"] in [line.split() for line in out.splitlines()]
    assert ["port", "port-b"] in [line.split() for line in out.splitlines()]
    assert "problem             sdnapp-encap-type: gre is no encapsulation\n" in out
    assert "openflow address    192.0.2.11:44726\n" in out
    assert "last error          -\n" in out
    assert "flow changes sent   26\n" in out


def test_chassis_show_of_a_dead_one(stub, sdnapp):
    stub.answer("/sdnapp/chassis/hv2", {"chassis": HV2})
    status, out, _ = sdnapp("chassis", "show", "hv2")
    assert status == 0 and "openflow            no\n" in out and "alive               no\n" in out


@pytest.mark.parametrize("arguments", [("chassis", "show", ""), ("flows", " ")])
def test_a_chassis_without_a_name(stub, sdnapp, arguments):
    stub.answer("/sdnapp/chassis/", {"chassis": []})
    status, out, err = sdnapp(*arguments)
    assert (status, out, stub.asked) == (2, "", [])
    assert err.endswith("argument CHASSIS: it is empty: name one that `sdnapp chassis list` shows\n")


DROPS = {
    "drops": [
        {
            "chassis": "hv1",
            "port_id": "port-a",
            "port_name": "web",
            "project_id": "red",
            "reason": "spoofed_mac",
            "packets": 12,
        },
        {
            "chassis": "hv1",
            "port_id": None,
            "port_name": None,
            "project_id": None,
            "reason": "unknown_tunnel",
            "packets": 3,
        },
    ],
    "silent": ["hv2"],
}


def test_drops(stub, sdnapp):
    stub.answer("/sdnapp/drops", DROPS)
    status, out, err = sdnapp("drops", "--port", "port-a", "--chassis", "hv1")
    assert [line.split() for line in out.splitlines()] == [
        ["CHASSIS", "PROJECT", "PORT", "NAME", "REASON", "PACKETS"],
        ["hv1", "red", "port-a", "web", "spoofed_mac", "12"],
        ["hv1", "-", "-", "-", "unknown_tunnel", "3"],
    ]
    assert status == 0 and err.startswith("hv2 did not tell in time")
    assert stub.asked == ["/sdnapp/drops?port=port-a&chassis=hv1"]
    assert json.loads(sdnapp("drops", "--json")[1]) == DROPS
    stub.answer("/sdnapp/drops", DROPS | {"hostnames": {"hv1": "one", "hv2": "two"}})
    assert [line.split()[0] for line in sdnapp("drops")[1].splitlines()[1:]] == ["one", "one"]
    stub.answer("/sdnapp/drops", {"drops": [], "silent": []})
    assert sdnapp("drops") == (0, "nothing was dropped\n", "")


def test_chassis_that_is_not_known(stub, sdnapp):
    assert sdnapp("chassis", "show", "a b/c?d") == (1, "", "sdnapp: There is no such thing.\n")
    assert stub.asked == ["/sdnapp/chassis/a%20b%2Fc%3Fd"]


STATUS = {
    "revision": 42,
    "chassis": [
        {
            "id": "hv1",
            "hostname": "one",
            "alive": True,
            "state": "in sync",
            "confirmed_revision": 42,
            "ports": 3,
        },
        {"id": "hv2", "hostname": "two", "alive": False, "state": "dead", "confirmed_revision": 0, "ports": 0},
    ],
    "networks": 2,
    "ports": {"total": 4, "active": 3},
    "unrealized": [
        {
            "port_id": "port-d",
            "name": "web\x1b[2J",
            "network": "red",
            "host": None,
            "reason": "not plugged: no chassis",
        },
        {"port_id": "port-e", "name": "db", "network": "red", "host": "hv2", "reason": "hv2: dead"},
    ],
    "floating_ips": [
        {
            "floatingip_id": "fip-a",
            "address": "203.0.113.20",
            "port_id": "port-d",
            "router_id": "router-a",
            "reason": "its port port-d: not plugged",
        }
    ],
    "strangers": [{"chassis": "hv1", "interface": "tap0", "port_id": "port-x"}],
    "rejected": [{"chassis": "hv1", "owner": "port/port-a", "feature": "dhcp", "reason": "dhcp: OFPFMFC_TABLE_FULL"}],
    "failed": [{"unit": "flooding.copies", "of": ["hv1", "red"], "error": "KeyError: 7"}],
}


def test_status(stub, sdnapp):
    stub.answer("/sdnapp/status", STATUS)
    assert sdnapp("status") == (
        0,
        "Revision 42: 2 networks, 3 of 4 ports active, 1 of 2 chassis alive.\n"
        "\n"
        "CHASSIS  HOSTNAME  ALIVE  STATE    CONFIRMED  PORTS\n"
        "hv1      one       yes    in sync  42         3\n"
        "hv2      two       no     dead     0          0\n"
        "\n"
        "Ports that are not active:\n"
        "PORT    NAME     NETWORK  HOST  REASON\n"
        "port-d  web?[2J  red      -     not plugged: no chassis\n"
        "port-e  db       red      two   hv2: dead\n"
        "\n"
        "Floating IPs that are not active:\n"
        "ADDRESS       FLOATING IP  ROUTER    REASON\n"
        "203.0.113.20  fip-a        router-a  its port port-d: not plugged\n"
        "\n"
        "Interfaces that claim a port that does not exist:\n"
        "CHASSIS  INTERFACE  IFACE-ID\n"
        "one      tap0       port-x\n"
        "\n"
        "Flows that switches refused:\n"
        "CHASSIS  OWNER        REASON\n"
        "hv1      port/port-a  dhcp: OFPFMFC_TABLE_FULL\n"
        "\n"
        "What yields no flows, by a fault of the controller's:\n"
        "UNIT             OF       ERROR\n"
        "flooding.copies  hv1 red  KeyError: 7\n",
        "",
    )


FLOWS = {
    "chassis": "hv1",
    "tables": [
        {
            "name": "classification",
            "number": 0,
            "flows": [
                {
                    "owner": "port/port-a",
                    "feature": "classification",
                    "priority": 100,
                    "cookie": "0x00020ae8beb73480",
                    "match": "in_port=2",
                    "actions": "set(network=1),goto(dhcp)",
                }
            ],
        },
        {"name": "port_security", "number": 10, "flows": []},
        {
            "name": "dhcp",
            "number": 30,
            "flows": [
                {
                    "owner": "table/dhcp",
                    "feature": "miss",
                    "priority": 0,
                    "cookie": "0x00017c91459fa882",
                    "match": "",
                    "actions": "goto(forwarding)",
                }
            ],
        },
    ],
}


def test_flows_by_table_with_their_owners(stub, sdnapp):
    stub.answer("/sdnapp/flows/hv1", FLOWS)
    assert sdnapp("flows", "hv1") == (
        0,
        "classification (table 0)\n"
        "PRIORITY  OWNER        MATCH      ACTIONS\n"
        "100       port/port-a  in_port=2  set(network=1),goto(dhcp)\n"
        "\n"
        "dhcp (table 30)\n"
        "PRIORITY  OWNER       MATCH  ACTIONS\n"
        "0         table/dhcp  any    goto(forwarding)\n",
        "",
    )
    assert stub.asked == ["/sdnapp/flows/hv1"]


def test_flows_narrowed(stub, sdnapp):
    stub.answer("/sdnapp/flows/hv1", {"chassis": "hv1", "tables": [{"name": "dhcp", "number": 30, "flows": []}]})
    none = "no flows of port/a&b: see the owners with `sdnapp flows hv1`\n"
    assert sdnapp("flows", "hv1", "--owner", "port/a&b", "--table", "dhcp") == (0, none, "")
    assert sdnapp("flows", "hv1") == (0, "no flows\n", "")
    assert stub.asked == ["/sdnapp/flows/hv1?owner=port%2Fa%26b&table=dhcp", "/sdnapp/flows/hv1"]


def test_flows_of_a_table_that_is_not_there(stub, sdnapp):
    stub.answer("/sdnapp/flows/hv1", {"chassis": "hv1", "tables": []})
    assert sdnapp("flows", "hv1", "--table", "nat") == (
        1,
        "",
        "sdnapp: there is no table nat: `sdnapp flows hv1` shows them all\n",
    )


def test_wait(stub, sdnapp):
    stub.answer("/realized", {"realized": True, "revision": 42})
    assert sdnapp("wait") == (0, "revision 42 is confirmed by every live chassis\n", "")
    assert sdnapp("wait", "--revision", "40", "--timeout", "2.5")[0] == 0
    assert stub.asked == ["/realized?wait=60", "/realized?wait=2.5&revision=40"]


def test_wait_that_was_too_short(stub, sdnapp):
    stub.answer("/realized", {"realized": False, "revision": 42}, 408)
    status, out, err = sdnapp("wait", "--timeout", "0")
    assert (status, out) == (1, "") and err == (
        "sdnapp: revision 42 is not confirmed after 0 s: `sdnapp status` shows which chassis lags\n"
    )
    status, out, err = sdnapp("wait", "--json")
    assert status == 1 and json.loads(out) == {"realized": False, "revision": 42} and err == ""


@pytest.mark.parametrize(
    "arguments", [["--timeout", "-1"], ["--timeout", "soon"], ["--timeout", "nan"], ["--revision", "-1"]]
)
def test_wait_for_what_cannot_be(sdnapp, arguments):
    status, _, err = sdnapp("wait", *arguments)
    assert status == 2 and "Traceback" not in err and arguments[1] in err


@pytest.mark.parametrize(
    ("arguments", "path", "document"),
    [
        (["chassis", "list"], "/sdnapp/chassis", {"chassis": [HV1]}),
        (["chassis", "show", "hv1"], "/sdnapp/chassis/hv1", {"chassis": HV1}),
        (["status"], "/sdnapp/status", STATUS),
        (["flows", "hv1"], "/sdnapp/flows/hv1", FLOWS),
        (["wait"], "/realized", {"realized": True, "revision": 1}),
    ],
)
def test_programs_get_what_the_controller_said(stub, sdnapp, arguments, path, document):
    stub.answer(path, document)
    status, out, err = sdnapp(*arguments, "--json")
    assert (status, json.loads(out), err) == (0, document, "")


GATEWAY = {
    "router_id": "router-a",
    "router_name": "hub",
    "project_id": "red",
    "network_id": "net",
    "network_name": "world",
    "addresses": ["203.0.113.10"],
    "enable_snat": True,
    "since": "2026-01-02T03:04:05Z",
    "chassis": [
        {"id": "hv3", "state": "active", "bfd": {"hv1": "up", "hv2": "up"}, "witnesses": [], "awaited": []},
        {"id": "hv2", "state": "out", "bfd": {"hv1": "down", "hv3": "up"}, "witnesses": ["hv1", "hv3"], "awaited": []},
    ],
    "blocks": [
        {"chassis": chassis, "address": "203.0.113.10", "first_port": first, "last_port": last} | state
        for chassis, first, last, state in (
            ("hv1", 1024, 2047, {"in_use": True, "deleted": False}),
            ("hv2", 2048, 3071, {"in_use": False, "deleted": False}),
            ("hv1", 4096, 8191, {"in_use": True, "deleted": False}),
        )
    ],
    "blocks_left": 62,
    "ports_left": 63488,
    "short": ["hv1"],
    "without_block": ["hv9"],
    "floating_ips": 2,
}


def test_gateways(stub, sdnapp):
    lonely = GATEWAY | {"router_name": "", "chassis": [], "since": None, "enable_snat": False}
    lonely |= {"blocks": [], "without_block": []}
    ports = "hv1: 1024-2047 4096-8191, hv2: 2048-3071 (idle); room for 62 more; none left for hv9; too few for hv1"
    stub.answer("/sdnapp/gateways", {"gateways": [GATEWAY, lonely]})
    status, out, _ = sdnapp("gateways")
    first, second = out.splitlines()[1:3]
    assert status == 0
    heard = "hv3 up 2/2, hv2 up 1/2 (hv1 down)"
    for text in ("hub", "world", "203.0.113.10", "hv3 (active), hv2 (out)", GATEWAY["since"], heard, ports, "2"):
        assert text in first
    for text in ("router-a", "none: see `sdnapp chassis init --gateway`", "no translation"):
        assert text in second
    assert json.loads(sdnapp("gateways", "--json")[1])["gateways"][0] == GATEWAY
    blocks = [GATEWAY["blocks"][0], GATEWAY["blocks"][2] | {"address": "203.0.113.12"}]
    several = GATEWAY | {"addresses": ["203.0.113.10", "203.0.113.12"], "blocks": blocks}
    stub.answer("/sdnapp/gateways", {"gateways": [several]})
    assert "hv1: 203.0.113.10:1024-2047 203.0.113.12:4096-8191;" in sdnapp("gateways")[1]
    stub.answer(
        "/sdnapp/gateways", {"gateways": [GATEWAY], "hostnames": {"hv1": "one", "hv2": "two", "hv3": "", "hv9": "nine"}}
    )
    named = sdnapp("gateways")[1]
    for text in (
        "hv3 (active), two (out)",
        "hv3 up 2/2, two up 1/2 (one down)",
        "one: 1024",
        "for nine; too few for one",
    ):
        assert text in named
    gone = GATEWAY | {"blocks": [GATEWAY["blocks"][1] | {"deleted": True}]}
    stub.answer("/sdnapp/gateways", {"gateways": [gone]})
    assert "hv2: 2048-3071 (deleted);" in sdnapp("gateways")[1]
    fine = GATEWAY | {"without_block": [], "short": []}
    stub.answer("/sdnapp/gateways", {"gateways": [fine]})
    assert len(sdnapp("gateways")[1].splitlines()) == 2
    stub.answer("/sdnapp/gateways", {"gateways": []})
    assert sdnapp("gateways") == (0, "no router has a gateway\n", "")


def test_gateways_whose_witnesses_cannot_withdraw(stub, sdnapp):
    first, second = GATEWAY["chassis"]
    waiting = GATEWAY | {"chassis": [first, second | {"awaited": ["hv1", "hv3"]}]}
    stub.answer("/sdnapp/gateways", {"gateways": [waiting, waiting], "hostnames": {"hv1": "one", "hv2": "two"}})
    out = sdnapp("gateways")[1]
    assert out.count("two is out, and may go on answering ARP while it hears one or hv3, which cannot be told to") == 1
    assert "  openstack network agent delete ID" in out.splitlines()


def test_gateways_whose_addresses_are_used_up(stub, sdnapp):
    stub.answer("/sdnapp/gateways", {"gateways": [GATEWAY | {"blocks_left": 0, "ports_left": 0}]})
    _, row, _, *told = sdnapp("gateways")[1].splitlines()
    assert "no room for more; none left for hv9; too few for hv1" in row
    assert told == [
        "All source ports of 203.0.113.10 are taken. What leaves by hub from hv9 is dropped (no_source_port); the "
        "other chassis go on.",
        "hv1 cannot have more source ports of 203.0.113.10: new connections by hub to some destinations are dropped "
        "(no_source_port); those that there are go on.",
        "Give it one more address:",
        "  openstack router set hub --external-gateway world --fixed-ip ip-address=203.0.113.10 "
        "--fixed-ip ip-address=ONE_MORE",
        "Or wait: ports that have been idle for 2 h 4 min are handed on, also those of chassis that are gone, as "
        "connections may live for so long.",
    ]


RESTART = {
    "chassis": "a-1",
    "hostname": "hv1",
    "at": "2026-01-02T03:04:05.678+00:00",
    "occasion": "start",
    "milliseconds": 1234,
    "dark": "possibly",
    "read": 5012,
    "lacking": 1,
    "owners": ["port/p9"],
    "added": 17,
    "changed": 18,
    "removed": 19,
    "refused": 0,
}


def test_holds(stub, sdnapp):
    hold = {"seconds_ago": 2.5, "milliseconds": 21.0, "processor_milliseconds": 4.0, "job": "sdnapp.job"}
    rows = [{"by": "clock", **hold}, {"by": "processor", **hold, "job": "sdnapp.other"}]
    stub.answer("/sdnapp/holds", {"holds": rows})
    status, out, _ = sdnapp("holds")
    assert status == 0
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["clock", "21.0", "4.0", "2.5", "sdnapp.job"],
        ["processor", "21.0", "4.0", "2.5", "sdnapp.other"],
    ]
    assert json.loads(sdnapp("holds", "--json")[1]) == {"holds": rows}
    stub.answer("/sdnapp/holds", {"holds": []})
    assert sdnapp("holds")[1].startswith("no job has held the event loop")


def test_restarts(stub, sdnapp):
    quiet = RESTART | {"hostname": "", "dark": "nothing", "lacking": 0, "owners": [], "occasion": "return"}
    stub.answer("/sdnapp/restarts", {"restarts": [RESTART, quiet]})
    status, out, _ = sdnapp("restarts")
    first, second = out.splitlines()[1:]
    assert status == 0
    for text in ("2026-01-02T03:04:05", "hv1", "start", "5012", "17", "18", "19", "1234"):
        assert text in first
    assert first.endswith("possibly: 1 flows were lacking, of port/p9")
    assert "a-1" in second and "return" in second and second.endswith("nothing")
    assert json.loads(sdnapp("restarts", "--json")[1])["restarts"][0] == RESTART
    stub.answer("/sdnapp/restarts", {"restarts": []})
    assert sdnapp("restarts") == (0, "no chassis has been brought in sync since the controller started\n", "")
