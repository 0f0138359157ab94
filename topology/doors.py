"""What follows from routers' gateways: which chassis serve them, and which translate and where.

Facts as in ``topology.facts``. Translation happens on the instance's own chassis; a gateway chassis only carries frames
between the external network and the chassis that translate, so any of them can serve any packet. One at a time answers
for a router's external address, so that its MAC address is in one place of the physical network.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from topology.address_scopes import spared
from topology.facts import Relation, View, encap_ip, networks_at
from topology.gateway import Gateway, bound, gateway, gateways_on, in_order, is_door
from topology.gateway_values import Fence, Translation
from topology.provider import networks_entering, provider_interfaces
from topology.routing import externals_reached, networks_of, networks_reached, reaching_router, with_all_behind
from topology.values import Chassis, FloatingIP, Network, Port, PortForwarding
from topology.virtual_addresses import chassis_of


class Floating(NamedTuple):
    """A floating IP that stands for a live port's address; the physical network has it at the chassis ``site``."""

    id: str
    address: str
    mac_address: str
    gateway: Gateway
    port_id: str
    fixed_ip: str
    holder: str
    site: str


class Forwarding(NamedTuple):
    """Ports of a floating IP that stand for a live port's; it is where the router's own address is."""

    id: str
    address: str
    mac_address: str
    gateway: Gateway
    protocol: str
    external: tuple[int, int]
    fixed_ip: str
    internal: tuple[int, int]
    holder: str


def gateway_chassis(view: View, router_id: str) -> tuple[str, ...]:
    """Return the chassis that can serve a router's gateway, the preferred one first."""
    own = view.ask(gateway, router_id)
    if own is None:
        return ()
    every = (view.get(Chassis, chassis_id) for chassis_id in view.find_ids(Chassis, "every", True))
    able = [
        chassis.id
        for chassis in every
        if chassis is not None
        and chassis.gateway
        and view.ask(is_door, chassis.id, own.network.id)
        and view.ask(encap_ip, chassis.id, own.transit.network_type) is not None
    ]
    return in_order(router_id, able)


def active_gateway(view: View, router_id: str) -> str | None:
    """Return the chassis that serves a router's gateway now."""
    return bound(view, f"router/{router_id}", view.ask(gateway_chassis, router_id))


def watched(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the tunnel addresses of the chassis whose end a chassis must notice by itself, sorted.

    Everybody watches the gateway chassis, which watch everybody: BFD has two ends. Before a gateway chassis has been in
    sync, it must hear nobody, as it may have been one before (``topology.witnesses``).
    """
    own = view.get(Chassis, chassis_id)
    if own is None or not any(view.ask(gateways_on, each) for each in view.find_ids(Network, "transit", True)):
        return ()
    if own.gateway and not _is_known(view, own):
        return ()
    others = (view.get(Chassis, other) for other in view.find_ids(Chassis, "every", True) if other != chassis_id)
    found = {
        other.encap_ip
        for other in others
        if other is not None and (_is_known(view, other) if other.gateway else own.gateway)
    }
    return tuple(sorted(address for address in found - {own.encap_ip} if address is not None))


def watch_ports(view: View, chassis_id: str, others: Iterable[str], own: Gateway) -> dict[str, int]:
    """Return the ports by which a chassis watches some gateway chassis of a router's; 0 where it does not."""
    chassis = view.get(Chassis, chassis_id)
    ports = dict(chassis.watch_ports) if chassis is not None else {}
    addresses = {each: view.ask(encap_ip, each, own.transit.network_type) for each in others}
    return {each: ports.get(address or "", 0) for each, address in addresses.items()}


def _is_known(view: View, chassis: Chassis) -> bool:
    return view.get(Fence, chassis.id) is not None


def ways_out(view: View, router_id: str, chassis_id: str) -> tuple[str, ...]:
    """Return the gateway chassis by which a chassis sends for a router, the one in service first, down to itself."""
    active = view.ask(active_gateway, router_id)
    order = [active, *(each for each in view.ask(gateway_chassis, router_id) if each != active)]
    found = [each for each in order if each is not None]
    return tuple(found[: found.index(chassis_id) + 1] if chassis_id in found else found)


def floating(view: View, floatingip_id: str) -> Floating | None:
    """Return a floating IP that is associated with an address that is there, by a router whose gateway is up."""
    row = view.get(FloatingIP, floatingip_id)
    if row is None or row.port_id is None or row.router_id is None or row.fixed_ip_address is None:
        return None
    own, place = view.ask(gateway, row.router_id), view.ask(chassis_of, row.port_id, row.fixed_ip_address)
    holds = view.get(Port, row.floating_port_id)
    if own is None or place is None or holds is None or own.network.id != row.network_id:
        return None
    site = place if view.ask(is_door, place, row.network_id) else view.ask(active_gateway, row.router_id)
    if site is None:
        return None
    return Floating(row.id, row.address, holds.mac_address, own, row.port_id, row.fixed_ip_address, place, site)


def forwarding(view: View, forwarding_id: str) -> Forwarding | None:
    """Return a port forwarding to an address that is there, of a floating IP by a router whose gateway is up."""
    row = view.get(PortForwarding, forwarding_id)
    address = view.get(FloatingIP, row.floatingip_id) if row is not None else None
    if row is None or address is None or address.router_id is None:
        return None
    own, place = view.ask(gateway, address.router_id), view.ask(chassis_of, row.port_id, row.internal_ip_address)
    holds = view.get(Port, address.floating_port_id)
    if own is None or place is None or holds is None or own.network.id != address.network_id:
        return None
    return Forwarding(
        row.id,
        address.address,
        holds.mac_address,
        own,
        row.protocol,
        (row.external_first, row.external_last),
        row.internal_ip_address,
        (row.internal_first, row.internal_last),
        place,
    )


def says_whom_it_forwards_to(view: View, forwarding_id: str) -> Iterable[tuple[Any, str]]:
    """Say of a port forwarding's floating IP at which chassis the instance is."""
    row, live = view.get(PortForwarding, forwarding_id), view.ask(forwarding, forwarding_id)
    return ((("forwarded to", row.floatingip_id), live.holder),) if row is not None and live is not None else ()


FORWARDED = Relation(PortForwarding, says_whom_it_forwards_to)
"""Where floating IPs' port forwardings lead: of one address there may be as many as it has ports."""


def forwarded_to(view: View, floatingip_id: str) -> tuple[str, ...]:
    """Return the chassis with instances to which ports of a floating IP are forwarded, sorted."""
    return view.gather(FORWARDED, ("forwarded to", floatingip_id))


def translation(view: View, owner: str, chassis_id: str) -> Translation | None:
    """Return what a chassis translates with for a router or a floating IP."""
    return view.get(Translation, f"{owner}@{chassis_id}")


def translators(view: View, router_id: str) -> tuple[str, ...]:
    """Return the chassis that translate for a router, sorted: those from which packets come to it."""
    own = view.ask(gateway, router_id)
    return view.ask(reaching_router, router_id) if own is not None else ()


def externals_carried(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the external networks that a chassis is a door to for routers and floating IPs, sorted."""
    chassis = view.get(Chassis, chassis_id)
    if chassis is None:
        return ()
    every = view.find_ids(Network, "transit", True)
    reached = set(view.ask(externals_reached, chassis_id))
    return tuple(
        network_id
        for network_id in every
        if (chassis.gateway or network_id in reached)
        and view.ask(is_door, chassis_id, network_id)
        and view.ask(gateways_on, network_id)
    )


def routers_served(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the routers some of whose packets a gateway chassis routes as they come in, untranslated, sorted.

    With them are those that they lead to.
    """
    found = {
        router_id
        for network_id in view.ask(externals_carried, chassis_id)
        for router_id in view.ask(gateways_on, network_id)
        if chassis_id in view.ask(gateway_chassis, router_id) and not _translates(view, router_id)
    }
    return tuple(sorted(with_all_behind(view, found)))


def networks_served(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the networks to which such packets may come, sorted."""
    routers = view.ask(routers_served, chassis_id)
    return tuple(sorted({network_id for router_id in routers for network_id in view.ask(networks_of, router_id)}))


def networks_heard(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the networks whose packets a chassis takes from the core, sorted."""
    own = (view.ask(fact, chassis_id) for fact in (networks_at, networks_entering, externals_carried))
    return tuple(sorted({network_id for each in own for network_id in each}))


def networks_sent_to(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the networks to which a chassis sends by the core, sorted."""
    own = (view.ask(fact, chassis_id) for fact in (networks_reached, networks_served, externals_carried))
    return tuple(sorted({network_id for each in own for network_id in each}))


def networks_detoured(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the provider networks that packets at a chassis come to, but that it has no way to, sorted."""
    reached = set(view.ask(networks_reached, chassis_id))
    every = (each for each in view.find_ids(Network, "transit", True) if each in reached)
    return tuple(
        each for each in every if view.ask(provider_interfaces, each) and not view.ask(is_door, chassis_id, each)
    )


def networks_in_transit(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the physical networks whose frames a chassis exchanges with other chassis, sorted."""
    facts = (externals_reached, externals_carried, networks_entering, networks_detoured)
    return tuple(sorted({network_id for fact in facts for network_id in view.ask(fact, chassis_id)}))


def _translates(view: View, router_id: str) -> bool:
    """Return whether a router translates all that leaves by its gateway."""
    own = view.ask(gateway, router_id)
    return own is None or (own.snat and not view.ask(spared, router_id))
