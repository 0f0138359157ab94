"""sdnapp as a control plane to measure: ``osken-manager sdnapp`` on a machine of the fabric, and its Neutron API."""

import select
from collections.abc import Iterable, Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from cloud import Cloud
from neutron import Neutron
from stations import Station

from tests.bench.machine import ProcessTree
from tests.bench.planes import PATIENCE, TCP, ControlPlane, Network, Port, Tenant, wait_until
from tests.bench.results import OURS
from tests.bench.subjects import our_version

_QUOTAS = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule")
_PAGE = 1000
_UPSTREAM = 'feature="upstream"'
"""What routers' neighbours answer to the controller's own questions, which it asks each second."""


class _Client(Neutron):
    """Keeps its connection, as clients of the API do, and as the client of the peer does; all projects share it."""

    def __init__(self, station: Station, project: str | None = None, kept: list[HTTPConnection] | None = None) -> None:
        super().__init__(station, project)
        self._kept: list[HTTPConnection] = [] if kept is None else kept

    def project(self, name: str) -> "_Client":
        return _Client(self._station, name, self._kept)

    def connection(self, timeout: float) -> HTTPConnection:
        # Of one on which no answer is due, nothing but its end can be read.
        if self._kept and (self._kept[0].sock is None or select.select([self._kept[0].sock], [], [], 0)[0]):
            self._kept.pop().close()
        if not self._kept:
            self._kept.append(super().connection(timeout))
        self._kept[0].sock.settimeout(timeout)
        return self._kept[0]

    def done(self, connection: HTTPConnection) -> None:
        pass


class Ours(ControlPlane):
    """A store on disk, no quotas in the way. Each tenant is a project and speaks for itself."""

    name = OURS
    has_api = True

    @staticmethod
    def version() -> str:
        return our_version()

    def start(self) -> None:
        self.fabric = Cloud(self.chassis, dummies=True)
        self.fabric.settings = {f"quota_{kind}": "-1" for kind in _QUOTAS} | {"api_rate_limit": "0"}
        self.fabric.build()
        self.api = _Client(self.fabric.controller)

    def make_tenant(self, name: str, ports: Sequence[int]) -> Tenant:
        tenant = self.api.project(name)
        group = tenant.create("security_group", name="instances")["id"]
        rules: list[dict[str, Any]] = [
            {"remote_group_id": group},
            {"protocol": TCP, "port_range_min": 22, "port_range_max": 22},
        ]
        both = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4"}
        rules = [both | rule for rule in rules]
        made = tenant.request("POST", "/v2.0/security-group-rules", {"security_group_rules": rules})
        members_rule = made["security_group_rules"][0]["id"]
        wanted = [{"name": f"net{number}"} for number in range(len(ports))]
        made = tenant.request("POST", "/v2.0/networks", {"networks": wanted})["networks"]
        wanted = [
            {"network_id": network["id"], "ip_version": 4, "cidr": f"10.0.{number}.0/24"}
            for number, network in enumerate(made)
        ]
        subnets = tenant.request("POST", "/v2.0/subnets", {"subnets": wanted})["subnets"]
        router = tenant.create("router", name="router")["id"]
        for subnet in subnets:
            tenant.request("PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet["id"]})
        networks = tuple(
            Network(network["id"], subnet["cidr"], network["mtu"])
            for network, subnet in zip(made, subnets, strict=True)
        )
        wanted = [
            {"network_id": network.id, "security_groups": [group]}
            for network, count in zip(networks, ports, strict=True)
            for _ in range(count)
        ]
        answer = tenant.request("POST", "/v2.0/ports", {"ports": wanted}) if wanted else {"ports": []}
        by_id = {network.id: network for network in networks}
        found = tuple(_port(port, by_id[port["network_id"]]) for port in answer["ports"])
        return Tenant(name, networks, router, group, members_rule, found)

    def make_port(self, tenant: Tenant, network: Network, mac: str, address: str) -> Port:
        port = self.api.create(
            "port",
            **{"network_id": network.id, "project_id": tenant.name, "security_groups": [tenant.group]},
            **{"mac_address": mac, "fixed_ips": [{"ip_address": address}]},
        )
        return _port(port, network)

    def delete_port(self, port: Port) -> None:
        self.api.delete("port", port.id)

    def make_group(self, tenant: Tenant) -> str:
        return str(self.api.create("security_group", name="another", project_id=tenant.name)["id"])

    def set_group(self, port: Port, group: str) -> None:
        self.api.update("port", port.id, security_groups=[group])

    def permit(self, group: str, protocol: str) -> str:
        rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": protocol}
        return str(self.api.create("security_group_rule", **rule)["id"])

    def permit_members(self, group: str) -> str:
        rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "remote_group_id": group}
        return str(self.api.create("security_group_rule", **rule)["id"])

    def withdraw(self, group: str, rule: str) -> None:
        self.api.delete("security_group_rule", rule)

    def make_world(self, gateways: Sequence[str]) -> None:
        self._world = self.fabric.make_world()["id"]
        self.fabric.make_gateway(*gateways)

    def lead_outside(self, tenant: Tenant) -> None:
        self.api.update("router", tenant.router, external_gateway_info={"network_id": self._world})
        (gateway,) = self.api.find("port", device_id=tenant.router, device_owner="network:router_gateway")
        self.api.wait_for_status(gateway["id"])

    def add_floating_ip(self, tenant: Tenant, port: Port) -> str:
        made = self.api.create("floatingip", floating_network_id=self._world, port_id=port.id, project_id=tenant.name)
        self.api.wait_until_realized()
        return str(made["floating_ip_address"])

    def wait_in_step(self) -> None:
        self.api.wait_until_in_sync(self.hypervisors, timeout=PATIENCE)
        self.api.wait_until_realized(PATIENCE)

    def wait_active(self, ports: Iterable[Port]) -> None:
        wanted = [port.id for port in ports]
        # The last one first: while it is not there, nobody need be asked about the others.
        self.api.wait_for_status(wanted[-1], timeout=PATIENCE)
        wait_until(lambda: self._active().issuperset(wanted), "all ports are ACTIVE", pause=0.05)
        self.api.wait_until_realized(30)

    def list_ports(self) -> None:
        self.api.request("GET", "/v2.0/ports")

    def _active(self) -> set[str]:
        found: set[str] = set()
        path = f"/v2.0/ports?fields=id&fields=status&limit={_PAGE}"
        while path:
            answer = self.api.request("GET", path)
            found.update(port["id"] for port in answer["ports"] if port["status"] == "ACTIVE")
            links = {link["rel"]: link["href"] for link in answer.get("ports_links", ())}
            path = urlsplit(links["next"])._replace(scheme="", netloc="").geturl() if "next" in links else ""
        return found

    def processes(self) -> list[ProcessTree]:
        assert self.fabric.controller is not None
        return [ProcessTree(self.fabric.controller.process_id)]

    def packet_ins(self) -> int:
        lines = self.api.text("GET", "/metrics").splitlines()
        counts = [line for line in lines if line.startswith("sdnapp_packet_ins_total{") and _UPSTREAM not in line]
        return sum(int(float(line.split()[-1])) for line in counts)

    def longest_holds(self) -> tuple[float, float]:
        lines = self.api.text("GET", "/metrics").splitlines()
        measures = (
            'sdnapp_loop_longest_hold_seconds{by="clock",since="start"',
            'sdnapp_loop_longest_hold_processor_seconds{by="processor",since="start"',
        )
        by_clock, by_processor = (
            float(line.split()[-1]) * 1e3 for measure in measures for line in lines if line.startswith(measure)
        )
        return by_clock, by_processor

    def crash(self) -> None:
        self.fabric.controller.kill_app()

    def return_after_crash(self) -> None:
        self.fabric.controller.start_app()


def _port(port: dict[str, Any], network: Network) -> Port:
    return Port(port["id"], port["mac_address"], port["fixed_ips"][0]["ip_address"], network)
