"""Random clouds of several tenants with the same addresses: networks of every kind, chains of routers, gateways."""

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from tests.clouds import CHASSIS, OPEN, OVERLAYS, PATCH_PORTS, Cloud, SimulatedCloud
from tests.isolation.port_rules import ICMP, TCP, UDP
from topology.gateway_values import Neighbour
from topology.values import AddressPair, Network, Port, Route, Router, Segment

TENANTS = ("red", "blue", "pink")
SHARED_MAC = "00:00:5e:00:01:01"
MACHINE, MACHINE_MAC = "10.0.1.200", "00:00:5e:00:53:c8"
"""A machine on provider networks that no chassis serves."""
FIRST_VLAN, WORLDS_VLAN = 100, 300
"""Tags of networks on physical networks: on each of those, the same."""
DOORS = ((), ("hv3",), ("hv2", "hv3"))
"""Gateway chassis."""
WORLDS_SCOPE = "public"
SCOPES = (None, None, None, WORLDS_SCOPE, "company")
"""Address scopes that networks are in; most are in none."""
EVERYBODY = ({}, {"remote_ip_prefix": "10.0.0.0/28"}, {"remote_ip_prefix": "10.0.1.11/32"})
TRAFFIC: tuple[dict[str, Any], ...] = (
    {},
    {"protocol": TCP, "port_range_min": 80, "port_range_max": 80},
    {"protocol": UDP, "port_range_min": 8001, "port_range_max": 8190},
    {"protocol": ICMP, "port_range_min": 8},
    {"ethertype": "IPv6"},
)

_mostly = st.sampled_from((True, True, True, False))
_now_and_then = st.sampled_from((True, False))


@st.composite
def clouds(draw: st.DrawFn) -> SimulatedCloud:
    """Two or three tenants, each with two networks of the same prefixes, and mostly a router between them.

    Behind that there may be a second router with a third network, and before it one of up to two external networks. All
    external networks have the same addresses. Provider and external networks are on two physical networks, where the
    same VLANs are networks of their own.
    """
    return draw(filled(SimulatedCloud()))


@st.composite
def filled(draw: st.DrawFn, cloud: SimulatedCloud) -> SimulatedCloud:
    """A cloud that was empty."""
    tenants = TENANTS[: draw(st.integers(2, 3))]
    groups = [cloud.security_group(f"{tenant} {n}", stateful=draw(_mostly)) for tenant in tenants for n in (0, 1)]
    remotes = [*EVERYBODY, {"remote_address_group_id": cloud.address_group("offices", "10.0.0.12", "10.0.1.0/28").id}]
    remotes += [{"remote_group_id": group.id} for group in groups]
    for group in groups:
        for direction in ("egress", "ingress", "ingress"):
            if draw(_mostly):
                rule = draw(st.sampled_from(TRAFFIC)) | draw(st.sampled_from(remotes))
                cloud.rule(group, direction, **rule)
    kinds = iter(draw(st.permutations(["geneve", "geneve", "vxlan", "vlan", "vlan", "flat"])))
    wire, other_wire = draw(st.permutations(sorted(PATCH_PORTS)))
    worlds = [cloud.external("world", "vlan", vlan=WORLDS_VLAN, wire=wire)] if draw(_mostly) else []
    if worlds and draw(_now_and_then):
        kind = draw(st.sampled_from(("vlan", "flat")))
        worlds.append(cloud.external("beyond", kind, vlan=WORLDS_VLAN, wire=other_wire))
    for world in worlds:
        if draw(_now_and_then):
            cloud.pool(world, f"{world.id}-pool", WORLDS_SCOPE)
    gateways = draw(st.sampled_from(DOORS)) if worlds else ()
    vlans = Counter[str]()
    for number, tenant in enumerate(tenants):
        own = [group.id for group in groups if group.id.startswith(tenant)] + [OPEN]
        joined, ports = [], []
        for subnet in (0, 1):
            kind = next(kinds)
            at = draw(st.sampled_from((wire, other_wire))) if kind == "vlan" else wire
            vlans[at] += kind == "vlan"
            routed = kind in OVERLAYS or draw(_now_and_then)
            transit = (
                {"transit": Segment("geneve", 2000 + 2 * number + subnet)} if routed and kind not in OVERLAYS else {}
            )
            network = cloud.network(f"{tenant}{subnet}", kind, vlan=FIRST_VLAN + vlans[at] - 1, wire=at, **transit)
            cloud.subnet(network, f"10.0.{subnet}.0/24", gateway_ip=f"10.0.{subnet}.1", enable_dhcp=draw(_mostly))
            if transit:
                cloud.put(Neighbour(f"{network.id}/{MACHINE}", network.id, MACHINE, MACHINE_MAC))
            if scope := draw(st.sampled_from(SCOPES)):
                cloud.pool(network, f"{network.id}-pool", scope)
            joined += [network] if routed else []
            ports += [_port(draw, cloud, network, f"10.0.{subnet}.{host}", own) for host in (11, 12)]
        if draw(_mostly):
            hub = cloud.router(f"{tenant}-hub", *joined)
            if draw(_now_and_then):
                _chain(draw, cloud, tenant, hub, [network.id for network in joined], own)
            if worlds and draw(_mostly):
                inside = [port for port in ports if port.network_id in {network.id for network in joined}]
                _outward(draw, cloud, number, hub, draw(st.sampled_from(worlds)), inside)
    cloud.doors(gateways)
    return cloud


def _chain(draw: st.DrawFn, cloud: Cloud, tenant: str, hub: Router, joined: list[str], groups: list[str]) -> None:
    """A second router and a network behind it, which finds back by the first; perhaps a third one leads there, too."""
    between, far = cloud.network(f"{tenant}-between"), cloud.network(f"{tenant}2", draw(st.sampled_from(OVERLAYS)))
    cloud.subnet(between, "10.0.9.0/24", gateway_ip="10.0.9.1", enable_dhcp=False)
    cloud.subnet(far, "10.0.2.0/24", gateway_ip="10.0.2.1", enable_dhcp=draw(_mostly))
    cloud.interface(hub, between, "10.0.9.1")
    back = [(f"10.0.{subnet}.0/24", "10.0.9.1") for subnet in (0, 1) if f"{tenant}{subnet}" in joined]
    rim = cloud.router(f"{tenant}-rim", far, routes=tuple(back))
    cloud.interface(rim, between, "10.0.9.2")
    hops = ["10.0.9.2"]
    if draw(_now_and_then):
        other = cloud.router(f"{tenant}-other-rim", routes=tuple(back))
        cloud.interface(other, far, "10.0.2.2")
        cloud.interface(other, between, "10.0.9.3")
        hops.append("10.0.9.3")
    cloud.change(hub, routes=tuple(Route("10.0.2.0/24", hop) for hop in hops))
    _port(draw, cloud, far, "10.0.2.11", groups)


def _outward(draw: st.DrawFn, cloud: Cloud, number: int, hub: Router, world: Network, inside: list[Port]) -> None:
    """A gateway, mostly with translation, and perhaps a floating IP and a forwarded port."""
    cloud.gateway(hub, world, f"203.0.113.{10 + number}", enable_snat=draw(_mostly))
    if inside and draw(_mostly):
        cloud.floating_ip(world, f"203.0.113.{20 + number}", inside[0], router_id=hub.id)
    if len(inside) > 1 and draw(_now_and_then):
        forwarded = cloud.floating_ip(world, f"203.0.113.{30 + number}", router_id=hub.id)
        cloud.forward(forwarded, inside[1], 8080, 80)


def _port(draw: st.DrawFn, cloud: Cloud, network: Network, address: str, groups: list[str]) -> Port:
    """A port whose MAC address others have on other networks."""
    host = address.rpartition(".")[2]
    mac, secured = f"fa:16:3e:00:00:{host}", draw(_mostly)
    pairs = ((), (AddressPair("10.0.0.50", SHARED_MAC),), (AddressPair("10.0.0.12", mac),),
             (AddressPair("10.0.1.0/28", mac),), (AddressPair("0.0.0.0/0", mac),))  # fmt: skip
    # Some have no group, so that nothing but DHCP and ARP passes.
    some_groups = draw(st.permutations(groups))[: draw(st.sampled_from((0, 1, 1, 1, 2)))]
    return cloud.port(
        f"{network.id}-{host}",
        network,
        address,
        draw(st.sampled_from(CHASSIS)),
        mac_address=mac,
        port_security_enabled=secured,
        allowed_address_pairs=draw(st.sampled_from(((), *pairs))) if secured else (),
        security_groups=tuple(some_groups) if secured else (),
    )
