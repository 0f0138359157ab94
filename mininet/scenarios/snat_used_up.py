"""All 64,512 source ports of a router's one address in use at once: who goes on, who is refused, and what helps."""

import json
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gateways
from captures import Capture
from checks import Checks
from cloud import FAR, Cloud
from controller import sdnapp
from conversations import Conversation, crowd, last_heard, seen_as, serve
from neutron import Neutron
from pings import Ping, ping, until_answered
from stations import Instance
from translated import make_lan, start

HYPERVISORS = 7
SETTINGS = {"snat_block_size": str(1 << 15)}
SIZES = {f"h{number}": 1 << 16 - number for number in range(1, HYPERVISORS)}
"""Source ports by hypervisor: the first one has half of the address, each further one half of what is left."""
ALL = (1 << 16) - 1024
SECOND = "203.0.113.77"
SCAN = Path(__file__).resolve().parent.parent / "scan.py"
DARK = "198.18.0.66"
DARK_BYTES = socket.inet_aton(DARK)
"""Whom the world sends nothing back from: connections to it stay half open, which Open vSwitch remembers for 30 s."""
SEEN, ECHO = 81, 80
TRANSLATED = re.compile(rf"reply=\(src={DARK},dst=203\.0\.113\.\d+,sport={SEEN},dport=(\d+)\)")
"""A connection to that port of his, in Open vSwitch's words, and the source port that it has been given."""
RATE = 12_000
"""SYNs a second, of all together: what seven switches on two processors translate."""
LONGEST = 25
"""Seconds in which all must be in use: less than half-open connections are remembered for."""
LOST = ALL // 10
"""SYNs that busy links may lose."""
MORE = 50
"""SYNs of each instance when none is left."""
PAUSE = 0.1
FIRST, TOP = 500, (1 << 16) - MORE
"""From which ports an instance sends SYNs until none is left. Those above are for the ones after that."""
CHANCE = 3
"""Pings that this machine may lose by itself: it emulates all of a cloud."""
SETTLED = 5
"""Seconds in which switches' counters have caught up with their packets."""
AT_ONCE = 2.0
"""Seconds in which a request has had its effect."""


def run(cloud: Cloud, checks: Checks) -> None:
    """One tenant has an instance on each hypervisor; the last one comes when the address is used up."""
    check = checks.check
    world, upstream = cloud.make_world(), cloud.add_upstream()
    upstream.ip(f"route add blackhole {DARK}/32")
    serve(upstream, [f"seen/{SEEN}", f"tcp/{ECHO}", f"udp/{ECHO}"])
    cloud.make_gateway("h7")
    acme, corp = cloud.api.project("acme"), cloud.api.project("corp")
    lans = {tenant: make_lan(cloud, tenant, world["id"]) for tenant in (acme, corp)}
    early = [start(cloud, acme, lans[acme], f"of{host}", host) for host in SIZES]
    guests = [start(cloud, corp, lans[corp], f"guest{host}", host) for host in ("h1", "h7")]
    cloud.api.wait_until_realized()
    for instance in (*early, *guests):
        until_answered(instance, FAR)
    hub = Hub(cloud, acme)
    sizes = {each["chassis"]: each["last_port"] + 1 - each["first_port"] for each in hub.told()["blocks"]}
    check("source ports of one address, by hypervisor", SIZES, sizes)
    check("left of it, as sdnapp gateways and the metric say", (0, 0), (hub.told()["ports_left"], hub.left()))

    talks = [Conversation(instance, FAR, ECHO) for instance in early]
    watched = [Ping(each, FAR, count=round(LONGEST * 3 / PAUSE), interval=PAUSE) for each in guests]
    scan = Scan(cloud, early, upstream)
    used = scan.use_up()
    check("source ports in use at one time, towards one port of one host", ALL, used)
    seen = len(scan.ports)
    check("of which the world has seen", "most", seen, seen >= ALL - LOST)
    before = hub.dropped(early)
    came = scan.once(dict.fromkeys(SIZES, MORE), dict.fromkeys(SIZES, TOP))
    check(f"of {MORE} SYNs more from each instance, the world sees", 0, came)
    expected = {each.name: MORE for each in early}
    refused = hub.refused(early, before, expected)
    check("and counted as no_source_port, by port", expected, refused)
    reached = [each.name for each in (*early, *guests) if seen_as(each, FAR, SEEN) is not None]
    check("who still reaches another host", [each.name for each in (*early, *guests)], reached)
    heard = last_heard(talks, 0, 0.5)
    check("TCP connections from before that go on", len(early), sum(each > 0 for each in heard.values()))

    last = start(cloud, acme, lans[acme], "last", "h7")
    lines = hub.lacks()
    check("one more comes to h7; the router is", "DOWN", hub.status())
    check("sdnapp gateways says who lacks source ports", ["h7"], hub.told()["without_block"])
    check("and what to do", 1, sum("openstack router set hub --external-gateway world" in line for line in lines))
    before = hub.dropped([last])
    check("its TCP", None, seen_as(last, FAR, SEEN))
    check("its UDP, answered", (0, 0), crowd(last, FAR, ECHO, 5, 0.5))
    check("its pings, answered", 0, ping(last, FAR, count=5, interval=0.1).received)
    refused = hub.refused([last], before, {"last": 11})
    check("all counted as no_source_port, by its port", "11 at least", refused, refused["last"] >= 11)
    check("it reaches its neighbour inside", True, ping(last, early[0].address, count=2).received > 0)

    hub.take(SECOND)
    began = time.monotonic()
    while (seen := seen_as(last, FAR, SEEN)) is None and time.monotonic() < began + AT_ONCE:
        pass
    check("with one more address, the world sees it as", SECOND, seen and seen[0])
    check("its pings then, answered", 5, ping(last, FAR, count=5, interval=0.1).received)
    cloud.api.wait_until_realized()
    check("and the router is", "ACTIVE", hub.status())
    check("who lacks source ports", [], hub.told()["without_block"])
    heard = last_heard(talks, 0, 0.5)
    check("TCP connections from before that go on", len(early), sum(each > 0 for each in heard.values()))
    lost = {name: each.sent - each.received for name, each in zip(("h1", "h7"), map(Ping.stop, watched), strict=True)}
    check("pings of another tenant lost in all that time", f"{CHANCE} at most", lost, max(lost.values()) <= CHANCE)


@dataclass(frozen=True)
class Hub:
    """What is said of the tenant's router."""

    cloud: Cloud
    tenant: Neutron

    def _id(self) -> str:
        (mine,) = (each["id"] for each in self.tenant.find("router"))
        return str(mine)

    def told(self) -> dict[str, Any]:
        """What ``sdnapp gateways`` says of it."""
        (row,) = (each for each in gateways.rows(self.cloud) if each["router_id"] == self._id())
        return row

    def lacks(self) -> list[str]:
        """What ``sdnapp gateways`` says below its table."""
        assert self.cloud.controller is not None
        return sdnapp(self.cloud.controller, "gateways").partition("\n\n")[2].splitlines()

    def status(self) -> str:
        """Its status in the API."""
        return str(self.tenant.show("router", self._id())["status"])

    def left(self) -> int:
        """Source ports of its address that are nobody's, by the metric."""
        name = f'sdnapp_source_ports_left{{router="{self._id()}",'
        (line,) = (line for line in self.cloud.api.text("GET", "/metrics").splitlines() if line.startswith(name))
        return int(line.split()[-1])

    def take(self, address: str) -> None:
        """Give it one more address."""
        info = self.tenant.show("router", self._id())["external_gateway_info"]
        fixed = [{"ip_address": each["ip_address"]} for each in info["external_fixed_ips"]]
        more = info | {"external_fixed_ips": [*fixed, {"ip_address": address}]}
        self.cloud.api.update("router", self._id(), external_gateway_info=more)

    def dropped(self, instances: list[Instance]) -> dict[str, int]:
        """How many packets of each instance have found no source port."""
        assert self.cloud.controller is not None
        rows = json.loads(sdnapp(self.cloud.controller, "drops", "--json"))["drops"]
        found = {row["port_id"]: row["packets"] for row in rows if row["reason"] == "no_source_port"}
        return {each.name: found.get(each.port["id"], 0) for each in instances}

    def refused(self, instances: list[Instance], before: dict[str, int], expected: dict[str, int]) -> dict[str, int]:
        """How many more were not than before, as soon as they are as many as expected."""
        deadline = time.monotonic() + SETTLED
        while True:
            now = self.dropped(instances)
            more = {name: now[name] - before[name] for name in now}
            if all(more[name] >= expected[name] for name in more) or time.monotonic() > deadline:
                return more
            time.sleep(0.2)


class Scan:
    """SYNs of instances, one on each hypervisor, to one port of one host."""

    def __init__(self, cloud: Cloud, instances: list[Instance], upstream: Instance) -> None:
        self._cloud, self._upstream = cloud, upstream
        self._instances = dict(zip(SIZES, instances, strict=True))
        self._next = dict.fromkeys(SIZES, FIRST)
        self.ports: set[int] = set()
        """Source ports of what the world has seen."""

    def once(self, counts: dict[str, int], first: dict[str, int]) -> int:
        """Send so many SYNs from each hypervisor, each from another port; how many source ports the world sees anew."""
        before, total = len(self.ports), sum(counts.values())
        with Capture(self._upstream, "eth0") as link:
            scans = [
                self._start(host, count, first[host], max(1, RATE * count // total)) for host, count in counts.items()
            ]
            while any(scan.poll() is None for scan in scans):
                link.read()
                time.sleep(0.1)
            time.sleep(0.3)
            frames = (frame.payload[16:22] for frame in link.read())
            self.ports |= {int.from_bytes(each[4:]) for each in frames if each[:4] == DARK_BYTES}
        return len(self.ports) - before

    def use_up(self) -> int:
        """Go on until no port is left, or for too long; how many are in use, as the switches say."""
        until = time.monotonic() + LONGEST
        self._more(SIZES)
        while any((lacking := self._lacking()).values()) and time.monotonic() < until:
            # Open vSwitch looks at some ports for each, and at other ones for the next; and busy links lose some.
            self._more({host: 4 * number + 500 for host, number in lacking.items() if number})
        return ALL - sum(lacking.values())

    def _more(self, counts: dict[str, int]) -> None:
        """Send so many SYNs from further ports; where there are none, those that were refused have another try."""
        counts = {host: min(count, TOP - FIRST) for host, count in counts.items()}
        first = {host: self._next[host] if self._next[host] + counts[host] <= TOP else FIRST for host in counts}
        self._next |= {host: first[host] + counts[host] for host in counts}
        self.once(counts, first)

    def _lacking(self) -> dict[str, int]:
        return {host: size - self._used(host) for host, size in SIZES.items()}

    def _used(self, host: str) -> int:
        """How many source ports a switch has connections to that host with."""
        known = self._cloud.hypervisors[host].run("ovs-appctl", "dpctl/dump-conntrack")
        return len(set(TRANSLATED.findall(known)))

    def _start(self, host: str, count: int, first: int, rate: int) -> subprocess.Popen[str]:
        instance = self._instances[host]
        return instance.start(
            *(sys.executable, str(SCAN), "sources", str(rate), instance.address, DARK, str(SEEN)),
            *(str(count), str(first)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
