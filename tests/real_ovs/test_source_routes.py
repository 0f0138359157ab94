"""Source routes (RFC 791, section 3.1) lead nowhere: packets go by their destination address, and are judged by it.

Open vSwitch matches neither IP options nor the length of the header, so that they are not dropped for having any. Where
a host obeys a route, what it passes on has another's source, and is dropped.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from frames import ipv4_frame, source_route

from flows import packets
from flows.fields import IP_PROTO_TCP
from tests.clouds import OPEN
from tests.real_ovs.frames import to_bytes
from tests.real_ovs.ovs_dummy import missing
from tests.real_ovs.real_cloud import RealChassis, RealCloud, real_chassis
from topology.values import Port

pytestmark = pytest.mark.ovs

LOOSE, STRICT = 131, 137
BEFORE_SEGMENT = 14 + 20
"""Bytes of Ethernet, and of IPv4 without options."""
MACS = {
    name: f"fa:16:3e:00:00:0{number}"
    for number, name in enumerate(("sender", "near", "far", "closed", "other", "open"), 1)
}
SENDER, FARAWAY = "10.0.0.11", "198.51.100.9"
NEAR, FAR, CLOSED, OTHER, ROUTER, NOBODY = "10.0.0.12", "10.0.0.13", "10.0.0.14", "10.0.1.15", "10.0.0.1", "10.0.0.99"


@pytest.fixture(scope="module")
def chassis() -> Iterator[dict[str, RealChassis]]:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with real_chassis() as chassis:
        yield chassis


@pytest.fixture(scope="module")
def cloud(chassis: dict[str, RealChassis]) -> Iterator[RealCloud]:
    """Two networks with a router between them; ``closed`` takes TCP 80 only, ``open`` has no port security."""
    cloud = RealCloud(chassis)
    red, blue = cloud.network("red"), cloud.network("blue")
    cloud.subnet(red, gateway_ip=ROUTER)
    cloud.subnet(blue, "10.0.1.0/24", gateway_ip="10.0.1.1")
    web = cloud.security_group("web", {"protocol": 6, "port_range_min": 80, "port_range_max": 80})

    def port(name: str, network: object, address: str, at: str, group: str = OPEN) -> None:
        cloud.port(name, network, address, at, mac_address=MACS[name], security_groups=(group,))  # type: ignore[arg-type]

    port("sender", red, SENDER, "hv1")
    port("near", red, NEAR, "hv1")
    port("far", red, FAR, "hv2")
    port("closed", red, CLOSED, "hv2", web.id)
    port("other", blue, OTHER, "hv2")
    cloud.port("open", red, "10.0.0.16", "hv1", mac_address=MACS["open"], port_security_enabled=False)
    cloud.router("hub", red, blue)
    yield cloud
    cloud.clear()


@pytest.fixture(params=[LOOSE, STRICT], ids=["loose", "strict"])
def kind(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


def router_mac(cloud: RealCloud) -> str:
    (interface,) = (port for port in cloud.store.all(Port) if any(each.ip_address == ROUTER for each in port.fixed_ips))
    return interface.mac_address


def send(
    cloud: RealCloud, target: str, mac: str, option: bytes, *, source: str = SENDER, port: int = 80, by: str = "sender"
) -> set[str]:
    """Who gets it."""
    cloud.forget()
    segment = to_bytes(packets.tcp(MACS[by], mac, source, target, tcp_dst=port))[BEFORE_SEGMENT:]
    frame = ipv4_frame((MACS[by], mac), source, target, IP_PROTO_TCP, segment, options=option)
    walk = cloud.inject_frame(f"{by}@hv1", frame)
    for _, received in walk.deliveries:
        assert received["ipv4_dst"] == int(IPv4Address(target)), "its destination is what it was"
    return {place.partition("@")[0] for place, _ in walk.deliveries}


def test_it_goes_to_its_destination_and_not_by_its_route(cloud: RealCloud, kind: int) -> None:
    assert send(cloud, NEAR, MACS["near"], source_route(kind, FAR, OTHER)) == {"near"}
    assert send(cloud, FAR, MACS["far"], source_route(kind, NEAR)) == {"far"}


def test_routers_forward_by_the_destination_and_never_as_a_hop_of_the_route(cloud: RealCloud, kind: int) -> None:
    router = router_mac(cloud)
    assert send(cloud, OTHER, router, source_route(kind, NEAR)) == {"other"}
    # The usual trick: the router is the destination, and the victim the next hop.
    assert send(cloud, ROUTER, router, source_route(kind, OTHER)) == set()
    assert send(cloud, NOBODY, router, source_route(kind, OTHER)) == set()


def test_sources_and_ports_are_judged_as_without_it(cloud: RealCloud, kind: int) -> None:
    assert send(cloud, FAR, MACS["far"], source_route(kind, NEAR), source=NEAR) == set(), "another's source is spoofed"
    assert send(cloud, FAR, MACS["far"], source_route(kind, NEAR), source="127.0.0.1") == set()
    assert send(cloud, CLOSED, MACS["closed"], source_route(kind, NEAR)) == {"closed"}
    assert send(cloud, CLOSED, MACS["closed"], source_route(kind, NEAR), port=81) == set()


@pytest.mark.parametrize("source", [SENDER, FARAWAY], ids=["an instance's", "an outsider's"])
def test_what_a_host_passes_on_that_obeys_a_route_is_refused_at_its_own_port(
    cloud: RealCloud, kind: int, source: str
) -> None:
    """It sends with the source that the packet came with; the route has the hop itself behind it (RFC 791)."""
    victims = ((FAR, MACS["far"], {"far"}), (CLOSED, MACS["closed"], {"closed"}), (OTHER, router_mac(cloud), {"other"}))
    key = next(port.key for port in cloud.store.all(Port) if port.id == "near")
    before = cloud.counted()[key, "spoofed_ip"]
    for target, mac, who in victims:
        option = source_route(kind, NEAR, passed=1)
        assert send(cloud, target, mac, option, source=source, by="near") == set()
        assert send(cloud, target, mac, option, source=source, by="open") == who, "as it is without port security"
    assert cloud.counted()[key, "spoofed_ip"] == before + len(victims)


def test_options_are_not_taken_for_ports(cloud: RealCloud) -> None:
    no_operation, end_and_port_80 = b"\1\1", b"\0\x50"
    for port, who in ((80, {"closed"}), (81, set())):
        assert send(cloud, CLOSED, MACS["closed"], no_operation + end_and_port_80, port=port) == who
