"""ARP answered by flows on the asking instance's own chassis; no request for a known address reaches the core.

RFC 826 for the form of a reply, RFC 5227 for probes: a probe (sender address zero) for another port's address is
answered, so that the prober learns of the conflict; a port's probe for its own address is not.
"""

from flows.actions import Goto, Move, OutputInPort, SetField
from flows.features.addresses import ASK
from flows.fields import ARP_REPLY, ARP_REQUEST, mac_to_int, parse_ipv4
from flows.flow import flow
from flows.pipeline import ARP_ANSWER, ARP_RESPONDER
from flows.units import EVERYONE, Published, Unit, on_chassis, where_network_is
from topology.addressing import SERVICE_MAC
from topology.facts import View, is_allowed_to_another, live_network, live_port
from topology.interfaces import interfaces, live_interface
from topology.values import Port, Router, Subnet


def requests(view: View) -> Published:
    """Answer for whoever has the address that is asked for."""
    ask = (Move("arp_tpa", "next_hop"), *ASK, Goto("arp_answer"))
    owner = "table/arp_answer"
    yield EVERYONE, flow(ARP_RESPONDER, "request", "arp_responder", owner, *ask, arp_op=ARP_REQUEST)
    reply = (
        Move("arp_sha", "arp_tha"),
        Move("eth_dst", "arp_sha"),
        Move("eth_src", "eth_dst"),
        Move("arp_sha", "eth_src"),
        SetField("arp_op", ARP_REPLY),
        Move("arp_spa", "arp_tpa"),
        Move("next_hop", "arp_spa"),
        OutputInPort(),
    )
    yield EVERYONE, flow(ARP_ANSWER, "found", "arp_responder", owner, *reply, found=1, arp_op=ARP_REQUEST)


def own_addresses(view: View, port_id: str) -> Published:
    """Leave a live port's questions for its own addresses alone, unless they may be another's as well."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    here, owner = on_chassis(port.chassis_id), f"port/{port.id}"
    # An announcement of one's own address has no reader on an overlay, where every cache is filled by these flows;
    # a physical network's switches and hosts do want it.
    own = () if port.network.segment.is_overlay else (Goto("dhcp"),)
    for fixed in port.fixed_ips:
        address = fixed.ip_address
        if ":" in address or view.ask(is_allowed_to_another, port.network.id, address, port.id):
            continue
        asked: dict[str, int | str] = {"network": port.network.key, "arp_op": ARP_REQUEST, "arp_tpa": address}
        yield here, flow(ARP_RESPONDER, "own", "arp_responder", owner, *own, from_port=port.key, **asked)


def router_addresses(view: View, router_id: str, port_id: str) -> Published:
    """Answer for a router's addresses on one of its networks: it is on every chassis, and nobody asks it elsewhere."""
    interface = view.ask(live_interface, port_id)
    if interface is None:
        return
    for address in interface.addresses:
        yield (
            where_network_is(interface.network.id),
            flow(
                ARP_RESPONDER,
                "router",
                "arp_responder",
                f"port/{port_id}",
                *answer(interface.mac_address, address),
                network=interface.network.key,
                arp_op=ARP_REQUEST,
                arp_tpa=address,
            ),
        )


def dhcp_server(view: View, subnet_id: str) -> Published:
    """Answer for an overlay subnet's gateway address while nobody has it: DHCP clients renew their leases there."""
    subnet = view.get(Subnet, subnet_id)
    network = view.ask(live_network, subnet.network_id) if subnet else None
    if subnet is None or network is None or not network.segment.is_overlay:
        return
    if not subnet.enable_dhcp or subnet.gateway_ip is None or subnet.ip_version != 4:
        return
    if view.ask(is_allowed_to_another, network.id, subnet.gateway_ip):
        return
    yield (
        where_network_is(network.id),
        flow(
            ARP_ANSWER,
            "gateway",
            "arp_responder",
            f"subnet/{subnet.id}",
            *answer(SERVICE_MAC, subnet.gateway_ip),
            network=network.key,
            arp_op=ARP_REQUEST,
            arp_tpa=subnet.gateway_ip,
        ),
    )


def answer(mac: str, address: str) -> tuple[Move | SetField | OutputInPort, ...]:
    """Return the actions that turn a request into its reply and send it back."""
    return (*turned(mac, address), OutputInPort())


def turned(mac: str, address: str) -> tuple[Move | SetField, ...]:
    """Return the actions that turn a request into its reply."""
    hardware = mac_to_int(mac)
    return (
        Move("eth_src", "eth_dst"),
        SetField("eth_src", hardware),
        SetField("arp_op", ARP_REPLY),
        Move("arp_sha", "arp_tha"),
        SetField("arp_sha", hardware),
        Move("arp_spa", "arp_tpa"),
        SetField("arp_spa", parse_ipv4(address)),
    )


UNITS = (
    Unit(requests),
    Unit(own_addresses, over=Port),
    Unit(router_addresses, over=Router, each=interfaces),
    Unit(dhcp_server, over=Subnet),
)
