"""A hypervisor's ovs-vswitchd dies by kill -9 and comes back empty: it gets the same flows, and traffic resumes."""

import time

from checks import Checks
from cloud import Cloud
from leases import lease
from pings import Ping, ping

INTERVAL = 0.01
COUNT = 200


def run(cloud: Cloud, checks: Checks) -> None:
    """Two instances across the core; the switch of the second one dies."""
    ports = cloud.apply("red.yaml", "--member", "red")
    red1, red2 = (cloud.launch(name, ports[name], on=host) for name, host in (("red1", "h1"), ("red2", "h2")))
    for instance in (red1, red2):
        lease(instance)
    answers = ping(red1, red2.address)
    checks.check("red1 pings red2 before", "all answered", answers, answers.all)
    cloud.api.wait_until_realized()
    h1, h2 = cloud.hypervisors["h1"], cloud.hypervisors["h2"]
    before, others = h2.flows(), h1.flows()

    h2.kill_switch()
    answers = ping(red1, red2.address)
    checks.check("red1 pings red2 while its switch is dead", "none answered", answers, answers.none)
    checks.check(
        "port of red2 without its switch", "DOWN", cloud.api.wait_for_status(red2.port["id"], "DOWN")["status"]
    )

    stream = Ping(red1, red2.address, COUNT, INTERVAL)
    started = time.monotonic()
    h2.start_switch()
    cloud.api.wait_for_status(red2.port["id"])
    active = time.monotonic() - started
    h2.meet_gateway()
    checks.check("flows on h2 are the same as before", True, h2.flows() == before)
    checks.check("flows on h1 as well", True, h1.flows() == others)
    checks.check("seconds until red2 is ACTIVE again", "less than 10", f"{active:.1f}", active < 10)
    answers = stream.result()
    checks.check("pings answered while it came back", "some", answers, answers.received > 0)
    answers = ping(red1, red2.address)
    checks.check("red1 pings red2 after", "all answered", answers, answers.all)
    checks.check("red2 leases again", red2.address, lease(red2).address)
