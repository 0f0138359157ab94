"""Anti-spoofing: an instance sends only as itself, or as one of its allowed address pairs.

IPv4 and ARP with a permitted (MAC, address) combination pass, and so does a DHCP client without an address. One that
renews an address which is no longer the port's must hear so (NAK), so it may ask from any address where it is served.
A hypervisor announces where an instance has migrated to by RARP in its name, which the switches of a physical network
must hear; overlays need no such word. All else is dropped, IPv6 included until it is served. Without
``port_security_enabled`` everything passes.

However wide its address pairs are, a port never speaks as nobody or as many, and never as a DHCP server. Open vSwitch
cannot see IP options, source routes among them; nothing of ours acts on them.
"""

from collections.abc import Iterator

from flows.actions import Goto
from flows.drops import drop
from flows.fields import ETH_TYPE_ARP, ETH_TYPE_IPV4, ETH_TYPE_RARP, VLAN_PRESENT
from flows.flow import flow
from flows.pipeline import PORT_SECURITY, REFUSAL
from flows.units import EVERYONE, Published, Unit, on_chassis
from topology.facts import LivePort, View, is_served_by_dhcp, live_port
from topology.speaking import own_addresses, speaks_freely
from topology.values import Port

DHCP_CLIENT, DHCP_SERVER = 68, 67
GROUP_BIT = "01:00:00:00:00:00/01:00:00:00:00:00"
NO_ADDRESS = "0.0.0.0"
NOBODY = ("0.0.0.0/8", "127.0.0.0/8")
"""Addresses that are on no wire (RFC 1122, section 3.2.1.3). A header that makes no sense has source 0.0.0.0, too."""
MANY = ("224.0.0.0/4", "255.255.255.255")
"""Addresses that are no host's: multicast and broadcast."""

Match = dict[str, int | str]


def permitted(view: View, port_id: str) -> Published:
    """What a port may send, and the MAC addresses by which the rest is told from what has a foreign one."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    audience, owner, go_on = on_chassis(port.chassis_id), f"port/{port.id}", Goto("arp_guard")
    if not port.port_security_enabled:
        yield audience, flow(PORT_SECURITY, "unsecured", "port_security", owner, go_on, from_port=port.key)
        return
    served = is_served_by_dhcp(view, port)
    known = Goto("arp_responder")
    for priority, match in _sources(port, served):
        # What speaks for the port's own address, or for none, needs no guard.
        address = match.get("arp_spa")
        harmless = not speaks_freely(port) and (address == NO_ADDRESS or address in own_addresses(port))
        deed = known if harmless else go_on
        yield audience, flow(PORT_SECURITY, priority, "port_security", owner, deed, from_port=port.key, **match)
    for mac in mac_addresses(port):
        refused = Goto("refusal")
        yield (
            audience,
            flow(PORT_SECURITY, "known", "port_security", owner, refused, from_port=port.key, eth_src=mac),
        )


def refused(view: View) -> Published:
    """What no port may send: a tag might name another's VLAN. Then, what none with port security may, and why not."""
    tagged = f"{VLAN_PRESENT:#x}/{VLAN_PRESENT:#x}"
    yield EVERYONE, flow(PORT_SECURITY, "tagged", "port_security", "drop/vlan_tag", *drop("vlan_tag"), vlan_vid=tagged)
    for match in _malformed():
        yield EVERYONE, flow(PORT_SECURITY, "malformed", "port_security", "drop/malformed", *drop("malformed"), **match)
    answers: Match = {"udp_dst": DHCP_CLIENT}
    owner = "drop/dhcp_server"
    yield EVERYONE, flow(PORT_SECURITY, "server", "port_security", owner, *drop("dhcp_server"), **answers)
    for eth_type, reason in ((ETH_TYPE_IPV4, "spoofed_ip"), (ETH_TYPE_ARP, "spoofed_arp")):
        yield EVERYONE, flow(REFUSAL, "type", "port_security", f"drop/{reason}", *drop(reason), eth_type=eth_type)


def _sources(port: LivePort, served: bool) -> Iterator[tuple[str, Match]]:
    for mac, address in _senders(port):
        yield "permit", {"eth_src": mac, "ipv4_src": address}
        yield "permit", {"eth_src": mac, "arp_sha": mac, "arp_spa": address}
    for mac in mac_addresses(port):
        if not port.network.segment.is_overlay:
            yield "permit", {"eth_src": mac, "eth_type": ETH_TYPE_RARP}
        # RFC 5227: a probe names no sender address. RFC 2131: neither does a client without a lease.
        yield "client", {"eth_src": mac, "arp_sha": mac, "arp_spa": NO_ADDRESS}
        if not served:
            # What a served port asks goes to the controller (``dhcp``). This travels on.
            asking: Match = {"eth_src": mac, "udp_src": DHCP_CLIENT, "udp_dst": DHCP_SERVER}
            yield "client", {**asking, "ipv4_src": NO_ADDRESS, "ipv4_dst": "255.255.255.255"}


def _senders(port: LivePort) -> list[tuple[str, str]]:
    """The port's combinations of MAC and IPv4 address."""
    own = [(port.mac_address, fixed.ip_address) for fixed in port.fixed_ips]
    pairs = [(pair.mac_address, pair.ip_address) for pair in port.allowed_address_pairs]
    return sorted({(mac, address) for mac, address in own + pairs if ":" not in address})


def mac_addresses(port: LivePort) -> list[str]:
    """Return the MAC addresses that a port with port security may send from, sorted."""
    return sorted({port.mac_address, *(mac for mac, _ in _senders(port))})


def _malformed() -> Iterator[Match]:
    yield {"eth_src": GROUP_BIT}
    yield {"eth_src": "00:00:00:00:00:00"}
    for address in NOBODY:
        yield {"ipv4_src": address}
        yield {"ipv4_dst": address}
        yield {"arp_spa": address}
    for address in MANY:
        yield {"ipv4_src": address}
        yield {"arp_spa": address}


UNITS = (Unit(permitted, over=Port, together=True), Unit(refused))
