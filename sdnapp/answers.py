"""What is answered to a traced packet: followed from who got it back to the sender, or to where it is lost.

The connections that the packet has begun are known on the way back, as they would be.
"""

from ipaddress import IPv4Address
from typing import Any

from flows.fields import VLAN_PRESENT
from flows.simulator import Delivery, PhysicalFrame
from sdnapp.probes import Answer
from sdnapp.roads import Teller, Traced
from sdnapp.tracing import trace
from sdnapp.tracing_outside import Outside, Why, trace_from_outside
from topology.addressing import int_to_mac
from topology.values import Network, Port


def answer_to(teller: Teller, asked: Traced, why: Why) -> dict[str, Any] | None:
    """Return the road of the answer, as a JSON value as of the question; None where no one host has got that.

    ``teller`` is the one that has told of the question. Raises ValueError that says why it cannot be followed.
    """
    walk, verdict = asked.walk, asked.document["verdict"]
    if verdict == "delivered" and len(walk.deliveries) == 1:
        return _from_port(teller, walk.deliveries[0], why)
    if verdict == "physical":
        return _from_outside(teller, walk.on_physical[-1], why)
    return None


def _from_port(teller: Teller, got: Delivery, why: Why) -> dict[str, Any] | None:
    port = teller.store.get(Port, got.port_id)
    if port is None or "ipv4_src" not in got.packet:
        return None
    sender = _text(got.packet["ipv4_src"])
    return trace(teller, port, sender, why.why_down, probe=Answer(got.packet)).document


def _from_outside(teller: Teller, frame: PhysicalFrame, why: Why) -> dict[str, Any] | None:
    network = _network_of(teller, frame)
    if network is None or "ipv4_src" not in frame.packet:
        return None
    sender, receiver = _text(frame.packet["ipv4_src"]), _text(frame.packet["ipv4_dst"])
    host = Outside(network, receiver, _router_behind(teller, network, frame, sender))
    try:
        return trace_from_outside(teller, host, sender, why, probe=Answer(frame.packet)).document
    except ValueError as error:
        raise ValueError(f"answer: {error}; so trace it by itself, with from_outside={network.id}") from error


def _network_of(teller: Teller, frame: PhysicalFrame) -> Network | None:
    tag = frame.packet.get("vlan_vid", 0) & ~VLAN_PRESENT or None
    wire = (frame.physical_network, tag)
    every = teller.store.all(Network)
    return next((e for e in every if (e.segment.physical_network, e.segment.segmentation_id) == wire), None)


def _router_behind(teller: Teller, network: Network, frame: PhysicalFrame, sender: str) -> str | None:
    """Return the address of the router whose gateway has sent a frame for somebody behind it; None where it is his."""
    mac = int_to_mac(frame.packet["eth_src"])
    for port in teller.store.find(Port, "gateway_on", network.id):
        addresses = [fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address]
        if port.mac_address == mac and addresses and sender not in addresses:
            return addresses[0]
    return None


def _text(address: int) -> str:
    return str(IPv4Address(address))
