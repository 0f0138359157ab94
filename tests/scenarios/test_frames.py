"""Reading and making frames, held against os-ken's packet library."""

import pytest
from frames import BROADCAST, Frame, arp_request, ipv4_frame, source_route, udp_frame
from os_ken.lib.packet import arp, ethernet, geneve, ipv4, packet, packet_utils, udp, vlan, vxlan

RED, BLUE = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"


def bytes_of(*layers: packet.packet_base.PacketBase | bytes) -> bytes:
    made = packet.Packet()
    for layer in layers:
        made.add_protocol(layer)
    made.serialize()
    return bytes(made.data)


def tunnelled(port: int, header: packet.packet_base.PacketBase, inner: bytes) -> Frame:
    outer = ethernet.ethernet(dst=BLUE, src=RED, ethertype=0x0800)
    path = ipv4.ipv4(src="198.51.100.18", dst="198.51.100.34", proto=17)
    return Frame(bytes_of(outer, path, udp.udp(src_port=40000, dst_port=port), header, inner))


def test_addresses_and_tag() -> None:
    tagged = Frame(
        bytes_of(
            ethernet.ethernet(dst=BLUE, src=RED, ethertype=0x8100),
            vlan.vlan(vid=101, ethertype=0x0800),
            ipv4.ipv4(src="10.0.0.2", dst="10.0.0.3", proto=17),
            udp.udp(src_port=68, dst_port=67),
            b"hello",
        )
    )
    assert (tagged.source, tagged.destination, tagged.vlan, tagged.ethertype) == (RED, BLUE, 101, 0x0800)
    assert tagged.udp_ports == (68, 67)
    assert tagged.is_dhcp
    assert not tagged.is_arp_request
    assert tagged.inner is None


@pytest.mark.parametrize(
    ("port", "header"),
    [(6081, geneve.geneve(vni=77, options=[])), (4789, vxlan.vxlan(vni=77))],
    ids=["geneve", "vxlan"],
)
def test_what_is_inside_a_tunnel(port: int, header: packet.packet_base.PacketBase) -> None:
    frame = tunnelled(port, header, arp_request(RED, "10.0.0.2", "10.0.0.3"))
    assert frame.tunnel_key == 77
    assert frame.inner is not None
    assert frame.inner.is_arp_request
    assert frame.inner.source == RED
    assert not frame.is_arp_request


def test_geneve_options_are_passed_over() -> None:
    frame = tunnelled(6081, geneve.geneve(vni=77, options=[]), arp_request(RED, "10.0.0.2", "10.0.0.3"))
    start = 14 + 20 + 8
    with_option = frame.data[:start] + b"\x02" + frame.data[start + 1 : start + 8] + bytes(8) + frame.data[start + 8 :]
    assert Frame(with_option).inner == frame.inner


def test_other_udp_is_no_tunnel() -> None:
    assert Frame(udp_frame(RED, BLUE, "10.0.0.2", "10.0.0.3", b"to port 9")).inner is None


def test_made_frames_say_what_they_should() -> None:
    made = packet.Packet(udp_frame(RED, BLUE, "10.0.0.2", "10.0.0.3", b"text"))
    header = made.get_protocol(ipv4.ipv4)
    assert (header.src, header.dst, header.total_length) == ("10.0.0.2", "10.0.0.3", 32)
    assert packet_utils.checksum(udp_frame(RED, BLUE, "10.0.0.2", "10.0.0.3", b"text")[14:34]) == 0
    asked = packet.Packet(arp_request(RED, "10.0.0.2", "10.0.0.3"))
    assert asked.get_protocol(ethernet.ethernet).dst == BROADCAST
    question = asked.get_protocol(arp.arp)
    assert (question.opcode, question.src_mac, question.src_ip, question.dst_ip) == (1, RED, "10.0.0.2", "10.0.0.3")


def test_options_are_within_the_header() -> None:
    made = ipv4_frame(
        (RED, BLUE), "10.0.0.2", "10.0.0.3", 17, b"content", options=source_route(131, "10.0.0.4", "10.0.0.5", passed=1)
    )
    header = packet.Packet(made).get_protocol(ipv4.ipv4)
    assert (header.src, header.dst, header.proto, header.header_length) == ("10.0.0.2", "10.0.0.3", 17, 8)
    assert header.total_length == len(made) - 14
    assert header.option == bytes([131, 11, 8, 10, 0, 0, 4, 10, 0, 0, 5, 0])
    assert packet_utils.checksum(made[14:46]) == 0, "that of a right header, its own checksum included"
    assert made[46:] == b"content"
