"""Addresses of a port: what ``fixed_ips`` asks for, taken from the subnets of the port's network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from neutron_lib import constants, exceptions

from sdnapp.api.errors import (
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailureNoMatchingSubnet,
    invalid_input,
)
from sdnapp.api.resources.pools import is_ipv4
from topology.allocation import ExhaustedError, TakenError, allocate_address, claim_address, release_address
from topology.store import Transaction
from topology.values import FixedIP, Subnet

Wanted = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Addressing:
    """Takes and gives back addresses for one port, in one transaction.

    ``device_owner`` is the port's: a subnet with service types serves only ports of those owners, and DHCP ports.
    Its methods raise InvalidInput, SubnetNotFound, InvalidIpForSubnet, InvalidIpForNetwork, IpAddressAlreadyAllocated,
    IpAddressGenerationFailure, IpAddressGenerationFailureNoMatchingSubnet.
    """

    tx: Transaction
    network_id: str
    port_id: str
    device_owner: str

    def any(self) -> tuple[FixedIP, ...]:
        """Take one address of any subnet of the network; none where it has no subnets."""
        subnets = self._subnets()
        for subnet in subnets:
            try:
                return (
                    FixedIP(subnet.id, allocate_address(self.tx, subnet.id, subnet.allocation_pools, self.port_id)),
                )
            except ExhaustedError:
                continue
        if subnets:
            raise exceptions.IpAddressGenerationFailure(net_id=self.network_id)
        return ()

    def take(self, wanted: Wanted) -> tuple[FixedIP, ...]:
        """Take an address for each entry of ``fixed_ips``."""
        subnets = self._subnets() if wanted else []
        places = [(self._subnet_for(subnets, entry), entry.get("ip_address")) for entry in wanted]
        # Those named come first: they may be next in line for the others.
        for subnet, address in places:
            if address is not None:
                try:
                    claim_address(self.tx, subnet.id, address, self.port_id)
                except TakenError:
                    raise IpAddressAlreadyAllocated(ip=address, subnet_id=subnet.id) from None
        return tuple(FixedIP(subnet.id, address or self._any_of(subnet)) for subnet, address in places)

    def change(self, present: Iterable[FixedIP], wanted: Wanted) -> tuple[FixedIP, ...]:
        """Keep what is still wanted, give back the rest, and take what is new.

        An entry that names only a subnet keeps an address that the port has there.
        """
        kept: dict[int, FixedIP] = {}
        left = list(present)
        for position in sorted(range(len(wanted)), key=lambda position: "ip_address" not in wanted[position]):
            entry = wanted[position]
            name = "ip_address" if "ip_address" in entry else "subnet_id"
            match = next((fixed for fixed in left if getattr(fixed, name) == entry.get(name)), None)
            if match is not None:
                kept[position] = match
                left.remove(match)
        for fixed in left:
            release_address(self.tx, fixed.subnet_id, fixed.ip_address)
        taken = iter(self.take([entry for position, entry in enumerate(wanted) if position not in kept]))
        return tuple(kept[position] if position in kept else next(taken) for position in range(len(wanted)))

    def _subnets(self) -> list[Subnet]:
        """Return the subnets that serve the port, those made for its owner first."""
        subnets = self.tx.find(Subnet, "network", self.network_id)
        serving = [subnet for subnet in subnets if _serves(subnet, self.device_owner)]
        if subnets and not serving:
            raise IpAddressGenerationFailureNoMatchingSubnet(network_id=self.network_id, service_type=self.device_owner)
        return sorted(serving, key=lambda subnet: (not subnet.service_types, subnet.created_at, subnet.id))

    def _any_of(self, subnet: Subnet) -> str:
        try:
            return allocate_address(self.tx, subnet.id, subnet.allocation_pools, self.port_id)
        except ExhaustedError:
            raise exceptions.IpAddressGenerationFailure(net_id=self.network_id) from None

    def _subnet_for(self, subnets: Sequence[Subnet], entry: Mapping[str, Any]) -> Subnet:
        if not subnets:
            raise invalid_input("IP allocation requires subnets for network")
        subnet_id, address = entry.get("subnet_id"), entry.get("ip_address")
        if subnet_id is None and address is None:
            raise invalid_input("IP allocation requires subnet_id or ip_address")
        for subnet in subnets:
            if subnet_id is None and _fits(subnet, address):
                return subnet
            if subnet_id == subnet.id:
                if address is not None and not _fits(subnet, address):
                    raise exceptions.InvalidIpForSubnet(ip_address=address)
                return subnet
        if subnet_id is None:
            raise exceptions.InvalidIpForNetwork(ip_address=address)
        if self.tx.get(Subnet, subnet_id) is None:
            raise exceptions.SubnetNotFound(subnet_id=subnet_id)
        raise invalid_input(
            f"Failed to create port on network {self.network_id}, because fixed_ips included invalid subnet {subnet_id}"
        )


def _serves(subnet: Subnet, device_owner: str) -> bool:
    is_dhcp = subnet.enable_dhcp and device_owner == constants.DEVICE_OWNER_DHCP
    return not subnet.service_types or device_owner in subnet.service_types or is_dhcp


def _fits(subnet: Subnet, address: Any) -> bool:
    """Return whether a host of the subnet can have the address: neither the subnet's own nor broadcast."""
    if not is_ipv4(address):
        return False
    prefix, number = IPv4Network(subnet.cidr), IPv4Address(address)
    return number in prefix and number not in (prefix.network_address, prefix.broadcast_address)
