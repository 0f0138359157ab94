"""The rows of the store: frozen values, one class for each kind.

Intent uses Neutron's words (network, segment, subnet, port), placement uses OVN's (chassis, port binding).
Addresses are canonical text (``10.0.0.5``, ``fa:16:3e:00:00:01``, ``10.0.0.0/24``): neutral to the address family,
readable in the store and in logs. Every row has ``id``, its key among the rows of its kind.
"""

from dataclasses import dataclass
from typing import Protocol


class Row(Protocol):
    """What all rows have: a text key, unique within the kind."""

    @property
    def id(self) -> str:
        """The key."""
        ...


@dataclass(frozen=True, slots=True)
class Segment:
    """How a network travels between chassis.

    ``network_type`` is ``geneve``, ``vxlan``, ``vlan`` or ``flat``; ``segmentation_id`` is the VNI or the VLAN id
    (None for flat); ``physical_network`` names the bridge mapping (None for overlays).
    """

    network_type: str
    segmentation_id: int | None = None
    physical_network: str | None = None

    @property
    def is_overlay(self) -> bool:
        """Whether the network travels in tunnels between chassis."""
        return self.network_type in ("geneve", "vxlan")


@dataclass(frozen=True, slots=True)
class Network:
    """A layer-2 network of one project. ``key`` is its number in the pipeline (24 bits, never reused).

    ``transit`` is how what comes from and goes to a physical network travels between chassis, once a router is on it.
    """

    id: str
    project_id: str
    key: int
    segment: Segment
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    shared: bool = False
    mtu: int = 1450
    port_security_enabled: bool = True
    dns_domain: str = ""
    external: bool = False
    transit: Segment | None = None
    availability_zone_hints: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class AddressRange:
    """An allocation pool, both ends inclusive."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Route:
    """A host route of a subnet, or an extra route of a router."""

    destination: str
    nexthop: str


@dataclass(frozen=True, slots=True)
class Subnet:
    """Addresses of a network, and what DHCP says about them."""

    id: str
    project_id: str
    network_id: str
    cidr: str
    ip_version: int = 4
    name: str = ""
    description: str = ""
    gateway_ip: str | None = None
    enable_dhcp: bool = True
    allocation_pools: tuple[AddressRange, ...] = ()
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[Route, ...] = ()
    subnetpool_id: str | None = None
    service_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class AddressScope:
    """Addresses that mean the same wherever they are used: no two of its subnet pools overlap.

    ``shared``: with all projects; there is an RBAC policy that says so.
    """

    id: str
    project_id: str
    ip_version: int = 4
    name: str = ""
    shared: bool = False
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class SubnetPool:
    """Prefixes that subnets are cut from, and within which lengths; ``default_quota`` counts single IPv4 addresses or
    /64 prefixes of IPv6 for each project. What is free is kept as claims.

    ``shared``: with all projects; there is an RBAC policy that says so.
    """

    id: str
    project_id: str
    prefixes: tuple[str, ...]
    min_prefixlen: int
    max_prefixlen: int
    default_prefixlen: int
    ip_version: int = 4
    name: str = ""
    description: str = ""
    default_quota: int | None = None
    address_scope_id: str | None = None
    shared: bool = False
    is_default: bool = False
    tags: tuple[str, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class RbacPolicy:
    """Leave for a project (``*``: for all) to use an object of another; types and actions are Neutron's words."""

    id: str
    project_id: str
    object_type: str
    object_id: str
    action: str
    target_project: str
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class FixedIP:
    """One address of a port."""

    subnet_id: str
    ip_address: str


@dataclass(frozen=True, slots=True)
class AddressPair:
    """One more source that a port may use: an address or a prefix, with its own MAC address."""

    ip_address: str
    mac_address: str


@dataclass(frozen=True, slots=True)
class DhcpOption:
    """An ``extra_dhcp_opts`` entry; ``name`` is a dnsmasq option name or a number as text."""

    name: str
    value: str
    ip_version: int = 4


@dataclass(frozen=True, slots=True)
class HostBinding:
    """What a port is to be on a host where it does not serve yet; ``profile`` is JSON."""

    host: str
    vnic_type: str = "normal"
    profile: str = "{}"


@dataclass(frozen=True, slots=True)
class Port:
    """An attachment point of a network. ``key`` is its number in the pipeline (32 bits, never reused).

    On the hosts of ``inactive_bindings`` (destinations of a live migration, by host name or chassis id) it does not
    serve, though plugged.
    """

    id: str
    project_id: str
    network_id: str
    key: int
    mac_address: str
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    device_id: str = ""
    device_owner: str = ""
    fixed_ips: tuple[FixedIP, ...] = ()
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    port_security_enabled: bool = True
    extra_dhcp_opts: tuple[DhcpOption, ...] = ()
    security_groups: tuple[str, ...] = ()
    dns_name: str = ""
    requested_host: str = ""
    vnic_type: str = "normal"
    binding_profile: str = "{}"
    inactive_bindings: tuple[HostBinding, ...] = ()
    tags: tuple[str, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


DEFAULT_GROUP = "default"
"""The name of the security group that each project has."""


@dataclass(frozen=True, slots=True)
class Router:
    """Joins networks of one project, and those shared with it. ``key`` is its number in the pipeline (24 bits).

    Its interfaces are the ports with its id as ``device_id`` and ``ROUTER_INTERFACE`` as owner; its gateway, if it has
    one, is that with ``ROUTER_GATEWAY``. With ``enable_snat``, what leaves by the gateway has the gateway's address.
    Keys are never reused.
    """

    id: str
    project_id: str
    key: int
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    enable_snat: bool = True
    routes: tuple[Route, ...] = ()
    availability_zone_hints: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


ROUTER_INTERFACE = "network:router_interface"
"""The ``device_owner`` of ports that are interfaces of routers."""
ROUTER_GATEWAY = "network:router_gateway"
"""The ``device_owner`` of a router's port on an external network."""
FLOATING_IP = "network:floatingip"
"""The ``device_owner`` of ports that hold a floating IP address; ``device_id`` is the floating IP's."""


@dataclass(frozen=True, slots=True)
class FloatingIP:
    """An address of an external network that stands for a port's own, as long as it is associated.

    ``floating_port_id`` is the port that holds the address and has its MAC address. Associated: ``port_id`` is the
    instance's port, ``fixed_ip_address`` one of its addresses, ``router_id`` the router that leads from there to the
    external network. With port forwardings, only ``router_id`` is set.
    """

    id: str
    project_id: str
    network_id: str
    address: str
    floating_port_id: str
    port_id: str | None = None
    fixed_ip_address: str | None = None
    router_id: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class PortForwarding:
    """Ports of a floating IP that stand for ports of an instance: each for its own, or all for one.

    ``protocol`` is ``tcp`` or ``udp``; last ports are inclusive.
    """

    id: str
    floatingip_id: str
    protocol: str
    external_first: int
    external_last: int
    port_id: str
    internal_ip_address: str
    internal_first: int
    internal_last: int
    description: str = ""
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """What its ports may exchange and with whom: the union of its rules; nothing else passes.

    ``key`` is its number in the pipeline (32 bits, never reused, shared with address groups). A stateful group permits
    connections, a stateless one single packets. ``shared``: with all projects; there is an RBAC policy that says so.
    """

    id: str
    project_id: str
    key: int
    name: str = ""
    description: str = ""
    stateful: bool = True
    shared: bool = False
    tags: tuple[str, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0

    @property
    def is_default(self) -> bool:
        """Whether it is the group that ports of its project have unless they name others: no other has this name."""
        return self.name == DEFAULT_GROUP


_EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """One permission of a security group.

    ``direction`` is ``ingress`` or ``egress``, ``ethertype`` ``IPv4`` or ``IPv6``. ``protocol`` is a number (0 to 255),
    None for any; ``protocol_name`` is what the tenant called it. Port ranges are inclusive; of ICMP, ``port_range_min``
    is the type and ``port_range_max`` the code. At most one of the ``remote_`` fields is set: with none, anybody.
    ``written_prefix`` is ``remote_ip_prefix`` as the tenant wrote it, host bits and all.
    """

    id: str
    project_id: str
    security_group_id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: int | None = None
    protocol_name: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    written_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    description: str = ""
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0

    @property
    def content(self) -> tuple[object, ...]:
        """Return what no two rules of one group have in common altogether: all that it says of packets."""
        prefix = self.written_prefix or self.remote_ip_prefix
        return (
            self.security_group_id,
            self.direction,
            self.ethertype,
            self.protocol,
            self.port_range_min,
            self.port_range_max,
            None if prefix in _EVERYWHERE else prefix,
            self.remote_group_id,
            self.remote_address_group_id,
        )


@dataclass(frozen=True, slots=True)
class DefaultSecurityGroupRule:
    """A rule that new security groups begin with: default groups (``used_in_default_sg``), others, or both.

    Fields are those of ``SecurityGroupRule``; where ``remote_group_id`` is ``PARENT``, the rule names its own group.
    """

    id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: int | None = None
    protocol_name: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    written_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    description: str = ""
    used_in_default_sg: bool = False
    used_in_non_default_sg: bool = True
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class AddressGroup:
    """Prefixes that rules of security groups name together. ``key`` as that of a security group."""

    id: str
    project_id: str
    key: int
    name: str = ""
    description: str = ""
    addresses: tuple[str, ...] = ()
    shared: bool = False
    created_at: str = ""
    updated_at: str = ""
    revision_number: int = 0


@dataclass(frozen=True, slots=True)
class Chassis:
    """A hypervisor: one integration bridge. Observed, not intended; ``id`` is its ``system-id``.

    ``tunnel_ports`` maps an encapsulation (``geneve``, ``vxlan``) and ``patch_ports`` a physical network to the
    OpenFlow port number on this chassis's integration bridge. ``watch_ports`` maps tunnel addresses of other chassis to
    the ports that tell by BFD whether these live. ``datapath_id`` is 16 hexadecimal digits.
    """

    id: str
    hostname: str = ""
    datapath_id: str = ""
    bridge: str = "br-int"
    encap_ip: str | None = None
    encap_types: tuple[str, ...] = ()
    bridge_mappings: tuple[tuple[str, str], ...] = ()
    gateway: bool = False
    tunnel_ports: tuple[tuple[str, int], ...] = ()
    patch_ports: tuple[tuple[str, int], ...] = ()
    watch_ports: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ChassisNote:
    """What administrators say about a chassis. ``id`` is the chassis's."""

    id: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class PortBinding:
    """An interface seen on a chassis that claims a port through ``iface-id`` (or by its name).

    A port may be claimed on two chassis for a while (live migration): the highest ``sequence`` is in force.
    ``zone`` is the port's own connection tracking zone on that chassis (16 bits). ``id`` is ``<port id>@<chassis id>``.
    """

    id: str
    port_id: str
    chassis_id: str
    ofport: int
    interface: str
    sequence: int
    zone: int = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits that were set for one project: pairs of a kind of object and a number, -1 for no limit.

    ``id`` is the project's. Kinds that are not named have the default limit.
    """

    id: str
    limits: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A number or an address taken from a scope by an owner. The key makes it unique, whoever commits first.

    ``id`` is ``<scope>/<value>``, for example ``ip:<subnet id>/167772165``.
    """

    id: str
    scope: str
    value: int
    owner: str


@dataclass(frozen=True, slots=True)
class Counter:
    """The highest number ever handed out in a scope, so that none is handed out twice."""

    id: str
    value: int
