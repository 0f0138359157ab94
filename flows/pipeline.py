"""The pipeline, declared once: tables and registers. Checked, with the features, when this module is imported.

Everything else names these; no table, register bit or priority is written as a number anywhere but here.

A packet that connection tracking has taken comes back to the table, and with the registers, of before a change. So
whoever gives a table or a register that exists another place or another meaning gives all tables but the first numbers
that none had before (docs/performance.md, upgrades); adding tables, registers or priorities needs none of that. Where a
packet that comes back has all that the later tables ask for, new numbers for those that it comes back to suffice.
"""

from flows.declarations import Register, Table, TableList, check
from flows.feature_numbers import FEATURES

MISS_PRIORITY = 0
"""The priority of the flow that sends a packet on when nothing else matches."""

CLASSIFICATION = Table(
    0,
    "classification",
    "Where a packet comes from: an instance's port, a tunnel, or a physical network. Sets the network, and of what a "
    "port sends, how it is filtered. Anything else is dropped.",
    match=frozenset({"in_port", "tun_id", "vlan_vid"}),
    priorities={"origin": 100},
    next=("tunnel_peers", "physical_arp", "port_security", "forwarding", "fences", "drops"),
    unmatched="unknown_origin",
)
TUNNEL_PEERS = Table(
    5,
    "tunnel_peers",
    "Lets only other chassis send by tunnel. What is asked for a router's address, and passed on by the gateway "
    "chassis that hands it over to this one, is answered.",
    match=frozenset({"tun_src", "network", "eth_dst", "arp_op", "arp_tpa"}),
    priorities={"self": 110, "passed": 105, "peer": 100},
    next=("physical_answer", "forwarding", "drops"),
    unmatched="unknown_tunnel",
)
PHYSICAL_ARP = Table(
    7,
    "physical_arp",
    "ARP of a physical network that routers are on, as its doors hear it: requests for routers' and floating addresses "
    "are answered where the address is, what neighbours say goes to the controller, and so does what others say for "
    "such an address. A gateway chassis that hands an address over passes on what it is asked; one that the controller "
    "cannot reach is silenced here. What is sent to such an address's own MAC address, another one answers if the "
    "first ones are dead.",
    match=frozenset({"network", "fenced", "alone", "eth_dst", "arp_op", "arp_spa", "arp_sha", "arp_tpa", "arp_tha"}),
    priorities={
        "silenced": 120,
        "claimed": 115,
        "probe": 112,
        "answer": 110,
        "confirmed": 105,
        "told": 100,
        "seen": 95,
        "announced": 90,
    },
    next=("routing", "physical_answer", "transit_output", "fences"),
    miss="routing",
)
PHYSICAL_ANSWER = Table(
    8,
    "physical_answer",
    "An answer to ARP for a router's or floating address leaves by the network's own way. While the controller cannot "
    "reach a gateway chassis, its secret goes out after each answer: where it has heard the question, too, it has "
    "answered this one, and answers no more. A question is answered here if all that would answer before this chassis "
    "are dead, and else goes on.",
    match=frozenset({"network", "door", "arp_op", "arp_tpa"}),
    priorities={"standing_in": 120, "passing": 110, "silencing": 100, "request": 90},
    next=("routing", "core_output", "transit_output"),
    miss="core_output",
)
PORT_SECURITY = Table(
    10,
    "port_security",
    "Lets an instance send only from its own MAC and IPv4 addresses and its allowed address pairs. "
    "What no flow permits is dropped, and however wide the pairs are, so are malformed sources and DHCP servers. "
    "What a port with port security asks a DHCP server, the controller answers from the port's row. No port sends with "
    "a VLAN tag.",
    match=frozenset(
        {"from_port", "eth_src", "eth_type", "ipv4_src", "ipv4_dst", "udp_src", "udp_dst", "arp_spa", "arp_sha"}
    )
    | {"vlan_vid"},
    priorities={
        "tagged": 140,
        "unsecured": 130,
        "client": 125,
        "malformed": 120,
        "server": 110,
        "permit": 100,
        "known": 50,
    },
    next=("refusal", "arp_guard", "arp_responder", "drops"),
    unmatched="spoofed_mac",
)
REFUSAL = Table(
    12,
    "refusal",
    "Names the reason for which a packet with a MAC address of the port itself was not permitted.",
    match=frozenset({"eth_type"}),
    priorities={"type": 100},
    next=("drops",),
    unmatched="protocol",
)
ARP_GUARD = Table(
    15,
    "arp_guard",
    "Drops ARP, requests and replies alike, that speaks for the address of another port: whoever heard it would "
    "believe it. Ports without port security come here, too; what port security holds to a port's own addresses does "
    "not. Who claims an address that several ports may have, the controller hears as well.",
    match=frozenset({"network", "from_port", "arp_spa"}),
    priorities={"router": 120, "claim": 115, "own": 110, "other": 100, "wide": 90, "shared": 80},
    next=("arp_responder", "drops"),
    miss="arp_responder",
)
ARP_RESPONDER = Table(
    20,
    "arp_responder",
    "Takes ARP requests: for routers' addresses it answers, for others it asks whose they are. "
    "A port's probe for its own address goes unanswered (RFC 5227).",
    match=frozenset({"network", "from_port", "arp_op", "arp_tpa"}),
    priorities={"own": 110, "router": 105, "request": 100},
    next=("arp_answer", "dhcp", "addresses"),
    miss="dhcp",
)
ARP_ANSWER = Table(
    25,
    "arp_answer",
    "Answers ARP requests for known addresses where they are asked, and for a gateway's address that nobody has. "
    "Other requests go on.",
    match=frozenset({"network", "found", "arp_op", "arp_tpa"}),
    priorities={"found": 100, "gateway": 90},
    next=("dhcp",),
    miss="dhcp",
)
DHCP = Table(
    26,
    "dhcp",
    "Sends DHCP requests of served ports without port security to the controller, which answers from the port's row.",
    match=frozenset({"from_port", "udp_src", "udp_dst"}),
    priorities={"request": 100},
    next=("egress_stateless",),
    miss="egress_stateless",
)
EGRESS_STATELESS = Table(
    27,
    "egress_stateless",
    "Asks the stateless security groups of the port that sends, if it has any.",
    match=frozenset({"from_port", "eth_type"}),
    priorities={"groups": 100},
    next=("egress_tracking", "group_rules"),
    miss="egress_tracking",
)
EGRESS_TRACKING = Table(
    28,
    "egress_tracking",
    "Looks up the connection that the packet of a filtered port belongs to, in a zone that is the port's own. "
    "What a stateless group permits, what asks a DHCP server, and what is not IPv4 needs no connection. Fragments of "
    "UDP are looked up all the same: only so they show their ports.",
    match=frozenset({"allowed", "filtered", "eth_type", "ip_proto", "ip_frag", "udp_src", "udp_dst"}),
    priorities={"fragments": 130, "permitted": 120, "dhcp": 110, "filtered": 100},
    next=("egress_filter", "routing"),
    miss="routing",
)
EGRESS_FILTER = Table(
    29,
    "egress_filter",
    "Asks the security groups of the port that sends: their egress rules about a connection that others answer, "
    "their ingress rules about one that the packet is an answer in. Most ports have one group, which is known by now. "
    "Invalid packets are dropped, and so is what only DHCP servers send, if it came in fragments.",
    match=frozenset({"from_port", "one_group", "allowed", "eth_type", "ip_frag"})
    | {"ct_state", "ct_nw_proto", "ct_tp_src", "ct_tp_dst"},
    priorities={"server": 120, "permitted": 110, "groups": 100, "group": 90},
    next=("egress_verdict", "routing", "group_rules", "drops"),
    unmatched="egress_rules",
)
EGRESS_VERDICT = Table(
    34,
    "egress_verdict",
    "Lets pass what a security group permits, and remembers new connections. The rest is dropped.",
    match=frozenset({"allowed", "eth_type", "ct_state", "ct_mark"}),
    priorities={"new": 110, "known": 100},
    next=("routing", "connections", "drops"),
    unmatched="egress_rules",
)
ROUTING = Table(
    35,
    "routing",
    "Finds the router that a packet is sent to, by the MAC address of its interface; of what comes from a physical "
    "network, on the chassis that stands for the interface there. All else stays on its network.",
    match=frozenset({"network", "from_core", "eth_dst", "eth_type"}),
    priorities={"interface": 100},
    next=("routes", "forwarding"),
    miss="forwarding",
)
ROUTES = Table(
    36,
    "routes",
    "What a router does with a packet: answers an echo request to itself, and else sends it the way of the longest "
    "prefix, one hop less to live. What it must report, to itself or with no hop left or with no way to go, the "
    "controller reports. Between networks in different address scopes, nothing is routed.",
    match=frozenset({"router", "network", "from_port", "ipv4_dst", "icmp_type", "icmp_code", "ip_ttl"}),
    priorities={
        "nowhere": 130,
        "echo_outside": 125,
        "echo": 120,
        "own": 110,
        "apart": 105,
        "expired": 100,
        "prefix": 20,
        "no_route": 10,
    },
    spans={"prefix": 32},
    next=("paths", "neighbours", "source_nat", "drops"),
    again=("routes",),
)
PATHS = Table(
    37,
    "paths",
    "Where a prefix has several next hops, the one that this packet's connection takes.",
    match=frozenset({"router", "ipv4_dst", "path"}),
    priorities={"prefix": 20},
    spans={"prefix": 32},
    next=("neighbours", "source_nat"),
)
NEIGHBOURS = Table(
    38,
    "neighbours",
    "From the next hop's address to its MAC address; where it is another router, that one's routes are next. "
    "What is larger than the network takes, the controller reports.",
    match=frozenset({"network", "next_hop", "interface", "too_big"}),
    priorities={"too_big": 120, "router": 110, "port": 100, "neighbour": 90, "any": 10},
    next=("router_output", "addresses"),
    again=("routes",),
)
ROUTER_OUTPUT = Table(
    39,
    "router_output",
    "Leaves a router with its interface's MAC address. It may leave by the port that it came in by. "
    "Of an address that nobody has, the controller reports that it cannot be reached; on a physical network it asks.",
    match=frozenset({"router", "network", "interface", "found"}),
    priorities={"interface": 100, "unknown": 10},
    next=("forwarding",),
)
SOURCE_NAT = Table(
    40,
    "source_nat",
    "Translates what leaves a router by its gateway, on the chassis that it comes from: to the floating IP of its "
    "source, or to the router's address and a port of this chassis's own block.",
    match=frozenset({"router", "interface", "too_big", "ipv4_src", "eth_type", "ip_proto"}),
    priorities={"too_big": 120, "floating": 110, "spared": 107, "ported": 105, "router": 100},
    next=("upstream", "drops"),
    unmatched="not_translated",
)
UPSTREAM = Table(
    41,
    "upstream",
    "From the next hop's address on an external network to its MAC address. An unknown one the controller asks for.",
    match=frozenset({"router", "network", "next_hop"}),
    priorities={"own": 110, "neighbour": 100, "unknown": 10},
    next=("external_source", "drops"),
    unmatched="no_neighbour",
)
EXTERNAL_SOURCE = Table(
    42,
    "external_source",
    "The MAC address that goes with an external source address. What found no source port is tried with the chassis's "
    "next ones, and comes here again. What was not translated, though it had to be, ends.",
    match=frozenset({"network", "interface", "ipv4_src", "attempt", "translating", "eth_type", "ct_state"}),
    priorities={"translated": 120, "retry": 115, "untranslated": 112, "floating": 110, "router": 100},
    next=("doors", "forwarding", "drops"),
    again=("external_source",),
    unmatched="not_translated",
)
DOORS = Table(
    43,
    "doors",
    "To the external network on the gateway chassis itself, and else by tunnel to it.",
    match=frozenset({"interface"}),
    priorities={"here": 110, "elsewhere": 100},
    next=("door_choice", "forwarding", "fences", "transit_output", "drops"),
    unmatched="no_gateway",
)
DOOR_CHOICE = Table(
    44,
    "door_choice",
    "The gateway chassis behind the port that was found alive; where none is, this chassis itself if it can, or the "
    "preferred one. A gateway chassis sends by itself unless it is fenced; then by another, found alive or not.",
    match=frozenset({"interface", "door", "fenced"}),
    priorities={"here": 110, "alive": 100, "fenced": 95, "none": 90},
    next=("forwarding", "transit_output", "drops"),
    unmatched="no_gateway",
)
FORWARDING = Table(
    45,
    "forwarding",
    "Finds the port that owns the destination MAC address, and its chassis; broadcast and multicast go to flooding. "
    "An unknown unicast is dropped on overlays and leaves for the physical network on provider networks.",
    match=frozenset({"network", "from_core", "eth_dst"}),
    priorities={"held": 120, "external": 110, "known": 100, "shared": 90, "group": 50, "unknown": 10},
    next=("external_addresses", "inbound_nat", "flooding", "delivery", "core_output", "drops"),
    unmatched="unknown_destination",
)
EXTERNAL_ADDRESSES = Table(
    46,
    "external_addresses",
    "Finds the chassis that translates what is for a router's or floating address: of a router's own, by the block of "
    "source ports. Answers echo requests to routers. Copies other ICMP to all that translate for the router: it names "
    "no port, and only the chassis with the connection takes it. What has no hop left here, or is for a port of the "
    "router's that is nobody's, the controller reports.",
    match=frozenset({"network", "eth_dst", "ipv4_dst", "icmp_type", "icmp_code", "ip_proto", "ip_ttl"})
    | {"tcp_dst", "udp_dst", "too_big", "fenced", "alone"},
    priorities={
        "too_big": 140,
        "echo": 130,
        "expired": 128,
        "forwarding": 125,
        "floating": 120,
        "icmp": 110,
        "block": 100,
        "refused": 60,
        "own": 55,
        "routed": 50,
    },
    next=("inbound_nat", "transit_output", "drops"),
    again=("routes", "forwarding"),
    unmatched="unknown_destination",
)
INBOUND_NAT = Table(
    47,
    "inbound_nat",
    "Translates what comes from an external network, on the instance's own chassis, and hands it to the router.",
    match=frozenset({"network", "ipv4_dst", "tcp_dst", "udp_dst"}),
    priorities={"forwarding": 120, "floating": 110, "router": 100},
    next=("inbound_verdict", "drops"),
    unmatched="not_translated",
)
INBOUND_VERDICT = Table(
    48,
    "inbound_verdict",
    "Lets routers have what was translated: answers to what left by them, and what somebody sends to floating IPs. "
    "What is for an external address still belongs to nobody, or, of ICMP, to another chassis that has a copy.",
    match=frozenset({"network", "ipv4_dst", "ip_proto", "ct_state"}),
    priorities={"copy": 115, "unknown": 110, "known": 100},
    next=("drops",),
    again=("routes",),
    unmatched="not_translated",
)
FLOODING = Table(
    50,
    "flooding",
    "Copies to every local port of the network and, when the packet is from here, to the other chassis that host it "
    "(overlay) or once to the physical network.",
    match=frozenset({"network", "from_core"}),
    priorities={"from_here": 100, "from_core": 90},
    next=("local_copies", "remote_copies", "core_output", "receiver"),
)
LOCAL_COPIES = Table(
    52,
    "local_copies",
    "Copies to a share of the network's local ports, where they are very many: `to_port` is the number of the share.",
    match=frozenset({"network", "to_port"}),
    priorities={"share": 100},
    next=("receiver",),
)
REMOTE_COPIES = Table(
    55,
    "remote_copies",
    "Copies once to each chassis that hosts the network. The flow is the same on all of them: that for the chassis "
    "itself ends in core_output.",
    match=frozenset({"network"}),
    priorities={"copies": 100},
    next=("core_output",),
)
DELIVERY = Table(
    60,
    "delivery",
    "Hands a packet to its port: on this chassis, or by way of the core to the port's chassis. "
    "What came from the core never returns to it.",
    match=frozenset({"network", "to_port", "peer", "from_core"}),
    priorities={"local": 100, "here": 90, "physical": 70, "unplaced": 60, "remote": 50},
    next=("core_output", "receiver", "drops"),
    unmatched="not_here",
)
CORE_OUTPUT = Table(
    70,
    "core_output",
    "Leaves this chassis by the network's own way: a tunnel with its VNI, or a patch port with its VLAN tag. What was "
    "routed has the chassis's own MAC address on a physical network, so that a router's is in one place. Where there "
    "is no such way, a gateway chassis is one.",
    match=frozenset({"network", "eth_src", "tun_dst"}),
    priorities={"own": 120, "routed": 110, "encapsulate": 100},
    next=("door_output", "transit_output", "fences"),
)
DOOR_OUTPUT = Table(
    71,
    "door_output",
    "Leaves the gateway chassis that stands for a router on a physical network: with the router's MAC address or, if "
    "others have taken that role, with its own.",
    match=frozenset({"network", "eth_src", "fenced"}),
    priorities={"fenced": 110, "encapsulate": 100},
)
TRANSIT_OUTPUT = Table(
    72,
    "transit_output",
    "Leaves this chassis by the tunnel that a physical network's frames take between chassis.",
    match=frozenset({"network"}),
    priorities={"encapsulate": 100},
)
FENCES = Table(
    75,
    "fences",
    "Says whether this chassis has been told, since it last heard from the controller, that others have taken its "
    "roles on a network: the switch learns these flows by itself, and the controller removes them. And whether it "
    "hears none of its witnesses, so that others may have taken them without its knowing.",
    match=frozenset({"network", "generation", "witness"}),
    priorities={"fenced": 100, "alone": 90},
)
RECEIVER = Table(
    78,
    "receiver",
    "How the port is filtered that shall receive the packet, if it is.",
    match=frozenset({"to_port"}),
    priorities={"filtered": 100, "unfiltered": 10},
    next=("ingress_stateless",),
)
INGRESS_STATELESS = Table(
    80,
    "ingress_stateless",
    "Asks the stateless security groups of the port that shall receive a packet, if it has any.",
    match=frozenset({"to_port", "eth_type"}),
    priorities={"groups": 100},
    next=("ingress_tracking", "group_rules"),
    miss="ingress_tracking",
)
INGRESS_TRACKING = Table(
    82,
    "ingress_tracking",
    "Looks up the connection of a packet for a filtered port, in a zone that is the port's own. "
    "What a stateless group permits, what a DHCP server answers, and ARP need no connection. "
    "A filtered port receives nothing but IPv4 and ARP.",
    match=frozenset({"allowed", "filtered", "eth_type", "udp_src", "udp_dst"}),
    priorities={"permitted": 120, "dhcp": 110, "arp": 105, "filtered": 100, "other": 90},
    next=("ingress_filter", "local_output", "drops"),
    miss="local_output",
)
INGRESS_FILTER = Table(
    85,
    "ingress_filter",
    "Asks the security groups of the port that shall receive a packet: their ingress rules about a connection that it "
    "answers, their egress rules about one that it has begun. Invalid packets are dropped.",
    match=frozenset({"to_port", "one_group", "eth_type", "ct_state"}),
    priorities={"groups": 100, "group": 90},
    next=("ingress_verdict", "group_rules", "drops"),
    unmatched="ingress_rules",
)
INGRESS_VERDICT = Table(
    86,
    "ingress_verdict",
    "Lets pass what a security group permits, and remembers new connections. The rest is dropped.",
    match=frozenset({"allowed", "attempt", "eth_type", "ct_state", "ct_mark"}),
    priorities={"last_pass": 120, "new": 110, "known": 100},
    next=("local_output", "connections", "drops"),
    unmatched="ingress_rules",
)
LOCAL_OUTPUT = Table(
    90,
    "local_output",
    "The interface of a port on this chassis.",
    match=frozenset({"to_port"}),
    priorities={"port": 100},
    next=("drops",),
    unmatched="not_here",
)
GROUP_RULES = Table(
    100,
    "group_rules",
    "Asks one security group about the packet: its rules for anybody, and those for each remote group that they name. "
    "The table that asks here goes on afterwards, whatever was found.",
    match=frozenset({"security_group", "direction"}),
    priorities={"rules": 100},
    next=("remote_members", "permissions"),
)
REMOTE_MEMBERS = Table(
    110,
    "remote_members",
    "Whether the other end of the connection is in a remote group.",
    match=frozenset({"remote_group", "direction", "stateful"})
    | {"ct_nw_src", "ct_nw_dst", "ct_state", "ipv4_src", "ipv4_dst", "eth_type"},
    priorities={"member": 100},
    next=("permissions",),
)
PERMISSIONS = Table(
    120,
    "permissions",
    "What the rules of security groups permit. Stateful groups look at the connection as it was begun, in both "
    "directions; stateless ones at the packet.",
    match=frozenset({"security_group", "direction", "remote_group", "eth_type", "ip_frag"})
    | {"ct_state", "ct_nw_src", "ct_nw_dst", "ct_nw_proto", "ct_tp_src", "ct_tp_dst"}
    | {"ipv4_src", "ipv4_dst", "ip_proto", "tcp_dst", "udp_dst", "sctp_dst", "icmp_type", "icmp_code"},
    priorities={"rule": 100},
)
CONNECTIONS = Table(
    130,
    "connections",
    "Where a copy of each packet ends that has begun a connection: counted, if there was no room to remember that.",
    match=frozenset({"direction", "ct_mark"}),
    priorities={"remembered": 110, "refused": 100},
    next=("drops",),
)
DROPS = Table(
    200,
    "drops",
    "The end of whatever is dropped, counted by reason, and by port where one is concerned. The switch itself makes a "
    "counter when a port first meets a reason; that packet is not in it.",
    match=frozenset({"drop_reason", "charged"}),
    priorities={"counter": 110, "port": 100, "reason": 50},
)
ADDRESSES = Table(
    220,
    "addresses",
    "Whose MAC address an address of a network is, for ARP requests and for routers. "
    "The table that asks here goes on afterwards, whatever was found.",
    match=frozenset({"network", "next_hop"}),
    priorities={"port": 100},
)

TABLES = TableList(
    (
        *(CLASSIFICATION, TUNNEL_PEERS, PHYSICAL_ARP, PHYSICAL_ANSWER, PORT_SECURITY, REFUSAL, ARP_GUARD),
        *(ARP_RESPONDER, ARP_ANSWER, DHCP, EGRESS_STATELESS, EGRESS_TRACKING, EGRESS_FILTER, EGRESS_VERDICT),
        *(ROUTING, ROUTES, PATHS, NEIGHBOURS, ROUTER_OUTPUT),
        *(SOURCE_NAT, UPSTREAM, EXTERNAL_SOURCE, DOORS, DOOR_CHOICE),
        *(FORWARDING, EXTERNAL_ADDRESSES, INBOUND_NAT, INBOUND_VERDICT),
        *(FLOODING, LOCAL_COPIES, REMOTE_COPIES),
        *(DELIVERY, CORE_OUTPUT, DOOR_OUTPUT, TRANSIT_OUTPUT, FENCES),
        *(RECEIVER, INGRESS_STATELESS, INGRESS_TRACKING, INGRESS_FILTER, INGRESS_VERDICT, LOCAL_OUTPUT),
        *(GROUP_RULES, REMOTE_MEMBERS, PERMISSIONS, CONNECTIONS, DROPS, ADDRESSES),
    )
)

REGISTERS: dict[str, Register] = {
    register.name: register
    for register in (
        Register("network", 0, 0, 24, "Key of the network that the packet is on.", "classification", "addresses"),
        Register("from_core", 0, 24, 1, "1 when it came by tunnel or patch port.", "classification", "delivery"),
        Register("drop_reason", 0, 25, 6, "Why it is dropped (`flows/drops.py`).", "classification", "drops"),
        Register("charged", 15, 0, 32, "Key of the port whose drop it is; 0 for nobody's.", "classification", "drops"),
        Register("from_port", 1, 0, 32, "Key of the instance's port that sent it.", "classification", "drops"),
        Register("to_port", 2, 0, 32, "Key of the port that shall receive it.", "forwarding", "drops"),
        Register("peer", 12, 0, 32, "Tunnel address of that port's chassis.", "forwarding", "delivery", "ipv4"),
        Register("router", 3, 0, 24, "Key of the router that has the packet.", "routing", "upstream"),
        Register("path", 3, 24, 8, "Which of several next hops it takes.", "routes", "paths"),
        Register(
            "next_hop", 4, 0, 32, "IPv4 address whose MAC address is sought.", "arp_responder", "addresses", "ipv4"
        ),
        Register("found", 9, 20, 1, "1 when its MAC address is known; set anew before.", "arp_responder", "addresses"),
        Register("interface", 5, 0, 32, "Key of the interface by which it leaves.", "routes", "door_choice"),
        Register("too_big", 9, 16, 1, "1 when it is larger than its way on takes.", "routes", "external_addresses"),
        Register("attempt", 9, 17, 2, "Which source ports it has been tried with.", "source_nat", "ingress_verdict"),
        Register("translating", 9, 21, 1, "1 when its source must become a router's.", "source_nat", "external_source"),
        Register("door", 9, 0, 16, "Watch port of a gateway chassis that is alive.", "physical_arp", "door_choice"),
        Register("fenced", 9, 19, 1, "1 where others have this chassis's roles.", "classification", "fences"),
        Register("alone", 9, 22, 1, "1 where it hears none of its witnesses.", "classification", "fences"),
        Register("witness", 11, 0, 16, "Watch port of a witness that it hears.", "classification", "fences"),
        Register("generation", 10, 0, 32, "Since when (`Fence` rows) it is asked.", "classification", "fences"),
        Register(
            "security_group", 6, 0, 32, "Key of the security group that is asked.",
            "classification", "permissions",
        ),
        Register(
            "remote_group", 7, 0, 32, "Key of the remote group whose rules are asked, or 0.",
            "egress_stateless", "permissions",
        ),
        Register(
            "zone", 8, 0, 16, "Connection tracking zone of the port that is filtered.",
            "classification", "ingress_verdict",
        ),
        Register(
            "filtered", 8, 19, 1, "1 where the port that sends, then the one that receives, is filtered.",
            "classification", "ingress_tracking",
        ),
        Register(
            "one_group", 8, 20, 1, "1 where one stateful group is all that this port asks.",
            "classification", "ingress_filter",
        ),
        Register(
            "direction", 8, 16, 1, "Which rules are asked: 0 for egress, 1 for ingress.",
            "egress_stateless", "connections",
        ),
        Register("stateful", 8, 17, 1, "1 when stateful groups are asked.", "egress_stateless", "permissions"),
        Register(
            "allowed", 8, 18, 1, "1 when a rule permits it; whoever reads it sets it back.",
            "egress_stateless", "permissions",
        ),
    )
}  # fmt: skip

check(TABLES, REGISTERS.values(), FEATURES.values())
