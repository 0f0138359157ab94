"""Two networks of a tenant and a router between them, on every hypervisor at once; a stranger stays outside."""

from captures import Capture
from checks import Checks
from cloud import Cloud
from leases import lease
from neutron import Document
from pings import one_ping, ping, time_to_live
from stations import Instance

NOBODY = "192.0.2.99"


def run(cloud: Cloud, checks: Checks) -> None:
    """Instances lease their addresses, and their way out with them; the router takes it from there."""
    tenant = cloud.api.project("acme")
    networks = [cloud.make_network(tenant, f"10.0.{n}.0/24", name=name) for n, name in enumerate(("web", "db"), 1)]
    router = tenant.create("router", name="hub")
    interfaces = [_join(cloud, router["id"], network["subnets"][0]) for network in _again(cloud, networks)]
    for port_id in interfaces:
        cloud.api.wait_for_status(port_id)
    web, db, near = (
        _start(cloud, name, network["id"], host)
        for name, network, host in (("web", networks[0], "h1"), ("db", networks[1], "h2"), ("near", networks[1], "h1"))
    )
    foreign = cloud.make_network(cloud.api.project("other"), "10.0.3.0/24", name="foreign")
    stranger = _start(cloud, "stranger", foreign["id"], "h2", project="other")
    cloud.api.wait_until_realized()

    with Capture(cloud.hypervisors["h1"], "underlay") as link, Capture(cloud.hypervisors["h3"], "underlay") as other:
        for target in (db, near):
            answers = ping(web, target.address)
            checks.check(f"web pings {target.name} in the other network", "all answered", answers, answers.all)
        tunnelled = link.count(lambda frame: frame.tunnel_key is not None)
        passed = other.count(lambda frame: frame.tunnel_key is not None)
    checks.check("tunnelled frames for them: each ping of db and its answer, once", 6, tunnelled)
    checks.check("tunnelled frames of a hypervisor with neither", 0, passed)
    checks.check("hops between them, by the time to live that is left", 63, time_to_live(web, db.address))
    for address in ("10.0.1.1", "10.0.2.1"):
        checks.check(f"the router answers at {address}, time to live", 64, time_to_live(web, address))
    checks.check("one hop is too few", "Time to live exceeded", _complaint(web, db.address, "-t", "1"))
    checks.check("an address that nobody has", "Destination Host Unreachable", _complaint(web, "10.0.2.99"))
    checks.check("a network that no route leads to", "Destination Net Unreachable", _complaint(web, NOBODY))
    checks.check("another tenant's instance", "Destination Net Unreachable", _complaint(web, stranger.address))

    tenant.request("PUT", f"/v2.0/routers/{router['id']}/remove_router_interface", {"port_id": interfaces[1]})
    cloud.api.wait_until_realized()
    answers = ping(web, db.address)
    checks.check("web pings db when the router has left its network", "none answered", answers, answers.none)


def _again(cloud: Cloud, networks: list[Document]) -> list[Document]:
    return [cloud.api.show("network", network["id"]) for network in networks]


def _join(cloud: Cloud, router_id: str, subnet_id: str) -> str:
    """Join a router to a subnet; return the id of its port there."""
    answer = cloud.api.request("PUT", f"/v2.0/routers/{router_id}/add_router_interface", {"subnet_id": subnet_id})
    return str(answer["port_id"])


def _start(cloud: Cloud, name: str, network_id: str, host: str, project: str = "acme") -> Instance:
    port = cloud.api.project(project).create("port", network_id=network_id)
    instance = cloud.launch(name, port, on=host)
    lease(instance, "udhcpc")
    return instance


def _complaint(instance: Instance, address: str, *options: str) -> str:
    """What the router says of a ping that goes nowhere."""
    said = ("Time to live exceeded", "Destination Host Unreachable", "Destination Net Unreachable")
    output = one_ping(instance, address, *options)
    return next((each for each in said if each in output), output)
