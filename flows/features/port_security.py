"""Anti-spoofing: an instance sends only as itself, or as one of its allowed address pairs.

IPv4 and ARP with a permitted (MAC, address) combination pass, and so does a DHCP client without an address. One that
renews an address which is no longer the port's must hear so (NAK), so it may ask from any address where it is served.
A hypervisor announces where an instance has migrated to by RARP in its name, which the switches of a physical network
must hear; overlays need no such word. All else is dropped, IPv6 included until it is served. Without
``port_security_enabled`` everything passes.
"""

from collections.abc import Iterator

from flows.actions import Goto
from flows.fields import ETH_TYPE_RARP
from flows.flow import flow
from flows.pipeline import PORT_SECURITY
from flows.units import Published, Unit, on_chassis
from topology.facts import LivePort, View, is_served_by_dhcp, live_port
from topology.values import Port

DHCP_CLIENT, DHCP_SERVER = 68, 67


def permitted(view: View, port_id: str) -> Published:
    """What a port may send."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    audience = on_chassis(port.chassis_id)
    served = view.ask(is_served_by_dhcp, port_id)
    for match in _sources(port, served) if port.port_security_enabled else [{}]:
        yield (
            audience,
            flow(
                PORT_SECURITY,
                "permit",
                "port_security",
                f"port/{port.id}",
                Goto("arp_guard"),
                from_port=port.key,
                **match,
            ),
        )


def _sources(port: LivePort, served: bool) -> Iterator[dict[str, int | str]]:
    own = [(port.mac_address, fixed.ip_address) for fixed in port.fixed_ips]
    pairs = [(pair.mac_address, pair.ip_address) for pair in port.allowed_address_pairs]
    senders = sorted({(mac, address) for mac, address in own + pairs if ":" not in address})
    for mac, address in senders:
        yield {"eth_src": mac, "ipv4_src": address}
        yield {"eth_src": mac, "arp_sha": mac, "arp_spa": address}
    for mac in sorted({port.mac_address, *(mac for mac, _ in senders)}):
        if not port.network.segment.is_overlay:
            yield {"eth_src": mac, "eth_type": ETH_TYPE_RARP}
        # RFC 5227: a probe names no sender address. RFC 2131: neither does a client without a lease.
        yield {"eth_src": mac, "arp_sha": mac, "arp_spa": "0.0.0.0"}
        asking: dict[str, int | str] = {"eth_src": mac, "udp_src": DHCP_CLIENT, "udp_dst": DHCP_SERVER}
        # What a served port asks goes to the controller, whatever its addresses; all else would travel on.
        yield asking if served else {**asking, "ipv4_src": "0.0.0.0", "ipv4_dst": "255.255.255.255"}


UNITS = (Unit(permitted, over=Port),)
