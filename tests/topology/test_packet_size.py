"""How large packets may be, where there is little to go by."""

from tests.clouds import SimulatedCloud
from tests.gateway_stories import OUTSIDE
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
