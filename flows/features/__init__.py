"""One module for each behaviour, and the list of all their units."""

from flows.features import (
    arp_guard,
    arp_responder,
    classification,
    core_output,
    delivery,
    dhcp,
    drops,
    flooding,
    forwarding,
    icmp,
    miss,
    permissions,
    port_filter,
    port_security,
    routing,
    security_groups,
    tunnel_peers,
)
from flows.units import Unit

UNITS: tuple[Unit, ...] = (
    *miss.UNITS,
    *classification.UNITS,
    *tunnel_peers.UNITS,
    *port_security.UNITS,
    *arp_guard.UNITS,
    *arp_responder.UNITS,
    *dhcp.UNITS,
    *routing.UNITS,
    *icmp.UNITS,
    *forwarding.UNITS,
    *flooding.UNITS,
    *delivery.UNITS,
    *core_output.UNITS,
    *port_filter.UNITS,
    *security_groups.UNITS,
    *permissions.UNITS,
    *drops.UNITS,
)
