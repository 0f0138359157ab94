"""Two networks of a tenant and a router between them, on every hypervisor at once; a stranger stays outside."""

from captures import Capture
from checks import Checks
from cloud import Cloud
from leases import lease
from neutron import Document
from pings import one_ping, ping, time_to_live
from stations import Instance

INSTANCES = (("web", "h1"), ("db", "h2"), ("near", "h1"))
NOBODY = "192.0.2.99"


def run(cloud: Cloud, checks: Checks) -> None:
    """Instances lease their addresses, and their way out with them; the router takes it from there."""
    tenant, other = cloud.api.project("acme"), cloud.api.project("other")
    ports = cloud.apply("router.yaml", "--member", "acme")
    interfaces = tenant.find("port", device_owner="network:router_interface")
    checks.check("interfaces of the router in the file", 2, len(interfaces))
    for port in interfaces:
        cloud.api.wait_for_status(port["id"])
    web, db, near = (_start(cloud, name, ports[name], on=host) for name, host in INSTANCES)
    foreign = cloud.make_network(other, "10.0.3.0/24", name="foreign")
    stranger = _start(cloud, "stranger", other.create("port", network_id=foreign["id"]), on="h2")
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

    [leaving] = (port for port in interfaces if port["network_id"] == db.port["network_id"])
    path = f"/v2.0/routers/{leaving['device_id']}/remove_router_interface"
    tenant.request("PUT", path, {"port_id": leaving["id"]})
    cloud.api.wait_until_realized()
    answers = ping(web, db.address)
    checks.check("web pings db when the router has left its network", "none answered", answers, answers.none)


def _start(cloud: Cloud, name: str, port: Document, on: str) -> Instance:
    instance = cloud.launch(name, port, on=on)
    lease(instance, "udhcpc")
    return instance


def _complaint(instance: Instance, address: str, *options: str) -> str:
    """What the router says of a ping that goes nowhere."""
    said = ("Time to live exceeded", "Destination Host Unreachable", "Destination Net Unreachable")
    output = one_ping(instance, address, *options)
    return next((each for each in said if each in output), output)
