"""Broadcast and multicast: a copy to each local port, and one to each other chassis (or to the physical network).

Where copies go on an overlay is one flow, the same on all chassis of the network, which only changes when a chassis
comes to the network or leaves it. So it names the chassis itself, too, to which nothing goes (``core_output``).

Where very many ports of a network are on one chassis, each of several flows copies to a share of them: one more port
changes one share, and no flow is longer than OpenFlow can say (64 KiB).
"""

from binascii import crc32

from flows.actions import Action, Resubmit, SetField
from flows.fields import parse_ipv4
from flows.flow import Flow, flow
from flows.pipeline import FLOODING, LOCAL_COPIES, REMOTE_COPIES
from flows.units import Published, Unit, on_chassis, where_network_is
from topology.facts import View, encap_ip, hosts, key_of, live_network, local_ports, networks_at
from topology.values import Chassis, Network

SHARE = 256
"""Ports to which one flow copies at most, or nearly: beyond that, they are shared out."""


def copies(view: View, chassis_id: str, network_id: str) -> Published:
    """The copies that one chassis makes. Open vSwitch leaves out the port that a packet came in by.

    Each receiver filters its own copy.
    """
    network = view.ask(live_network, network_id)
    if network is None:
        return
    audience, owner = on_chassis(chassis_id), f"network/{network.id}"
    port_ids = view.ask(local_ports, chassis_id, network_id)
    if len(port_ids) <= SHARE:
        local = _to_each(view, port_ids)
    else:
        local = []
        for number, share in enumerate(_shared_out(port_ids)):
            yield audience, view.ask(copies_of_share, network_id, number, share)
            local += [SetField("to_port", number), Resubmit("local_copies")]
    away = Resubmit("remote_copies" if network.segment.is_overlay else "core_output")
    yield audience, flow(FLOODING, "from_here", "flooding", owner, *local, away, network=network.key, from_core=0)
    yield audience, flow(FLOODING, "from_core", "flooding", owner, *local, network=network.key, from_core=1)


def copies_of_share(view: View, network_id: str, number: int, port_ids: tuple[str, ...]) -> Flow:
    """Return the flow that copies to some ports of a network, which is the same as long as they are (a fact)."""
    network = view.ask(live_network, network_id)
    match = {"network": network.key if network is not None else 0, "to_port": number}
    return flow(LOCAL_COPIES, "share", "flooding", f"network/{network_id}", *_to_each(view, port_ids), **match)


def _shared_out(port_ids: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Share ports out: each into the share that follows from its id, so that no other port moves as one comes.

    There are twice as many shares when ports are twice as many.
    """
    number = 1 << (len(port_ids) // (SHARE // 2)).bit_length() - 1
    shares: list[list[str]] = [[] for _ in range(number)]
    for port_id in port_ids:
        shares[crc32(port_id.encode()) % number].append(port_id)
    return [tuple(share) for share in shares]


def _to_each(view: View, port_ids: tuple[str, ...]) -> list[Action]:
    keys = (view.ask(key_of, port_id) for port_id in port_ids)
    return [
        action
        for key in sorted(key for key in keys if key is not None)
        for action in (SetField("to_port", key), Resubmit("receiver"))
    ]


def remote_copies(view: View, network_id: str) -> Published:
    """The copies that leave by tunnel, one for each tunnel address of the network's chassis.

    By address: a machine that was installed anew may have left the row of its former self behind.
    """
    network = view.ask(live_network, network_id)
    if network is None or not network.segment.is_overlay:
        return
    encapsulation = network.segment.network_type
    ends = {view.ask(encap_ip, chassis_id, encapsulation) for chassis_id in view.ask(hosts, network_id)}
    away: list[Action] = []
    for address in sorted(end for end in ends if end is not None):
        away += [SetField("tun_dst", parse_ipv4(address)), Resubmit("core_output")]
    owner = f"network/{network.id}"
    yield (
        where_network_is(network.id),
        flow(REMOTE_COPIES, "copies", "flooding", owner, *away, network=network.key),
    )


UNITS = (Unit(copies, over=Chassis, each=networks_at), Unit(remote_copies, over=Network))
