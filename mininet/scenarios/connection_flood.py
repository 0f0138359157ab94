"""One instance opens connections without end: its hypervisor's table fills for it alone, its neighbour's work on."""

import json
import subprocess
import sys
import time
from pathlib import Path

from checks import Checks
from cloud import Cloud
from controller import sdnapp
from conversations import crowd, serve
from hypervisor import Hypervisor
from leases import lease
from stations import Instance

FLOOD = Path(__file__).resolve().parent.parent / "flood.py"
TABLE, EACH = 2_000, 500
"""Connections that the hypervisor remembers, and of those each port. Open vSwitch would have three million."""
RATE, SECONDS = 4_000, 4
"""Frames a second of the flood, no two of which are of one connection."""
ASKED = 50
"""Connections that the neighbour opens meanwhile."""
DNS = 53
REASONS = ("egress_connections", "ingress_connections")
SETTLED = 2.0
"""Seconds in which the switch has handed on all counts."""


def run(cloud: Cloud, checks: Checks) -> None:
    """red floods; blue's client asks blue's server, all on h1. The client takes answers, and nothing else."""
    red, blue = cloud.api.project("red"), cloud.api.project("blue")
    reds, blues = (cloud.make_network(api, "10.0.0.0/24", name="net") for api in (red, blue))
    client, server = (blue.create("security_group", name=name) for name in ("client", "server"))
    blue.create(
        "security_group_rule",
        **{"security_group_id": server["id"], "direction": "ingress", "protocol": "udp"},
        **{"port_range_min": DNS, "port_range_max": DNS},
    )
    attacker = cloud.launch("red", red.create("port", network_id=reds["id"]), on="h1")
    asking, asked = (
        cloud.launch(name, blue.create("port", network_id=blues["id"], security_groups=[group["id"]]), on="h1")
        for name, group in (("asking", client), ("asked", server))
    )
    for instance in (attacker, asking, asked):
        lease(instance)
    serve(asked, [f"udp/{DNS}"])
    h1 = cloud.hypervisors["h1"]
    h1.run("ovs-appctl", "dpctl/ct-set-maxconns", str(TABLE))

    answered, remembered = _flood(h1, attacker, asking, asked, TABLE)
    # What there is to fear: without it, nothing is shown by what follows.
    checks.check("without a limit, connections that h1 remembers", TABLE, remembered)
    checks.check("without a limit, the neighbour's new connections", f"less than {ASKED}", answered, answered < ASKED)

    before = {each: _refused(cloud, each) for each in (attacker, asking, asked)}
    told = before[asking]
    checks.check("without a limit, the neighbour's packets counted as refused", "some", told, told > 0)
    _limit(cloud, h1)
    h1.run("ovs-appctl", "dpctl/flush-conntrack")
    answered, remembered = _flood(h1, attacker, asking, asked, EACH)
    most = EACH + 4 * ASKED
    checks.check(
        "with a limit, connections that h1 remembers", f"{EACH} to {most}", remembered, EACH <= remembered <= most
    )
    checks.check("with a limit, the neighbour's new connections", ASKED, answered)
    fullest = _numbers(h1.run("ovs-appctl", "dpctl/ct-get-limits", *_zones(h1)))
    checks.check("connections of the port that has most", EACH, max(fullest))
    refused = {each: _refused(cloud, each) - already for each, already in before.items()}
    most, told = RATE * SECONDS - EACH, refused[attacker]
    within = f"{most // 2} to {most}"
    checks.check("packets of the flood that `sdnapp drops` counts as refused", within, told, most // 2 <= told <= most)
    checks.check("and of its neighbours", 0, refused[asking] + refused[asked])


def _limit(cloud: Cloud, h1: Hypervisor) -> None:
    """Let h1 remember ``EACH`` connections of a port: by the controller, where its database says it (from 3.5 on)."""
    assert cloud.controller is not None
    if h1.vsctl("get Open_vSwitch . datapaths").strip() == "{}":
        sdnapp(h1, "chassis", "limit-connections", "--each", str(EACH))
        return
    cloud.controller.kill_app()
    cloud.controller.set_options(connections_per_port=str(EACH))
    cloud.controller.start_app()
    deadline = time.monotonic() + SECONDS
    while f"default limit={EACH}" not in h1.run("ovs-appctl", "dpctl/ct-get-limits") and time.monotonic() < deadline:
        time.sleep(0.05)


def _flood(h1: Hypervisor, attacker: Instance, asking: Instance, asked: Instance, full: int) -> tuple[int, int]:
    """How many of the neighbour's connections were answered during a flood, and how many h1 remembers after it.

    The neighbour begins when h1 remembers as many as a flood can fill.
    """
    arguments = ("connections", str(RATE), str(SECONDS), attacker.mac, attacker.address)
    flood = attacker.start(
        *(sys.executable, str(FLOOD), *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    assert flood.stdout is not None
    flood.stdout.readline()
    deadline = time.monotonic() + SECONDS
    while _remembered(h1) < full and time.monotonic() < deadline:
        time.sleep(0.05)
    _, answered = crowd(asking, asked.address, DNS, ASKED, 2.0)
    flood.communicate(timeout=60)
    return answered, _remembered(h1)


def _refused(cloud: Cloud, instance: Instance) -> int:
    """How many packets would have begun a connection too many for a port, once the switch has handed on all counts."""
    assert cloud.controller is not None
    before, count = -1, 0
    while count != before:
        time.sleep(SETTLED)
        told = json.loads(sdnapp(cloud.controller, "drops", "--json", "--port", instance.port["id"]))
        before, count = count, sum(row["packets"] for row in told["drops"] if row["reason"] in REASONS)
    return count


def _remembered(h1: Hypervisor) -> int:
    return int(h1.run("ovs-appctl", "dpctl/ct-get-nconns"))


def _zones(h1: Hypervisor) -> list[str]:
    """The zones that have connections, as Open vSwitch's command takes them."""
    table = h1.run("ovs-appctl", "dpctl/dump-conntrack")
    found = {word.partition("zone=")[2] for word in table.replace(",", " ").split() if word.startswith("zone=")}
    return [f"zone={','.join(sorted(found))}"]


def _numbers(limits: str) -> list[int]:
    """How many connections each zone has."""
    return [int(line.rpartition("count=")[2]) for line in limits.splitlines() if "count=" in line]
