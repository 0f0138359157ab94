"""``sdnapp trace``, alone and beside what Open vSwitch says."""

import json
import os
import subprocess

import pytest

from sdnapp.commands import live_trace
from sdnapp.commands.errors import CommandError
from sdnapp.commands.live_trace import Step, expected_steps, first_difference, parse

NAMES = {0: "classification", 10: "port_security", 40: "forwarding", 70: "core_output"}
LIVE_FLOW = "in_port=2,dl_src=fa:16:3e:00:00:01,dl_dst=fa:16:3e:00:00:02,icmp"


def step(chassis, table, cookie, owner, **values):
    found = {"chassis": chassis, "table": table, "owner": owner, "match": "network=1", "actions": "goto(x)", **values}
    return found if cookie is None else {**found, "cookie": f"{cookie:#018x}"}


TRACE = {
    "from": {"port": "port-a", "chassis": "hv1"},
    "to": "10.0.0.3",
    "steps": [
        step("hv1", "classification", 0x20AE8BEB73480, "port/port-a"),
        step("hv1", "port_security", 0x3008DD5FEB85E, "port/port-a", match=""),
        step("hv1", "core_output", None, None, match="", actions="drop"),
        step("hv2", "classification", 0x2BDBB8506EF40, "network/net-1"),
    ],
    "verdict": "delivered",
    "delivered_to": [{"port_id": "port-b", "chassis": "hv2"}],
    "explanation": "10.0.0.3 is at fa:16:3e:00:00:02; delivered to port-b",
    "live_flow": LIVE_FLOW,
    "bridge": "br-int",
}
FLOWS = {
    "chassis": "hv1",
    "tables": [
        {"name": name, "number": number, "flows": [{"cookie": "0x00020ae8beb73480", "owner": "port/port-a"}]}
        for number, name in NAMES.items()
    ],
}
# As Open vSwitch 3.1 writes it.
AGREES = """\
Flow: icmp,in_port=2,vlan_tci=0x0000,dl_src=fa:16:3e:00:00:01,dl_dst=fa:16:3e:00:00:02

bridge("br-int")
----------------
 0. in_port=2,vlan_tci=0x0000/0x1fff, priority 100, cookie 0x20ae8beb73480
    load:0x1->NXM_NX_REG0[0..23]
    goto_table:10
10. ip,reg1=0x1,dl_src=fa:16:3e:00:00:01,nw_src=10.0.0.2, priority 100, cookie 0x3008dd5feb85e
    goto_table:70
70. No match.
    drop

Final flow: icmp,reg0=0x1
Megaflow: recirc_id=0,eth,icmp,in_port=2
Datapath actions: drop
"""


@pytest.fixture
def ovs(monkeypatch):
    """Stands for the machine's Open vSwitch: answers by program, and remembers the commands."""

    class Ovs:
        answers = {"ovs-vsctl": (0, '"hv1"\n', ""), "ovs-appctl": (0, AGREES, "")}  # noqa: RUF012
        commands: list[tuple[str, ...]] = []  # noqa: RUF012

    ovs = Ovs()
    ovs.answers, ovs.commands = dict(ovs.answers), []

    def run(command, **_):
        ovs.commands.append(tuple(command))
        answer = ovs.answers[command[0]]
        if isinstance(answer, Exception):
            raise answer
        return subprocess.CompletedProcess(command, *answer)

    monkeypatch.setattr(live_trace.subprocess, "run", run)
    return ovs


@pytest.fixture(autouse=True)
def answers(stub):
    stub.answer("/sdnapp/trace", TRACE)
    stub.answer("/sdnapp/flows/hv1", FLOWS)


def test_the_road_of_a_packet(stub, sdnapp):
    assert sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3") == (
        0,
        "CHASSIS  TABLE           OWNER          MATCH      ACTIONS\n"
        "hv1      classification  port/port-a    network=1  goto(x)\n"
        "hv1      port_security   port/port-a    any        goto(x)\n"
        "hv1      core_output     no match       any        drop\n"
        "hv2      classification  network/net-1  network=1  goto(x)\n"
        "\n"
        "delivered: 10.0.0.3 is at fa:16:3e:00:00:02; delivered to port-b\n",
        "",
    )
    assert stub.asked == ["/sdnapp/trace?port=port-a&to=10.0.0.3"]
    status, out, _ = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3", "--json")
    assert status == 0 and json.loads(out) == TRACE


def test_what_is_sent_may_be_tcp_or_udp(stub, sdnapp):
    for protocol in ("tcp", "udp"):
        assert sdnapp("trace", "--port", "web", "--to", "10.0.0.3", f"--{protocol}", "80")[0] == 0
        assert stub.asked[-1] == f"/sdnapp/trace?port=web&to=10.0.0.3&protocol={protocol}&to_port=80"
    status, _, told = sdnapp("trace", "--port", "web", "--to", "10.0.0.3", "--tcp", "80", "--udp", "80")
    assert status == 2 and "not allowed with argument --tcp" in told


def test_a_packet_from_outside(stub, sdnapp):
    assert sdnapp("trace", "--from-outside", "world", "--to", "203.0.113.20")[0] == 0
    assert stub.asked[-1] == "/sdnapp/trace?from_outside=world&to=203.0.113.20"
    sender = ("--from-outside", "world", "--source", "198.51.100.9", "--via", "203.0.113.10")
    assert sdnapp("trace", *sender, "--to", "10.0.1.5", "--tcp", "80")[0] == 0
    query = "from_outside=world&source=198.51.100.9&via=203.0.113.10&to=10.0.1.5&protocol=tcp&to_port=80"
    assert stub.asked[-1] == f"/sdnapp/trace?{query}"
    status, _, told = sdnapp("trace", "--from-outside", "world", "--port", "web", "--to", "10.0.0.3")
    assert status == 2 and "argument --port: not allowed with argument --from-outside" in told
    status, _, told = sdnapp("trace", "--to", "10.0.0.3")
    assert status == 2 and "one of the arguments --port --from-outside is required" in told


def test_the_answer_is_followed_as_well(stub, sdnapp):
    back = {**TRACE, "steps": TRACE["steps"][3:], "explanation": "it is back"}
    for answer, shown in (
        (None, "No host that might answer has got it.\n"),
        (
            back,
            "The answer:\n"
            "CHASSIS  TABLE           OWNER          MATCH      ACTIONS\n"
            "hv2      classification  network/net-1  network=1  goto(x)\n"
            "\n"
            "delivered: it is back\n",
        ),
    ):
        stub.answer("/sdnapp/trace", {**TRACE, "answer": answer})
        status, out, _ = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3", "--answer")
        assert status == 0 and out.endswith(f"delivered to port-b\n\n{shown}")
        assert stub.asked[-1] == "/sdnapp/trace?port=port-a&to=10.0.0.3&answer=true"


def test_a_packet_that_nobody_sends(stub, sdnapp):
    why = "nobody there answers for 203.0.113.99, so it is not sent: nobody has it"
    nowhere = {"network": "world", "source": "203.0.113.1", "via": "203.0.113.99", "chassis": None}
    stub.answer("/sdnapp/trace", {**TRACE, "from": nowhere, "steps": [], "verdict": "unanswered", "explanation": why})
    asked = ("trace", "--from-outside", "world", "--to", "203.0.113.99")
    assert sdnapp(*asked) == (0, f"unanswered: {why}\n", "")
    status, _, err = sdnapp(*asked, "--live")
    assert (status, err) == (1, "sdnapp: --live has no Open vSwitch to ask: the packet comes to no chassis\n")


@pytest.mark.parametrize(("other", "shown"), [("two", ("one", "two")), ("one", ("hv1", "hv2")), ("", ("one", "hv2"))])
def test_chassis_are_shown_by_host_name_where_that_tells_them_apart(stub, sdnapp, other, shown):
    stub.answer("/sdnapp/trace", {**TRACE, "hostnames": {"hv1": "one", "hv2": other}})
    lines = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3")[1].splitlines()
    assert tuple(line.split()[0] for line in (lines[1], lines[4])) == shown


def test_a_port_that_cannot_be_traced(stub, sdnapp):
    stub.answer("/sdnapp/trace", {"NeutronError": {"message": "port: there is no port x"}}, 400)
    assert sdnapp("trace", "--port", "x", "--to", "10.0.0.3") == (1, "", "sdnapp: port: there is no port x\n")


def test_open_vswitch_agrees(sdnapp, ovs):
    status, out, err = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3", "--live")
    assert (status, err) == (0, "")
    assert out.endswith(
        "\nOpen vSwitch on hv1:\n"
        "TABLE           OWNER                    COOKIE\n"
        "classification  port/port-a              0x00020ae8beb73480\n"
        "port_security   a flow that is not ours  0x0003008dd5feb85e\n"
        "core_output     no match                 -\n"
        "\n"
        "Open vSwitch agrees.\n"
    )
    assert ovs.commands[-1] == ("ovs-appctl", "--timeout=10", "ofproto/trace", "br-int", LIVE_FLOW)


def test_open_vswitch_disagrees(sdnapp, ovs):
    ovs.answers["ovs-appctl"] = (0, AGREES.replace("cookie 0x3008dd5feb85e", "cookie 0x99"), "")
    status, out, _ = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3", "--live")
    assert status == 1
    assert out.endswith(
        "Open vSwitch disagrees at step 2:\n"
        "  expected      port_security  a flow that is not ours  0x0003008dd5feb85e\n"
        "  Open vSwitch  port_security  a flow that is not ours  0x0000000000000099\n"
    )


def test_open_vswitch_ends_early(sdnapp, ovs):
    ovs.answers["ovs-appctl"] = (0, AGREES.partition("70. ")[0], "")
    status, out, _ = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3", "--live")
    assert status == 1
    assert out.endswith("disagrees at step 3:\n  expected      core_output  no match  -\n  Open vSwitch  had ended\n")


@pytest.mark.parametrize(("output", "difference"), [(AGREES, None), (AGREES.replace("0x20ae8", "0x30ae8"), 0)])
def test_live_for_programs(sdnapp, ovs, output, difference):
    ovs.answers["ovs-appctl"] = (0, output, "")
    status, out, _ = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3", "--live", "--json")
    document = json.loads(out)
    assert status == (difference is not None)
    assert document["live"]["agrees"] is (difference is None)
    assert document["live"]["first_difference"] == difference
    assert document["live"]["steps"][2] == {"table": "core_output", "cookie": None, "owner": None}
    assert {**document, "live": None} == {**TRACE, "live": None}


@pytest.mark.parametrize(
    ("answer", "here"),
    [
        ((0, "hv2\n", ""), "; this machine is chassis hv2"),
        ((0, "\n", ""), "; this machine is no chassis"),
        (
            (1, "", "ovs-vsctl: unix:/run/db.sock: database connection failed (No such file)\n"),
            ", as root (ovs-vsctl: unix:/run/db.sock: database connection failed (No such file))",
        ),
        (FileNotFoundError(), ", as root (ovs-vsctl is not installed here)"),
        (subprocess.TimeoutExpired("x", 1), ", as root (ovs-vsctl did not answer within 20 s)"),
    ],
)
def test_elsewhere_it_says_where_to_run(sdnapp, ovs, answer, here):
    ovs.answers["ovs-vsctl"] = answer
    status, out, err = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3", "--live")
    assert status == 1 and "delivered: " in out
    assert err == (
        "sdnapp: --live asks the Open vSwitch where the packet begins, on chassis hv1: run the same command there"
        f"{here}\n"
    )


def test_a_trace_that_open_vswitch_refuses(sdnapp, ovs):
    ovs.answers["ovs-appctl"] = (
        2,
        "",
        "Bad openflow flow syntax: x\novs-appctl: ovs-vswitchd: server returned an error\n",
    )
    status, _, err = sdnapp("trace", "--port", "port-a", "--to", "10.0.0.3", "--live")
    assert (status, err) == (1, "sdnapp: ovs-appctl: Bad openflow flow syntax: x\n")


def test_steps_on_other_bridges_are_left_out():
    # As Open vSwitch 3.1 writes it.
    output = """\
Flow: icmp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0

bridge("br-int")
----------------
 0. priority 5, cookie 0x1
    goto_table:50
50. priority 32768, cookie 0x50
    output:9

    bridge("br-ex")
    ---------------
         0. priority 32768, cookie 0xe0
            resubmit(,1)
             1. priority 32768, cookie 0xe1
                    goto_table:2
                 2. reg0=0x2, priority 0
                    drop
            output:3
    resubmit(,70)
    70. priority 32768, cookie 0x70
            output:9

        bridge("br-ex")
        ---------------
         0. priority 32768, cookie 0xe0
            resubmit(,1)
             1. priority 32768, cookie 0xe1
                    goto_table:2
                 2. reg0=0x2, priority 0
                    drop
            output:3
    resubmit(,60)
    60. priority 1
            resubmit(,75)
            75. priority 32768, cookie 0x75
                    output:2
            output:2
    output:2
    resubmit(,65)
65. No match.
    drop

Final flow: unchanged
Megaflow: recirc_id=0,eth,ip,in_port=1,nw_frag=no
Datapath actions: 5,5,4,4,4
"""
    own = [(0, 0x1), (50, 0x50), (70, 0x70), (60, 0), (75, 0x75), (65, None)]
    assert parse(output, "br-int", {}) == [Step(f"table {number}", cookie) for number, cookie in own]
    others = [(0, 0xE0), (1, 0xE1), (2, None)] * 2
    assert parse(output, "br-ex", {}) == [Step(f"table {number}", cookie) for number, cookie in others]


def test_what_would_become_of_a_larger_packet_is_left_out():
    # As Open vSwitch 3.1 writes it.
    output = """\
bridge("br-int")
----------------
45. reg0=0x1/0xffffff, priority 110, cookie 0x45
    check_pkt_larger(1464)->NXM_NX_REG9[16]
    resubmit(,220)
    220. reg0=0x1/0xffffff, priority 100, cookie 0x99
            load:0x1->NXM_NX_REG9[20]
    goto_table:46
    46. reg9=0x10000/0x10000, priority 140, cookie 0x99
            CONTROLLER:65535
    resubmit(,220)
    220. reg0=0x1/0xffffff, priority 100, cookie 0x220
            load:0x1->NXM_NX_REG9[20]
    goto_table:46
46. ip, priority 120, cookie 0x46
    drop
"""
    own = [(45, 0x45), (220, 0x220), (46, 0x46)]
    assert parse(output, "br-int", {}) == [Step(f"table {number}", cookie) for number, cookie in own]


def test_a_table_that_nobody_named():
    assert parse('bridge("br-int")\n99. priority 0\n', "br-int", {}) == [Step("table 99", 0)]


def test_only_the_steps_before_it_leaves_its_chassis_count():
    steps = [{"chassis": chassis, "table": "t", "cookie": f"{n:#x}"} for n, chassis in enumerate(("a", "a", "b", "a"))]
    assert expected_steps(steps, "a") == [Step("t", 0), Step("t", 1)]


def test_where_two_differ():
    one, two = Step("t", 1), Step("t", 2)
    assert first_difference([one, two], [one, two]) is None
    assert first_difference([], []) is None
    assert first_difference([one], [two]) == 0
    assert first_difference([one], [one, two]) == 1
    assert first_difference([one, two], [one]) == 1


def test_another_open_vswitch_can_be_named(monkeypatch, tmp_path):
    """OVS_RUNDIR reaches the programs, which honour it themselves."""
    program = tmp_path / "ovs-vsctl"
    program.write_text('#!/bin/sh\necho "$OVS_RUNDIR"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OVS_RUNDIR", "hv7")
    live_trace.check_is_local("hv7")
    with pytest.raises(CommandError, match="chassis hv7"):
        live_trace.check_is_local("hv8")
