"""The document of the pipeline, written from its declarations and from the flows of a small cloud.

``python -m flows.document`` writes flows/PIPELINE.md; a test fails while that is not what the code says.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

from flows.actions import (
    Action,
    CheckLarger,
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
from flows.declarations import Register, Table
from flows.engine import Engine
from flows.feature_numbers import FEATURES
from flows.features.flooding import copies_of_share
from flows.fields import show
from flows.flow import Flow, Term, field_named, learnt_by, show_action, show_term
from flows.pipeline import MISS_PRIORITY, REGISTERS, TABLES
from flows.sample import HERE, sample_cloud

PATH = Path(__file__).with_name("PIPELINE.md")

INTRODUCTION = f"""\
# The pipeline

Generated from `flows/pipeline.py` by `python -m flows.document`: edit that, not this.

Every chassis holds the same tables. A packet enters at the first one, and each table sends it on to a later one, sends
it out, or drops it. Tables know packets by *registers*, numbers that earlier tables have attached to it, so that what
differs by chassis (OpenFlow port numbers) stays in the first and the last tables and everything between is the same
wherever a network is.

*From port* is what an instance sends, *to port* what it receives. *The core* is what joins the chassis: tunnels, or
physical networks behind patch ports.

The examples are the flows that chassis `{HERE}` of this cloud holds (`flows/sample.py`), without repetitions. That of
`local_copies` is what it would hold if these were very many:
"""


def render(examples: Iterable[Flow]) -> str:
    """Return the document, in Markdown; each table shows those examples that are in it, one of each form."""
    examples = list(examples)
    learning = [(flow, action) for flow in examples for action in flow.actions if isinstance(action, Learn)]
    learnt = [learnt_by(flow, action, lambda register: 1) for flow, action in learning]
    chosen = _one_of_each_form([*examples, *learnt])
    sections = [
        INTRODUCTION + "\n" + "\n".join(f"- {line}" for line in sample_cloud().description) + "\n",
        "## The way of a packet\n\n" + "\n".join(_diagram()) + "\n",
        "## Registers\n\n" + "\n".join(_registers()) + "\n",
        "## Features\n\n" + "\n".join(_features()) + "\n",
        "## Tables\n",
        *("\n".join(_table(table, [flow for flow in chosen if flow.table == table.number])) for table in TABLES),
    ]
    return "\n".join(sections)


def in_words(flow: Flow) -> str:
    """Say what a flow does, as a sentence."""
    conditions = " and ".join(map(_condition, flow.match))
    actions = ", then ".join(map(_deed, flow.actions)) or "drop it"
    return f"If {conditions}: {actions}." if conditions else f"Whatever it is: {actions}."


def _condition(term: Term) -> str:
    described = field_named(term.field)
    if term.field == "vlan_vid" and not term.value and term.mask is None:
        return "there is no VLAN tag"
    if described.style == "ct_state":
        return f"`{term.field}` is {show(described, term.value, term.mask)}"
    value = show(described, term.value)
    return (
        f"`{term.field}` is {value}" if term.mask is None else f"`{term.field}` is {value} in the bits of {_mask(term)}"
    )


def _mask(term: Term) -> str:
    return show(field_named(term.field), term.mask or 0)


def _deed(action: Action) -> str:
    match action:
        case SetField(name, value):
            return f"let `{name}` be {show(field_named(name), value)}"
        case Move(source, target):
            return f"copy `{source}` to `{target}`"
        case PushVlan():
            return "add a VLAN tag"
        case PopVlan():
            return "remove the VLAN tag"
        case DecrementTtl():
            return "take a hop off its time to live"
        case Spread(register, ways):
            return f"let `{register}` be one of {ways}, by hash of its connection"
        case FirstAlive(register, watched):
            return f"let `{register}` be the first port of {', '.join(map(str, watched))} that is alive"
        case CheckLarger(register, size):
            return f"let `{register}` be 1 if it is larger than {size} bytes, else 0"
        case Output(port):
            return f"send it out of port {port}"
        case OutputInPort():
            return "send it back"
        case Meter(number, packets, burst):
            return f"drop what meter {number} ({packets} packets a second, {burst} at once) does not let on"
        case Controller():
            return "send it to the controller"
        case Resubmit(table):
            return f"let `{table}` see it as it is now"
        case Goto(table):
            return f"go on in `{table}`"
        case Track(zone, table):
            return f"look its connection up in the zone of `{zone}` and go on in `{table}`"
        case Commit(zone, copy_to):
            copied = f", have a copy go on in `{copy_to}`" if copy_to is not None else ""
            return f"remember its connection in the zone of `{zone}`{copied}"
        case Translate(zone, table, source, target):
            what = "as its connection is"
            if source or target:
                address, first, last = source or target or (0, 0, 0)
                ports = f", ports {first} to {last}," if last else ""
                what = f"from {IPv4Address(address)}{ports}" if source else f"to {IPv4Address(address)}{ports}"
            return f"translate it {what} in the zone of `{zone}` and go on in `{table}`"
        case Learn(table, _, match, register, value, _, copied, bound):
            conditions = " and ".join(
                [
                    *(_condition(Term(*each, None)) for each in match),
                    *(f"`{name}` is what it is now" for name in copied),
                ]
            )
            deed = _deed(SetField(register, value)) if register is not None else "drop it"
            return f"have `{table}` learn{', while this flow is there' if bound else ''}: if {conditions}: {deed}"
        case Untrack():
            return "forget what connection tracking said of it"


def _diagram() -> Iterator[str]:
    yield "```mermaid"
    yield "flowchart TD"
    for table in TABLES:
        yield f'    {table.name}["{table.number} {table.name}"]'
    for table in TABLES:
        for target in table.next:
            yield f"    {table.name} {'-. nothing matches .->' if target == table.miss else '-->'} {target}"
        for target in table.again:
            yield f"    {table.name} == again ==> {target}"
    yield "```"
    yield ""
    yield "A dotted line is also the way of what nothing matches; in tables without one, that is dropped."


def _registers() -> Iterator[str]:
    yield "| register | bits | lives from | to | holds |"
    yield "|---|---|---|---|---|"
    for register in sorted(REGISTERS.values(), key=lambda register: (register.number, register.offset)):
        yield f"| `{register.name}` | {_bits(register)} | {register.first} | {register.last} | {register.doc} |"
    yield ""
    yield "Where each lives (`#`); bits may be used twice where lives do not meet:"
    yield ""
    yield "```"
    width = max(len(table.name) for table in TABLES) + 1
    yield " " * width + "  ".join(REGISTERS)
    for table in TABLES:
        alive = ("#" if _lives(register, table) else "." for register in REGISTERS.values())
        row = "  ".join(mark.center(len(name)) for mark, name in zip(alive, REGISTERS, strict=True))
        yield f"{table.name:{width}}{row}".rstrip()
    yield "```"


def _bits(register: Register) -> str:
    last = register.offset + register.bits - 1
    where = f"{register.offset}" if register.bits == 1 else f"{register.offset}..{last}"
    return f"reg{register.number}[{where}]"


def _lives(register: Register, table: Table) -> bool:
    return TABLES[register.first].number <= table.number <= TABLES[register.last].number


def _features() -> Iterator[str]:
    yield "A flow's cookie begins with the number of its feature (16 bits); the rest is a digest of its content."
    yield ""
    yield "| number | feature | does |"
    yield "|---|---|---|"
    for feature in sorted(FEATURES.values(), key=lambda feature: feature.number):
        yield f"| {feature.number} | `{feature.name}` | {feature.doc} |"


def _table(table: Table, examples: list[Flow]) -> Iterator[str]:
    yield f"### {table.number} {table.name}"
    yield ""
    yield table.doc
    yield ""
    yield f"- Matches on: {', '.join(f'`{name}`' for name in sorted(table.match))}."
    by_value = sorted(table.priorities.items(), key=lambda item: -item[1])
    yield f"- Priorities: {', '.join(f'`{name}` {_numbers(table, name)}' for name, _ in by_value)}."
    yield f"- Leads to: {', '.join(f'`{name}`' for name in table.next) or 'no other table'}."
    if table.again:
        yield f"- Leads again to: {', '.join(f'`{name}`' for name in table.again)}, with a hop less to live."
    dropped = f"is dropped: `{table.unmatched}`" if table.unmatched else "is dropped"
    yield f"- What nothing matches {f'goes on in `{table.miss}`' if table.miss else dropped}."
    yield ""
    for flow in examples:
        yield f"`{_priority_name(table, flow)}`, by {flow.feature} for `{flow.owner}`. {in_words(flow)}"
        yield ""
        yield "```"
        yield ",".join(map(show_term, flow.match)) or "any"
        yield "    -> " + (",".join(map(show_action, flow.actions)) or "drop")
        yield "```"
        yield ""


def _numbers(table: Table, name: str) -> str:
    first, span = table.priorities[name], table.spans.get(name, 0)
    return f"{first} to {first + span}" if span else str(first)


def _priority_name(table: Table, flow: Flow) -> str:
    named = {
        value + above: name for name, value in table.priorities.items() for above in range(table.spans.get(name, 0) + 1)
    }
    return "miss" if flow.priority == MISS_PRIORITY else named[flow.priority]


def _one_of_each_form(flows: Iterable[Flow]) -> list[Flow]:
    """Return one flow of each form: table, priority, feature, fields matched, kinds of actions."""
    forms: dict[tuple[object, ...], Flow] = {}
    for flow in sorted(flows, key=lambda flow: (flow.table, -flow.priority, flow.feature, flow.owner, str(flow))):
        fields = tuple((term.field, term.mask) for term in flow.match)
        actions = tuple(dict.fromkeys((type(action), getattr(action, "field", None)) for action in flow.actions))
        forms.setdefault((flow.table, flow.priority, flow.feature, fields, actions), flow)
    return list(forms.values())


def current() -> str:
    """Return what PIPELINE.md should hold."""
    engine = Engine(sample_cloud().store)
    # Ports are shared out where they are more than anybody would read of.
    share = engine.ask(copies_of_share, "red", 0, ("proxy", "web"))
    return render([*engine.desired(HERE).values(), share])


if __name__ == "__main__":
    PATH.write_text(current())
