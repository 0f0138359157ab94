"""What a router keeps apart, and what it costs to know that; tests/router_stories.py sends packets."""

import pytest

from tests.clouds import SimulatedCloud
from topology import address_scopes
from topology.facts import View


class Scope:
    """A scope that counts how often scopes are compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Scope.compared += 1
        return self is other

    def __hash__(self) -> int:
        return id(self)


def test_interfaces_within_one_scope_are_not_compared_with_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = SimulatedCloud()
    hub = cloud.router("hub")
    keys = {}
    for number in range(40):
        network = cloud.network(f"n{number}")
        cloud.subnet(network, f"10.0.{number}.0/24")
        cloud.interface(hub, network, f"10.0.{number}.1")
        keys[number] = network.key
    one, two = Scope(), Scope()

    def scope_of(view: View, network_id: str) -> Scope:
        return two if network_id == "n7" else one

    monkeypatch.setattr(address_scopes, "scope_of", scope_of)
    Scope.compared = 0
    found = address_scopes.apart(cloud.engine.view, "hub")
    others = [number for number in range(40) if number != 7]
    expected = [(keys[7], f"10.0.{number}.0/24") for number in others]
    assert found == tuple(sorted([*expected, *((keys[number], "10.0.7.0/24") for number in others)]))
    assert Scope.compared < 40
