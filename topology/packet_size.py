"""How large packets may be that routers forward, in bytes of IPv4. Facts as in ``topology.facts``."""

from topology.facts import View
from topology.gateway import gateway
from topology.interfaces import interfaces, live_interface
from topology.values import Network

ENVELOPE = 50
"""What a tunnel adds, Geneve without options or VXLAN, over IPv4: inner Ethernet 14, own header 8, UDP 8, IPv4 20."""


def largest_out(view: View, router_id: str, port_id: str) -> int | None:
    """Return what may leave a router by an interface or its gateway at most; None where nothing larger comes in.

    By the gateway, a packet may have to go through a tunnel to the gateway chassis. What has come in by it
    (``largest_in``) passes everywhere.
    """
    own, here = view.ask(gateway, router_id), view.ask(sizes, router_id).get(port_id, 0)
    if own is not None and port_id == own.port_id:
        here = _mtu(view, own.network.id) - ENVELOPE
    return here if 0 < here < view.ask(largest, router_id) else None


def largest_in(view: View, router_id: str) -> int | None:
    """Return what may come in by a router's gateway at most, whichever network it is for; None without a gateway."""
    own = view.ask(gateway, router_id)
    if own is None:
        return None
    return min((_mtu(view, own.network.id) - ENVELOPE, *view.ask(sizes, router_id).values()))


def largest(view: View, router_id: str) -> int:
    """Return what may come in by any interface of a router at most; 0 where it has none."""
    return max(view.ask(sizes, router_id).values(), default=0)


def sizes(view: View, router_id: str) -> dict[str, int]:
    """Return what may come in by each interface of a router: asked for by each of them."""
    found = (view.ask(live_interface, port_id) for port_id in view.ask(interfaces, router_id))
    return {each.id: _mtu(view, each.network.id) for each in found if each is not None}


def _mtu(view: View, network_id: str) -> int:
    network = view.get(Network, network_id)
    return network.mtu if network is not None else 0
