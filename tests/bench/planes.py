"""What is measured beside one another: a control plane over an emulated fabric, driven by the same intent.

A benchmark speaks to this interface only. ``ours.py``, ``ovn.py`` and ``plain.py`` fulfil it, each through what its
users have: the Neutron API, OVN's northbound database, ``ovs-vsctl``.
"""

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from tests.bench.machine import ProcessTree

if TYPE_CHECKING:
    from hypervisor import Hypervisor
    from stations import Instance

    from tests.bench.interfaces import Interfaces

PATIENCE = 600.0
"""Seconds until what is waited for counts as failed."""
ICMP, TCP, UDP = "icmp", "tcp", "udp"
WORLD, UPSTREAM = "203.0.113.0/24", "203.0.113.1"
"""The external network, and the router there that everything else is behind."""
GATEWAYS = ("h3", "h4")
CHASSIS = 4

T = TypeVar("T")


@dataclass(frozen=True)
class Network:
    """A layer-2 network with one subnet. ``id`` is what its control plane calls it."""

    id: str
    cidr: str
    mtu: int

    def address(self, number: int) -> str:
        """Return one of its addresses; the first is the router's."""
        return str(IPv4Network(self.cidr)[number])

    @property
    def prefix_length(self) -> int:
        """Return how many bits of its addresses are its own."""
        return IPv4Network(self.cidr).prefixlen


@dataclass(frozen=True)
class Port:
    """A port of a network, with one address."""

    id: str
    mac: str
    address: str
    network: Network


@dataclass(frozen=True)
class Tenant:
    """Networks joined by a router, one security group, and ports that are all in it."""

    name: str
    networks: tuple[Network, ...]
    router: str
    group: str
    members_rule: str
    """The rule that lets in what comes from the group's own members."""
    ports: tuple[Port, ...]


class Plane(ABC):
    """Chassis h1, h2, ... in place, with whatever controls them. Use it as a context manager."""

    name: ClassVar[str]
    fabric: Any
    interfaces: Mapping[str, "Interfaces"]

    def __init__(self, chassis: int = CHASSIS) -> None:
        self.chassis = chassis
        self._fresh = itertools.count(1)

    def __enter__(self) -> Self:
        from tests.bench.interfaces import Interfaces

        try:
            self.start()
            self.interfaces = {name: Interfaces(each) for name, each in self.hypervisors.items()}
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @staticmethod
    @abstractmethod
    def version() -> str:
        """Say what it is, to readers of the page."""

    @abstractmethod
    def start(self) -> None:
        """Build the fabric and start everything on it. Returns when each chassis is served."""

    def stop(self) -> None:
        """End and remove all of it."""
        self.fabric.stop()

    def fresh(self, kind: str) -> str:
        """Return a name that nothing else here has: the kind and a number."""
        return f"{kind}{next(self._fresh)}"

    @property
    def hypervisors(self) -> Mapping[str, "Hypervisor"]:
        """Return the chassis by name."""
        hypervisors: Mapping[str, Hypervisor] = self.fabric.hypervisors
        return hypervisors

    def switch_cpu_seconds(self) -> float:
        """Return the processor time that Open vSwitch has taken so far, all chassis together."""
        programs = ("ovs-vswitchd", "ovsdb-server")
        daemons = [each.daemons[program] for each in self.hypervisors.values() for program in programs]
        return sum(ProcessTree(daemon.pid).cpu_seconds() for daemon in daemons)

    def dead_switches(self) -> list[str]:
        """Return the chassis whose ``ovs-vswitchd`` has ended, by itself or killed."""
        return [name for name, each in self.hypervisors.items() if each.daemons["ovs-vswitchd"].poll() is not None]

    def flow_counts(self) -> dict[str, int]:
        """Return how many flows the integration bridge of each chassis holds."""
        return {name: each.count_flows() for name, each in self.interfaces.items()}

    # Interfaces

    def plug_idle(self, names: Mapping[str, Sequence[str]]) -> None:
        """Put idle interfaces on the chassis, which belong to no port yet."""
        self._each(lambda chassis: self.interfaces[chassis].add_idle(names[chassis]), names)

    def claim(self, ports: Mapping[str, Mapping[str, str]]) -> None:
        """Say on each chassis which interface belongs to which port (id), as a compute system does."""
        for chassis, claims in ports.items():
            self.interfaces[chassis].claim(claims)

    def add_guest(
        self, name: str, chassis: str, network: Network, mac: str, address: str, *, plugged: bool = True
    ) -> "Instance":
        """Start an instance, with its address, and plug it in; it belongs to no port until its interface is claimed."""
        from stations import Instance

        guest: Instance = self.fabric.add(name, Instance)
        self.fabric.connect(guest, "eth0", self.hypervisors[chassis], name, addr1=mac)
        guest.checksum_in_software()
        guest.ip(
            f"link set eth0 mtu {network.mtu}",
            "link set eth0 up",
            f"addr add {address}/{network.prefix_length} dev eth0",
            f"route add default via {network.address(1)}",
        )
        if plugged:
            self.plug(chassis, name)
        return guest

    def plug(self, chassis: str, name: str, port_id: str = "") -> None:
        """Plug in an instance, by its interface's name, that belongs to a port (id), or to none yet."""
        self.interfaces[chassis].add_guest(name, port_id)

    def _each(self, act: Callable[[str], T], names: Iterable[str]) -> list[T]:
        with ThreadPoolExecutor(self.chassis) as pool:
            return list(pool.map(act, names))


class ControlPlane(Plane):
    """A control plane that runs, and takes intent. ``has_api``: it has a server of its own that speaks to tenants."""

    has_api: ClassVar[bool] = False
    _beyond: "Instance | None" = None

    # Intent

    @abstractmethod
    def make_tenant(self, name: str, ports: Sequence[int]) -> Tenant:
        """Make a tenant with as many ports in each of its networks, 10.0.0.0/24, 10.0.1.0/24, ...

        The group lets out everything, and in what comes from its own members and TCP to port 22.
        """

    @abstractmethod
    def make_port(self, tenant: Tenant, network: Network, mac: str, address: str) -> Port:
        """Make one more port of the tenant's group."""

    @abstractmethod
    def delete_port(self, port: Port) -> None:
        """Delete a port."""

    @abstractmethod
    def make_group(self, tenant: Tenant) -> str:
        """Make a group that lets everything out and nothing in."""

    @abstractmethod
    def set_group(self, port: Port, group: str) -> None:
        """Let a port be in this group and in no other."""

    @abstractmethod
    def permit(self, group: str, protocol: str) -> str:
        """Let in a protocol from everywhere; return the rule's name."""

    @abstractmethod
    def permit_members(self, group: str) -> str:
        """Let in everything from the group's own members; return the rule's name."""

    @abstractmethod
    def withdraw(self, group: str, rule: str) -> None:
        """Remove a rule."""

    @abstractmethod
    def make_world(self, gateways: Sequence[str]) -> None:
        """Make an external network, flat on the provider's, with gateways by falling preference."""

    def open_world(self) -> "Instance":
        """Return the machine beyond the external network; both are made when they are asked for first."""
        if self._beyond is None:
            self.make_world(GATEWAYS)
            self._beyond = self.fabric.add_server("upstream", f"{UPSTREAM}/{WORLD.partition('/')[2]}")
        return self._beyond

    @abstractmethod
    def lead_outside(self, tenant: Tenant) -> None:
        """Give a tenant's router a way to the external network, with source translation."""

    @abstractmethod
    def add_floating_ip(self, tenant: Tenant, port: Port) -> str:
        """Give a port an address of its own on the external network; return that."""

    @abstractmethod
    def wait_in_step(self) -> None:
        """Wait until each chassis is served, and has confirmed all that was asked for."""

    @abstractmethod
    def wait_active(self, ports: Iterable[Port]) -> None:
        """Wait until all that was asked for is in force on every chassis, and every port is up. Raises TimeoutError."""

    def list_ports(self) -> None:
        """Have every port listed, with its status; nothing where there is no API that does."""

    # Processes

    @abstractmethod
    def processes(self) -> list[ProcessTree]:
        """Return the processes of the control plane, those on chassis included; Open vSwitch's own are not."""

    @abstractmethod
    def crash(self) -> None:
        """Kill (SIGKILL) the processes that program switches."""

    @abstractmethod
    def return_after_crash(self) -> None:
        """Start them again. Returns when they have been started, or answer where they have an API."""

    def cpu_seconds(self) -> float:
        """Return the processor time that the control plane has taken so far."""
        return sum(tree.cpu_seconds() for tree in self.processes())

    def memory_mib(self) -> float:
        """Return the memory that the control plane holds, in MiB."""
        return sum(tree.memory_mib() for tree in self.processes())

    def packet_ins(self) -> int | None:
        """Return how many packets the switches have sent to the control plane so far; None where it does not tell."""
        return None

    def longest_holds(self) -> tuple[float, float] | None:
        """Return for how long one job has held the event loop at most, in ms; None where it does not tell.

        By the clock, which counts what other processes had of the processor meanwhile, and by its own processor time.
        """
        return None


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE, pause: float = 0.01) -> None:
    """Wait until a condition holds. Raises TimeoutError, which says what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)
