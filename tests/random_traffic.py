"""A cloud with everything in it, and any traffic that its instances and strangers may send: for properties."""

from collections.abc import Callable

from hypothesis import strategies as st

from flows import packets
from flows.packets import Packet
from tests.clouds import CHASSIS, PATCH_PORTS, TUNNEL_PORTS, Cloud
from topology.addressing import SERVICE_MAC
from topology.values import AddressPair

PLACES = [f"{name}{n}@hv{n}" for name in ("red", "blue", "pink", "plant", "depot", "lab") for n in (1, 2)] + [
    "red3@hv1"
]
MACS = [*(f"fa:16:3e:00:00:0{n}" for n in (1, 2, 3)), "fa:16:3e:99:99:99", "00:00:5e:00:01:01", SERVICE_MAC]
TARGETS = [*MACS, packets.BROADCAST_MAC, "01:00:5e:00:00:fb", "33:33:00:00:00:01"]
ADDRESSES = [
    *(f"10.0.0.{n}" for n in (1, 11, 12, 13, 50, 99)),
    "0.0.0.0",
    "255.255.255.255",
    "172.16.0.5",
    "224.0.0.251",
]


def whole_cloud(cloud: Cloud) -> None:
    """Overlays, VLANs and a flat network, all with the same MAC and IPv4 addresses on the same chassis."""
    for name, kind, vlan in (
        ("red", "geneve", 0),
        ("blue", "geneve", 0),
        ("pink", "vxlan", 0),
        ("plant", "vlan", 100),
        ("depot", "vlan", 101),
        ("lab", "flat", 0),
    ):
        network = cloud.network(name, kind, vlan=vlan)
        cloud.subnet(network, gateway_ip="10.0.0.1", enable_dhcp=name != "depot")
        pairs = (AddressPair("10.0.0.50", "00:00:5e:00:01:01"), AddressPair("172.16.0.0/12", MACS[1]))
        cloud.port(f"{name}1", network, "10.0.0.11", "hv1", mac_address=MACS[0], port_security_enabled=name != "blue")
        cloud.port(f"{name}2", network, "10.0.0.12", "hv2", mac_address=MACS[1], allowed_address_pairs=pairs)
        if name == "red":
            cloud.port("red3", network, "10.0.0.13", "hv1", mac_address=MACS[2])


_MACS, _TARGETS, _ADDRESSES = st.sampled_from(MACS), st.sampled_from(TARGETS), st.sampled_from(ADDRESSES)
_UDP_PORTS = st.sampled_from([53, 67, 68])


def _tagged(packet: Packet, vlan_ids: list[int]) -> Packet:
    return packet.tagged(*vlan_ids) if vlan_ids else packet


any_traffic = st.builds(
    _tagged,
    st.one_of(
        st.builds(
            lambda packet, mac, to_mac: packet.but(eth_src=mac, eth_dst=to_mac),
            st.builds(packets.arp_request, _MACS, _ADDRESSES, _ADDRESSES)
            | st.builds(packets.arp_reply, _MACS, _ADDRESSES, _MACS, _ADDRESSES),
            _MACS,
            _TARGETS,
        ),
        st.builds(packets.arp_request, _MACS, _ADDRESSES, _ADDRESSES),
        st.builds(packets.icmp_echo, _MACS, _TARGETS, _ADDRESSES, _ADDRESSES),
        st.builds(packets.udp, _MACS, _TARGETS, _ADDRESSES, _ADDRESSES, udp_src=_UDP_PORTS, udp_dst=_UDP_PORTS),
        st.builds(packets.ipv6, _MACS, _TARGETS),
        st.builds(packets.unknown_ethertype, _MACS, _TARGETS),
    ),
    st.just([]) | st.lists(st.sampled_from([0, 100, 101]), max_size=2),
)

Injection = Callable[[Cloud], object]

from_instances = st.builds(
    lambda place, packet: lambda cloud: cloud.inject(place, packet), st.sampled_from(PLACES), any_traffic
)
from_strangers = st.one_of(
    st.builds(
        lambda chassis, packet, vni, kind: lambda cloud: cloud.inject_core(chassis, packet, vni, kind),
        st.sampled_from(CHASSIS),
        any_traffic,
        st.integers(1000, 1004),
        st.sampled_from(sorted(TUNNEL_PORTS)),
    ),
    st.builds(
        lambda wire, packet: lambda cloud: cloud.inject_physical(wire, packet),
        st.sampled_from(sorted(PATCH_PORTS)),
        any_traffic,
    ),
)
injections: st.SearchStrategy[Injection] = from_instances | from_strangers
"""Each is a function that takes the cloud and sends; the cloud checks what must hold of every packet."""
