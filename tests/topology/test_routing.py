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
