"""Nothing reaches the controller beyond a port's budget."""

from flows.actions import Controller, Meter
from flows.control_budget import BURST, PACKETS_A_SECOND
from flows.engine import Engine
from flows.flow import Flow
from flows.sample import HERE, sample_cloud
from topology.allocation import PORT_KEY_BITS
from topology.values import Port


def asks(flow: Flow) -> bool:
    return any(isinstance(action, Controller) for action in flow.actions)


def test_whatever_leads_to_the_controller_passes_the_meter_of_a_port_first() -> None:
    store = sample_cloud().store
    keys = {port.key for port in store.all(Port)}
    punting = [flow for flow in Engine(store).desired(HERE).values() if asks(flow)]
    assert {flow.feature for flow in punting} >= {"dhcp", "icmp", "upstream"}
    for flow in punting:
        meter = flow.actions[0]
        assert isinstance(meter, Meter), str(flow)
        assert (meter.packets, meter.burst) == (PACKETS_A_SECOND, BURST)
        assert meter.number & (1 << PORT_KEY_BITS) - 1 in keys
