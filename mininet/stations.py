"""The machines of an emulated cloud: Mininet nodes inside a fence, and the cables between them."""

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import namespaces
from fence import Fence
from mininet.link import Link
from mininet.node import Node

if TYPE_CHECKING:
    from hypervisor import Hypervisor


class CommandFailed(Exception):
    """A command inside a station ended with an error; the text has the command and what it said."""


class Station(Node):
    """A machine: a network and mount namespace of its own (Mininet's doing), all of its processes inside the fence.

    ``directory`` holds its files; ``environment`` is what its commands see besides this process's own environment.
    """

    def __init__(self, name: str, fence: Fence, environment: dict[str, str] | None = None, **params: Any) -> None:
        self.fence = fence
        self.environment = environment or {}
        self.directory: Path = fence.directory / name
        self.directory.mkdir()
        super().__init__(name, **params)
        for variable, value in self.environment.items():
            self.cmd(f"export {variable}={value}")  # for who types commands at the Mininet prompt
        self.ip("link set lo up")

    def silence(self) -> None:
        """Keep this machine's own IPv6 off its interfaces, which belong to switches or to an IPv4 core."""
        self.sysctl(net__ipv6__conf__default__disable_ipv6=1)

    def _popen(self, cmd: list[str], **params: Any) -> subprocess.Popen[Any]:
        """Mininet's own hook for starting processes, its shell's included."""
        return self.fence.popen(cmd, **params)

    def popen(self, *args: Any, **kwargs: Any) -> subprocess.Popen[Any]:
        """Mininet's own way to start a process, for its prompt.

        It would enter the mount namespace as well, and so leave a chroot that this process may be in.
        """
        return super().popen(*args, mncmd=["nsenter", f"--net=/proc/{self.pid}/ns/net"], **kwargs)

    def start(self, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """Start a command here that goes on beside us, out of reach of the terminal's Ctrl-C.

        Options as for ``subprocess.Popen``.
        """
        with namespaces.visiting(namespaces.NET, self.pid):
            return self.fence.popen(list(command), env=os.environ | self.environment, start_new_session=True, **options)

    def run(self, *command: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run a command here to its end and return what it printed. Raises CommandFailed."""
        process = self.start(
            *command,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            output, errors = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise CommandFailed(f"{self.name}: {' '.join(command)}: not done after {timeout:g} s") from None
        if process.returncode != 0:
            raise CommandFailed(f"{self.name}: {' '.join(command)}: {errors.strip() or output.strip()}")
        return output

    def ip(self, *commands: str) -> None:
        """Run several ``ip`` commands, given without the leading word, in one process."""
        self.run("ip", "-batch", "-", stdin="\n".join(commands) + "\n")

    def sysctl(self, **settings: int) -> None:
        """Set ``net.*`` kernel settings of this namespace; write dots as double underscores."""
        self.run("sysctl", "-qw", *(f"{name.replace('__', '.')}={value}" for name, value in settings.items()))


class Router(Station):
    """A machine of the static layer-3 core: forwards by routes given once and knows nothing of the cloud."""

    def __init__(self, name: str, fence: Fence, **params: Any) -> None:
        super().__init__(name, fence, **params)
        self.silence()
        self.sysctl(net__ipv4__ip_forward=1, net__ipv4__conf__all__rp_filter=0)


class LanSwitch(Station):
    """A machine of a static layer-2 network: a Linux bridge that learns addresses and lets VLAN tags be."""

    def __init__(self, name: str, fence: Fence, **params: Any) -> None:
        super().__init__(name, fence, **params)
        self.silence()
        self.ip("link add lan type bridge stp_state 0", "link set lan up")

    def enslave(self, interface: str) -> None:
        """Make an interface a port of the bridge."""
        self.ip(f"link set {interface} master lan", f"link set {interface} up")


class Instance(Station):
    """A tenant's machine, or a physical server. It has one interface, ``eth0``.

    Once it is plugged, ``port`` is its port as the API showed it, and ``hypervisor`` where it is.
    """

    hypervisor: "Hypervisor"
    port: dict[str, Any]

    @property
    def mac(self) -> str:
        """The MAC address of its port."""
        return str(self.port["mac_address"])

    @property
    def address(self) -> str:
        """The first address of its port."""
        return str(self.port["fixed_ips"][0]["ip_address"])

    @property
    def eth0_mac(self) -> str:
        """The MAC address that ``eth0`` has. Files in ``/sys`` are no way to it: they tell of the real machine's."""
        (link,) = json.loads(self.run("ip", "-json", "link", "show", "dev", "eth0"))
        return str(link["address"])

    def checksum_in_software(self) -> None:
        """Finish checksums before packets leave: a userspace switch reads them as they are, and TCP would stall."""
        self.run("ethtool", "-K", "eth0", "tx", "off")


class Cable(Link):
    """A veth pair whose ends are made where they belong, never in this process's own network namespace.

    Mininet would run ``ip`` in the first node's shell; inside the fence, process ids are other ones than Mininet's.
    """

    @classmethod
    def makeIntfPair(cls, *arguments: Any, **_: Any) -> None:
        """Make the pair; arguments in Mininet's order: two names, two MAC addresses or None, two nodes."""
        names, addresses, nodes = arguments[0:2], arguments[2:4], arguments[4:6]
        ends = [
            [name, *(["address", address] if address else []), "netns", str(node.pid)]
            for name, address, node in zip(names, addresses, nodes, strict=True)
        ]
        subprocess.run(
            ["ip", "link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1]],
            check=True,
            capture_output=True,
            timeout=30,
        )
