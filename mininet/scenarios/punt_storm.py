"""A flood of DHCP, ARP or junk from one tenant's instance: other tenants' DHCP is as quick as before, nothing grows."""

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from checks import Checks, table
from cloud import Cloud
from dhcp_probe import Latency, Prober, measure
from leases import lease
from stations import Instance

FLOOD = Path(__file__).resolve().parent.parent / "flood.py"
KINDS = ("dhcp", "arp", "junk")
BUDGET = 10
"""Packets a second that one port may send to the controller (flows/control_budget.py)."""
INTERVAL = 1.2 / BUDGET
"""Seconds between two requests of one instance: the victims stay within their own budgets."""
ROUNDS, VICTIMS = 25, 4
"""Requests of each victim in a measurement, and victims on each hypervisor: a hundred samples."""
WITHIN = 5.0
"""Milliseconds by which the 99th percentile may rise, or a tenth of what it was."""
ATTEMPTS = 4
"""Other work on this machine delays packets, too; but not each time just when there is a flood."""
RATE = 20_000
"""Frames a second of a flood: 2,000 times the budget, and several times what the controller could answer.

More is only a contest for this machine's processors, which attacker, victims, switches and controller share here.
"""


def run(cloud: Cloud, checks: Checks) -> None:
    """red1 on h1 floods; blue has instances beside it, and on h2."""
    red, blue = cloud.api.project("red"), cloud.api.project("blue")
    reds, blues = (
        cloud.make_network(api, "10.0.0.0/24", name=name) for api, name in ((red, "red-net"), (blue, "blue-net"))
    )
    attacker = cloud.launch("red1", red.create("port", network_id=reds["id"]), on="h1")
    victims = [
        cloud.launch(f"blue{number}{host}", blue.create("port", network_id=blues["id"]), on=host)
        for number in range(VICTIMS)
        for host in ("h1", "h2")
    ]
    for instance in (attacker, *victims[:2]):
        lease(instance)
    with ExitStack() as stack:
        probers = [Prober(victim) for victim in victims]
        for prober in probers:
            stack.callback(prober.close)
        memory, sessions = cloud.controller.memory, _sessions(cloud)
        storm = Storm(cloud, checks, attacker, victims, probers)
        for kind in KINDS:
            storm.blow(kind)
    print(f"\n{table(('who floods', 'frames/s', 'DHCP of blue beside it', 'DHCP of blue elsewhere'), storm.rows)}")
    grown = cloud.controller.memory - memory
    checks.check("MiB that the controller has grown by", "less than 16", f"{grown:.1f}", grown < 16)
    checks.check("OpenFlow sessions that went on", len(sessions), len(sessions.items() & _sessions(cloud).items()))


@dataclass
class Storm:
    """Floods, one after the other, and what they did to others; ``rows`` are for a table."""

    cloud: Cloud
    checks: Checks
    attacker: Instance
    victims: list[Instance]
    probers: list[Prober]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def blow(self, kind: str) -> None:
        """Measure without and with one kind of flood; let real clients lease meanwhile."""
        for attempt in range(1, ATTEMPTS + 1):
            quiet = self._measure()
            came, started = self._packet_ins(), time.monotonic()
            rate, found, leased = self._flood(kind)
            asked, seconds = self._packet_ins() - came, time.monotonic() - started
            most = {host: max(each.p99 * 1.1, each.p99 + WITHIN) for host, each in quiet.items()}
            if all(found[host].p99 <= most[host] for host in found):
                break
            print(f"{kind}, attempt {attempt}: with and without a flood, {_both(found)}; {_both(quiet)}", flush=True)
        self.rows.append(("nobody", "-", *map(str, quiet.values())))
        self.rows.append((kind, f"{rate:.0f}", *map(str, found.values())))
        check = self.checks.check
        check(f"frames a second of the {kind} flood", f"some {RATE}", f"{rate:.0f}", rate > 0.8 * RATE)
        for host, latency in found.items():
            what = f"p99 of blue's DHCP on {host} during the {kind} flood, ms"
            check(what, f"at most {most[host]:.1f}", f"{latency.p99:.1f}", latency.p99 <= most[host])
            check(f"DHCP requests of blue on {host} lost in the {kind} flood", 0, latency.lost)
        addresses = [victim.address for victim in self.victims[:2]]
        check(f"blue's clients lease during the {kind} flood", addresses, leased)
        budget = (seconds + 3) * BUDGET + len(self.victims) * ROUNDS + 8 * len(leased)
        check(f"packets at the controller during the {kind} flood", f"at most {budget:.0f}", asked, asked <= budget)

    def _flood(self, kind: str) -> tuple[float, dict[str, Latency], list[str]]:
        seconds = ROUNDS * INTERVAL + 3
        arguments = (kind, str(RATE), str(seconds), self.attacker.mac, self.attacker.address)
        flood = self.attacker.start(
            *(sys.executable, str(FLOOD), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert flood.stdout is not None
        flood.stdout.readline()
        found = self._measure()
        clients = zip(self.victims, ("udhcpc", "dhclient"), strict=False)
        leased = [lease(victim, client).address for victim, client in clients]
        sent = int(flood.communicate(timeout=60)[0])
        return sent / seconds, found, leased

    def _measure(self) -> dict[str, Latency]:
        """The latencies of all victims, by hypervisor."""
        latencies = measure(self.probers, ROUNDS, INTERVAL)
        hosts = [victim.hypervisor.name for victim in self.victims]
        return {
            host: Latency.of([each for each, at in zip(latencies, hosts, strict=True) if at == host])
            for host in sorted(set(hosts))
        }

    def _packet_ins(self) -> int:
        lines = self.cloud.api.text("GET", "/metrics").splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("sdnapp_packet_ins_total"))


def _both(latencies: dict[str, Latency]) -> str:
    return ", ".join(f"{host}: {latency}" for host, latency in latencies.items())


def _sessions(cloud: Cloud) -> dict[str, str]:
    """Since when each chassis has its OpenFlow session."""
    rows = cloud.api.request("GET", "/sdnapp/chassis")["chassis"]
    return {row["id"]: row["openflow"]["since"] for row in rows}
