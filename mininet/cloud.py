"""A whole cloud: the fabric, the controller, and tenants' instances on their ports."""

from controller import Controller, sdnapp
from fabric import CONTROLLER, MANAGEMENT, Fabric
from hypervisor import PHYSICAL_NETWORK, Hypervisor
from neutron import Document, Neutron
from stations import Instance


class Cloud(Fabric):
    """A fabric whose hypervisors are chassis of a running controller. Use as a context manager."""

    controller: Controller | None = None
    api: Neutron

    def build(self) -> None:
        """Make the fabric, start the controller, and set every hypervisor up with the product's own command."""
        super().build()
        self.controller = self.add("controller", Controller)
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
        for hypervisor in self.hypervisors.values():
            hypervisor.meet_gateway()

    def launch(self, name: str, port: Document, hypervisor: Hypervisor) -> Instance:
        """Start an instance on a hypervisor, with a port; returns when the port is ACTIVE."""
        instance = self.add(name, Instance)
        self.plug(instance, port["id"], port["mac_address"], hypervisor)
        self.api.wait_for_status(port["id"])
        return instance

    def set_address(self, instance: Instance, port: Document) -> None:
        """Give an instance its port's addresses by hand, where there is no DHCP; MTU as the network's."""
        network = self.api.show("network", port["network_id"])
        instance.ip(f"link set eth0 mtu {network['mtu']}")
        for fixed in port["fixed_ips"]:
            subnet = self.api.show("subnet", fixed["subnet_id"])
            length = subnet["cidr"].partition("/")[2]
            instance.ip(f"addr add {fixed['ip_address']}/{length} dev eth0")

    def controller_log(self) -> str:
        """The end of the controller's log."""
        return self.controller.last_words() if self.controller else "(no controller was started)"
