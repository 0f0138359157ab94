"""Tenants whose way to the world is by SNAT: a network of 10.0.1.0/24, as everybody has it, and instances on it."""

from cloud import Cloud
from leases import lease
from neutron import Neutron
from stations import Instance


def make_lan(cloud: Cloud, tenant: Neutron, world_id: str) -> str:
    """Make a tenant's network with a router to the world; return the network's id."""
    network = cloud.make_network(tenant, "10.0.1.0/24", name="lan")
    router = tenant.create("router", name="hub", external_gateway_info={"network_id": world_id})
    subnet = tenant.show("network", network["id"])["subnets"][0]
    tenant.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
    return str(network["id"])


def start(cloud: Cloud, tenant: Neutron, network_id: str, name: str, host: str) -> Instance:
    """Start an instance with a new port on a hypervisor, and let it lease its address."""
    instance = cloud.launch(name, tenant.create("port", network_id=network_id), on=host)
    lease(instance, "udhcpc")
    return instance
