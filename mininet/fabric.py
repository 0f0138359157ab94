"""The physical side of a cloud: hypervisors, a management network, and a static core that nobody ever reconfigures.

::

       management network 192.0.2.0/24 (a switch of its own)
        |            |            |            |
    controller       h1           h2           h3            one Open vSwitch each
                   |    |       |    |       |    |
       routed core |    |       |    |       |    |          a subnet for each hypervisor, static routes between
       core1 ------+----|-------|----|-------+    |
         |              |       |    |            |
       core2 -----------|-------+    |            |          (h1 and h3 at core1, h2 at core2)
                        |            |            |
       lan1 ------------+------------|------------+          provider network: two switches,
         |                           |                       transparent for VLAN tags
       lan2 -------------------------+

Everything is in namespaces of its own; several fabrics stand side by side on one machine.
"""

import subprocess
from ipaddress import IPv4Network
from typing import Any, Self, TypeVar

from fence import Fence
from hypervisor import Hypervisor, Underlay
from mininet.net import Mininet
from stations import Cable, Instance, LanSwitch, Router, Station

MANAGEMENT = IPv4Network("192.0.2.0/24")
CONTROLLER = str(MANAGEMENT[1])
TUNNELS = IPv4Network("198.51.100.0/24")

AnyStation = TypeVar("AnyStation", bound=Station)

# Mininet would raise limits of the whole machine when its first network is made. These clouds are small and leave the
# machine as it is.
Mininet.inited = True


class Fabric:
    """Hypervisors over a static core, and instances that can be plugged into them. Use as a context manager.

    ``network`` is the Mininet network, for its prompt; ``hypervisors`` are by name and in order: h1, h2, ...
    """

    def __init__(self, hypervisors: int = 3, *, dummies: bool = False) -> None:
        """``dummies``: let interfaces of ``type=dummy`` be plugged, too: idle ones that cost it little."""
        self.fence = Fence()
        self.network = Mininet(topo=None, build=False, controller=None, link=Cable)
        self.hypervisors: dict[str, Hypervisor] = {}
        self.cores: list[Router] = []
        self.lans: list[LanSwitch] = []
        self.size = hypervisors
        self.dummies = dummies

    def __enter__(self) -> Self:
        try:
            self.build()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove everything that this fabric made; returns when it is gone. May be called at any moment, and again."""
        self.fence.tear_down()
        nodes, self.network.nameToNode = list(self.network.nameToNode.values()), {}
        for node in nodes:
            node.cleanup()  # the terminals of Mininet's shells

    def build(self) -> None:
        """Make and start everything but a controller."""
        self.fence.raise_up()
        self.management = self.add("mgmt", LanSwitch)
        self.cores = [self.add(f"core{number}", Router) for number in (1, 2)]
        self.lans = [self.add(f"lan{number}", LanSwitch) for number in (1, 2)]
        self._join_cores()
        for number in range(1, self.size + 1):
            self._add_hypervisor(number)

    def add(self, name: str, kind: type[AnyStation], **options: object) -> AnyStation:
        """Add a machine to the Mininet network; options as for its class."""
        station: AnyStation = self.network.addHost(name, cls=kind, fence=self.fence, **options)
        return station

    def connect(self, one: Station, interface: str, other: Station, other_interface: str, **options: object) -> Cable:
        """Plug a cable between two machines; options as for ``mininet.link.Link``."""
        cable: Cable = self.network.addLink(one, other, intfName1=interface, intfName2=other_interface, **options)
        return cable

    def add_server(self, name: str, address: str) -> Instance:
        """Add a physical server to the provider's network, untagged, with an address such as ``203.0.113.9/24``."""
        server = self.add(name, Instance)
        self.connect(server, "eth0", self.lans[1], name)
        self.lans[1].enslave(name)
        server.checksum_in_software()
        server.ip(f"addr add {address} dev eth0")
        return server

    def plug(self, instance: Instance, port: dict[str, Any], hypervisor: Hypervisor) -> None:
        """Connect an instance's ``eth0`` to a hypervisor's integration bridge, as a port (a document of the API)."""
        instance.port, instance.hypervisor = port, hypervisor
        self.connect(instance, "eth0", hypervisor, instance.name, addr1=instance.mac)
        instance.checksum_in_software()
        hypervisor.attach(instance.name, port["id"], instance.mac)

    def unplug(self, instance: Instance) -> None:
        """Take an instance's interface away, from the integration bridge and from the instance."""
        instance.hypervisor.detach(instance.name)
        cable = instance.intf("eth0").link
        self.network.links.remove(cable)
        cable.delete()

    def migrate(self, instance: Instance, target: Hypervisor) -> None:
        """Move an instance, running and with its addresses, to another hypervisor.

        As in a live migration the interface appears on the target before the source forgets it.
        """
        source = instance.hypervisor
        end = source.intf(instance.name)
        subprocess.run(
            ["nsenter", f"--net=/proc/{source.pid}/ns/net", "ip", "link", "set", end.name, "netns", str(target.pid)],
            check=True,
            capture_output=True,
        )
        source.delIntf(end)
        target.addIntf(end, moveIntfFn=lambda *_: None)
        end.node = target
        target.ip(f"link set {end.name} up")
        target.attach(end.name, instance.port["id"], instance.mac)
        source.detach(end.name)
        instance.hypervisor = target

    def _join_cores(self) -> None:
        """The link between the two core routers (the first subnet of the tunnels' prefix) and between the two LANs."""
        link, *_ = self._subnets()
        self.connect(self.cores[0], "core2", self.cores[1], "core1")
        for core, interface, address in zip(self.cores, ("core2", "core1"), (link[1], link[2]), strict=True):
            core.ip(f"addr add {address}/{link.prefixlen} dev {interface}")
        self.connect(self.lans[0], "lan2", self.lans[1], "lan1")
        self.lans[0].enslave("lan2")
        self.lans[1].enslave("lan1")

    def _add_hypervisor(self, number: int) -> None:
        """Hypervisors stand at the two core routers and at the two LANs in turn."""
        name = f"h{number}"
        link, *subnets = self._subnets()
        subnet = subnets[number - 1]
        core, other_core = self.cores if number % 2 else reversed(self.cores)
        lan = self.lans[0 if number % 2 else 1]
        underlay = Underlay(str(subnet[2]), subnet.prefixlen, str(subnet[1]), str(TUNNELS))
        options = {"management": str(MANAGEMENT[10 + number]), "underlay": underlay, "dummies": self.dummies}
        hypervisor = self.add(name, Hypervisor, **options)
        self.hypervisors[name] = hypervisor

        self.connect(hypervisor, "mgmt", self.management, name)
        self.management.enslave(name)
        hypervisor.ip(f"addr add {hypervisor.management}/{MANAGEMENT.prefixlen} dev mgmt")
        self.connect(hypervisor, "lan", lan, name)
        lan.enslave(name)
        self.connect(hypervisor, "underlay", core, name)
        core.ip(f"addr add {underlay.gateway}/{subnet.prefixlen} dev {name}")
        other_core.ip(f"route add {subnet} via {link[1 + self.cores.index(core)]}")
        hypervisor.start_database()
        hypervisor.start_switch()

    @staticmethod
    def _subnets() -> list[IPv4Network]:
        return list(TUNNELS.subnets(new_prefix=28))
