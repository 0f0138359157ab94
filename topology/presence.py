"""Where routers are on physical networks, as these see them: by gateways and by interfaces on provider networks.

Facts as in ``topology.facts``.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from topology.doors import active_gateway, floating, forwarded_to, gateway_chassis
from topology.facts import LiveNetwork, Relation, View
from topology.gateway import answers, gateway, gateways_on
from topology.interfaces import interfaces, live_interface
from topology.provider import interface_door, interface_doors, provider_interfaces
from topology.routing import is_neighbour, routes
from topology.values import Chassis, FloatingIP, Network, Port, Router

OWNERS = (Router, FloatingIP)
"""What has addresses on physical networks."""


class Presence(NamedTuple):
    """A router's addresses on a physical network, and the one chassis where they are.

    ``owner`` is the owner of its flows, ``key`` that of its port, ``upstream`` are the next hops that the router's
    routes name there.
    """

    owner: str
    key: int
    network: LiveNetwork
    chassis_id: str
    mac_address: str
    addresses: tuple[str, ...]
    prefixes: tuple[str, ...]
    upstream: tuple[str, ...]


def presence(view: View, owner: str) -> Presence | None:
    """Return that of a router's gateway (``router/<id>``) or of an interface (``port/<id>``); None without a door."""
    kind, _, own_id = owner.partition("/")
    return _of_gateway(view, own_id) if kind == "router" else _of_interface(view, own_id)


def _of_gateway(view: View, router_id: str) -> Presence | None:
    own, door = view.ask(gateway, router_id), view.ask(active_gateway, router_id)
    if own is None or door is None:
        return None
    place = f"router/{router_id}", own.key, own.network, door
    return Presence(*place, own.mac_address, own.addresses, own.prefixes, own.upstream)


def _of_interface(view: View, port_id: str) -> Presence | None:
    own, door = view.ask(live_interface, port_id), view.ask(interface_door, port_id)
    if own is None or door is None:
        return None
    hops = {
        hop.address
        for known in view.ask(routes, own.router_id)
        for hop in known.next_hops
        if hop.interface.id == port_id
    }
    strangers = {hop for hop in hops if hop is not None and not view.ask(is_neighbour, own.network.id, hop)}
    place = f"port/{port_id}", own.key, own.network, door
    return Presence(*place, own.mac_address, own.addresses, own.prefixes, tuple(sorted(strangers)))


def site(view: View, floatingip_id: str) -> str | None:
    """Return the chassis where the physical network has a floating IP; None while it stands for nobody."""
    live = view.ask(floating, floatingip_id)
    if live is not None:
        return live.site
    row = view.get(FloatingIP, floatingip_id)
    if row is None or row.router_id is None or not forwarded_to(view, floatingip_id):
        return None
    return view.ask(active_gateway, row.router_id)


class Site(NamedTuple):
    """Where an address is on a physical network, and at which MAC address."""

    network: LiveNetwork
    address: str
    chassis_id: str
    mac_address: str


class Standing(NamedTuple):
    """What one router or one floating IP has on physical networks.

    ``presences`` are a router's; ``sites`` are where addresses are, but for those that are being handed over: nobody
    has them yet.
    """

    presences: tuple[Presence, ...] = ()
    sites: tuple[Site, ...] = ()


def standing(view: View, owner_id: str) -> Standing:
    """Return what a router or a floating IP, by its id, has on physical networks (a fact)."""
    row = view.get(FloatingIP, owner_id)
    if row is not None:
        has = _site_of(view, row)
        return Standing((), (has,) if has is not None else ())
    owners = [f"router/{owner_id}", *(f"port/{port_id}" for port_id in view.ask(interfaces, owner_id))]
    found = tuple(own for owner in owners if (own := view.ask(presence, owner)) is not None)
    return Standing(
        found,
        tuple(
            Site(own.network, address, own.chassis_id, own.mac_address)
            for own in found
            if answers(view, own.owner, own.chassis_id)
            for address in own.addresses
        ),
    )


def says_where_it_is(view: View, router_id: str) -> Iterable[tuple[Any, str]]:
    """Say of each physical network where a router is found as whom it is there."""
    return tuple((("present", own.network.id), own.owner) for own in view.ask(standing, router_id).presences)


PRESENT = Relation(Router, says_where_it_is)
"""Who is found on each physical network, as owners of presences."""


def presences(view: View, network_id: str) -> tuple[Presence, ...]:
    """Return all of a network: routers' gateways first."""
    owners = sorted(view.gather(PRESENT, ("present", network_id)), key=lambda owner: not owner.startswith("router/"))
    return tuple(found for owner in owners if (found := view.ask(presence, owner)) is not None)


def _site_of(view: View, row: FloatingIP) -> Site | None:
    at, around = view.ask(site, row.id), view.ask(presence, f"router/{row.router_id}")
    holds, live = view.get(Port, row.floating_port_id), view.ask(floating, row.id)
    if at is None or around is None or holds is None:
        return None
    is_home = live is not None and live.site == live.holder
    if not is_home and not answers(view, around.owner, at):
        return None
    return Site(around.network, row.address, at, holds.mac_address)


def networks_stood_on(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the physical networks where a chassis can stand for routers, sorted."""
    chassis = view.get(Chassis, chassis_id)
    if chassis is None or not chassis.gateway:
        return ()
    return tuple(
        network_id
        for network_id in view.find_ids(Network, "transit", True)
        if any(chassis_id in view.ask(gateway_chassis, each) for each in view.ask(gateways_on, network_id))
        or any(chassis_id in view.ask(interface_doors, each) for each in view.ask(provider_interfaces, network_id))
    )
