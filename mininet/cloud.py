"""A whole cloud: the fabric, the controller, and tenants' instances on their ports."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from controller import Controller, sdnapp
from fabric import CONTROLLER, MANAGEMENT, Fabric
from hypervisor import PHYSICAL_NETWORK
from neutron import Document, Neutron
from stations import Instance

WORLD, UPSTREAM, FAR = "203.0.113.0/24", "203.0.113.1", "198.18.0.9"
SCENARIOS = Path(__file__).resolve().parent / "scenarios"


class Cloud(Fabric):
    """A fabric whose hypervisors are chassis of a running controller. Use as a context manager."""

    controller: Controller | None = None
    api: Neutron
    settings: Mapping[str, str] = {}
    """Options of the controller, of the group ``[sdnapp]``; to be set before ``build``."""

    def build(self) -> None:
        """Make the fabric, start the controller, and set every hypervisor up with the product's own command."""
        super().build()
        self.controller = self.add("controller", Controller, settings=self.settings)
        self.connect(self.controller, "mgmt", self.management, "controller")
        self.management.enslave("controller")
        self.controller.ip(f"addr add {CONTROLLER}/{MANAGEMENT.prefixlen} dev mgmt")
        self.controller.start_app()
        self.api = self.controller.api
        for hypervisor in self.hypervisors.values():
            sdnapp(
                hypervisor,
                *("chassis", "init", "--controller", CONTROLLER, "--encap-ip", hypervisor.underlay.address),
                *("--bridge-mappings", f"{PHYSICAL_NETWORK}:br-ex"),
            )
        self.api.wait_until_in_sync(self.hypervisors)
        for hypervisor in self.hypervisors.values():
            hypervisor.meet_gateway()

    def make_network(self, api: Neutron, cidr: str, enable_dhcp: bool = True, **attributes: Any) -> Document:
        """Create a network with one subnet, through somebody's view of the API; attributes as for networks."""
        network = api.create("network", **attributes)
        api.create("subnet", network_id=network["id"], ip_version=4, cidr=cidr, enable_dhcp=enable_dhcp)
        return network

    def apply(self, file: str, *options: str) -> dict[str, Document]:
        """Make what a file beside the scenarios describes, by the ``sdnapp`` command; return its ports by name."""
        assert self.controller is not None
        answer = json.loads(sdnapp(self.controller, "apply", "--json", *options, str(SCENARIOS / file)))
        made = [change["id"] for change in answer["changes"] if change["resource"] == "port"]
        return {port["name"]: port for port in (self.api.show("port", port_id) for port_id in made)}

    def make_gateway(self, *hypervisors: str) -> None:
        """Let hypervisors be gateway chassis."""
        for name in hypervisors:
            sdnapp(self.hypervisors[name], "chassis", "init", "--controller", CONTROLLER, "--gateway")

    def make_world(self) -> Document:
        """Create an external network on the provider's flat LAN, with an upstream router at 203.0.113.1."""
        network = self.api.create(
            "network",
            **{"name": "world", "router:external": True},
            **{"provider:network_type": "flat", "provider:physical_network": PHYSICAL_NETWORK},
        )
        self.api.create(
            "subnet",
            network_id=network["id"],
            ip_version=4,
            cidr=WORLD,
            gateway_ip=UPSTREAM,
            enable_dhcp=False,
        )
        return network

    def add_upstream(self, name: str = "upstream") -> Instance:
        """Add the router of that network, a host of the world itself: it has the address ``FAR`` as well."""
        server = self.add_server(name, f"{UPSTREAM}/{IPv4Network(WORLD).prefixlen}")
        server.ip(f"addr add {FAR}/32 dev lo")
        return server

    def launch(self, name: str, port: Document, on: str) -> Instance:
        """Start an instance on a hypervisor, with a port; returns when the port is ACTIVE."""
        instance = self.add(name, Instance)
        self.plug(instance, port, self.hypervisors[on])
        self.api.wait_for_status(port["id"])
        return instance

    def set_address(self, instance: Instance) -> None:
        """Give an instance its port's addresses by hand, where there is no DHCP; MTU as the network's."""
        network = self.api.show("network", instance.port["network_id"])
        instance.ip(f"link set eth0 mtu {network['mtu']}")
        for fixed in instance.port["fixed_ips"]:
            subnet = self.api.show("subnet", fixed["subnet_id"])
            instance.ip(f"addr add {fixed['ip_address']}/{IPv4Network(subnet['cidr']).prefixlen} dev eth0")

    def trace_from_outside(self, network: Document, to: str, **asked: str) -> str:
        """What the controller says becomes of a packet from a physical network: the verdict, and ids of ports."""
        query = urlencode({"from_outside": network["id"], "to": to, **asked})
        found = self.api.request("GET", f"/sdnapp/trace?{query}")
        return " ".join((found["verdict"], *(each["port_id"] for each in found["delivered_to"])))

    def controller_log(self) -> str:
        """The end of the controller's log."""
        return self.controller.last_words() if self.controller else "(no controller was started)"
