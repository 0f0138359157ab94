"""ICMP errors of routers: what is answered, from which address, and what is not answered at all."""

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.engine import Engine
from flows.flow import Flow
from flows.packets import Packet, icmp, icmp_echo, ipv4, tcp, udp
from flows.pipeline import TABLES
from sdnapp.router_icmp import Silence, _Plain, report
from tests.clouds import UPSTREAM_MAC, SimulatedCloud
from tests.gateway_stories import FAR, FLAT, OUTSIDE, ask_far, floating, from_far, mac_of, outside, outward
from tests.provider_stories import plant
from tests.real_ovs.frames import from_bytes, to_bytes
from tests.router_stories import Joined, chain, interface, joined
from topology.routing import networks_reached
from topology.store import Store
from topology.values import Chassis

ONE = "10.0.1.11"


@pytest.fixture(scope="module")
def net() -> tuple[SimulatedCloud, Joined]:
    cloud = SimulatedCloud()
    joint = joined(cloud)
    cloud.change(joint.one, port_security_enabled=False)
    return cloud, joint


def flow_to_controller(cloud: SimulatedCloud, packet: Packet) -> Flow:
    (sent,) = cloud.inject("one@hv1", packet).to_controller
    return sent.flow


def answered(net: tuple[SimulatedCloud, Joined], packet: Packet) -> tuple[str, int, int]:
    """Where the error comes from, its type and its code; it goes back to whoever sent the packet, which it quotes."""
    cloud, _ = net
    frame = to_bytes(packet)
    reply = report(cloud.store, flow_to_controller(cloud, packet), frame)
    assert isinstance(reply, bytes)
    error = from_bytes(reply)
    assert (error["eth_src"], error["eth_dst"]) == (packet["eth_dst"], packet["eth_src"])
    assert error["ipv4_dst"] == packet["ipv4_src"] and error["ip_ttl"] == 64
    assert reply[14 + 28 :] == frame[14:][: 576 - 28], "quotes the packet"
    assert reply[15] == 0xC0 and checksum(reply[14:34]) == checksum(reply[34:]) == 0
    return str(IPv4Address(error["ipv4_src"])), error["icmp_type"], error["icmp_code"]


def checksum(content: bytes) -> int:
    total = sum(struct.unpack(f"!{len(content) // 2}H", content.ljust((len(content) + 1) // 2 * 2, b"\0")))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def through(net: tuple[SimulatedCloud, Joined], target: str) -> tuple[str, str, str, str]:
    joint = net[1]
    return joint.one.mac_address, joint.to_red.mac_address, ONE, target


def test_each_error_names_what_is_wrong(net):
    near = "10.0.1.1"
    assert answered(net, icmp_echo(*through(net, "10.0.2.12")).but(ip_ttl=1)) == (near, 11, 0)
    assert answered(net, icmp_echo(*through(net, "192.0.2.99"))) == (near, 3, 0)
    assert answered(net, udp(*through(net, "10.0.2.99"))) == (near, 3, 1)
    assert answered(net, ipv4(*through(net, "10.0.2.1"), 89)) == ("10.0.2.1", 3, 2)
    assert answered(net, udp(*through(net, "10.0.2.1"))) == ("10.0.2.1", 3, 3)
    assert answered(net, tcp(*through(net, near))) == (near, 3, 3)


def test_a_router_behind_answers_from_its_address_on_the_way_back():
    cloud = SimulatedCloud()
    row = chain(cloud)
    packet = icmp_echo(row.one.mac_address, interface(cloud, row.west, row.red).mac_address, ONE, "10.0.2.12")
    (sent,) = cloud.inject("one@hv1", packet.but(ip_ttl=2)).to_controller
    reply = report(cloud.store, sent.flow, to_bytes(sent.packet))
    assert isinstance(reply, bytes)
    error = from_bytes(reply)
    assert str(IPv4Address(error["ipv4_src"])) == "10.0.7.20"
    assert (error["icmp_type"], error["eth_dst"]) == (11, packet["eth_src"])


def silence(net: tuple[SimulatedCloud, Joined], packet: Packet, frame: bytes | None = None) -> str:
    cloud, _ = net
    reply = report(cloud.store, flow_to_controller(cloud, packet), to_bytes(packet) if frame is None else frame)
    assert isinstance(reply, Silence)
    return reply.reason


def test_what_must_not_be_answered(net):
    for kind in (3, 4, 5, 11, 12):
        packet = icmp(*through(net, "192.0.2.99"), icmp_type=kind)
        assert silence(net, packet) == "ICMP error"
    assert silence(net, icmp(*through(net, "10.0.1.1"), icmp_type=13)) == "ICMP that is no echo request"
    assert silence(net, udp(*through(net, "10.0.2.255"))) == "broadcast"
    assert silence(net, udp(*through(net, "10.0.2.0"))) == "broadcast"
    ordinary = udp(*through(net, "192.0.2.99"))
    frame = to_bytes(ordinary)
    assert silence(net, ordinary, frame[:20] + b"\x00\x01" + frame[22:]) == "later fragment"
    for source in ("0.0.0.0", "224.0.0.1", "127.0.0.1", "255.255.255.255"):
        forged = frame[:26] + IPv4Address(source).packed + frame[30:]
        assert silence(net, ordinary, forged) == "sender is no host"
    assert silence(net, ordinary, frame[:26] + IPv4Address("10.0.1.1").packed + frame[30:]) in (
        "no address of its own",
    )
    assert silence(net, ordinary, frame[:14]) == "no IPv4 packet"
    assert silence(net, ordinary, frame[:12] + b"\x86\xdd" + frame[14:]) == "no IPv4 packet"
    assert silence(net, ordinary, frame[:14] + b"\x65" + frame[15:]) == "malformed"


@given(st.data())
def test_no_frame_whatever_raises(net, data):
    cloud, _ = net
    ordinary = to_bytes(udp(*through(net, "192.0.2.99")))
    frame = bytearray(ordinary)
    for _ in range(data.draw(st.integers(0, 6))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    flows = [flow for flow in cloud.engine.desired("hv1").values() if flow.feature == "icmp"]
    flow = data.draw(st.sampled_from(sorted(flows, key=str)))
    assert isinstance(report(cloud.store, flow, cut), bytes | Silence)


def test_a_router_that_is_gone_says_nothing(net):
    cloud, _ = net
    packet = icmp_echo(*through(net, "192.0.2.99"))
    flow = flow_to_controller(cloud, packet)
    assert report(Store(), flow, to_bytes(packet)) == Silence("no address of its own")
    assert Engine(Store()).desired("hv1") == {} and flow.table in TABLES.by_number


def test_what_is_too_large_is_told_the_size_that_passes() -> None:
    """RFC 1191, section 4. From outside, it is the router's address there that speaks."""
    cloud = SimulatedCloud()
    net = plant(cloud)
    cloud.change(net.plant, mtu=1500)
    packet = icmp_echo(net.press.mac_address, net.to_plant.mac_address, "10.0.2.12", ONE).but(size=1514)
    ((_, flow, frame),) = cloud.inject("vlanpress@hv2", packet).to_controller
    reply = report(cloud.store, flow, to_bytes(frame))
    assert isinstance(reply, bytes) and told(reply) == ("10.0.2.1", 3, 4, 1450)

    cloud = SimulatedCloud()
    out = outward(cloud)
    each = floating(cloud, out, 20, out.one)
    begun = udp(UPSTREAM_MAC, mac_of(cloud, each), FAR, each.address, udp_src=7, udp_dst=53).but(size=1500)
    ((_, flow, frame),) = cloud.inject_physical(FLAT, begun).to_controller
    reply = report(cloud.store, flow, to_bytes(frame))
    assert isinstance(reply, bytes) and told(reply) == (OUTSIDE, 3, 4, 1400)
    assert reply[6:12] == to_bytes(begun)[:6], "by the MAC address that it was sent to"


def told(reply: bytes) -> tuple[str, int, int, int]:
    return str(IPv4Address(reply[26:30])), reply[34], reply[35], int.from_bytes(reply[40:42], "big")


def expired(cloud: SimulatedCloud, packet: Packet) -> bytes | Silence:
    """What a router says of a packet from outside that has no hop left."""
    ((_, flow, frame),) = cloud.inject_physical(FLAT, packet.but(ip_ttl=1)).to_controller
    return report(cloud.store, flow, to_bytes(frame))


def test_what_is_for_a_port_of_a_routers_that_is_nobodys_is_refused_by_the_address_that_was_asked() -> None:
    """RFC 1122, section 4.1.3.1."""
    cloud = SimulatedCloud()
    out = outward(cloud)
    forwarded = cloud.floating_ip(out.world, "203.0.113.30", router_id="hub")
    cloud.forward(forwarded, out.two, 2222, 22)
    for address, mac in ((OUTSIDE, out.out.mac_address), (forwarded.address, mac_of(cloud, forwarded))):
        for packet in (
            udp(UPSTREAM_MAC, mac, FAR, address, udp_src=7, udp_dst=22),
            tcp(UPSTREAM_MAC, mac, FAR, address, tcp_src=7, tcp_dst=23),
        ):
            ((_, flow, frame),) = cloud.inject_physical(FLAT, packet).to_controller
            reply = report(cloud.store, flow, to_bytes(frame))
            assert isinstance(reply, bytes) and told(reply) == (address, 3, 3, 0)
            assert reply[42:] == to_bytes(packet)[14:][: len(reply) - 42]


def test_errors_about_packets_from_outside_quote_what_was_sent() -> None:
    """RFC 5508, section 4.2: nobody outside hears of addresses inside, and each finds his connection."""
    cloud = SimulatedCloud()
    out = outward(cloud, ("hv3",), ("hv1", "hv3"))
    each = floating(cloud, out, 20, out.one)
    forwarded = cloud.floating_ip(out.world, "203.0.113.30", router_id="hub")
    cloud.forward(forwarded, out.two, 2222, 22)
    plain = cloud.port("plain", out.red, "10.0.1.13", "hv1")
    begun = (
        udp(UPSTREAM_MAC, mac_of(cloud, each), FAR, each.address, udp_src=7, udp_dst=53),
        tcp(UPSTREAM_MAC, mac_of(cloud, each), FAR, each.address, tcp_src=7, tcp_dst=53),
        icmp_echo(UPSTREAM_MAC, mac_of(cloud, each), FAR, each.address),
        tcp(UPSTREAM_MAC, mac_of(cloud, forwarded), FAR, forwarded.address, tcp_src=7, tcp_dst=2222),
    )
    for packet in begun:
        error = expired(cloud, packet)
        assert isinstance(error, bytes)
        sent = to_bytes(packet.but(ip_ttl=1))[14:]
        assert (error[34], error[42:]) == (11, sent[: len(error) - 42]), packet
        assert str(IPv4Address(error[26:30])) == OUTSIDE and checksum(error[34:]) == 0
    sent = ask_far(out, plain, udp_src=40000, udp_dst=53)
    ((_, translated),) = outside(cloud.inject("plain@hv1", sent))
    answer = from_far(out, out.out.mac_address, OUTSIDE, udp_src=53, udp_dst=translated["udp_src"])
    error = expired(cloud, answer)
    assert isinstance(error, bytes) and error[42:] == to_bytes(answer.but(ip_ttl=1))[14:][: len(error) - 42]
    cloud.change(out.hub, enable_snat=False)
    routed = from_far(out, out.out.mac_address, "10.0.1.13", udp_src=53, udp_dst=7)
    error = expired(cloud, routed)
    assert isinstance(error, bytes) and error[42:] == to_bytes(routed.but(ip_ttl=1))[14:][: len(error) - 42]
    own = ask_far(out, plain, "10.0.9.9").but(ip_ttl=1)
    ((_, flow, frame),) = cloud.inject("plain@hv1", own).to_controller
    assert isinstance(report(cloud.store, flow, to_bytes(frame)), bytes), "instances hear of their own as ever"


def test_facts_straight_from_the_store_are_those_that_the_engine_keeps(net: tuple[SimulatedCloud, Joined]) -> None:
    cloud, _ = net
    engine, plain = Engine(cloud.store), _Plain(cloud.store)
    found = {each: networks_reached(plain, each) for each in cloud.store.ids(Chassis)}
    assert found == {each: engine.ask(networks_reached, each) for each in found}
    assert any(found.values())
