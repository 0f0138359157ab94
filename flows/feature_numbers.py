"""Features, declared once: the modules that yield flows, and the numbers that the cookies of their flows begin with.

``flows.pipeline`` checks them. A number is never given to another feature, as switches may still hold its flows.
"""

from flows.declarations import Feature

FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("miss", 1, "What each table does with a packet that nothing matches."),
        Feature("classification", 2, "From port number, tunnel key or VLAN tag to network and port."),
        Feature("port_security", 3, "Anti-spoofing of MAC, IPv4 and ARP."),
        Feature("arp_responder", 4, "ARP answered by flows."),
        Feature("dhcp", 5, "DHCP requests to the controller."),
        Feature("forwarding", 6, "From destination MAC address to port."),
        Feature("flooding", 7, "Broadcast and multicast."),
        Feature("addresses", 40, "From an address to its MAC address."),
        Feature("delivery", 8, "To the port, here or elsewhere."),
        Feature("core_output", 9, "Tunnels and physical networks."),
        Feature("tunnel_peers", 30, "No tunnel packets but those of chassis."),
        Feature("drops", 31, "What is dropped, counted by reason and port."),
        Feature("port_filter", 20, "Filtered ports: connection tracking, and the security groups that each asks."),
        Feature("security_groups", 21, "What each security group asks, and the members of remote groups."),
        Feature("permissions", 22, "Rules of security groups."),
        Feature("routing", 11, "Routers, on the chassis where a packet comes from."),
        Feature("icmp", 12, "What routers say of themselves: echo replies, and errors by the controller."),
        Feature("doors", 13, "Ways from chassis to external networks, and between the chassis."),
        Feature("source_nat", 14, "Addresses of what leaves routers by their gateways."),
        Feature("source_ports", 18, "Where a chassis's first source ports do not suffice."),
        Feature("address_scopes", 19, "No translation within an address scope, and no way out of it."),
        Feature("virtual_addresses", 23, "Addresses that move between ports, for routers."),
        Feature("upstream", 15, "Neighbours on external networks."),
        Feature("provider_routing", 17, "Routers on physical networks, and where these find them."),
        Feature("inbound_nat", 16, "From external addresses to instances."),
        Feature("fences", 32, "Gateway chassis that others have replaced, and that the controller cannot reach."),
        Feature("physical_answers", 33, "ARP of physical networks for routers' and floating addresses."),
        Feature("arp_guard", 10, "No port speaks for the address of another in ARP."),
    )
}
