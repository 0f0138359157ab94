"""Two tenants, a router each, and a transit network that they share: routes, and only routes, join them."""

from checks import Checks
from cloud import Cloud
from leases import lease
from neutron import Document, Neutron
from pings import ping, time_to_live
from stations import Instance

LANS = {"acme": "10.0.1.0/24", "corp": "10.0.2.0/24"}


def run(cloud: Cloud, checks: Checks) -> None:
    """Both routers are passed on the hypervisor where a packet comes from, so it crosses the core once."""
    transit = cloud.make_network(cloud.api, "10.9.0.0/24", name="transit", shared=True)
    acme, corp = cloud.api.project("acme"), cloud.api.project("corp")
    (west, west_door), (east, east_door) = (_router(*each, transit) for each in ((acme, "acme"), (corp, "corp")))
    one, two = _start(cloud, acme, "one", "acme", "h1"), _start(cloud, corp, "two", "corp", "h2")
    cloud.api.wait_until_realized()
    for source, target in ((one, two), (two, one)):
        answers = ping(source, target.address)
        checks.check(f"{source.name} pings {target.name} without routes", "none answered", answers, answers.none)

    _route(acme, west, "add", LANS["corp"], east_door)
    cloud.api.wait_until_realized()
    answers = ping(one, two.address)
    checks.check("with a way there, and none back", "none answered", answers, answers.none)
    _route(corp, east, "add", LANS["acme"], west_door)
    cloud.api.wait_until_realized()
    for source, target in ((one, two), (two, one)):
        answers = ping(source, target.address)
        checks.check(f"{source.name} pings {target.name} with routes", "all answered", answers, answers.all)
    checks.check("time to live, a hop less for each router", 62, time_to_live(one, two.address))
    checks.check("the other tenant's router answers, time to live", 64, time_to_live(one, east_door))

    _route(corp, east, "remove", LANS["acme"], west_door)
    cloud.api.wait_until_realized()
    answers = ping(one, two.address)
    checks.check("when one tenant takes his route away", "none answered", answers, answers.none)


def _router(tenant: Neutron, name: str, transit: Document) -> tuple[Document, str]:
    """A tenant's router: on his own network by its gateway, on the transit network by a port whose address follows."""
    router = tenant.create("router", name=name)
    network = tenant.create("network", name=name)
    subnet = tenant.create("subnet", network_id=network["id"], ip_version=4, cidr=LANS[name], name=name)
    door = tenant.create("port", network_id=transit["id"], name=f"{name}-door")
    _add(tenant, router, {"subnet_id": subnet["id"]})
    _add(tenant, router, {"port_id": door["id"]})
    return router, door["fixed_ips"][0]["ip_address"]


def _add(tenant: Neutron, router: Document, interface: Document) -> None:
    port = tenant.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", interface)
    tenant.wait_for_status(port["port_id"])


def _route(tenant: Neutron, router: Document, verb: str, destination: str, nexthop: str) -> None:
    body = {"router": {"routes": [{"destination": destination, "nexthop": nexthop}]}}
    tenant.request("PUT", f"/v2.0/routers/{router['id']}/{verb}_extraroutes", body)


def _start(cloud: Cloud, tenant: Neutron, name: str, network: str, host: str) -> Instance:
    """An instance that anybody may ping."""
    (found,) = tenant.find("network", name=network)
    port = tenant.create("port", network_id=found["id"])
    for group_id in port["security_groups"]:
        tenant.create("security_group_rule", security_group_id=group_id, direction="ingress", protocol="icmp")
    instance = cloud.launch(name, port, on=host)
    lease(instance, "udhcpc")
    return instance
