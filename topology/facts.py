"""What follows from the rows: where ports are, which chassis host a network, who are its peers.

A fact is a total pure function of a view and hashable arguments: for anything missing its answer permits nothing.
Facts ask one another through ``view.ask``, so that whoever computes them can remember answers and what they depend on.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeGuard, TypeVar

from topology.values import AddressPair, Chassis, FixedIP, Network, Port, PortBinding, Row, Segment, Subnet

R = TypeVar("R", bound=Row)
T = TypeVar("T")
PLACES_KEPT = 1 << 12
"""Places of ports, each a network on a chassis, of which what is said is kept once."""


class View(Protocol):
    """How pure functions read the model."""

    def get(self, kind: type[R], row_id: str) -> R | None:
        """Return a row, or None."""
        ...

    def find_ids(self, kind: type[Any], index: str, key: Any) -> tuple[str, ...]:
        """Return the sorted ids of the rows under a key of an index."""
        ...

    def ask(self, fact: Callable[..., T], *args: Any) -> T:
        """Return ``fact(view, *args)``, perhaps from memory."""
        ...

    def gather(self, relation: "Relation", key: Any) -> tuple[str, ...]:
        """Return the values that the rows of a relation say under a key, sorted, each once."""
        ...


class At(NamedTuple):
    """A key under which it is said what of a sort (``what``) there is at a chassis."""

    what: str
    chassis_id: str


class Relation(NamedTuple):
    """What the rows of a kind say together, each by itself: values under keys.

    ``says`` returns what one row says, as pairs of a key and a value. It is a fact, and may gather other relations. A
    change of one row costs no look at the others, however many there are: that is what relations are for.
    """

    kind: "type[Any] | Each"
    says: Callable[[View, Any], Iterable[tuple[Any, str]]]


class Each(NamedTuple):
    """Each thing of a sort that a relation says is at a chassis, as a row whose id is (chassis id, value).

    So what follows from a chassis's networks, one by one, is not found anew for all when one more comes.
    """

    relation: Relation
    what: str


def is_at(key: Any, what: str) -> TypeGuard[At]:
    """Return whether something of a sort is said under a key to be at a chassis."""
    return isinstance(key, At) and key.what == what


def binding_in_force(view: View, port_id: str) -> PortBinding | None:
    """Return the port's latest binding to a known chassis where it may serve, or None."""
    port = view.get(Port, port_id)
    inactive = {each.host for each in port.inactive_bindings} if port is not None else set()
    bindings = [view.get(PortBinding, binding_id) for binding_id in view.find_ids(PortBinding, "port", port_id)]
    placed = [(b, view.get(Chassis, b.chassis_id)) for b in bindings if b is not None]
    serving = [
        b for b, chassis in placed if chassis is not None and inactive.isdisjoint((chassis.id, chassis.hostname))
    ]
    return max(serving, key=lambda binding: binding.sequence, default=None)


class LiveNetwork(NamedTuple):
    """What forwarding needs to know of a network that is up."""

    id: str
    key: int
    segment: Segment


class LivePort(NamedTuple):
    """What forwarding needs to know of a port that carries traffic, and where it is."""

    id: str
    key: int
    network: LiveNetwork
    mac_address: str
    fixed_ips: tuple[FixedIP, ...]
    allowed_address_pairs: tuple[AddressPair, ...]
    port_security_enabled: bool
    security_groups: tuple[str, ...]
    chassis_id: str
    ofport: int
    zone: int


def live_network(view: View, network_id: str) -> LiveNetwork | None:
    """Return the network if it is up."""
    network = view.get(Network, network_id)
    if network is None or not network.admin_state_up:
        return None
    return LiveNetwork(network.id, network.key, network.segment)


def live_port(view: View, port_id: str) -> LivePort | None:
    """Return the port if it carries traffic: plugged somewhere, and up together with its network."""
    port = view.get(Port, port_id)
    if port is None or not port.admin_state_up:
        return None
    network, binding = view.ask(live_network, port.network_id), view.ask(binding_in_force, port_id)
    if network is None or binding is None:
        return None
    return LivePort(
        port.id,
        port.key,
        network,
        port.mac_address,
        port.fixed_ips,
        port.allowed_address_pairs,
        port.port_security_enabled,
        port.security_groups,
        binding.chassis_id,
        binding.ofport,
        binding.zone,
    )


def key_of(view: View, port_id: str) -> int | None:
    """Return the number in the pipeline of a live port."""
    port = view.ask(live_port, port_id)
    return port.key if port is not None else None


def is_allowed_to_another(view: View, network_id: str, address: str, port_id: str = "") -> bool:
    """Return whether a network's address is an allowed pair of a port other than ``port_id``, and so may be there."""
    others = (view.get(Port, other) for other in view.find_ids(Port, "pair_address", address) if other != port_id)
    return any(other is not None and other.network_id == network_id for other in others)


def is_served_by_dhcp(view: View, port: LivePort) -> bool:
    """Return whether DHCPv4 has an address for a port."""
    subnets = [view.get(Subnet, fixed.subnet_id) for fixed in port.fixed_ips]
    return any(subnet is not None and subnet.enable_dhcp and subnet.ip_version == 4 for subnet in subnets)


def says_where(view: View, port_id: str) -> Iterable[tuple[Any, str]]:
    """Say where a live port is."""
    port = view.ask(live_port, port_id)
    if port is None:
        return ()
    here, hosts, ports = _sayings(port.network.id, port.chassis_id)
    return here, hosts, (ports, port_id)


@lru_cache(maxsize=PLACES_KEPT)
def _sayings(network_id: str, chassis_id: str) -> tuple[tuple[Any, str], tuple[Any, str], Any]:
    """Return what all ports of a network on a chassis say alike, and the key of what each says itself."""
    return (
        (At("network", chassis_id), network_id),
        (("hosts", network_id), chassis_id),
        ("ports", chassis_id, network_id),
    )


PLACES = Relation(Port, says_where)
"""Where the live ports of all networks are."""


def networks_at(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the ids of the networks that have a live port on a chassis, sorted."""
    return view.gather(PLACES, At("network", chassis_id))


def local_ports(view: View, chassis_id: str, network_id: str) -> tuple[str, ...]:
    """Return the ids of a network's live ports on a chassis, sorted."""
    return view.gather(PLACES, ("ports", chassis_id, network_id))


def hosts(view: View, network_id: str) -> tuple[str, ...]:
    """Return the ids of the chassis that have a live port of the network, sorted."""
    return view.gather(PLACES, ("hosts", network_id))


def encap_ip(view: View, chassis_id: str, encapsulation: str) -> str | None:
    """Return the tunnel address of a chassis for an encapsulation, or None where it offers none."""
    chassis = view.get(Chassis, chassis_id)
    return chassis.encap_ip if chassis is not None and encapsulation in chassis.encap_types else None


def peer(view: View, port: LivePort) -> str | None:
    """Return the tunnel address by which a port of an overlay network is reached from other chassis, or None."""
    if not port.network.segment.is_overlay:
        return None
    return view.ask(encap_ip, port.chassis_id, port.network.segment.network_type)


def obstacle(view: View, chassis_id: str, segment: Segment) -> str | None:
    """Say what a chassis lacks to carry a segment, and the setting that mends it; None if it lacks nothing."""
    chassis = view.get(Chassis, chassis_id)
    if chassis is None:
        return "the chassis is gone"
    if segment.is_overlay:
        if chassis.encap_ip is None:
            return "the chassis has no tunnel address: `sdnapp chassis init` sets external_ids:sdnapp-encap-ip"
        if segment.network_type not in chassis.encap_types:
            return f"the chassis offers no {segment.network_type}: add it to external_ids:sdnapp-encap-type"
        if segment.network_type not in dict(chassis.tunnel_ports):
            return f"the chassis has no {segment.network_type} tunnel port yet"
    elif segment.physical_network not in dict(chassis.bridge_mappings):
        return f"the chassis maps no bridge to {segment.physical_network}: see external_ids:sdnapp-bridge-mappings"
    elif segment.physical_network not in dict(chassis.patch_ports):
        return f"the chassis has no patch port to {segment.physical_network} yet"
    return None
