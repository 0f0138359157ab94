"""Addresses of a subnet: prefix, gateway, allocation pools, and how they must fit together."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import NamedTuple

from neutron_lib import exceptions

from sdnapp.api.errors import invalid_input
from topology.values import AddressRange

_LAST_IPV4 = (1 << 32) - 1


class Pool(NamedTuple):
    """An allocation pool as numbers, both ends inclusive."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{IPv4Address(self.first)}-{IPv4Address(self.last)}"

    def row(self) -> AddressRange:
        """Return the pool as the store keeps it."""
        return AddressRange(str(IPv4Address(self.first)), str(IPv4Address(self.last)))


def is_ipv4(address: str) -> bool:
    """Return the family of an address or prefix that the attribute layer has passed."""
    return ":" not in address


def pool_of(row: AddressRange) -> Pool:
    """Return the store's pool as numbers."""
    return Pool(int(IPv4Address(row.start)), int(IPv4Address(row.end)))


def default_gateway(network: IPv4Network) -> str | None:
    """Return the address after the subnet's own, or None where IPv4 ends before it."""
    own = int(network.network_address)
    return str(IPv4Address(own + 1)) if own < _LAST_IPV4 else None


def check_gateway(network: IPv4Network, gateway: str | None) -> None:
    """Raise InvalidInput for a gateway that is the subnet's own or broadcast address; outside it may be anything."""
    if gateway is not None and IPv4Address(gateway) in (network.network_address, network.broadcast_address):
        raise invalid_input("Gateway is not valid on subnet")


def default_pools(network: IPv4Network, gateway: str | None) -> list[Pool]:
    """Return all addresses that hosts can have, around the gateway."""
    if network.num_addresses == 1:
        return [Pool(int(network.network_address), int(network.network_address))]
    first, last = _usable(network)
    taken = int(IPv4Address(gateway)) if gateway is not None else -1
    if not first <= taken <= last:
        return [Pool(first, last)]
    return [pool for pool in (Pool(first, taken - 1), Pool(taken + 1, last)) if pool.first <= pool.last]


def checked_pools(network: IPv4Network, wanted: Iterable[Mapping[str, str]]) -> list[Pool]:
    """Return pools as given. Raises InvalidAllocationPool, OutOfBoundsAllocationPool, OverlappingAllocationPools."""
    first, last = _usable(network)
    pools = []
    for given in wanted:
        if not is_ipv4(given["start"]) or not is_ipv4(given["end"]):
            raise exceptions.InvalidAllocationPool(pool=given)
        pool = Pool(int(IPv4Address(given["start"])), int(IPv4Address(given["end"])))
        if pool.first > pool.last:
            raise exceptions.InvalidAllocationPool(pool=given)
        if pool.first < first or pool.last > last:
            raise exceptions.OutOfBoundsAllocationPool(pool=pool, subnet_cidr=network)
        pools.append(pool)
    ordered = sorted(pools)
    for lower, upper in pairwise(ordered):
        if upper.first <= lower.last:
            raise exceptions.OverlappingAllocationPools(pool_1=lower, pool_2=upper, subnet_cidr=network)
    return pools


def check_gateway_outside(gateway: str | None, pools: Sequence[Pool]) -> None:
    """Raise GatewayConflictWithAllocationPools if a pool would give the gateway's address to a port."""
    if gateway is None:
        return
    number = int(IPv4Address(gateway))
    for pool in pools:
        if pool.first <= number <= pool.last:
            raise exceptions.GatewayConflictWithAllocationPools(pool=pool, ip_address=gateway)


def _usable(network: IPv4Network) -> tuple[int, int]:
    first, last = int(network.network_address), int(network.broadcast_address)
    return (first + 1, last - 1) if network.prefixlen <= 30 else (first, last)
