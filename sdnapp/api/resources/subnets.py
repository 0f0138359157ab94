"""Subnets: IPv4 prefixes of a network that do not overlap, their pools and gateway, and what DHCP says about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, ip_network
from typing import Any, ClassVar
from uuid import uuid4

from netaddr import IPNetwork
from neutron_lib import constants, exceptions
from neutron_lib.api.definitions import default_subnetpools, external_net, subnet_external_network, subnet_service_types
from neutron_lib.api.definitions import subnet as subnet_definition

from sdnapp.api import policy, tags
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap, is_set
from sdnapp.api.errors import invalid_input
from sdnapp.api.intent.declaration import InFile, Reference
from sdnapp.api.policy import Target
from sdnapp.api.resource import (
    STANDARD_SCHEMAS,
    STANDARD_VIEW,
    Context,
    Resource,
    column,
    constant,
    is_shared,
    networks_of,
    sees_network,
    stamp_changed,
    target_on,
)
from sdnapp.api.resources import pools, subnet_prefixes
from sdnapp.api.resources.pools import is_ipv4
from sdnapp.api.resources.release import AUTO_DELETED
from sdnapp.api.schemas import ADDRESS, PREFIX, list_of, record
from sdnapp.api.sharing import external_ids, shared_ids
from topology.allocation import release_address
from topology.store import Transaction
from topology.values import Network, Port, Route, Subnet

_MEMBERS = policy.any_of(policy.admin, policy.network_member)
_OWNERS = policy.any_of(policy.project_member, _MEMBERS)
_MODES = ("ipv6_ra_mode", "ipv6_address_mode")
_LONGEST_OWNER = 255
_PLAIN = ("name", "description", "enable_dhcp")


class Subnets(Resource[Subnet]):
    """Prefixes of networks."""

    name = "subnet"
    collection = "subnets"
    row = Subnet
    has_quota = True
    takes_others_along = True
    attributes = AttributeMap(
        "subnets",
        (subnet_definition, default_subnetpools, subnet_external_network, subnet_service_types),
        STANDARD_ATTRIBUTES | tags.TAG_ATTRIBUTES,
    )
    view = STANDARD_VIEW | {
        "tags": tags.show,
        "network_id": column("network_id"),
        "ip_version": column("ip_version"),
        "cidr": column("cidr"),
        "gateway_ip": column("gateway_ip"),
        "enable_dhcp": column("enable_dhcp"),
        "allocation_pools": lambda ctx, subnet: [{"start": p.start, "end": p.end} for p in subnet.allocation_pools],
        "dns_nameservers": lambda ctx, subnet: list(subnet.dns_nameservers),
        "host_routes": lambda ctx, subnet: [
            {"destination": r.destination, "nexthop": r.nexthop} for r in subnet.host_routes
        ],
        "subnetpool_id": column("subnetpool_id"),
        "service_types": lambda ctx, subnet: list(subnet.service_types),
        "ipv6_ra_mode": constant(None),
        "ipv6_address_mode": constant(None),
        external_net.EXTERNAL: lambda ctx, subnet: (
            (network := ctx.store.get(Network, subnet.network_id)) is not None and network.external
        ),
    }
    unseen: ClassVar = {
        "shared": lambda ctx, subnet: (
            (network := ctx.store.get(Network, subnet.network_id)) is not None and is_shared(ctx, network)
        ),
    }
    schemas: ClassVar = STANDARD_SCHEMAS | {
        "cidr": PREFIX,
        "dns_nameservers": list_of(ADDRESS),
        "host_routes": list_of(record({"destination": PREFIX, "nexthop": ADDRESS}, ("destination", "nexthop"))),
    }
    indexes: ClassVar = Resource.indexes | {"network_id": "network", "subnetpool_id": "pool"}
    in_file = InFile(
        parent="network_id",
        references={"network_id": Reference(("network",)), "subnetpool_id": Reference(("subnetpool",))},
        keys=("cidr", "name"),
        chosen=frozenset({"cidr", "subnetpool_id"}),
        defaults={
            "ip_version": lambda ctx, subnet, values: _version_of(subnet.cidr),
            "gateway_ip": lambda ctx, subnet, values: pools.default_gateway(IPv4Network(subnet.cidr)),
            "allocation_pools": lambda ctx, subnet, values: [
                {"start": pool.row().start, "end": pool.row().end}
                for pool in pools.default_pools(IPv4Network(subnet.cidr), values["gateway_ip"])
            ],
        },
        completed={"ip_version": lambda given: _version_of(str(given.get("cidr", "")))},
        canonical={"cidr": lambda cidr: str(ip_network(cidr, strict=False))},
    )
    rules: ClassVar = {
        "get_subnet": policy.any_of(
            policy.admin,
            policy.service,
            policy.project_reader,
            policy.network_reader,
            policy.shared_reader,
            policy.external_network,
        ),
        "create_subnet": _MEMBERS,
        "update_subnet": _OWNERS,
        "delete_subnet": _OWNERS,
    }

    def not_found(self, row_id: str) -> exceptions.NeutronException:
        """Return SubnetNotFound."""
        return exceptions.SubnetNotFound(subnet_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own subnets, and those of own, shared and external networks."""
        project_id = ctx.who.project_id
        shared = shared_ids(ctx.store, Network, project_id)
        networks = {*networks_of(ctx), *shared, *external_ids(ctx.store, project_id)}
        on_networks = [ctx.store.find_ids(Subnet, "network", network_id) for network_id in networks]
        return [ctx.store.find_ids(Subnet, "project", project_id), *on_networks]

    def target(self, ctx: Context, row: Subnet, values: Mapping[str, Any]) -> Target:
        """Return the subnet, its owner, and its network's."""
        return target_on(ctx, row)

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be, and the network's. Raises NetworkNotFound."""
        network = visible_network(ctx, values["network_id"])
        return Target(values["project_id"], network.project_id, is_shared(ctx, network))

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> Subnet:
        """Check the prefix against the network's others; work out gateway and pools."""
        network = visible_network(ctx, values["network_id"])
        prefix, pool = subnet_prefixes.take(ctx, tx, values)
        _check_dhcp(prefix, values["enable_dhcp"])
        gateway = values["gateway_ip"]
        if gateway is constants.ATTR_NOT_SPECIFIED:
            gateway = pools.default_gateway(prefix)
        else:
            _check_version(gateway, "gateway_ip")
            pools.check_gateway(prefix, gateway)
        lists = _lists(ctx, "new subnet", values)
        for mode in _MODES:
            if is_set(values.get(mode)):
                raise invalid_input(f"{mode} is not valid when ip_version is 4")
        if network.mtu < constants.IPV4_MIN_MTU:
            raise exceptions.NetworkMTUSubnetConflict(net_id=network.id, mtu=constants.IPV4_MIN_MTU)
        if is_set(values["allocation_pools"]) and values["allocation_pools"]:
            allocation = pools.checked_pools(prefix, values["allocation_pools"])
            pools.check_gateway_outside(gateway, allocation)
        else:
            allocation = pools.default_pools(prefix, gateway)
        _check_overlap(network, prefix, ctx.store.find(Subnet, "network", network.id))
        subnet_prefixes.check_neighbours(ctx, network.id, pool)
        stamp_changed(ctx, tx, network)
        return Subnet(
            id=str(uuid4()),
            project_id=values["project_id"],
            network_id=network.id,
            cidr=str(prefix),
            name=values["name"],
            description=values["description"],
            gateway_ip=gateway,
            enable_dhcp=values["enable_dhcp"],
            allocation_pools=tuple(pool.row() for pool in allocation),
            dns_nameservers=lists.get("dns_nameservers", ()),
            host_routes=lists.get("host_routes", ()),
            subnetpool_id=pool.id if pool is not None else None,
            service_types=_service_types(values),
        )

    def update(self, ctx: Context, tx: Transaction, row: Subnet, values: dict[str, Any]) -> Subnet:
        """Check what changes against what stays."""
        prefix = IPv4Network(row.cidr)
        changes: dict[str, Any] = {name: values[name] for name in _PLAIN if name in values}
        if values.get("enable_dhcp") and not row.enable_dhcp:
            _check_dhcp(prefix, True)
        if "gateway_ip" in values and values["gateway_ip"] != row.gateway_ip:
            changes["gateway_ip"] = values["gateway_ip"]
            _check_version(values["gateway_ip"], "gateway_ip")
            pools.check_gateway(prefix, values["gateway_ip"])
            _check_gateway_unused(ctx, row)
        changes |= _lists(ctx, row.id, values)
        if "service_types" in values:
            changes["service_types"] = _service_types(values)
        allocation = [pools.pool_of(pool) for pool in row.allocation_pools]
        if "allocation_pools" in values:
            allocation = pools.checked_pools(prefix, values["allocation_pools"])
            changes["allocation_pools"] = tuple(pool.row() for pool in allocation)
        if "gateway_ip" in changes or "allocation_pools" in changes:
            pools.check_gateway_outside(changes.get("gateway_ip", row.gateway_ip), allocation)
        changed = replace(row, **changes)
        if changed != row:
            _stamp_network(ctx, tx, row)
        return changed

    def delete(self, ctx: Context, tx: Transaction, row: Subnet) -> None:
        """Take its addresses from ports that serve the network; refuse while others have some."""
        ports = ctx.store.find(Port, "subnet", row.id)
        if any(port.device_owner not in AUTO_DELETED for port in ports):
            raise exceptions.SubnetInUse(subnet_id=row.id)
        for port in ports:
            for fixed in port.fixed_ips:
                if fixed.subnet_id == row.id:
                    release_address(tx, row.id, fixed.ip_address)
            kept = tuple(fixed for fixed in port.fixed_ips if fixed.subnet_id != row.id)
            stamp_changed(ctx, tx, replace(port, fixed_ips=kept))
        subnet_prefixes.give_back(tx, row)
        _stamp_network(ctx, tx, row)
        tx.delete(Subnet, row.id)


def visible_network(ctx: Context, network_id: str) -> Network:
    """Return a network that the caller may see. Raises NetworkNotFound."""
    network = ctx.store.get(Network, network_id)
    if network is None or not sees_network(ctx, network):
        raise exceptions.NetworkNotFound(net_id=network_id)
    return network


def _version_of(cidr: str) -> int:
    version: int = constants.IP_VERSION_4 if is_ipv4(cidr) else constants.IP_VERSION_6
    return version


def _service_types(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the device owners that a subnet is for; none means all. Raises InvalidInput."""
    given = values["service_types"] if is_set(values["service_types"]) else ()
    if any(len(each) > _LONGEST_OWNER for each in given or ()):
        raise invalid_input(f"service_types: a device owner has {_LONGEST_OWNER} characters at most")
    return tuple(dict.fromkeys(given or ()))


def _check_version(address: str | None, name: str) -> None:
    if address is not None and not is_ipv4(address):
        raise invalid_input(f"{name} '{address}' does not match the ip_version '{constants.IP_VERSION_4}'")


def _check_dhcp(prefix: IPv4Network, enable_dhcp: bool) -> None:
    if not enable_dhcp:
        return
    if prefix.prefixlen > 30:
        raise invalid_input("Subnet has a prefix length that is incompatible with DHCP service enabled")
    if prefix.is_multicast:
        raise invalid_input("Multicast IP subnet is not supported if enable_dhcp is True")
    if prefix.is_loopback:
        raise invalid_input("Loopback IP subnet is not supported if enable_dhcp is True")
    if int(prefix.network_address) == 0:
        raise invalid_input("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")


def _lists(ctx: Context, subnet_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return name servers and host routes as the row keeps them, where given.

    Raises InvalidInput, DNSNameServersExhausted, HostRoutesExhausted.
    """
    settings, found = ctx.services.settings, {}
    servers, routes = values.get("dns_nameservers"), values.get("host_routes")
    if servers is not None and is_set(servers):
        if not isinstance(servers, list):
            raise invalid_input(f"dns_nameservers must be a list of addresses, not '{servers}'")
        if len(servers) > settings.max_dns_nameservers:
            raise exceptions.DNSNameServersExhausted(subnet_id=subnet_id, quota=settings.max_dns_nameservers)
        for server in servers:
            _check_version(server, "dns_nameserver")
        found["dns_nameservers"] = tuple(servers)
    if routes is not None and is_set(routes):
        if len(routes) > settings.max_host_routes:
            raise exceptions.HostRoutesExhausted(subnet_id=subnet_id, quota=settings.max_host_routes)
        for route in routes:
            _check_version(route["nexthop"], "nexthop")
            _check_version(route["destination"], "destination")
        found["host_routes"] = tuple(Route(str(IPNetwork(r["destination"])), r["nexthop"]) for r in routes)
    return found


def _check_overlap(network: Network, prefix: IPv4Network, others: Iterable[Subnet]) -> None:
    if any(IPv4Network(other.cidr).overlaps(prefix) for other in others):
        raise invalid_input(
            f"Requested subnet with cidr: {prefix} for network: {network.id} overlaps with another subnet"
        )


def _check_gateway_unused(ctx: Context, subnet: Subnet) -> None:
    """Raise GatewayIpInUse while a router has the subnet's present gateway address."""
    for port in ctx.store.find(Port, "address", subnet.gateway_ip):
        has_gateway = any(f.subnet_id == subnet.id and f.ip_address == subnet.gateway_ip for f in port.fixed_ips)
        if has_gateway and port.device_owner in constants.ROUTER_INTERFACE_OWNERS:
            raise exceptions.GatewayIpInUse(ip_address=subnet.gateway_ip, port_id=port.id)


def _stamp_network(ctx: Context, tx: Transaction, subnet: Subnet) -> None:
    """Count a change of a subnet as one of its network, as Neutron does."""
    network = ctx.store.get(Network, subnet.network_id)
    if network is not None:
        stamp_changed(ctx, tx, network)
