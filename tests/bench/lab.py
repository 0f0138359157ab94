"""Instances on one network, of which the first, on h1, pings others that are started one by one."""

from itertools import count
from typing import TYPE_CHECKING

from tests.bench.planes import ControlPlane, Network, Plane, Port

if TYPE_CHECKING:
    from stations import Instance

_MAC = "02:00:00:00:00:{:02x}"
_HOME = "h1"


class Guests:
    """Instances of one network. The first is there already when others come: ``prober``, which pings."""

    def __init__(self, plane: Plane, network: Network) -> None:
        self.plane, self.network = plane, network
        self._numbers = count(10)
        self.guests: dict[str, Instance] = {}
        self.mac = self.address = ""
        """The prober's."""

    @property
    def prober(self) -> "Instance":
        """The first of them."""
        return next(iter(self.guests.values()))

    def prepare(self, chassis: str, *, plugged: bool = True) -> tuple[str, str, str]:
        """Start an instance whose port is still to come; return MAC address, address and interface.

        If it is not to be ``plugged`` in, its cable ends in nothing, which ``Plane.plug`` can change.
        """
        number = next(self._numbers)
        mac, address = _MAC.format(number), self.network.address(number)
        return mac, address, self.add(chassis, mac, address, plugged=plugged)

    def add(self, chassis: str, mac: str, address: str, ttl: int = 64, *, plugged: bool = True) -> str:
        """Start an instance, whose packets begin with a TTL; it and the prober know one another's MAC addresses."""
        name = self.plane.fresh(f"{chassis}v")
        guest = self.guests[name] = self.plane.add_guest(name, chassis, self.network, mac, address, plugged=plugged)
        if len(self.guests) == 1:
            self.mac, self.address = mac, address
        else:
            guest.ip(f"neigh replace {self.address} lladdr {self.mac} dev eth0 nud permanent")
            guest.sysctl(net__ipv4__ip_default_ttl=ttl)
            self.prober.ip(f"neigh replace {address} lladdr {mac} dev eth0 nud permanent")
        return name


class Lab(Guests):
    """A tenant of its own, with one group whose members reach each other."""

    def __init__(self, plane: ControlPlane) -> None:
        self.control = plane
        self.tenant = plane.make_tenant(plane.fresh("lab"), (0,))
        super().__init__(plane, self.tenant.networks[0])
        self.port, _ = self.launch(_HOME)

    def launch(self, chassis: str) -> tuple[Port, str]:
        """Start an instance with its port; return that and the interface, when the port is in force."""
        ((name, port),) = self.launch_all(chassis, 1).items()
        return port, name

    def launch_all(self, chassis: str, count: int) -> dict[str, Port]:
        """Start instances with their ports; return these by interface, when they are in force."""
        ports = {}
        for _ in range(count):
            mac, address, name = self.prepare(chassis)
            ports[name] = self.make_port(mac, address)
        self.plane.claim({chassis: {name: port.id for name, port in ports.items()}})
        self.control.wait_active(ports.values())
        return ports

    def make_port(self, mac: str, address: str) -> Port:
        """Make one more port of the tenant's group."""
        return self.control.make_port(self.tenant, self.network, mac, address)
