"""No port speaks for the address of another in ARP, neither in a request nor in a reply, secured or not.

By RFC 826 a host takes what the sender of any ARP packet says of itself, so a request for whatever address poisons as
well as a gratuitous reply. An address that is an allowed pair of several ports may move between them (VRRP), and each
speaks for it. A port with a wide pair, such as 0.0.0.0/0, speaks for what is in it, except for other ports' own
addresses. What strangers on a physical network say is not judged: it may be a conflict of which instances must hear
(RFC 5227).

Most ports cannot speak for others at all: port security holds them to addresses that are told one by one. So what they
say for their own does not come here, and the addresses of a network are listed only on chassis where somebody on it
could (``topology.speaking``).
"""

from flows.actions import Goto
from flows.drops import drop
from flows.flow import flow
from flows.pipeline import ARP_GUARD
from flows.units import Published, Unit, on_chassis, where_network_is, where_network_is_guarded
from topology.facts import View, live_port
from topology.interfaces import interfaces, live_interface
from topology.speaking import own_addresses, paired_addresses, speaks_freely
from topology.values import Port, Router


def spoken_for(view: View, port_id: str) -> Published:
    """A live port's addresses are its own to announce, or its and those who share them."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    here, owner, go_on = on_chassis(port.chassis_id), f"port/{port.id}", Goto("arp_responder")
    own, pairs = set(own_addresses(port)), set(paired_addresses(port))
    shared = {address for address in pairs if "/" not in address}
    for address in sorted(own | shared):
        if address not in own or speaks_freely(port):
            yield here, flow(ARP_GUARD, "own", "arp_guard", owner, go_on, from_port=port.key, arp_spa=address)
        whose = "other" if address in own else "shared"
        yield (
            where_network_is_guarded(port.network.id),
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
