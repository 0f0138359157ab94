"""The declarations hold together, contradictions are refused, and no flow strays outside them."""

from dataclasses import replace

import pytest

from flows import flow as flow_module
from flows.actions import Commit, Goto, Learn, Output, Resubmit, SetField, Track, Translate
from flows.declarations import Feature, Register, Table, check
from flows.fields import FIELDS
from flows.flow import Flow, Term, flow
from flows.pipeline import (
    ARP_RESPONDER,
    CLASSIFICATION,
    DELIVERY,
    FEATURES,
    FLOODING,
    FORWARDING,
    MISS_PRIORITY,
    PORT_SECURITY,
    REGISTERS,
    TABLES,
)

ONE = Table(0, "one", "", frozenset({"colour"}), {"any": 1}, next=("two",), miss="two")
TWO = Table(5, "two", "", frozenset(), {})
COLOUR = Register("colour", 0, 8, 8, "", "one", "one")
PAINT = Feature("paint", 1, "")


def test_the_pipeline_is_sound():
    check(TABLES, REGISTERS.values(), FEATURES.values())
    check([ONE, TWO], [COLOUR], [PAINT])


@pytest.mark.parametrize("table", list(TABLES), ids=lambda table: table.name)
def test_every_table_can_be_read(table):
    assert 0 <= table.number < 254
    assert table.doc.endswith(".") and table.priorities
    assert all(name in FIELDS or name in REGISTERS for name in table.match)
    assert len(set(table.priorities.values())) == len(table.priorities)
    assert all(MISS_PRIORITY < priority < 1 << 16 for priority in table.priorities.values())


def test_every_table_but_the_first_is_reached():
    first, *others = TABLES
    assert {table.name for table in others} == {name for table in TABLES for name in table.next}
    assert all(target.name != first.name for target in others)


@pytest.mark.parametrize(
    ("tables", "registers", "features", "complaint"),
    [
        ([ONE, replace(TWO, number=0)], [], [], "share a name or a number"),
        ([ONE, replace(TWO, name="one")], [], [], "share a name or a number"),
        ([ONE], [], [], "leads to two, which is not a later table"),
        ([replace(ONE, number=9), TWO], [], [], "leads to two, which is not a later table"),
        ([replace(ONE, next=()), TWO], [], [], "misses to two"),
        ([ONE, TWO], [replace(COLOUR, offset=25)], [], "colour does not fit"),
        ([ONE, TWO], [replace(COLOUR, bits=0)], [], "colour does not fit"),
        ([ONE, TWO], [replace(COLOUR, number=16)], [], "colour does not fit"),
        ([ONE, TWO], [replace(COLOUR, first="two")], [], "ends before it begins"),
        ([ONE, TWO], [COLOUR, replace(COLOUR, name="shape", offset=15)], [], "colour and shape overlap"),
        ([ONE, TWO], [COLOUR, replace(COLOUR, number=1)], [], "colour and colour overlap"),
        ([ONE, TWO], [replace(COLOUR, first="two", last="two")], [], "one matches on colour, which does not live"),
        ([ONE, TWO], [COLOUR], [PAINT, Feature("draw", 1, "")], "share a number"),
        ([ONE, TWO], [COLOUR], [replace(PAINT, number=1 << 16)], "16 bits"),
        ([ONE, TWO], [COLOUR], [replace(PAINT, number=0)], "16 bits"),
    ],
)
def test_contradictions_are_refused(tables, registers, features, complaint):
    with pytest.raises(ValueError, match=complaint):
        check(tables, registers, features)


def test_registers_may_share_bits_at_different_times():
    later = Register("shape", 0, 8, 8, "", "two", "two")
    check([ONE, TWO], [COLOUR, later], [])


def test_a_flow_gets_its_prerequisites_sorted_and_its_numbers_by_name():
    made = flow(ARP_RESPONDER, "router", "arp_responder", "port/1", network=5, arp_tpa="10.0.0.1", arp_op=1)
    assert (made.table, made.priority) == (ARP_RESPONDER.number, ARP_RESPONDER.priorities["router"])
    assert made.match == (
        Term("arp_op", 1, None),
        Term("arp_tpa", 0x0A000001, None),
        Term("eth_type", 0x0806, None),
        Term("network", 5, None),
    )


def test_a_condition_that_excludes_nothing_is_left_out():
    made = flow(PORT_SECURITY, "permit", "port_security", "port/1", from_port=1, ipv4_src="0.0.0.0/0")
    assert made.match == (Term("eth_type", 0x0800, None), Term("from_port", 1, None))


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: flow(DELIVERY, "local", "delivery", "x", eth_dst=1), "delivery does not match on eth_dst"),
        (lambda: flow(DELIVERY, "best", "delivery", "x", to_port=1), "delivery has no priority named best"),
        (lambda: flow(DELIVERY, "local", "magic", "x", to_port=1), "magic is no feature"),
        (lambda: flow(DELIVERY, "local", "delivery", "x", Goto("dhcp")), "delivery does not lead to dhcp"),
        *(
            (lambda action=action: flow(DELIVERY, "local", "delivery", "x", action), "delivery does not lead to dhcp")
            for action in (
                Resubmit("dhcp"),
                Track("zone", "dhcp"),
                Translate("zone", "dhcp"),
                Commit("zone", "dhcp"),
                Learn("dhcp", 1, (), None, 0, 0, ()),
            )
        ),
        (lambda: flow(FORWARDING, "known", "forwarding", "x", Goto("delivery"), Output(1)), "goto must be the last"),
        (lambda: flow(CLASSIFICATION, "origin", "miss", "x", SetField("network", 1 << 24)), "does not fit"),
        (
            lambda: flow(CLASSIFICATION, "origin", "miss", "x", SetField("colour", 1)),
            "no field or register named colour",
        ),
        (lambda: flow(CLASSIFICATION, "origin", "miss", "x", vlan_vid=1 << 13), "does not fit"),
    ],
)
def test_a_flow_outside_the_declarations_cannot_be_built(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()


def test_the_cookie_carries_the_content():
    made = flow(DELIVERY, "local", "delivery", "port/1", Output(3), to_port=7)
    assert made.cookie >> 48 == FEATURES["delivery"].number
    same = flow(DELIVERY, "local", "delivery", "port/1", Output(3), to_port=7)
    assert made == same and hash(made) == hash(same) and made.cookie == same.cookie
    others = [
        flow(DELIVERY, "local", "delivery", "port/1", Output(4), to_port=7),
        flow(DELIVERY, "local", "delivery", "port/1", Output(3), to_port=8),
        flow(DELIVERY, "remote", "delivery", "port/1", Output(3), to_port=7),
        flow(DELIVERY, "local", "delivery", "port/2", Output(3), to_port=7),
        flow(DELIVERY, "local", "delivery", "port/1", to_port=7),
        Flow(70, made.priority, made.match, made.actions, made.feature, made.owner),
    ]
    assert len({other.cookie for other in [made, *others]}) == 7
    assert made not in others


def test_the_cookie_is_the_same_wherever_it_is_computed():
    # Switches hold cookies for longer than a controller runs: were they to differ, an upgrade would resend every flow.
    made = Flow(60, 100, (Term("to_port", 7, None),), (Output(3),), "delivery", "port/1")
    assert made.cookie == 0x0008_AB53_E720_8722


def test_a_flow_is_written_for_people():
    made = flow(
        FORWARDING, "known", "forwarding", "port/1", SetField("to_port", 7), Goto("delivery"), network=5, eth_dst=1
    )
    assert str(made) == "forwarding 100 eth_dst=00:00:00:00:00:01,network=5 -> set(to_port=7),goto(delivery)"
    assert str(flow(DELIVERY, "local", "delivery", "port/1")) == "delivery 100 any -> drop"


def test_the_cookie_tells_where_tables_and_registers_are(monkeypatch):
    def cookies():
        flow_module._text.cache_clear()
        flow_module._place.cache_clear()
        made = (
            flow(DELIVERY, "local", "delivery", "port/1", Goto("receiver"), to_port=1),
            flow(FLOODING, "from_here", "flooding", "network/1", SetField("to_port", 1), network=1, from_core=0),
            flow(FLOODING, "from_here", "flooding", "network/1", network=1, from_core=0),
        )
        return [each.cookie for each in made]

    before = cookies()
    register = REGISTERS["to_port"]
    monkeypatch.setitem(REGISTERS, "to_port", replace(register, number=register.number + 9))
    moved = cookies()
    assert [one == other for one, other in zip(before, moved, strict=True)] == [False, False, True]
    monkeypatch.undo()
    table = TABLES["receiver"]
    monkeypatch.setitem(TABLES.by_name, table.name, replace(table, number=240))
    moved = cookies()
    assert [one == other for one, other in zip(before, moved, strict=True)] == [False, True, True]
    monkeypatch.undo()
    assert cookies() == before
