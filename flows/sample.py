"""A small cloud with one of everything, from which the pipeline document takes its examples."""

from typing import Any, NamedTuple

from topology.gateway_values import PASSING_ON, Fence, GatewayBinding, Neighbour, Outage, Translation, VirtualAddress
from topology.placement import Plugged, observe
from topology.store import Store
from topology.values import (
    FLOATING_IP,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    AddressGroup,
    AddressPair,
    Chassis,
    FixedIP,
    FloatingIP,
    Network,
    Port,
    PortForwarding,
    Route,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    Subnet,
    SubnetPool,
)

HERE = "hv1"
WITNESSES = {"hv1": ("hv2", "hv3")}


class SampleCloud(NamedTuple):
    """The rows, and what they are in words."""

    store: Store
    description: tuple[str, ...]


DESCRIPTION = (
    "`red`: an overlay network (Geneve, VNI 101) with instances `web` and `proxy` on `hv1` and `db` on `hv2`; "
    "`proxy` may also use 10.0.0.100 at fa:16:3e:00:01:64, and 172.16.0.0/12 as a router does. `web` and `db` share "
    "10.0.0.200, which is at `db` now.",
    "`plant`: a provider network (VLAN 200 of `physnet1`) with `press` on `hv1` and `robot` on `hv2`; "
    "`press` has no port security. The router `line` leads from there to `lab`; 10.0.1.9 is a machine that is no port.",
    "`blue`: another overlay network (Geneve, VNI 102) with `app` on `hv2`, joined to `red` by the router `hub`, which "
    "sends 198.51.100.0/24 to `web` and `db` by turns.",
    "`lab`: a flat provider network (`physnet2`) with `scope` on `hv1`.",
    "`world`: an external network (VLAN 300 of `physnet1`), its router at 10.0.4.1, and both chassis gateways. "
    "`hub` has 10.0.4.21 there, with a block of source ports for each chassis, `web` the floating IP 10.0.4.23, and "
    "port 2222 of 10.0.4.24 is `proxy`'s port 22. The router `open` leads from `blue` to `world` without translation. "
    "`world` and `blue` are in one address scope: `hub` translates nothing between these, and routes nothing to `red`.",
    "`servers`: the security group of `web`, `db`, `proxy` and `scope`. They may begin any connection, and receive "
    "those of one another, HTTP from anybody, and pings from the address group `offices` (198.51.100.0/24).",
    "`hv2` was handing over the gateway of `open` to `hv1`, and getting that of `hub`, as the controller lost it; "
    "nobody has taken its roles yet. The witnesses of `hv1` are `hv2` and one that has just been deleted.",
    "`probes`: a stateless security group of `scope`, which may exchange SNMP with `servers`.",
)

NETWORKS = {
    "red": Segment("geneve", 101),
    "plant": Segment("vlan", 200, "physnet1"),
    "lab": Segment("flat", None, "physnet2"),
    "blue": Segment("geneve", 102),
    "world": Segment("vlan", 300, "physnet1"),
}
PAIRS = (AddressPair("10.0.0.100", "fa:16:3e:00:01:64"), AddressPair("172.16.0.0/12", "fa:16:3e:00:00:0d"))
SHARED = (AddressPair("10.0.0.200", "fa:16:3e:00:00:0b"), AddressPair("10.0.0.200", "fa:16:3e:00:00:0c"))
SERVERS, PROBES = ("servers",), ("servers", "probes")
RULES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("servers", "egress", {}),
    ("servers", "ingress", {"remote_group_id": "servers"}),
    ("servers", "ingress", {"protocol": 6, "port_range_min": 80, "port_range_max": 81}),
    ("servers", "ingress", {"protocol": 1, "port_range_min": 8, "remote_address_group_id": "offices"}),
    ("probes", "egress", {"protocol": 17, "port_range_min": 161, "remote_group_id": "servers"}),
    ("probes", "ingress", {"protocol": 17, "remote_ip_prefix": "10.0.0.0/16"}),
)
PORTS: tuple[tuple[str, str, str, int, dict[str, Any]], ...] = (
    ("web", "red", "hv1", 1, {"security_groups": SERVERS, "allowed_address_pairs": SHARED[:1]}),
    ("db", "red", "hv2", 1, {"security_groups": SERVERS, "allowed_address_pairs": SHARED[1:]}),
    ("proxy", "red", "hv1", 2, {"security_groups": SERVERS, "allowed_address_pairs": PAIRS}),
    ("press", "plant", "hv1", 3, {"port_security_enabled": False}),
    ("robot", "plant", "hv2", 2, {}),
    ("scope", "lab", "hv1", 4, {"security_groups": PROBES}),
    ("app", "blue", "hv2", 3, {}),
    ("hub-red", "red", "", 0, {"device_owner": ROUTER_INTERFACE, "device_id": "hub"}),
    ("hub-blue", "blue", "", 0, {"device_owner": ROUTER_INTERFACE, "device_id": "hub"}),
    ("open-blue", "blue", "", 0, {"device_owner": ROUTER_INTERFACE, "device_id": "open"}),
    ("hub-world", "world", "", 0, {"device_owner": ROUTER_GATEWAY, "device_id": "hub"}),
    ("open-world", "world", "", 0, {"device_owner": ROUTER_GATEWAY, "device_id": "open"}),
    ("web-world", "world", "", 0, {"device_owner": FLOATING_IP, "device_id": "web-address"}),
    ("proxy-world", "world", "", 0, {"device_owner": FLOATING_IP, "device_id": "proxy-address"}),
    ("line-plant", "plant", "", 0, {"device_owner": ROUTER_INTERFACE, "device_id": "line"}),
    ("line-lab", "lab", "", 0, {"device_owner": ROUTER_INTERFACE, "device_id": "line"}),
)


HOSTS = {"hub-red": "1", "hub-blue": "1", "open-blue": "2", "line-plant": "1", "line-lab": "1"}
SCOPED = ("blue", "world")
TRANSITS = {"world": 103, "plant": 104, "lab": 105}
TRANSLATIONS = (
    ("hub", "hv1", "10.0.4.21"),
    ("hub", "hv2", "10.0.4.21"),
    ("open", "hv2", "10.0.4.22"),
    ("web-address", "hv1", "web 10.0.0.11"),
)


STANDING = {"router/hub": "hv2", "router/open": "hv1", "port/line-plant": "hv1", "port/line-lab": "hv2"}
HANDED_OVER = {"router/open": ("hv2", PASSING_ON), "router/hub": ("hv1", PASSING_ON)}
"""By whom, and which step it is."""


def sample_cloud() -> SampleCloud:
    """Build the cloud; the same rows each time."""
    store = Store()
    with store.transaction() as tx:
        for key, (network_id, segment) in enumerate(NETWORKS.items(), 1):
            transit = Segment("geneve", TRANSITS[network_id]) if network_id in TRANSITS else None
            values: dict[str, Any] = {"transit": transit, "mtu": 1500 if network_id == "lab" else 1450}
            tx.put(Network(network_id, "sample", key, segment, external=network_id == "world", **values))
            served = segment.is_overlay or network_id == "plant"
            cidr, gateway = f"10.0.{key - 1}.0/24", f"10.0.{key - 1}.1"
            pool = "company" if network_id in SCOPED else None
            values = {"gateway_ip": gateway, "enable_dhcp": served, "subnetpool_id": pool}
            tx.put(Subnet(f"{network_id}-addresses", "sample", network_id, cidr, **values))
        tx.put(SubnetPool("company", "sample", ("10.0.0.0/16",), 8, 32, 24, address_scope_id="company"))
        tx.put(SecurityGroup("servers", "sample", 1))
        tx.put(SecurityGroup("probes", "sample", 2, stateful=False))
        tx.put(AddressGroup("offices", "sample", 3, addresses=("198.51.100.0/24",)))
        for number, (group_id, direction, rule) in enumerate(RULES, 1):
            tx.put(SecurityGroupRule(f"{group_id}-{number}", "sample", group_id, direction, **rule))
        for key, (port_id, network_id, _, _, more) in enumerate(PORTS, 1):
            (subnet,) = tx.find(Subnet, "network", network_id)
            host = HOSTS.get(port_id, str(10 + key))
            address = FixedIP(subnet.id, subnet.cidr.replace("0/24", host))
            mac = f"fa:16:3e:00:00:{10 + key:02x}"
            tx.put(Port(port_id, "sample", network_id, key, mac, fixed_ips=(address,), **more))
        tx.put(Router("hub", "sample", 1, routes=tuple(Route("198.51.100.0/24", f"10.0.0.{n}") for n in (11, 12))))
        tx.put(Router("open", "sample", 2, enable_snat=False))
        tx.put(Router("line", "sample", 3))
        tx.put(FloatingIP("web-address", "sample", "world", "10.0.4.23", "web-world", "web", "10.0.0.11", "hub"))
        tx.put(FloatingIP("proxy-address", "sample", "world", "10.0.4.24", "proxy-world", router_id="hub"))
        tx.put(PortForwarding("ssh", "proxy-address", "tcp", 2222, 2222, "proxy", "10.0.0.13", 22, 22))
        tx.put(VirtualAddress("red/10.0.0.200", "red", "10.0.0.200", "db"))
        tx.put(Neighbour("world/10.0.4.1", "world", "10.0.4.1", "00:00:5e:00:01:01"))
        tx.put(Neighbour("plant/10.0.1.9", "plant", "10.0.1.9", "00:00:5e:00:53:09"))
        for owner, chassis_id in STANDING.items():
            router_id = owner.removeprefix("router/") if owner.startswith("router/") else "line"
            tx.put(GatewayBinding(owner, router_id, chassis_id, "2026-01-01T00:00:00Z", *HANDED_OVER.get(owner, ())))
        for number, (owner, chassis_id, subject) in enumerate(TRANSLATIONS, 1):
            first, ports = (1024 * number, 1024) if owner == "hub" else (0, 0)
            row_id = f"{owner}@{chassis_id}"
            tx.put(Translation(row_id, owner, chassis_id, 100 + number, subject, first, ports))
            if owner == "hub":
                tx.put(Fence(chassis_id, 1, 0x5EC2E7000000 + number, WITNESSES.get(chassis_id, ())))
        tx.put(Outage("hv2", 0x5EC2E7FFFFFF))
    for number, chassis_id in enumerate(("hv1", "hv2"), 1):
        plugged = {
            port_id: Plugged(ofport, f"tap-{port_id}") for port_id, _, place, ofport, _ in PORTS if place == chassis_id
        }
        observe(
            store,
            Chassis(
                chassis_id,
                encap_ip=f"192.0.2.{number}",
                encap_types=("geneve",),
                gateway=True,
                tunnel_ports=(("geneve", 100),),
                patch_ports=(("physnet1", 101), ("physnet2", 102)),
                watch_ports=((f"192.0.2.{3 - number}", 103),),
            ),
            plugged,
        )
    return SampleCloud(store, DESCRIPTION)
