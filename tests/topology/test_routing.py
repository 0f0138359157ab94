"""What a router knows of where to send packets, and what it costs to know it."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from tests.clouds import SimulatedCloud
from topology import routing


def test_prefixes_are_read_once_and_not_for_each_route(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = SimulatedCloud()
    hub = cloud.router("hub", routes=tuple((f"10.9.{number}.0/24", f"10.0.{number}.9") for number in range(20)))
    for number in range(30):
        network = cloud.network(f"n{number}")
        cloud.subnet(network, f"10.0.{number}.0/24")
        cloud.interface(hub, network, f"10.0.{number}.1")
    read: list[Any] = []

    def counted(prefix: Any) -> IPv4Network:
        read.append(prefix)
        return IPv4Network(prefix)

    monkeypatch.setattr(routing, "IPv4Network", counted)
    found = {known.prefix: known.next_hops for known in routing.routes(cloud.engine.view, "hub")}
    assert len(found) == 50 and len(read) == 30
    (hop,) = found["10.9.7.0/24"]
    assert (hop.interface.network.id, hop.address) == ("n7", "10.0.7.9")


def test_all_networks_of_a_router_share_what_their_packets_reach() -> None:
    cloud = SimulatedCloud()
    hub = cloud.router("hub")
    networks = [cloud.network(f"n{number}") for number in range(20)]
    for number, network in enumerate(networks):
        cloud.subnet(network, f"10.0.{number}.0/24")
        cloud.interface(hub, network, f"10.0.{number}.1")
        cloud.port(f"p{number}", network, f"10.0.{number}.5", "hv1")
    cloud.network("alone")
    first, *others = (cloud.engine.ask(routing.reach_from, network.id) for network in networks)
    assert first == ({"hub"}, {network.id for network in networks}, set())
    assert all(each is first for each in others), "there once, and not for each network"
    assert cloud.engine.ask(routing.reach_from, "alone") == (set(), {"alone"}, set())


def test_errors_come_from_the_address_of_the_longest_prefix_towards_their_receiver() -> None:
    cloud = SimulatedCloud()
    hub = cloud.router("hub", routes=(("0.0.0.0/0", "10.0.0.9"), ("10.9.0.0/16", "10.0.1.9")))
    for number in range(2):
        network = cloud.network(f"n{number}")
        cloud.subnet(network, f"10.0.{number}.0/24")
        cloud.interface(hub, network, f"10.0.{number}.1")
    towards = {
        target: routing.address_towards(cloud.engine.view, "hub", target)
        for target in ("10.0.0.5", "10.0.1.5", "10.9.0.5", "8.8.8.8")
    }
    assert towards == {"10.0.0.5": "10.0.0.1", "10.0.1.5": "10.0.1.1", "10.9.0.5": "10.0.1.1", "8.8.8.8": "10.0.0.1"}
