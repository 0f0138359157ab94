"""To the port: out of its interface on its own chassis, by way of the core from everywhere else."""

from flows.actions import Action, Goto, Output, SetField
from flows.fields import parse_ipv4
from flows.flow import flow
from flows.pipeline import DELIVERY, LOCAL_OUTPUT
from flows.units import Published, Unit, on_chassis, where_network_is_reached
from topology.facts import View, encap_ip, live_port
from topology.values import Port


def to_port(view: View, port_id: str) -> Published:
    """Where a live port is. On its own chassis the local flow is above the remote one."""
    port = view.ask(live_port, port_id)
    if port is None:
        return
    here, owner = on_chassis(port.chassis_id), f"port/{port.id}"
    yield here, flow(DELIVERY, "local", "delivery", owner, Goto("ingress_stateless"), to_port=port.key)
    yield here, flow(LOCAL_OUTPUT, "port", "delivery", owner, Output(port.ofport), to_port=port.key)
    towards: tuple[Action, ...] = ()
    if port.network.segment.is_overlay:
        address = view.ask(encap_ip, port.chassis_id, port.network.segment.network_type)
        if address is None:
            return
        towards = (SetField("tun_dst", parse_ipv4(address)),)
    yield (
        where_network_is_reached(port.network.id),
        flow(DELIVERY, "remote", "delivery", owner, *towards, Goto("core_output"), to_port=port.key, from_core=0),
    )


UNITS = (Unit(to_port, over=Port),)
