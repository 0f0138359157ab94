"""The pipeline document is what the declarations say, and explains a flow of every table."""

import subprocess
import sys

import pytest

from flows import document
from flows.actions import (
    Commit,
    Controller,
    Goto,
    Learn,
    Move,
    Output,
    OutputInPort,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    Track,
    Untrack,
)
from flows.document import in_words, render
from flows.engine import Engine
from flows.feature_numbers import FEATURES
from flows.flow import flow
from flows.pipeline import DELIVERY, REGISTERS, TABLES
from flows.sample import HERE, sample_cloud
from tests.flows.handmade import entry

ROOT = document.PATH.parents[1]


def section(text: str, table) -> str:
    return text.partition(f"### {table.number} {table.name}\n")[2].partition("\n### ")[0]


def test_document_is_current():
    assert document.PATH.read_text() == document.current(), "run: python -m flows.document"


def test_it_is_the_same_whatever_the_order_and_the_run():
    flows = list(Engine(sample_cloud().store).desired(HERE).values())
    assert render(flows) == render(reversed(flows)) == render(flows + flows)
    command = [sys.executable, "-c", "from flows.document import current; print(current(), end='')"]
    again = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}, cwd=ROOT)
    assert again.stdout == document.current()


@pytest.mark.parametrize("table", list(TABLES), ids=lambda table: table.name)
def test_every_table_is_explained_with_an_example(table):
    text = section(document.current(), table)
    assert table.doc in text
    assert all(f"`{name}`" in text for name in (*table.match, *table.priorities, *table.next))
    assert text.count("```\n") >= 2
    assert ("is dropped" in text) == (table.miss is None)


def test_every_declared_priority_has_an_example():
    text = document.current()
    for table in TABLES:
        for name in table.priorities:
            assert f"\n`{name}`, by " in section(text, table), f"the sample cloud has no {name} flow in {table.name}"


def test_registers_and_features_are_listed():
    text = render([])
    assert all(f"| `{name}` | reg" in text for name in REGISTERS)
    assert all(f"| {feature.number} | `{feature.name}` | {feature.doc} |" in text for feature in FEATURES.values())
    assert "| `network` | reg0[0..23] |" in text and "| `from_core` | reg0[24] |" in text


def test_examples_are_optional_and_one_of_each_form():
    bare = render([])
    assert "by delivery for" not in bare
    local = [flow(DELIVERY, "local", "delivery", f"port/{n}", Output(n), to_port=n) for n in (2, 1)]
    text = section(render(local), DELIVERY)
    assert "`local`, by delivery for `port/1`. If `to_port` is 1: send it out of port 1." in text
    assert "port/2" not in text


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (SetField("arp_spa", 0x0A000001), "let `arp_spa` be 10.0.0.1"),
        (Move("eth_src", "eth_dst"), "copy `eth_src` to `eth_dst`"),
        (PushVlan(), "add a VLAN tag"),
        (PopVlan(), "remove the VLAN tag"),
        (Output(4), "send it out of port 4"),
        (OutputInPort(), "send it back"),
        (Controller(), "send it to the controller"),
        (Resubmit("delivery"), "let `delivery` see it as it is now"),
        (Goto("delivery"), "go on in `delivery`"),
        (Track("zone", "delivery"), "look its connection up in the zone of `zone` and go on in `delivery`"),
        (Commit("zone"), "remember its connection in the zone of `zone`"),
        (
            Commit("zone", "connections"),
            "remember its connection in the zone of `zone`, have a copy go on in `connections`",
        ),
        (
            Learn("delivery", 7, (("network", 5),), "fenced", 1, 0),
            "have `delivery` learn: if `network` is 5: let `fenced` be 1",
        ),
        (
            Learn("drops", 7, (("charged", 5),), None, 0, 0, ("drop_reason",), True),
            "have `drops` learn, while this flow is there: "
            "if `charged` is 5 and `drop_reason` is what it is now: drop it",
        ),
        (Untrack(), "forget what connection tracking said of it"),
    ],
)
def test_every_action_has_words(action, words):
    assert in_words(entry(action)) == f"Whatever it is: {words}."


def test_conditions_have_words():
    tracked = entry(ct_state=(0x21, 0x31))
    assert in_words(tracked) == "If `ct_state` is +new-inv+trk: drop it."
    made = entry(vlan_vid=0, eth_dst="01:00:00:00:00:00/01:00:00:00:00:00")
    group = "`eth_dst` is 01:00:00:00:00:00 in the bits of 01:00:00:00:00:00"
    assert in_words(made) == f"If {group} and there is no VLAN tag: drop it."
