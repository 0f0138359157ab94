"""What ``sdnapp trace`` sends: a ping, or the first packet of a TCP or UDP conversation with some port."""

from ipaddress import IPv4Address
from typing import NamedTuple

from flows.fields import ICMP_ECHO_REPLY, VLAN_PRESENT
from flows.packets import Packet, icmp, icmp_echo, tcp, udp
from topology.addressing import int_to_mac

PROTOCOLS = ("icmp", "tcp", "udp")
_LAST_PORT = (1 << 16) - 1


class Probe(NamedTuple):
    """A packet: ``to_port`` is where TCP or UDP is sent to, None for a ping."""

    protocol: str = "icmp"
    to_port: int | None = None

    def packet(self, mac: str, to_mac: str, address: str, to_address: str) -> Packet:
        """Return it, from and to these addresses."""
        ends = mac, to_mac, address, to_address
        if self.to_port is None:
            return icmp_echo(*ends)
        return tcp(*ends, tcp_dst=self.to_port) if self.protocol == "tcp" else udp(*ends, udp_dst=self.to_port)


class Answer(NamedTuple):
    """What is answered to a packet: from where that was sent to, and to its sender."""

    about: Packet

    def packet(self, mac: str, to_mac: str, address: str, to_address: str) -> Packet:
        """Return it, from and to these MAC addresses; all else is as in what it answers."""
        about = self.about
        ends = mac, to_mac, str(IPv4Address(about["ipv4_dst"])), str(IPv4Address(about["ipv4_src"]))
        if "icmp_type" in about:
            return icmp(*ends, icmp_type=ICMP_ECHO_REPLY)
        if "tcp_dst" in about:
            return tcp(*ends, tcp_src=about["tcp_dst"], tcp_dst=about["tcp_src"])
        return udp(*ends, udp_src=about["udp_dst"], udp_dst=about["udp_src"])


PING = Probe()


def probe(protocol: str | None, to_port: str | None) -> Probe:
    """Return what is asked for in text; a ping where nothing is. Raises ValueError that names what is wrong."""
    if protocol not in (None, *PROTOCOLS):
        raise ValueError(f"protocol: {protocol!r} is none of {', '.join(PROTOCOLS)}")
    if protocol in (None, "icmp"):
        if to_port is not None:
            raise ValueError("to_port: ICMP has no ports; say protocol=tcp or protocol=udp as well")
        return Probe()
    number = int(to_port) if to_port and to_port.isascii() and to_port.isdigit() and len(to_port) < 6 else 0
    if not 1 <= number <= _LAST_PORT:
        raise ValueError(f"to_port: {protocol} needs the port that is sent to, from 1 to {_LAST_PORT}, not {to_port!r}")
    return Probe(protocol or "", number)


def ovs_flow(packet: Packet, ofport: int) -> str:
    """Write a packet as ``ofproto/trace`` takes it (ovs-vswitchd(8))."""
    common = f"in_port={ofport},dl_src={int_to_mac(packet['eth_src'])},dl_dst={int_to_mac(packet['eth_dst'])}"
    if "vlan_vid" in packet:
        common += f",dl_vlan={packet['vlan_vid'] & ~VLAN_PRESENT},dl_vlan_pcp=0"
    if "arp_op" in packet:
        return (
            f"{common},arp,arp_op={packet['arp_op']},arp_spa={IPv4Address(packet['arp_spa'])},"
            f"arp_tpa={IPv4Address(packet['arp_tpa'])},arp_sha={int_to_mac(packet['arp_sha'])},arp_tha=00:00:00:00:00:00"
        )
    source, target, number = IPv4Address(packet["ipv4_src"]), IPv4Address(packet["ipv4_dst"]), packet["ip_proto"]
    kind = "tcp" if "tcp_dst" in packet else "udp" if "udp_dst" in packet else "icmp"
    if kind == "icmp":
        ports = packet["icmp_type"], packet["icmp_code"]
        headers = f"icmp_type={ports[0]},icmp_code={ports[1]}"
    else:
        ports = packet[f"{kind}_src"], packet[f"{kind}_dst"]
        headers = f"{kind}_src={ports[0]},{kind}_dst={ports[1]}"
    # What connection tracking will say of it; the trace takes a packet to begin a connection.
    begun = (
        f"ct_state=trk|new,ct_nw_src={source},ct_nw_dst={target},ct_nw_proto={number},"
        f"ct_tp_src={ports[0]},ct_tp_dst={ports[1]}"
    )
    return f"{common},{kind},nw_src={source},nw_dst={target},nw_ttl=64,{headers},{begun}"
