"""Counts what is dropped: by reason for what is no port's, and else by port and reason.

A port meets few of the reasons, and most ports one or two. So the switch itself makes a counter when a port first meets
a reason (``learn``): no more than there are reasons, however much the port sends. Open vSwitch handles a packet with
the flows of when it came, so the packet that a counter is made for is not in it, but in the flow that has learnt from
it, and so are others that threads of the switch handle at the same moment. ``sdnapp/drops.py`` puts both together.
"""

from flows.drops import REASONS
from flows.flow import flow, learn
from flows.pipeline import DROPS
from flows.units import EVERYONE, Published, Unit, on_chassis
from topology.facts import View, live_port
from topology.values import Port


def of_nobody(view: View) -> Published:
    """What concerns no port of this chassis."""
    for reason in REASONS.values():
        yield EVERYONE, flow(DROPS, "reason", "drops", f"drop/{reason.name}", drop_reason=reason.number)


def of_port(view: View, port_id: str) -> Published:
    """What concerns a port, on its own chassis."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    owner = f"port/{port.id}"
    counter = learn(flow(DROPS, "counter", "drops", owner, charged=port.key), "drop_reason", bound=True)
    yield on_chassis(port.chassis_id), flow(DROPS, "port", "drops", owner, counter, charged=port.key)


UNITS = (Unit(of_nobody), Unit(of_port, over=Port, together=True))
