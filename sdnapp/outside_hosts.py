"""Hosts outside, for traces that begin there: on a physical network, or on another one behind its upstream router."""

from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from flows.engine import Engine
from sdnapp.whereabouts import STRANGER_MAC
from topology import gateway, interfaces, routing
from topology.gateway_values import Neighbour, VirtualAddress
from topology.store import Store
from topology.values import FLOATING_IP, ROUTER_GATEWAY, ROUTER_INTERFACE, FloatingIP, Network, Port, Router, Subnet

_FEW = 5


class Host(NamedTuple):
    """Who sends: ``mac`` is as the network sees it, ``next_hop`` the address there to which it sends first."""

    address: str
    mac: str
    next_hop: str


class Surroundings:
    """What of ours is on a physical network, and what hosts there may be sent from and to."""

    def __init__(self, store: Store, engine: Engine, network: Network) -> None:
        self._store, self._ask, self._network = store, engine.ask, network
        self._subnets = [each for each in store.find(Subnet, "network", network.id) if each.ip_version == 4]

    def host(self, to: str, source: str | None, via: str | None) -> Host:
        """Return the host that sends to an address: ``source``, by default the upstream router.

        ``via`` is its next hop, None where that is clear. Raises ValueError that names what is wrong with any of them.
        """
        if not _is_host(to):
            raise ValueError(f"to: {to} is no address of one host")
        next_hop = self._next_hop(to, via)
        source = self._source(source)
        if source in (to, next_hop):
            raise ValueError(f"source: {source} is where it is sent to; say which address outside sends")
        if (own := self.port_at(source)) is not None:
            what = (
                "say which address outside sends" if self.router_of(own) else f"say port={own.id} in place of outside"
            )
            raise ValueError(f"source: {source} is the address of {self.called(own)}, and of nobody outside: {what}")
        self._check_is_not_behind(next_hop, source)
        return Host(source, self._mac(source), next_hop)

    def port_at(self, address: str) -> Port | None:
        """Return the port of ours that has an address on the network."""
        shared = self._store.get(VirtualAddress, f"{self._network.id}/{address}")
        if shared is not None:
            return self._store.get(Port, shared.port_id)
        here = (each for each in self._store.find(Port, "address", address) if each.network_id == self._network.id)
        return next(here, None)

    def router_of(self, port: Port | None) -> str | None:
        """Return the id of the router that a port is part of, or that its floating IP is reached by."""
        if port is not None and port.device_owner == FLOATING_IP:
            row = self._store.get(FloatingIP, port.device_id)
            return row.router_id if row is not None else None
        is_routers = port is not None and port.device_owner in (ROUTER_GATEWAY, ROUTER_INTERFACE)
        return port.device_id if port is not None and is_routers else None

    def router(self, router_id: str | None) -> str:
        """Call a router by its name, or its id where it has none."""
        row = self._store.get(Router, router_id or "")
        return f"router {row.name or row.id}" if row is not None else "a router"

    def called(self, port: Port) -> str:
        """Say what a port is, or what it is for."""
        if port.device_owner == FLOATING_IP:
            return f"floating IP {', '.join(fixed.ip_address for fixed in port.fixed_ips)}"
        if port.device_owner in (ROUTER_GATEWAY, ROUTER_INTERFACE):
            return self.router(port.device_id)
        return f"port {port.name or port.id}"

    def _next_hop(self, to: str, via: str | None) -> str:
        if via is not None:
            if not _is_host(via) or not self._has(via):
                raise ValueError(f"via: {via!r} is in no subnet of the network: leave it out, or name a router's there")
            return str(IPv4Address(via))
        if self._has(to):
            return to
        leading = self._leading_to(to)
        if len(leading) == 1:
            return next(iter(leading))
        if leading:
            some = ", ".join(f"{address} ({called})" for address, called in sorted(leading.items())[:_FEW])
            raise ValueError(f"via: {len(leading)} routers lead from there to {to}; say which one: {some}")
        raise ValueError(
            f"to: {to} is in no subnet of the network, and no router on it leads there; if the upstream router sends "
            "it to one of yours all the same, name that one's address on the network as via"
        )

    def _leading_to(self, to: str) -> dict[str, str]:
        """Return the addresses of routers on the network that lead on to a destination, and what they are called."""
        own = self._network.id
        on_it = (*self._ask(gateway.gateways_on, own), *self._ask(interfaces.routers_on, own))
        found = {}
        for router_id in dict.fromkeys(on_it):
            routes = [each for each in self._ask(routing.routes, router_id) if _is_in(to, each.prefix)]
            best = max(routes, key=lambda each: IPv4Network(each.prefix).prefixlen, default=None)
            if best is not None and best.next_hops[0].interface.network.id != own:
                found[self._address_of(router_id)] = self.router(router_id)
        return found

    def _address_of(self, router_id: str) -> str:
        ports = (*self._store.find(Port, "gateway_of", router_id), *self._store.find(Port, "interface_of", router_id))
        here = (port for port in ports if port.network_id == self._network.id)
        return next(fixed.ip_address for port in here for fixed in port.fixed_ips if ":" not in fixed.ip_address)

    def _source(self, source: str | None) -> str:
        if source is None:
            found = next((each for each in self._upstream() if self.port_at(each) is None), None)
            if found is None:
                raise ValueError("source: the network has no upstream router that might send; say which address does")
            return found
        if not _is_host(source):
            raise ValueError(f"source: {source!r} is no address of a host, such as 198.51.100.9")
        return str(IPv4Address(source))

    def _check_is_not_behind(self, next_hop: str, source: str) -> None:
        """Raise ValueError for an address of a network behind the router that gets the packet."""
        router_id = self.router_of(self.port_at(next_hop))
        inside = self._ask(routing.networks_of, router_id) if router_id is not None else ()
        for network_id in set(inside) - {self._network.id}:
            for subnet in self._store.find(Subnet, "network", network_id):
                if subnet.ip_version == 4 and _is_in(source, subnet.cidr):
                    raise ValueError(
                        f"source: {source} is inside subnet {subnet.name or subnet.cidr} behind "
                        f"{self.router(router_id)}, and nobody's outside: trace from a port, or take another address"
                    )

    def _mac(self, source: str) -> str:
        """Return the MAC address of the sender or, if that is on another network, of the upstream router."""
        neighbour = source if self._has(source) else next(iter(self._upstream()), "")
        known = self._store.get(Neighbour, f"{self._network.id}/{neighbour}")
        return known.mac_address if known is not None else STRANGER_MAC

    def _upstream(self) -> list[str]:
        return [each.gateway_ip for each in self._subnets if each.gateway_ip is not None]

    def _has(self, address: str) -> bool:
        return any(_is_in(address, each.cidr) for each in self._subnets)


def _is_in(address: str, prefix: str) -> bool:
    return IPv4Address(address) in IPv4Network(prefix)


def _is_host(address: str) -> bool:
    try:
        number = IPv4Address(address)
    except ValueError:
        return False
    return not (number.is_multicast or number.is_loopback or number.is_reserved or number.is_unspecified)
