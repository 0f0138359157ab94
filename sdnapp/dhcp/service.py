"""What DHCP has to say to one port, computed once from the rows and then used for every request."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface

from sdnapp.dhcp.options import NEXT_SERVER, encode
from sdnapp.dhcp.packet import Code
from topology.values import Network, Port, Subnet

LOG = logging.getLogger(__name__)

FALLBACK_SERVER_ID = "169.254.169.253"
"""Names the server where the subnet has no gateway, or the port itself is the gateway.

No address of the subnet belongs to a server then, and taking one would take it from the tenant. A client cannot reach a
link-local address by unicast, so its renewals (T1) go nowhere; it gets its answer when it rebinds by broadcast (T2).
"""
INFINITE_LEASE = 0xFFFFFFFF
_NO_DNS = "0.0.0.0"
"""As ``dns_nameservers`` of a subnet: announce none (a habit of Neutron's users)."""

_IMPORTANCE = (
    Code.LEASE_TIME,
    Code.NETMASK,
    Code.CLASSLESS_ROUTES,
    Code.MS_CLASSLESS_ROUTES,
    Code.ROUTER,
    Code.MTU,
    Code.DNS_SERVER,
    Code.T1,
    Code.T2,
    Code.BOOT_FILE,
    Code.TFTP_SERVER,
    Code.TFTP_ADDRESS,
    Code.BROADCAST,
    Code.DOMAIN_NAME,
    Code.HOST_NAME,
)
"""Most important first; an option that is not here comes after these, by number."""
_RANK = {code: rank for rank, code in enumerate(_IMPORTANCE)}


@dataclass(frozen=True, slots=True)
class DhcpSettings:
    """What the operator says for all networks. Raises ValueError that names the field and the fix."""

    lease_seconds: int = 86400
    dns_servers: tuple[str, ...] = ()
    """For subnets that have no ``dns_nameservers``."""
    domain: str = "openstacklocal"
    """For networks that have no ``dns_domain``; empty for none."""

    def __post_init__(self) -> None:
        for setting, name, value in (
            ("lease_seconds", "lease-time", str(self.lease_seconds)),
            ("dns_servers", "dns-server", ",".join(self.dns_servers)),
            ("domain", "domain-name", self.domain),
        ):
            try:
                if value:
                    encode(name, value)
            except ValueError as error:
                raise ValueError(f"{setting}: {error}") from None


@dataclass(frozen=True, slots=True)
class Lease:
    """One address of a port and all that is said with it. Addresses are 4 octets."""

    address: bytes
    prefix_length: int
    server_id: bytes
    options: tuple[tuple[int, bytes], ...]
    """Number and octets, most important first; not those that each message determines."""
    siaddr: bytes = bytes(4)
    sname: bytes = b""
    file: bytes = b""
    written: dict[tuple[bytes, int], bytes] = field(default_factory=dict, compare=False, repr=False)
    """Options as they were written for a client that asked for these, in so much room. The responder keeps it short."""

    def has_on_link(self, address: bytes) -> bool:
        """Say whether an address is in the lease's subnet."""
        difference = int.from_bytes(self.address, "big") ^ int.from_bytes(address, "big")
        return difference >> (32 - self.prefix_length) == 0


@dataclass(frozen=True, slots=True)
class PortService:
    """What the responder needs to answer one port."""

    port_id: str
    macs: frozenset[bytes]
    """Clients may be these: the port's MAC address and those of its allowed address pairs."""
    mtu: int
    leases: tuple[Lease, ...]
    """One for each fixed address in an IPv4 subnet with DHCP; the first is the one that is offered. Never empty."""


def dhcp_service(port: Port, network: Network, subnets: Iterable[Subnet], settings: DhcpSettings) -> PortService | None:
    """Return what DHCP says to a port, or None if it says nothing.

    That is so for a port or network that is administratively down, and for a port without an address in an IPv4 subnet
    with ``enable_dhcp``. ``subnets`` are those of the network, or at least those of the port's addresses. An entry of
    ``extra_dhcp_opts`` that cannot be encoded is logged and left out. Raises ValueError if an address in a row is none.
    """
    if not port.admin_state_up or not network.admin_state_up:
        return None
    served = {subnet.id: subnet for subnet in subnets if subnet.enable_dhcp and subnet.ip_version == 4}
    extras = _encode_all(port, ((o.name, o.value) for o in port.extra_dhcp_opts if o.ip_version == 4))
    leases = []
    for fixed in port.fixed_ips:
        subnet = served.get(fixed.subnet_id)
        if subnet is not None:
            general = _encode_all(port, _general(network, subnet, settings))
            leases.append(_lease(port, subnet, fixed.ip_address, general, extras))
    if not leases:
        return None
    macs = {port.mac_address, *(pair.mac_address for pair in port.allowed_address_pairs)}
    return PortService(port.id, frozenset(mac_bytes(mac) for mac in macs), network.mtu, tuple(leases))


def mac_bytes(text: str) -> bytes:
    """Return a MAC address's 6 octets."""
    return bytes.fromhex(text.replace(":", ""))


def _encode_all(port: Port, named: Iterable[tuple[str, str]]) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    for name, value in named:
        try:
            code, octets = encode(name, value)
        except ValueError as error:
            LOG.warning("port %s: not announced: %s", port.id, error)
            continue
        options[code] = octets
    return options


def _general(network: Network, subnet: Subnet, settings: DhcpSettings) -> Iterator[tuple[str, str]]:
    """Yield name and value of what is the same for all addresses of a subnet."""
    yield "lease-time", str(settings.lease_seconds)
    yield "mtu", str(network.mtu)
    dns_servers = [server for server in subnet.dns_nameservers or settings.dns_servers if ":" not in server]
    if dns_servers and _NO_DNS not in dns_servers:
        yield "dns-server", ",".join(dns_servers)
    if domain := network.dns_domain or settings.domain:
        yield "domain-name", domain


def _of_address(port: Port, interface: IPv4Interface, gateway: str | None) -> Iterator[tuple[str, str]]:
    """Yield name and value of what depends on the port's address."""
    yield "netmask", str(interface.netmask)
    if gateway is not None:
        yield "router", gateway
    if interface.network.prefixlen < 31:  # RFC 3021: a /31 has no broadcast address.
        yield "broadcast", str(interface.network.broadcast_address)
    yield "hostname", port.dns_name or f"host-{str(interface.ip).replace('.', '-')}"


def _lease(port: Port, subnet: Subnet, address: str, general: dict[int, bytes], extras: dict[int, bytes]) -> Lease:
    interface = IPv4Interface(f"{address}/{subnet.cidr.partition('/')[2]}")
    own_addresses = {fixed.ip_address for fixed in port.fixed_ips}
    gateway = subnet.gateway_ip if subnet.gateway_ip not in own_addresses else None
    options = general | _encode_all(port, _of_address(port, interface, gateway)) | extras
    _add_routes(options, port, subnet)
    _add_timers(options)
    siaddr = _add_boot_server(options)
    sname, file = options.get(Code.TFTP_SERVER, b""), options.get(Code.BOOT_FILE, b"")
    said = [(code, octets) for code, octets in options.items() if octets]
    return Lease(
        address=interface.ip.packed,
        prefix_length=interface.network.prefixlen,
        server_id=IPv4Address(gateway or FALLBACK_SERVER_ID).packed,
        options=tuple(sorted(said, key=lambda option: (_RANK.get(option[0], len(_RANK)), option[0]))),
        siaddr=siaddr,
        # A name that is too long for its field of the header is in its option only.
        sname=sname if len(sname) <= 63 else b"",
        file=file if len(file) <= 127 else b"",
    )


def _add_timers(options: dict[int, bytes]) -> None:
    """Have clients renew after half of the lease and rebind after seven eighths (RFC 2131 section 4.4.5)."""
    seconds = int.from_bytes(options[Code.LEASE_TIME], "big")
    if seconds != INFINITE_LEASE:
        options.setdefault(Code.T1, (seconds // 2).to_bytes(4, "big"))
        options.setdefault(Code.T2, (seconds * 7 // 8).to_bytes(4, "big"))


def _add_routes(options: dict[int, bytes], port: Port, subnet: Subnet) -> None:
    """Add classless routes where the subnet has host routes and the port no word of its own about them.

    A client that takes classless routes ignores the router option (RFC 3442): the default route has to be among them.
    """
    if subnet.host_routes and Code.CLASSLESS_ROUTES not in options:
        routes = [(route.destination, route.nexthop) for route in subnet.host_routes if ":" not in route.destination]
        if options.get(Code.ROUTER) and "0.0.0.0/0" not in dict(routes):
            routes.append(("0.0.0.0/0", str(IPv4Address(options[Code.ROUTER][:4]))))
        if routes:
            text = ",".join(f"{destination},{router}" for destination, router in routes)
            options |= _encode_all(port, [("classless-static-route", text)])
    if options.get(Code.CLASSLESS_ROUTES):
        options.setdefault(Code.MS_CLASSLESS_ROUTES, options[Code.CLASSLESS_ROUTES])


def _add_boot_server(options: dict[int, bytes]) -> bytes:
    """Return siaddr, the server of the next boot step, and complete what boot loaders look at instead of it.

    Some read siaddr, some option 66 and some option 150; whoever gave one of them meant all of them.
    """
    siaddr = options.pop(NEXT_SERVER, b"")
    if siaddr:
        options.setdefault(Code.TFTP_SERVER, str(IPv4Address(siaddr)).encode("ascii"))
        return siaddr
    try:
        return IPv4Address(options[Code.TFTP_SERVER].decode("ascii")).packed
    except (KeyError, ValueError):
        return options.get(Code.TFTP_ADDRESS, b"")[:4] or bytes(4)
