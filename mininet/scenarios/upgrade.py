"""The controller is upgraded to a pipeline of another shape, and back, under a 1 kHz ping and TCP: nothing is lost.

Each time the flows of the other shape come in one atomic bundle, and those of the former one go some seconds later.
"""

import sys
import time
from pathlib import Path

from checks import Checks
from cloud import Cloud
from controller import MANAGER
from conversations import serve
from leases import lease
from pings import Ping, ping
from streams import Streams

OTHER_SHAPE = (sys.executable, str(Path(__file__).resolve().parents[1] / "other_shape.py"))
INTERVAL = 0.001
COUNT = 40_000
PATIENCE = 15.0
PLACES = {"web": "h1", "db": "h2", "near": "h1"}
SERVICE = "tcp/80"


def run(cloud: Cloud, checks: Checks) -> None:
    """Two networks and a router between them, with connection tracking at both ends: one way across, one at home."""
    ports = cloud.apply("router.yaml", "--member", "acme")
    web, db, near = (cloud.launch(name, ports[name], on=host) for name, host in PLACES.items())
    for instance in (web, db, near):
        lease(instance)
        serve(instance, [SERVICE])
    cloud.api.wait_until_realized()
    for target in (db, near):
        answers = ping(web, target.address)
        checks.check(f"web pings {target.name} before", "all answered", answers, answers.all)

    with Streams() as streams:
        for target in (db, near):
            streams.open(f"web to {target.name}", web, target.address, 80)
        pings = {target.name: Ping(web, target.address, COUNT, INTERVAL) for target in (db, near)}
        for what, manager in (("upgrade", OTHER_SHAPE), ("way back", MANAGER)):
            time.sleep(1)
            _change(cloud, checks, what, manager)
        time.sleep(1)
        running = all(each.is_running for each in pings.values())
        checks.check("all of it while the pings go on", "yes", "yes" if running else "no", running)
        for name, stream in pings.items():
            answers = stream.result()
            whole = answers.all and answers.sent == COUNT
            checks.check(f"echo requests to {name} at 1 kHz, of {COUNT}", "all answered", answers, whole)
        checks.check("TCP streams: words lost, doubled or out of turn", {}, streams.finish())
        checks.check("TCP segments lost", [0, 0], [stream.lost for stream in streams.all])


def _change(cloud: Cloud, checks: Checks, what: str, manager: tuple[str, ...]) -> None:
    """Kill the controller, start another one, and see that every flow changes."""
    before = {name: hypervisor.flows() for name, hypervisor in cloud.hypervisors.items()}
    cloud.controller.kill_app()
    cloud.controller.start_app(manager=manager)
    cloud.api.wait_until_in_sync(cloud.hypervisors)
    receipts = {row["hostname"]: row for row in cloud.api.request("GET", "/sdnapp/restarts")["restarts"]}
    for name, flows in before.items():
        receipt = receipts[name]
        # The switch's own counters of drops are read as well, and go with the flows that have made them.
        found = receipt["lacking"], receipt["read"] >= len(flows)
        checks.check(f"{what}: flows lacking on {name}, and all read", (len(flows), True), found)
    deadline = time.monotonic() + PATIENCE
    while any(_kept(cloud, before).values()) and time.monotonic() < deadline:
        time.sleep(0.2)
    checks.check(f"{what}: flows of before, a while later", dict.fromkeys(before, 0), _kept(cloud, before))
    for name, hypervisor in cloud.hypervisors.items():
        checks.check(f"{what}: flows on {name}", len(before[name]), len(hypervisor.flows()))


def _kept(cloud: Cloud, before: dict[str, set[str]]) -> dict[str, int]:
    """How many of its former flows each hypervisor still has."""
    return {name: len(flows & cloud.hypervisors[name].flows()) for name, flows in before.items()}
