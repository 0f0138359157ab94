"""Why packets are dropped: every drop goes to one table, which counts it by reason and by port.

A table that drops says ``drop("<reason>")`` in a flow, or names the reason for what nothing matches (``unmatched``).
In the table ``drops`` the switch's own counters answer who was refused what (``features/drops.py``).
"""

from dataclasses import dataclass

from flows.actions import Action, Goto, Move, SetField
from flows.flow import Flow


@dataclass(frozen=True)
class Reason:
    """A reason to drop.

    ``charged`` says whose counter it goes to: that of the port that sent it (``from_port``), that of the one that
    should have received it (``to_port``), or None where there is no port.
    """

    name: str
    number: int
    doc: str
    charged: str | None = "from_port"


REASONS: dict[str, Reason] = {
    reason.name: reason
    for reason in (
        Reason("unknown_origin", 1, "No port, network or VLAN tag of ours: nobody's packet.", charged=None),
        Reason("unknown_tunnel", 2, "A tunnel packet from an address that is no other chassis's.", charged=None),
        Reason("vlan_tag", 3, "An instance's frame with a VLAN tag, which might name another's network."),
        Reason("malformed", 4, "A source that nobody can have: group, zero, loopback or broadcast addresses."),
        Reason("dhcp_server", 5, "An answer of a DHCP server, from an instance."),
        Reason("spoofed_mac", 6, "A MAC address that is not the port's."),
        Reason("spoofed_ip", 7, "An IPv4 source that is not the port's, or not at this MAC address."),
        Reason("spoofed_arp", 8, "An ARP sender that is not the port's, or not at this MAC address."),
        Reason("protocol", 9, "Neither IPv4 nor ARP: IPv6, router advertisements among it, and all else."),
        Reason("arp_conflict", 10, "ARP that speaks for another port's address."),
        Reason("unknown_destination", 11, "A MAC address that nobody on the overlay network has."),
        Reason(
            "not_here", 12, "For a port that is elsewhere, but came by tunnel or cannot be sent there.", charged=None
        ),
        Reason("egress_rules", 13, "No security group of the sender permits it, or it belongs to no connection."),
        Reason(
            "ingress_rules",
            14,
            "No security group of the receiver permits it, or it belongs to no connection.",
            charged="to_port",
        ),
        Reason("unroutable", 15, "Sent to a router for an address that no router forwards to."),
        Reason("not_translated", 16, "No translation between inside and outside."),
        Reason("no_neighbour", 17, "Nobody on the external network is known to have the address."),
        Reason("no_gateway", 18, "No gateway chassis leads to the external network."),
        Reason("egress_connections", 19, "No room for what it begins: the sender has as many connections as it may."),
        Reason(
            "ingress_connections",
            20,
            "No room for what it begins with the receiver, which has as many connections as it may.",
            charged="to_port",
        ),
        Reason("no_source_port", 21, "No source port of its router's is left for what it begins outside."),
        Reason("icmp_copy", 22, "A copy of ICMP for a router's address, of a connection not known here.", charged=None),
    )
}
"""By name. Numbers are never given to another, as old flows may still carry them."""


BY_NUMBER = {reason.number: reason for reason in REASONS.values()}


def drop(reason: str) -> tuple[Action, ...]:
    """Return the actions that drop a packet and count it. Raises KeyError for a reason that is not declared."""
    charged = REASONS[reason].charged
    whose = (Move(charged, "charged"),) if charged is not None else ()
    return SetField("drop_reason", REASONS[reason].number), *whose, Goto("drops")


def reason_of(flow: Flow) -> Reason | None:
    """Return the reason that a flow of the table ``drops`` counts; None for any other flow."""
    return BY_NUMBER.get(next((term.value for term in flow.match if term.field == "drop_reason"), 0))
