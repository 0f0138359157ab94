"""No port speaks for the address of another in ARP, neither in a request nor in a reply, secured or not.

By RFC 826 a host takes what the sender of any ARP packet says of itself, so a request for whatever address poisons as
well as a gratuitous reply. An address that is an allowed pair of several ports may move between them (VRRP), and each
speaks for it. A port with a wide pair, such as 0.0.0.0/0, speaks for what is in it, except for other ports' own
addresses. What strangers on a physical network say is not judged: it may be a conflict of which instances must hear
(RFC 5227).
"""

from flows.actions import Goto
from flows.drops import drop
from flows.flow import flow
from flows.pipeline import ARP_GUARD
from flows.units import Published, Unit, on_chassis, where_network_is
from topology.facts import View, live_port
from topology.interfaces import interfaces, live_interface
from topology.values import Port, Router


def spoken_for(view: View, port_id: str) -> Published:
    """A live port's addresses are its own to announce, or its and those who share them."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    here, everywhere, owner = on_chassis(port.chassis_id), where_network_is(port.network.id), f"port/{port.id}"
    own = {fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address}
    pairs = {pair.ip_address.removesuffix("/32") for pair in port.allowed_address_pairs if ":" not in pair.ip_address}
    shared = {address for address in pairs if "/" not in address}
    go_on = Goto("arp_responder")
    for address in sorted(own | shared):
        yield here, flow(ARP_GUARD, "own", "arp_guard", owner, go_on, from_port=port.key, arp_spa=address)
        whose = "other" if address in own else "shared"
        yield (
            everywhere,
            flow(
                ARP_GUARD, whose, "arp_guard", owner, *drop("arp_conflict"), network=port.network.key, arp_spa=address
            ),
        )
    if port.port_security_enabled:
        for prefix in sorted(pairs - shared):
            yield here, flow(ARP_GUARD, "wide", "arp_guard", owner, go_on, from_port=port.key, arp_spa=prefix)


def router_addresses(view: View, router_id: str, port_id: str) -> Published:
    """A router's addresses are answered by flows alone, so no port speaks for them, whatever its address pairs."""
    interface = view.ask(live_interface, port_id)
    if interface is None:
        return
    for address in interface.addresses:
        yield (
            where_network_is(interface.network.id),
            flow(
                ARP_GUARD,
                "router",
                "arp_guard",
                f"port/{port_id}",
                *drop("arp_conflict"),
                network=interface.network.key,
                arp_spa=address,
            ),
        )


UNITS = (Unit(spoken_for, over=Port), Unit(router_addresses, over=Router, each=interfaces))
