"""A tenant whose first instance, on h1, pings others that are started one by one."""

from itertools import count
from typing import TYPE_CHECKING

from tests.bench.planes import ControlPlane, Port

if TYPE_CHECKING:
    from stations import Instance

_MAC = "02:00:00:00:00:{:02x}"
_HOME = "h1"


class Lab:
    """One network, one group whose members reach each other. ``prober`` is the instance that pings."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.tenant = plane.make_tenant(plane.fresh("lab"), (0,))
        (self.network,) = self.tenant.networks
        self._numbers = count(10)
        self.guests: dict[str, Instance] = {}
        self.port, name = self.launch(_HOME)
        self.prober = self.guests[name]

    def launch(self, chassis: str) -> tuple[Port, str]:
        """Start an instance with its port; return that and the interface, when the port is in force."""
        ((name, port),) = self.launch_all(chassis, 1).items()
        return port, name

    def launch_all(self, chassis: str, count: int) -> dict[str, Port]:
        """Start instances with their ports; return these by interface, when they are in force."""
        ports = {}
        for _ in range(count):
            mac, address, name = self.prepare(chassis)
            ports[name] = self.plane.make_port(self.tenant, self.network, mac, address)
        self.plane.claim({chassis: {name: port.id for name, port in ports.items()}})
        self.plane.wait_active(ports.values())
        return ports

    def prepare(self, chassis: str) -> tuple[str, str, str]:
        """Start an instance whose port is still to come; return MAC address, address and interface."""
        number = next(self._numbers)
        mac, address = _MAC.format(number), self.network.address(number)
        return mac, address, self.add(chassis, mac, address)

    def add(self, chassis: str, mac: str, address: str, ttl: int = 64) -> str:
        """Start an instance, whose packets begin with a TTL; it and the prober know one another's MAC addresses."""
        name = self.plane.fresh(f"{chassis}v")
        guest = self.guests[name] = self.plane.add_guest(name, chassis, self.network, mac, address)
        if len(self.guests) > 1:
            guest.ip(f"neigh replace {self.port.address} lladdr {self.port.mac} dev eth0 nud permanent")
            guest.sysctl(net__ipv4__ip_default_ttl=ttl)
            self.prober.ip(f"neigh replace {address} lladdr {mac} dev eth0 nud permanent")
        return name
