"""Paths with different MTUs: a router tells senders how large their packets may be, inside and towards the world."""

from checks import Checks
from cloud import FAR, Cloud
from conversations import arrived_whole, serve
from hypervisor import PHYSICAL_NETWORK
from leases import lease
from neutron import Document
from pings import one_ping, until_answered
from stations import Instance

SUM, TEN_MB = 82, 10_000_000
HEADERS = 28
"""Bytes of IPv4 and ICMP, which ping does not count."""
TUNNELLED, PHYSICAL = 1450, 1500


def run(cloud: Cloud, checks: Checks) -> None:
    """An instance in tunnels, one on a VLAN with larger packets, the world behind a gateway on a third hypervisor."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    cloud.make_gateway("h3")
    vlan = {"provider:network_type": "vlan", "provider:physical_network": PHYSICAL_NETWORK}
    red = cloud.make_network(cloud.api, "10.0.1.0/24", name="red")
    plant = cloud.make_network(cloud.api, "10.0.2.0/24", name="plant", **vlan, **{"provider:segmentation_id": 101})
    router = cloud.api.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
    for network in (red, plant):
        subnet = cloud.api.show("network", network["id"])["subnets"][0]
        cloud.api.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
    web, press = _start(cloud, "web", red, "h1", checks), _start(cloud, "press", plant, "h2", checks)
    floating = cloud.api.create("floatingip", floating_network_id=world["id"], port_id=web.port["id"])
    address = floating["floating_ip_address"]
    for machine in (web, press, upstream):
        serve(machine, [f"sum/{SUM}"])
    cloud.api.wait_until_realized()
    until_answered(press, FAR)
    until_answered(upstream, address)

    paths = ((press, "web", web.address), (press, "the world", FAR), (upstream, "web's floating IP", address))
    for source, name, target in paths:
        for size, expected in ((TUNNELLED, "answered"), (PHYSICAL, f"mtu = {TUNNELLED}")):
            said = _said(one_ping(source, target, "-M", "do", "-s", str(size - HEADERS)))
            checks.check(f"{source.name} sends {size} bytes to {name}", expected, said)
    # Who does not heed the MTU that DHCP told him invites large segments: senders have to be told by the router.
    web.ip("link set eth0 mtu 1500")
    both = (*paths, (web, "press", press.address), (web, "the world", FAR))
    for source, name, target in both:
        whole = arrived_whole(source, target, SUM, TEN_MB)
        checks.check(f"10 MB from {source.name} to {name} arrive", True, whole)


def _start(cloud: Cloud, name: str, network: Document, on: str, checks: Checks) -> Instance:
    port = cloud.api.create("port", network_id=network["id"], port_security_enabled=False)
    instance = cloud.launch(name, port, on=on)
    checks.check(f"MTU that {name} leases", str(network["mtu"]), lease(instance, "udhcpc").mtu)
    return instance


def _said(output: str) -> str:
    """What ping says became of a packet."""
    found = [text for text in (f"mtu = {TUNNELLED}", f"mtu = {PHYSICAL}") if text in output]
    return "answered" if "1 received" in output else next(iter(found), output)
