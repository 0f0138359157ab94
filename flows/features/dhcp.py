"""DHCP requests of the ports that are served go to the controller; it finds the port by the flow's cookie."""

from flows.control_budget import to_controller
from flows.features.port_security import DHCP_CLIENT, DHCP_SERVER, mac_addresses
from flows.flow import flow
from flows.pipeline import DHCP, PORT_SECURITY
from flows.units import Published, Unit, on_chassis
from topology.facts import View, is_served_by_dhcp, live_port
from topology.values import Port

FEATURE = "dhcp"


def requests(view: View, port_id: str) -> Published:
    """Whatever a served port sends from a DHCP client's port to a server's, broadcast or not.

    Port security sees it first, and hands it over itself; the port may ask from any IPv4 address.
    """
    port = view.ask(live_port, port_id)
    if port is None or not is_served_by_dhcp(view, port):
        return
    here, owner, tell = on_chassis(port.chassis_id), f"port/{port.id}", to_controller(port.key)
    asking: dict[str, int | str] = {"from_port": port.key, "udp_src": DHCP_CLIENT, "udp_dst": DHCP_SERVER}
    if not port.port_security_enabled:
        yield here, flow(DHCP, "request", FEATURE, owner, *tell, **asking)
        return
    for mac in mac_addresses(port):
        yield here, flow(PORT_SECURITY, "client", FEATURE, owner, *tell, eth_src=mac, **asking)


UNITS = (Unit(requests, over=Port, together=True),)
