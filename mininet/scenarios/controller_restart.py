"""The controller dies by kill -9 and comes back under a 1 kHz ping: no packet is lost, no flow is touched."""

import time

from checks import Checks
from cloud import Cloud
from leases import lease
from pings import Ping, one_ping, ping

NOBODY = "10.0.0.77"
INTERVAL = 0.001
COUNT = 20_000


def run(cloud: Cloud, checks: Checks) -> None:
    """Two instances across the core; the ping begins before the death and ends after all is in sync again."""
    ports = cloud.apply("red.yaml", "--member", "red")
    red1, red2 = (cloud.launch(name, ports[name], on=host) for name, host in (("red1", "h1"), ("red2", "h2")))
    for instance in (red1, red2):
        lease(instance)
    answers = ping(red1, red2.address)
    checks.check("red1 pings red2 before", "all answered", answers, answers.all)
    cloud.api.wait_until_realized()
    before = {name: hypervisor.flows() for name, hypervisor in cloud.hypervisors.items()}

    stream = Ping(red1, red2.address, COUNT, INTERVAL)
    killed = time.monotonic()
    cloud.controller.kill_app()
    # Its switch now makes a counter of what it drops, which is no change of the flows that it was given.
    red2.ip(f"neigh replace {NOBODY} lladdr fa:16:3e:99:99:99 dev eth0")
    one_ping(red2, NOBODY)
    cloud.controller.start_app()
    cloud.api.wait_until_in_sync(cloud.hypervisors)
    restarted = time.monotonic() - killed
    checks.check(
        "in sync again while the ping goes on",
        "yes",
        f"{'yes' if stream.is_running else 'no'}, {restarted:.1f} s after the kill",
        stream.is_running,
    )
    answers = stream.result()
    checks.check(f"echo requests at 1 kHz, of {COUNT}", "all answered", answers, answers.all and answers.sent == COUNT)
    for name, hypervisor in cloud.hypervisors.items():
        sent = cloud.api.request("GET", f"/sdnapp/chassis/{name}")["chassis"]["openflow"]["flow_mods_sent"]
        checks.check(f"flow changes that the new controller sent to {name}", 0, sent)
        checks.check(f"flows on {name} are as before", True, hypervisor.flows() == before[name])
        age, since = hypervisor.youngest_flow(), time.monotonic() - killed
        checks.check(
            f"the youngest flow on {name} is older than the restart", f"> {since:.1f} s", f"{age:.1f} s", age > since
        )

    red3 = cloud.launch("red3", ports["red3"], on="h3")
    checks.check("the new controller serves: red3 leases", red3.address, lease(red3).address)
    answers = ping(red1, red3.address)
    checks.check("red1 pings red3", "all answered", answers, answers.all)
