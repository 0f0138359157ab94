"""Where a subnet's prefix comes from: the client names it, or a subnet pool has room for it."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from neutron_lib import constants, exceptions
from neutron_lib.exceptions import address_scope as scope_errors

from sdnapp.api.attributes import is_set
from sdnapp.api.errors import invalid_input
from sdnapp.api.resource import Context
from sdnapp.api.resources.address_scopes import scope_of_network
from sdnapp.api.resources.pools import is_ipv4
from sdnapp.api.resources.subnetpools import default_pool, visible_pool
from topology import prefixes
from topology.allocation import ExhaustedError
from topology.store import Transaction
from topology.values import Subnet, SubnetPool

_IPV4 = constants.IP_VERSION_4


def take(ctx: Context, tx: Transaction, values: Mapping[str, Any]) -> tuple[IPv4Network, SubnetPool | None]:
    """Return the prefix of a new subnet, host bits masked, and the pool that it was taken from.

    Raises BadRequest, InvalidInput, SubnetPoolNotFound, MinPrefixSubnetAllocationError,
    MaxPrefixSubnetAllocationError, SubnetPoolQuotaExceeded, SubnetAllocationError.
    """
    cidr = values["cidr"] if is_set(values["cidr"]) else None
    if cidr is not None and is_set(values["prefixlen"]):
        raise _bad_request("cidr and prefixlen must not be supplied together")
    pool = _pool(ctx, values)
    if cidr is None and pool is None:
        raise _bad_request("a subnetpool must be specified in the absence of a cidr")
    if cidr is None and is_set(values["allocation_pools"]):
        raise _bad_request("allocation_pools allowed only for specific subnet requests.")
    prefix = _masked(cidr, values["ip_version"]) if cidr is not None else None
    if pool is None:
        assert prefix is not None
        return prefix, None
    if pool.ip_version != values["ip_version"]:
        raise _bad_request(f"Cannot allocate IPv{values['ip_version']} subnet from IPv{pool.ip_version} subnet pool")
    if pool.ip_version != _IPV4:
        raise _bad_request("IPv6 is not served yet: take an IPv4 subnet pool")
    if prefix is not None:
        return _take_this(ctx, tx, pool, prefix, values["project_id"]), pool
    length = values["prefixlen"] if is_set(values["prefixlen"]) else pool.default_prefixlen
    return _take_any(ctx, tx, pool, length, values), pool


def give_back(tx: Transaction, subnet: Subnet) -> None:
    """Return a subnet's prefix to the pool that it was taken from."""
    if subnet.subnetpool_id is not None:
        prefixes.give(tx, subnet.subnetpool_id, IPv4Network(subnet.cidr))


def check_neighbours(ctx: Context, network_id: str, pool: SubnetPool | None) -> None:
    """Raise an error unless all subnets of a network come from one pool, or from pools of one address scope.

    NetworkAddressScopeAffinityError, NetworkSubnetPoolAffinityError.
    """
    scope_id = scope_of_network(ctx, network_id)
    if scope_id is not None and pool is not None and pool.address_scope_id != scope_id:
        raise scope_errors.NetworkAddressScopeAffinityError()
    for other in ctx.store.find(Subnet, "network", network_id):
        mixed = other.subnetpool_id is not None if pool is None else other.subnetpool_id != pool.id and scope_id is None
        if mixed:
            raise exceptions.NetworkSubnetPoolAffinityError()


def _pool(ctx: Context, values: Mapping[str, Any]) -> SubnetPool | None:
    """Return the pool that a request names or means."""
    use_default, pool_id = values["use_default_subnetpool"], values["subnetpool_id"]
    if is_set(pool_id):
        if use_default:
            raise _bad_request("subnetpool_id and use_default_subnetpool cannot both be specified")
        return visible_pool(ctx, pool_id)
    return default_pool(ctx, values["ip_version"]) if use_default else None


def _masked(cidr: str, ip_version: int) -> IPv4Network:
    if is_ipv4(cidr) != (ip_version == _IPV4):
        raise invalid_input(f"cidr '{cidr}' does not match the ip_version '{ip_version}'")
    if not is_ipv4(cidr):
        raise _bad_request(f"IPv6 is not served yet: give an IPv4 cidr, not '{cidr}'")
    prefix = IPv4Network(cidr, strict=False)
    if prefix.prefixlen == 0:
        raise invalid_input("0 is not allowed as CIDR prefix length")
    return prefix


def _take_this(ctx: Context, tx: Transaction, pool: SubnetPool, prefix: IPv4Network, project_id: str) -> IPv4Network:
    _check_size(ctx, pool, prefix.prefixlen, project_id)
    try:
        prefixes.take(tx, pool.id, prefix)
    except prefixes.NotFreeError:
        reason = "Cannot allocate requested subnet from the available set of prefixes"
        raise exceptions.SubnetAllocationError(reason=reason) from None
    return prefix


def _take_any(ctx: Context, tx: Transaction, pool: SubnetPool, length: int, values: Mapping[str, Any]) -> IPv4Network:
    """Take a prefix of a length: the one around the gateway, if that was named."""
    gateway, project_id = values["gateway_ip"], values["project_id"]
    _check_size(ctx, pool, length, project_id)
    if length == 0:
        raise invalid_input("0 is not allowed as CIDR prefix length")
    if is_set(gateway):
        if not is_ipv4(gateway):
            raise invalid_input(f"gateway_ip '{gateway}' does not match the ip_version '{_IPV4}'")
        return _take_this(ctx, tx, pool, IPv4Network((gateway, length), strict=False), project_id)
    try:
        return prefixes.take_any(tx, pool.id, IPv4Network, length)
    except ExhaustedError:
        reason = f"Insufficient prefix space to allocate subnet size /{length}"
        raise exceptions.SubnetAllocationError(reason=reason) from None


def _check_size(ctx: Context, pool: SubnetPool, length: int, project_id: str) -> None:
    if length > pool.max_prefixlen:
        raise exceptions.MaxPrefixSubnetAllocationError(prefixlen=length, max_prefixlen=pool.max_prefixlen)
    if length < pool.min_prefixlen:
        raise exceptions.MinPrefixSubnetAllocationError(prefixlen=length, min_prefixlen=pool.min_prefixlen)
    if not pool.default_quota:
        return
    held = ctx.store.find(Subnet, "pool_project", (pool.id, project_id))
    wanted = [*(IPv4Network(subnet.cidr).prefixlen for subnet in held), length]
    if sum(1 << (32 - each) for each in wanted) > pool.default_quota:
        raise exceptions.SubnetPoolQuotaExceeded()


def _bad_request(message: str) -> exceptions.BadRequest:
    return exceptions.BadRequest(resource="subnets", msg=message)
