"""Tunnels and the LAN outside break in two, and heal: never do two gateway chassis go on answering for one address."""

import time
from collections.abc import Callable

from checks import Checks
from cloud import UPSTREAM, Cloud
from gateways import active, chassis, states, until_witnessed
from questions import Answers, Place, Questions
from stations import Instance

MOMENT = 1.2
"""Seconds of questions around a change, which comes in the middle."""
TAKEN_OVER = 8.0
"""Seconds within which another answers, when the controller has lost one, and its witnesses have withdrawn."""


def run(cloud: Cloud, checks: Checks) -> None:
    """One gateway chassis on each half of the LAN, and somebody who asks for the router's address by ARP."""
    world, upstream, other = cloud.make_world(), cloud.add_upstream(), _on_the_other_half(cloud)
    cloud.make_gateway("h2", "h3")
    network = cloud.make_network(cloud.api, "10.0.1.0/24", name="inside")
    router = cloud.api.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
    (subnet,) = cloud.api.show("network", network["id"])["subnets"]
    cloud.api.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
    cloud.api.wait_until_realized()
    (door,) = cloud.api.find("port", device_id=router["id"], device_owner="network:router_gateway")
    (fixed,) = door["fixed_ips"]
    places = Place(upstream, UPSTREAM), Place(other, "203.0.113.77")
    controller, split = cloud.controller, Split(cloud)
    assert controller is not None
    until_witnessed(cloud)
    with Questions(door["mac_address"], fixed["ip_address"], *places) as questions:
        _all_kinds(questions, checks, split, "the controller reaches both")
        # The LAN was in two parts until now: one may just have been seen to hear no upstream router, and hand over.
        controller.kill_app()
        _all_kinds(questions, checks, split, "no controller")
        _start_again(cloud, questions)
        controller.kill_app()
        _of_the_lan(questions, checks, split)
        _start_again(cloud, questions)
        _handed_over(cloud, checks, questions)
        _healed_without_controller(cloud, checks, questions, split)


class Split:
    """What lies between the two gateway chassis, to be cut and mended."""

    def __init__(self, cloud: Cloud) -> None:
        self._hypervisors, self._lan = cloud.hypervisors, cloud.lans[0].ip

    def tunnels(self, state: str, of: str = "h2") -> None:
        """Let a hypervisor's tunnels be ``up`` or ``down``."""
        self._hypervisors[of].ip(f"link set underlay {state}")

    def lan(self, state: str) -> None:
        """Let what joins the two halves of the LAN be ``up`` or ``down``."""
        self._lan(f"link set lan2 {state}")


def _all_kinds(questions: Questions, checks: Checks, split: Split, who: str) -> None:
    changes: tuple[tuple[str, Callable[[], None]], ...] = (
        ("tunnels split", lambda: split.tunnels("down")),
        ("the LAN, too", lambda: split.lan("down")),
        ("tunnels mended", lambda: split.tunnels("up")),
        ("the LAN, too", lambda: split.lan("up")),
    )
    for what, change in changes:
        # One that hears nobody by tunnel does not answer; with a controller, another does five seconds later.
        answers = questions.ask(MOMENT, change)
        checks.check(f"{who}; {what}: answers to one question", "1 at most", _said(answers), answers.most <= 1)


def _of_the_lan(questions: Questions, checks: Checks, split: Split) -> None:
    """The controller is gone, and was handing over nothing: the same one answers all that it hears."""
    who = "no controller, and before it none was replaced"
    parted = questions.ask(MOMENT, lambda: split.lan("down"))
    joined = questions.ask(MOMENT, lambda: split.lan("up"))
    for what, answers in (("LAN split", parted), ("LAN mended", joined)):
        checks.check(f"{who}; {what}: answers to one question", "1 at most", _said(answers), answers.most == 1)
    checks.check("and then, each question is answered", {1}, _each(questions.ask(MOMENT / 2)))


def _handed_over(cloud: Cloud, checks: Checks, questions: Questions) -> None:
    """The controller loses the one that stands for the router, finds it again, and dies as it is given that back."""
    preferred, controller = active(cloud), cloud.controller
    assert controller is not None
    link = cloud.hypervisors[preferred].ip
    answers = questions.ask(2 * MOMENT, lambda: link("link set mgmt down"))
    _wait_for(lambda: states(cloud)[preferred] == "out")
    what = f"the controller has lost {preferred}: answers to one question"
    checks.check(what, "1 at most", _said(answers), answers.most == 1)
    _wait_for(lambda: _each(questions.ask(0.2)) == {1})
    link("link set mgmt up")
    _wait_for(lambda: active(cloud) == preferred)
    controller.kill_app()
    what = f"it hands over to {preferred}, which is back, and dies in the midst; then, each question is answered"
    checks.check(what, {1}, _each(questions.ask(MOMENT)))
    answers = questions.ask(MOMENT, lambda: _start_app(cloud))
    what = "a new controller goes on with that: answers to one question"
    checks.check(what, "1 at most", _said(answers), answers.most == 1)
    checks.check("and then, each question is answered", {1}, _each(questions.ask(MOMENT / 2)))


def _start_app(cloud: Cloud) -> None:
    assert cloud.controller is not None
    cloud.controller.start_app()
    cloud.api.wait_until_in_sync(cloud.hypervisors)


def _start_again(cloud: Cloud, questions: Questions) -> None:
    """Start a controller, and let it end the handovers that are under way; all hear one another again by then."""
    _start_app(cloud)
    _wait_for(lambda: all(state == "up" for each in chassis(cloud) for state in each["bfd"].values()), 60)
    _wait_for(lambda: sorted(states(cloud).values()) == ["active", "standby"])
    until_witnessed(cloud)
    _wait_for(lambda: _each(questions.ask(0.2)) == {1})


def _healed_without_controller(cloud: Cloud, checks: Checks, questions: Questions, split: Split) -> None:
    """The one that stands for the router is cut off from the controller and from the other, and hears it again."""
    _wait_for(lambda: sorted(states(cloud).values()) == ["active", "standby"])
    until_witnessed(cloud)
    cut_off = active(cloud)
    link = cloud.hypervisors[cut_off].ip
    split.lan("down")

    def cut() -> None:
        split.tunnels("down", cut_off)
        link("link set mgmt down")

    answers = questions.ask(2 * TAKEN_OVER, cut)
    what = f"{cut_off} is cut off from all but its half of the LAN: answers at one time, from both halves together"
    checks.check(what, "1 at most", max(_together(answers)), max(_together(answers)) == 1)
    _wait_for(lambda: states(cloud)[cut_off] == "out")
    answers = questions.ask(MOMENT)
    checks.check("halves that are answered then", 1, sum(map(any, answers.by_station.values())))
    answers = questions.ask(2 * MOMENT, lambda: split.lan("up"))
    _never_both(checks, "the LAN is mended", answers)
    checks.check("and then, each question is answered", {1}, _each(questions.ask(MOMENT / 2)))
    _never_both(checks, "the tunnels, too", questions.ask(4 * MOMENT, lambda: split.tunnels("up", cut_off)))
    assert cloud.controller is not None
    cloud.controller.kill_app()
    split.lan("down")
    answers = questions.ask(MOMENT)
    what = "the controller dies, and the LAN parts once more: halves that are answered"
    checks.check(what, 1, sum(map(any, answers.by_station.values())))
    _never_both(checks, "it is mended", questions.ask(2 * MOMENT, lambda: split.lan("up")))
    checks.check("and then, each question is answered", {1}, _each(questions.ask(MOMENT / 2)))
    link("link set mgmt up")


def _never_both(checks: Checks, what: str, answers: Answers) -> None:
    checks.check(f"{what}: questions that two answer", 0, answers.doubled)


def _together(answers: Answers) -> list[int]:
    """How many answers came to what both stations asked at one time."""
    return [sum(counts) for counts in zip(*answers.by_station.values(), strict=True)]


def _each(answers: Answers) -> set[int]:
    return {count for counts in answers.by_station.values() for count in counts}


def _said(answers: Answers) -> str:
    return f"{answers.most} at most, {answers.doubled} doubled of {answers.asked}"


def _on_the_other_half(cloud: Cloud) -> Instance:
    """A physical server where h1 and h3 are."""
    server = cloud.add("elsewhere", Instance)
    cloud.connect(server, "eth0", cloud.lans[0], "elsewhere")
    cloud.lans[0].enslave("elsewhere")
    server.ip("addr add 203.0.113.77/24 dev eth0", "link set eth0 up")
    return server


def _wait_for(is_so: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError("it does not come about")
        time.sleep(0.1)
