"""A tenant scans 65,000 ports through SNAT until his source ports are used up; nobody else notices anything."""

import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gateways
from captures import Capture
from checks import Checks
from cloud import FAR, Cloud
from conversations import Conversation, last_heard, seen_as, serve
from drops import dropped
from neutron import Neutron
from pings import Answers, Ping, until_answered
from stations import Instance
from translated import make_lan, start

SCAN = Path(__file__).resolve().parent.parent / "scan.py"
DARK = "198.18.0.66"
DARK_BYTES = socket.inet_aton(DARK)
"""Whom the world sends nothing back from: connections to it stay half open."""
SEEN, ECHO = 81, 80
RATE = 10_000
PAUSE = 0.02
SYNS = 65_000
BLOCK = 1024
SHARE = 1 << 14
"""Source ports that a chassis may have of an address at most (topology/port_blocks.py)."""
LONGEST = 30
"""Seconds of scanning until they are used up: a switch is asked each two whether its ports are too few."""
CHANCE = 3
"""Pings that this machine may lose by itself: it emulates all of a cloud."""
LOST = SYNS // 100
"""SYNs that busy links may lose."""
MOST = 55
"""Seconds in which Open vSwitch forgets connections of which it has seen a SYN alone: 30, and 20 until it looks."""
SETTLED = 5
"""Seconds in which a switch's counters have caught up with its packets."""


def run(cloud: Cloud, checks: Checks) -> None:
    """Scanner and guest are of two tenants on one hypervisor; another of the scanner's tenant is on the next."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    upstream.ip(f"route add blackhole {DARK}/32")
    serve(upstream, [f"seen/{SEEN}", f"tcp/{ECHO}"])
    cloud.make_gateway("h3")
    acme, corp = cloud.api.project("acme"), cloud.api.project("corp")
    lans = {tenant: make_lan(cloud, tenant, world["id"]) for tenant in (acme, corp)}
    scanner = start(cloud, acme, lans[acme], "scanner", "h1")
    guest = start(cloud, corp, lans[corp], "guest", "h1")
    partner = start(cloud, acme, lans[acme], "partner", "h2")
    cloud.api.wait_until_realized()
    for instance in (scanner, guest, partner):
        until_answered(instance, FAR)

    begun = Scan(cloud, checks, scanner, upstream, [guest, partner])
    talk = Conversation(scanner, FAR, ECHO)
    begun.run("sources", "one port, from 65,000 ports")
    begun.exhaust(acme)
    ended = time.monotonic()
    checks.check("scanner's connection from before goes on", True, last_heard([talk], 0, 0.5)[talk.name] > 0)
    checks.check("scanner itself still reaches another host", True, seen_as(scanner, FAR, SEEN) is not None)
    begun.run("ports", "65,000 ports, from one port")
    upstream.ip(f"route del blackhole {DARK}/32", f"addr add {DARK}/32 dev lo")
    while seen_as(scanner, DARK, SEEN) is None and time.monotonic() < ended + MOST:
        pass
    again = time.monotonic() - ended
    what = "scanner reaches again what it has scanned, this long after"
    checks.check(what, f"{MOST} s at most", f"{again:.0f} s", again < MOST)


@dataclass(frozen=True)
class Scan:
    """Scans, and what others notice of them."""

    cloud: Cloud
    checks: Checks
    scanner: Instance
    upstream: Instance
    others: list[Instance]

    def run(self, kind: str, what: str) -> None:
        """Let the scanner scan once; what is not seen outside must be counted as dropped."""
        check = self.checks.check
        dropped = _dropped(self.cloud, self.scanner)
        pings = [Ping(each, FAR, count=round(SYNS / RATE / PAUSE), interval=PAUSE) for each in self.others]
        opened: Counter[str] = Counter()
        tries = 0
        with Capture(self.upstream, "eth0") as link:
            scan = self._start(kind)
            while scan.poll() is None:
                tries += 1
                opened.update(each.name for each in self.others if seen_as(each, FAR, SEEN) is not None)
                link.read()
                time.sleep(0.1)
            check(f"SYNs to {what}", SYNS, int(scan.communicate()[0]))
            self._others_notice_nothing("", [each.result() for each in pings], tries, opened)
            came = link.count(lambda frame: frame.payload[16:20] == DARK_BYTES)
        deadline = time.monotonic() + SETTLED
        while (
            more := _dropped(self.cloud, self.scanner) - dropped
        ) + came < SYNS - LOST and time.monotonic() < deadline:
            time.sleep(0.2)
        if kind == "sources":
            check("SYNs that find a source port", f"{BLOCK} at least, not all", came, BLOCK <= came < SYNS)
        what = f"{came} are seen in the world, {more} counted as no_source_port: together"
        check(what, f"all but {LOST} at most", came + more, SYNS - LOST <= came + more <= SYNS)

    def _others_notice_nothing(self, when: str, pings: list[Answers], tries: int, opened: Counter[str]) -> None:
        for each, answers in zip(self.others, pings, strict=True):
            lost = answers.sent - answers.received
            what = f"{when}pings of {each.name}, of {answers.sent}, that are lost meanwhile"
            self.checks.check(what, f"{CHANCE} at most", lost, lost <= CHANCE)
            self.checks.check(f"and its new connections that opened, of {tries}", tries, opened[each.name])

    def exhaust(self, tenant: Neutron) -> None:
        """Let the scanner go on until its chassis has all the source ports that it may have, and finds none."""
        check = self.checks.check
        pings = [Ping(each, FAR, count=round(LONGEST / PAUSE), interval=PAUSE) for each in self.others]
        opened: Counter[str] = Counter()
        tries, deadline = 0, time.monotonic() + LONGEST
        scan = self._start("sources")
        while not (row := _router(self.cloud, tenant))["short"] and time.monotonic() < deadline:
            if scan.poll() is not None:
                scan = self._start("sources")
            tries += 1
            opened.update(each.name for each in self.others if seen_as(each, FAR, SEEN) is not None)
        scan.kill()
        self._others_notice_nothing("it goes on; ", [each.stop() for each in pings], tries, opened)
        ports = sum(each["last_port"] - each["first_port"] + 1 for each in row["blocks"] if each["chassis"] == "h1")
        check("source ports that the scanner's chassis has got", SHARE, ports)
        check("which is too few, as sdnapp gateways says", ["h1"], row["short"])
        metrics = _metrics(self.cloud, row["router_id"], "h1")
        check("and the metric", 1, metrics["sdnapp_source_ports_short"])
        refused = metrics["sdnapp_source_ports_refused_total"]
        check("which counts what found no port", "some", refused, refused > 0)
        check("the router's status", "ACTIVE", tenant.show("router", row["router_id"])["status"])
        check("the scanner reaches no more what it has scanned", None, seen_as(self.scanner, DARK, SEEN))

    def _start(self, kind: str) -> subprocess.Popen[str]:
        return self.scanner.start(
            *(sys.executable, str(SCAN), kind, str(RATE), self.scanner.address, DARK, str(SEEN)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )


def _router(cloud: Cloud, tenant: Neutron) -> dict[str, Any]:
    """What ``sdnapp gateways`` says of a tenant's router."""
    (mine,) = (each["id"] for each in tenant.find("router"))
    (row,) = (each for each in gateways.rows(cloud) if each["router_id"] == mine)
    return row


def _metrics(cloud: Cloud, router: str, chassis: str) -> dict[str, int]:
    """The metrics about a chassis's source ports for a router, by name."""
    label = f'{{router="{router}",chassis="{chassis}"}} '
    parted = (line.partition(label) for line in cloud.api.text("GET", "/metrics").splitlines())
    return {name: int(float(value)) for name, found, value in parted if found}


def _dropped(cloud: Cloud, instance: Instance) -> int:
    """How many packets of an instance have found no source port, as ``sdnapp drops`` says."""
    return dropped(cloud, instance).get("no_source_port", 0)
