"""Floating IPs at the instance's own hypervisor: from the world, to the world, to one another and to themselves."""

import time

from captures import Capture
from checks import Checks
from cloud import FAR, Cloud
from conversations import Conversation, last_heard, seen_as, serve
from leases import lease
from neutron import Document, Neutron
from pings import ping, until_answered
from stations import Instance

SEEN, ECHO = 81, 80


def run(cloud: Cloud, checks: Checks) -> None:
    """Two instances of one tenant and one of another, each with a floating IP; the gateway chassis has none of them."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    cloud.make_gateway("h3")
    serve(upstream, [f"seen/{SEEN}"])
    acme, corp = cloud.api.project("acme"), cloud.api.project("corp")
    web = _start(cloud, acme, _lan(acme, world, "acme"), "web", "h1")
    db = _start(cloud, acme, acme.show("network", web.port["network_id"]), "db", "h2")
    spare = _start(cloud, acme, acme.show("network", web.port["network_id"]), "spare", "h2")
    guest = _start(cloud, corp, _lan(corp, world, "corp"), "guest", "h2")
    cloud.api.wait_until_realized()
    instances = (web, db, guest)
    floating = {each.name: _float(tenant, world, each) for tenant, each in ((acme, web), (acme, db), (corp, guest))}
    for tenant, instance in ((acme, web), (acme, db), (corp, guest)):
        _wait(tenant, floating[instance.name]["id"], "ACTIVE")
        serve(instance, [f"seen/{SEEN}", f"tcp/{ECHO}"])
    addresses = {name: each["floating_ip_address"] for name, each in floating.items()}

    for instance in instances:
        until_answered(instance, FAR)
        answers = ping(upstream, addresses[instance.name])
        checks.check(f"the world pings {instance.name}", "all answered", answers, answers.all)
        told = cloud.trace_from_outside(world, addresses[instance.name])
        checks.check("and a trace from there says", f"delivered {instance.port['id']}", told)
        seen = seen_as(instance, FAR, SEEN)
        checks.check(f"the world sees {instance.name} as", addresses[instance.name], seen and seen[0])
    with Capture(cloud.hypervisors["h1"], "underlay") as core, Capture(cloud.hypervisors["h1"], "lan") as own:
        seen_as(web, FAR, SEEN)
        counts = [link.count(lambda frame: frame.tunnel_key is not None) for link in (core, own)]
        query = f"/v2.0/ports?device_id={floating['web']['id']}"
        (outside,) = cloud.api.request("GET", query)["ports"]
        left = own.count(lambda frame: frame.source == outside["mac_address"])
    checks.check("tunnelled frames for web's own traffic", 0, counts[0])
    checks.check("frames by its hypervisor's own way", "some", left, left > 0)
    for source in instances:
        for target in instances:
            seen = seen_as(source, addresses[target.name], SEEN)
            what = f"{source.name} to {'its own' if source is target else target.name + chr(39) + 's'} floating IP, as"
            checks.check(what, addresses[source.name], seen and seen[0])

    talk = Conversation(upstream, addresses["web"], ECHO)
    last_heard([talk], 0, 0.5)
    acme.request("PUT", f"/v2.0/floatingips/{floating['web']['id']}", {"floatingip": {"port_id": spare.port["id"]}})
    moved = time.monotonic()
    heard = last_heard([talk], moved, 3)[talk.name]
    serve(spare, [f"tcp/{ECHO}"])
    again = Conversation(upstream, addresses["web"], ECHO)
    checks.check("and a new one is answered by that one", True, last_heard([again], 0, 0.5)[again.name] > 0)
    what = "when web's moves to another, an open connection is heard for"
    checks.check(what, "1 s at most", f"{heard:.2f} s", heard <= 1)


def _lan(tenant: Neutron, world: Document, name: str) -> Document:
    """A network of 10.0.1.0/24, as everybody has it, and a router to the world."""
    network = tenant.create("network", name=name)
    subnet = tenant.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.1.0/24")
    router = tenant.create("router", name=name, external_gateway_info={"network_id": world["id"]})
    tenant.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    group = tenant.create("security_group", name="open")
    tenant.create("security_group_rule", security_group_id=group["id"], direction="ingress", ethertype="IPv4")
    return {**network, "group": group["id"]}


def _start(cloud: Cloud, tenant: Neutron, network: Document, name: str, host: str) -> Instance:
    groups = [network["group"]] if "group" in network else [_open(tenant)]
    instance = cloud.launch(name, tenant.create("port", network_id=network["id"], security_groups=groups), on=host)
    lease(instance, "udhcpc")
    return instance


def _open(tenant: Neutron) -> str:
    (group,) = tenant.request("GET", "/v2.0/security-groups?name=open")["security_groups"]
    return str(group["id"])


def _float(tenant: Neutron, world: Document, instance: Instance) -> Document:
    return tenant.create("floatingip", floating_network_id=world["id"], port_id=instance.port["id"])


def _wait(tenant: Neutron, floatingip_id: str, status: str) -> None:
    deadline = time.monotonic() + 20
    while tenant.show("floatingip", floatingip_id)["status"] != status and time.monotonic() < deadline:
        time.sleep(0.1)
