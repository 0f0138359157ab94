"""A gateway chassis that the controller cannot reach falls silent as soon as another has taken its place.

It would go on answering ARP, and sending with routers' MAC addresses, beside its successor. So the successors show it a
secret that only the controller and its own flows know, on the physical network itself: where both are heard, this is.
The switch then learns by itself that it is fenced there, for the generation of the flows that it has; when it returns,
it gets flows of the next generation. Floating IPs whose instances are on this chassis are nobody else's, and stay.

The controller has it shown each second. Where a network was in two parts, both answer, each in its own; so a successor
also shows it by itself after each answer of its own, and what both have answered is the last that the former has.

Where it has witnesses (``topology.witnesses``), it does not come to that: it answers nobody while it hears none of
them. Its instances go on leaving by itself then, as no other chassis is heard; once it is fenced, by another.
"""

from collections.abc import Sequence

from flows.actions import NO_PORT_ALIVE, Action, FirstAlive, Output, Resubmit, SetField
from flows.fields import ARP_REPLY, ARP_REQUEST, mac_to_int, parse_ipv4
from flows.flow import flow, learn
from flows.pipeline import FENCES, PHYSICAL_ANSWER, PHYSICAL_ARP
from flows.units import Published, Unit, on_chassis
from topology.addressing import UNSPECIFIED, chassis_mac, int_to_mac
from topology.facts import View, live_network
from topology.gateway_values import Fence, Outage
from topology.presence import networks_stood_on
from topology.values import Chassis
from topology.witnesses import witness_ports

FEATURE = "fences"


def silenced(view: View, chassis_id: str, network_id: str) -> Published:
    """Whoever knows the secret of a gateway chassis silences it on a network."""
    fence, network = view.get(Fence, chassis_id), view.ask(live_network, network_id)
    if fence is None or network is None:
        return
    owner, here = f"chassis/{chassis_id}", {"network": network.key, "generation": fence.generation}
    known = learn(flow(FENCES, "fenced", FEATURE, owner, SetField("fenced", 1), **here))
    shown: dict[str, int | str] = {"arp_op": ARP_REQUEST, "arp_tha": int_to_mac(fence.secret)}
    yield on_chassis(chassis_id), flow(PHYSICAL_ARP, "silenced", FEATURE, owner, known, network=network.key, **shown)


def silencing(view: View, chassis_id: str, network_id: str) -> Published:
    """After each answer on a network, a chassis shows those that cannot be reached their secrets."""
    chassis, network = view.get(Chassis, chassis_id), view.ask(live_network, network_id)
    lost = [
        row
        for each in view.find_ids(Outage, "every", True)
        if each != chassis_id
        and network_id in view.ask(networks_stood_on, each)
        and (row := view.get(Outage, each)) is not None
        and row.secret
    ]
    if chassis is None or network is None or not lost:
        return
    way = dict(chassis.patch_ports).get(network.segment.physical_network or "")
    if way is None:
        return
    # The answer has its VLAN tag from there, and keeps it.
    actions: list[Action] = [Resubmit("core_output")]
    for row in lost:
        actions += (*_showing(chassis_id, row), Output(way))
    owner, answered = f"network/{network_id}", {"network": network.key, "arp_op": ARP_REPLY}
    yield on_chassis(chassis_id), flow(PHYSICAL_ANSWER, "silencing", FEATURE, owner, *actions, **answered)


def _showing(chassis_id: str, lost: Outage) -> tuple[Action, ...]:
    """Return the actions that make of an ARP packet what ``sdnapp.arp.silencing`` makes."""
    own, nobody = mac_to_int(chassis_mac(chassis_id)), parse_ipv4(UNSPECIFIED)
    return (
        SetField("eth_dst", mac_to_int(chassis_mac(lost.id))),
        SetField("eth_src", own),
        SetField("arp_op", ARP_REQUEST),
        SetField("arp_sha", own),
        SetField("arp_spa", nobody),
        SetField("arp_tha", lost.secret),
        SetField("arp_tpa", nobody),
    )


def ask_fence(view: View, chassis_id: str) -> tuple[Action, ...]:
    """Return the actions that find out whether a chassis is fenced on the packet's network; none where none can be."""
    fence = view.get(Fence, chassis_id)
    return (SetField("generation", fence.generation), Resubmit("fences")) if fence is not None else ()


def ask_witnesses(view: View, chassis_id: str) -> tuple[Action, ...]:
    """Return the actions by which ``ask_fence`` also finds out whether a chassis hears a witness, if it has any."""
    ports = view.ask(witness_ports, chassis_id)
    if ports is None:
        return ()
    return (FirstAlive("witness", ports) if ports else SetField("witness", NO_PORT_ALIVE),)


def alone(view: View, chassis_id: str) -> Published:
    """A chassis that hears no witness is alone, unless it is fenced besides."""
    if view.ask(witness_ports, chassis_id) is not None:
        said = flow(FENCES, "alone", FEATURE, f"chassis/{chassis_id}", SetField("alone", 1), witness=NO_PORT_ALIVE)
        yield on_chassis(chassis_id), said


def unless_silent(able: Sequence[str]) -> dict[str, int]:
    """Return what the flows match by which a chassis plays a role; one that no other chassis can have, it keeps."""
    return {"fenced": 0, "alone": 0} if len(able) > 1 else {}


UNITS = (
    Unit(silenced, over=Chassis, each=networks_stood_on),
    Unit(silencing, over=Chassis, each=networks_stood_on),
    Unit(alone, over=Chassis),
)
