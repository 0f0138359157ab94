"""Stories of traces: what ``sdnapp trace`` says is what happens. See ``tests.packet_stories``."""

from typing import Any

from flows.packets import arp_request
from sdnapp.answers import answer_to
from sdnapp.probes import PING, Answer, Probe
from sdnapp.roads import Teller
from sdnapp.tracing import trace
from sdnapp.tracing_outside import Outside, trace_from_outside
from tests.clouds import UPSTREAM, UPSTREAM_MAC, Cloud
from tests.gateway_stories import FAR, FLAT, OUTSIDE, block_of, floating, outside, outward
from tests.storytelling import address, story
from topology.addressing import int_to_mac
from topology.values import FloatingIP, Network, Port


class NothingIsDown:
    """Who knows of nothing that does not work."""

    def why_down(self, port: Port) -> str | None:
        return None

    def why_floatingip_down(self, row: FloatingIP) -> str | None:
        return None


def said(cloud: Cloud, world: Network, to: str, probe: Probe) -> dict[str, Any]:
    """What a trace says: the verdict, the door, who gets what, and what goes back."""
    sender = Outside(cloud.store.get(Network, world.id) or world)
    teller = Teller(cloud.store, cloud.engine)
    found = trace_from_outside(teller, sender, to, NothingIsDown(), probe=probe).document
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


@story
def what_a_trace_says_of_an_answer_is_what_happens(cloud: Cloud) -> None:
    net = outward(cloud, ("hv3",), ("hv1", "hv3"))
    each = floating(cloud, net, 20, net.two)
    for port, place, seen_as in ((net.one, "one@hv1", OUTSIDE), (net.two, "two@hv2", each.address)):
        for probe in (PING, Probe("tcp", 80), Probe("udp", 53)):
            teller = Teller(cloud.store, cloud.engine)
            found = answer_to(teller, trace(teller, port, FAR, lambda port: None, probe=probe), NothingIsDown())
            assert found is not None and found["from"]["via"] == seen_as
            sent = probe.packet(port.mac_address, net.to_red.mac_address, address(port), FAR)
            ((_, frame),) = outside(cloud.inject(place, sent))
            back = Answer(frame).packet(UPSTREAM_MAC, int_to_mac(frame["eth_src"]), FAR, seen_as)
            ((delivered, packet),) = cloud.inject_physical(FLAT, back).deliveries
            told = [(f"{each['port_id']}@{each['chassis']}", each["packet"]) for each in found["delivered_to"]]
            assert told == [(delivered, repr(packet))] == [(place, repr(packet))]
