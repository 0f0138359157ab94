"""A live migration: an instance moves to another hypervisor under ping, and its traffic follows within a second."""

from captures import Capture
from checks import Checks
from cloud import Cloud
from leases import lease
from neutron import Document
from pings import Ping, ping
from stations import Instance

INTERVAL = 0.01
COUNT = 200


def run(cloud: Cloud, checks: Checks) -> None:
    """red1 stays on h1 and pings red2, which moves from h2 to h3 and back."""
    ports = cloud.apply("red.yaml", "--member", "red")
    empty = {host: cloud.hypervisors[host].flows() for host in ("h2", "h3")}
    red1, red2 = (cloud.launch(name, ports[name], on=host) for name, host in (("red1", "h1"), ("red2", "h2")))
    for instance in (red1, red2):
        lease(instance)
    answers = ping(red1, red2.address)
    checks.check("red1 pings red2 on h2", "all answered", answers, answers.all)
    for origin, target in (("h2", "h3"), ("h3", "h2")):
        _migrate(cloud, checks, red1, red2, target)
        checks.check(
            f"flows on {origin} are again as before red2 came", True, cloud.hypervisors[origin].flows() == empty[origin]
        )
    cloud.unplug(red2)
    checks.check(
        "port of red2 once it is unplugged", "DOWN", cloud.api.wait_for_status(red2.port["id"], "DOWN")["status"]
    )
    cloud.api.wait_until_realized()
    checks.check("flows on h2 are again as before red2 came", True, cloud.hypervisors["h2"].flows() == empty["h2"])


def _migrate(cloud: Cloud, checks: Checks, red1: Instance, red2: Instance, target: str) -> None:
    stream = Ping(red1, red2.address, COUNT, INTERVAL)
    with Capture(red2, "eth0") as guest:
        guest.wait_for(lambda frame: frame.source == red1.mac, timeout=10)
    cloud.migrate(red2, cloud.hypervisors[target])
    port = _wait_for_host(cloud, red2.port["id"], target)
    checks.check(
        f"red2 is bound to {target} and ACTIVE while pings go on",
        True,
        stream.is_running and port["status"] == "ACTIVE",
    )
    answers = stream.result()
    what = f"seconds without answers, of {answers.seconds:.1f}"
    checks.check(what, "less than 1", f"{answers.dark:.2f}", answers.dark < 1)
    with Capture(cloud.hypervisors[target], "underlay") as link:
        after = ping(red1, red2.address)
        carried = link.count(lambda frame: frame.inner and frame.inner.source == red1.mac)
    checks.check(f"red1 pings red2 on {target}", "all answered", after, after.all)
    checks.check(f"tunnelled frames of red1 on the link of {target}", "some", carried, carried > 0)
    cloud.api.wait_until_realized()


def _wait_for_host(cloud: Cloud, port_id: str, host: str) -> Document:
    return cloud.api.wait_for(port_id, lambda port: port["binding:host_id"] == host and port["status"] == "ACTIVE")
