"""A flow is a value: table, priority, match, actions and owner.

Its cookie carries its content, so that what a switch holds can be compared with what it should hold by cookies alone:
feature number (16 bits), then a digest (48 bits) of everything else, the owner included.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address
from sys import intern
from typing import Any, NamedTuple, TypeVar

from flows.actions import Action, Commit, Goto, Learn, Meter, Resubmit, SetField, Track, Translate
from flows.declarations import Table
from flows.feature_numbers import FEATURES
from flows.fields import CT_VALID, FIELDS, Field, parse, show
from flows.pipeline import REGISTERS, TABLES

T = TypeVar("T")


_Leads = Goto | Resubmit | Track | Translate | Learn
"""Actions that name the table where the packet, or what is learnt, comes to."""


class Term(NamedTuple):
    """One condition of a match: a field or register, its value, and its mask (None: exact)."""

    field: str
    value: int
    mask: int | None


Match = tuple[Term, ...]
"""Sorted by field name, prerequisites included."""
Key = tuple[int, int, Match]
"""Table, priority and match."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """One entry of a flow table. Build it with ``flow``, which checks it against the pipeline."""

    table: int
    priority: int
    match: Match
    actions: tuple[Action, ...]
    feature: str
    owner: str
    """Why the flow exists: ``<kind>/<id>`` of a row, for example ``port/6d0c...``."""
    cookie: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Plain tuples of text and numbers have one repr for ever; the class names of actions are part of it.
        parts = f"{_joined(self.match)}, {_joined(self.actions)}, {self.owner!r}"
        content = f"({self.table}, {self.priority}, {parts})".encode()
        digest = int.from_bytes(hashlib.blake2b(content, digest_size=6).digest(), "big")
        object.__setattr__(self, "cookie", FEATURES[self.feature].number << 48 | digest)

    @property
    def key(self) -> Key:
        """What a switch can hold only once: table, priority and match."""
        return self.table, self.priority, self.match

    @property
    def meter(self) -> Meter | None:
        """The meter that what matches must pass, if there is one."""
        first = self.actions[0] if self.actions else None
        return first if isinstance(first, Meter) else None

    @property
    def learner(self) -> Learn | None:
        """How the switch makes flows that go with this one, if it does."""
        first = self.actions[0] if self.actions else None
        return first if isinstance(first, Learn) and first.bound else None

    def __hash__(self) -> int:
        return self.cookie

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flow) and self.cookie == other.cookie and self._content == other._content

    @property
    def _content(self) -> tuple[Any, ...]:
        return self.table, self.priority, self.match, self.actions, self.feature, self.owner

    def __str__(self) -> str:
        match = ",".join(show_term(term) for term in self.match) or "any"
        actions = ",".join(show_action(action) for action in self.actions) or "drop"
        return f"{TABLES.by_number[self.table].name} {self.priority} {match} -> {actions}"


def flow(
    table: Table, priority: str | tuple[str, int], feature: str, owner: str, *actions: Action, **match: int | str
) -> Flow:
    """Build a flow that the pipeline allows.

    ``priority`` is a name that the table declares, or such a name and how far above it, within its span. Match values
    are numbers or text (see ``fields.parse``).
    Raises ValueError for a field, register, priority or next table that the table does not declare.
    """
    if unknown := match.keys() - table.match:
        raise ValueError(f"table {table.name} does not match on {', '.join(sorted(unknown))}")
    priority_name, above = priority if isinstance(priority, tuple) else (priority, 0)
    if priority_name not in table.priorities or not 0 <= above <= table.spans.get(priority_name, 0):
        raise ValueError(f"table {table.name} has no priority named {priority}")
    if feature not in FEATURES:
        raise ValueError(f"{feature} is no feature of the pipeline")
    # Flooding a large network takes very many actions, most of which were met before.
    actions = tuple([_checked(table.number, action) for action in actions])
    types = [type(action) for action in actions]
    if Goto in types[:-1]:
        raise ValueError("goto must be the last action")
    if Meter in types[1:]:
        raise ValueError("a meter must be the first action")
    terms: dict[str, Term] = {}
    for name, value in match.items():
        described = field_named(name)
        for needed, needed_value in described.needs:
            terms[needed] = Term(needed, needed_value, None)
        if described.tracked:
            terms["ct_state"] = _both(terms.get("ct_state"), Term("ct_state", *CT_VALID))
        number, mask = parse(described, value)
        if name == "ct_state":
            terms[name] = _both(terms.get(name), Term(name, number, mask))
        elif mask != 0:
            terms[name] = Term(name, number, mask)
    number = table.priorities[priority_name] + above
    # The flows of one port repeat one another, and there are very many: each part is kept once.
    match_kept = tuple([_kept(term) for term in sorted(terms.values())])
    if len(match_kept) == 1:
        match_kept = _alone(match_kept[0])
    if len(actions) == 1:
        actions = _alone(actions[0])
    return Flow(table.number, number, match_kept, actions, feature, intern(owner))


def _joined(parts: tuple[Term | Action, ...]) -> str:
    """Write a tuple of parts, most of which were met before."""
    texts = [_text(part) for part in parts]
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


# Typed, as actions of different kinds may be equal for Python.
@lru_cache(maxsize=1 << 12, typed=True)
def _kept(part: T) -> T:
    return part


@lru_cache(maxsize=1 << 12, typed=True)
def _checked(number: int, action: Action) -> Action:
    """Return an action that a table may take, which is kept. Raises ValueError for one that it may not."""
    table = TABLES.by_number[number]
    if isinstance(action, _Leads) and action.table not in _reachable(table, action):
        raise ValueError(f"table {table.name} does not lead to {action.table}")
    if isinstance(action, Commit) and action.copy_to not in (None, *table.next):
        raise ValueError(f"table {table.name} does not lead to {action.copy_to}")
    if isinstance(action, SetField):
        parse(field_named(action.field), action.value)
    return action


@lru_cache(maxsize=1 << 12, typed=True)
def _alone(part: T) -> tuple[T]:
    return (part,)


@lru_cache(maxsize=1 << 12, typed=True)
def _text(part: Term | Action) -> str:
    """Write a part of a flow, and where the tables and registers are that it names: a switch knows only that."""
    if isinstance(part, Term):
        return f"{part!r}@{_place(part.field)}" if part.field in REGISTERS else repr(part)
    places = [_place(name) for name in _names(part) if name in TABLES.by_name or name in REGISTERS]
    return f"{part!r}@{','.join(places)}" if places else repr(part)


def _names(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _names(each)


@lru_cache
def _place(name: str) -> str:
    table, register = TABLES.by_name.get(name), REGISTERS.get(name)
    return f"{table.number if table else ''}:{f'{register.number}.{register.offset}' if register else ''}"


def learn(learnt: Flow, *copied: str, bound: bool = False) -> Learn:
    """Return the action by which a switch adds a flow itself, which also matches ``copied`` registers as they are then.

    ``bound``: see ``Learn``. Raises ValueError for a flow that a switch cannot add so.
    """
    sets = [action for action in learnt.actions if isinstance(action, SetField)]
    named = {*copied, *(term.field for term in learnt.match), *(setting.field for setting in sets)}
    if len(learnt.actions) > 1 or len(sets) < len(learnt.actions) or named - REGISTERS.keys():
        raise ValueError(f"what is learnt matches registers and sets one, or drops: {learnt}")
    match = tuple((term.field, term.value) for term in learnt.match)
    table, register, value = TABLES.by_number[learnt.table].name, None, 0
    if sets:
        register, value = sets[0]
    return Learn(table, learnt.priority, match, register, value, learnt.cookie, copied, bound)


def learnt_by(flow: Flow, action: Learn, read: Callable[[str], int]) -> Flow:
    """Return the flow that a switch adds because of a flow's action, given how to read the packet's registers."""
    copied = ((name, read(name)) for name in action.copied)
    match = tuple(sorted(Term(name, value, None) for name, value in (*action.match, *copied)))
    actions = (SetField(action.register, action.value),) if action.register is not None else ()
    return Flow(TABLES[action.table].number, action.priority, match, actions, flow.feature, flow.owner)


def _reachable(table: Table, action: _Leads) -> tuple[str, ...]:
    if isinstance(action, Resubmit | Translate):
        return (*table.next, *table.again)
    return (*table.next, table.name) if isinstance(action, Learn) else table.next


def _both(one: Term | None, other: Term) -> Term:
    """Return the condition that two conditions on bits of one field make together."""
    if one is None or one.mask is None or other.mask is None:
        return other
    return Term(one.field, one.value | other.value, one.mask | other.mask)


def field_named(name: str) -> Field:
    """Return a header field, or a register seen as one. Raises ValueError for an unknown name."""
    try:
        return _NAMED[name]
    except KeyError:
        raise ValueError(f"there is no field or register named {name}") from None


_NAMED = {**{name: Field(name, each.bits, each.style) for name, each in REGISTERS.items()}, **FIELDS}


def show_term(term: Term) -> str:
    """Write a condition as ``field=value`` or ``field=value/mask``; flags as ``ct_state=+trk-inv``."""
    return f"{term.field}={show(field_named(term.field), term.value, term.mask)}"


def show_action(action: Action) -> str:
    """Write an action much as ovs-ofctl(8) does, with tables, fields and registers by name."""
    if isinstance(action, SetField):
        return f"set({action.field}={show(field_named(action.field), action.value)})"
    if isinstance(action, Meter):
        return f"meter({action.number}: {action.packets}/s, burst {action.burst})"
    if isinstance(action, Learn):
        matched = [show_term(Term(name, value, None)) for name, value in action.match]
        deed = show_action(SetField(action.register, action.value)) if action.register is not None else "drop"
        return f"learn({','.join((action.table, *matched, *action.copied, deed))})"
    if isinstance(action, Translate):
        ends = (("src", action.source), ("dst", action.target))
        given_ends = [f"{name}={_show_range(*end)}" for name, end in ends if end is not None]
        return f"translate({','.join((f'{action.zone}->{action.table}', *given_ends))})"
    names = {"OutputInPort": "in_port", "DecrementTtl": "dec_ttl"}
    name = names.get(type(action).__name__, type(action).__name__.lower())
    given = max((place for place, argument in enumerate(action, 1) if argument is not None), default=0)
    arguments = "->".join(str(argument) for argument in action[:given])
    return f"{name}({arguments})" if arguments else name


def _show_range(address: int, first: int, last: int) -> str:
    """Write an address and ports as a translation gives them; no ports where they stay as they are."""
    ports = f"-{last}" if last != first else ""
    return f"{IPv4Address(address)}{f':{first}{ports}' if first else ''}"
