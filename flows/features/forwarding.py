"""From the destination MAC address to the port that owns it."""

from flows.actions import Action, Goto, SetField
from flows.fields import parse_ipv4
from flows.flow import flow
from flows.pipeline import FORWARDING
from flows.units import Published, Unit, where_doors_are, where_network_is, where_network_is_reached
from topology.facts import View, live_network, live_port, peer
from topology.values import Network, Port

GROUP_BIT = "01:00:00:00:00:00/01:00:00:00:00:00"


def known(view: View, port_id: str) -> Published:
    """A live port's own MAC address leads to it, and to the chassis where it is.

    A MAC address of an allowed pair may move between ports without notice (VRRP), so it is copied to the whole network,
    where whoever holds it takes it.
    """
    port = view.ask(live_port, port_id)
    if port is None:
        return
    audience, owner = where_network_is(port.network.id), f"port/{port.id}"
    address = peer(view, port)
    place: tuple[Action, ...] = (SetField("peer", parse_ipv4(address)),) if address is not None else ()
    yield (
        where_network_is_reached(port.network.id),
        flow(
            FORWARDING,
            "known",
            "forwarding",
            owner,
            SetField("to_port", port.key),
            *place,
            Goto("delivery"),
            network=port.network.key,
            eth_dst=port.mac_address,
        ),
    )
    for mac in sorted({pair.mac_address for pair in port.allowed_address_pairs} - {port.mac_address}):
        yield (
            audience,
            flow(FORWARDING, "shared", "forwarding", owner, Goto("flooding"), network=port.network.key, eth_dst=mac),
        )


def unaddressed(view: View, network_id: str) -> Published:
    """Broadcast and multicast are flooded; a stranger's address can only be out on a physical network."""
    network = view.ask(live_network, network_id)
    if network is None:
        return
    audience, owner = where_network_is(network.id), f"network/{network.id}"
    yield (
        audience,
        flow(FORWARDING, "group", "forwarding", owner, Goto("flooding"), network=network.key, eth_dst=GROUP_BIT),
    )
    if not network.segment.is_overlay:
        away = flow(FORWARDING, "unknown", "forwarding", owner, Goto("core_output"), network=network.key, from_core=0)
        yield where_network_is_reached(network.id), away
        yield where_doors_are(network.id), away


UNITS = (Unit(known, over=Port, together=True), Unit(unaddressed, over=Network))
