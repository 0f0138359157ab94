"""Stories of traces that begin outside: what ``sdnapp trace`` says is what happens. See ``tests.packet_stories``."""

from typing import Any

from flows.packets import arp_request
from sdnapp.probes import PING, Probe
from sdnapp.tracing_outside import Outside, trace_from_outside
from tests.clouds import UPSTREAM, UPSTREAM_MAC, Cloud
from tests.gateway_stories import FLAT, OUTSIDE, block_of, floating, outside, outward
from tests.storytelling import story
from topology.addressing import int_to_mac
from topology.values import Network


class _NothingIsDown:
    def why_down(self, port: object) -> None: ...
    def why_floatingip_down(self, row: object) -> None: ...


def said(cloud: Cloud, world: Network, to: str, probe: Probe) -> dict[str, Any]:
    """What a trace says: the verdict, the door, who gets what, and what goes back."""
    sender = Outside(cloud.store.get(Network, world.id) or world)
    found = trace_from_outside(cloud.store, cloud.engine, sender, to, _NothingIsDown(), probe=probe)
    return {
        "verdict": found["verdict"],
        "door": found["from"]["chassis"],
        "delivered": [(f"{each['port_id']}@{each['chassis']}", each["packet"]) for each in found["delivered_to"]],
        "left": [(each["chassis"], each["packet"]) for each in found["left_by"]],
    }


def happened(cloud: Cloud, to: str, via: str, probe: Probe) -> dict[str, Any]:
    """What becomes of the packet when the upstream router sends it to whoever answers for its next hop."""
    answers = outside(cloud.inject_physical(FLAT, arp_request(UPSTREAM_MAC, UPSTREAM, via)))
    if not answers:
        return {"verdict": "unanswered", "door": None, "delivered": [], "left": []}
    ((door, answer),) = answers
    walk = cloud.inject_physical(FLAT, probe.packet(UPSTREAM_MAC, int_to_mac(answer["arp_sha"]), UPSTREAM, to))
    verdicts = (
        (walk.deliveries, "delivered"),
        (walk.on_physical, "answered"),
        (walk.to_controller, "controller"),
        ([None], "dropped"),
    )
    return {
        "verdict": next(verdict for found, verdict in verdicts if found),
        "door": door,
        "delivered": [(place, repr(packet)) for place, packet in walk.deliveries],
        "left": [(chassis, repr(packet)) for chassis, packet in outside(walk)],
    }


@story
def what_a_trace_from_outside_says_is_what_happens(cloud: Cloud) -> None:
    net = outward(cloud, ("hv3",), ("hv1", "hv3"))
    near, far, nobodys = (floating(cloud, net, 20 + n, port) for n, port in enumerate((net.one, net.two, None)))
    shut = cloud.security_group("shut", {"protocol": 6, "port_range_min": 80, "port_range_max": 80})
    closed = floating(cloud, net, 24, cloud.port("closed", net.red, "10.0.1.13", "hv2", security_groups=(shut.id,)))
    forwarded = cloud.floating_ip(net.world, "203.0.113.30", router_id=net.hub.id)
    cloud.forward(forwarded, net.two, 8080, 80)
    verdicts = []
    for to, probe in (
        (near.address, PING),
        (far.address, Probe("tcp", 80)),
        (closed.address, Probe("tcp", 80)),
        (closed.address, Probe("tcp", 22)),
        (nobodys.address, PING),
        (forwarded.address, Probe("tcp", 8080)),
        (forwarded.address, Probe("tcp", 8081)),
        (forwarded.address, PING),
        (OUTSIDE, PING),
        (OUTSIDE, Probe("udp", 22)),
        (OUTSIDE, Probe("udp", block_of(cloud, net.hub, "hv1"))),
        ("203.0.113.99", PING),
    ):
        told = said(cloud, net.world, to, probe)
        assert told == happened(cloud, to, to, probe), (to, probe)
        verdicts.append(told["verdict"])
    inside = "10.0.1.12"
    for enable_snat in (True, False):
        cloud.change(net.hub, enable_snat=enable_snat)
        told = said(cloud, net.world, inside, PING)
        assert told == happened(cloud, inside, OUTSIDE, PING)
        verdicts.append(told["verdict"])
    assert " ".join(verdicts) == (
        "delivered delivered delivered dropped unanswered delivered controller dropped "
        "answered controller dropped unanswered dropped delivered"
    )
