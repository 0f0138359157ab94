"""A served port for tests, and frames that os-ken's packet library writes and reads, independently of our own."""

from dataclasses import dataclass, replace

from os_ken.lib.packet import dhcp, ethernet, ipv4, packet, udp

from sdnapp.dhcp.service import DhcpSettings, PortService, dhcp_service
from topology.values import AddressPair, FixedIP, Network, Port, Segment, Subnet

MAC, PAIR_MAC = "fa:16:3e:00:00:01", "fa:16:3e:00:00:aa"
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)

NETWORK = Network("net-1", "red", 1, Segment("geneve", 100), mtu=1442)
SUBNET = Subnet(
    "sub-1", "red", "net-1", "10.0.0.0/24", gateway_ip="10.0.0.1", dns_nameservers=("192.0.2.53", "192.0.2.54")
)
SECOND_SUBNET = Subnet("sub-2", "red", "net-1", "10.2.0.0/16", gateway_ip="10.2.0.1")
PORT = Port(
    "port-1",
    "red",
    "net-1",
    1,
    MAC,
    fixed_ips=(FixedIP("sub-1", "10.0.0.5"), FixedIP("sub-2", "10.2.3.4")),
    allowed_address_pairs=(AddressPair("10.0.0.100", PAIR_MAC),),
)


def service(port=None, network=None, subnet=None, settings=None, second_subnet=None) -> PortService:
    """What DHCP says to ``PORT``, with the attributes given replaced."""
    found = dhcp_service(
        replace(PORT, **port or {}),
        replace(NETWORK, **network or {}),
        [replace(SUBNET, **subnet or {}), replace(SECOND_SUBNET, **second_subnet or {})],
        DhcpSettings(**settings or {}),
    )
    assert found is not None
    return found


def address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def request(message_type=None, options=None, src="0.0.0.0", dst="255.255.255.255", dst_port=67, **fields) -> bytes:
    """A client's frame; option values are bytes, fields those of os-ken's dhcp class."""
    listed = [dhcp.option(53, bytes((message_type,)))] if message_type is not None else []
    listed += [dhcp.option(code, value) for code, value in (options or {}).items()]
    message = dhcp.dhcp(
        **{
            "op": 1,
            "chaddr": MAC,
            "xid": 0x1234ABCD,
            "options": dhcp.options(listed or [dhcp.option(60, b"bootp")]),
            **fields,
        }
    )
    frame = packet.Packet()
    frame.add_protocol(ethernet.ethernet("ff:ff:ff:ff:ff:ff", MAC))
    frame.add_protocol(ipv4.ipv4(src=src, dst=dst, proto=17))
    frame.add_protocol(udp.udp(68, dst_port))
    frame.add_protocol(message)
    frame.serialize()
    return bytes(frame.data)


@dataclass
class Reply:
    """A reply as os-ken reads it, and the lengths and checksums that it ought to have."""

    ethernet: ethernet.ethernet
    ipv4: ipv4.ipv4
    udp: udp.udp
    dhcp: dhcp.dhcp
    options: dict[int, bytes]
    order: list[int]

    @property
    def type(self) -> int:
        return self.options[53][0]


def read(frame) -> Reply:
    assert isinstance(frame, bytes), frame
    read_back = packet.Packet(frame)
    ip, datagram = read_back.get_protocol(ipv4.ipv4), read_back.get_protocol(udp.udp)
    assert ip.total_length == len(frame) - 14
    assert datagram.total_length == len(frame) - 34
    assert ones_complement_sum(frame[14:34]) == 0xFFFF
    assert datagram.csum != 0
    assert ones_complement_sum(frame[26:34] + b"\0\x11" + frame[38:40] + frame[34:]) == 0xFFFF
    message = read_back.get_protocol(dhcp.dhcp)
    options: dict[int, bytes] = {}
    for option in message.options.option_list:
        options[option.tag] = options.get(option.tag, b"") + option.value
    order = [option.tag for option in message.options.option_list]
    return Reply(read_back.get_protocol(ethernet.ethernet), ip, datagram, message, options, order)


def ones_complement_sum(data: bytes) -> int:
    """Word by word, as RFC 1071 tells it."""
    total = 0
    for high, low in zip(data[::2], (data + b"\0")[1::2], strict=False):
        total += high << 8 | low
        total = (total & 0xFFFF) + (total >> 16)
    return total
