"""One flow of a cloud weakened at random."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import NamedTuple

from flows.actions import Goto, Resubmit, SetField, Track
from flows.flow import Flow, Term, field_named
from flows.pipeline import REGISTERS, TABLES
from flows.simulated_connections import Connections
from flows.simulated_switch import Switch
from tests.clouds import CHASSIS, SimulatedCloud

ALL_TABLES = frozenset(table.name for table in TABLES if table.name != "drops")
"""Where flows are weakened: all but where they only count what is dropped."""
RULE_TABLES = frozenset({"group_rules", "remote_members", "permissions"})
"""What security groups permit, and whose members they name; what ``connections`` does with copies only counts."""
TRIES = 300
"""After so many flows that cannot be weakened in a way, another way is taken."""
Way = Callable[[Flow, list[Flow], Random], list[Flow | None]]


class Fault(NamedTuple):
    """A chassis's flow, what was done to it, and what it has become (None: it is gone)."""

    chassis: str
    flow: Flow
    done: str
    changed: Flow | None

    @property
    def table(self) -> str:
        """The name of the table that it is in."""
        return TABLES.by_number[self.flow.table].name

    def __str__(self) -> str:
        return f"{self.chassis}, {self.table}, {self.done}: {self.flow}\n  is now {self.changed or 'gone'}"

    def held(self, cloud: SimulatedCloud) -> list[Flow]:
        """The flows that the chassis holds with the fault. Of flows that are then alike, a switch holds the last."""
        flows = [flow for flow in cloud.flows(self.chassis).values() if flow != self.flow]
        if self.changed is None:
            return flows
        return [*(flow for flow in flows if flow.key != self.changed.key), self.changed]


def plant(cloud: SimulatedCloud, random: Random, tables: frozenset[str] = ALL_TABLES) -> Fault:
    """Weaken a flow at random: every way is as likely as any other, and so is every table where it can be done.

    Of flows that only count what is dropped, and of what a switch would refuse, it takes none. Raises LookupError
    where it finds nothing to weaken in these tables.
    """
    for done, weaken in random.sample(list(_WAYS.items()), len(_WAYS)):
        if (fault := _planted(cloud, random, {TABLES[name].number for name in tables}, done, weaken)) is not None:
            return fault
    raise LookupError(f"nothing can be weakened in {', '.join(sorted(tables))}")


def _planted(cloud: SimulatedCloud, random: Random, tables: set[int], done: str, weaken: Way) -> Fault | None:
    for _ in range(TRIES):
        chassis = random.choice(CHASSIS)
        flows = [flow for flow in cloud.flows(chassis).values() if flow.table in tables]
        if not flows:
            continue
        table = random.choice(sorted({flow.table for flow in flows}))
        alike = sorted((flow for flow in flows if flow.table == table), key=str)
        chosen = random.choice(alike)
        for changed in weaken(chosen, alike, random):
            fault = Fault(chassis, chosen, done, changed)
            if _is_taken(chassis, fault.held(cloud)):
                return fault
    return None


def _is_taken(chassis: str, flows: list[Flow]) -> bool:
    """Whether a switch takes these flows: one whose action needs what it no longer asks for is refused."""
    try:
        Switch(chassis, flows, defaultdict(str), Connections())
    except ValueError:
        return False
    return True


# Ways to weaken: each returns the flow as it becomes (None: none is left), or nothing where it cannot


def _drop_field(flow: Flow, alike: list[Flow], random: Random) -> list[Flow | None]:
    if not flow.match:
        return []
    term = random.choice(flow.match)
    return [replace(flow, match=tuple(each for each in flow.match if each != term))]


def _widen_field(flow: Flow, alike: list[Flow], random: Random) -> list[Flow | None]:
    if not flow.match:
        return []
    term = random.choice(flow.match)
    full = (1 << field_named(term.field).bits) - 1
    mask = full if term.mask is None else term.mask
    bit = random.choice([1 << n for n in range(mask.bit_length()) if mask >> n & 1])
    wide = Term(term.field, term.value & ~bit, mask & ~bit)
    return [replace(flow, match=tuple(wide if each == term else each for each in flow.match))]


def _raise_priority(flow: Flow, alike: list[Flow], random: Random) -> list[Flow | None]:
    higher = sorted({other.priority + 1 for other in alike if other.priority >= flow.priority})
    return [replace(flow, priority=random.choice(higher))]


def _remove_drop(flow: Flow, alike: list[Flow], random: Random) -> list[Flow | None]:
    drops = not flow.actions or flow.actions[-1] == Goto("drops")
    return [None] if drops and flow.match else []


def _skip_table(flow: Flow, alike: list[Flow], random: Random) -> list[Flow | None]:
    leading = [place for place, action in enumerate(flow.actions) if isinstance(action, Goto | Track | Resubmit)]
    if not leading:
        return []
    place = random.choice(leading)
    left = flow.actions[place]
    assert isinstance(left, Goto | Track | Resubmit)
    beyond = [name for name in TABLES[left.table].next if name != "drops"]
    if not beyond:
        return []
    on = (Resubmit if isinstance(left, Resubmit) else Goto)(random.choice(beyond))
    return [replace(flow, actions=(*flow.actions[:place], on, *flow.actions[place + 1 :]))]


def _change_register(flow: Flow, alike: list[Flow], random: Random) -> list[Flow | None]:
    set_here = [action for action in flow.actions if isinstance(action, SetField) and action.field in REGISTERS]
    if not set_here:
        return []
    chosen = random.choice(set_here)
    others = {
        action.value
        for other in alike
        for action in other.actions
        if isinstance(action, SetField) and action.field == chosen.field and action.value != chosen.value
    }
    if not others:
        return []
    wrong = SetField(chosen.field, random.choice(sorted(others)))
    return [replace(flow, actions=tuple(wrong if action == chosen else action for action in flow.actions))]


_WAYS = {
    "field dropped": _drop_field,
    "field widened by a bit": _widen_field,
    "priority raised": _raise_priority,
    "drop removed": _remove_drop,
    "table skipped": _skip_table,
    "register set otherwise": _change_register,
}
