"""Neighbours on external networks: next hops and whoever else packets go to there.

What the controller has heard of them (``Neighbour`` rows) becomes flows. For an unknown one it asks, by the router's
gateway chassis, on account of the router.
"""

from flows.actions import Goto, SetField
from flows.control_budget import CONFIRMED, HEARD, to_controller
from flows.fields import ARP_REPLY, mac_to_int, parse_ipv4
from flows.flow import flow
from flows.pipeline import PHYSICAL_ARP, UPSTREAM
from flows.units import Published, Unit, on_chassis, where_doors_are, where_external_is_reached, where_router_is
from topology.addressing import UNSPECIFIED
from topology.facts import View, live_network
from topology.gateway import gateway, gateways_on
from topology.gateway_values import Neighbour
from topology.presence import Presence, presence, presences, site
from topology.values import FloatingIP, Network, Port, Router

FEATURE = "upstream"


def neighbour(view: View, neighbour_id: str) -> Published:
    """A neighbour whose MAC address is known."""
    row = view.get(Neighbour, neighbour_id)
    network = view.ask(live_network, row.network_id) if row is not None else None
    if row is None or network is None:
        return
    found = (SetField("eth_dst", mac_to_int(row.mac_address)), Goto("external_source"))
    hop = {"network": network.key, "next_hop": parse_ipv4(row.address)}
    yield (
        where_external_is_reached(network.id),
        flow(UPSTREAM, "neighbour", FEATURE, f"neighbour/{neighbour_id}", *found, **hop),
    )


def own_router(view: View, router_id: str) -> Published:
    """Another router's address. Unknown next hops of a router, and what its neighbours tell it."""
    own = view.ask(gateway, router_id)
    if own is None:
        return
    owner, network = f"router/{router_id}", own.network
    for address in own.addresses:
        hop = {"network": network.key, "next_hop": parse_ipv4(address)}
        found = (SetField("eth_dst", mac_to_int(own.mac_address)), Goto("external_source"))
        yield where_external_is_reached(network.id), flow(UPSTREAM, "own", FEATURE, owner, *found, **hop)
    asking = to_controller(own.key)
    unknown = {"router": own.router_key, "network": network.key}
    yield where_router_is(router_id), flow(UPSTREAM, "unknown", FEATURE, owner, *asking, **unknown)
    outside = view.ask(presence, owner)
    if outside is not None:
        yield from told(outside)
        for address in outside.addresses:
            yield from claims(outside, address, outside.chassis_id)


def told(own: Presence) -> Published:
    """What neighbours answer to a router."""
    for address in own.addresses:
        said: dict[str, int | str] = {"network": own.network.key, "arp_op": ARP_REPLY, "arp_tpa": address}
        heard = flow(PHYSICAL_ARP, "told", FEATURE, own.owner, *to_controller(own.key, HEARD), **said)
        yield on_chassis(own.chassis_id), heard


def claims(own: Presence, address: str, site: str) -> Published:
    """What others say for an address of ours, where it is: the controller says again whose it is (RFC 5227)."""
    spoken: dict[str, int | str] = {"network": own.network.key, "arp_spa": address}
    report = to_controller(own.key, HEARD)
    yield on_chassis(site), flow(PHYSICAL_ARP, "claimed", FEATURE, own.owner, *report, **spoken)


def announcement(view: View, neighbour_id: str) -> Published:
    """What a known neighbour says of itself unasked goes to the controller, which asks: it may be another's word."""
    row = view.get(Neighbour, neighbour_id)
    if row is None:
        return
    said: dict[str, int | str] = {"arp_spa": row.address, "arp_tpa": row.address}
    for own in view.ask(presences, row.network_id)[:1]:
        hears = to_controller(own.key, HEARD)
        heard = flow(PHYSICAL_ARP, "announced", FEATURE, own.owner, *hears, network=own.network.key, **said)
        yield on_chassis(own.chassis_id), heard


def confirmation(view: View, neighbour_id: str) -> Published:
    """What a known neighbour answers, as it is known, to who asks on behalf of no router: nobody can drown that."""
    row = view.get(Neighbour, neighbour_id)
    there = view.ask(presences, row.network_id) if row is not None else ()
    if row is None or not there:
        return
    said: dict[str, int | str] = {"arp_op": ARP_REPLY, "arp_tpa": UNSPECIFIED}
    as_known: dict[str, int | str] = {"arp_spa": row.address, "arp_sha": row.mac_address}
    hears, owner, network = to_controller(there[0].key, CONFIRMED), f"network/{row.network_id}", there[0].network
    heard = flow(PHYSICAL_ARP, "confirmed", FEATURE, owner, *hears, network=network.key, **said, **as_known)
    if view.ask(gateways_on, network.id):
        yield where_doors_are(network.id), heard
        return
    for chassis_id in sorted({own.chassis_id for own in there}):
        yield on_chassis(chassis_id), heard


def seen(view: View, network_id: str) -> Published:
    """What a neighbour answers to a gateway chassis that asks on behalf of no router (RFC 5227, section 2.1.1)."""
    for own in view.ask(presences, network_id)[:1] if view.ask(gateways_on, network_id) else ():
        said: dict[str, int | str] = {"network": own.network.key, "arp_op": ARP_REPLY, "arp_tpa": UNSPECIFIED}
        hears = to_controller(own.key, HEARD)
        heard = flow(PHYSICAL_ARP, "seen", FEATURE, f"network/{network_id}", *hears, **said)
        yield where_doors_are(network_id), heard


def floating_address(view: View, floatingip_id: str) -> Published:
    """A floating IP is on the external network, too, whether it stands for somebody or not."""
    row = view.get(FloatingIP, floatingip_id)
    port = view.get(Port, row.floating_port_id) if row is not None else None
    network = view.ask(live_network, row.network_id) if row is not None else None
    if row is None or port is None or network is None:
        return
    hop = {"network": network.key, "next_hop": parse_ipv4(row.address)}
    found = (SetField("eth_dst", mac_to_int(port.mac_address)), Goto("external_source"))
    owner = f"floatingip/{floatingip_id}"
    yield where_external_is_reached(network.id), flow(UPSTREAM, "own", FEATURE, owner, *found, **hop)
    at, around = view.ask(site, floatingip_id), view.ask(presence, f"router/{row.router_id}")
    if at is not None and around is not None:
        yield from claims(around, row.address, at)


UNITS = (
    Unit(neighbour, over=Neighbour),
    Unit(announcement, over=Neighbour),
    Unit(confirmation, over=Neighbour),
    Unit(own_router, over=Router),
    Unit(seen, over=Network),
    Unit(floating_address, over=FloatingIP),
)
