"""A gateway chassis dies, and another takes its place: connections through SNAT and floating IPs go on."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from captures import Capture, send
from checks import Checks
from cloud import FAR, UPSTREAM, Cloud
from conversations import Conversation, last_heard, serve
from frames import Frame, arp_request
from gateways import chassis, states, until_watched, until_witnessed
from leases import lease
from pings import Ping, ping, until_answered
from stations import Instance

ECHO = 80
DARK = 1.0
"""Seconds for which pings may stay unanswered: 0.3 until three hellos are missed, and the rest for a busy machine."""

NEXT_TO_NOTHING = 0.2
"""Seconds for pings where a way changes without need: what is on the former one."""
ASKED_AGAIN = 3
"""How often a neighbour must have asked again, so that it would have forgotten the router long ago."""

NOTICED = 8.0
"""Seconds until somebody else stands for the router where nothing but the controller has lost a chassis, silently."""


def run(cloud: Cloud, checks: Checks) -> None:
    """One instance, two gateway chassis that it is not on; the one that serves its router fails in several ways."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    serve(upstream, [f"tcp/{ECHO}"])
    cloud.make_gateway("h2", "h3")
    tenant = cloud.api.project("acme")
    network = cloud.make_network(tenant, "10.0.1.0/24", name="lan")
    router = tenant.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
    subnet = tenant.show("network", network["id"])["subnets"][0]
    tenant.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
    web = cloud.launch("web", tenant.create("port", network_id=network["id"]), on="h1")
    lease(web, "udhcpc")
    (port,) = cloud.api.request("GET", "/v2.0/ports?device_owner=network:router_gateway")["ports"]
    cloud.api.wait_for_status(port["id"])
    until_answered(web, FAR)
    answers = ping(web, FAR)
    checks.check("web pings the world", "all answered", answers, answers.all)
    until_watched(cloud.hypervisors["h1"], 2)
    ping(web, FAR)
    active = _at_the_door(cloud, port["mac_address"]) or ""
    talk = Conversation(web, FAR, ECHO)
    last_heard([talk], 0, 0.5)

    probe = Ping(web, FAR, count=300, interval=0.01)
    cloud.hypervisors[active].kill_switch()
    killed = time.monotonic()
    dark = probe.result().dark
    what = f"{active}'s switch is killed; pings are dark for"
    checks.check(what, f"{DARK} s at most", f"{dark:.2f} s", dark <= DARK)
    heard = last_heard([talk], killed, 1)[talk.name]
    checks.check("the TCP connection goes on", True, heard > 0)
    other = _at_the_door(cloud, port["mac_address"])
    checks.check("the router is at another door", True, other not in (None, active))
    checks.check("as the controller says", {active: "out", other: "active"}, states(cloud))
    checks.check("and as BFD told h1", {active: "down", other: "up"}, _heard(cloud, "h1"))

    cloud.hypervisors[active].start_switch()
    cloud.api.wait_until_in_sync(cloud.hypervisors)
    cloud.hypervisors[active].meet_gateway()
    answers = ping(web, FAR)
    checks.check("when it has returned, web pings the world", "all answered", answers, answers.all)
    checks.check("the TCP connection goes on", True, last_heard([talk], 0, 1)[talk.name] > 0)

    until_watched(cloud.hypervisors["h1"], 2)
    ping(web, FAR)
    active = _at_the_door(cloud, port["mac_address"]) or ""
    probe = Ping(web, FAR, count=400, interval=0.02)
    cut = time.monotonic()
    cloud.hypervisors[active].ip("link set lan down")
    dark = probe.result().dark
    checks.check(f"{active}'s link outside is cut; pings are dark for", "7 s at most", f"{dark:.2f} s", dark <= 7)
    checks.check("the TCP connection goes on", True, last_heard([talk], cut, 1)[talk.name] > 0)
    (other,) = cloud.hypervisors.keys() - {"h1", active}
    checks.check("as the controller says", {active: "no upstream", other: "active"}, states(cloud))
    cloud.hypervisors[active].ip("link set lan up")
    for _ in range(200):
        if states(cloud)[active] != "no upstream":
            break
        time.sleep(0.1)
    answers = ping(web, FAR)
    checks.check("when it is mended, web pings the world", "all answered", answers, answers.all)

    _without_controller(cloud, checks, web, upstream, port, talk=talk)

    until_watched(cloud.hypervisors["h1"], 2)
    _ask_again_soon(upstream)
    ping(web, FAR)
    active = _at_the_door(cloud, port["mac_address"]) or ""
    assert cloud.controller is not None
    cloud.controller.kill_app()
    with Capture(upstream, "eth0") as capture:
        # TCP would tell the upstream router, to which the connection is, that its neighbour is still there.
        probe = Ping(web, FAR, count=800, interval=0.01)
        cloud.hypervisors[active].kill_switch()
        dark = probe.result().dark
        answered = capture.count(lambda frame: frame.is_arp_reply and frame.source == port["mac_address"])
    what = f"no controller, and {active}'s switch is killed; pings are dark for"
    checks.check(what, f"{DARK} s at most", f"{dark:.2f} s", dark <= DARK)
    what = "meanwhile the upstream router asks whether it is still there, and is answered"
    checks.check(what, f"{ASKED_AGAIN} times or more", f"{answered} times", answered >= ASKED_AGAIN)
    checks.check("the TCP connection goes on", True, last_heard([talk], 0, 1)[talk.name] > 0)


def _ask_again_soon(upstream: Instance) -> None:
    """Let it ask known neighbours after 1.25 to 1.75 s whether they are there, not 20 to 50; it forgets 0.6 s later."""
    upstream.sysctl(
        net__ipv4__neigh__eth0__base_reachable_time_ms=500,
        net__ipv4__neigh__eth0__delay_first_probe_time=1,
        net__ipv4__neigh__eth0__retrans_time_ms=200,
    )
    # What it knows by now it would still ask for at the former time.
    upstream.ip("neigh flush dev eth0")


def _without_controller(
    cloud: Cloud, checks: Checks, web: Instance, upstream: Instance, port: dict[str, Any], *, talk: Conversation
) -> None:
    """The active gateway chassis loses its management link and nothing else: it must not answer beside the next one."""
    until_watched(cloud.hypervisors["h1"], 2)
    until_witnessed(cloud)
    (fixed,) = port["fixed_ips"]
    asking = Asking(upstream, port["mac_address"], fixed["ip_address"])
    active = _at_the_door(cloud, port["mac_address"]) or ""
    cloud.hypervisors[active].ip("link set mgmt down")
    cut, probe = time.monotonic(), Ping(web, FAR, count=400, interval=0.02)
    (other,) = cloud.hypervisors.keys() - {"h1", active}
    answers = asking.until(lambda: states(cloud) == {active: "out", other: "active"} and not _awaited(cloud), 2)
    noticed = time.monotonic() - cut - 2
    what = f"{active}'s link to the controller is cut, and to nothing else; {other} takes its place"
    checks.check(what, f"within {NOTICED} s", f"after {noticed:.1f} s", noticed <= NOTICED)
    dark = probe.result().dark
    checks.check("pings are dark for", f"{NEXT_TO_NOTHING} s at most", f"{dark:.2f} s", dark <= NEXT_TO_NOTHING)
    what = "meanwhile, whoever asks for the router's address is answered by"
    checks.check(what, "one chassis, never two", f"{max(answers)} at most", max(answers) == 1)
    checks.check("who is it now", other, _at_the_door(cloud, port["mac_address"]))
    checks.check("and it answers each time", True, set(answers[-20:]) == {1})
    checks.check("the TCP connection goes on", True, last_heard([talk], 0, 1)[talk.name] > 0)
    cloud.hypervisors[active].ip("link set mgmt up")
    answers = asking.until(lambda: states(cloud) == {active: "active", other: "standby"}, 2)
    what = "when it has returned, they are answered by"
    checks.check(what, "one chassis, never two", f"{max(answers)} at most", max(answers) == 1)
    checks.check("who is it now", active, _at_the_door(cloud, port["mac_address"]))
    checks.check("and it answers each time", True, set(answers[-20:]) == {1})
    checks.check("the TCP connection goes on", True, last_heard([talk], 0, 1)[talk.name] > 0)


class Asking:
    """The upstream router asks by ARP for an address, again and again."""

    def __init__(self, upstream: Instance, mac: str, address: str) -> None:
        self._upstream, self._mac = upstream, mac
        self._request = arp_request(upstream.eth0_mac, UPSTREAM, address)

    def until(self, is_done: Callable[[], bool], longer: float, timeout: float = 60) -> list[int]:
        """Ask until something is true, and some seconds longer; how many answers came to each request."""
        answers: list[int] = []
        with Capture(self._upstream, "eth0") as capture, ThreadPoolExecutor() as pool:
            deadline = time.monotonic() + timeout
            waiting = pool.submit(_wait_for, is_done, timeout)
            while time.monotonic() < deadline:
                if waiting.done() and deadline > time.monotonic() + longer:
                    deadline = time.monotonic() + longer
                before = capture.count(self._is_answer)
                send(self._upstream, "eth0", self._request)
                time.sleep(0.05)
                answers.append(capture.count(self._is_answer) - before)
        return answers

    def _is_answer(self, frame: Frame) -> bool:
        return frame.is_arp_reply and frame.source == self._mac


def _wait_for(is_done: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not is_done() and time.monotonic() < deadline:
        time.sleep(0.1)


def _awaited(cloud: Cloud) -> list[str]:
    """The witnesses that have yet to withdraw, before one takes another's place."""
    return [witness for each in chassis(cloud) for witness in each["awaited"]]


def _heard(cloud: Cloud, watcher: str) -> dict[str, str]:
    """The states of one chassis's BFD sessions with them, as it says."""
    return {each["id"]: each["bfd"].get(watcher) for each in chassis(cloud)}


def _at_the_door(cloud: Cloud, mac: str) -> str | None:
    """The hypervisor by which the LAN reaches a MAC address, as its switches have learnt."""
    for name in cloud.hypervisors:
        for lan in cloud.lans:
            for line in lan.run("bridge", "fdb", "show").splitlines():
                if line.startswith(f"{mac} dev {name} "):
                    return name
    return None
