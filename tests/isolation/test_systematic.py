"""Nothing that drops is left untried where there is somebody whom it stops, and no bit of a permission is."""

from random import Random

import pytest

from flows.actions import Goto
from flows.flow import Flow
from flows.pipeline import ARP_GUARD, PORT_SECURITY
from tests.clouds import OPEN, SimulatedCloud
from tests.isolation.judge import Case, Judge
from tests.isolation.systematic import Systematic


@pytest.fixture(scope="module")
def cloud() -> SimulatedCloud:
    """Two who reach each other on one chassis."""
    cloud = SimulatedCloud()
    network = cloud.network("red")
    cloud.subnet(network, gateway_ip="10.0.0.1")
    for number in (11, 12):
        mac = f"fa:16:3e:00:00:{number}"
        cloud.port(f"red{number}", network, f"10.0.0.{number}", "hv1", mac_address=mac, security_groups=(OPEN,))
    return cloud


def cases(cloud: SimulatedCloud) -> list[Case]:
    return list(Systematic(cloud, Judge(cloud), Random(1)).all())


def test_every_drop_of_what_senders_say_is_met_by_each_of_them(cloud: SimulatedCloud) -> None:
    judge, met = Judge(cloud), set[tuple[Flow, str]]()
    for case in cases(cloud):
        (outcome,) = judge.play(case)
        met |= {(step.flow, case[0].sender.id) for step in outcome.walk.steps}  # type: ignore[union-attr, misc]
    for flow in cloud.flows("hv1").values():
        asks = {term.field for term in flow.match}
        if flow.table == PORT_SECURITY.number and flow.actions[-1] == Goto("drops") and "from_port" not in asks:
            assert {(flow, "red11"), (flow, "red12")} <= met, flow
        if flow.table == ARP_GUARD.number and flow.actions[-1] == Goto("drops"):
            assert any(each == flow for each, _ in met), flow


def test_every_bit_of_what_a_sender_may_say_is_missed_once(cloud: SimulatedCloud) -> None:
    sent = {
        case[0].packet["ipv4_src"] ^ 0x0A00000B
        for case in cases(cloud)
        if case[0].sender.id == "red11" and "ipv4_src" in case[0].packet  # type: ignore[union-attr]
    }
    assert {1 << bit for bit in range(32)} <= sent
