"""Counts what is dropped: a flow for each reason, and for each port here with each reason that may concern it."""

from flows.drops import REASONS
from flows.flow import flow
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
    audience, owner = on_chassis(port.chassis_id), f"port/{port.id}"
    for reason in REASONS.values():
        if reason.charged is not None and (port.port_security_enabled or not reason.secured):
            match = {reason.charged: port.key, "drop_reason": reason.number}
            yield audience, flow(DROPS, "port", "drops", owner, **match)


UNITS = (Unit(of_nobody), Unit(of_port, over=Port))
