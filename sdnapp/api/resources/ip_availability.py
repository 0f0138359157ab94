"""How many addresses of a network are in use, and how many there are, for administrators.

Counts are those of the claims by which addresses are taken: exact, and read off the store without visiting ports.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Any, ClassVar

from neutron_lib import exceptions
from neutron_lib.api.definitions import network_ip_availability, network_ip_availability_details

from sdnapp.api import policy
from sdnapp.api.attributes import AttributeMap
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Filter, ReadOnlyResource, column
from sdnapp.api.schemas import COUNT, INTEGER, STRING, list_of, record
from topology.allocation import address_scope
from topology.values import Network, Subnet

_DETAILS = network_ip_availability_details.IP_AVAILABILITY_DETAILS
_NAMES = ("total_ips_in_subnet", "total_ips_in_allocation_pool", "used_ips_in_subnet", "used_ips_in_allocation_pool")
_COUNTS = record(dict.fromkeys(_NAMES, INTEGER), _NAMES)
_OF_SUBNET = {
    **dict.fromkeys(("subnet_id", "subnet_name", "cidr"), STRING),
    **dict.fromkeys(("ip_version", "used_ips", "total_ips"), COUNT),
    _DETAILS: _COUNTS,
}


def _of_subnet(ctx: Context, subnet: Subnet) -> dict[str, Any]:
    details = _details(ctx, subnet)
    prefix = ip_network(subnet.cidr)
    return {
        "subnet_id": subnet.id,
        "subnet_name": subnet.name,
        "cidr": subnet.cidr,
        "ip_version": subnet.ip_version,
        "used_ips": details["used_ips_in_subnet"],
        "total_ips": details["total_ips_in_allocation_pool"] if subnet.allocation_pools else prefix.num_addresses,
        _DETAILS: details,
    }


def _details(ctx: Context, subnet: Subnet) -> dict[str, int]:
    prefix, used = ip_network(subnet.cidr), ctx.store.claimed(address_scope(subnet.id))
    ranges = [(int(ip_address(pool.start)), int(ip_address(pool.end))) for pool in subnet.allocation_pools]
    # As Neutron counts: also where a short prefix has no addresses to spare for the network's own and broadcast.
    reserved = 0 if isinstance(prefix, IPv6Network) else 2
    return {
        "total_ips_in_subnet": prefix.num_addresses - reserved,
        "total_ips_in_allocation_pool": sum(last - first + 1 for first, last in ranges),
        "used_ips_in_subnet": len(used),
        "used_ips_in_allocation_pool": sum(bisect_right(used, b) - bisect_left(used, a) for a, b in ranges),
    }


def _subnets(ctx: Context, network: Network) -> list[dict[str, Any]]:
    return [_of_subnet(ctx, subnet) for subnet in ctx.store.find(Subnet, "network", network.id)]


def _sum(ctx: Context, network: Network) -> dict[str, int]:
    total = Counter(dict.fromkeys(_NAMES, 0))
    for subnet in _subnets(ctx, network):
        total.update(subnet[_DETAILS])
    return dict(total)


class IpAvailabilities(ReadOnlyResource[Network]):
    """Networks, as to their addresses."""

    name = network_ip_availability.RESOURCE_NAME
    collection = network_ip_availability.RESOURCE_PLURAL
    row = Network
    attributes = AttributeMap(collection, (network_ip_availability, network_ip_availability_details), {})
    view: ClassVar = {
        "network_id": column("id"),
        "network_name": column("name"),
        "tenant_id": column("project_id"),
        "project_id": column("project_id"),
        "total_ips": lambda ctx, network: sum(subnet["total_ips"] for subnet in _subnets(ctx, network)),
        "used_ips": lambda ctx, network: sum(subnet["used_ips"] for subnet in _subnets(ctx, network)),
        "subnet_ip_availability": _subnets,
        _DETAILS: _sum,
    }
    unseen: ClassVar = {"id": column("id")}
    schemas: ClassVar = {
        **dict.fromkeys(("network_id", "network_name", "tenant_id", "project_id"), STRING),
        "total_ips": COUNT,
        "used_ips": COUNT,
        "subnet_ip_availability": list_of(record(_OF_SUBNET, _OF_SUBNET)),
        _DETAILS: _COUNTS,
    }
    indexes: ClassVar = {"network_name": "name", "tenant_id": "project", "project_id": "project"}
    rules: ClassVar = {"get_network_ip_availability": policy.any_of(policy.admin, policy.service)}

    def not_found(self, row_id: str) -> exceptions.NeutronException:
        """Return NetworkNotFound."""
        return exceptions.NetworkNotFound(net_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """None: only administrators and services see the use of addresses."""
        return ()

    def target(self, ctx: Context, row: Network, values: Mapping[str, Any]) -> Target:
        """Return the network's owner."""
        return Target(row.project_id)

    def special_filter(self, name: str, values: list[str]) -> Filter | None:
        """``network_id`` is the id of the row; ``ip_version`` that of any subnet of the network."""
        if name == "network_id":
            return Filter(lambda ctx, network: network.id in values, "id", values)
        if name == "ip_version":
            return Filter(
                lambda ctx, network: any(
                    str(subnet.ip_version) in values for subnet in ctx.store.find(Subnet, "network", network.id)
                )
            )
        return None
