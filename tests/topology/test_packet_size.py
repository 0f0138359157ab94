"""How large packets may be, where there is little to go by."""

from collections import Counter
from typing import Any

from tests.clouds import SimulatedCloud
from tests.gateway_stories import OUTSIDE
from topology.facts import View
from topology.packet_size import ENVELOPE, largest_in, largest_out


def test_a_router_with_a_gateway_and_nothing_else() -> None:
    cloud = SimulatedCloud()
    cloud.doors(("hv3",))
    world = cloud.external(mtu=1500)
    hub = cloud.router("hub")
    own = cloud.gateway(hub, world, OUTSIDE)
    assert cloud.engine.ask(largest_in, "hub") == 1500 - ENVELOPE
    assert cloud.engine.ask(largest_out, "hub", own.id) is None, "nothing comes in that could be too large"
    assert cloud.engine.ask(largest_in, "nobody") is None
    assert cloud.engine.ask(largest_out, "nobody", "nothing") is None


def test_of_many_interfaces_each_is_looked_at_once_and_not_by_each_of_them(read: Counter[str]) -> None:
    cloud = SimulatedCloud()
    hub, ports = cloud.router("hub"), []
    for number in range(40):
        network = cloud.network(f"n{number}")
        cloud.subnet(network, f"10.0.{number}.0/24")
        ports.append(cloud.interface(hub, network, f"10.0.{number}.1"))
    cloud.follow()

    class Remembering:
        """A view that remembers what has been found, and nothing from before."""

        def __init__(self) -> None:
            self.found: dict[Any, Any] = {}
            self.get, self.find_ids = cloud.store.get, cloud.store.find_ids

        def ask(self, fact: Any, *args: Any) -> Any:
            if (fact, args) not in self.found:
                self.found[fact, args] = fact(self, *args)
            return self.found[fact, args]

    view: View = Remembering()  # type: ignore[assignment]
    read.clear()
    for port in ports:
        assert view.ask(largest_out, "hub", port.id) is None
    assert 0 < read["Network"] <= 3 * len(ports)
