"""OVN as a control plane to measure, driven through its northbound database as Neutron's driver for it does.

One transaction for each thing that Neutron makes, by a client that keeps its connection (``ovn-nbctl`` as a daemon). A
security group is a port group with an ACL for each rule; what no rule lets through falls to the drop group that
Neutron puts every port in, too.
"""

import itertools
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fabric import CONTROLLER, MANAGEMENT, Fabric
from hypervisor import PHYSICAL_NETWORK
from stations import CommandFailed, Station

from tests.bench.json_rpc import call
from tests.bench.machine import ProcessTree
from tests.bench.planes import (
    ICMP,
    PATIENCE,
    TCP,
    UDP,
    UPSTREAM,
    WORLD,
    ControlPlane,
    Network,
    Port,
    Tenant,
    wait_until,
)

SCHEMAS = Path("/usr/share/ovn")
DROPS = "neutron_pg_drop"
MTU = 1442
"""What Neutron gives networks over Geneve: OVN's tunnels carry 58 bytes of headers."""
SOUTHBOUND = 6642
_MATCHES = {ICMP: "icmp4", TCP: "tcp", UDP: "udp"}
_OUTSIDE = Network("world", WORLD, 1500)
PROGRAMS = ("ovn-northd", "ovn-controller", "ovn-nbctl", "ovsdb-server")

Command = list[str]


class Ovn(ControlPlane):
    """One ``ovn-northd`` with both databases on a machine of their own, an ``ovn-controller`` on each chassis."""

    name = "ovn"

    def __init__(self, chassis: int = 4) -> None:
        super().__init__(chassis)
        self._numbers = itertools.count(1)
        self._dhcp: dict[str, str] = {}
        """Rows of DHCP options by network."""
        self._central: dict[str, subprocess.Popen[Any]] = {}

    @staticmethod
    def version() -> str:
        shown = subprocess.run(["ovn-controller", "--version"], capture_output=True, text=True, check=True).stdout
        return f"OVN {shown.split()[1]}, one ovn-northd, ovsdb-servers that are no cluster"

    def start(self) -> None:
        self.fabric = Fabric(self.chassis, dummies=True)
        self.fabric.build()
        self.central: Station = self.fabric.add("central", Station)
        self.fabric.connect(self.central, "mgmt", self.fabric.management, "central")
        self.fabric.management.enslave("central")
        self.central.ip(f"addr add {CONTROLLER}/{MANAGEMENT.prefixlen} dev mgmt", "link set mgmt up")
        self.central.environment["OVN_RUNDIR"] = str(self.central.directory)
        for part in ("nb", "sb"):
            database = self._file(f"{part}.db")
            self.central.run("ovsdb-tool", "create", database, str(SCHEMAS / f"ovn-{part}.ovsschema"))
            remotes = [f"--remote=punix:{self._file(part)}.sock"]
            if part == "sb":
                remotes.append("--remote=db:OVN_Southbound,SB_Global,connections")
            self._start_central(f"ovsdb-server-{part}", "ovsdb-server", *remotes, database)
        wait_until(self._databases_answer, "OVN's databases answer")
        # No probe ends a session while a database is busy: as installers of OpenStack set it.
        probes = ("--", "set", "connection", ".", "inactivity_probe=180000")
        self.central.run(
            "ovn-sbctl", f"--db=unix:{self._file('sb.sock')}", "set-connection", f"ptcp:{SOUTHBOUND}:0.0.0.0", *probes
        )
        self._start_northd()
        self._start_central("ovn-nbctl", "ovn-nbctl", f"--db=unix:{self._file('nb.sock')}", "--detach", "--no-chdir")
        wait_until(lambda: self._file("nbctl.ctl").exists(), "ovn-nbctl answers")
        self._client = socket.socket(socket.AF_UNIX)
        self._client.settimeout(PATIENCE)
        self._client.connect(str(self._file("nbctl.ctl")))
        self._run(["pg-add", DROPS], *(self._acl(DROPS, to, 1001, "ip", "drop") for to in (True, False)))
        for hypervisor in self.hypervisors.values():
            settings = {
                "ovn-remote": f"tcp:{CONTROLLER}:{SOUTHBOUND}",
                "ovn-encap-type": "geneve",
                "ovn-encap-ip": hypervisor.underlay.address,
                "ovn-bridge-datapath-type": "netdev",
                "ovn-bridge-mappings": f"{PHYSICAL_NETWORK}:br-ex",
                "ovn-monitor-all": "true",
                "ovn-remote-probe-interval": "180000",
                "ovn-openflow-probe-interval": "180",
            }
            hypervisor.vsctl(
                "set Open_vSwitch . " + " ".join(f"external_ids:{key}={value}" for key, value in settings.items())
            )
            hypervisor.environment["OVN_RUNDIR"] = str(hypervisor.directory)
        self._start_controllers()
        self._nbctl("--wait=hv", "sync")
        for hypervisor in self.hypervisors.values():
            wait_until(lambda each=hypervisor: "br-int" in each.vsctl("list-br"), "ovn-controller has made br-int")
        if self.chassis > 1:
            for hypervisor in self.hypervisors.values():
                hypervisor.meet_gateway()

    # Intent

    def make_tenant(self, name: str, ports: Sequence[int]) -> Tenant:
        group = self._new_group(name)
        members_rule = self.permit_members(group)
        self._run(self._acl(group, True, 1002, "tcp && tcp.dst == 22", "allow-related"))
        router = f"router-{name}"
        self._run(["lr-add", router])
        networks = []
        for number, _ in enumerate(ports):
            network = Network(f"{name}-net{number}", f"10.0.{number}.0/24", MTU)
            self._run(["ls-add", network.id])
            self._make_dhcp(network)
            self._run(*self._join(router, network, self._mac()))
            networks.append(network)
        wanted = []
        for network, count in zip(networks, ports, strict=True):
            dhcp = self._dhcp_of(network)
            for number in range(count):
                port = Port(str(uuid.uuid4()), self._mac(), network.address(2 + number), network)
                wanted.append((port, dhcp))
        self._run(*(command for port, dhcp in wanted for command in self._new_port(port, [group, DROPS], dhcp)))
        return Tenant(name, tuple(networks), router, group, members_rule, tuple(port for port, _ in wanted))

    def make_port(self, tenant: Tenant, network: Network, mac: str, address: str) -> Port:
        port = Port(str(uuid.uuid4()), mac, address, network)
        self._run(*self._new_port(port, [tenant.group, DROPS], self._dhcp[network.id]))
        return port

    def delete_port(self, port: Port) -> None:
        self._run(["lsp-del", port.id])

    def make_group(self, tenant: Tenant) -> str:
        return self._new_group(f"another-{tenant.name}")

    def set_group(self, port: Port, group: str) -> None:
        row = self._nbctl("--bare", "--columns=_uuid", "find", "Logical_Switch_Port", f"name={port.id}").strip()
        held = self._nbctl("--bare", "--columns=name", "find", "Port_Group", f"ports{{>=}}{row}").split()
        leaving = [["remove", "Port_Group", each, "ports", row] for each in held if each != DROPS]
        self._run(*leaving, ["add", "Port_Group", group, "ports", row])

    def permit(self, group: str, protocol: str) -> str:
        return self._permit(group, f"ip4 && {_MATCHES[protocol]}")

    def permit_members(self, group: str) -> str:
        return self._permit(group, f"ip4 && ip4.src == ${group}_ip4")

    def _permit(self, group: str, match: str) -> str:
        self._run(self._acl(group, True, 1002, match, "allow-related"))
        return f"outport == @{group} && {match}"

    def withdraw(self, group: str, rule: str) -> None:
        self._run(["--type=port-group", "acl-del", group, "to-lport", "1002", rule])

    def make_world(self, gateways: Sequence[str]) -> None:
        self._gateways = gateways
        link = f"{_OUTSIDE.id}-link"
        self._run(
            ["ls-add", _OUTSIDE.id],
            ["lsp-add", _OUTSIDE.id, link],
            ["lsp-set-type", link, "localnet"],
            ["lsp-set-addresses", link, "unknown"],
            ["lsp-set-options", link, f"network_name={PHYSICAL_NETWORK}"],
        )

    def lead_outside(self, tenant: Tenant) -> None:
        address, port = self._outside_address(), f"{tenant.router}-{_OUTSIDE.id}"
        smallest = min(network.mtu for network in (*tenant.networks, _OUTSIDE))
        self._run(
            *self._join(tenant.router, _OUTSIDE, self._mac(), address),
            # So that senders of larger packets are told (RFC 1191), as Neutron has it by default from 2025.1 on.
            ["lrp-set-options", port, f"gateway_mtu={smallest}"],
            *(
                ["lrp-set-gateway-chassis", port, gateway, str(20 - rank)]
                for rank, gateway in enumerate(self._gateways)
            ),
            ["lr-route-add", tenant.router, "0.0.0.0/0", UPSTREAM],
            *(["lr-nat-add", tenant.router, "snat", address, network.cidr] for network in tenant.networks),
        )
        self._nbctl("--wait=hv", "sync")

    def add_floating_ip(self, tenant: Tenant, port: Port) -> str:
        address = self._outside_address()
        where = (address, port.address, port.id, self._mac())
        self._run(["lr-nat-add", tenant.router, "dnat_and_snat", *where])
        self._nbctl("--wait=hv", "sync")
        return address

    def _outside_address(self) -> str:
        return _OUTSIDE.address(20 + next(self._numbers) % 200)

    def wait_in_step(self) -> None:
        self._nbctl("--wait=hv", "sync")

    def wait_active(self, ports: Iterable[Port]) -> None:
        self.wait_in_step()
        wanted = {port.id for port in ports}
        wait_until(lambda: not self._down() & wanted, "all ports are up", pause=0.05)

    def _down(self) -> set[str]:
        return set(self._nbctl("--bare", "--columns=name", "find", "Logical_Switch_Port", "up!=true").split())

    # Processes

    def processes(self) -> list[ProcessTree]:
        controllers = [each.daemons["ovn-controller"] for each in self.hypervisors.values()]
        central = [each for name, each in self._central.items() if name != "ovn-nbctl"]  # a client, as Neutron is
        return [ProcessTree(each.pid) for each in (*central, *controllers)]

    def crash(self) -> None:
        for each in self.hypervisors.values():
            each.daemons["ovn-controller"].send_signal(signal.SIGKILL)
        self._central["ovn-northd"].send_signal(signal.SIGKILL)
        for each in self.hypervisors.values():
            each.daemons["ovn-controller"].wait()
        self._central["ovn-northd"].wait()

    def return_after_crash(self) -> None:
        self._start_northd()
        self._start_controllers()

    def _start_northd(self) -> None:
        databases = [f"--ovn{part}-db=unix:{self._file(f'{part}.sock')}" for part in ("nb", "sb")]
        self._start_central("ovn-northd", "ovn-northd", *databases)

    def _start_controllers(self) -> None:
        for hypervisor in self.hypervisors.values():
            hypervisor.daemon("ovn-controller", f"unix:{hypervisor.directory / 'db.sock'}")

    def _start_central(self, name: str, program: str, *arguments: str) -> None:
        with self._file(f"{name}.log").open("ab") as log:
            self._central[name] = self.central.start(
                *(program, "-vconsole:warn", f"--unixctl={self._file(name.removeprefix('ovn-'))}.ctl", *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _file(self, name: str) -> Path:
        return self.central.directory / name

    def _databases_answer(self) -> bool:
        try:
            self.central.run(
                "ovn-nbctl", "--no-leader-only", f"--db=unix:{self._file('nb.sock')}", "--timeout=2", "init"
            )
            self.central.run(
                "ovn-sbctl", "--no-leader-only", f"--db=unix:{self._file('sb.sock')}", "--timeout=2", "init"
            )
        except CommandFailed:
            return False
        return True

    # Transactions

    def _nbctl(self, *words: str) -> str:
        answer: str = call(self._client, {"method": "run", "params": list(words), "id": 0})
        return answer

    def _run(self, *commands: Command) -> None:
        """Do commands in one transaction; a command begins with its own options."""
        if commands:
            self._nbctl(*itertools.chain.from_iterable(("--", *command) for command in commands))

    def _mac(self) -> str:
        digits = f"{next(self._numbers):06x}"
        return "0a:00:00:" + ":".join(digits[at : at + 2] for at in (0, 2, 4))

    def _new_group(self, name: str) -> str:
        group = "pg_" + name.replace("-", "_")
        self._run(["pg-add", group], self._acl(group, False, 1002, "ip4", "allow-related"))
        return group

    @staticmethod
    def _acl(group: str, to_port: bool, priority: int, match: str, action: str) -> Command:
        direction, of = ("to-lport", "outport") if to_port else ("from-lport", "inport")
        command = ["acl-add", group, direction, str(priority), f"{of} == @{group} && {match}", action]
        return ["--type=port-group", *command]

    def _make_dhcp(self, network: Network) -> None:
        self._run(["dhcp-options-create", network.cidr, f"network={network.id}"])
        options = {
            "server_id": network.address(1),
            "server_mac": self._mac(),
            "router": network.address(1),
            "lease_time": "86400",
            "mtu": str(network.mtu),
        }
        self._run(["dhcp-options-set-options", self._dhcp_of(network), *(f"{k}={v}" for k, v in options.items())])

    def _dhcp_of(self, network: Network) -> str:
        if network.id not in self._dhcp:
            found = self._nbctl(
                "--bare", "--columns=_uuid", "find", "DHCP_Options", f"external_ids:network={network.id}"
            )
            self._dhcp[network.id] = found.strip()
        return self._dhcp[network.id]

    @staticmethod
    def _join(router: str, network: Network, mac: str, address: str = "") -> Iterator[Command]:
        own, peer = f"{router}-{network.id}", f"{network.id}-{router}"
        yield ["lrp-add", router, own, mac, f"{address or network.address(1)}/{network.prefix_length}"]
        yield ["lsp-add", network.id, peer]
        yield ["lsp-set-type", peer, "router"]
        yield ["lsp-set-addresses", peer, "router"]
        yield ["lsp-set-options", peer, f"router-port={own}"]

    @staticmethod
    def _new_port(port: Port, groups: Iterable[str], dhcp: str) -> Iterator[Command]:
        row = f"@port{port.id.replace('-', '')}"
        where = f"{port.mac} {port.address}"
        columns = [f"name={port.id}", f'addresses="{where}"', f'port_security="{where}"', f"dhcpv4_options={dhcp}"]
        yield [f"--id={row}", "create", "Logical_Switch_Port", *columns]
        yield ["add", "Logical_Switch", port.network.id, "ports", row]
        for group in groups:
            yield ["add", "Port_Group", group, "ports", row]
