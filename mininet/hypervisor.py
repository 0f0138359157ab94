"""A hypervisor: a station with an Open vSwitch of its own, as a physical one has.

- ``mgmt``: its interface on the management network, for OpenFlow and OVSDB to the controller.
- ``br-phy``: holds ``underlay``, its link to the routed core, and on its internal port the tunnel address.
- ``br-ex``: holds ``lan``, its link to the provider's layer-2 network, and forwards as any learning switch.
- ``br-int``: the integration bridge, which the controller makes.

All bridges use the userspace datapath, so that the kernel needs no Open vSwitch module and each hypervisor has its own.
"""

import re
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from fence import Fence
from stations import CommandFailed, Station

DURATION = re.compile(r"duration=([\d.]+)s")
LEARNT = re.compile(r"learn\([^)]*delete_learned,cookie=(0x[0-9a-f]+)")
"""The cookie of what a flow lets the switch make."""
STATISTICS = re.compile(r"(duration|n_packets|n_bytes|idle_age|hard_age)=[\d.]+s?, ?")
BFD_INTERVALS = re.compile(r"  RX Interval: Approx (\d+)ms.*  Local Minimum RX Interval: (\d+)ms", re.DOTALL)
PHYSICAL_NETWORK = "physnet1"


@dataclass(frozen=True)
class Underlay:
    """Where a hypervisor stands on the static core: its tunnel address, and the router that leads to the others."""

    address: str
    prefix_length: int
    gateway: str
    everyone: str
    """The prefix that holds all tunnel addresses."""


class Hypervisor(Station):
    """Runs ``ovsdb-server`` and ``ovs-vswitchd`` privately; ``run("ovs-vsctl", ...)`` speaks to these."""

    def __init__(
        self, name: str, fence: Fence, management: str, underlay: Underlay, dummies: bool = False, **params: Any
    ) -> None:
        directory = fence.directory / name
        super().__init__(
            name,
            fence,
            environment={
                variable: str(directory) for variable in ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR")
            },
            **params,
        )
        self.silence()
        self.management = management
        self.underlay = underlay
        self._switch_options = ["--enable-dummy"] if dummies else []
        self.daemons: dict[str, subprocess.Popen[Any]] = {}

    def start_database(self) -> None:
        """Create the switch's database and serve it; ``set-manager`` has effect through ``manager_options``."""
        self.run("ovsdb-tool", "create", str(self.directory / "conf.db"))
        self.daemon(
            "ovsdb-server",
            str(self.directory / "conf.db"),
            f"--remote=punix:{self.directory / 'db.sock'}",
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
        )
        self._initialise()
        version = self.run("ovs-vswitchd", "--version").split()[3]
        # One thread of each kind: a few guests need no more, and all hypervisors share one machine's processors.
        self.vsctl(
            "--no-wait set Open_vSwitch . other_config:n-handler-threads=1 other_config:n-revalidator-threads=1",
            # What a distribution's start script would have written.
            f"set Open_vSwitch . ovs_version={version}",
            f"set Open_vSwitch . external_ids:system-id={self.name} external_ids:hostname={self.name}",
            # The kernel may have an Open vSwitch module, which every hypervisor of this machine would share.
            "set Open_vSwitch . external_ids:sdnapp-datapath-type=netdev",
        )

    def start_switch(self) -> None:
        """Start ``ovs-vswitchd``; after a restart, give br-phy its addresses again, as a hypervisor's boot does."""
        # The priority that a distribution's start script gives it.
        database = f"unix:{self.directory / 'db.sock'}"
        self.daemon("ovs-vswitchd", database, *self._switch_options, nice=-10)
        # A change, if only of a mark, makes ovs-vsctl wait until ovs-vswitchd has set up all that it should.
        self.vsctl(
            f"set Open_vSwitch . external_ids:started={time.monotonic_ns()}",
            "--may-exist add-br br-phy -- set Bridge br-phy datapath_type=netdev",
            "--may-exist add-port br-phy underlay",
            "--may-exist add-br br-ex -- set Bridge br-ex datapath_type=netdev",
            "--may-exist add-port br-ex lan",
        )
        self.ip(
            f"addr replace {self.underlay.address}/{self.underlay.prefix_length} dev br-phy",
            "link set br-phy up",
            "link set br-ex up",
            f"route replace {self.underlay.everyone} via {self.underlay.gateway} dev br-phy",
        )

    def meet_gateway(self, timeout: float = 20) -> None:
        """Let Open vSwitch learn the core router's MAC address, once there is a tunnel port.

        It learns from answers to the hypervisor's own traffic. Without any, each tunnel would lose its first packet.
        Raises CommandFailed.
        """
        deadline = time.monotonic() + timeout
        while self.underlay.gateway not in self.run("ovs-appctl", "tnl/neigh/show"):
            if time.monotonic() > deadline:
                raise CommandFailed(f"{self.name} has no tunnel port, or {self.underlay.gateway} does not answer")
            self.ip("neigh flush dev br-phy")
            self.run("ping", "-n", "-q", "-c", "1", "-w", "10", self.underlay.gateway)

    def kill_switch(self) -> None:
        """End ``ovs-vswitchd`` as a crash would (SIGKILL): its datapath and all flows are gone."""
        if (switch := self.daemons.get("ovs-vswitchd")) is not None:
            switch.send_signal(signal.SIGKILL)
            switch.wait()

    @property
    def is_running(self) -> bool:
        """Whether the switch is, as far as nobody else has ended it."""
        switch = self.daemons.get("ovs-vswitchd")
        return switch is not None and switch.poll() is None

    def attach(self, interface: str, port_id: str, mac_address: str) -> None:
        """Put an interface on the integration bridge, as any compute system does: it claims the port by its id."""
        self.vsctl(
            f"add-port br-int {interface}",
            f'set Interface {interface} external_ids:iface-id={port_id} external_ids:attached-mac="{mac_address}"',
        )

    def detach(self, interface: str) -> None:
        """Take an interface off the integration bridge."""
        self.vsctl(f"del-port br-int {interface}")

    def vsctl(self, *commands: str) -> str:
        """Run ``ovs-vsctl`` commands, given as words in a string each, in one transaction."""
        return self.run("ovs-vsctl", "--timeout=30", *" -- ".join(commands).split())

    def hears_by_bfd(self) -> list[bool]:
        """For each of its BFD sessions, whether it is up, and hears the other end as often as it wants to.

        A session begins with a hello a second (RFC 5880, section 6.8.3), and would notice a failure only after three.
        """
        sessions = self.run("ovs-appctl", "bfd/show").split("---- ")[1:]
        return ["Local Session State: up" in each and _is_as_fast_as_wanted(each) for each in sessions]

    def flows(self) -> set[str]:
        """The flows that the integration bridge was given, as ``ovs-ofctl`` prints them, without age and counters.

        Those that it has made itself, to count what it drops, come with packets and are left out.
        """
        return {STATISTICS.sub("", line) for line in self._given()}

    def youngest_flow(self) -> float:
        """How many seconds ago a flow was last added or replaced by whom the switch obeys."""
        return min(self.flow_ages())

    def flow_ages(self) -> list[float]:
        """The seconds since each flow was added or replaced by whom the switch obeys."""
        return [float(age) for line in self._given() for age in DURATION.findall(line)]

    def _given(self) -> list[str]:
        lines = self._dump()
        learnt = {f"cookie={cookie}," for line in lines for cookie in LEARNT.findall(line)}
        return [line for line in lines if line.split()[0] not in learnt]

    def daemon(self, program: str, *arguments: str, nice: int = 0) -> None:
        """Start one of Open vSwitch's daemons; it is known by its name in ``daemons``."""
        with (self.directory / f"{program}.log").open("ab") as log:
            self.daemons[program] = self.start(
                *("nice", "-n", str(nice), program),
                f"--pidfile={self.directory / program}.pid",
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _initialise(self, timeout: float = 20) -> None:
        """Write the first row, as soon as the database answers. ovs-vsctl would itself look again only every second."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.run("ovs-vsctl", "--no-wait", "init")
            except CommandFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _dump(self) -> list[str]:
        dump = self.run("ovs-ofctl", "-O", "OpenFlow13,OpenFlow15", "dump-flows", "br-int", timeout=120)
        return [line.strip() for line in dump.splitlines() if "table=" in line]


def _is_as_fast_as_wanted(session: str) -> bool:
    intervals = BFD_INTERVALS.search(session)
    return intervals is not None and int(intervals[1]) <= int(intervals[2])
