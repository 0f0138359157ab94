"""Address scopes: networks whose addresses are unique among each other, so that nothing between them is translated.

A network is in the scope of the pool that its subnets are cut from (Neutron: ``ipv4_address_scope``); those without one
are in none together. Facts as in ``topology.facts``.
"""

from topology.facts import View
from topology.gateway import gateway
from topology.interfaces import LiveInterface, interfaces, live_interface
from topology.values import Subnet, SubnetPool


def scope_of(view: View, network_id: str) -> str | None:
    """Return the id of the IPv4 address scope that a network is in, or None."""
    for subnet_id in view.find_ids(Subnet, "network", network_id):
        subnet = view.get(Subnet, subnet_id)
        pool = view.get(SubnetPool, subnet.subnetpool_id) if subnet is not None and subnet.subnetpool_id else None
        if pool is not None and pool.ip_version == 4 and pool.address_scope_id is not None:
            return pool.address_scope_id
    return None


def spared(view: View, router_id: str) -> tuple[str, ...]:
    """Return the prefixes that a router does not translate although it translates: of its external network's scope."""
    own = view.ask(gateway, router_id)
    scope = view.ask(scope_of, own.network.id) if own is not None and own.snat else None
    if scope is None:
        return ()
    return tuple(
        prefix
        for each in _interfaces(view, router_id)
        if view.ask(scope_of, each.network.id) == scope
        for prefix in each.prefixes
    )


def apart(view: View, router_id: str) -> tuple[tuple[int, str], ...]:
    """Return what a router does not route: from networks (by key) to prefixes in another scope."""
    within: dict[str | None, list[LiveInterface]] = {}
    for each in _interfaces(view, router_id):
        within.setdefault(view.ask(scope_of, each.network.id), []).append(each)
    # Scope by scope: most routers are within one, and to compare all their interfaces would take the square of them.
    pairs = {
        (here.network.key, prefix)
        for scope, those in within.items()
        for other, elsewhere in within.items()
        if scope != other
        for here in those
        for there in elsewhere
        for prefix in there.prefixes
    }
    return tuple(sorted(pairs))


def _interfaces(view: View, router_id: str) -> list[LiveInterface]:
    found = (view.ask(live_interface, port_id) for port_id in view.ask(interfaces, router_id))
    return [each for each in found if each is not None]
