"""Which chassis watch which."""

from tests.clouds import ENCAP_IPS, SimulatedCloud
from tests.gateway_stories import outward
from topology.doors import watched


def test_everybody_watches_the_gateways_which_watch_everybody() -> None:
    cloud = SimulatedCloud()
    cloud.doors(("hv3",))
    assert cloud.engine.ask(watched, "hv1") == (), "nothing leads outside yet"
    outward(cloud)
    found = {name: cloud.engine.ask(watched, name) for name in ENCAP_IPS}
    one, two, three = ENCAP_IPS.values()
    assert found == {"hv1": (three,), "hv2": (three,), "hv3": (one, two)}
    assert cloud.engine.ask(watched, "nobody") == ()
