"""DHCP requests of the ports that are served go to the controller; it finds the port by the flow's cookie."""

from flows.control_budget import to_controller
from flows.flow import flow
from flows.pipeline import DHCP
from flows.units import Published, Unit, on_chassis
from topology.facts import View, is_served_by_dhcp, live_port
from topology.values import Port


def requests(view: View, port_id: str) -> Published:
    """Whatever a served port sends from a DHCP client's port to a server's, broadcast or not."""
    port = view.ask(live_port, port_id)
    if port is not None and is_served_by_dhcp(view, port):
        owner = f"port/{port.id}"
        yield (
            on_chassis(port.chassis_id),
            flow(DHCP, "request", "dhcp", owner, *to_controller(port.key), from_port=port.key, udp_src=68, udp_dst=67),
        )


UNITS = (Unit(requests, over=Port, together=True),)
