"""How the stories are told: what instances send, where it comes out, and the list of all stories."""

from collections.abc import Callable

from flows import packets
from flows.packets import Packet, arp_request, icmp_echo
from flows.simulator import Walk
from tests.clouds import Cloud
from topology.values import Network, Port

Story = Callable[[Cloud], None]
STORIES: list[Story] = []
STRANGER = "fa:16:3e:99:99:99"


def story(function: Story) -> Story:
    """Add a story to the list."""
    STORIES.append(function)
    return function


def address(port: Port) -> str:
    return port.fixed_ips[0].ip_address


def ping(source: Port, target: Port) -> Packet:
    return icmp_echo(source.mac_address, target.mac_address, address(source), address(target))


def ask(source: Port, target: str) -> Packet:
    return arp_request(source.mac_address, address(source), target)


def hello(source: Port) -> Packet:
    """A broadcast."""
    return packets.broadcast(source.mac_address, address(source))


def reached(walk: Walk) -> list[str]:
    """The places where packets came out."""
    return sorted(place for place, _ in walk.deliveries)


def crossed(walk: Walk) -> list[tuple[str, str | None]]:
    """From which chassis to which packets went through tunnels."""
    return sorted((crossing.from_chassis, crossing.to_chassis) for crossing in walk.on_core)


def nothing(walk: Walk) -> bool:
    return not (walk.deliveries or walk.on_core or walk.on_physical or walk.to_controller)


def stays_at_home(walk: Walk) -> bool:
    return not (walk.on_core or walk.on_physical)


def pair(cloud: Cloud, kind: str = "geneve", name: str = "red", **values) -> tuple[Network, Port, Port]:
    """A network with one port on hv1 and one on hv2."""
    network = cloud.network(name, kind)
    one = cloud.port(f"{name}1", network, "10.0.0.11", "hv1", **values)
    return network, one, cloud.port(f"{name}2", network, "10.0.0.12", "hv2", **values)
