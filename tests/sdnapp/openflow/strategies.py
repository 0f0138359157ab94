"""Hypothesis strategies for flows: anything that the declarations of fields, registers, tables and actions allow."""

from hypothesis import strategies as st

from flows.actions import (
    Action,
    Commit,
    Controller,
    DecrementTtl,
    FirstAlive,
    Goto,
    Learn,
    Meter,
    Move,
    Output,
    OutputInPort,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    Spread,
    Track,
    Translate,
    Untrack,
)
from flows.feature_numbers import FEATURES
from flows.fields import CT_VALID, FIELDS, VLAN_PRESENT
from flows.flow import Flow, Match, Term, field_named
from flows.pipeline import REGISTERS, TABLES

NAMES = [*FIELDS, *REGISTERS]
UNMASKED = {"in_port", "eth_type", "ip_proto", "ip_ttl", "arp_op", "icmp_type", "icmp_code", "ct_nw_proto"}
"""Fields that a switch matches only as a whole."""
ZONES = [name for name, register in REGISTERS.items() if register.bits == 16]

ports = st.integers(1, 0xFF00)
table_names = st.sampled_from([table.name for table in TABLES])


def values(name: str) -> st.SearchStrategy[int]:
    bits = field_named(name).bits
    if name == "vlan_vid":
        return st.integers(0, 4095).map(lambda vid: VLAN_PRESENT | vid)
    return st.integers(0, (1 << bits) - 1)


@st.composite
def terms(draw: st.DrawFn, name: str) -> Term:
    bits = field_named(name).bits
    value = draw(values(name))
    if name in UNMASKED or bits < 8 or draw(st.booleans()):
        return Term(name, value, None)
    mask = draw(st.integers(1, (1 << bits) - 2))
    return Term(name, value & mask, mask)


@st.composite
def matches(draw: st.DrawFn) -> Match:
    """A match in which every prerequisite stands and none contradicts another."""
    found: dict[str, Term] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True)):
        needs = dict(field_named(name).needs)
        if any(wanted in found and found[wanted].value != value for wanted, value in needs.items()):
            continue
        if name in found or (name == "eth_type" and found):
            continue
        found |= {wanted: Term(wanted, value, None) for wanted, value in needs.items()}
        if field_named(name).tracked:
            found["ct_state"] = Term("ct_state", *CT_VALID)
        found[name] = draw(terms(name))
    return tuple(sorted(found.values(), key=lambda term: term.field))


@st.composite
def set_fields(draw: st.DrawFn) -> SetField:
    name = draw(st.sampled_from(NAMES))
    return SetField(name, draw(ports if name == "in_port" else values(name)))


@st.composite
def moves(draw: st.DrawFn) -> Move:
    source = draw(st.sampled_from(NAMES))
    same = [name for name in NAMES if field_named(name).bits == field_named(source).bits]
    return Move(source, draw(st.sampled_from(same)))


@st.composite
def translations(draw: st.DrawFn) -> Translate:
    ports_in_turn = sorted(draw(st.lists(st.integers(1, 0xFFFF), min_size=2, max_size=2)))
    given = (draw(st.integers(1, 0xFFFFFFFF)), *draw(st.sampled_from([(0, 0), tuple(ports_in_turn)])))
    source, target = draw(st.sampled_from([(None, None), (given, None), (None, given)]))
    return Translate(draw(st.sampled_from(ZONES)), draw(table_names), source, target)


@st.composite
def learnt(draw: st.DrawFn) -> Learn:
    names = draw(st.lists(st.sampled_from(sorted(REGISTERS)), min_size=1, max_size=3, unique=True))
    register, *matched = ((name, draw(values(name))) for name in names)
    numbers = draw(st.integers(0, 0xFFFF)), draw(st.integers(0, (1 << 64) - 1))
    copied = draw(st.lists(st.sampled_from(sorted(REGISTERS.keys() - set(names))), max_size=2, unique=True))
    setting = draw(st.sampled_from([register, (None, 0)]))
    return Learn(
        draw(table_names), numbers[0], tuple(matched), *setting, numbers[1], tuple(copied), draw(st.booleans())
    )


single_actions: st.SearchStrategy[Action] = st.one_of(
    set_fields(),
    moves(),
    st.builds(Output, ports),
    st.builds(Spread, st.sampled_from([name for name in REGISTERS if REGISTERS[name].bits >= 8]), st.integers(2, 255)),
    st.builds(FirstAlive, st.just("door"), st.lists(st.integers(1, 0xFEFF), min_size=1, max_size=9).map(tuple)),
    st.builds(Resubmit, table_names),
    st.builds(Track, st.sampled_from(ZONES), table_names),
    st.builds(Commit, st.sampled_from(ZONES), st.none() | table_names),
    translations(),
    learnt(),
    st.sampled_from([PushVlan(), PopVlan(), DecrementTtl(), OutputInPort(), Controller(), Untrack()]),
)


METERS = st.builds(Meter, st.integers(1, 0xFFFF0000), st.integers(1, 1 << 31), st.integers(1, 1 << 31))


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    actions = draw(st.lists(single_actions, max_size=6))
    if draw(st.booleans()):
        actions.insert(0, draw(METERS))
    if draw(st.booleans()):
        actions.append(Goto(draw(table_names)))
    return Flow(
        draw(st.sampled_from(list(TABLES))).number,
        draw(st.integers(0, 0xFFFF)),
        draw(matches()),
        tuple(actions),
        draw(st.sampled_from(sorted(FEATURES))),
        f"port/{draw(st.integers(0, 999))}",
    )
