"""Only chassis may send by tunnel: whoever else reaches a tunnel's UDP port would be on any tenant's network."""

from flows.actions import Goto
from flows.drops import drop
from flows.flow import flow
from flows.pipeline import TUNNEL_PEERS
from flows.units import EVERYONE, Published, Unit, on_chassis
from topology.facts import View
from topology.values import Chassis


def peer(view: View, chassis_id: str) -> Published:
    """A chassis is known by its tunnel address. To itself it sends nothing, so whoever uses its address there lies."""
    chassis = view.get(Chassis, chassis_id)
    if chassis is None or chassis.encap_ip is None:
        return
    owner, address = f"chassis/{chassis_id}", chassis.encap_ip
    yield EVERYONE, flow(TUNNEL_PEERS, "peer", "tunnel_peers", owner, Goto("forwarding"), tun_src=address)
    yield (
        on_chassis(chassis_id),
        flow(TUNNEL_PEERS, "self", "tunnel_peers", owner, *drop("unknown_tunnel"), tun_src=address),
    )


UNITS = (Unit(peer, over=Chassis),)
