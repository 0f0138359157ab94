"""No control plane at all: bridges that learn and flood (``NORMAL``), with a Geneve tunnel from each to the next."""

import itertools
import subprocess

from fabric import Fabric

from tests.bench.planes import Network, Plane

NETWORK = Network("plain", "10.0.0.0/24", 1442)


class Plain(Plane):
    """One network. What Open vSwitch forwards with nothing to check is what others are held against."""

    name = "plain"

    @staticmethod
    def version() -> str:
        shown = subprocess.run(["ovs-vswitchd", "--version"], capture_output=True, text=True, check=True).stdout
        return f"Open vSwitch {shown.split()[3]} by itself: NORMAL bridges, one flow each, Geneve tunnels between them"

    def start(self) -> None:
        self.fabric = Fabric(self.chassis, dummies=True)
        self.fabric.build()
        for each in self.hypervisors.values():
            each.vsctl("add-br br-int -- set Bridge br-int datapath_type=netdev")
        for pair in itertools.pairwise(self.hypervisors.values()):  # a line, which has no loops
            for one, other in (pair, reversed(pair)):
                settings = f"type=geneve options:remote_ip={other.underlay.address} options:key=7"
                one.vsctl(f"add-port br-int to-{other.name} -- set Interface to-{other.name} {settings}")
        for each in self.hypervisors.values():
            each.meet_gateway()
