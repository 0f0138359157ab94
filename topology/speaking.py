"""Who may say in ARP what others must be protected from. Facts as in ``topology.facts``.

Port security holds a port to its addresses where these are told one by one. Others could speak for somebody else: ports
without port security, and those with an address pair for a whole prefix.
"""

from collections.abc import Iterable
from typing import Any

from topology.facts import At, LivePort, Relation, View, live_port
from topology.values import Port


def own_addresses(port: LivePort) -> tuple[str, ...]:
    """Return the IPv4 addresses of a port itself."""
    return tuple(fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address)


def paired_addresses(port: LivePort) -> tuple[str, ...]:
    """Return the IPv4 addresses and prefixes of a port's allowed address pairs; single addresses without a length."""
    pairs = port.allowed_address_pairs
    return tuple(pair.ip_address.removesuffix("/32") for pair in pairs if ":" not in pair.ip_address)


def speaks_freely(port: LivePort) -> bool:
    """Return whether a port could speak for others' addresses, as far as port security is concerned."""
    return not port.port_security_enabled or any("/" in address for address in paired_addresses(port))


def says_where_free_speakers_are(view: View, port_id: str) -> Iterable[tuple[Any, str]]:
    """Say at the chassis of a live port that on its network somebody there speaks freely."""
    port = view.ask(live_port, port_id)
    if port is None or not speaks_freely(port):
        return ()
    return ((At("guarded", port.chassis_id), port.network.id),)


FREE_SPEAKERS = Relation(Port, says_where_free_speakers_are)
"""The networks on which somebody on a chassis speaks freely."""


def networks_to_guard(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the ids of the networks whose addresses must be protected from ports on a chassis, sorted."""
    return view.gather(FREE_SPEAKERS, At("guarded", chassis_id))
