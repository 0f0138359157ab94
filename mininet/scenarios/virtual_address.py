"""An address that two instances may have, as with keepalived: routers and a floating IP follow it to the other."""

import time
from collections.abc import Callable

from captures import send
from checks import Checks
from cloud import Cloud
from conversations import seen_as, serve
from frames import arp_request
from leases import lease
from neutron import Document, Neutron
from pings import ping
from stations import Instance

VIRTUAL, SERVICES = "10.0.1.100", {"red": 81, "blue": 82}
"""The address, and the port that each server listens on: by it one is told from the other."""


def run(cloud: Cloud, checks: Checks) -> None:
    """Two servers on two hypervisors, a client on another network, and the world."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    cloud.make_gateway("h3")
    tenant = cloud.api.project("acme")
    router = tenant.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
    servers, clients = (_lan(tenant, router, f"10.0.{number}.0/24") for number in (1, 2))
    group = tenant.create("security_group", name="open")["id"]
    tenant.create("security_group_rule", security_group_id=group, direction="ingress", ethertype="IPv4")
    pairs = {"security_groups": [group], "allowed_address_pairs": [{"ip_address": VIRTUAL}]}
    red, blue = (
        _start(cloud, tenant.create("port", network_id=servers["network_id"], **pairs), name, at)
        for name, at in (("red", "h1"), ("blue", "h2"))
    )
    port = tenant.create("port", network_id=clients["network_id"], security_groups=[group])
    client = _start(cloud, port, "client", "h3")
    for server in (red, blue):
        serve(server, [f"seen/{SERVICES[server.name]}"])
    reserved = tenant.create("port", network_id=servers["network_id"], fixed_ips=[{"ip_address": VIRTUAL}])
    floating = tenant.create("floatingip", floating_network_id=world["id"], port_id=reserved["id"])
    outside = floating["floating_ip_address"]
    cloud.api.wait_until_realized()
    answers = ping(client, VIRTUAL, count=1)
    checks.check("before anybody has it, the client pings it", "none answered", answers, answers.none)
    checks.check("and its floating IP is", "DOWN", tenant.show("floatingip", floating["id"])["status"])

    def reached() -> dict[str, str]:
        return {
            name: _who(source, at) for name, source, at in (("client", client, VIRTUAL), ("world", upstream, outside))
        }

    red.ip(f"addr add {VIRTUAL}/24 dev eth0")
    took = _until(lambda: ping(client, VIRTUAL, count=1).all)
    checks.check("red has it and does not say so; the client is answered in", "3 s at most", f"{took:.1f} s", took <= 3)
    _until(lambda: reached()["world"] == "red")
    checks.check("who is reached", {"client": "red", "world": "red"}, reached())
    checks.check("its floating IP is", "ACTIVE", tenant.show("floatingip", floating["id"])["status"])
    red.ip(f"addr del {VIRTUAL}/24 dev eth0")
    blue.ip(f"addr add {VIRTUAL}/24 dev eth0")
    send(blue, "eth0", arp_request(blue.mac, VIRTUAL, VIRTUAL))
    took = _until(lambda: ping(client, VIRTUAL, count=1).all)
    checks.check("blue takes it over and announces it; in", "1.5 s at most", f"{took:.1f} s", took <= 1.5)
    _until(lambda: reached()["world"] == "blue")
    checks.check("who is reached", {"client": "blue", "world": "blue"}, reached())


def _lan(tenant: Neutron, router: Document, cidr: str) -> Document:
    network = tenant.create("network")
    subnet = tenant.create("subnet", network_id=network["id"], ip_version=4, cidr=cidr)
    tenant.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    return subnet


def _start(cloud: Cloud, port: Document, name: str, at: str) -> Instance:
    instance = cloud.launch(name, port, on=at)
    lease(instance, "udhcpc")
    return instance


def _who(source: Instance, address: str) -> str:
    """Which servers answer there."""
    return " ".join(name for name, port in SERVICES.items() if seen_as(source, address, port)) or "nobody"


def _until(holds: Callable[[], bool], patience: float = 10) -> float:
    """Seconds until something holds, or until it is given up."""
    started = time.monotonic()
    while not holds() and time.monotonic() - started < patience:
        time.sleep(0.05)
    return time.monotonic() - started
