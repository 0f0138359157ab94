"""Whatever is dropped has a reason, and the document tells where."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from flows.actions import Goto, SetField
from flows.drops import REASONS, drop, reason_of
from flows.engine import Engine
from flows.flow import Flow
from flows.pipeline import DROPS, REGISTERS, TABLES
from flows.sample import HERE, sample_cloud
from tests.clouds import ENCAP_IPS, SimulatedCloud
from tests.storytelling import pair, ping
from topology.values import Chassis

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "anti-spoofing.md"
COUNTED_FOR = {"from_port": "its sender", "to_port": "its receiver", None: "the chassis"}
MAY_STAY_UNCOUNTED = {("arp_responder", "own")}
"""A port's probe for its own address, which is honest."""


@pytest.fixture(scope="module")
def flows() -> list[Flow]:
    return list(Engine(sample_cloud().store).desired(HERE).values())


def test_reasons_have_numbers_of_their_own_that_fit() -> None:
    numbers = [reason.number for reason in REASONS.values()]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) > 0 and max(numbers) < 1 << REGISTERS["drop_reason"].bits
    assert all(reason.charged in (None, *DROPS.match) and reason.doc.endswith(".") for reason in REASONS.values())


def test_no_table_drops_silently(flows: list[Flow]) -> None:
    lookups = {
        "group_rules",
        "remote_members",
        "permissions",
        "fences",
    }  # Whoever asks them goes on, whatever was found.
    unreached = {"routes", "paths", "neighbours", "router_output", "flooding", "core_output"}
    unreached |= {"door_output", "transit_output"}
    silent = {table.name for table in TABLES if table.miss is None and table.unmatched is None}
    assert silent == {DROPS.name} | lookups | unreached
    for flow in flows:
        if not flow.actions and flow.table != DROPS.number:
            table = TABLES.by_number[flow.table]
            (priority,) = (name for name, number in table.priorities.items() if number == flow.priority)
            assert (table.name, priority) in MAY_STAY_UNCOUNTED, str(flow)


def test_what_is_dropped_is_counted_for_a_port_if_one_is_concerned(flows: list[Flow]) -> None:
    counters = defaultdict(set)
    for flow in flows:
        if (reason := reason_of(flow)) is not None and flow.table == DROPS.number:
            counters[flow.owner].add(reason.name)
    secured, unsecured = counters["port/web"], counters["port/press"]
    assert secured == {reason.name for reason in REASONS.values() if reason.charged}
    assert unsecured == {reason.name for reason in REASONS.values() if reason.charged and not reason.secured}
    assert all(counters[f"drop/{name}"] == {name} for name in REASONS)


def test_the_document_says_where_each_is_dropped_and_for_whom_it_is_counted(flows: list[Flow]) -> None:
    tables = defaultdict(set)
    for flow in flows:
        for name in REASONS:
            if flow.actions[-2:] == drop(name):
                tables[name].add(TABLES.by_number[flow.table].name)
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", DOCUMENT.read_text(), re.MULTILINE)
    told = {name: (set(re.findall(r"`(\w+)`", where)), whose) for name, where, whose, _ in rows}
    assert told == {name: (tables[name], COUNTED_FOR[reason.charged]) for name, reason in REASONS.items()}


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
    assert drop("malformed") == (SetField("drop_reason", REASONS["malformed"].number), Goto("drops"))
    with pytest.raises(KeyError):
        drop("whim")
