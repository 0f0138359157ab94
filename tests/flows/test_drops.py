"""Whatever is dropped has a reason, and the document tells where."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from flows.actions import Goto, Move, SetField
from flows.drops import REASONS, drop, reason_of
from flows.engine import Engine
from flows.flow import Flow, Term, learnt_by
from flows.pipeline import DROPS, REGISTERS, TABLES
from flows.sample import HERE, sample_cloud
from tests.clouds import ENCAP_IPS, SimulatedCloud
from tests.gateway_stories import OUTSIDE, outward
from tests.source_port_stories import use_up
from tests.storytelling import pair, ping
from topology.values import Chassis

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "anti-spoofing.md"
COUNTED_FOR = {"from_port": "its sender", "to_port": "its receiver", None: "the chassis"}
MAY_STAY_UNCOUNTED = {("arp_responder", "own"), ("core_output", "own"), ("connections", "remembered")}
"""A port's probe for its own address, which is honest; a broadcast's copy for the chassis that sends it; a copy of what
has begun a connection, as it should."""


@pytest.fixture(scope="module")
def flows() -> list[Flow]:
    return list(Engine(sample_cloud().store).desired(HERE).values())


def test_reasons_have_numbers_of_their_own_that_fit() -> None:
    numbers = [reason.number for reason in REASONS.values()]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) > 0 and max(numbers) < 1 << REGISTERS["drop_reason"].bits
    assert all(reason.charged in (None, "from_port", "to_port") for reason in REASONS.values())
    assert all(reason.doc.endswith(".") for reason in REASONS.values())


def test_no_table_drops_silently(flows: list[Flow]) -> None:
    lookups = {
        "group_rules",
        "remote_members",
        "permissions",
        "connections",
        "fences",
        "addresses",
    }  # Whoever asks them goes on, whatever was found.
    unreached = {"routes", "paths", "neighbours", "router_output", "flooding", "core_output"}
    unreached |= {"local_copies", "remote_copies", "door_output", "transit_output", "receiver"}
    silent = {table.name for table in TABLES if table.miss is None and table.unmatched is None}
    assert silent == {DROPS.name} | lookups | unreached
    for flow in flows:
        if not flow.actions and flow.table != DROPS.number:
            table = TABLES.by_number[flow.table]
            (priority,) = (name for name, number in table.priorities.items() if number == flow.priority)
            assert (table.name, priority) in MAY_STAY_UNCOUNTED, str(flow)


def test_each_port_here_counts_what_is_dropped_by_one_flow_and_what_that_learns(flows: list[Flow]) -> None:
    counting = [flow for flow in flows if flow.table == DROPS.number]
    of_ports = [flow for flow in counting if flow.owner.startswith("port/")]
    assert {flow.owner for flow in of_ports} == {"port/web", "port/proxy", "port/press", "port/scope"}
    assert len({flow.learner and flow.learner.cookie for flow in of_ports}) == len(of_ports)
    of_nobody = {flow.owner: reason_of(flow) for flow in counting if flow not in of_ports}
    assert of_nobody == {f"drop/{name}": reason for name, reason in REASONS.items()}
    (web,) = (flow for flow in of_ports if flow.owner == "port/web")
    assert web.learner is not None
    for number in (5, 7):
        counter = learnt_by(web, web.learner, {"drop_reason": number}.__getitem__)
        assert (counter.table, counter.actions) == (DROPS.number, ()) and counter.priority > web.priority
        assert {*web.match, Term("drop_reason", number, None)} == {*counter.match}


def test_the_document_says_where_each_is_dropped_and_for_whom_it_is_counted(flows: list[Flow]) -> None:
    cloud = SimulatedCloud()
    net = outward(cloud)
    use_up(cloud, net, OUTSIDE)
    cloud.port("last", net.red, "10.0.1.13", "hv3")
    tables = defaultdict(set)
    for flow in (*flows, *cloud.engine.desired("hv3").values()):
        for name in REASONS:
            if flow.actions[-len(drop(name)) :] == drop(name):
                tables[name].add(TABLES.by_number[flow.table].name)
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", DOCUMENT.read_text(), re.MULTILINE)
    told = {name: (set(re.findall(r"`(\w+)`", where)), whose) for name, where, whose, _ in rows}
    assert told == {name: (tables[name], COUNTED_FOR[reason.charged]) for name, reason in REASONS.items()}
    charged = [reason for reason in REASONS.values() if reason.charged is not None]
    assert f"at most {len(charged)} for a port" in DOCUMENT.read_text()


def test_what_comes_for_a_port_that_is_elsewhere_is_counted_whatever_its_chassis_lacks() -> None:
    cloud = SimulatedCloud()
    network, one, two = pair(cloud)
    vni = network.segment.segmentation_id or 0

    def ends() -> str:
        return cloud.inject_core("hv1", ping(one, two), vni).steps[-1].flow.owner

    assert ends() == "drop/not_here"
    cloud.change(cloud.store.get(Chassis, "hv2"), encap_types=())
    assert ends() == "drop/not_here"
    assert cloud.inject("red1@hv1", ping(one, two)).steps[-1].flow.owner == "drop/not_here"
    # A chassis that was installed anew: its former self has left its row and its address, and the port is there still.
    cloud.change(cloud.store.get(Chassis, "hv2"), encap_ip=ENCAP_IPS["hv1"], encap_types=("geneve",))
    assert cloud.inject("red1@hv1", ping(one, two)).steps[-1].flow.owner == "drop/not_here"


def test_a_drop_sets_its_reason_and_goes_to_its_table() -> None:
    set_reason = SetField("drop_reason", REASONS["malformed"].number)
    assert drop("malformed") == (set_reason, Move("from_port", "charged"), Goto("drops"))
    assert drop("ingress_rules")[1] == Move("to_port", "charged") and len(drop("not_here")) == 2
    with pytest.raises(KeyError):
        drop("whim")
