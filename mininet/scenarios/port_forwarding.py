"""Ports of one floating IP that lead to several instances, each to its own; everything else of it leads nowhere."""

from checks import Checks
from cloud import FAR, UPSTREAM, Cloud
from conversations import Conversation, crowd, seen_as, serve
from leases import lease
from neutron import Document, Neutron
from pings import until_answered
from stations import Instance

SEEN = 81
UDP_INSIDE, UDP_OUTSIDE = range(5000, 5003), range(9000, 9003)
"""A range of ports that is forwarded as a whole, each to its own."""


def run(cloud: Cloud, checks: Checks) -> None:
    """Two instances on two hypervisors behind one address, which the gateway chassis has."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    cloud.make_gateway("h3")
    serve(upstream, [f"seen/{SEEN}"])
    tenant = cloud.api.project("acme")
    network = cloud.make_network(tenant, "10.0.1.0/24", name="lan")
    router = tenant.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
    outside = router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
    subnet = tenant.show("network", network["id"])["subnets"][0]
    tenant.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
    group = tenant.create("security_group", name="open")
    tenant.create("security_group_rule", security_group_id=group["id"], direction="ingress", ethertype="IPv4")
    floating = tenant.create("floatingip", floating_network_id=world["id"])
    instances = []
    for name, host in (("web", "h1"), ("db", "h2")):
        port = tenant.create("port", network_id=network["id"], security_groups=[group["id"]])
        instances.append(cloud.launch(name, port, on=host))
        lease(instances[-1], "udhcpc")
        serve(instances[-1], [f"seen/{SEEN}", *(f"udp/{port}" for port in UDP_INSIDE)])
    for external, instance in zip((8001, 8002), instances, strict=True):
        _forward(tenant, floating, instance.port, external)
    _forward_range(tenant, floating, instances[1].port)
    (gateway,) = cloud.api.request("GET", "/v2.0/ports?device_owner=network:router_gateway")["ports"]
    cloud.api.wait_for_status(gateway["id"])
    cloud.api.wait_until_realized()
    address = floating["floating_ip_address"]
    until_answered(instances[0], FAR)
    checks.check("the floating IP is", "ACTIVE", tenant.show("floatingip", floating["id"])["status"])
    for external, instance in zip((8001, 8002), instances, strict=True):
        seen = seen_as(upstream, address, external)
        checks.check(f"port {external} is {instance.name}, which sees the world as", UPSTREAM, seen and seen[0])
        seen = seen_as(instance, FAR, SEEN)
        checks.check(f"what {instance.name} begins itself comes from the router's address", outside, seen and seen[0])
        seen = seen_as(instance, address, 8003 - (external - 8000))
        checks.check(f"{instance.name} reaches the other by that address, as", outside, seen and seen[0])
    answered = [
        port for port in range(UDP_OUTSIDE[0] - 1, UDP_OUTSIDE[-1] + 2) if _is_answered(upstream, address, port)
    ]
    checks.check("UDP ports of the range, and one on either side, that answer", list(UDP_OUTSIDE), answered)
    checks.check("a port that is not forwarded", "refused", _refusal(upstream, address, 8003))
    for port, expected in ((8002, f"delivered {instances[1].port['id']}"), (8003, "controller")):
        told = cloud.trace_from_outside(world, address, protocol="tcp", to_port=str(port))
        checks.check(f"a trace from outside to port {port}", expected, told)
    checks.check("and one of the router's own address", "refused", _refusal(upstream, outside, 8003))
    for each in tenant.request("GET", f"/v2.0/floatingips/{floating['id']}/port_forwardings")["port_forwardings"]:
        tenant.request("DELETE", f"/v2.0/floatingips/{floating['id']}/port_forwardings/{each['id']}")
    cloud.api.wait_until_realized()
    checks.check("the floating IP is, without any", "DOWN", tenant.show("floatingip", floating["id"])["status"])
    checks.check("port 8001 when it is forwarded no more", None, seen_as(upstream, address, 8001))
    checks.check("the UDP ports likewise", [], [port for port in UDP_OUTSIDE if _is_answered(upstream, address, port)])


def _refusal(instance: Instance, address: str, port: int) -> str:
    try:
        Conversation(instance, address, port)
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return str(error)
    return "let in"


def _is_answered(instance: Instance, address: str, port: int) -> bool:
    return crowd(instance, address, port, 1, 0.5)[1] == 1


def _forward_range(tenant: Neutron, floating: Document, port: Document) -> None:
    body = {
        "internal_port_id": port["id"],
        "internal_ip_address": port["fixed_ips"][0]["ip_address"],
        "internal_port_range": f"{UDP_INSIDE[0]}:{UDP_INSIDE[-1]}",
        "external_port_range": f"{UDP_OUTSIDE[0]}:{UDP_OUTSIDE[-1]}",
        "protocol": "udp",
    }
    tenant.request("POST", f"/v2.0/floatingips/{floating['id']}/port_forwardings", {"port_forwarding": body})


def _forward(tenant: Neutron, floating: Document, port: Document, external: int) -> None:
    body = {
        "internal_port_id": port["id"],
        "internal_ip_address": port["fixed_ips"][0]["ip_address"],
        "internal_port": SEEN,
        "external_port": external,
        "protocol": "tcp",
    }
    tenant.request("POST", f"/v2.0/floatingips/{floating['id']}/port_forwardings", {"port_forwarding": body})
